"""VMAF and XPSNR, by the filters of ffmpeg, on YCbCr 4:4:4 of 8 bits at BT.709.

VMAF: Netflix, model vmaf_v0.6.1, which libvmaf carries; it judges the luma alone.  XPSNR: Helmrich
et al., ICASSP 2020; planes are joined as (6 Y + Cb + Cr) / 8, as JVET weighs them.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FormatError
from bench.ffmpeg import run_ffmpeg
from bench.metrics.metric import Frames
from render.metrics import PSNR_LIMIT

_PLANES = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd,format=yuv444p"


def vmaf(reference: Frames, pictures: Frames) -> NDArray[np.float64]:
    """[F], 0..100.  Motion is part of it: a frame's figure depends on the one before."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.json"
        _compare(reference, pictures, Path(folder), f"libvmaf=log_fmt=json:log_path={log}")
        frames = json.loads(log.read_text())["frames"]
    return _whole([frame["metrics"]["vmaf"] for frame in frames], len(reference), "libvmaf")


def xpsnr(reference: Frames, pictures: Frames) -> NDArray[np.float64]:
    """[F] dB, at most 100."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        _compare(reference, pictures, Path(folder), f"xpsnr=stats_file={log}")
        rows = re.findall(r"XPSNR y: *(\S+) +XPSNR u: *(\S+) +XPSNR v: *(\S+)", log.read_text())
    # The last row sums up; those before it are the frames.
    planes = np.minimum(np.array(rows[: len(reference)], np.float64).reshape(-1, 3), PSNR_LIMIT)
    return _whole(planes @ np.array([6, 1, 1]) / 8, len(reference), "xpsnr")


def _compare(reference: Frames, pictures: Frames, folder: Path, judge: str) -> None:
    height, width = reference.shape[1:3]
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25")
    filmed, shown = folder / "reference.rgb", folder / "pictures.rgb"
    np.ascontiguousarray(reference).tofile(filmed)
    np.ascontiguousarray(pictures).tofile(shown)
    graph = f"[0:v]{_PLANES}[shown];[1:v]{_PLANES}[filmed];[shown][filmed]{judge}"
    run_ffmpeg(
        [*source, "-i", str(shown), *source, "-i", str(filmed), "-lavfi", graph, "-f", "null", "-"]
    )


def _whole(figures: Iterable[float], frames: int, judge: str) -> NDArray[np.float64]:
    judged = np.fromiter(figures, np.float64)
    if len(judged) != frames:
        raise FormatError(
            f"{judge} judged {len(judged)} frames of {frames}",
            "Install imageio-ffmpeg 0.6 or newer.",
        )
    return judged
