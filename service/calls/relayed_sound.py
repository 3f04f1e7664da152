"""Sound as a server passes it on: Opus as it came (RFC 7587), neither decoded nor coded anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from service.audio import RATE
from service.calls.connection import BUFFER, sound_buffer

_HELD = 10  # packets that may wait to be sent: 200 ms
_FARTHEST = 60 * RATE  # between two packets of one source; DTX is silent for less
_WRAP = 1 << 32
_CODECS = "_RTCRtpReceiver__codecs"  # of aiortc, to whose version we are bound


@dataclass(frozen=True)
class SoundPacket:
    """timestamp: of RTP, 48,000 a second from anywhere, 32 bits."""

    data: bytes
    timestamp: int


def listen(receiver: Any, take: Callable[[SoundPacket], None]) -> None:
    """Gives `take` what comes of sound, in order and at once, in place of having it decoded.
    receiver: aiortc's, of a track of sound.  What is no Opus is left out."""
    setattr(receiver, BUFFER, _Tap(receiver, take))


class _Tap:
    """Stands where aiortc has a jitter buffer, and gives it nothing to decode."""

    def __init__(self, receiver: Any, take: Callable[[SoundPacket], None]) -> None:
        self._receiver, self._take = receiver, take
        self._buffer = sound_buffer()

    def add(self, packet: Any) -> tuple[bool, None]:
        if self._is_opus(packet):
            _, frame = self._buffer.add(packet)
            while frame is not None:  # one that was waited for brings out those behind it
                if frame.data:
                    self._take(SoundPacket(frame.data, frame.timestamp))
                frame = self._buffer._remove_frame(packet.sequence_number)
        return False, None

    def _is_opus(self, packet: Any) -> bool:
        codec = getattr(self._receiver, _CODECS, {}).get(packet.payload_type)
        return codec is None or codec.mimeType.lower() == "audio/opus"


def relayed_sound(clock: Callable[[], float] = time.monotonic) -> Any:
    """A track of the packets that are pushed to it, each sent at once.  Where they stand the newest
    are kept.  clock: seconds, for the time between one source and the next."""
    from aiortc.mediastreams import MediaStreamTrack
    from av import Packet

    class Relayed(MediaStreamTrack):
        kind = "audio"

        def __init__(self) -> None:
            super().__init__()
            self._line: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()
            self._last: tuple[int, float] | None = None  # timestamp, and when it came
            self._pts = 0

        def push(self, sound: SoundPacket) -> None:
            now = clock()
            if self._last is not None:
                step = (sound.timestamp - self._last[0]) % _WRAP
                if step > _FARTHEST:  # another source's count
                    step = max(1, round((now - self._last[1]) * RATE))
                self._pts += step
            self._last = sound.timestamp, now
            while self._line.qsize() >= _HELD:
                self._line.get_nowait()
            self._line.put_nowait((sound.data, self._pts))

        async def recv(self) -> Any:
            data, pts = await self._line.get()
            packet = Packet(data)
            packet.pts, packet.time_base = pts, Fraction(1, RATE)
            return packet

    return Relayed()
