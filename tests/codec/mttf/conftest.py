"""A network so small that it trains in a test, and pictures that move."""

from __future__ import annotations

import numpy as np
import pytest

from codec.mttf.portraits import Portraits
from codec.mttf.settings import NetworkSettings

TINY = NetworkSettings(
    "tiny",
    grid=16,
    extractor=(4, 8),
    predictor=8,
    flow=(8, 8),
    weight=(8, 8),
    ground=(4, 8),
    foreground=(4, 4, 8),
    scenery=(4, 4, 4),
    latents=4,
    background=2,
    largest=64,
)


@pytest.fixture
def tiny() -> NetworkSettings:
    return TINY


def scene(shift: float, side: int = 64, seed: int = 0) -> np.ndarray:
    """[side, side, 3] uint8: a blob, `shift` of the side off the middle, on a still ground."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    ground = 0.3 + 0.2 * np.sin(rng.uniform(4, 9, 3) * x[..., None] + rng.uniform(0, 3, 3))
    blob = np.exp(-(((x - 0.5 - shift) ** 2 + (y - 0.5) ** 2) / 0.02))[..., None]
    colour = rng.uniform(0.4, 1.0, 3)
    return np.round(255 * (ground * (1 - blob) + colour * blob)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def make_scene():
    return scene


def people() -> Portraits:
    """Three people, two clips of the first, four pictures of each; landmarks at random."""
    pictures, mattes, clips, persons = [], [], [], []
    for clip, person in enumerate((0, 0, 1, 2)):
        for n in range(4):
            picture = scene(0.06 * n - 0.1, 64, seed=person)
            pictures.append(picture)
            mattes.append((picture.mean(-1) > 140).astype(np.uint8)[::2, ::2] * 255)
            clips.append(clip)
            persons.append(person)
    meshes = np.random.default_rng(0).uniform(0.2, 0.8, (len(clips), 20, 2)).astype(np.float32)
    return Portraits(
        np.stack(pictures),
        np.stack(mattes),
        np.array(clips),
        np.array(persons),
        meshes,
        np.arange(20)[::-1].copy(),
    )
