"""Cuts for the held-out protocol: exact frames, exact pixels, nothing shared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from avatar.errors import InputError, VideoError
from bench import clips

av = pytest.importorskip("av")
pytest.importorskip("imageio_ffmpeg")


def _frames(count: int) -> list[np.ndarray]:
    """Frame n is of grey level 4 n, so that its number can be read from a pixel."""
    return [np.full((48, 64, 3), 4 * n, np.uint8) for n in range(count)]


def _numbers(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        pictures = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    return [round(float(p.mean()) / 4) for p in pictures]


def test_the_tail_is_held_out(make_video: Callable[..., Path], tmp_path: Path) -> None:
    source = make_video(_frames(30), name="clip.mkv")
    cut = clips.hold_out_tail(source, tmp_path, 0.9)
    assert (cut.enrolled, cut.judged) == (27, 3)
    assert _numbers(cut.enrol) == list(range(27))
    assert _numbers(cut.judge) == [27, 28, 29]


def test_whole_seconds_are_held_out(make_video: Callable[..., Path], tmp_path: Path) -> None:
    source = make_video(_frames(60), fps=5)
    cut = clips.hold_out_seconds(source, tmp_path, every=5)
    assert _numbers(cut.judge) == [*range(20, 25), *range(45, 50)]
    assert sorted(_numbers(cut.enrol) + _numbers(cut.judge)) == list(range(60))
    with av.open(str(cut.judge)) as container:
        times = [f.time for f in container.decode(video=0)]
    np.testing.assert_allclose(np.diff(times), 0.2, atol=0.0011)


def test_marked_frames_are_held_out(make_video: Callable[..., Path], tmp_path: Path) -> None:
    source = make_video(_frames(30), fps=10)
    marked = [n in (3, 4, 5, 17, 28, 29) for n in range(30)]
    cut = clips.hold_out_frames(source, tmp_path, marked)
    assert _numbers(cut.judge) == [3, 4, 5, 17, 28, 29] and cut.judged == 6
    assert sorted(_numbers(cut.enrol) + _numbers(cut.judge)) == list(range(30))
    with pytest.raises(VideoError, match="no frame where"):
        clips.hold_out_frames(source, tmp_path, [False] * 30)


def test_pixels_keep_the_source_s_own_format(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (6, 48, 64, 3), dtype=np.uint8)
    source = make_video(list(noise), name="clip.mp4", codec="libx264")
    clips.cut_frames(source, tmp_path / "cut.mkv", 2, 5)

    def planes(path: Path) -> list[np.ndarray]:
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
            return [f.to_ndarray() for f in container.decode(video=0)]

    assert np.array_equal(planes(source)[2:5], planes(tmp_path / "cut.mkv"))


def test_seconds_are_cut_and_counted(make_video: Callable[..., Path], tmp_path: Path) -> None:
    source = make_video(_frames(50), audio=True)
    assert clips.count_frames(source) == 50
    assert clips.duration(source) == pytest.approx(2.0, abs=0.002)
    assert clips.cut_seconds(source, tmp_path / "cut.mkv", 1.0, 1.4) == 10
    assert _numbers(tmp_path / "cut.mkv") == list(range(25, 35))


def test_faults_are_named_and_leave_nothing(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    source = make_video(_frames(5), name="clip.mkv")
    target = tmp_path / "cut.mkv"
    with pytest.raises(VideoError, match="no frame"):
        clips.cut_frames(source, target, 10)
    with pytest.raises(InputError, match=r"into \.mkv"):
        clips.cut_frames(source, tmp_path / "cut.mp4", 0)
    with pytest.raises(VideoError, match="does not exist"):
        clips.count_frames(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match="text.mp4"):
        clips.cut_frames(tmp_path / "text.mp4", target, 0)
    with pytest.raises(InputError, match="holds nothing out"):
        clips.hold_out_tail(source, tmp_path, 1.0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mkv", "text.mp4"]
