"""A WebRTC connection as both sides of a call use it (aiortc): one channel for face datagrams,
unordered and never sent again, and sound beside it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any

CHANNEL = "face"
_SOUND, _BLOCK = 48_000, 960  # samples a second, and in 20 ms
_HELD = 10  # blocks of sound that may wait: 200 ms
_LATEST = 0.5  # seconds that sound may be late before some of it is left out
_LOOKED = 50  # blocks given out between two looks at whether some always wait: a second
_SPARE = 1  # blocks that may always wait
_AWAITED = 3  # packets of sound that come before one is given up that is missing: 60 ms
BUFFER = "_RTCRtpReceiver__jitter_buffer"  # of aiortc, to whose version we are bound
_PACKETS = 512  # that wait for one that is late
_BACKLOG = 1 << 16  # bytes that wait on a channel before datagrams are dropped instead


def new_connection() -> Any:
    """No STUN or TURN server is asked: addresses of this machine's own networks."""
    from aiortc import RTCConfiguration, RTCPeerConnection

    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def face_channel(connection: Any) -> Any:
    return connection.createDataChannel(CHANNEL, ordered=False, maxRetransmits=0)


def send(channel: Any, data: bytes) -> bool:
    """False where it was dropped: the channel is not open, or lags behind."""
    if channel is None or channel.readyState != "open" or channel.bufferedAmount > _BACKLOG:
        return False
    channel.send(data)
    return True


class SoundPace:
    """When each block of 20 ms of a track is due.  A machine that is too slow for all of them
    leaves some out, rather than be heard later and later.  clock: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: float | None = None
        self._samples = -_BLOCK

    async def next(self) -> tuple[int, float]:
        """Waits; gives the block's first sample, and the moment of the clock."""
        begun = self._begun = self._clock() if self._begun is None else self._begun
        self._samples += _BLOCK
        late = self._clock() - (begun + self._samples / _SOUND)
        if late > _LATEST:
            self._samples += int(late * _SOUND) // _BLOCK * _BLOCK
        due = begun + self._samples / _SOUND
        await asyncio.sleep(due - self._clock())
        return self._samples, due


def forwarded_audio() -> Any:
    """A track of the frames that are pushed to it, steady whatever their pace: where none has
    come it is silent, and where too many have, the oldest are left out; so are those that a second
    of calm does not use up, for each would be heard late from then on."""
    from aiortc.mediastreams import MediaStreamTrack
    from av import AudioFrame

    class Forwarded(MediaStreamTrack):
        kind = "audio"

        def __init__(self) -> None:
            super().__init__()
            self._blocks: deque[Any] = deque(maxlen=_HELD)
            self._pace = SoundPace()
            self._given, self._least = 0, _HELD

        def push(self, frame: Any) -> None:
            """20 ms at 48 kHz, as aiortc's Opus decoder gives them."""
            self._blocks.append(frame)

        async def recv(self) -> Any:
            pts, _ = await self._pace.next()
            if self._blocks:
                frame = self._blocks.popleft()
            else:
                frame = AudioFrame(format="s16", layout="stereo", samples=_BLOCK)
                for plane in frame.planes:
                    plane.update(bytes(plane.buffer_size))
            self._catch_up()
            frame.sample_rate, frame.time_base = _SOUND, Fraction(1, _SOUND)
            frame.pts = pts
            return frame

        def _catch_up(self) -> None:
            self._given += 1
            self._least = min(self._least, len(self._blocks))
            if self._given % _LOOKED == 0:
                for _ in range(self._least - _SPARE):
                    self._blocks.popleft()
                self._least = _HELD

    return Forwarded()


async def drain(track: Any, take: Callable[[Any], None] = lambda frame: None) -> None:
    """Reads a track to its end, each frame to `take`: what nobody reads would pile up."""
    from aiortc.mediastreams import MediaStreamError

    try:
        while True:
            take(await track.recv())
    except MediaStreamError:
        pass


def prompt(connection: Any, kind: str) -> None:
    """Has video, or audio, that comes decoded as soon as a frame is whole.  aiortc waits for the
    first packet of the next one: a frame's time, in a call of 25 a second 40 ms.  Of sound it
    always holds 80 ms back, and 300 ms more from the first lost packet on."""
    for receiver in connection.getReceivers():
        if receiver.track is not None and receiver.track.kind == kind:
            if hasattr(receiver, BUFFER):
                setattr(receiver, BUFFER, _prompt_buffer() if kind == "video" else sound_buffer())


def sound_buffer() -> Any:
    """The jitter buffer that sound has here."""
    from aiortc.jitterbuffer import JitterBuffer, JitterFrame

    class Prompt(JitterBuffer):
        """A packet is a frame (RFC 7587 section 4.2).  One that is missing is waited for while
        `_AWAITED` later ones come; a packet brings out one frame, so that more than wait then are
        left out."""

        def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
            first = self._origin or 0
            there = [n for n in range(self.capacity) if self._at(first + n) is not None]
            if not there or (there[0] and len(there) < _AWAITED):
                return None
            skip = there[0] if len(there) <= _AWAITED else there[-_AWAITED]
            packet = self._at(first + skip)
            self.remove(skip + 1)
            assert packet is not None
            return JitterFrame(data=packet._data, timestamp=packet.timestamp)  # type: ignore[attr-defined]

        def _at(self, number: int) -> Any:
            return self._packets[number % self.capacity]

    return Prompt(capacity=16)


def _prompt_buffer() -> Any:
    from aiortc.jitterbuffer import JitterBuffer, JitterFrame

    class Prompt(JitterBuffer):
        """A frame ends with the packet whose marker is set (RFC 3550 section 5.1, RFC 7741)."""

        def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
            packets: list[Any] = []
            first = self._origin or 0
            for count in range(self.capacity):
                packet = self._packets[(first + count) % self.capacity]
                if packet is None or (packets and packet.timestamp != packets[0].timestamp):
                    break
                packets.append(packet)
                if packet.marker:
                    data = b"".join(each._data for each in packets)  # type: ignore[attr-defined]
                    self.remove(len(packets))
                    return JitterFrame(data=data, timestamp=packet.timestamp)
            return super()._remove_frame(sequence_number)

    return Prompt(capacity=_PACKETS, is_video=True)


async def wait_open(channel: Any, seconds: float = 15.0) -> None:
    """Raises TimeoutError."""
    if channel.readyState == "open":
        return
    opened = asyncio.Event()
    channel.on("open", opened.set)
    async with asyncio.timeout(seconds):
        await opened.wait()
