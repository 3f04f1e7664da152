"""The demo end to end, in a setting so small that it shows the way and not the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from demo.figures import table
from demo.run import DemoSettings, Files, run_demo
from enroll.capture import open_video
from enroll.sample import SampleSettings
from service.enrolment import EnrolmentSettings
from tests.demo.badge import COLOUR

TINY = DemoSettings(
    sample=SampleSettings(size=128, seconds=1.6),
    enrolment=EnrolmentSettings(size=48, budget=None, steps=2),
    held_out=0.25,
    small=48,
    large=64,
    panel=48,
)


@contextmanager
def no_bar(task: str) -> Iterator[Callable[..., None]]:
    yield lambda *_, **__: None


def test_from_nothing_to_a_page(tmp_path: Path) -> None:
    rows = run_demo(tmp_path, TINY, no_bar)
    assert [row.name for row in rows] == ["Facewire", "AV1", "VVC", "Still picture"]
    assert all(row.psnr > 10 for row in rows) and rows[0].psnr > 16
    # Even ten frames with all their headers cost less than one key frame of a video codec.
    assert 0 < rows[0].kbps < min(rows[1].kbps, rows[2].kbps)
    files = Files.below(tmp_path)
    comparison = open_video(files.compare)
    assert len(list(comparison)) == 10 and comparison.info.has_audio
    frame = next(iter(open_video(files.compare))).image
    ours = frame[:, frame.shape[1] // 4 : frame.shape[1] // 2].astype(int)
    badge = np.abs(ours - COLOUR).max(axis=2) < 40
    assert badge[-16:].sum() > 20  # what is rendered says so, here as well
    page = files.page.read_text()
    for row in rows[:3]:
        assert row.name in page and f"{row.psnr:.2f}" in page and row.name in table(rows)
    assert "data:video/mp4;base64," in page and "http" not in page.replace("http-equiv", "")
