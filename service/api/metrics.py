"""Figures of operation for Prometheus: counts and times, nothing of anybody."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, select

from service.api.context import Context
from service.store.models import Job

_TIMES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0)  # seconds
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Of one application."""

    def __init__(self, context: Context) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "facewire_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "facewire_request_seconds",
            "Time until an answer began",
            ("route",),
            buckets=_TIMES,
            registry=self._registry,
        )
        self._registry.register(_State(context))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """An `Observer`."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _State:
    """What is counted when somebody asks."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("facewire_jobs", "Jobs by state", labels=("state",))
        with self._context.database.read() as session:
            for state, count in session.execute(
                select(Job.state, func.count()).group_by(Job.state)
            ):
                jobs.add_metric([state], count)
        yield jobs
        rooms, members = self._context.rooms.counts
        yield GaugeMetricFamily("facewire_rooms", "Rooms for calls", value=rooms)
        yield GaugeMetricFamily("facewire_members", "People in calls", value=members)
