"""The classic codecs through the real program: whole bytes, one key frame, every frame back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.errors import InputError
from bench import classic
from bench.classic import ENCODERS, ClassicSettings, code, lowest_rate
from bench.ffmpeg import ToolError, read_frames, run_ffmpeg
from render.metrics import psnr

pytest.importorskip("imageio_ffmpeg")


def _moving(frames: int = 40, height: int = 72, width: int = 88) -> list[np.ndarray]:
    """A bright disc that crosses a coloured ramp."""
    y, x = np.mgrid[:height, :width]
    ground = np.stack([x * 2, y * 2, 120 + 0 * x], axis=2)
    pictures = []
    for f in range(frames):
        disc = (x - 10 - 1.5 * f) ** 2 + (y - 36) ** 2 < 150
        pictures.append(np.where(disc[..., None], [230, 190, 170], ground).astype(np.uint8))
    return pictures


@pytest.mark.parametrize("codec", ENCODERS)
def test_every_frame_comes_back_from_one_key_frame(codec: str, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    frames = _moving()
    coded = code(frames, ClassicSettings(codec, quality=20, threads=1))
    assert coded.frames.shape == (40, 72, 88, 3)
    assert np.mean([psnr(a, b) for a, b in zip(frames, coded.frames)]) > 32
    framing = 32 + 12 * 40 if codec == "vp9" else 0  # of IVF, its only form
    assert coded.size == len(coded.data) - framing
    assert coded.kbps == pytest.approx(coded.size * 8 * 25 / 40 / 1000)
    assert b"x26" not in coded.data  # no encoder's name and settings
    path = tmp_path / "stream"
    path.write_bytes(coded.data)
    form = ENCODERS[codec].form
    with av.open(str(path), format=form) as container:
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    assert keys[0] and sum(keys) == 1


def test_the_lowest_rate_is_below_any_other() -> None:
    frames = _moving(20)
    lowest = lowest_rate(frames, "vvc")
    finer = code(frames, ClassicSettings("vvc", quality=30))
    assert len(lowest.data) < 0.7 * len(finer.data)
    assert lowest.settings == ClassicSettings("vvc")


def test_odd_sizes_come_back_as_they_went_in() -> None:
    frames = _moving(4, 67, 81)
    coded = code(frames, ClassicSettings("hevc", quality=16))
    assert coded.frames.shape == (4, 67, 81, 3)
    assert psnr(frames[0], coded.frames[0]) > 32


@pytest.mark.parametrize(
    "settings, message",
    [
        (ClassicSettings("mpeg1"), "no classic codec 'mpeg1'"),
        (ClassicSettings("vvc", quality=64), "no quality 64"),
        (ClassicSettings("hevc", quality=-1), "no quality -1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: ClassicSettings, message: str) -> None:
    with pytest.raises(InputError, match=message):
        code(_moving(2), settings)


def test_frames_that_cannot_be_coded_are_refused() -> None:
    with pytest.raises(InputError, match="no frames"):
        code([], ClassicSettings("vvc"))
    with pytest.raises(InputError, match="cannot be coded"):
        code([*_moving(1), *_moving(1, 80, 88)], ClassicSettings("vvc"))


def test_what_the_program_says_of_a_fault_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = classic.Encoder("none", "-qp", 51, "", "yuv420p", "hevc", ("-c:v", "no_such_codec"))
    monkeypatch.setitem(classic.ENCODERS, "broken", broken)
    with pytest.raises(ToolError, match="no_such_codec") as caught:
        code(_moving(2), ClassicSettings("broken"))
    assert "no_such_codec" in caught.value.output


def test_a_broken_stream_is_no_silent_success(tmp_path: Path) -> None:
    path = tmp_path / "stream.mkv"
    path.write_bytes(bytes(range(256)) * 8)
    with pytest.raises(ToolError, match="exit code"):
        list(read_frames(["-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], 8, 8))
    with pytest.raises(ToolError, match="exit code"):
        run_ffmpeg(["-i", str(path), "-f", "null", "-"])


def test_a_clip_that_comes_out_empty_is_coded_by_one_thread(monkeypatch) -> None:
    """As libvvenc does on a busy machine: no bytes, and success."""

    asked: list[list[str]] = []
    real = classic.run_ffmpeg

    def at_first_nothing(arguments, frames=()):
        asked.append(list(arguments))
        if len(asked) > 1:
            return real(arguments, frames)
        Path(arguments[-1]).write_bytes(b"")
        return "nothing was encoded"

    monkeypatch.setattr(classic, "run_ffmpeg", at_first_nothing)
    assert len(lowest_rate(_moving(8), "h264").frames) == 8
    assert "-threads" not in asked[0] and asked[1][asked[1].index("-threads") + 1] == "1"
    monkeypatch.setattr(classic, "run_ffmpeg", lambda a, f=(): Path(a[-1]).write_bytes(b"") or "x")
    with pytest.raises(ToolError, match="wrote nothing for 8 frames"):
        lowest_rate(_moving(8), "h264")
