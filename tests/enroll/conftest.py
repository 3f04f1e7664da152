"""A painted person of known pose and expression, small enough to fit in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.camera import Pinhole
from avatar.face import EXPRESSIONS, FaceTrack, Window


@pytest.fixture(scope="session")
def painted():
    """(images [F, 48, 48, 3] uint8, FaceTrack): a face that wanders and opens its mouth with the
    first expression coefficient, over a blue torso and a dark room."""
    frames, size = 30, 48
    phase = np.linspace(0, 5.3 * np.pi, frames)
    shift = np.stack([0.04 * np.sin(phase), 0.02 * np.cos(0.7 * phase), np.zeros(frames)], axis=1)
    opening = 0.5 + 0.5 * np.sin(3 * phase)
    camera = Pinhole(2.0)
    translation = (shift + [0.0, 0.0, -0.8]).astype(np.float32)
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    images = np.empty((frames, size, size, 3), np.uint8)
    masks = np.zeros((frames, 64, 64), np.uint8)
    boxes = np.empty((frames, 4), np.float32)
    for f in range(frames):
        u, v = camera.project(translation[f].astype(float))
        picture = np.full((size, size, 3), 40.0)
        picture[(np.abs(x - 0.5) < 0.36) & (y > 0.78)] = [40, 60, 160]
        head = ((x - u) / 0.17) ** 2 + ((y - v) / 0.22) ** 2 < 1
        picture[head] = [200, 150, 120]
        for side in (-1, 1):
            picture[(x - u - side * 0.07) ** 2 + (y - v + 0.06) ** 2 < 0.02**2] = [30, 20, 20]
        mouth = ((x - u) / 0.07) ** 2 + ((y - v - 0.1) / (0.01 + 0.04 * opening[f])) ** 2 < 1
        picture[mouth] = [110, 20, 30]
        images[f] = picture
        person = head | ((np.abs(x - 0.5) < 0.36) & (y > 0.78))
        masks[f] = _to_64(person)
        boxes[f] = [u - 0.15, v - 0.18, u + 0.15, v + 0.2]
    expression = np.zeros((frames, EXPRESSIONS), np.float32)
    expression[:, 0] = opening
    zeros = np.zeros
    track = FaceTrack(
        time=np.arange(frames, dtype=np.int64) * 40_000,
        expression=expression,
        rotation=zeros((frames, 3), np.float32),
        translation=translation,
        gaze=zeros((frames, 4), np.float32),
        lids=np.ones((frames, 2), np.float32),
        torso=zeros((frames, 4), np.float32),
        confidence=np.ones(frames, np.float32),
        box=boxes,
        mask=masks,
        identity=zeros(_identities(), np.float32),
        camera=camera,
        window=Window(0, 0, size, size, size),
    )
    return images, track


def _to_64(mask):
    rows = np.arange(64) * mask.shape[0] // 64
    return (mask[rows][:, rows] * 255).astype(np.uint8)


def _identities() -> int:
    from avatar.morphable import FaceModel

    return FaceModel.load().identities
