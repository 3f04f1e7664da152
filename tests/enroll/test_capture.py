"""Videos as they come: whole, rotated, of odd size and rate, damaged, and not videos at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.errors import VideoError
from enroll.capture import open_video


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    small = rng.integers(30, 220, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
    still = np.kron(small, np.ones((8, 8, 1), np.uint8))[:height, :width]
    moved = [np.roll(still, 3 * k, axis=1) for k in range(count)]
    for k, picture in enumerate(moved):
        picture[:8, :8] = 10 * (k % 20) + 5
    return moved


def test_frames_come_as_they_were(make_video):
    frames = pictures(7)
    video = open_video(make_video(frames, fps=25, audio=True))
    info = video.info
    assert (info.width, info.height, info.has_audio) == (64, 48, True)
    assert info.fps == pytest.approx(25, rel=0.01)
    got = list(video)
    assert [f.time for f in got] == [40_000 * k for k in range(7)]
    for want, frame in zip(frames, got, strict=True):
        np.testing.assert_array_equal(frame.image, want)
    assert not video.damaged and not video.warnings
    assert [f.time for f in video] == [f.time for f in got], "a file can be gone through again"


def test_variable_frame_rate_keeps_its_times(make_video):
    times = [0, 33_000, 50_000, 120_000, 121_000, 400_000]
    assert [f.time for f in open_video(make_video(pictures(6), times=times))] == times


def test_a_late_start_counts_from_the_first_frame(make_video):
    times = [500_000, 540_000, 580_000]
    video = open_video(make_video(pictures(3), times=times))
    assert [f.time for f in video] == [0, 40_000, 80_000]
    assert video.info.start == 500_000


@pytest.mark.parametrize("size", [(47, 63), (33, 48), (48, 31)])
def test_odd_sizes(make_video, size):
    height, width = size
    frames = pictures(2, height, width)
    got = list(open_video(make_video(frames)))
    np.testing.assert_array_equal(got[1].image, frames[1])


def test_one_frame(make_video):
    assert len(list(open_video(make_video(pictures(1))))) == 1


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_display_rotation_is_applied(make_video, degrees):
    frames = pictures(3)
    path = make_video(frames, name="turned.mp4", codec="libx264")
    turn_in_place(path, degrees)
    video = open_video(path)
    want = np.rot90(frames[0], -degrees // 90)  # the matrix tells clockwise degrees to show
    got = next(iter(video)).image
    assert got.shape == want.shape == (video.info.height, video.info.width, 3)
    assert np.abs(got.astype(int) - want).mean() < 8
    other = np.rot90(want, 2)
    assert np.abs(got.astype(int) - other).mean() > 20


def turn_in_place(path: Path, degrees: int) -> None:
    """Sets the rotation matrix in the track header of an mp4, as a phone does."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version and flags 4, times and ids 20, layer and so on 16
    one = 1 << 16
    cosine = {90: 0, 180: -1, 270: 0}[degrees]
    sine = {90: 1, 180: 0, 270: -1}[degrees]
    matrix = [cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30]
    data[at : at + 36] = b"".join(m.to_bytes(4, "big", signed=True) for m in matrix)
    path.write_bytes(data)


def test_a_range_of_frames(make_video):
    path = make_video(pictures(10))
    assert [f.time for f in open_video(path, slice(3, 6))] == [120_000, 160_000, 200_000]
    assert len(list(open_video(path, slice(8, None)))) == 2
    assert not list(open_video(path, slice(50, 60)))
    with pytest.raises(VideoError, match="range"):
        open_video(path, slice(5, 5))


def test_samples_are_spread_key_frames(make_video):
    path = make_video(pictures(20))
    found = open_video(path).samples(4)
    assert 2 <= len(found) <= 4
    assert len({f.time for f in found}) == len(found)
    assert found[-1].time >= 300_000


def test_what_is_no_video(tmp_path: Path, make_video):
    with pytest.raises(VideoError, match="does not exist"):
        open_video(tmp_path / "absent.mp4")
    with pytest.raises(VideoError, match="folder"):
        open_video(tmp_path)
    text = tmp_path / "notes.mp4"
    text.write_text("not a video " * 500)
    with pytest.raises(VideoError, match="cannot be read"):
        open_video(text)
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(VideoError):
        open_video(tmp_path / "empty.mp4")


def test_sound_alone_is_no_video(tmp_path: Path):
    import av

    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w") as container:
        tone = container.add_stream("aac", rate=48_000)
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 4800), np.float32), format="fltp", layout="mono"
        )
        sound.sample_rate, sound.pts = 48_000, 0
        container.mux(tone.encode(sound))
        container.mux(tone.encode(None))
    with pytest.raises(VideoError, match="no picture"):
        open_video(path)


def test_a_camera_that_is_not_there():
    with pytest.raises(VideoError, match="Camera 87"):
        open_video("87")


@pytest.mark.parametrize("kind", [("clip.mkv", "ffv1"), ("clip.mp4", "libx264")])
def test_cut_anywhere_it_gives_what_is_left_or_says_why_not(make_video, tmp_path, kind):
    name, codec = kind
    whole = make_video(pictures(12), name=name, codec=codec).read_bytes()
    path = tmp_path / ("cut" + name[-4:])
    counts = []
    for cut in np.linspace(0, len(whole) - 1, 20).astype(int):
        path.write_bytes(whole[:cut])
        try:
            video = open_video(path)
            count = len(list(video))
        except VideoError:
            counts.append(0)
            continue
        assert count <= 12
        if count < 12 and name.endswith("mp4"):
            assert video.damaged and video.warnings
        counts.append(count)
    assert counts == sorted(counts), "more bytes never give fewer frames"
    if name.endswith("mkv"):
        assert 0 < counts[len(counts) // 2] < 12


def test_flipped_bytes_neither_crash_nor_hang(make_video, tmp_path):
    whole = make_video(pictures(12), name="clip.mp4", codec="libx264").read_bytes()
    path = tmp_path / "flipped.mp4"
    rng = np.random.default_rng(2)
    for _ in range(25):
        changed = bytearray(whole)
        for at in rng.integers(0, len(whole), 8):
            changed[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            video = open_video(path)
            for frame in video:
                assert frame.image.shape == (video.info.height, video.info.width, 3)
        except VideoError:
            pass


def test_times_that_stand_still_are_dropped_and_said(make_video, monkeypatch):
    video = open_video(make_video(pictures(4)))
    import enroll.capture as capture

    decoded = capture._decoded

    def twice(*arguments):
        for picture in decoded(*arguments):
            yield picture
            yield picture

    monkeypatch.setattr(capture, "_decoded", twice)
    assert len(list(video)) == 4
    assert "does not rise" in video.warnings[0]


def test_a_clip_whose_header_promises_more(clips: Path):
    video = open_video(clips / "enrol" / "hd1080.mp4", slice(0, 3))
    assert video.info.frames == 448
    assert len(list(video)) == 3
