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
from codec.session.datagram import Datagram, Message
from codec.session.events import FALLBACK, FallbackData, Offered
from codec.session.playout import Shown
from enroll.capture import Frame
from enroll.identity import IdentityWatch
from service.calls.fallback_end import FallbackEnd
from service.calls.framing import Framing
from service.calls.hand_over import HandOver
from service.calls.screen import Scene
from service.states import states_of
from service.traffic import Rate

# DTLS protects what is sent, so that datagrams need no checksum of their own.
_SENDING, _RECEIVING = SenderSettings(check=False), ReceiverSettings(check=False)
_COARSER = (512, 1024, 2048)  # in 1/256, of the numbers' steps: what a call can go over to
_LOST = 500_000  # us without a face before the camera, after which the fallback shows what is there
_DATAGRAM = 1200  # bytes that any path carries


@dataclass
class Traffic:
    """What has come and gone: kbit/s of the last two seconds, and what did not fit."""

    sent: Rate
    received: Rate
    damaged: int = 0


class FaceEnd:
    """mine: the avatar of who is filmed, None for one who only looks.  theirs: avatars that are
    at hand for what comes.  watch: whether the face that is filmed is the enrolled one; without it
    that is taken for granted.  fallback: shows a face while no avatar can."""

    def __init__(
        self,
        mine: Avatar | None,
        theirs: Sequence[Avatar] = (),
        watch: IdentityWatch | None = None,
        fallback: FallbackEnd | None = None,
    ) -> None:
        self._watch = watch
        self._mine = mine
        self._sender: FaceSender | None = None
        self._receiver = FaceReceiver(_RECEIVING)
        self._avatars = {bytes.fromhex(a.digest)[:DIGEST]: a for a in theirs}
        self.offered: bytes | None = None  # digest of the avatar that is offered
        self._fallback = fallback
        self._framing, self._hand_over = Framing(), HandOver()
        self._owner, self._faced = True, 0  # when a face was last seen
        self._filmed: int | None = None  # when a frame last came
        self.traffic = Traffic(Rate(), Rate())
        for avatar in theirs:
            self._receiver.hold(avatar.digest, avatar.statistics)
        if mine is not None:
            digest = bytes.fromhex(mine.digest)[:DIGEST]
            header = StreamHeader(
                digest=digest, layout=mine.layout, profile=PROFILE_CALL, coarser=_COARSER
            )
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

    @property
    def carried(self) -> str:
        """What the face that is shown comes by: "avatar", "fallback" or "nothing"."""
        return self._hand_over.carried

    def film(self, now: int, frame: Frame, tracker: object) -> list[bytes]:
        """A filmed frame on its way.  tracker: a `CausalTracker` with the avatar's prior; not
        looked at without an avatar."""
        self._filmed = now
        out: list[bytes] = []
        tracked = None
        if self._sender is not None and self._mine is not None:
            tracked = tracker.step(frame)  # type: ignore[attr-defined]
            if self._watch is not None:
                self.drive(self._watch.step(now, frame.image, tracked.points), now)
            states = states_of(tracked.row, self._mine)
            seen, riding = bool(states.visible[0]), self._receiver.riding
            self._faced = now if seen else self._faced
            self._settle(now)
            out = self._sender.send(now, frame.time, states.values[0], seen, riding)
        if self._fallback is not None and FALLBACK in self._carries:
            # The avatar's window, where there is one: a hand-over then moves nothing.
            window = self._framing.window(frame) if tracked is None else tracked.row.window
            out += bundled(self._fallback.film(now, frame, window))
        return self._counted(now, out)

    def drive(self, owner: bool | None, now: int) -> None:
        """Says whether the face before the camera is the avatar's owner; None: nobody knows.  The
        avatar stops for anybody else, and the fallback shows them."""
        self._owner = owner is not False
        self._settle(now)

    def _settle(self, now: int) -> None:
        if self._sender is not None:
            lost = self._fallback is not None and self._fallback.ready and now - self._faced > _LOST
            self._sender.drive(self._owner and not lost, now)

    @property
    def _carries(self) -> frozenset[str]:
        return frozenset([FALLBACK]) if self._sender is None else self._sender.carries

    def choose(self, level: int) -> None:
        """Sends another of the offered qualities, 0 the finest, or a coarser one that is asked
        for.  Raises InputError for one that is not there."""
        if self._sender is not None:
            self._sender.choose(level)

    def want(self, level: int) -> None:
        """Asks the other end for no finer quality than this one, 0 the finest."""
        self._receiver.want(level)

    @property
    def level(self) -> int:
        """The quality that is sent."""
        return 0 if self._sender is None else self._sender.level

    def receive(self, now: int, data: bytes) -> None:
        """What came over the line.  What is damaged is counted and dropped."""
        self.traffic.received.add(now, len(data))
        try:
            for event in self._receiver.receive(now, data):
                if isinstance(event, Offered):
                    self.offered = event.digest
                elif isinstance(event, FallbackData) and self._fallback is not None:
                    self._fallback.receive(now, Message(event.kind, event.body))
            if self._sender is not None:
                self._sender.receive(now, data)
        except FormatError:
            self.traffic.damaged += 1

    def poll(self, now: int) -> list[bytes]:
        """What is due; to be called every few tens of milliseconds."""
        out = self._receiver.poll(now)
        if self._sender is not None:
            out += self._sender.poll(now)
        if self._fallback is not None:
            out += bundled(self._fallback.poll(now, self._filmed is not None))
        return self._counted(now, out)

    def scene(self, now: int) -> Scene | None:
        """What to show now, by avatar or fallback; None while nobody is seen."""
        shown, theirs, end = self._receiver.show(now), self.theirs, self._fallback
        avatar = None if shown is None or theirs is None else (theirs, shown)
        vectors = None if end is None else end.show(now)
        fallback = None if end is None or vectors is None else (end, vectors)
        share = self._hand_over.step(now, shown if avatar else None, vectors)
        return Scene(share, avatar, fallback) if avatar or fallback else None

    def show(self, now: int) -> Shown | None:
        """The state of `theirs` to show now; None while there is none."""
        scene = self.scene(now)
        return scene.avatar[1] if scene is not None and scene.avatar is not None else None

    @property
    def owner(self) -> bool | None:
        """Whether the face that is filmed is the enrolled one; None where nobody looks."""
        return self._watch.owner if self._watch is not None else None

    @property
    def delay(self) -> int:
        """Microseconds that frames wait here before they are shown."""
        return self._shown_by.delay

    @property
    def loss(self) -> float:
        return self._shown_by.loss

    @property
    def round_trip(self) -> int | None:
        way = self._sender.round_trip if self._sender else None
        return self._fallback.round_trip if way is None and self._fallback else way

    @property
    def _shown_by(self) -> FaceReceiver | FallbackEnd:
        end = self._fallback
        return end if end is not None and self.carried == FALLBACK else self._receiver

    def _counted(self, now: int, out: list[bytes]) -> list[bytes]:
        if out:
            self.traffic.sent.add(now, sum(map(len, out)))
        return out


def bundled(messages: Sequence[Message]) -> list[bytes]:
    """Messages in as few datagrams as any path carries: each costs its headers."""
    out: list[list[Message]] = []
    size = 0
    for message in messages:
        if not out or size + len(message.body) + 4 > _DATAGRAM:
            out.append([])
            size = 0
        out[-1].append(message)
        size += len(message.body) + 4
    return [Datagram(tuple(each)).to_bytes(False) for each in out]
