"""Frames carried to a machine that can neither read video nor find a face."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from avatar.errors import FormatError, InputError
from avatar.face import Window
from avatar.track_file import write_track
from enroll.crops import read_crops
from enroll.crops_file import CropsSettings, load_crops, write_crops
from render.metrics import psnr


@dataclass
class Shown:
    image: np.ndarray
    time: int


@pytest.fixture
def video(painted) -> list[Shown]:
    images, track = painted
    return [Shown(image, int(time)) for image, time in zip(images, track.time)]


def test_lossless_frames_are_the_videos_own(video, tmp_path):
    window = Window(4, 2, 40, 48, 48)
    path = tmp_path / "a.crops"
    assert write_crops(video, window, path, CropsSettings(40, 100)) == len(video)
    times = np.array([v.time for v in video])
    ours, direct = load_crops(path, 40), read_crops(video, window, 40, times)
    assert np.array_equal(ours.images, direct.images) and np.array_equal(ours.time, direct.time)
    assert load_crops(path, 32).images.shape == (len(video), 32, 32, 3)
    some = load_crops(path, 40, times[::3])
    assert np.array_equal(some.images, ours.images[::3]) and np.array_equal(some.time, times[::3])


def test_jpeg_is_smaller_and_near(video, tmp_path):
    window = Window(0, 0, 48, 48, 48)
    write_crops(video, window, tmp_path / "a.crops", CropsSettings(48, 95))
    crops = load_crops(tmp_path / "a.crops", 48)
    assert min(psnr(v.image, c) for v, c in zip(video, crops.images)) > 30.0


def test_what_is_damaged_or_too_small_is_refused(video, tmp_path):
    path = tmp_path / "a.crops"
    write_crops(video, Window(0, 0, 48, 48, 48), path, CropsSettings(48))
    with pytest.raises(InputError, match="fewer than 64"):
        load_crops(path, 64)
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="checksum"):
        load_crops(path, 48)
    for junk in (b"", b"abc", bytes(100)):
        path.write_bytes(junk)
        with pytest.raises(FormatError):
            load_crops(path, 48)
    with pytest.raises(InputError, match="no frame"):
        write_crops([], Window(0, 0, 48, 48, 48), path)
    with pytest.raises(InputError, match="quality"):
        write_crops(video, Window(0, 0, 48, 48, 48), path, CropsSettings(48, 101))


FIT = """
import sys
for name in ("mediapipe", "av", "jax", "scipy"):
    sys.modules[name] = None  # the import system then raises ModuleNotFoundError
from avatar.morphable import FaceModel
from avatar.track_file import read_track
from enroll.draw import DrawSettings
from enroll.fit import Fit, FitSettings
from pathlib import Path
from render.fields.settings import FieldSettings
from service.enrolment import pictures_of

track = read_track(sys.argv[2])
crops = pictures_of(Path(sys.argv[1]), track, 32).at(track.time)
fields = FieldSettings(coarse=(6, 8, 8), plane=24, side=8, channels=8, blend=8, blend_channels=4,
    warp=(3, 4, 4), hidden=16, torso_plane=16, torso_channels=8, background=16)
draw = DrawSettings(frames=2, head=40, behind=10)
fit = Fit(crops, track, FaceModel.load(), FitSettings(device="cpu", fields=fields, draw=draw))
print(float(fit.step(0.0)["fine"]), float(fit.step(0.5)["fine"]))
"""


def test_a_fit_starts_without_tracker_and_decoder(painted, video, tmp_path):
    _, track = painted
    write_track(track, tmp_path / "p.track")
    write_crops(video, track.window, tmp_path / "p.crops", CropsSettings(48, 100))
    done = subprocess.run(
        [sys.executable, "-c", FIT, str(tmp_path / "p.crops"), str(tmp_path / "p.track")],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(0.0 < float(loss) < 1.0 for loss in done.stdout.split())


def test_frames_need_their_track(painted, video, tmp_path):
    from avatar.avatar import Consent
    from service.enrolment import enrol

    _, track = painted
    write_crops(video, track.window, tmp_path / "p.crops", CropsSettings(48))
    consent = Consent("self", "a test", "2026-01-01T00:00:00Z", "flag", "1")
    with pytest.raises(InputError, match="where the face is"):
        enrol([tmp_path / "p.crops"], "Ada", consent, tmp_path / "a.avatar")
