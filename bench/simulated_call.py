"""A call over a simulated network: seeded, in virtual time, no sockets."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from avatar.avatar import StateStatistics
from avatar.errors import FacewireError
from avatar.face import FaceStates, StateLayout
from bench.made_states import DIGEST, person, talking
from codec.header import PROFILE_CALL, StreamHeader
from codec.quantize import Quantizer
from codec.session import FaceReceiver, FaceSender, ReceiverSettings, SenderSettings
from codec.session.events import Event
from codec.session.playout import Shown

TINY = StateLayout(code=2, rotation=1, translation=0, gaze=0, lids=1, torso=0)
MS = 1000
# What a datagram of a WebRTC data channel carries beside its payload: IPv4 20, UDP 8, DTLS 1.2
# record 13 + AES-GCM's nonce and tag 8 + 16, SCTP common header 12 and DATA chunk 16.
OVERHEAD = 20 + 8 + 13 + 24 + 28

Loss = Callable[[np.random.Generator, int], bool]


def independent(share: float) -> Loss:
    return lambda rng, now: bool(rng.random() < share)


class GilbertElliott:
    """Two states; in the bad one nothing arrives.  enter, leave: chances at every packet."""

    def __init__(self, enter: float, leave: float) -> None:
        self.enter, self.leave, self.bad = enter, leave, False

    def __call__(self, rng: np.random.Generator, now: int) -> bool:
        self.bad = bool(rng.random() < (1 - self.leave if self.bad else self.enter))
        return self.bad


@dataclass
class Path:
    """One direction.  delay, jitter: microseconds, jitter uniform on top; blackout: from, to."""

    rng: np.random.Generator
    delay: int = 50 * MS
    loss: Loss = independent(0.0)
    jitter: int = 0
    reorder: float = 0.0  # share of packets that come 60 ms later
    duplicate: float = 0.0
    damage: float = 0.0  # share of packets with a flipped byte
    blackout: tuple[int, int] = (-1, -1)
    queue: list[tuple[int, int, bytes]] = field(default_factory=list)
    count: int = 0
    sizes: list[int] = field(default_factory=list)

    def put(self, now: int, data: bytes) -> None:
        self.sizes.append(len(data))
        if self.loss(self.rng, now) or self.blackout[0] <= now < self.blackout[1]:
            return
        if self.rng.random() < self.damage:
            at = int(self.rng.integers(len(data)))
            data = data[:at] + bytes([data[at] ^ int(self.rng.integers(1, 256))]) + data[at + 1 :]
        for _ in range(2 if self.rng.random() < self.duplicate else 1):
            due = now + self.delay + int(self.rng.integers(0, self.jitter + 1))
            due += 60 * MS if self.rng.random() < self.reorder else 0
            self.count += 1
            heapq.heappush(self.queue, (due, self.count, data))

    def get(self, now: int) -> list[tuple[int, bytes]]:
        out = []
        while self.queue and self.queue[0][0] <= now:
            due, _, data = heapq.heappop(self.queue)
            out.append((due, data))
        return out


@dataclass
class Run:
    """What came of a call: what was shown when, events, and the bytes that were sent."""

    states: FaceStates
    statistics: StateStatistics
    quality: int = 256
    shown: list[tuple[int, Shown]] = field(default_factory=list)
    sender_events: list[tuple[int, Event]] = field(default_factory=list)
    receiver_events: list[tuple[int, Event]] = field(default_factory=list)
    refused: int = 0
    face_bytes: list[int] = field(default_factory=list)  # a datagram, framing included
    forth: Path | None = None
    back: Path | None = None

    def right(self, times: np.ndarray) -> np.ndarray:
        """What should be shown at times of the sender's clock: between the frames as quantised."""
        quantizer = Quantizer(self.statistics, self.quality)
        truth = quantizer.values(quantizer.symbols(self.states.values))
        columns = [np.interp(times, self.states.time, column) for column in truth.T]
        return np.stack(columns, axis=1).astype(np.float32)

    def errors(self, start: int = 0) -> np.ndarray:
        """RMS error of every shown state, in steps of the quantiser, from `start` on."""
        quantizer = Quantizer(self.statistics, self.quality)
        rows = [s for now, s in self.shown if now >= start]
        right = self.right(np.array([s.time for s in rows]))
        values = np.stack([s.values for s in rows])
        error = quantizer.positions(values) - quantizer.positions(right)
        return np.sqrt((error**2).mean(axis=1))

    def share(self, how: tuple[str, ...], start: int = 0) -> float:
        rows = [s.how in how for now, s in self.shown if now >= start]
        return sum(rows) / len(rows)

    def kbps(self) -> float:
        """Of the face's datagrams without the network's overhead."""
        return sum(self.face_bytes) * 8e3 / (self.states.time[-1] - self.states.time[0])


def call(
    seconds: float = 6.0,
    seed: int = 0,
    layout: StateLayout = TINY,
    sender: SenderSettings | None = None,
    receiver: ReceiverSettings | None = None,
    join: int = 0,
    drift: float = 0.0,
    states: tuple[FaceStates, StateStatistics] | None = None,
    quality: int = 256,
    **path: object,
) -> Run:
    """A call over two equal paths.  join: when the receiver begins to listen, microseconds.
    drift: of the receiver's clock against the sender's."""
    if states is None:
        states = talking(round(seconds * 25), layout, seed), person(layout, history=20)
    truth, statistics = states
    rng = np.random.default_rng(seed + 1000)
    forth, back = Path(rng, **path), Path(rng, **path)  # type: ignore[arg-type]
    if isinstance(forth.loss, GilbertElliott):
        back.loss = GilbertElliott(forth.loss.enter, forth.loss.leave)
    head = StreamHeader(DIGEST, truth.layout, profile=PROFILE_CALL, quality=quality)
    ours = FaceSender(statistics, head, sender or SenderSettings())
    theirs = FaceReceiver(receiver or ReceiverSettings())
    theirs.hold(DIGEST.hex(), statistics)
    run = Run(truth, statistics, quality, forth=forth, back=back)
    frame, first = 0, int(truth.time[0])

    def local(now: int) -> int:
        return 7_000_000_000 + round(now * (1 + drift))

    for now in range(0, int(truth.time[-1]) - first + 260 * MS, 10 * MS):
        for due, data in back.get(now):
            try:
                run.sender_events += [(due, e) for e in ours.receive(due, data)]
            except FacewireError:
                run.refused += 1
        for data in ours.poll(now):
            forth.put(now, data)
        # The camera waits until the offer has been answered.
        while frame < len(truth) and truth.time[frame] - first + 200 * MS <= now:
            seen = bool(truth.visible[frame])
            for data in ours.send(now, int(truth.time[frame]), truth.values[frame], seen):
                run.face_bytes.append(len(data))
                forth.put(now, data)
            frame += 1
        for due, data in forth.get(now):
            if due < join:
                continue
            try:
                run.receiver_events += [(due, e) for e in theirs.receive(local(due), data)]
            except FacewireError:
                run.refused += 1
            for reply in theirs.poll(local(due)):
                back.put(due, reply)
        for reply in theirs.poll(local(now)) if now >= join else []:
            back.put(now, reply)
        if now % (40 * MS) == 0:
            shown = theirs.show(local(now))
            if shown is not None:
                run.shown.append((now, shown))
    return run
