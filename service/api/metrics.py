"""Figures of operation for Prometheus: counts and times, nothing of anybody."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class Measured:
    """An ASGI middleware that counts requests by the route's template, never by its ids."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._metrics.requests.labels(method, route, str(message["status"])).inc()
                self._metrics.seconds.labels(route).observe(time.perf_counter() - begun)
            await send(message)

        await self._app(scope, receive, counted)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
