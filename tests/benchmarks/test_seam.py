"""The border of head and torso, on a person whose border is known, and on steps that are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from avatar.camera import Pinhole
from avatar.face import StateLayout
from benchmarks.seam import REACH, Border, border, opacities, steps
from render.fields.settings import FieldSettings
from render.person import Person

FIELDS = FieldSettings(
    coarse=(12, 16, 16), plane=40, side=16, channels=8, blend=12, blend_channels=4, warp=(3, 6, 6),
    hidden=16, torso_plane=24, torso_channels=8, background=24,
)  # fmt: skip
LAYOUT = StateLayout()
SIZE = 96


@pytest.fixture(scope="module")
def person():
    """An ellipsoid before a torso that fills the lower half of the window."""
    person = Person(FIELDS, Pinhole(2.0), LAYOUT).requires_grad_(False).eval()
    z, y, x = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in FIELDS.coarse), indexing="ij")
    person.head.coarse[0, ..., 0] = (0.7 - (x**2 + 0.8 * y**2 + z**2)) * 14.0
    person.torso.plane[0, 12:, :, 0] = 9.0
    person.torso.plane[0, :12, :, 0] = -9.0
    return person


def test_the_border_runs_along_the_head_where_the_torso_is_behind(person):
    values = np.zeros(LAYOUT.width, np.float32)
    values[LAYOUT.groups["translation"]] = (0.0, 0.0, -0.8)
    head, torso = opacities(person, values, SIZE)
    assert 0.05 < (head > 0.5).mean() < 0.6 and 0.3 < (torso > 0.5).mean() < 0.7
    found = border(person, values, SIZE)
    assert len(found.at) > 20
    assert found.at[:, 0].min() >= SIZE / 2 - 3  # none above the torso
    np.testing.assert_allclose(np.linalg.norm(found.across, axis=1), 1.0, atol=1e-6)
    middle = np.argwhere(head >= 0.5).mean(0)
    away = found.at - middle
    assert ((away * found.across).sum(1) > 0).all()  # out of the head
    assert (head[tuple(np.rint(found.at + 3 * found.across).astype(int).T)] < 0.5).all()


def test_a_step_counts_as_itself_and_a_slope_by_its_length():
    rows = np.arange(64, dtype=float)
    at = np.stack([np.full(30, 32.0), np.arange(10, 40)], axis=1)
    along = Border(at, np.tile([1.0, 0.0], (30, 1)))

    def picture(line):
        return np.tile(np.rint(line)[:, None, None], (1, 64, 3)).astype(np.uint8)

    colour, gradient = steps(picture(np.where(rows > 32, 150, 100)), along)
    assert colour == pytest.approx(50.0) and gradient == pytest.approx(0.0)
    colour, gradient = steps(picture(2 * rows), along)
    assert colour == pytest.approx(4 * REACH) and gradient == pytest.approx(0.0, abs=1e-6)
    colour, gradient = steps(picture(100 + 4 * np.abs(rows - 32)), along)  # a crease
    assert colour == pytest.approx(0.0, abs=1e-6) and gradient == pytest.approx(8 * REACH)
