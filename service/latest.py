"""A video as it happens: whoever asks gets the newest picture, and older ones are dropped."""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Callable, Iterator

from enroll.capture import Frame, Video


class Latest:
    """Iterates over the newest frames of a source that does not wait.

    A camera delivers at its own pace; a file is played at the pace of its times.  begin: is called
    as that begins, on another thread.
    """

    def __init__(self, video: Video, begin: Callable[[], None] | None = None) -> None:
        self._video = video
        self._begin = begin
        self._fresh = threading.Condition()
        self._frame: Frame | None = None
        self._error: BaseException | None = None
        self._ended = False

    def __iter__(self) -> Iterator[Frame]:
        reader = threading.Thread(target=self._read, name="camera", daemon=True)
        reader.start()
        try:
            while True:
                with self._fresh:
                    self._fresh.wait_for(lambda: self._frame is not None or self._ended)
                    frame, self._frame = self._frame, None
                if frame is None:
                    break
                yield frame
        finally:
            self._ended = True
        if self._error is not None:
            raise self._error

    def _read(self) -> None:
        begun = clock.monotonic()
        try:
            if self._begin is not None:
                self._begin()
            for frame in self._video:
                if not self._video.info.live:
                    clock.sleep(max(0.0, begun + frame.time / 1e6 - clock.monotonic()))
                if self._ended:
                    return
                with self._fresh:
                    self._frame = frame
                    self._fresh.notify()
        except Exception as error:  # it belongs to whoever iterates
            self._error = error
        finally:
            with self._fresh:
                self._ended = True
                self._fresh.notify()
