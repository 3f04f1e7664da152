"""The API under many clients at the same time: times of reads, errors, and what it costs.

    python -m benchmarks.api_load [--clients 100] [--seconds 60] [--think 1.0] [--database URL]

A real `facewire serve`; this process is every client, each with a token and an avatar of its own.
A client waits `--think` seconds between two requests (exponential; 0: none).  Nine of ten are
reads: its avatars, an enrolment, the audit log, the first 64 KiB of an avatar; one is a grant,
given and revoked.  time: from the first byte sent to the last one got, with this process's own
queue in it: look at its CPU beside the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.serving import Busy, cpu_of, machine, memory_of, own_cpu, served

_AGREED = {"subject": "self", "purpose": "load", "version": "1", "agreed": True}
_PASSWORD = "correct horse battery"


@dataclass
class Load:
    """times: seconds, by what was asked."""

    times: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)

    async def ask(self, client: Any, what: str, method: str, path: str, **more: Any) -> Any:
        begun = time.perf_counter()
        answer = await client.request(method, path, **more)
        self.times.setdefault(what, []).append(time.perf_counter() - begun)
        self.statuses[answer.status_code] += 1
        return answer


@dataclass
class Client:
    """One user.  other: the name of another, who gets a grant."""

    http: Any
    headers: dict[str, str]
    avatar: str
    enrolment: str
    other: str

    async def step(self, load: Load, chance: random.Random) -> None:
        what = chance.random()
        if what < 0.25:
            await self._get(load, "avatars", "/v1/avatars")
        elif what < 0.5:
            await self._get(load, "enrolment", f"/v1/enrolments/{self.enrolment}")
        elif what < 0.7:
            archive = f"/v1/avatars/{self.avatar}/archive"
            await self._get(load, "64 KiB of an archive", archive, {"Range": "bytes=0-65535"})
        elif what < 0.9:
            await self._get(load, "audit", "/v1/audit")
        else:
            await self._grant(load)

    async def _get(
        self, load: Load, what: str, path: str, more: dict[str, str] | None = None
    ) -> None:
        await load.ask(self.http, what, "GET", path, headers=self.headers | (more or {}))

    async def _grant(self, load: Load) -> None:
        path = f"/v1/avatars/{self.avatar}/grants"
        wish = {"holder": self.other, "days": 1}
        given = await load.ask(
            self.http, "grant (write)", "POST", path, json=wish, headers=self.headers
        )
        if given.status_code == 201:
            path = f"/v1/grants/{given.json()['id']}"
            await load.ask(self.http, "revoke (write)", "DELETE", path, headers=self.headers)


async def client(http: Any, number: int, names: list[str], archive: bytes) -> Client:
    who = {"name": names[number], "password": _PASSWORD}
    token = _good(await http.post("/v1/sessions", json=who))["token"]
    headers = {"Authorization": f"Bearer {token}"}
    avatar = _good(await http.post("/v1/avatars", content=archive, headers=headers))["id"]
    wish = {"name": "Load", "consent": _AGREED, "size": 64, "steps": 1}
    enrolment = _good(await http.post("/v1/enrolments", json=wish, headers=headers))["id"]
    return Client(http, headers, avatar, enrolment, names[number - 1])


def _good(answer: Any) -> Any:
    answer.raise_for_status()
    return answer.json()


async def measure(base: str, server: int, asked: argparse.Namespace) -> None:
    import httpx

    limits = httpx.Limits(max_connections=asked.clients, max_keepalive_connections=asked.clients)
    names = [f"load{secrets.token_hex(4)}" for _ in range(asked.clients)]
    async with httpx.AsyncClient(base_url=base, timeout=60, limits=limits) as http:
        for name in names:
            _good(await http.post("/v1/accounts", json={"name": name, "password": _PASSWORD}))
        clients = [await client(http, n, names, _archive()) for n in range(asked.clients)]
        load, chance = Load(), random.Random(1)
        end, busy = time.monotonic() + asked.seconds, Busy()
        own, its = own_cpu(), cpu_of(server)

        async def live(one: Client) -> None:
            await asyncio.sleep(chance.random() * asked.think)
            while time.monotonic() < end:
                await one.step(load, chance)
                if asked.think:
                    await asyncio.sleep(chance.expovariate(1 / asked.think))

        begun = time.monotonic()
        await asyncio.gather(*(live(one) for one in clients))
        took = time.monotonic() - begun
        _tell(load, took, (cpu_of(server) - its) / took, (own_cpu() - own) / took, busy)
        print(f"server: {memory_of(server):.0f} MB of its own")


def _tell(load: Load, took: float, server: float, own: float, busy: Busy) -> None:
    print(f"{'':22}  requests  p50, ms  p95, ms  p99, ms")
    reads = [t for what, times in load.times.items() if "write" not in what for t in times]
    for what, times in [*sorted(load.times.items()), ("all reads", reads)]:
        p = np.percentile(np.array(times) * 1000, [50, 95, 99])
        print(f"{what:22}  {len(times):8d}  {p[0]:7.1f}  {p[1]:7.1f}  {p[2]:7.1f}")
    count = sum(load.statuses.values())
    print(f"{count / took:.0f} requests/s for {took:.0f} s; statuses {dict(load.statuses)}")
    used, stolen = busy.cores()
    print(
        f"cores: server {server:.2f}, load generator {own:.2f}, others "
        f"{used - server - own:.2f}, stolen {stolen:.2f}; server {1000 * server * took / count:.1f}"
        " ms of CPU a request"
    )


def _archive() -> bytes:
    """An avatar of 200 kB of noise, as none of a person is at hand."""
    from avatar.archive import avatar_bytes
    from avatar.avatar import Avatar, Consent, StateStatistics
    from avatar.camera import Pinhole
    from avatar.face import StateLayout, Window

    layout = StateLayout()
    ones = np.ones(layout.width, np.float32)
    noise = np.random.default_rng(5).integers(0, 255, 200_000, np.uint8)
    given = "2026-01-01T00:00:00+00:00"
    return avatar_bytes(
        Avatar(
            name="Load",
            created=given,
            consent=Consent("nobody", "load", given, "flag", "1"),
            camera=Pinhole(1.5, (0.5, 0.5)),
            window=Window(0.0, 0.0, 256.0, 256, 256),
            layout=layout,
            statistics=StateStatistics(0 * ones, ones, 0.1 * ones),
            settings={},
            tensors={"head.noise": noise},
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--think", type=float, default=1.0, help="seconds, on average")
    parser.add_argument("--database", default="", help="URL; without it SQLite")
    asked = parser.parse_args()
    cheap = {"password_memory": 1024, "password_passes": 1}  # signing in is not what is measured
    with tempfile.TemporaryDirectory() as folder:
        more = cheap | ({"database": asked.database} if asked.database else {})
        with served(folder, **more) as (base, server):
            asyncio.run(measure(base, server, asked))
    print(machine())


if __name__ == "__main__":
    main()
