"""How many calls one server process relays: delay, loss and CPU, from few calls to saturation.

    python -m benchmarks.relay [--calls 1 5 10 20 50] [--seconds 10]

A real `facewire serve` without pages and workers; this process is everybody in the calls.  Each
member sends 25 datagrams of 20 bytes a second over WebRTC, without sound.  delay: from the sender's
channel to the receiver's handler, both in this process, so that its own queue is in it: look at
its CPU beside the server's, in cores.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from service.calls.connection import face_channel, new_connection, wait_open

RATE = 25  # datagrams a second of each member
SIZE = 20  # bytes, as a face's datagram on the channel
_SETTLE = 3.0  # seconds for what is on its way


@dataclass
class Member:
    connection: Any
    channel: Any
    delays: list[float] = field(default_factory=list)
    sent: int = 0

    def got(self, data: bytes) -> None:
        self.delays.append(time.monotonic() - float(np.frombuffer(data[:8])[0]))

    async def send(self, until: float) -> None:
        await asyncio.sleep(secrets.randbelow(1000) / 1000 / RATE)  # not all at once
        due = time.monotonic()
        while due < until:
            self.channel.send(np.float64(time.monotonic()).tobytes() + bytes(SIZE - 8))
            self.sent += 1
            due += 1.0 / RATE
            await asyncio.sleep(due - time.monotonic())


async def joined(client: Any, room: str) -> Member:
    from aiortc import RTCSessionDescription

    connection = new_connection()
    member = Member(connection, face_channel(connection))
    member.channel.on("message", member.got)
    await connection.setLocalDescription(await connection.createOffer())
    offer = {"sdp": connection.localDescription.sdp, "mode": "packets"}
    answer = await client.post(f"/v1/rooms/{room}/members", json=offer)
    answer.raise_for_status()
    answered = RTCSessionDescription(answer.json()["sdp"], "answer")
    await connection.setRemoteDescription(answered)
    await wait_open(member.channel, 60.0)
    return member


async def measure(base: str, server: int, calls: int, seconds: float) -> str:
    import httpx

    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        who = {"name": f"load{secrets.token_hex(4)}", "password": "correct horse battery"}
        (await client.post("/v1/accounts", json=who)).raise_for_status()
        token = (await client.post("/v1/sessions", json=who)).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        members: list[Member] = []
        for _ in range(calls):
            room = (await client.post("/v1/rooms")).json()["id"]
            members += [await joined(client, room), await joined(client, room)]
        begun, own, others = time.monotonic(), _own_cpu(), _cpu_of(server)
        await asyncio.gather(*(m.send(begun + seconds) for m in members))
        took = time.monotonic() - begun
        own, others = (_own_cpu() - own) / took, (_cpu_of(server) - others) / took
        await asyncio.sleep(_SETTLE)
        for member in members:
            await member.connection.close()
    delays = np.array([d for m in members for d in m.delays]) * 1000
    sent = sum(m.sent for m in members)
    p50, p99 = np.percentile(delays, [50, 99]) if len(delays) else (np.nan, np.nan)
    wanted = 2 * calls * RATE * seconds
    return (
        f"{calls:5d}  {sent / took:8.0f}  {100 * sent / wanted:7.1f}  {sent - len(delays):6d}  "
        f"{p50:7.1f}  {p99:7.1f}  {others:6.2f}  {own:6.2f}"
    )


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _cpu_of(process: int) -> float:
    """Seconds of user and system time of a process and its threads (Linux)."""
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 5, 10, 20, 50])
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "DATA": folder, "PORT": str(port), "PAGES": "0", "WORKERS": "0", "RATE": "100000",
            "SIGN_IN_RATE": "1000",
        }  # fmt: skip
        server = subprocess.Popen(
            [sys.executable, "-c", "import sys; from demo.cli import main; main(['serve'])"],
            env=os.environ | {f"FACEWIRE_{name}": value for name, value in given.items()},
        )
        try:
            _await(port, server)
            print("calls  sent/s    % sent    lost  p50, ms  p99, ms  server  load, cores")
            for calls in asked.calls:
                line = measure(f"http://127.0.0.1:{port}", server.pid, calls, asked.seconds)
                print(asyncio.run(line), flush=True)
        finally:
            server.terminate()
            server.wait()
    print("load of the machine:", *(f"{one:.1f}" for one in os.getloadavg()))


def _await(port: int, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
