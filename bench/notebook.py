"""Results in a notebook: one pandas frame of figures, and curves to go on with.

    from bench.notebook import figures, hulls
    frame = figures("results")
    frame[frame.metric == "PSNR"].pivot_table("value", ["clip", "codec", "point"], "region")
    hulls("results", "MS-SSIM", "face")

Everything else of the lab works on arrays and dataclasses: `bench.curves` (BD-rate, hulls),
`bench.accounting` (every byte), `bench.comparison` (rates at equal quality), `bench.metrics`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from avatar.errors import MissingError
from bench.comparison import boards
from bench.results import Results


def points(results: str | Path) -> Any:
    """A pandas frame, one row a point: rates, bytes, times, settings, and a column a figure
    ("MS-SSIM face"); NaN where there is none.  Failed and skipped points have their reason."""
    return _pandas().DataFrame([record.row() for record in Results(results)])


def figures(results: str | Path) -> Any:
    """A pandas frame, one row a figure: clip, size, codec, family, point, kbps, metric, region,
    value, low, frames.  Only what was measured."""
    rows = [
        {
            "clip": record.clip,
            "size": record.size,
            "codec": record.codec,
            "family": record.family,
            "point": record.point,
            "kbps": record.kbps if record.counts else float("nan"),
            "metric": one.metric,
            "region": one.region,
            "value": one.mean,
            "low": one.low,
            "frames": one.frames,
        }
        for record in Results(results)
        for one in record.figures
        if not one.needs
    ]
    return _pandas().DataFrame(rows)


def hulls(results: str | Path, metric: str, region: str = "whole") -> Any:
    """A pandas frame, one row a corner of a family's convex hull: clip, size, family, kbps,
    value, and the codec and point that it comes from."""
    rows = [
        {
            "clip": board.clip,
            "size": board.size,
            "family": family,
            "kbps": point.rate,
            "value": point.quality,
            "from": point.label,
        }
        for board in boards(Results(results), metric, region)
        for family, hull in board.hulls.items()
        for point in hull.points
    ]
    return _pandas().DataFrame(rows)


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise MissingError(
            "pandas, which holds tables in notebooks, is not installed.",
            "pip install 'facewire[bench]'",
        ) from None
    return pandas
