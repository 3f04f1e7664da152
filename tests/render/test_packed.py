"""Packed samples against batched ones, and nerfacc's against the plain twin."""

from __future__ import annotations

import pytest
import torch

from avatar.camera import Pinhole
from avatar.face import StateLayout
from render.fields.settings import COLOUR, FieldSettings
from render.occupancy import OccupancySettings, marched_head, marching, occupancy
from render.packed import Accelerated, Plain, Samples
from render.person import Person
from render.picture import pixel_points
from render.rays import box_bounds, head_rays
from render.sampling import even_edges
from render.volume import accumulate, ray_weights_plain

FIELDS = FieldSettings(
    coarse=(10, 12, 12), plane=24, side=12, channels=8, blend=8, blend_channels=4, warp=(3, 4, 4),
    hidden=16, torso_plane=16, torso_channels=8, background=16,
)  # fmt: skip
SETTINGS = OccupancySettings(cells=(20, 24, 20))
LAYOUT = StateLayout()
BOX = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])


def packed(lengths: list[int], seed: int = 0) -> tuple[Samples, torch.Tensor]:
    torch.manual_seed(seed)
    rays = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    start = torch.cat([torch.arange(n) * 0.1 for n in lengths])
    return Samples(rays, start, start + 0.1), torch.rand(len(rays)) * 20


def test_weights_and_sums_are_those_of_each_ray():
    lengths = [5, 0, 3, 7]
    samples, density = packed(lengths)
    values = torch.rand(len(density), 4)
    weights = Plain().weights(density, samples, len(lengths))
    sums = Plain().sums(weights, values, samples, len(lengths))
    for ray in range(len(lengths)):
        mine = samples.rays == ray
        count = int(mine.sum())
        edges = (torch.arange(count + 1) * 0.1)[None, None]
        want = ray_weights_plain(density[mine][None, None], edges)
        torch.testing.assert_close(weights[mine], want[0, 0], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(sums[ray], accumulate(want, values[mine][None, None])[0, 0])


def test_no_light_leaks_from_ray_to_ray():
    """The sum runs over a hundred thousand rays: what one took must not dim the last."""
    lengths = [4] * 100_000
    samples, _ = packed(lengths)
    weights = Plain().weights(torch.full((400_000,), 30.0), samples, len(lengths)).view(-1, 4)
    torch.testing.assert_close(weights[-1], weights[0], atol=1e-6, rtol=1e-5)


def test_nerfaccs_sums_are_the_twins():
    samples, density = packed([5, 0, 3])
    values = torch.rand(len(density), 4)
    torch.testing.assert_close(
        Accelerated().sums(density, values, samples, 3), Plain().sums(density, values, samples, 3)
    )


def test_samples_lie_where_something_may_be():
    occupied = torch.zeros(4, 4, 4, dtype=torch.bool)
    occupied[:, :, 1] = True  # z from -0.5 to 0
    origins = torch.tensor([[0.1, 0.1, 3.0], [0.1, 9.0, 3.0]])
    directions = torch.tensor([[0.0, 0.0, -1.0]]).expand(2, 3)
    near, far = box_bounds(BOX, origins[None, :1], directions[None])
    missed = box_bounds(BOX, origins[None, 1:], directions[None])
    near = torch.stack([near[0, 0], missed[0][0, 1]])
    far = torch.stack([far[0, 0], missed[1][0, 1]])
    samples = Plain().samples(occupied, BOX, origins, directions, (near, far), 0.1)
    assert set(samples.rays.tolist()) == {0}
    assert samples.start.min() >= 3.0 - 1e-4 and samples.end.max() <= 3.5 + 1e-4
    assert float((samples.end - samples.start).sum()) == pytest.approx(0.5, abs=1e-4)


@pytest.fixture(scope="module")
def person() -> Person:
    torch.manual_seed(3)
    person = Person(FIELDS, Pinhole(2.0), LAYOUT).requires_grad_(False)
    axis = [torch.linspace(-1, 1, n) for n in FIELDS.coarse]
    z, y, x = torch.meshgrid(*axis, indexing="ij")
    person.head.coarse[0, ..., 0] = (0.5 - (x**2 + y**2 + z**2)) * 20.0
    person.head.front[0, ..., COLOUR] = torch.rand(24, 24, 3)
    person.head.warp.normal_(0.0, 0.02)
    return person


def test_the_march_through_occupied_cells_is_the_whole_integral(person):
    values = torch.zeros(1, LAYOUT.width)
    values[0, LAYOUT.groups["translation"]] = torch.tensor([0.02, 0.03, -0.8])
    values[0, :6] = 0.7
    drive = person.drive(values)
    driven = person.head.drive(drive.expression, person.consistency(drive.motion))
    points = pixel_points(0.1, 0.1, 0.9, 0.9, 20, 20).reshape(1, -1, 2)
    occupied = occupancy(person, driven, SETTINGS)
    assert 0.05 < occupied.float().mean() < 0.7
    head, opacity = marched_head(
        person, driven, drive, points, occupied, SETTINGS, marching(torch.device("cpu"))
    )
    rays = head_rays(person.camera, points, drive.rotation, drive.translation)
    edges = even_edges(*box_bounds(person.head.box, *rays), 160)
    features, whole = person.fine_features_plain(driven, rays, edges)
    want = person.head.shade(driven, features, whole, rays[1])
    assert 0.1 < whole.mean() < 0.9
    assert (opacity - whole).abs().max() < 0.05 and (opacity - whole).abs().median() < 1 / 255
    assert (head - want).abs().max() < 0.05 and (head - want).abs().median() < 1 / 255
