"""What an enrolment holds in memory of a long video."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, replace

import numpy as np
import pytest

from avatar.camera import Pinhole
from avatar.face import FaceTrack, Window
from avatar.morphable import FaceModel
from service.enrolment import EnrolmentSettings, enrol, spread

WINDOW = Window(0.0, 0.0, 16.0, 16, 16)


def track(frames, fps=30.0, first=0):
    """first: the row of the first frame with a face."""
    zeros = np.zeros((frames, 79), np.float32)
    return FaceTrack(
        time=(np.arange(frames) * 1e6 / fps).astype(np.int64),
        expression=zeros, rotation=zeros[:, :3], translation=zeros[:, :3], gaze=zeros[:, :4],
        lids=zeros[:, :2], torso=zeros[:, :4], box=zeros[:, :4],
        confidence=(np.arange(frames) >= first).astype(np.float32),
        mask=np.zeros((frames, 64, 64), np.uint8),
        identity=np.zeros(FaceModel.load().identities, np.float32),
        camera=Pinhole(1.2), window=WINDOW,
    )  # fmt: skip


def test_a_usual_clip_is_kept_as_it_is():
    for fps in (25.0, 50.0):
        minute = track(int(60 * fps), fps)
        kept = spread(minute, EnrolmentSettings().frames)
        assert np.array_equal(kept, np.arange(len(minute)))


def test_of_a_long_one_ten_seconds_are_kept_and_what_teaches_most():
    long = track(18_000, first=900)
    yaw = np.random.default_rng(0).normal(0.0, 0.01, len(long))
    yaw[12_000:12_050] = np.linspace(0.2, 0.8, 50)  # the only turn of ten minutes
    yaw[:900] = 2.0  # nobody is seen there, whatever the numbers say
    rotation = np.zeros((len(long), 3), np.float32)
    rotation[:, 1] = yaw
    rows = spread(replace(long, rotation=rotation), 3000)
    assert len(rows) == 3000 and np.all(np.diff(rows) > 0) and rows[0] >= 900
    assert set(range(900, 1200)) <= set(rows.tolist())
    assert set(range(12_000, 12_050)) <= set(rows.tolist())


@dataclass
class Shown:
    image: np.ndarray
    time: int


def test_pictures_are_held_once():
    pytest.importorskip("cv2")
    from enroll.crops import read_crops

    long = track(400)
    some = long.cut(spread(long, 200))
    video = (
        Shown(np.full((16, 16, 3), n % 251, np.uint8), int(t)) for n, t in enumerate(long.time)
    )
    tracemalloc.start()
    crops = read_crops(video, WINDOW, 64, some.time).at(some.time)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * crops.images.nbytes
    shown = np.flatnonzero(np.isin(long.time, some.time)) % 251
    assert np.array_equal(crops.images[:, 5, 5, 0], shown)


def test_who_films_for_long_is_told_and_gets_an_avatar_of_some(
    monkeypatch, make_video, archive, tmp_path
):
    for package in ("av", "torch"):
        pytest.importorskip(package)
    import enroll.fit
    from avatar.archive import parse_avatar
    from avatar.avatar import Consent

    def fit(pictures, track, *_, **__):
        given.append((pictures, track))
        return parse_avatar(archive)

    given = []
    monkeypatch.setattr(enroll.fit, "fit", fit)
    long = track(60, 25.0)
    video = make_video([np.full((16, 16, 3), 4 * n, np.uint8) for n in range(60)])
    consent = Consent("self", "tests", "2026-01-01T00:00:00+00:00", "page", "1")
    settings = EnrolmentSettings(size=32, frames=40)
    target = tmp_path / "a.avatar"
    made = enrol([video, video], "Ada", consent, target, settings, tracks=[long, long])
    ((pictures, learned),) = given
    assert len(pictures) == len(learned) == 40
    assert np.array_equal(pictures.images[20:, 0, 0, 0], pictures.images[:20, 0, 0, 0])
    assert "40 of 120 frames" in made.warnings[0] and 0 < made.coverage.shares["length"] < 1
