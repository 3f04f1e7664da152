"""Results as pandas frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.results import Results
from tests.bench.test_comparison import OURS, RIVAL, STILL

pytest.importorskip("pandas")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    results = Results(tmp_path / "results", create=True)
    for record in [*OURS, *RIVAL, STILL]:
        results.write(record)
    return results.folder


def test_frames_of_points_figures_and_hulls(folder: Path) -> None:
    from bench.notebook import figures, hulls, points

    frame = points(folder)
    assert len(frame) == 7 and frame[frame.codec == "avatar"].kbps.tolist() == [1.0, 2.0]
    assert frame[frame.codec == "still"].kbps.isna().all()
    long = figures(folder)
    assert set(long.metric) == {"PSNR"} and long.value.max() == 33.0
    hull = hulls(folder, "PSNR")
    assert hull[hull.family == "vvc"].kbps.tolist() == [4.0, 10.0, 20.0]
