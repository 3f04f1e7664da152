"""A call's two ends with a made-up line between them."""

from __future__ import annotations

from bench.made_states import DIGEST, person, talking
from bench.simulated_call import MS, TINY
from codec.header import PROFILE_CALL, StreamHeader
from codec.session import FaceReceiver, FaceSender, ReceiverSettings

HEAD = StreamHeader(DIGEST, TINY, profile=PROFILE_CALL)
STATISTICS = person(TINY, history=8)
STATES = talking(100, TINY)
PROMPT = ReceiverSettings(feedback=30 * MS)


class Pair:
    """A sender and a receiver with nothing between them but 20 ms a step, 40 ms a frame."""

    def __init__(
        self,
        held: bool = True,
        fallback: frozenset[int] = frozenset(),
        receiver: ReceiverSettings = PROMPT,
    ) -> None:
        self.sender = FaceSender(STATISTICS, HEAD, fallback=fallback)
        self.receiver = FaceReceiver(receiver, fallback=fallback)
        if held:
            self.receiver.hold(DIGEST.hex(), STATISTICS)
        self.now, self.frame, self.begun = 0, 0, 0
        self.ours: list[object] = []
        self.theirs: list[object] = []
        self.sent: list[bytes] = []
        self.answers: list[bytes] = []

    def step(self, fallback: int | None = None, deliver: bool = True) -> None:
        self.now += 40 * MS
        out = self.sender.poll(self.now)
        i = self.frame % len(STATES)
        out += self.sender.send(self.now, self.begun + self.frame * 40_000, STATES.values[i])
        if fallback is not None:
            out += self.sender.send_fallback(fallback, b"picture")
        self.frame += 1
        self.sent += out
        for data in out if deliver else []:
            self.theirs += self.receiver.receive(self.now + 20 * MS, data)
        for data in self.receiver.poll(self.now + 20 * MS) if deliver else []:
            self.answers.append(data)
            self.ours += self.sender.receive(self.now + 39 * MS, data)
