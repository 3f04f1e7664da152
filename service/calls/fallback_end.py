"""The fallback at one end of a call: pictures out as key frames and vectors, and back.

No I/O and no clock: `now` is in microseconds.  Vectors go through a session of their own, the same
state machines as the avatar's states (codec/session), inside the fallback's messages.

One thread may film, one draw, and one do all the rest; what they share is behind a lock, which is
never held while a picture is coded or drawn.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MissingError, StateError, StreamError
from avatar.face import Window
from codec.header import PROFILE_CALL
from codec.mttf.call_keys import MTTF_REPORT, MTTF_SESSION, KeyReceiver, KeyReport, KeySender
from codec.mttf.encoder import Encoder, EncoderSettings, stream_header
from codec.mttf.network import Held
from codec.mttf.recovery import Recovery, receive
from codec.mttf.recovery_file import recovery_at_hand
from codec.mttf.runtime import Face, Mesh, Runtime
from codec.mttf.weights import Weights, find_weights, load_weights
from codec.session import FaceReceiver, FaceSender, ReceiverSettings, SenderSettings
from codec.session.datagram import Message
from codec.session.events import AVATAR, Answered
from codec.session.playout import PlayoutSettings, Shown
from codec.session.receiving import Unlearned
from enroll.capture import Frame
from enroll.crops import cut_window
from service.fallback.faces import FaceReader

Picture = NDArray[np.uint8]


class Tracked(Protocol):
    """points: [478, 3] landmarks in a frame's pixels, None where no face is seen."""

    @property
    def points(self) -> NDArray[Any] | None: ...


@dataclass(frozen=True)
class CallFallback:
    """side: pixels coded.  key_codec, qp: of key frames; the QP is fixed, for to search one takes
    longer than a frame lasts.  kbps: of key frames, as `EncoderSettings`."""

    side: int = 256
    key_codec: str = "av1"
    qp: int = 50
    kbps: float = 3.0


# What stands still goes on standing: the mean of all people's vectors is nobody's face.
_PLAYOUT = PlayoutSettings(decay=10**12)
_SENDING = SenderSettings(check=False)
_RECEIVING = ReceiverSettings(check=False, learns=False, playout=_PLAYOUT)


@cache
def _weights_at_hand() -> Weights | None:
    """The shipped weights or those of $FACEWIRE_MODELS; None where neither is there, or no torch
    to run them."""
    try:
        return load_weights(find_weights()) if find_spec("torch") else None
    except MissingError:
        return None


def fallback_at_hand() -> FallbackEnd | None:
    """One more end, where there are weights for it."""
    weights = _weights_at_hand()
    return None if weights is None else FallbackEnd(weights, recovery=recovery_at_hand())


class FallbackEnd:
    """Both directions of the fallback.  Both ends need the same weights; where the other has none
    nothing is sent but offers.

    damaged: key frames that did not decode.  unrestored: those that are shown as they decode,
    because the weights that restore them are not here.
    """

    def __init__(
        self,
        weights: Weights,
        settings: CallFallback = CallFallback(),
        runtime: Runtime | None = None,
        recovery: Recovery | None = None,
    ) -> None:
        """runtime: of these weights, if there is one already.  recovery: restores key frames of
        both directions.  Raises InputError, FormatError for
        weights that fit no network, MissingError without torch."""
        self._lock = threading.Lock()
        self._weights, self._settings = weights, settings
        self._runtime, self._recovery = runtime or Runtime(weights), recovery
        head = stream_header(weights.digest, weights.settings.numbers, 256)
        self._encoder = Encoder(
            self._runtime,
            weights.statistics,
            EncoderSettings(settings.side, settings.key_codec, settings.qp, settings.kbps),
            recovery,
        )
        self._sender = FaceSender(weights.statistics, replace(head, profile=PROFILE_CALL), _SENDING)
        self._receiver = FaceReceiver(_RECEIVING)
        self._receiver.hold(weights.digest, weights.statistics)
        self._keys_out, self._keys_in = KeySender(), KeyReceiver()
        self._faces = FaceReader()
        self._chunks = 0  # of the encoder's that were taken
        self._last = -(1 << 62)
        # By slot: its key frame's data and face, and what was made of them.
        self._held: dict[int, tuple[tuple[bytes, Face], Held]] = {}
        self.damaged = self.unrestored = 0

    def anew(self) -> FallbackEnd:
        """An end of the same weights that knows nothing of anybody; what is being filmed or drawn
        by this one meanwhile goes on undisturbed."""
        return FallbackEnd(self._weights, self._settings, self._runtime, self._recovery)

    @property
    def ready(self) -> bool:
        """The other end has the weights."""
        return AVATAR in self._sender.carries

    def film(
        self, now: int, frame: Frame, window: Window, tracked: Tracked | None = None
    ) -> list[Message]:
        """A frame on its way.  window: the square of it that is shown; the avatar's, where there
        is one, so that a hand-over changes nothing but who draws.  tracked: whoever tracks the
        face for the avatar has found of it; without, it is looked for here."""
        if not self.ready or frame.time <= self._last:
            return []
        self._last = frame.time
        picture = cut_window(frame.image, window, self._settings.side)
        try:
            vectors = self._encoder.encode(picture, frame.time, self._mesh(frame, window, tracked))
        except StateError:  # so far from all that was learned that it cannot be sent
            return []
        with self._lock:
            for chunk in self._encoder.chunks[self._chunks :]:
                self._keys_out.add(chunk, frame.time)
            self._chunks = len(self._encoder.chunks)
            out = self._sender.send(now, frame.time, vectors, along=self._receiver.riding)
            return [*self._keys_out.poll(now), *_carried(out)]

    def _mesh(self, frame: Frame, window: Window, tracked: Tracked | None) -> Mesh | None:
        if not self._runtime.guided:
            return None
        if tracked is None:
            return self._faces.see(frame.image, frame.time, window)
        return self._faces.steadied(tracked.points, frame.image, frame.time, window)

    def receive(self, now: int, message: Message) -> None:
        """One of the fallback's messages.  Raises FormatError for damage."""
        with self._lock:
            self._take(now, message)

    def _take(self, now: int, message: Message) -> None:
        if message.kind == MTTF_SESSION:
            self._receiver.receive(now, message.body)
            for event in self._sender.receive(now, message.body):
                if isinstance(event, Answered):
                    self._keys_out.renew()
        elif message.kind == MTTF_REPORT:
            self._keys_out.reported(KeyReport.parse(message.body), now)
        else:
            self._keys_in.take(message.kind, message.body)

    def poll(self, now: int, offering: bool) -> list[Message]:
        """What is due.  offering: whether this end films."""
        with self._lock:
            out = self._receiver.poll(now) + (self._sender.poll(now) if offering else [])
            return [*self._keys_in.poll(now), *_carried(out)]

    def show(self, now: int) -> Shown | None:
        """The vectors to show now; None before the first, or before a key frame."""
        with self._lock:
            shown = self._receiver.show(now)
            return None if shown is None or self._keys_in.at(shown.time) is None else shown

    def meet(self, now: int, time: int) -> None:
        """As `FaceReceiver.meet`."""
        with self._lock:
            self._receiver.meet(now, time)

    @property
    def unlearned(self) -> Unlearned | None:
        """As `FaceReceiver.unlearned`."""
        with self._lock:
            return self._receiver.unlearned

    def learned(self, what: Unlearned) -> None:
        """As `FaceReceiver.learned`."""
        with self._lock:
            self._receiver.learned(what)

    def picture(self, shown: Shown) -> Picture | None:
        """[side, side, 3] RGB, as coded; None where its key frame does not decode."""
        with self._lock:
            found = self._keys_in.at(shown.time)
        if found is None:
            return None
        number, key = found
        known = self._held.get(key.slot)
        if known is None or known[0] != (key.data, key.face):
            try:
                self._runtime.settings.samplings(key.side)
                received = receive(key, self._recovery)
                made = self._runtime.hold(received.picture, key.face)
            except (StreamError, InputError):  # of a side that the network has not, too
                self.damaged += 1
                with self._lock:
                    self._keys_in.drop(number)
                return None
            self.unrestored += not received.restored
            known = self._held[key.slot] = (key.data, key.face), made
        return self._runtime.generate(known[1], shown.values)

    @property
    def delay(self) -> int:
        """Microseconds that frames wait to be shown."""
        return self._receiver.delay

    @property
    def loss(self) -> float:
        return self._receiver.loss

    @property
    def round_trip(self) -> int | None:
        return self._sender.round_trip


def _carried(datagrams: list[bytes]) -> list[Message]:
    return [Message(MTTF_SESSION, data) for data in datagrams]
