"""A call over a narrow path: how old what is shown gets, and what following the path changes.

    python -m benchmarks.narrow AVATAR CLIP [--kbps 8 14 18 30] [--seconds 60]

First the rate of every step of `service/calls/pace.py`, headers counted, on a path that carries
it.  Then the clip over and over through paths of some kbit/s with a second's queue before them,
20 ms long, headers counted, too: the age of what is shown, from capture, over the second half, and
datagrams lost; by ends that follow the path and by ends that do not.  Without a clock: it can be
repeated to the bit.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from avatar.archive import read_avatar
from avatar.avatar import Avatar
from avatar.face import FaceStates
from enroll.capture import Frame
from enroll.scene import TrackPrior
from service.calls import face_end
from service.calls.face_end import FaceEnd
from service.calls.pace import STEPS
from service.states import states_of
from service.tracking import track_file

HEADERS = 93  # bytes of IPv4, UDP, DTLS and SCTP around a datagram
SECOND = 1_000_000  # us
_FRAME, _TICK = 40_000, 20_000


class Way:
    """kbps: what it carries; what waits for longer than a second is lost."""

    def __init__(self, kbps: float) -> None:
        self._bits = 1000 * kbps
        self._free = 0
        self._way: deque[tuple[int, bytes]] = deque()
        self.lost = self.bytes = 0

    def send(self, now: int, datagrams: list[bytes]) -> None:
        for data in datagrams:
            begun = max(now, self._free)
            if begun - now > SECOND:
                self.lost += 1
                continue
            self.bytes += len(data) + HEADERS
            self._free = begun + round(8 * SECOND * (len(data) + HEADERS) / self._bits)
            self._way.append((self._free + 20_000, data))

    def come(self, now: int) -> Iterator[bytes]:
        while self._way and self._way[0][0] <= now:
            yield self._way.popleft()[1]


@dataclass
class Row:
    row: Frame
    points: None = None


class Told:
    """In a tracker's place: a frame is its state."""

    def step(self, frame: Frame) -> Row:
        return Row(frame)


class _Moving:
    """Frames that are states already."""

    def __init__(self, avatar: Avatar, refiner: object) -> None:
        self._layout = avatar.layout

    def step(self, frame: Frame, row: Frame, looks: bool) -> FaceStates:
        times, values = np.array([row.time]), np.asarray(row.image)[None]
        return FaceStates(times, values, np.array([True]), self._layout)


def call(
    avatar: Avatar, states: Any, path: Way, seconds: float, sender: FaceEnd
) -> tuple[Any, int]:
    """Ages of what is shown, ms, and bytes sent, both of the second half."""
    receiver, back, ages, half = FaceEnd(None, [avatar]), Way(1000), [], 0
    for now in range(0, round(seconds * SECOND), _TICK):
        if now % _FRAME == 0:
            frame = Frame(states[now // _FRAME % len(states)], now)
            path.send(now, sender.film(now, frame, Told()))
        path.send(now, sender.poll(now))
        for data in path.come(now):
            receiver.receive(now, data)
        back.send(now, receiver.poll(now))
        for data in back.come(now):
            sender.receive(now, data)
        shown = receiver.show(now)
        if now < seconds * SECOND / 2:
            half = path.bytes
        elif shown is not None:
            ages.append((now - shown.time) / 1000)
    return np.array(ages), path.bytes - half


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("avatar", type=Path, metavar="AVATAR")
    parser.add_argument("clip", type=Path, metavar="CLIP", help="of the avatar's person")
    parser.add_argument("--kbps", type=float, nargs="+", default=[8, 14, 18, 30])
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    avatar = replace(read_avatar(asked.avatar), signer="")  # nobody's key is needed here
    track, _ = track_file(asked.clip, TrackPrior.of(avatar))
    states = states_of(track, avatar).values
    face_end.LiveStates = _Moving  # type: ignore[assignment,misc]
    print("quality, frames a datagram  kbit/s  age, ms")
    for level, frames in STEPS:
        sender = FaceEnd(avatar, pace=None)
        sender.choose(level)
        sender.bundle(frames)
        ages, sent = call(avatar, states, Way(1000), asked.seconds, sender)
        print(
            f"{level:7d}, {frames:17d}  {sent / asked.seconds * 0.016:6.1f}  {np.median(ages):7.0f}"
        )
    print("path, kbit/s  follows  age, ms: median  worst   lost  step at the end")
    for kbps in asked.kbps:
        for follows in (False, True):
            sender = FaceEnd(avatar) if follows else FaceEnd(avatar, pace=None)
            path = Way(kbps)
            ages, _ = call(avatar, states, path, asked.seconds, sender)
            print(
                f"{kbps:12g}  {'yes' if follows else 'no':>7}  {np.median(ages):15.0f}  "
                f"{ages.max():5.0f}  {path.lost:5d}  {sender.saving:15d}",
                flush=True,
            )


if __name__ == "__main__":
    main()
