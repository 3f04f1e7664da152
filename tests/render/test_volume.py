"""003 Eq. 2 and 3 against what can be worked out by hand."""

import math

import pytest
import torch

from render.rays import box_bounds
from render.sampling import even_edges, weighted_edges, weighted_edges_plain
from render.volume import accumulate, clearness, ray_weights, ray_weights_plain


def chord(offset: float, radius: float) -> float:
    return 2.0 * math.sqrt(max(radius**2 - offset**2, 0.0))


@pytest.mark.parametrize("weights_of", [ray_weights, ray_weights_plain])
@pytest.mark.parametrize("offset", [0.0, 0.3, 0.45, 0.6])
def test_a_homogeneous_sphere_lets_through_what_beer_and_lambert_say(weights_of, offset):
    sigma, radius, steps = 3.0, 0.5, 4000
    near, far = torch.zeros(1, 1), torch.full((1, 1), 2.0)
    edges = even_edges(near, far, steps)
    middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
    inside = ((middle - 1.0) ** 2 + offset**2) < radius**2
    weights = weights_of(sigma * inside.float(), edges)
    expected = 1.0 - math.exp(-sigma * chord(offset, radius))
    assert weights.sum().item() == pytest.approx(expected, abs=3e-3)


def test_nerfacc_and_the_plain_twin_agree_values_and_gradients():
    torch.manual_seed(1)
    edges = torch.cumsum(torch.rand(2, 5, 9), -1)
    found = []
    for function in (ray_weights, ray_weights_plain):
        density = torch.rand(2, 5, 8, generator=torch.Generator().manual_seed(2)) * 5
        density.requires_grad_()
        weights = function(density, edges)
        (weights * torch.arange(8.0)).sum().backward()
        found.append((weights.detach(), density.grad))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)


def test_the_density_gradient_is_the_finite_difference():
    edges = torch.tensor([[[0.0, 0.2, 0.5, 0.9]]], dtype=torch.float64)
    colour = torch.tensor([[[[0.1], [0.9], [0.4]]]], dtype=torch.float64)
    density = torch.tensor([[[1.0, 2.0, 0.5]]], dtype=torch.float64, requires_grad=True)

    def seen(sigma):
        return accumulate(ray_weights_plain(sigma, edges), colour).sum()

    assert torch.autograd.gradcheck(seen, (density,), eps=1e-6, atol=1e-8)


def test_fine_edges_go_where_the_coarse_weights_are():
    edges = torch.linspace(0, 1, 11).reshape(1, 1, 11)
    weights = torch.zeros(1, 1, 10)
    weights[..., 3] = 1.0  # all that is seen lies between 0.3 and 0.4
    fine = weighted_edges(edges, weights, 8)[0, 0]
    assert ((fine >= 0.3 - 1e-4) & (fine <= 0.4 + 1e-4)).sum() >= 7
    assert fine[0] == 0.0 and fine[-1] == 1.0 and bool((fine.diff() >= 0).all())


def test_an_empty_ray_gets_even_edges():
    edges = torch.linspace(0, 1, 11).reshape(1, 1, 11)
    fine = weighted_edges(edges, torch.zeros(1, 1, 10), 5)[0, 0]
    torch.testing.assert_close(fine, torch.linspace(0, 1, 6))


def test_box_bounds_hit_and_miss():
    box = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    origins = torch.tensor([[[0.0, 0.0, 3.0]]])
    directions = torch.tensor([[[0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]])
    near, far = box_bounds(box, origins, directions)
    assert near[0, 0].item() == pytest.approx(2.0) and far[0, 0].item() == pytest.approx(4.0)
    assert far[0, 1] <= near[0, 1]


def test_haze_is_not_drawn_and_surfaces_are() -> None:
    opacity = torch.tensor([0.0, 0.01, 0.02, 0.045, 0.07, 0.5, 1.0])
    clear = clearness(opacity)
    assert clear[:3].max() == 0 and float(clear[3]) == pytest.approx(0.5) and clear[4:].min() == 1


def test_a_compiled_sum_along_rays_is_the_product():
    torch.manual_seed(4)
    weights, values = torch.rand(2, 7, 5), torch.randn(2, 7, 5, 3)
    compiled = torch.compile(accumulate, backend="eager")
    torch.testing.assert_close(compiled(weights, values), accumulate(weights, values))


def test_compiled_edges_are_the_search():
    torch.manual_seed(5)
    edges = even_edges(torch.rand(2, 40), 1.0 + torch.rand(2, 40), 20)
    weights = torch.rand(2, 40, 20) ** 8
    weights[0, :5] = 0.0
    weights[1, :5, 3:] = 0.0
    compiled = torch.compile(weighted_edges_plain, backend="eager")
    torch.testing.assert_close(
        compiled(edges, weights, 8), weighted_edges_plain(edges, weights, 8), atol=1e-5, rtol=0.0
    )
