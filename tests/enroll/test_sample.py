"""The sample clip: repeatable, tracked in every frame, alive where it should be and still where
it should not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.errors import InputError, StorageError
from enroll.sample import RATE, SampleSettings, sample_clip, sample_voice, write_sample
from enroll.sample_script import follow, perform

pytest.importorskip("mediapipe")
pytest.importorskip("skimage")

SHORT = SampleSettings(size=128, seconds=1.2)


@pytest.fixture(scope="module")
def spread() -> list[np.ndarray]:
    """Pictures at 256 pixels from all over the 15 s: every 15th frame."""
    from enroll.puppet import Puppet

    performance = SampleSettings().performance()
    puppet = Puppet(256)
    return [puppet.draw(performance, f) for f in range(0, 375, 15)]


def test_the_script_does_not_depend_on_how_it_is_sampled() -> None:
    fast, slow = perform(np.arange(200) / 50), perform(np.arange(100) / 25)
    for name in ("yaw", "jaw", "blink", "gaze", "loudness"):
        np.testing.assert_allclose(getattr(fast, name)[::2], getattr(slow, name), atol=1e-9)


def test_the_script_turns_nods_blinks_and_speaks() -> None:
    p = SampleSettings().performance()
    assert np.rad2deg(np.ptp(p.yaw)) > 20 and np.rad2deg(np.ptp(p.pitch)) > 10
    assert p.blink.max() > 0.95 and ((p.blink[1:] > 0.5) & (p.blink[:-1] <= 0.5)).sum() >= 4
    assert p.jaw.max() > 0.6 and p.pucker.max() > 0.5 and p.press.max() > 0.5
    # The last tenth, which is judged, does what the rest has shown.
    tail = slice(337, None)
    assert p.jaw[tail].max() > 0.3
    for name in ("yaw", "pitch", "roll"):
        angle = getattr(p, name)
        assert angle[tail].max() <= angle[:337].max() + 0.02
        assert angle[tail].min() >= angle[:337].min() - 0.02


def test_who_follows_a_script_makes_its_gestures_in_their_order() -> None:
    p = follow(["left", "blink", "up", "read", "right", "open"], 20)
    blinks = np.flatnonzero((p.blink[1:] > 0.5) & (p.blink[:-1] <= 0.5))
    moments = [p.yaw.argmax(), *blinks, p.pitch.argmin(), p.yaw.argmin(), p.jaw.argmax()]
    assert len(blinks) == 2 and moments == sorted(moments)
    for name in ("yaw", "pitch", "jaw", "blink"):
        track = getattr(p, name)
        assert track[0] == track[-1] == pytest.approx(np.median(track))


def test_shut_eyes_are_shut_for_the_tracker() -> None:
    from enroll.mesh import MediaPipeMesh
    from enroll.puppet import Puppet

    performance = follow(["blink"], 10)
    source, puppet = MediaPipeMesh(), Puppet(256)

    def opening(frame: int) -> float:
        """Between the middles of the lids, in widths of the eye, the wider open eye's."""
        face = source.find(puppet.draw(performance, frame))
        assert face is not None
        gaps = [
            np.linalg.norm(face.points[up, :2] - face.points[low, :2])
            / np.linalg.norm(face.points[a, :2] - face.points[b, :2])
            for up, low, a, b in ((159, 145, 33, 133), (386, 374, 362, 263))
        ]
        return float(max(gaps))

    try:
        assert opening(int(performance.blink.argmax())) < 0.4 * opening(0)
    finally:
        source.close()


def test_a_face_is_found_in_every_picture(spread: list[np.ndarray]) -> None:
    from enroll.mesh import MediaPipeMesh

    source = MediaPipeMesh()
    try:
        faces = [source.find(picture) for picture in spread]
    finally:
        source.close()
    boxes = np.array([face.box for face in faces if face is not None])
    assert len(boxes) == len(spread)
    assert (boxes[:, 2] - boxes[:, 0]).min() > 0.25 * 256
    assert boxes.min() > 0 and boxes.max() < 256


def test_the_background_stands_still_and_the_head_does_not(spread: list[np.ndarray]) -> None:
    change = np.stack(spread).astype(float).std(axis=0).mean(axis=2)
    assert change[:30, :30].max() < 0.5 and change[:30, -30:].max() < 0.5
    assert change[70:130, 90:150].mean() > 8


def test_frames_come_with_times_and_are_the_same_twice() -> None:
    first, second = list(sample_clip(SHORT)), list(sample_clip(SHORT))
    assert [f.time for f in first] == [40_000 * n for n in range(30)]
    assert first[0].image.shape == (128, 128, 3) and first[0].image.dtype == np.uint8
    for a, b in zip(first, second):
        assert np.array_equal(a.image, b.image)
    assert not np.array_equal(first[0].image, first[-1].image)


def test_the_voice_lasts_as_long_as_the_picture_and_pauses_with_it() -> None:
    settings = SampleSettings(seconds=6.0)
    voice = sample_voice(settings)
    assert len(voice) == 6 * RATE and 0.2 < np.abs(voice).max() <= 0.25
    level = np.sqrt(np.mean(voice.reshape(-1, RATE // 25) ** 2, axis=1))
    loud = settings.performance().loudness
    assert np.corrcoef(level, loud)[0, 1] > 0.5
    assert level[:5].max() < 0.02 * level.max()  # before the first word


@pytest.mark.parametrize("name", ["sample.mkv", "sample.mp4"])
def test_the_file_holds_picture_and_sound(tmp_path: Path, name: str) -> None:
    av = pytest.importorskip("av")
    seen: list[tuple[int, int]] = []
    path = write_sample(tmp_path / name, SHORT, progress=lambda a, b: seen.append((a, b)))
    assert seen[-1] == (30, 30)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    with av.open(str(path)) as container:
        pictures = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    with av.open(str(path)) as container:
        samples = sum(f.samples for f in container.decode(audio=0))
    assert len(pictures) == 30
    assert samples / RATE == pytest.approx(1.2, abs=0.1)
    made = next(sample_clip(SHORT)).image
    if name.endswith(".mkv"):
        assert np.array_equal(pictures[0], made)
    else:
        assert np.abs(pictures[0].astype(int) - made).mean() < 3


def test_settings_that_cannot_be_made_are_refused() -> None:
    for settings in ({"size": 63}, {"size": 2048}, {"fps": 0}, {"seconds": 0.0}):
        with pytest.raises(InputError, match="cannot be made"):
            SampleSettings(**settings)  # type: ignore[arg-type]


def test_a_name_or_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.mkv or \.mp4"):
        write_sample(tmp_path / "sample.avi", SHORT)
    with pytest.raises(StorageError, match="cannot be written"):
        write_sample(tmp_path / "nowhere" / "sample.mkv", SHORT)
