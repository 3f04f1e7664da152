"""What the watermark costs and outlives, on real video: rendered by an avatar, or filmed.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.watermark VIDEOS...

Each second of each video by itself, its largest middle square at 256x256, 25 pictures a second.
The unmarked seconds are read as well: what is found there is a false alarm.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from enroll.capture import open_video
from service.clip import pictures_at
from service.watermark.mark import Watermark
from service.watermark.payload import bits_of
from service.watermark.reader import Reading, WatermarkReader

DIGEST = "5eed" + 60 * "0"
SIZE, FPS, PERIOD = 256, 25, 40_000
MOST = 10  # seconds of a video

Pictures = list[NDArray[np.uint8]]


def coded(pictures: Pictures) -> Pictures:
    """H.264 at crf 28, of x264 as it comes."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"crf": "28"})
        stream.height, stream.width = pictures[0].shape[:2]
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as source:
        return [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]


def scaled(pictures: Pictures, by: float) -> Pictures:
    way = cv2.INTER_AREA if by < 1 else cv2.INTER_CUBIC
    return [np.asarray(cv2.resize(p, None, fx=by, fy=by, interpolation=way)) for p in pictures]


ROADS: dict[str, Callable[[Pictures], Pictures]] = {
    "as it is": lambda p: p,
    "H.264": coded,
    "x 0.5": lambda p: scaled(p, 0.5),
    "x 2": lambda p: scaled(p, 2),
    "H.264, x 0.5": lambda p: scaled(coded(p), 0.5),
    "H.264, x 2": lambda p: scaled(coded(p), 2),
    "x 0.5, H.264": lambda p: coded(scaled(p, 0.5)),
    "x 2, H.264": lambda p: coded(scaled(p, 2)),
}


def seconds_of(path: Path) -> Iterator[Pictures]:
    video, out = open_video(path), []
    try:
        for frame in pictures_at(video, np.arange(MOST * FPS) * PERIOD):
            height, width = frame.image.shape[:2]
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            square = frame.image[top : top + side, left : left + side]
            out.append(np.asarray(cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_AREA)))
            if len(out) == FPS:
                yield out
                out = []
    finally:
        video.close()


def read(pictures: Pictures) -> Reading:
    reader = WatermarkReader()
    for index, picture in enumerate(pictures):
        reader.add(picture, index * PERIOD)
    return reader.read()


def right(reading: Reading) -> float:
    """Share of the bits; without their CRC the sign of all of them is open."""
    share = float(np.mean((reading.bits > 0) == (bits_of(DIGEST) > 0)))
    return max(share, 1 - share)


def main(paths: list[Path]) -> None:
    cv2.setNumThreads(1)
    mark, costs, noise, count, alarms, clear = Watermark(DIGEST), [], [], 0, 0, []
    shares: dict[str, list[float]] = {road: [] for road in ROADS}
    whole = dict.fromkeys(ROADS, 0)
    for path in paths:
        for pictures in seconds_of(path):
            begun = time.perf_counter()
            marked = [mark.on(p, 13_000 + n * PERIOD) for n, p in enumerate(pictures)]
            costs.append((time.perf_counter() - begun) / len(pictures))
            error = np.subtract(pictures, marked, dtype=np.float32)
            noise.append(10 * np.log10(255**2 / float(np.mean(error**2))))
            plain = read(pictures)
            count, alarms = count + 1, alarms + (plain.prefix is not None)
            clear.append(plain.clarity)
            for road, change in ROADS.items():
                found = read(change(marked))
                shares[road].append(right(found))
                whole[road] += found.prefix == DIGEST[:8]
    print(f"{count} seconds of {len(paths)} videos; {1000 * np.median(costs):.2f} ms a picture "
          f"of {SIZE}x{SIZE}; PSNR {np.mean(noise):.1f} dB, at least {min(noise):.1f}")  # fmt: skip
    print(f"{'':14s} bits, %: mean  worst tenth  least   read whole, %")
    for road, all_ in shares.items():
        print(f"{road:14s} {100 * np.mean(all_):14.1f} {100 * np.quantile(all_, 0.1):12.1f} "
              f"{100 * min(all_):6.1f} {100 * whole[road] / count:15.1f}")  # fmt: skip
    print(f"unmarked: {alarms} read; clarity {np.median(clear):.2f}, at most {max(clear):.2f}")


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
