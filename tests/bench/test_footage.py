"""Clips of other sizes, rates and lengths, and with dropped frames, brought to one clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av")

from avatar.errors import InputError, NoFaceError, VideoError
from avatar.face import Window
from bench import footage
from bench.footage import FootageSettings, prepare
from tests.bench.metrics.test_pose import track

WHOLE = FootageSettings("none")


@pytest.fixture(autouse=True)
def tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finds a face in every frame that decodes, on the largest square."""

    def followed(judged: Path, path: Path, avatar: Path | None, say: Any) -> Any:
        from enroll.capture import open_video

        times, side = [], 0
        for frame in open_video(judged):
            times.append(frame.time)
            side = min(frame.image.shape[:2])
        many = np.resize(np.arange(10), len(times))
        base = track()
        columns = {
            name: getattr(base, name)[many]
            for name in ("expression", "rotation", "translation", "gaze", "lids", "torso",
                         "confidence", "box", "mask")
        }  # fmt: skip
        window = Window(0, 0, side, side, side)
        return replace(base, time=np.array(times, np.int64), window=window, **columns), ()

    monkeypatch.setattr(footage, "_tracked", followed)


def clock(frames: int, height: int = 40, width: int = 48) -> list[np.ndarray]:
    """Frames that tell their number by their level."""
    return [np.full((height, width, 3), 2 * f, np.uint8) for f in range(frames)]


def levels(prepared: footage.Footage, size: int = 32) -> list[int]:
    return [int(frame[0, 0, 0]) // 2 for frame in prepared.clip(size).frames]


@pytest.mark.parametrize("fps, frames", [(25, 50), (30, 60), (15, 30), (50, 100)])
def test_other_rates_come_to_25_by_their_times(
    make_video: Callable[..., Path], tmp_path: Path, fps: int, frames: int
) -> None:
    source = make_video(clock(frames), "clip.mkv", fps=fps)
    prepared = prepare(source, tmp_path / "lab", WHOLE)
    assert prepared.fps == 25 and abs(prepared.frames - 50) <= 1
    # Of each moment the picture shown nearest to it; the last one stays.
    at = np.minimum(np.arange(prepared.frames) / 25 * fps, frames - 1)
    assert np.all(np.abs(np.array(levels(prepared)) - at) <= 0.5 + 1e-6)


def test_dropped_frames_are_filled_by_what_was_shown(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    kept = [f for f in range(50) if f not in (10, 11, 12, 30)]
    pictures = [clock(50)[f] for f in kept]
    times = [f * 40_000 for f in kept]
    source = make_video(pictures, "holes.mkv", times=times)
    prepared = prepare(source, tmp_path / "lab", WHOLE)
    seen = levels(prepared)
    assert prepared.frames == 50
    assert seen[8:15] == [8, 9, 9, 9, 13, 13, 14] and seen[29:32] == [29, 29, 31]


def test_other_sizes_are_cut_to_one_square(make_video: Callable[..., Path], tmp_path: Path) -> None:
    for name, height, width in (("wide", 36, 64), ("tall", 64, 36)):
        source = make_video(clock(10, height, width), f"{name}.mkv")
        prepared = prepare(source, tmp_path / name, WHOLE)
        assert prepared.clip(32).frames.shape == (10, 32, 32, 3)
        assert prepared.clip(16).frames.shape == (10, 16, 16, 3)


def test_points_of_another_window_are_not_taken_for_these(
    make_video: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An avatar's window is where its enrolment found the face: of the same file there are two."""
    source = make_video(clock(20))
    first = prepare(source, tmp_path / "a", WHOLE)
    again = prepare(source, tmp_path / "b", WHOLE)
    followed = footage._tracked

    def elsewhere(*given: Any) -> Any:
        track, warnings = followed(*given)
        return replace(track, window=Window(4, 0, 36, 36, 36)), warnings

    monkeypatch.setattr(footage, "_tracked", elsewhere)
    other = prepare(source, tmp_path / "c", WHOLE)
    assert first.digest == again.digest != other.digest


def test_a_clip_too_short_to_hold_10_s_out_is_refused(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    source = make_video(clock(50), "short.mkv")
    with pytest.raises(InputError, match=r"short\.mkv is too short to hold 10 s out"):
        prepare(source, tmp_path / "lab")
    alone = make_video(clock(1), "alone.mkv")
    with pytest.raises(VideoError, match="1 frame is left to judge"):
        prepare(alone, tmp_path / "one", WHOLE)


def test_at_most_so_long_is_judged(make_video: Callable[..., Path], tmp_path: Path) -> None:
    source = make_video(clock(50), "clip.mkv")
    prepared = prepare(source, tmp_path / "lab", replace(WHOLE, longest=0.4))
    assert (prepared.frames, prepared.seconds) == (10, 0.4)


def test_a_clip_without_a_face_is_refused(
    make_video: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mediapipe")
    monkeypatch.undo()
    source = make_video(clock(5), "wall.mkv")
    with pytest.raises(NoFaceError, match=r"wall\.mkv"):
        prepare(source, tmp_path / "lab", WHOLE)
