"""The receiver's half of a call: datagrams in, states to show out, feedback back.  No I/O and no
clock.

    receiver = FaceReceiver()
    receiver.hold(digest, statistics)                        # an avatar that is at hand
    for event in receiver.receive(now, datagram): ...
    for datagram in receiver.poll(now): ...                  # answers and feedback
    shown = receiver.show(now)                               # at every picture

Times are microseconds; sections are those of docs/bitstream.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar.avatar import StateStatistics
from avatar.errors import InputError, StreamError
from codec.call_codec import CallCodec, CallContent, HeldStates
from codec.call_packet import CALL_KINDS, TURN, CallPacket
from codec.header import DIGEST, MAX_QUALITIES, VERSION, StreamHeader
from codec.session.datagram import FALLBACK as FALLBACK_KINDS
from codec.session.datagram import STOPPED, Answer, Datagram, Feedback, Message, Offer
from codec.session.events import AVATAR, FALLBACK, Event, FallbackData, HandOver, Offered
from codec.session.playout import Playout, PlayoutSettings, Shown
from codec.session.surroundings import HeldMessage, SurroundingsMessage

Unlearned = tuple[StateStatistics, StreamHeader]  # what `CallCodec.ready` is given


@dataclass(frozen=True)
class ReceiverSettings:
    """feedback: time between two while all goes well: each costs a datagram, and the fewer there
    are the farther back packets lean; hurry: the same once packets are missing; repeat: between
    requests for a key or an offer; report: between reports of loss; blackout: packets missing in a
    row that are not counted as loss, for no redundancy helps then; silence: without face packets
    after which fallback messages take over; copy: so much later than its like no network brings a
    packet's copy; all times in microseconds.  check: as the sender's.  learns: whether what an
    offer needs is learned at once, a good part of a second, or `unlearned` says what is."""

    feedback: int = 120_000
    hurry: int = 30_000
    repeat: int = 100_000
    report: int = 500_000
    blackout: int = 16
    silence: int = 300_000
    copy: int = 1_000_000
    check: bool = True
    learns: bool = True
    playout: PlayoutSettings = PlayoutSettings()


class FaceReceiver:
    """Receives one face from one sender."""

    def __init__(
        self,
        settings: ReceiverSettings = ReceiverSettings(),
        fallback: frozenset[int] = frozenset(),
    ) -> None:
        """fallback: kinds of messages, 16 to 31, that it can read."""
        self._settings = settings
        self._fallback = fallback
        self._avatars: dict[bytes, StateStatistics] = {}
        self._offer: Offer | None = None
        self._answer_due = False
        self.stopped = False  # the sender said that somebody else is before the camera
        # Where the face is, as far as the sender has said.
        self.surroundings = SurroundingsMessage()
        self._held_due = False
        self._wanted = 0
        self._codec: CallCodec | None = None
        self._unlearned: Unlearned | None = None
        self._playout: Playout | None = None
        self._mode = FALLBACK
        self._key_wanted = self._offer_wanted = False
        self._asked: int | None = None  # when a key or an offer was last asked for
        self._news = False  # packets since the last feedback
        self._sent: int | None = None
        self._face_at: int | None = None
        self._face_time = 0
        self._restart()

    def hold(self, digest: str, statistics: StateStatistics) -> None:
        """An avatar that is at hand from now on.  digest: hex, as `Avatar.digest`."""
        short = bytes.fromhex(digest)[:DIGEST]
        if len(short) != DIGEST:
            raise InputError(f"call: {digest!r} is no avatar's digest")
        self._avatars[short] = statistics
        if self._offer is not None and self._offer.header.digest == short:
            self._take(self._offer)

    def release(self, digest: str) -> None:
        """An avatar that is not at hand any more: the sender is told to do without it."""
        short = bytes.fromhex(digest)[:DIGEST]
        self._avatars.pop(short, None)
        if self._offer is not None and self._offer.header.digest == short:
            self._take(self._offer)

    def want(self, level: int) -> None:
        """Asks the sender for no finer quality than this one of those it offers, 0 the finest:
        for a small picture, or a path that carries no more.  What it has not got is its
        coarsest."""
        if not 0 <= level <= MAX_QUALITIES:
            raise InputError(f"call: there is no quality {level}; 0 to {MAX_QUALITIES} are")
        self._answer_due = self._answer_due or level != self._wanted
        self._wanted = level

    def receive(self, now: int, datagram: bytes) -> list[Event]:
        """Takes what the sender sent.

        Raises StreamError and VersionError for damage; what came before it in the datagram is
        taken.  A packet that leans on one which is not held is no error: a key is asked for.
        """
        events: list[Event] = []
        for message in Datagram.parse(datagram, self._settings.check).messages:
            if message.kind in CALL_KINDS:
                events += self._face(CallPacket.parse(message.kind, message.body), now)
            elif message.kind == Offer.kind:
                events += self._offered(Offer.parse(message.body))
            elif message.kind == STOPPED:
                self.stopped = True
            elif message.kind == SurroundingsMessage.kind:
                self.surroundings = SurroundingsMessage.parse(message.body)
                self._held_due = True
            elif message.kind in FALLBACK_KINDS:
                events += self._other(message, now)
        return events

    def poll(self, now: int) -> list[bytes]:
        """What is due to the sender.  Call it after `receive`, and every few tens of ms."""
        wait = self._settings.hurry if self._gap else self._settings.feedback
        out = self._messages(now, wait)
        return [Datagram(tuple(out)).to_bytes(self._settings.check)] if out else []

    def riding(self, now: int) -> list[Message]:
        """What is new to the sender, for a datagram that goes there anyway (`FaceSender.send`)."""
        return self._messages(now, 0)

    def _messages(self, now: int, wait: int) -> list[Message]:
        out: list[Message] = []
        if self._answer_due and self._offer is not None:
            self._answer_due = False
            out.append(Message(Answer.kind, bytes(self._answer(self._offer))))
        if self._held_due:
            self._held_due = False
            held = HeldMessage.of(self.surroundings)
            out.append(Message(held.kind, bytes(held)))
        feedback = self._feedback(now, wait)
        if feedback is not None:
            out.append(Message(Feedback.kind, bytes(feedback)))
        return out

    def show(self, now: int) -> Shown | None:
        """What to show at `now`; None before the first frame of the avatar."""
        return None if self._playout is None else self._playout.show(now)

    def meet(self, now: int, time: int) -> None:
        """`Playout.meet`: before a hand-over, so that no moment is left out or shown twice."""
        if self._playout is not None:
            self._playout.meet(now, time)

    @property
    def delay(self) -> int:
        """Microseconds that frames wait to be shown, beyond the quickest way here."""
        return 0 if self._playout is None else self._playout.delay

    @property
    def loss(self) -> float:
        """Share of packets lost of late."""
        return self._loss

    def _offered(self, offer: Offer) -> list[Event]:
        self._answer_due, self._offer_wanted = True, False
        if offer == self._offer:
            return []
        if self._offer is not None and offer.header.digest != self._offer.header.digest:
            self.surroundings = SurroundingsMessage()  # somebody else's
        self._take(offer)
        return [Offered(offer.header.digest, offer.fallback)]

    def _take(self, offer: Offer) -> None:
        self._offer, self._answer_due = offer, True
        statistics = self._avatars.get(offer.header.digest)
        self._codec = self._playout = self._unlearned = None
        if statistics is None or not offer.versions[0] <= VERSION <= offer.versions[1]:
            return
        made = CallCodec.ready if self._settings.learns else CallCodec.at_hand
        self._codec = made(statistics, offer.header)
        if self._codec is None:
            self._unlearned = statistics, offer.header
            return
        self._playout = self._empty(offer)
        self._restart()

    @property
    def unlearned(self) -> Unlearned | None:
        """What `CallCodec.ready` has to be given, on any thread, before anything of the avatar that
        is offered can be received; `learned` then goes on.  None where all is there."""
        return self._unlearned

    def learned(self, what: Unlearned) -> None:
        """What was unlearned has been learned, or cannot be, and is not asked for again.  Another
        offer that has come meanwhile still is."""
        if self._unlearned is what and self._offer is not None:
            self._take(self._offer)
            self._unlearned = None

    def _empty(self, offer: Offer) -> Playout:
        rate, statistics = offer.header.rate, self._avatars[offer.header.digest]
        neutral = np.asarray(statistics.mean, np.float32)
        return Playout(neutral, max(1, rate[1] * 1_000_000 // rate[0]), self._settings.playout)

    def _restart(self) -> None:
        self._held = HeldStates()
        self._seen: dict[int, int] = {}  # number -> time of its first frame
        self._top = self._counted = -1  # greatest number that came; at the last report
        self._got = self._missed = 0
        self._gap = False  # packets missing since the last feedback
        self._loss = 0.0
        self._reported = 0
        self._report: int | None = None

    def _answer(self, offer: Offer) -> Answer:
        fits = offer.versions[0] <= VERSION <= offer.versions[1]
        return Answer(
            VERSION if fits else 0,
            self._codec is not None,
            self._fallback & offer.fallback,
            offer.header.digest,
            self._wanted,
        )

    def _face(self, packet: CallPacket, now: int) -> list[Event]:
        if self._codec is None or self._playout is None:
            self._offer_wanted = self._offer is None
            return []
        number = packet.number(max(self._top, 0))
        if packet.key and self._is_anew(packet, number, now):
            self._restart()
            if packet.time < self._face_time and self._offer is not None:
                self._playout = self._empty(self._offer)  # its clock began anew too
        if number in self._seen:
            return []
        try:
            content = self._held.decode(self._codec, packet, number)
        except StreamError:
            self._key_wanted = True
            return []
        self._key_wanted = self.stopped = False
        self._count(number, int(content.times[0]), now)
        self._news = True
        self._fill(self._playout, content, now, packet.frames)
        self._face_at, self._face_time = now, int(content.times[-1])
        if self._mode == AVATAR:
            return []
        self._mode = AVATAR
        return [HandOver(AVATAR, int(content.times[0]))]

    def _is_anew(self, key: CallPacket, number: int, now: int) -> bool:
        """Whether a sender that began anew sent this key packet: in what one sender sends, numbers
        and times rise together, and nothing comes twice but soon."""
        if self._top < 0 or self._face_at is None:
            return False
        if number < self._top - TURN // 2:
            return True
        if number in self._seen:
            late = (now - key.time) - (self._face_at - self._face_time)
            return self._seen[number] != key.time or late > self._settings.copy
        return (number > self._top) != (key.time > self._seen[self._top])

    def _fill(self, playout: Playout, content: CallContent, now: int, frames: int) -> None:
        assert self._codec is not None
        quantizer = self._codec.quantizers[content.level]
        values = quantizer.values(content.symbols)
        for time, row, visible in zip(content.times, values, content.visible, strict=True):
            playout.add(int(time), row, bool(visible))
        if content.mark is not None:
            coarse = quantizer.values(content.mark.symbols)
            playout.add(content.mark.time, coarse, True, exact=False)
        playout.arrived(now, int(content.times[-1]), frames, self._loss)

    def _count(self, number: int, time: int, now: int) -> None:
        """Books the packet; every `report` the share of lost ones is made of the books.  time: of
        its first frame."""
        self._seen[number] = time
        if len(self._seen) > 4 * TURN:
            self._seen = {n: at for n, at in self._seen.items() if n > self._top - 2 * TURN}
        if self._top < 0:
            self._top = self._counted = number - 1
        gap = number - self._top - 1
        self._gap = self._gap or gap > 0
        self._missed += gap if 0 < gap <= self._settings.blackout else 0
        if gap < 0:
            self._missed = max(0, self._missed - 1)  # it was late, not lost
        self._got += 1
        self._top = max(self._top, number)
        if now - self._reported >= self._settings.report and self._got + self._missed >= 10:
            share = self._missed / (self._got + self._missed)
            self._loss += (share - self._loss) / 3
            self._got = self._missed = 0
            self._reported, self._report = now, round(self._loss * 255)

    def _feedback(self, now: int, wait: int) -> Feedback | None:
        wanted = self._key_wanted or self._offer_wanted
        s = self._settings
        asks = wanted and (self._asked is None or now - self._asked >= s.repeat)
        news = self._news and (self._sent is None or now - self._sent >= wait)
        if not (asks or news):
            return None
        if wanted:
            self._asked = now
        self._sent, self._news, self._gap = now, False, False
        report, self._report = self._report, None
        key, offer = self._key_wanted, self._offer_wanted
        if not self._held:
            return Feedback(None, 0, key, offer, report)
        top = self._held.top
        held = sum(1 << i for i in range(8) if top - 1 - i in self._held)
        return Feedback(top % TURN, held, key, offer, report)

    def _other(self, message: Message, now: int) -> list[Event]:
        events: list[Event] = []
        silent = self._face_at is None or now - self._face_at > self._settings.silence
        if self._mode == AVATAR and silent:
            self._mode = FALLBACK
            events.append(HandOver(FALLBACK, self._face_time))
        return [*events, FallbackData(message.kind, message.body)]
