"""dlib's descriptor: which landmarks it is given, what becomes of its numbers, and, where dlib and
its network are, that it knows people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.assets import has_asset
from avatar.errors import MissingError
from avatar.morphable import FaceModel
from bench.metrics import dlib_identity
from bench.metrics.registry import metric
from bench.metrics.tracked import Tracked
from bench.metrics.tracked import missing as tracker_missing

# Of a face of side 1, as dlib's `get_face_chip_details` has its five landmarks, y downwards.
DLIBS = [[0.8596, 0.2135], [0.6461, 0.2290], [0.1206, 0.2137], [0.3341, 0.2291], [0.4901, 0.6278]]


def test_the_landmarks_are_dlibs_five() -> None:
    five = FaceModel.load().mean[list(dlib_identity.PLACES)]
    # Head space seen from the front: its x to the picture's, whichever way it counts.
    fits = []
    for across in (1, -1):
        for down in (1, -1):
            x = five[:, :2] * [across, down]
            x = x - x.mean(0)
            y = np.array(DLIBS) - np.mean(DLIBS, axis=0)
            u, s, v = np.linalg.svd(y.T @ x)
            if np.linalg.det(u @ v) < 0:  # a mirrored face is no fit
                continue
            turned = x @ (u @ v).T * s.sum() / (x**2).sum()
            fits.append((np.abs(turned - y).max(), np.abs((u @ v) - np.eye(2)).max()))
    # One upright fit within 5 % of the face; an order of points that is wrong has none.
    assert min(fit for fit, turn in fits if turn < 0.1) < 0.05


def test_figures_are_cosine_and_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.zeros((6, 8, 8, 3), np.uint8)
    points = np.full((6, 478, 2), 4.0)

    class Two:
        def describe(self, image: np.ndarray, points: np.ndarray) -> np.ndarray:
            return np.repeat([3.0, 4.0] if image.any() else [2.0, 0.0], [1, 127])

    monkeypatch.setattr(dlib_identity, "_describer", Two)
    both = Tracked(points, None), Tracked(points, None)
    monkeypatch.setattr("bench.metrics.identity.tracked", lambda a, b: both)
    a, b = np.r_[2.0, np.zeros(127)], np.r_[3.0, np.full(127, 4.0)]
    found = dlib_identity.csim(frames, frames + np.uint8(1))
    assert found[0] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert found[5] == found[0] and np.isnan(found[1:5]).all()
    assert dlib_identity.aed(frames, frames + np.uint8(1))[0] == pytest.approx(
        np.linalg.norm(a - b)
    )
    assert dlib_identity.aed(frames, frames)[0] == 0


def test_what_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEWIRE_MODELS", str(tmp_path))
    monkeypatch.setattr(dlib_identity, "tracker_missing", lambda: "")
    for name in ("CSIM-DLIB", "AED-DLIB"):
        monkeypatch.setattr(dlib_identity, "find_spec", lambda module: None)
        assert metric(name).missing() == (
            "needs pip install 'facewire[dlib]' and dlib_face_recognition_resnet_model_v1.dat"
        )
        with pytest.raises(MissingError, match="needs pip install"):
            metric(name).measure(np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8, 3), np.uint8))
        monkeypatch.setattr(dlib_identity, "find_spec", lambda module: module)
        assert (
            metric(name).missing().startswith("needs dlib_face_recognition_resnet_model_v1.dat in")
        )


def test_it_knows_a_face_again() -> None:
    pytest.importorskip("dlib")
    if not has_asset(dlib_identity.NETWORK) or tracker_missing():
        pytest.skip("no network of dlib's, or no tracker")
    from skimage.data import astronaut

    face = astronaut()[None, 0:256, 96:352]
    noisy = face + np.random.default_rng(0).normal(0, 12, face.shape)
    same = metric("AED-DLIB").measure(face, noisy.clip(0, 255).astype(np.uint8))
    assert 0 < float(same[0]) < 0.35
