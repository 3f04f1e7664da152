"""One pass over a video: what the networks see in it, while decoding goes on beside them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.face import Window
from enroll.capture import Frame, Video
from enroll.cuts import CutSettings, CutWatch
from enroll.landmarks import MESH_POINTS, Landmarks, LandmarkSource
from enroll.matte import MatteSource

SIZE = 64  # of the matte and the grey picture over a window
AHEAD = 8  # frames decoded before they are needed
# A picture shown again differs by what its encoder left: at most this much of 255 in the grey
# picture, and this on average.  Seen: repeats below 0.01, a person who sits still above 0.1.
_SAME_MOST, _SAME_MEAN = 2, 0.012

Array = NDArray[Any]


@dataclass(frozen=True)
class Observations:
    """F frames.  time: [F] int64 microseconds.  points: [F, 478, 3] source pixels, NaN where no
    face was seen.  confidence: [F].  matte, grey: [F, h, w] uint8, the whole source with its
    shorter side at 64.  repeated: [F] bool, the very picture before it again.  cut: [F] bool, the
    first after a cut.
    """

    time: Array
    points: Array
    confidence: Array
    matte: Array
    grey: Array
    repeated: Array
    cut: Array

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True)
class Sight:
    """One frame of `Observations`."""

    landmarks: Landmarks | None
    matte: Array
    grey: Array
    repeated: bool = False
    cut: bool = False


class Observer:
    """Runs the networks on frames, in order."""

    def __init__(
        self, landmarks: LandmarkSource, matte: MatteSource, cuts: CutSettings | None = None
    ) -> None:
        import cv2

        self._cv2: Any = cv2
        self._landmarks = landmarks
        self._matte = matte
        self._cuts = CutWatch(cuts or CutSettings())
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="matte")
        self._last: Sight | None = None

    def see(self, image: NDArray[np.uint8]) -> Sight:
        """image: [H, W, 3] RGB, of the same size every time."""
        grey = self._grey(image)
        last = self._last
        if last is not None and _same(grey, last.grey):
            self._last = replace(last, repeated=True, cut=False)
        else:
            beside = self._beside.submit(self._matte_of, image)
            cut = self._cuts.step(grey)
            if cut:
                self._landmarks.forget()
            face = self._landmarks.find(image)
            self._last = Sight(face, beside.result(), grey, cut=cut)
        return self._last

    def _size(self, image: NDArray[np.uint8]) -> tuple[int, int]:
        height, width = image.shape[:2]
        scale = SIZE / min(height, width)
        return max(round(width * scale), SIZE), max(round(height * scale), SIZE)

    def _grey(self, image: NDArray[np.uint8]) -> Array:
        cv2 = self._cv2
        small = cv2.resize(image, self._size(image), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))

    def _matte_of(self, image: NDArray[np.uint8]) -> Array:
        cv2 = self._cv2
        matte = self._matte.matte(image)
        matte = cv2.resize(matte, self._size(image), interpolation=cv2.INTER_AREA)
        return np.round(np.clip(matte, 0, 1) * 255).astype(np.uint8)

    def close(self) -> None:
        self._beside.shutdown()
        self._landmarks.close()
        self._matte.close()


def observe(
    video: Video, observer: Observer, progress: Callable[[int, int], None] | None = None
) -> Observations:
    """Looks at every frame.  progress: called with frames done and the video's own estimate."""
    missing = np.full((MESH_POINTS, 3), np.nan, np.float32)
    time, points, confidence, matte, grey, repeated, cut = [], [], [], [], [], [], []
    for frame in read_ahead(video):
        sight = observer.see(frame.image)
        time.append(frame.time)
        points.append(missing if sight.landmarks is None else sight.landmarks.points)
        confidence.append(0.0 if sight.landmarks is None else sight.landmarks.confidence)
        matte.append(sight.matte)
        grey.append(sight.grey)
        repeated.append(sight.repeated)
        cut.append(sight.cut)
        if progress is not None:
            progress(len(time), max(video.info.frames, len(time)))
    return Observations(
        np.array(time, np.int64),
        np.array(points, np.float32).reshape(-1, MESH_POINTS, 3),
        np.array(confidence, np.float32),
        np.array(matte, np.uint8),
        np.array(grey, np.uint8),
        np.array(repeated, bool),
        np.array(cut, bool),
    )


def _same(a: Array, b: Array) -> bool:
    away = np.abs(a.astype(np.int16) - b)
    return bool(away.max() <= _SAME_MOST and away.mean() < _SAME_MEAN)


def read_ahead(video: Video, ahead: int = AHEAD) -> Iterator[Frame]:
    """The video's frames, decoded in a thread of their own up to `ahead` before their use."""
    shelf: queue.Queue[Frame | BaseException | None] = queue.Queue(ahead)
    stop = threading.Event()

    def put(item: Frame | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                shelf.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for frame in video:
                if not put(frame):
                    return
            put(None)
        except BaseException as error:  # handed to the reader, raised there
            put(error)

    reader = threading.Thread(target=work, name="decode", daemon=True)
    reader.start()
    try:
        while (item := shelf.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        reader.join()


def over_window(pictures: Array, window: Window) -> Array:
    """[F, h, w] uint8 pictures of the whole source -> [F, 64, 64] of the window."""
    import cv2

    height, width = pictures.shape[1:]
    if (height, width) == (SIZE, SIZE) and window.side == window.width == window.height:
        return pictures
    across, down = width / window.width, height / window.height
    step_x, step_y = window.side * across / SIZE, window.side * down / SIZE
    place = np.array(
        [
            [step_x, 0.0, window.left * across + 0.5 * step_x - 0.5],
            [0.0, step_y, window.top * down + 0.5 * step_y - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack(
        [
            cv2.warpAffine(p, place, (SIZE, SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
            for p in pictures
        ]
    )
