"""The quick way to a picture against the plain one: every ray's own two stages, in torch."""

from __future__ import annotations

import pytest
import torch

from avatar.camera import Pinhole
from avatar.face import StateLayout
from render import guide
from render.fields.settings import COLOUR, FieldSettings
from render.metrics import psnr
from render.person import Person, SamplingSettings
from render.picture import picture, pixel_points

FIELDS = FieldSettings(
    coarse=(12, 16, 16), plane=40, side=16, channels=8, blend=12, blend_channels=4, warp=(3, 6, 6),
    hidden=16, torso_plane=24, torso_channels=8, background=24,
)  # fmt: skip
LAYOUT = StateLayout()
SAMPLING = SamplingSettings(20, 8)


@pytest.fixture(scope="module")
def person() -> Person:
    torch.manual_seed(3)
    person = Person(FIELDS, Pinhole(2.0), LAYOUT).requires_grad_(False)
    axis = [torch.linspace(-1, 1, n) for n in FIELDS.coarse]
    z, y, x = torch.meshgrid(*axis, indexing="ij")
    person.head.coarse[0, ..., 0] = (0.7 - (x**2 + 0.8 * y**2 + z**2)) * 14.0
    person.head.front[0, ..., COLOUR] = torch.rand(8, 8, 3).repeat_interleave(5, 0).repeat(1, 5, 1)
    person.head.warp.normal_(0.0, 0.02)
    person.head.blend.normal_(0.0, 0.1)
    person.torso.plane[0, 17:, :, 0] = 9.0
    person.torso.plane[0, :17, :, 0] = -9.0
    return person


@pytest.fixture(scope="module")
def drive(person):
    values = torch.zeros(1, LAYOUT.width)
    values[0, LAYOUT.groups["translation"]] = torch.tensor([0.02, 0.03, -0.8])
    values[0, LAYOUT.groups["rotation"]] = torch.tensor([0.1, -0.2, 0.05])
    values[0, :6] = torch.randn(6)
    return person.drive(values)


def test_neighbours_share_a_coarse_look(person, drive, monkeypatch):
    points = pixel_points(0.0, 0.0, 1.0, 1.0, 192, 192)
    quick = picture(person, drive, points, SAMPLING)
    monkeypatch.setattr(guide, "PITCH", 1e-6)  # every pixel looks for itself
    each = picture(person, drive, points, SAMPLING)
    assert psnr((255 * each).byte().numpy(), (255 * quick).byte().numpy()) > 42.0


def test_every_ray_for_itself_is_003(person, drive, monkeypatch):
    points = pixel_points(0.0, 0.0, 1.0, 1.0, 64, 64)
    monkeypatch.setattr(guide, "PITCH", 1e-6)
    quick = picture(person, drive, points, SAMPLING)
    consistency = person.consistency(drive.motion)
    flat = points.reshape(1, -1, 2)
    behind, _ = person.behind(consistency, drive, flat)
    driven = person.head.drive(drive.expression, consistency)
    layers = person.head_layers(driven, drive, flat, SAMPLING)
    whole = layers.head + (1 - layers.head_opacity[..., None]) * behind
    away = (quick - whole.view(64, 64, 3).clamp(0, 1)).abs()
    assert away.max() < 0.02 and away.mean() < 1e-3
