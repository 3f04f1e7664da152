"""One end of a call's face: what is filmed becomes datagrams, datagrams become what is shown.

No I/O and no clock: `now` is in microseconds and only rises.  Both directions share one line, and
each half takes what is meant for it.  What goes over it is sealed between the two ends, and signed
by who was enrolled (docs/bitstream.md, section 15).

One thread may film while another does all the rest: what both touch is behind a lock, which is
never held while a face is looked for or a picture is coded.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avatar.avatar import Avatar
from avatar.errors import FacewireError, StateError
from codec.call_codec import CallCodec
from codec.header import DIGEST, PROFILE_CALL, StreamHeader
from codec.session import FaceReceiver, FaceSender, ReceiverSettings, SenderSettings
from codec.session.datagram import Datagram, Message
from codec.session.events import AVATAR, FALLBACK, FallbackData, Offered
from codec.session.playout import Shown
from codec.session.protection import ProtectedEnd
from codec.session.receiving import Unlearned
from codec.session.surroundings import SurroundingsMessage
from enroll.capture import Frame
from enroll.identity import IdentityWatch
from service.calls.acquaintance import Acquaintance
from service.calls.fallback_end import FallbackEnd
from service.calls.framing import Framing
from service.calls.hand_over import HandOver
from service.calls.pace import Pace, PaceSettings
from service.calls.placing import Placing, Unplaced
from service.calls.screen import Scene
from service.live_states import LiveStates
from service.traffic import Rate

if TYPE_CHECKING:  # one who only looks, or relays, needs no torch
    from service.calls.tracking_apart import SurroundingsApart
    from service.live_refiner import LiveRefiner
    from service.surroundings import Surroundings
    from service.surroundings_watch import SurroundingsWatch

# What changes a sealed datagram is noticed, so that it needs no checksum of its own.
_SENDING, _RECEIVING = SenderSettings(check=False), ReceiverSettings(check=False, learns=False)
_COARSER = (512, 1024, 2048)  # in 1/256, of the numbers' steps: what a call can go over to
_LOST = 500_000  # us without a face before the camera, after which the fallback shows what is there
_PACING = PaceSettings()
_DATAGRAM = 1190  # bytes that any path carries, sealed


@dataclass
class Traffic:
    """What has come and gone: kbit/s of the last two seconds, and what did not fit."""

    sent: Rate
    received: Rate
    damaged: int = 0


def header_of(avatar: Avatar) -> StreamHeader:
    """Of a call that its owner sends."""
    return StreamHeader(
        digest=bytes.fromhex(avatar.digest)[:DIGEST],
        layout=avatar.layout,
        profile=PROFILE_CALL,
        coarser=_COARSER,
    )


def get_ready(avatar: Avatar) -> None:
    """Learns what coding an avatar's calls takes: a good part of a second, in which a line that it
    is first needed on would stand still.  On any thread."""
    CallCodec.ready(avatar.statistics, header_of(avatar))


class FaceEnd:
    """mine: the avatar of who is filmed, None for one who only looks.  theirs: avatars that are
    at hand for what comes.  watch: whether the face that is filmed is the enrolled one; without it
    that is taken for granted.  room: of the call.  seed: the signing key of `mine`'s owner.
    fallback: shows a face while no avatar can.  refiner: makes what is tracked better before it is
    sent, of `mine`.  surroundings: finds where `mine`'s owner is, which is sent, too.  pace: how
    much is sent follows the network by these; None sends the same whatever comes back.  known:
    public signing keys of those who are called; where there are any, nothing is sent to, or taken
    from, an end that greets unsigned by them."""

    def __init__(
        self,
        mine: Avatar | None,
        theirs: Sequence[Avatar] = (),
        watch: IdentityWatch | None = None,
        room: str = "",
        seed: bytes = b"",
        fallback: FallbackEnd | None = None,
        pace: PaceSettings | None = _PACING,
        known: Collection[str] = (),
        refiner: LiveRefiner | None = None,
        surroundings: SurroundingsWatch | SurroundingsApart | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._watch = watch
        self._states = None if mine is None else LiveStates(mine, refiner)
        self._surroundings = surroundings
        self._found: SurroundingsMessage | None = None
        self._placing = Placing()
        self._pacing = pace
        self._mine = mine
        self._other = Acquaintance(room, known)
        self._avatars = {bytes.fromhex(a.digest)[:DIGEST]: a for a in theirs}
        signs = bytes.fromhex(mine.digest) if mine is not None and seed else b""
        self._line = ProtectedEnd(room, secrets.token_bytes(32), signs, seed if signs else b"")
        self.traffic = Traffic(Rate(), Rate())
        self._fallback = fallback
        self._framing = Framing()
        self._owner = True  # or nobody knows
        self._faced = 0  # when a face was last seen
        self._filmed = False
        self._chosen = self._wanted = 0
        self._begin(0)

    def _begin(self, now: int) -> None:
        """A session with whoever is at the other end."""
        self.offered: bytes | None = None  # digest of the avatar that is offered
        self._hand_over = HandOver()
        self._receiver = FaceReceiver(_RECEIVING)
        self._receiver.want(self._wanted)
        for avatar in self._avatars.values():
            self._receiver.hold(avatar.digest, avatar.statistics)
        self._sender: FaceSender | None = None
        self._pace = None if self._pacing is None else Pace(self._pacing)
        if (mine := self._mine) is not None:
            sender = FaceSender(mine.statistics, header_of(mine), _SENDING)
            sender.choose(self._chosen)
            sender.drive(self._owner, now)
            if self._found is not None:
                sender.surround(self._found)
            self._sender = sender

    def hold(self, avatar: Avatar) -> None:
        """An avatar that came to hand during the call, or in a better quality than before."""
        digest = bytes.fromhex(avatar.digest)[:DIGEST]
        with self._lock:
            better = digest in self._avatars
            self._avatars[digest] = avatar
            if not better:  # what is received goes on
                self._receiver.hold(avatar.digest, avatar.statistics)

    @property
    def held(self) -> tuple[bytes, ...]:
        """The first bytes of the digests of all avatars that are at hand."""
        with self._lock:
            return tuple(self._avatars)

    @property
    def unlearned(self) -> Unlearned | None:
        """What has to be learned, on another thread, before what is offered can be shown: see
        `service.calls.learning`."""
        with self._lock:
            other = None if self._fallback is None else self._fallback.unlearned
            return self._receiver.unlearned or other

    def learned(self, what: Unlearned) -> None:
        """As `FaceReceiver.learned`."""
        with self._lock:
            self._receiver.learned(what)
            if self._fallback is not None:
                self._fallback.learned(what)

    @property
    def unplaced(self) -> Unplaced | None:
        """What is to be drawn elsewhere than where it was enrolled, and is not yet; another thread
        makes an avatar of it and gives it to `place`."""
        with self._lock:
            theirs = self.theirs
            return (
                None if theirs is None else self._placing.due(theirs, self._receiver.surroundings)
            )

    def place(self, what: Unplaced, drawn: Avatar) -> None:
        """How an avatar that was unplaced is drawn from now on."""
        with self._lock:
            self._placing.take(what, drawn)

    def drop(self, digest: bytes) -> None:
        """An avatar, by its digest's first bytes, that may not be shown any more."""
        with self._lock:
            avatar = self._avatars.pop(digest, None)
            if avatar is not None:
                self._placing.forget()
                self._receiver.release(avatar.digest)

    @property
    def identity(self) -> str:
        """Whether what comes is of who was enrolled: "unknown" while nothing is offered or its
        avatar is not at hand; "verified"; "mismatch" where its owner's signature is missing or
        another's, and it is not shown; "unverified" for an avatar that names no signer."""
        with self._lock:
            return self._other.identity(self._line.peer, self.theirs)

    @property
    def stranger(self) -> bool:
        """Whether the other end is none of those who are called, where that is known."""
        with self._lock:
            return self._other.stranger(self._line.peer)

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

    @property
    def carried(self) -> str:
        """What the face that is shown comes by: "avatar", "fallback" or "nothing"."""
        return self._hand_over.carried

    def film(
        self, now: int, frame: Frame, tracker: object, clock: Callable[[], int] | None = None
    ) -> list[bytes]:
        """A filmed frame on its way.  tracker: a `CausalTracker` with the avatar's prior; not
        looked at without an avatar.  clock: tells when it is sent, once it is tracked and looked
        at; None: at once."""
        self._filmed = True
        live = self._states
        if live is None:
            return self._film_fallback(now, frame, None)
        tracked = tracker.step(frame)  # type: ignore[attr-defined]
        owner = self._owner
        if self._watch is not None:
            owner = self._watch.step(now, frame.image, tracked.points)
        states = live.step(frame, tracked.row, looks=owner is not False)
        if owner is not False and self._surroundings is not None:
            self._surround(self._surroundings.step(frame, tracked.row, states), live)
        # A round trip that began before the tracking would count it, seconds at the first frame.
        now = now if clock is None else clock()
        with self._lock:
            sender = self._sender
            assert sender is not None
            if self._watch is not None:
                self.drive(owner, now)
            seen, riding = bool(states.visible[0]), self._receiver.riding
            self._faced = now if seen else self._faced
            self._follow(now, sender)
            try:
                out = sender.send(now, frame.time, states.values[0], seen, riding)
            except StateError:  # sooner after the last than a stream's times can tell
                out = []
            out = self._sealed(now, out)
            alone = now - self._faced <= _LOST and FALLBACK not in sender.carries
        return out if alone else out + self._film_fallback(now, frame, tracked)

    def _surround(self, found: Surroundings | None, live: LiveStates) -> None:
        """Goes on to where the camera turns out to be."""
        if found is None:
            return
        live.take(found)
        with self._lock:
            self._found = found.message
            if self._sender is not None:
                self._sender.surround(self._found)

    def _film_fallback(self, now: int, frame: Frame, tracked: Any) -> list[bytes]:
        fallback = self._fallback
        if fallback is None:
            return []
        # The avatar's window, where there is one: a hand-over then moves nothing.
        window = self._framing.window(frame) if tracked is None else tracked.row.window
        out = bundled(fallback.film(now, frame, window, tracked))
        with self._lock:  # coded for an end that has gone, it is of no use to the next
            return self._sealed(now, out) if fallback is self._fallback else []

    def _follow(self, now: int, sender: FaceSender) -> None:
        """Sends as much as the network carries, and no finer than was chosen."""
        if self._pace is None:
            return
        self._pace.step(now, sender.loss, sender.round_trip)
        sender.choose(max(self._chosen, self._pace.level))
        sender.bundle(self._pace.frames)

    def drive(self, owner: bool | None, now: int) -> None:
        """Says whether the face before the camera is the avatar's owner; None: nobody knows.  The
        avatar stops for anybody else, and the fallback shows them."""
        with self._lock:
            self._owner = owner is not False
            if self._sender is not None:
                self._sender.drive(self._owner, now)

    def choose(self, level: int) -> None:
        """Sends another of the offered qualities, 0 the finest, or a coarser one that is asked
        for, or that the network needs.  Raises InputError for one that is not there."""
        with self._lock:
            if self._sender is not None:
                pace = 0 if self._pace is None else self._pace.level
                self._sender.choose(max(level, pace))
                self._chosen = level

    def bundle(self, frames: int) -> None:
        """Sends so many frames a datagram, where nothing is followed.  Raises InputError as
        `FaceSender.bundle`."""
        with self._lock:
            if self._sender is not None:
                self._sender.bundle(frames)

    def want(self, level: int) -> None:
        """Asks the other end for no finer quality than this one, 0 the finest.  Raises InputError
        for one that there cannot be."""
        with self._lock:
            self._receiver.want(level)
            self._wanted = level

    @property
    def level(self) -> int:
        """The quality that is sent."""
        return 0 if self._sender is None else self._sender.level

    @property
    def saving(self) -> int:
        """Steps down from what is sent on a free network."""
        return 0 if self._pace is None else self._pace.place

    def receive(self, now: int, data: bytes) -> None:
        """What came over the line.  What is damaged is counted and dropped."""
        with self._lock:
            self.traffic.received.add(now, len(data))
            try:
                self._take(now, data)
            except FacewireError:
                self.traffic.damaged += 1

    def _take(self, now: int, data: bytes) -> None:
        before = self._line.peer
        datagram = self._line.open(now, data)
        if datagram is None:
            peer = self._line.peer
            if before is not None and peer is not None and peer.public != before.public:
                self._fallback = self._fallback.anew() if self._fallback else None
                self._begin(now)
            return
        if self.stranger:
            return
        for event in self._receiver.receive(now, datagram):
            if isinstance(event, Offered):
                self.offered = event.digest
            elif isinstance(event, FallbackData) and self._fallback is not None:
                self._fallback.receive(now, Message(event.kind, event.body))
        if self._sender is not None:
            self._sender.receive(now, datagram)

    def poll(self, now: int) -> list[bytes]:
        """What is due; to be called every few tens of milliseconds."""
        with self._lock:
            out = self._receiver.poll(now)
            if self._line.ready:
                out += [] if self._sender is None else self._sender.poll(now)
                if self._fallback is not None:
                    out += bundled(self._fallback.poll(now, self._filmed))
            return self._line.poll(now) + self._sealed(now, out)

    def scene(self, now: int) -> Scene | None:
        """What to show now, by avatar or fallback; None while nobody is seen.  Nothing is shown by
        an avatar whose stream is not its owner's, or while somebody else is before the other
        camera."""
        with self._lock:
            return self._scene(now)

    def _scene(self, now: int) -> Scene | None:
        theirs, end = self.theirs, self._fallback
        vectors = None if end is None else end.show(now)
        if vectors is not None and self._hand_over.shown == FALLBACK:
            # Each waits for as long as its own packets need; the face is not to leap in time.
            self._receiver.meet(now, vectors.time)
        shown = self._receiver.show(now)
        if theirs is None or self.stopped or self.identity == "mismatch":
            shown = None
        avatar = None if shown is None or theirs is None else (self._placing.of(theirs), shown)
        if end is not None and shown is not None and self._hand_over.shown == AVATAR:
            end.meet(now, shown.time)
        fallback = None if end is None or vectors is None else (end, vectors)
        share = self._hand_over.step(now, shown, vectors)
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
    def kbps(self) -> tuple[float, float]:
        """kbit/s that have come and gone in the last two seconds."""
        with self._lock:  # who films counts meanwhile
            return self.traffic.received.now, self.traffic.sent.now

    @property
    def delay(self) -> int:
        """Microseconds that frames wait here before they are shown."""
        with self._lock:
            return self._shown_by.delay

    @property
    def loss(self) -> float:
        with self._lock:
            return self._shown_by.loss

    @property
    def round_trip(self) -> int | None:
        with self._lock:
            way = self._sender.round_trip if self._sender else None
            return self._fallback.round_trip if way is None and self._fallback else way

    @property
    def _shown_by(self) -> FaceReceiver | FallbackEnd:
        end = self._fallback
        return end if end is not None and self.carried == FALLBACK else self._receiver

    def _sealed(self, now: int, out: list[bytes]) -> list[bytes]:
        out = [] if self.stranger else [self._line.seal(data) for data in out]
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
