"""What is said in a call without a browser: a film's sound, or a microphone's."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError
from service.audio import BLOCK, RATE, sound_blocks
from service.calls.connection import SoundPace, forwarded_audio

_LONGEST = 3600.0  # seconds of sound, of a film that does not tell how long it is
_STEP = BLOCK / RATE  # seconds
# The system's first microphone, by the names of FFmpeg's inputs, as PyAV's wheels have them.  The
# sound server's device of Linux may need a plugin that they lack; the first card needs none.
# dshow of Windows has no name for "the first".
_INPUTS = {"linux": ("alsa", "default", "plughw:0"), "darwin": ("avfoundation", ":default")}
_ALSA = "/usr/share/alsa/alsa.conf"  # where it is; PyAV's own ALSA looks in its builder's folder
_NO_MICROPHONE = "You are not heard.  Connect one, or send a file: --camera VIDEO"

Block = NDArray[np.int16]  # [960, 2]


class Spoken(Protocol):
    def begin(self) -> None:
        """The pictures begin now.  On any thread."""

    def track(self) -> Any:
        """An audio track for one connection; an earlier one is not asked any more."""

    def close(self) -> None: ...


class FilmSound:
    """A video's sound while its pictures play: silence before they begin and after its end.

    start: us, the file's time of the first picture.  seconds: that the pictures last, 0 where that
    is not known.
    """

    def __init__(self, path: Path, start: int, seconds: float) -> None:
        end = start + round((seconds or _LONGEST) * 1e6)
        self._blocks: Iterator[Any] | None = sound_blocks(path, start, end)
        self._next = 0
        self._begun: float | None = None
        # Decoding takes long now and then, in which the line would stand still.
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="sound")

    def begin(self) -> None:
        self._begun = time.monotonic()

    def block(self, moment: float) -> Block:
        """What is to be heard from `moment` of the monotonic clock on; moments only rise."""
        silence = np.zeros((BLOCK, 2), np.int16)
        if self._begun is None or self._blocks is None:
            return silence
        wanted = round((moment - self._begun) / _STEP)
        if abs(wanted - self._next) <= 1:
            wanted = self._next  # the rounding of one clock against another
        if wanted < self._next:
            return silence
        samples: Any = None
        for _ in range(self._next, wanted + 1):  # more than one after a line was lost
            samples = next(self._blocks, None)
            if samples is None:
                self._blocks = None
                return silence
        self._next = wanted + 1
        return np.round(np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)

    def track(self) -> Any:
        from aiortc.mediastreams import MediaStreamTrack

        film = self

        class Played(MediaStreamTrack):
            kind = "audio"

            def __init__(self) -> None:
                super().__init__()
                self._pace = SoundPace()

            async def recv(self) -> Any:
                pts, due = await self._pace.next()
                loop = asyncio.get_running_loop()
                frame = framed(await loop.run_in_executor(film._reading, film.block, due))
                frame.pts = pts
                return frame

        return Played()

    def close(self) -> None:
        self._reading.shutdown(wait=False, cancel_futures=True)


class MicrophoneSound:
    """What the system's first microphone hears.  Raises InputError where there is none, or no way
    to it here."""

    def __init__(self) -> None:
        self._input = _microphone()
        self._track: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._reader = threading.Thread(target=self._read, name="microphone", daemon=True)
        self._reader.start()  # at once: what nobody reads would be heard late

    def begin(self) -> None:
        """It is heard as it is."""

    def track(self) -> Any:
        self._loop, self._track = asyncio.get_running_loop(), forwarded_audio()
        return self._track

    def close(self) -> None:
        self._closed = True
        self._reader.join(1.0)

    def _read(self) -> None:
        import av

        even = av.AudioResampler(format="s16", layout="stereo", rate=RATE, frame_size=BLOCK)
        try:
            for heard in self._input.decode(audio=0):
                if self._closed:
                    break
                heard.pts = None  # of another clock; samples are counted
                for frame in even.resample(heard):
                    if self._loop is not None and not self._loop.is_closed():
                        self._loop.call_soon_threadsafe(self._track.push, frame)
        except (av.FFmpegError, RuntimeError):
            pass  # it was pulled out, or the call has ended
        finally:
            self._input.close()


def _microphone() -> Any:
    import av

    kind, *devices = _INPUTS.get(sys.platform, ("",))
    if kind == "alsa" and Path(_ALSA).is_file():
        os.environ.setdefault("ALSA_CONFIG_PATH", _ALSA)
    said = f"there is no way to one on {sys.platform}"
    for device in devices:
        try:
            return av.open(device, format=kind)
        except (av.FFmpegError, OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error)
    raise InputError(f"no microphone opens: {said}", _NO_MICROPHONE)


def framed(block: Block) -> Any:
    """20 ms as aiortc's Opus coder takes them; its pts is the caller's."""
    from av import AudioFrame

    frame = AudioFrame.from_ndarray(block.reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
    return frame
