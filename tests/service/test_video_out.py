"""Pictures and sound into files and out again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from avatar.errors import InputError, StorageError
from service.audio import OpusTrack, duration_of, read_audio
from service.video_out import container_of, playable_size, video_file

FRAME = 40_000  # us at 25 fps


def noise(count: int, width: int = 37, height: int = 23) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, height, width, 3), np.uint8)


def write(path: Path, pictures: np.ndarray, audio: OpusTrack | None = None, step: int = FRAME):
    with video_file(path, pictures.shape[2], pictures.shape[1], 1e6 / step, audio) as out:
        for index, picture in enumerate(pictures):
            out.picture(picture, index * step, step)


def pictures_of(path: Path) -> tuple[np.ndarray, list[float]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return np.stack([f.to_ndarray(format="rgb24") for f in frames]), [float(f.time) for f in frames]


def click_video(path: Path, seconds: float, click: float, codec: str, rate: int = 44_100) -> Path:
    """A video with one click at a known second, sound coded as `codec`."""
    samples = np.zeros(round(seconds * rate), np.float32)
    at = round(click * rate)
    samples[at : at + rate // 100] = 0.8 * np.sin(np.arange(rate // 100) * 2 * np.pi * 1000 / rate)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        sound = out.add_stream(codec, rate=rate)
        for index in range(round(seconds * 25)):
            level = np.full((32, 32, 3), index % 200, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(level, format="rgb24")))
        out.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return path


def click_in(path: Path) -> float:
    """Second at which the click begins, on the clock of the video's first picture."""
    with av.open(str(path)) as container:
        first = float(next(container.decode(video=0)).time)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()).max(axis=0) > 0.3)
            if len(loud):
                return float(frame.pts * frame.time_base) + loud[0] / frame.sample_rate - first
    raise AssertionError("no click in it")


def test_mkv_keeps_every_byte_of_rgb(tmp_path):
    pictures = noise(3)
    write(tmp_path / "a.mkv", pictures)
    read, times = pictures_of(tmp_path / "a.mkv")
    assert np.array_equal(read, pictures)
    assert times == [0.0, 0.04, 0.08]


def test_mp4_keeps_colours_and_times(tmp_path):
    colours = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200], [128, 128, 128]], np.uint8)
    pictures = np.repeat(np.repeat(colours[:, None, None], 48, 1), 64, 2)
    write(tmp_path / "a.mp4", pictures, step=33_367)
    read, times = pictures_of(tmp_path / "a.mp4")
    assert np.abs(read.astype(int) - pictures).max() <= 4
    assert times == pytest.approx([0, 0.033367, 0.066734, 0.100101], abs=1e-4)


def test_variable_frame_rate_survives(tmp_path):
    moments = [0, 20_000, 95_000, 100_000, 400_000]
    for name in ("a.mkv", "a.mp4"):
        with video_file(tmp_path / name, 32, 32) as out:
            for moment, picture in zip(moments, noise(5, 32, 32)):
                out.picture(picture, moment, 20_000)
        assert pictures_of(tmp_path / name)[1] == pytest.approx(np.array(moments) / 1e6, abs=5e-4)


def test_sizes_that_a_format_cannot_hold_grow():
    assert playable_size("a.mp4", 333, 16) == (334, 16)
    assert playable_size("a.mkv", 333, 17) == (333, 17)


def test_other_suffixes_are_refused():
    with pytest.raises(InputError, match=r"\.mkv"):
        container_of("out.avi")


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_an_error_inside_leaves_nothing(tmp_path, name):
    with pytest.raises(RuntimeError), video_file(tmp_path / name, 32, 32) as out:
        out.picture(noise(1, 32, 32)[0], 0, FRAME)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, name):
    # A limit on file size stands in for the disk: the system refuses the same write calls.
    code = f"""
import resource, numpy as np
from avatar.errors import StorageError
from service.video_out import video_file
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
pictures = np.random.default_rng(1).integers(0, 256, (40, 64, 64, 3), np.uint8)
try:
    with video_file({str(tmp_path / name)!r}, 64, 64) as out:
        for i, picture in enumerate(pictures):
            out.picture(picture, i * 40_000, 40_000)
except StorageError as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert "the disk is full" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(StorageError, match="folder"), video_file(tmp_path / "no" / "a.mkv", 8, 8):
        pass


@pytest.mark.parametrize(("codec", "suffix"), [("aac", "mp4"), ("libopus", "mkv")])
@pytest.mark.parametrize("target", ["out.mkv", "out.mp4"])
def test_sound_stays_in_time(tmp_path, codec, suffix, target):
    rate = 48_000 if codec == "libopus" else 44_100
    source = click_video(tmp_path / f"in.{suffix}", 2.0, 1.25, codec, rate)
    audio = read_audio(source, 0, 2_000_000)
    write(tmp_path / target, noise(50, 32, 32), audio)
    assert click_in(tmp_path / target) == pytest.approx(click_in(source), abs=0.003)


@pytest.mark.parametrize(("codec", "suffix"), [("aac", "mp4"), ("libopus", "mkv")])
@pytest.mark.parametrize("target", ["out.mkv", "out.mp4"])
def test_a_cut_begins_at_its_exact_time(tmp_path, codec, suffix, target):
    rate = 48_000 if codec == "libopus" else 44_100
    source = click_video(tmp_path / f"in.{suffix}", 3.0, 1.25, codec, rate)
    audio = read_audio(source, 1_000_000, 2_000_000).shifted(-1_000_000)
    write(tmp_path / target, noise(25, 32, 32), audio)
    assert click_in(tmp_path / target) == pytest.approx(click_in(source) - 1.0, abs=0.003)


def test_opus_is_copied_not_coded_again(tmp_path):
    source = click_video(tmp_path / "in.mkv", 1.0, 0.5, "libopus", 48_000)
    with av.open(str(source)) as container:
        original = [bytes(p) for p in container.demux(audio=0) if p.size]
    audio = read_audio(source, 0, 1_000_000)
    assert [p.data for p in audio.packets] == original[: len(audio.packets)]
    write(tmp_path / "out.mkv", noise(25, 32, 32), audio)
    assert read_audio(tmp_path / "out.mkv", 0, 1_000_000).packets == audio.packets


def test_a_hole_in_the_sound_becomes_silence(tmp_path):
    rate = 48_000
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        sound = out.add_stream("pcm_s16le", rate=rate)
        sound.layout = "mono"
        for start in (0, 60_000):  # a quarter of a second is missing between the two
            tone = (8000 * np.sin(np.arange(48_000) * 0.1)).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    audio = read_audio(tmp_path / "in.mkv", 0, 2_250_000)
    samples = sum(duration_of(p.data) for p in audio.packets)
    assert samples / rate == pytest.approx(2.25, abs=0.03)


def test_no_sound_is_none(tmp_path):
    write(tmp_path / "a.mkv", noise(2))
    assert read_audio(tmp_path / "a.mkv", 0, 80_000) is None
    assert read_audio(tmp_path / "missing.mkv", 0, 80_000) is None
