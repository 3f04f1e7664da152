"""A `facewire serve` for a measurement, and what processes use of the machine (Linux)."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_START = 120.0  # seconds for a server to answer


_SERVE = "from demo.cli import main; main(['serve'])"


@contextmanager
def served(data: str, program: str = _SERVE, **settings: object) -> Iterator[tuple[str, int]]:
    """Address and process id of a server without pages and workers, limits of rate far away.
    program: in its place, one that serves as it does.  settings: FACEWIRE_ variables by the
    settings' names."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = {
        "data": data, "port": port, "pages": 0, "workers": 0, "rate": 10_000_000,
        "sign_in_rate": 100_000, **settings,
    }  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {f"FACEWIRE_{name.upper()}": str(it) for name, it in given.items()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a line a request would be measured, too
    )
    try:
        _await(port, server)
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait()


def _await(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START
    while server.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def own_cpu() -> float:
    """Seconds of user and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cpu_of(process: int) -> float:
    """Seconds of user and system time of another process and its threads."""
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(process: int) -> float:
    """MB that only this process holds, of its memory."""
    with open(f"/proc/{process}/smaps_rollup") as file:
        parts = dict(line.split(":", 1) for line in file if line.startswith("Private_"))
    return sum(int(part.split()[0]) for part in parts.values()) / 1000


def machine() -> str:
    """What else runs: processes that wanted a core, over the last minutes, beside the cores."""
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"load of the machine over 1, 5, 15 minutes: {load}; {os.cpu_count()} cores"


class Busy:
    """The share of the machine that others had while it was measured."""

    def __init__(self) -> None:
        self._begun = _ticks()

    def cores(self) -> tuple[float, float]:
        """Cores' worth of time that were busy, all processes together, and that were stolen by
        other machines on the same hardware, since this was made."""
        was, now = self._begun, _ticks()
        total = sum(now) - sum(was)
        idle = now[3] + now[4] - was[3] - was[4]
        stolen = now[7] - was[7]
        share = (os.cpu_count() or 1) / max(total, 1)
        return (total - idle - stolen) * share, stolen * share


def _ticks() -> list[int]:
    with open("/proc/stat") as file:
        return [int(field) for field in file.readline().split()[1:9]]
