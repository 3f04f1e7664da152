"""The compiled stages of a head's rays against their plain twins: values and gradients."""

from __future__ import annotations

import pytest
import torch

from avatar.camera import Pinhole
from avatar.face import StateLayout
from render.fields.settings import FieldSettings
from render.person import Drive, Person
from render.picture import pixel_points
from render.rays import box_bounds, head_rays
from render.sampling import even_edges, weighted_edges, weighted_edges_plain

FIELDS = FieldSettings(
    coarse=(12, 16, 16), plane=40, side=16, channels=8, blend=12, blend_channels=4, warp=(3, 6, 6),
    hidden=16, torso_plane=24, torso_channels=8, background=24,
)  # fmt: skip
LAYOUT = StateLayout()
GRIDS = ("coarse", "front", "top", "profile", "blend", "warp")


@pytest.fixture
def person() -> Person:
    torch.manual_seed(3)
    person = Person(FIELDS, Pinhole(2.0), LAYOUT)
    axis = [torch.linspace(-1, 1, n) for n in FIELDS.coarse]
    z, y, x = torch.meshgrid(*axis, indexing="ij")
    with torch.no_grad():
        person.head.coarse[0, ..., 0] = (0.7 - (x**2 + 0.8 * y**2 + z**2)) * 6.0
        person.head.coarse[..., 1:].uniform_()
        for plane in (person.head.front, person.head.top, person.head.profile):
            plane.normal_(0.0, 0.3)
        person.head.warp.normal_(0.0, 0.02)
        person.head.blend.normal_(0.0, 0.3)
    return person


@pytest.fixture
def drive(person) -> Drive:
    """Two frames, and parameters that the fit refines: pose and expression."""
    values = torch.randn(2, LAYOUT.width) * 0.5
    values[:, LAYOUT.groups["translation"]] = torch.tensor([0.02, 0.03, -0.8])
    values[:, LAYOUT.groups["rotation"]] = torch.tensor([[0.1, -0.2, 0.05], [-0.1, 0.15, 0.0]])
    values[:, LAYOUT.groups["translation"].start] += torch.tensor([0.0, 0.03])
    return person.drive(values.requires_grad_())


def rays_of(person, drive):
    """Some hit the box, some miss it."""
    points = pixel_points(-0.1, 0.0, 1.1, 1.0, 15, 20).reshape(1, -1, 2).expand(2, -1, -1)
    return head_rays(person.camera, points, drive.rotation, drive.translation)


def gradients(person, drive, loss):
    leaves = [getattr(person.head, name) for name in GRIDS]
    leaves += [drive.expression, drive.rotation, drive.translation]
    return torch.autograd.grad(loss, leaves, allow_unused=True, retain_graph=True)


def agree(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            assert other.abs().max() > 0
            torch.testing.assert_close(mine, other, atol=2e-4 * float(other.abs().max()), rtol=0)


def test_the_coarse_look_agrees_with_its_twin(person, drive):
    driven = person.head.drive(drive.expression, person.consistency(drive.motion))
    rays, shift = rays_of(person, drive), torch.rand(2, 300)
    found = []
    for look in (person.coarse_look, person.coarse_look_plain):
        edges, weights, colour = look(driven, rays, 12, shift)
        hit = weights.detach().sum(-1)
        assert 0.05 < (hit > 0.5).float().mean() < 0.95
        torch.manual_seed(1)
        loss = (colour * torch.randn_like(colour)).sum()
        loss = loss + (weights * torch.randn_like(weights)).sum()
        found.append((edges, weights, colour, gradients(person, drive, loss)))
    for ours, theirs in zip(found[0][:3], found[1][:3], strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0)
    agree(found[0][3], found[1][3])
    assert [grad is not None for grad in found[0][3]] == [True] + 8 * [False]


def test_the_fine_stage_agrees_with_its_twin(person, drive):
    driven = person.head.drive(drive.expression, person.consistency(drive.motion))
    rays = rays_of(person, drive)
    with torch.no_grad():
        edges = even_edges(*box_bounds(person.head.box, *rays), 14)
    found = []
    for march in (person.fine_features, person.fine_features_plain):
        features, opacity = march(driven, rays, edges)
        assert 0.1 < opacity.mean() < 0.9
        torch.manual_seed(1)
        loss = (features * torch.randn_like(features)).sum()
        loss = loss + (opacity * torch.randn_like(opacity)).sum()
        found.append((features, opacity, gradients(person, drive, loss)))
    torch.testing.assert_close(found[0][0], found[1][0], atol=2e-4, rtol=0)
    torch.testing.assert_close(found[0][1], found[1][1], atol=2e-5, rtol=0)
    agree(found[0][2], found[1][2])
    assert all(grad is not None for grad in found[0][2])


def test_grids_that_do_not_learn_get_no_gradient(person, drive):
    """As where a call's states are looked for."""
    for parameter in person.parameters():
        parameter.requires_grad_(False)
    driven = person.head.drive(drive.expression, person.consistency(drive.motion))
    rays = rays_of(person, drive)
    edges = even_edges(*box_bounds(person.head.box, *rays), 10).detach()
    by = []
    for march in (person.fine_features, person.fine_features_plain):
        features, _ = march(driven, rays, edges)
        pose = (drive.expression, drive.rotation, drive.translation)
        by.append(torch.autograd.grad(features.square().sum(), pose, retain_graph=True))
    agree(*by)


@pytest.mark.parametrize("shifted", [False, True])
def test_edges_agree_with_their_twin(shifted):
    torch.manual_seed(0)
    edges = torch.rand(2, 50, 13).cumsum(-1) * 0.1
    weights = torch.rand(2, 50, 12) ** 4
    weights[0, ::3] = 0.0  # rays on which the coarse stage saw nothing
    edges[1, :5] = 0.4  # rays that miss the box
    jitter = torch.rand(2, 50) if shifted else None
    ours = weighted_edges(edges, weights, 9, jitter)
    theirs = weighted_edges_plain(edges, weights, 9, jitter)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert (ours.diff(dim=-1) >= 0).all()
