"""One end of a call's face: what is filmed becomes datagrams, datagrams become what is shown.

No I/O and no clock: `now` is in microseconds and only rises.  Both directions share one line, and
each half takes what is meant for it.  What goes over it is sealed between the two ends, and signed
by who was enrolled (docs/bitstream.md, section 15).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from avatar.avatar import Avatar
from avatar.errors import FormatError
from codec.header import DIGEST, PROFILE_CALL, StreamHeader
from codec.session import FaceReceiver, FaceSender, ReceiverSettings, SenderSettings
from codec.session.events import HandOver, Offered
from codec.session.greeting import Greeting
from codec.session.playout import Shown
from codec.session.protection import ProtectedEnd
from enroll.capture import Frame
from enroll.identity import IdentityWatch
from service.states import states_of
from service.traffic import Rate

# What changes a sealed datagram is noticed, so that it needs no checksum of its own.
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
    that is taken for granted.  room: of the call.  seed: the signing key of `mine`'s owner."""

    def __init__(
        self,
        mine: Avatar | None,
        theirs: Sequence[Avatar] = (),
        watch: IdentityWatch | None = None,
        room: str = "",
        seed: bytes = b"",
    ) -> None:
        self._watch = watch
        self._mine = mine
        self._avatars = {bytes.fromhex(a.digest)[:DIGEST]: a for a in theirs}
        signs = bytes.fromhex(mine.digest) if mine is not None and seed else b""
        self._line = ProtectedEnd(room, secrets.token_bytes(32), signs, seed if signs else b"")
        self.traffic = Traffic(Rate(), Rate())
        self._begin()

    def _begin(self) -> None:
        """A session with whoever is at the other end."""
        self.offered: bytes | None = None  # digest of the avatar that is offered
        self.carried = "nothing"  # what the face comes by: "avatar", "fallback" or "nothing"
        self._genuine: tuple[tuple[Greeting, str], bool] | None = None  # what was judged, and how
        self._sender: FaceSender | None = None
        self._receiver = FaceReceiver(_RECEIVING)
        for avatar in self._avatars.values():
            self._receiver.hold(avatar.digest, avatar.statistics)
        if (mine := self._mine) is not None:
            digest = bytes.fromhex(mine.digest)[:DIGEST]
            header = StreamHeader(digest=digest, layout=mine.layout, profile=PROFILE_CALL)
            self._sender = FaceSender(mine.statistics, header, _SENDING)

    def hold(self, avatar: Avatar) -> None:
        """An avatar that came to hand during the call."""
        self._avatars[bytes.fromhex(avatar.digest)[:DIGEST]] = avatar
        self._receiver.hold(avatar.digest, avatar.statistics)

    @property
    def identity(self) -> str:
        """Whether what comes is of who was enrolled: "unknown" while nothing is offered or its
        avatar is not at hand; "verified"; "mismatch" where its owner's signature is missing or
        another's, and it is not shown; "unverified" for an avatar that names no signer."""
        avatar, peer = self.theirs, self._line.peer
        if avatar is None or peer is None:
            return "unknown"
        if not avatar.signer:
            return "unverified"
        said = (peer, avatar.digest)
        if self._genuine is None or self._genuine[0] != said:
            digest = bytes.fromhex(avatar.digest)
            self._genuine = said, peer.of(digest, avatar.signer, self._line.room)
        return "verified" if self._genuine[1] else "mismatch"

    @property
    def stopped(self) -> bool:
        """The other end says that somebody else is before its camera."""
        return self._receiver.stopped

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
        return self._sealed(now, out)

    def drive(self, owner: bool | None, now: int) -> None:
        """Says whether the face before the camera is the avatar's owner; None: nobody knows."""
        if self._sender is not None:
            self._sender.drive(owner is not False, now)

    def receive(self, now: int, data: bytes) -> None:
        """What came over the line.  What is damaged is counted and dropped."""
        self.traffic.received.add(now, len(data))
        before = self._line.peer
        try:
            datagram = self._line.open(now, data)
            if datagram is None:
                peer = self._line.peer
                if before is not None and peer is not None and peer.public != before.public:
                    self._begin()
                return
            for event in self._receiver.receive(now, datagram):
                if isinstance(event, Offered):
                    self.offered = event.digest
                elif isinstance(event, HandOver):
                    self.carried = event.to
            if self._sender is not None:
                self._sender.receive(now, datagram)
        except FormatError:
            self.traffic.damaged += 1

    def poll(self, now: int) -> list[bytes]:
        """What is due; to be called every few tens of milliseconds."""
        out = self._receiver.poll(now)
        if self._sender is not None and self._line.ready:
            out += self._sender.poll(now)
        return self._line.poll(now) + self._sealed(now, out)

    def show(self, now: int) -> Shown | None:
        """What to show now, of `theirs`: nothing of a stream that is not its owner's, or while
        somebody else is before the other camera."""
        shown = self._receiver.show(now)
        return None if self.stopped or self.identity == "mismatch" else shown

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

    def _sealed(self, now: int, out: list[bytes]) -> list[bytes]:
        out = [self._line.seal(data) for data in out]
        if out:
            self.traffic.sent.add(now, sum(map(len, out)))
        return out
