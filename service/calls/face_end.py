"""One end of a call's face: what is filmed becomes datagrams, datagrams become what is shown.

No I/O and no clock: `now` is in microseconds and only rises.  Both directions share one line, and
each half takes what is meant for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from avatar.avatar import Avatar
from avatar.errors import FormatError
from codec.header import DIGEST, PROFILE_CALL, StreamHeader
from codec.session import FaceReceiver, FaceSender, ReceiverSettings, SenderSettings
from codec.session.events import HandOver, Offered
from codec.session.playout import Shown
from enroll.capture import Frame
from enroll.identity import IdentityWatch
from service.states import states_of
from service.traffic import Rate

# DTLS protects what is sent, so that datagrams need no checksum of their own.
_SENDING, _RECEIVING = SenderSettings(check=False), ReceiverSettings(check=False)


@dataclass
class Traffic:
    """What has come and gone: kbit/s of the last two seconds, and what did not fit."""

    sent: Rate
    received: Rate
    damaged: int = 0


class FaceEnd:
    """mine: the avatar of who is filmed, None for one who only looks.  theirs: avatars that are
    at hand for what comes.  watch: whether the face that is filmed is the enrolled one; without it
    that is taken for granted."""

    def __init__(
        self,
        mine: Avatar | None,
        theirs: Sequence[Avatar] = (),
        watch: IdentityWatch | None = None,
    ) -> None:
        self._watch = watch
        self._mine = mine
        self._sender: FaceSender | None = None
        self._receiver = FaceReceiver(_RECEIVING)
        self._avatars = {bytes.fromhex(a.digest)[:DIGEST]: a for a in theirs}
        self.offered: bytes | None = None  # digest of the avatar that is offered
        self.carried = "nothing"  # what the face comes by: "avatar", "fallback" or "nothing"
        self.traffic = Traffic(Rate(), Rate())
        for avatar in theirs:
            self._receiver.hold(avatar.digest, avatar.statistics)
        if mine is not None:
            digest = bytes.fromhex(mine.digest)[:DIGEST]
            header = StreamHeader(digest=digest, layout=mine.layout, profile=PROFILE_CALL)
            self._sender = FaceSender(mine.statistics, header, _SENDING)

    def hold(self, avatar: Avatar) -> None:
        """An avatar that came to hand during the call."""
        self._avatars[bytes.fromhex(avatar.digest)[:DIGEST]] = avatar
        self._receiver.hold(avatar.digest, avatar.statistics)

    @property
    def theirs(self) -> Avatar | None:
        """The avatar that is offered, if it is at hand."""
        return self._avatars.get(self.offered) if self.offered else None

    @property
    def wanting(self) -> bytes | None:
        """Digest of an avatar that is offered and not at hand."""
        return self.offered if self.offered and self.theirs is None else None

    def film(self, now: int, frame: Frame, tracker: object) -> list[bytes]:
        """A filmed frame on its way.  tracker: a `CausalTracker` with the avatar's prior."""
        if self._sender is None or self._mine is None:
            return []
        tracked = tracker.step(frame)  # type: ignore[attr-defined]
        if self._watch is not None:
            self.drive(self._watch.step(now, frame.image, tracked.points), now)
        states = states_of(tracked.row, self._mine)
        seen, riding = bool(states.visible[0]), self._receiver.riding
        out = self._sender.send(now, frame.time, states.values[0], seen, riding)
        return self._counted(now, out)

    def drive(self, owner: bool, now: int) -> None:
        """Says whether the face before the camera is the avatar's owner."""
        if self._sender is not None:
            self._sender.drive(owner, now)

    def receive(self, now: int, data: bytes) -> None:
        """What came over the line.  What is damaged is counted and dropped."""
        self.traffic.received.add(now, len(data))
        try:
            for event in self._receiver.receive(now, data):
                if isinstance(event, Offered):
                    self.offered = event.digest
                elif isinstance(event, HandOver):
                    self.carried = event.to
            if self._sender is not None:
                self._sender.receive(now, data)
        except FormatError:
            self.traffic.damaged += 1

    def poll(self, now: int) -> list[bytes]:
        """What is due; to be called every few tens of milliseconds."""
        out = self._receiver.poll(now)
        if self._sender is not None:
            out += self._sender.poll(now)
        return self._counted(now, out)

    def show(self, now: int) -> Shown | None:
        """What to show now, of `theirs`."""
        return self._receiver.show(now)

    @property
    def owner(self) -> bool | None:
        """Whether the face that is filmed is the enrolled one; None where nobody looks."""
        return self._watch.owner if self._watch is not None else None

    @property
    def delay(self) -> int:
        """Microseconds that frames wait here before they are shown."""
        return self._receiver.delay

    @property
    def loss(self) -> float:
        return self._receiver.loss

    @property
    def round_trip(self) -> int | None:
        return self._sender.round_trip if self._sender else None

    def _counted(self, now: int, out: list[bytes]) -> list[bytes]:
        if out:
            self.traffic.sent.add(now, sum(map(len, out)))
        return out
