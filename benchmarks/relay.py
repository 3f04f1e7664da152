"""How many calls a server process relays: delay, loss and CPU, from few calls to saturation.

    python -m benchmarks.relay [--calls 1 10 50 100 200] [--seconds 10] [--servers 1]

Real `facewire serve`s without pages and workers, which the calls are spread over; this process is
everybody in the calls.  Where % sent falls, it could not keep its own pace.  Each member sends 25
datagrams of 20 bytes a second over WebRTC, without sound.  delay: from the sender's channel to the
receiver's handler, both in this process, so that its own queue is in it: look at its CPU beside the
servers', in cores.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.serving import Busy, cpu_of, machine, own_cpu, served
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


async def joined_all(client: Any, calls: int) -> list[Member]:
    """Both members of each call on one server, by an account made for it."""
    who = {"name": f"load{secrets.token_hex(4)}", "password": "correct horse battery"}
    (await client.post("/v1/accounts", json=who)).raise_for_status()
    token = (await client.post("/v1/sessions", json=who)).json()["token"]
    client.headers["Authorization"] = f"Bearer {token}"
    members: list[Member] = []
    for _ in range(calls):
        room = (await client.post("/v1/rooms")).json()["id"]
        members += [await joined(client, room), await joined(client, room)]
    return members


async def measure(servers: list[tuple[str, int]], calls: int, seconds: float) -> str:
    import httpx

    members: list[Member] = []
    for number, (base, _) in enumerate(servers):
        share = calls // len(servers) + (number < calls % len(servers))
        async with httpx.AsyncClient(base_url=base, timeout=60) as client:
            members += await joined_all(client, share)

    def used() -> tuple[float, float]:
        return own_cpu(), sum(cpu_of(process) for _, process in servers)

    begun, before, busy = time.monotonic(), used(), Busy()
    await asyncio.gather(*(m.send(begun + seconds) for m in members))
    took = time.monotonic() - begun
    own, its = ((after - then) / took for after, then in zip(used(), before))
    others = busy.cores()[0] - own - its
    await asyncio.sleep(_SETTLE)
    for member in members:
        await member.connection.close()
    delays = np.array([d for m in members for d in m.delays]) * 1000
    sent = sum(m.sent for m in members)
    p50, p99 = np.percentile(delays, [50, 99]) if len(delays) else (np.nan, np.nan)
    wanted = 2 * calls * RATE * took
    return (
        f"{calls:5d}  {sent / took:8.0f}  {100 * sent / wanted:7.1f}  {sent - len(delays):6d}  "
        f"{p50:7.1f}  {p99:7.1f}  {its:7.2f}  {own:5.2f}  {others:6.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10, 50, 100, 200])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--servers", type=int, default=1)
    asked = parser.parse_args()
    with ExitStack() as stack:
        servers = []
        for _ in range(asked.servers):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            servers.append(stack.enter_context(served(folder, user_rooms=1000)))
        print("calls    sent/s   % sent    lost  p50, ms  p99, ms  servers   load  others: cores")
        for calls in asked.calls:
            print(asyncio.run(measure(servers, calls, asked.seconds)), flush=True)
    print(machine())


if __name__ == "__main__":
    main()
