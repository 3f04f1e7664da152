"""The sender's half of a call: states in, datagrams out, feedback in.  No I/O and no clock.

    sender = FaceSender(statistics, header)
    for datagram in sender.send(now, time, values): ...      # every frame
    for datagram in sender.poll(now): ...                    # offers, now and then
    for event in sender.receive(now, datagram): ...          # what comes back

Times are microseconds; sections are those of docs/bitstream.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.errors import InputError, StateError
from codec.call_codec import CallCodec, CallState, Mark
from codec.call_packet import CALL_FRAMES, TURN
from codec.coarse import BACK_BITS, SPREAD, mark_due
from codec.header import VERSION, StreamHeader
from codec.packet import MAX_TIME
from codec.predict import Ints
from codec.session.datagram import STOPPED, Answer, Datagram, Feedback, Message, Offer
from codec.session.events import AVATAR, FALLBACK, Answered, Event, HandOver
from codec.session.surroundings import HeldMessage, SurroundingsMessage, Telling

Along = Callable[[int], list[Message]]


def nothing(now: int) -> list[Message]:
    """No messages go along."""
    return []


@dataclass(frozen=True)
class SenderSettings:
    """frames: a packet, 1 to 5.  distance: packets, the farthest that one leans back (section
    10.6).  snap: the share of a period by which a frame's time may be moved to the steady clock's,
    for a camera that trembles costs more bits than it is worth.  marks: microseconds from mark
    to mark.  eager: reported loss from which on marks go out before they are known to be missed.
    check: datagrams carry a checksum; leave it off where they are encrypted.  offers:
    microseconds between offers, and between two words that somebody else is before the camera.
    acknowledged: False for a sender that hears nothing: packets lean on the last key packet, and
    one is sent every `refresh` microseconds.
    turn: microseconds between key packets that change the quality, until one of them arrives.
    tells: between two times that the surroundings are sent until they are held, at first and at
    most: a receiver that knows nothing of them never says so.
    """

    frames: int = 1
    distance: int = 96
    snap: float = 0.25
    marks: int = 200_000
    eager: float = 0.03
    check: bool = True
    offers: int = 200_000
    acknowledged: bool = True
    refresh: int = 1_000_000
    turn: int = 300_000
    tells: tuple[int, int] = (300_000, 10_000_000)


@dataclass(frozen=True)
class _Sent:
    number: int
    at: int
    shown: Ints | None  # the last frame's symbols where there is a face
    level: int  # in whose steps they are


class FaceSender:
    """Sends one face to one receiver."""

    def __init__(
        self,
        statistics: StateStatistics,
        header: StreamHeader,
        settings: SenderSettings = SenderSettings(),
        fallback: frozenset[int] = frozenset(),
    ) -> None:
        """header: of profile 1.  fallback: kinds of messages, 16 to 31, that it could send."""
        self._codec = CallCodec.ready(statistics, header)
        self._chosen = 0
        self._telling: Telling | None = None
        self._turned: int | None = None  # when a key packet was last sent to change the quality
        self._settings = settings
        self._offer = Offer((VERSION, VERSION), fallback, header)
        self._offered: int | None = None
        self._answer: Answer | None = None
        self._driver = True
        self._mode = FALLBACK
        self._period = header.rate[1] * 1_000_000 / header.rate[0]
        self.bundle(settings.frames)
        self._waiting: list[tuple[int, NDArray[np.floating] | None]] = []
        self._last = -MAX_TIME - 1
        self._number = 0
        self._barrier = 0  # acknowledgements of packets before it came from a lost receiver
        self._reference: CallState | None = None
        self._held: dict[int, CallState] = {}
        self._log: deque[_Sent] = deque(maxlen=128)
        self._acknowledged: set[int] = set()
        self._key_at = 0
        self.loss = 0.0
        self.round_trip: int | None = None

    @property
    def carries(self) -> frozenset[str]:
        """What the receiver needs now: "avatar", "fallback", or both during a hand-over."""
        if not self._ready():
            return frozenset([FALLBACK])
        return frozenset([AVATAR] if self._mode == AVATAR else [AVATAR, FALLBACK])

    def drive(self, owner: bool, now: int) -> list[Event]:
        """Says whether the face before the camera is the avatar's owner; nobody else may move
        it."""
        if self._driver and not owner:
            self._offered = None  # the receiver is told at once
        self._driver = owner
        return self._settle(now)

    @property
    def level(self) -> int:
        """The quality that it sends or is going over to, by its place among the header's: what
        was chosen, or a coarser one that the receiver wants."""
        wanted = 0 if self._answer is None else self._answer.level
        return min(max(self._chosen, wanted), len(self._codec.quantizers) - 1)

    def choose(self, level: int) -> None:
        """Goes over to another of the header's qualities, 0 the finest, without a gap."""
        if not 0 <= level < len(self._codec.quantizers):
            raise InputError(
                f"call: there is no quality {level} in the header",
                f"It has {len(self._codec.quantizers)}, counted from 0.",
            )
        self._chosen = level

    def bundle(self, frames: int) -> None:
        """Sends so many frames a packet from the next one on, 1 to 5: fewer headers, later."""
        if not 1 <= frames <= CALL_FRAMES:
            raise InputError(f"call: {frames} frames a packet; 1 to {CALL_FRAMES} are")
        self._frames = frames
        marks = round(self._settings.marks / (self._period * frames))
        self._mark_period = max(1, min(((1 << BACK_BITS) - 1) // SPREAD, marks))

    def send(
        self,
        now: int,
        time: int,
        values: NDArray[np.floating],
        visible: bool = True,
        along: Along = nothing,
    ) -> list[bytes]:
        """Takes a frame; gives the datagram that it completes, if it does.

        time: of capture, microseconds, rising.  values: [D], ignored where not visible.  along:
        what else goes in that datagram: in a call both ways `FaceReceiver.riding` of this side.
        Raises StateError for what cannot be sent; the frame is then not taken.
        """
        values = np.asarray(values)
        width = self._codec.header.layout.width
        if values.shape != (width,):
            raise StateError(f"face state: {values.shape} numbers where the layout has {width}")
        if not self._last < time <= MAX_TIME:
            raise StateError(
                f"face state: time {time} does not follow {self._last}",
                "Give frames in the order of their times, in microseconds.",
            )
        if visible:
            self._codec.quantizers[0].symbols(values)  # what the finest takes all do
        if not self._ready():
            return []
        self._last = self._snapped(int(time))
        self._waiting.append((self._last, values.copy() if visible else None))
        return self.flush(now, along) if len(self._waiting) >= self._frames else []

    def flush(self, now: int, along: Along = nothing) -> list[bytes]:
        """Sends the frames that wait for their packet to fill."""
        if not self._waiting:
            return []
        number, reference = self._number, self._leant_on(now)
        level = self.level if reference is None else reference.level
        quantizer = self._codec.quantizers[level]
        frames = [
            (time, None if values is None else quantizer.symbols(values))
            for time, values in self._waiting
        ]
        mark = self._mark(number, now, level)
        packet, state = self._codec.encode(number, frames, reference, mark, level)
        self._log.append(_Sent(number, now, frames[-1][1], level))
        self._waiting, self._number = [], number + 1
        if reference is None:
            self._key_at = now
        if self._settings.acknowledged:
            self._held[number] = state
            self._held.pop(number - self._settings.distance, None)
        elif reference is None:
            self._reference = state
        return [self._wrap(*along(now), Message(packet.kind, bytes(packet)))]

    def send_fallback(self, kind: int, body: bytes) -> list[bytes]:
        """A fallback's message, where the receiver needs and can read it."""
        if kind not in self._offer.fallback:
            raise InputError(f"call: the fallback's kind {kind} was not offered")
        wanted = self._answer is not None and kind in self._answer.fallback
        return [self._wrap(Message(kind, body))] if wanted and FALLBACK in self.carries else []

    def surround(self, surroundings: SurroundingsMessage) -> None:
        """Where the face is now, as far as it is not where its avatar was enrolled."""
        self._telling = Telling(surroundings, *self._settings.tells)

    def poll(self, now: int) -> list[bytes]:
        """Offers, until one is answered; then, while somebody else is before the camera, that they
        are; and surroundings, until they are held.  Call it every few tens of milliseconds."""
        out = self._offers(now)
        told = self._telling.due(now) if self._telling is not None and self._ready() else None
        if told is not None:
            out.append(self._wrap(Message(told.kind, bytes(told))))
        return out

    def _offers(self, now: int) -> list[bytes]:
        due = self._offered is None or now - self._offered >= self._settings.offers
        if not due or (self._answer is not None and self._driver):
            return []
        self._offered = now
        if self._answer is not None:
            return [self._wrap(Message(STOPPED, b""))]
        return [self._wrap(Message(Offer.kind, bytes(self._offer)))]

    def receive(self, now: int, datagram: bytes) -> list[Event]:
        """Takes what the receiver sent.  Raises StreamError for damage; nothing is then taken."""
        events: list[Event] = []
        for message in Datagram.parse(datagram, self._settings.check).messages:
            if message.kind == Answer.kind:
                events += self._answered(Answer.parse(message.body), now)
            elif message.kind == Feedback.kind:
                events += self._heard(Feedback.parse(message.body), now)
            elif message.kind == HeldMessage.kind and self._telling is not None:
                self._telling.heard(HeldMessage.parse(message.body))
        return events

    def _ready(self) -> bool:
        if not self._settings.acknowledged:
            return self._driver
        answer = self._answer
        return answer is not None and answer.avatar and answer.version > 0 and self._driver

    def _settle(self, now: int) -> list[Event]:
        """Section 10.7: goes over to the avatar once its packets arrive, and back at once."""
        arrives = not self._settings.acknowledged or self._reference is not None
        to = AVATAR if self._ready() and arrives else FALLBACK
        if not self._ready():
            self._forget()
            self._waiting.clear()
        if to == self._mode:
            return []
        self._mode = to
        return [HandOver(to, now)]

    def _forget(self) -> None:
        """The receiver's states are not known any more: key packets until one arrives."""
        self._reference, self._barrier = None, self._number
        self._held.clear()

    def _answered(self, answer: Answer, now: int) -> list[Event]:
        if answer.digest != self._offer.header.digest:
            self._offered = None  # it speaks of another offer: repeat ours
            return []
        if answer.version not in (0, VERSION):
            return []
        changed, self._answer = answer != self._answer, answer
        events: list[Event] = [Answered(answer.version, answer.avatar)] if changed else []
        return events + self._settle(now)

    def _heard(self, feedback: Feedback, now: int) -> list[Event]:
        if feedback.offer:
            self._answer = None
            if self._telling is not None:
                self._telling.anew()
        if feedback.loss is not None:
            self.loss = feedback.loss / 255
        newest = self._number - 1
        if feedback.low is not None and newest >= 0:
            top = newest - (newest - feedback.low) % TURN
            numbers = [top] + [top - 1 - i for i in range(8) if feedback.held >> i & 1]
            for number in reversed(numbers):
                self._acknowledge(number)
            self._time(top, now)
        if feedback.key and self._reference is not None and self._settings.acknowledged:
            self._forget()
        return self._settle(now)

    def _acknowledge(self, number: int) -> None:
        self._acknowledged.add(number)
        if len(self._acknowledged) > 512:
            self._acknowledged = {n for n in self._acknowledged if n > self._number - 256}
        state = self._held.get(number)
        if state is None or number < self._barrier:
            return
        # One of the quality wanted is leant on even where a later one of another is held too.
        known = self._reference
        if known is None or known.level != self.level or state.level == self.level:
            self._reference = state
            self._held = {n: s for n, s in self._held.items() if n > number}

    def _time(self, number: int, now: int) -> None:
        for sent in reversed(self._log):
            if sent.number == number:
                sample = now - sent.at
                old = self.round_trip
                self.round_trip = sample if old is None else min(sample, (7 * old + sample) // 8)
                return

    def _leant_on(self, now: int) -> CallState | None:
        reference, s = self._reference, self._settings
        if reference is None:
            return None
        if not s.acknowledged and now - self._key_at >= s.refresh:
            return None
        if reference.level != self.level and self._turn(now):
            return None
        return reference if self._number - reference.number <= s.distance else None

    def _turn(self, now: int) -> bool:
        """Section 10.9: whether a key packet is due that changes the quality.  Until one is
        acknowledged the others go on in the old one."""
        s = self._settings
        if s.acknowledged and self._turned is not None and now - self._turned < s.turn:
            return False
        self._turned = now
        return True

    def _mark(self, number: int, now: int, level: int) -> Mark | None:
        """Section 10.5: the mark that is due, unless the receiver has it or is about to."""
        due = mark_due(number, self._mark_period)
        back = number - due
        sent = self._log[-back] if due >= 0 and back <= len(self._log) else None
        if sent is None or sent.shown is None or due in self._acknowledged:
            return None
        if now - sent.at > 2 * SPREAD * self._settings.marks:
            return None
        young = now - sent.at < 2 * (self.round_trip or 0)
        if young and self.loss < self._settings.eager and self._settings.acknowledged:
            return None
        return Mark(back, self._codec.restated(sent.shown, sent.level, level))

    def _snapped(self, time: int) -> int:
        """A frame's time, moved to the steady clock where it lies near it."""
        if self._reference is None:
            return time
        steady = self._reference.clock.nearest(time)
        near = abs(time - steady) <= self._settings.snap * self._period
        return steady if near and steady > self._last else time

    def _wrap(self, *messages: Message) -> bytes:
        return Datagram(messages).to_bytes(self._settings.check)
