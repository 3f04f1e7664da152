"""The methods so small that they train in a test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar.morphable import FaceModel
from bench.generative.settings import METHODS, MethodSettings
from codec.mttf.portraits import Portraits
from tests.codec.mttf.conftest import people

_BODY = np.array([[0.3, 0.75], [0.7, 0.75], [0.3, 1.05], [0.7, 1.05]], np.float32)


def tiny_of(method: str) -> MethodSettings:
    numbers = METHODS[f"{method}-lite"].numbers
    return MethodSettings(
        f"{method}-tiny",
        numbers,
        grid=16,
        largest=64,
        detector=(4, 8),
        motion=(8, 8),
        features=(4, 4, 8),
        residuals=1,
    )


def mesh(shift: float = 0.0) -> np.ndarray:
    """[482, 2] the model's mean face where `scene` has its blob, and the body's marks below."""
    points = FaceModel.load().mean[:, :2] * [1, -1]
    face = (points - points.mean(axis=0)) / (3 * np.ptp(points[:, 1])) + [0.5 + shift, 0.5]
    return np.concatenate([face, _BODY]).astype(np.float32)


def learned_from(settings: MethodSettings) -> Portraits:
    """`people`, with faces for a method that is told by them."""
    portraits = people()
    if settings.method != "bilayer":
        return portraits
    meshes = np.stack([mesh(0.06 * (n % 4) - 0.1) for n in range(len(portraits.clip))])
    mirror = np.r_[FaceModel.load().mirror, 479, 478, 481, 480].astype(np.int64)
    return replace(portraits, meshes=meshes, mirror=mirror)


@pytest.fixture(params=[settings.method for settings in METHODS.values()])
def tiny_method(request: pytest.FixtureRequest) -> MethodSettings:
    return tiny_of(request.param)
