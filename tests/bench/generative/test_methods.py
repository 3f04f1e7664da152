"""The methods' networks: shapes, gradients, and their papers' equations in small known cases."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from avatar.morphable import FaceModel  # noqa: E402
from bench.generative.bilayer import BiLayer  # noqa: E402
from bench.generative.cfte import Cfte  # noqa: E402
from bench.generative.dac import Dac  # noqa: E402
from bench.generative.deformation import Deformation, bent, random_deformation  # noqa: E402
from bench.generative.fomm import JACOBIAN_UNIT, Fomm, inverse, parted  # noqa: E402
from bench.generative.fv2v import Fv2v, HeldSpace, placed, prior, rotation  # noqa: E402
from bench.generative.keypoints import (  # noqa: E402
    UNIT,
    PointDetector,
    gaussians,
    hints,
    points_of,
)
from bench.generative.landmarks import LANDMARKS, PARTS, drawn, landmarks_of  # noqa: E402
from bench.generative.lia import Lia  # noqa: E402
from bench.generative.method import HeldKey  # noqa: E402
from bench.generative.mraa import Mraa  # noqa: E402
from bench.generative.mraa import parted as regions  # noqa: E402
from bench.generative.settings import METHODS  # noqa: E402
from bench.generative.tps import splined  # noqa: E402
from codec.mttf.blocks import enlarged, identity_grid, logit  # noqa: E402
from codec.mttf.measure import work  # noqa: E402
from codec.mttf.settings import PLAIN  # noqa: E402
from tests.bench.generative.conftest import mesh, tiny_of  # noqa: E402
from tests.codec.mttf.conftest import scene  # noqa: E402


def pictures(*shifts: float) -> torch.Tensor:
    shown = np.stack([scene(shift).transpose(2, 0, 1) for shift in shifts])
    return torch.from_numpy(shown).float() / 255


def held_with(own: torch.Tensor, side: int) -> HeldKey:
    """A key frame of which the numbers are what matters."""
    picture = torch.zeros(len(own), 3, side, side)
    return HeldKey(picture, picture, own, [])


def test_the_papers_numbers_at_about_mttfs_work() -> None:
    assert {s.method: s.numbers for s in METHODS.values()} == {
        "fomm": 60, "dac": 20, "cfte": 16, "fv2v": 57, "tps": 100, "mraa": 50,
        "lia": 20, "bilayer": 136,
    }  # fmt: skip
    ours = work(PLAIN)
    for settings in METHODS.values():
        assert settings.sides == PLAIN.sides and settings.grid == PLAIN.grid
        assert len(settings.features) == settings.blocks + 1
        found = work(settings)
        assert found.generate == pytest.approx(ours.generate, rel=0.15)
        assert found.parameters == pytest.approx(ours.parameters, rel=0.2)
        assert settings.file == f"{settings.name}.safetensors"


def test_shapes_at_every_resolution(tiny_method) -> None:
    torch.manual_seed(0)
    net = tiny_method.network().eval()
    for side in tiny_method.sides:
        held = net.hold(torch.rand(2, 3, side, side))
        assert torch.equal(net.own(held), net.vectors(held.key))
        vectors = net.vectors(torch.rand(2, 3, side, side))
        assert vectors.shape == (2, tiny_method.numbers)
        with torch.no_grad():
            made = net.generate(held, vectors)
        assert made.picture.shape == (2, 3, side, side) and made.mask is None
        assert made.motion.foreground.shape == (2, 16, 16, 2)
        assert 0 <= float(made.picture.min()) and float(made.picture.max()) <= 1


def test_untrained_it_shows_the_key_frame(tiny_method) -> None:
    torch.manual_seed(0)
    net = tiny_method.network().eval()
    key = pictures(0.1)
    with torch.no_grad():
        made = net.generate(net.hold(key), net.vectors(key)).picture
    assert float((made - key).abs().mean()) < 0.03


def test_gradients_reach_every_weight(tiny_method) -> None:
    torch.manual_seed(0)
    net = tiny_method.network().train()
    wanted = torch.rand(2, 3, 32, 32)
    vectors = net.vectors(wanted)
    made = net.generate(net.hold(torch.rand(2, 3, 32, 32)), vectors)
    asked = net.penalties(wanted, vectors, np.random.default_rng(0))
    assert set(asked) == {
        "fomm": {"equivariance", "jacobians"}, "dac": {"equivariance"}, "cfte": set(),
        "fv2v": {"equivariance", "prior", "displacements"}, "tps": {"equivariance"},
        "mraa": {"equivariance", "axes"}, "lia": set(), "bilayer": set(),
    }[tiny_method.method]  # fmt: skip
    (made.picture.mean() + sum(asked.values())).backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None]
    reached = [n for n, p in net.named_parameters() if float(p.grad.abs().max()) > 0]
    if tiny_method.method != "bilayer":  # whose landmarks are a tracker's
        assert any("detector" in n or "features" in n or "pose" in n for n in reached)


def test_a_point_is_the_mean_place_of_its_heat() -> None:
    class Spots(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = torch.zeros(1, 4, 8, 8)
            out[0, 0, 1, 6] = 50.0  # row 1, column 6
            out[0, 1, 4, 0] = out[0, 1, 4, 2] = 50.0
            out[0, 2, 1, 6] = 7.0
            out[0, 3, 4, 0], out[0, 3, 4, 2] = 1.0, 3.0
            return out

    detector = PointDetector((4, 8), 2, values=1)
    detector.net = Spots()
    places, values = detector(torch.rand(1, 3, 8, 8))
    assert places[0].tolist() == [pytest.approx([0.625, -0.625]), pytest.approx([-0.625, 0.125])]
    assert values[0, :, 0].tolist() == pytest.approx([7.0, 2.0])


def test_hints_are_where_points_go_less_where_they_were() -> None:
    at = identity_grid(16, torch.zeros(1))[0]
    key, frame = at[3, 4].reshape(1, 1, 2), at[10, 12].reshape(1, 1, 2)
    heat = gaussians(key, 16)[0, 0]
    assert float(heat[3, 4]) == pytest.approx(1.0)
    assert float(heat[3, 5]) == pytest.approx(np.exp(-(0.125**2) / 0.02), rel=1e-5)
    both = hints(key, frame, 16)[0, 0]
    assert float(both[10, 12]) == pytest.approx(1.0, abs=1e-3)
    assert float(both[3, 4]) == pytest.approx(-1.0, abs=1e-3)


def test_dac_moves_a_points_surroundings_as_the_point() -> None:
    net = Dac(tiny_of("dac"))
    key, frame = torch.rand(2, 20) * UNIT, torch.rand(2, 20) * UNIT
    flows, seen = net.candidates(held_with(key, 16), frame)
    assert flows.shape == (2, 11, 16, 16, 2) and seen.shape == (2, 10, 16, 16)
    still = identity_grid(16, flows)[0]
    assert torch.equal(flows[1, 0], still)
    shift = (points_of(key) - points_of(frame))[1, 6]
    assert torch.allclose(flows[1, 7] - still, shift.expand(16, 16, 2), atol=1e-6)


def test_fomm_is_affine_about_each_point() -> None:
    net = Fomm(tiny_of("fomm"))
    rng = torch.Generator().manual_seed(3)
    key, frame = torch.rand(2, 2, 60, generator=rng)
    slopes = [torch.eye(2) + 0.3 * torch.rand(20, 2, 2, generator=rng) - 0.15 for _ in range(2)]
    for vectors, slope in zip((key, frame), slopes):
        vectors[:, :20] *= UNIT
        vectors[:, 20:] = JACOBIAN_UNIT * slope.reshape(2, 40)
    flows, _ = net.candidates(held_with(key, 32), frame)
    one, k = flows[1, 4], 3
    (key_place, key_slope), (place, slope) = parted(key), parted(frame)
    turn = key_slope[1, k] @ torch.linalg.inv(slope[1, k])  # Eq. 5
    off = identity_grid(32, flows)[0] - place[1, k]
    assert torch.allclose(one, key_place[1, k] + off @ turn.T, atol=1e-5)  # Eq. 4
    # With the same numbers on both sides everything stays.
    same, _ = net.candidates(held_with(key, 32), key)
    assert torch.allclose(same, identity_grid(32, same)[:, None].expand_as(same), atol=1e-5)


def test_inverses_stay_finite() -> None:
    matrix = torch.tensor([[2.0, 1.0], [0.5, -1.0]])
    assert torch.allclose(inverse(matrix) @ matrix, torch.eye(2), atol=1e-6)
    assert torch.isfinite(inverse(torch.zeros(2, 2))).all()
    assert float(inverse(torch.diag(torch.tensor([-1e-3, 1.0])))[0, 0]) == pytest.approx(-20.0)


def test_cfte_infers_motion_from_what_changed() -> None:
    torch.manual_seed(1)
    net = Cfte(tiny_of("cfte")).eval()
    torch.nn.init.normal_(net.last.weight)
    own = torch.rand(1, 16)
    moved = own.clone()
    moved[0, 0] += 1.0  # the matrix's corner
    with torch.no_grad():
        flows, seen = net.candidates(held_with(own, 16), own)
        again, _ = net.candidates(held_with(own, 16), moved)
    assert flows.shape == (1, 11, 16, 16, 2) and seen.shape == (1, 8, 16, 16)
    change = (again - flows).abs().sum(-1)[0]
    assert not change[0].any()  # what stays in place does
    assert float(change[1:, :8, :8].mean()) > 4 * float(change[1:, 12:, 12:].mean())


def test_a_deformations_slope_is_its_derivative() -> None:
    bend = random_deformation(2, np.random.default_rng(1), torch.zeros(1))
    bend = Deformation(
        *(getattr(bend, n).double() for n in ("matrix", "shift", "control", "weights"))
    )
    places = torch.from_numpy(np.random.default_rng(2).uniform(-1, 1, (2, 6, 2)))
    slopes = bend.jacobian(places)
    for axis in (0, 1):
        step = torch.zeros(2, dtype=torch.float64)
        step[axis] = 1e-6
        numeric = (bend(places + step) - bend(places - step)) / 2e-6
        assert torch.allclose(slopes[..., axis], numeric, atol=1e-6)


def test_a_bent_pictures_points_go_back_to_where_they_were() -> None:
    """Y(z) = X(T(z)): what Y shows at p stands at T(p) in X, FOMM's Eq. 11."""
    bend = random_deformation(1, np.random.default_rng(5), torch.zeros(1))
    spot = torch.tensor([[[0.3, -0.2]]])
    shown = bent(gaussians(spot, 64), bend)[0, 0]
    mass = shown / shown.sum()
    found = (mass[..., None] * identity_grid(64, mass)[0]).sum((0, 1))
    assert torch.allclose(bend(found[None, None])[0, 0], spot[0, 0], atol=0.02)
    assert float((found - spot[0, 0]).abs().max()) > 0.03  # it did move


def test_splines_pass_through_their_points_and_bend_least() -> None:
    rng = np.random.default_rng(4)
    points = torch.from_numpy(rng.uniform(-0.8, 0.8, (1, 2, 5, 2))).float()
    targets = points + torch.from_numpy(rng.normal(0, 0.05, points.shape)).float()
    # An affine map is no bend at all, so that it is reached nearly everywhere.
    matrix, shift = torch.tensor([[1.1, 0.1], [-0.05, 0.95]]), torch.tensor([0.1, -0.2])
    targets[0, 1] = points[0, 1] @ matrix.T + shift
    places = torch.from_numpy(rng.uniform(-0.8, 0.8, (1, 1, 30, 2))).float()
    found = splined(points, targets, places)
    assert torch.allclose(found[0, 1], places[0, 0] @ matrix.T + shift, atol=0.01)
    there = splined(points[:, :1], targets[:, :1], points[:, :1])
    assert float((there - targets[:, :1]).abs().max()) < 0.02
    assert float((points - targets)[:, 0].abs().max()) > 0.05
    # Points that stay leave everything in place.
    assert torch.allclose(splined(points, points, places), places.expand(1, 2, -1, -1), atol=1e-6)


def test_points_that_fall_together_move_as_one() -> None:
    points = torch.full((1, 1, 5, 2), 0.25)
    places = identity_grid(8, points).reshape(1, 1, -1, 2)
    found = splined(points, points + torch.tensor([0.1, 0.0]), places)
    assert torch.allclose(found - places, torch.tensor([0.1, 0.0]).expand_as(found), atol=1e-3)


def test_fv2v_turns_a_head_in_space() -> None:
    """Eq. 1 by hand: a quarter turn to the side brings depth into the picture."""
    quarter = rotation(torch.tensor([[0.0, np.pi / 2, 0.0]], dtype=torch.float32))
    vectors = torch.zeros(1, 57)
    vectors[:, :9] = UNIT * quarter.flatten(1)
    vectors[0, 9:12] = UNIT * torch.tensor([0.1, 0.0, 0.0])
    vectors[0, 12:15] = UNIT * torch.tensor([0.0, 0.2, 0.0])  # the first point's own
    points = torch.zeros(1, 15, 3)
    points[0, 0] = torch.tensor([0.0, 0.0, 0.5])
    found = placed(points, vectors)
    assert found[0, 0].tolist() == pytest.approx([0.6, 0.2, 0.0], abs=1e-6)
    assert found[0, 1].tolist() == pytest.approx([0.1, 0.0, 0.0], abs=1e-6)
    turns = rotation(torch.rand(4, 3))
    assert torch.allclose(turns @ turns.mT, torch.eye(3).expand(4, 3, 3), atol=1e-6)
    assert torch.linalg.det(turns).tolist() == pytest.approx([1.0] * 4)


def test_fv2v_moves_from_the_frames_points_to_the_keys() -> None:
    net = Fv2v(tiny_of("fv2v"))
    still = torch.zeros(1, 57)
    still[:, :9] = UNIT * torch.eye(3).flatten()
    shifted = still.clone()
    shifted[0, 9] = UNIT * 0.2  # to the right
    held = HeldSpace(**vars(held_with(still, 16)), points=torch.rand(1, 15, 3))
    flows, seen = net.candidates(held, shifted)
    assert flows.shape == (1, 16, 16, 16, 2) and seen.shape == (1, 15, 16, 16)
    grid = identity_grid(16, flows)[0]
    assert torch.equal(flows[0, 0], grid)
    for k in range(1, 16):  # what is seen there stood to the left
        assert torch.allclose(
            flows[0, k] - grid, torch.tensor([-0.2, 0.0]).expand(16, 16, 2), atol=1e-5
        )


def test_fv2vs_prior_spreads_points_at_a_depth() -> None:
    together = torch.zeros(1, 3, 3)
    assert float(prior(together)) == pytest.approx(0.1 + 0.33)
    apart = torch.tensor([[[1.0, 0, 0.33], [-1, 0, 0.33], [0, 1, 0.33]]])
    assert float(prior(apart)) == pytest.approx(0.0)


def spread(angle: float, long: float = 0.3, short: float = 0.1) -> torch.Tensor:
    """A covariance [2, 2] whose long axis is turned by `angle` from x to y."""
    turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (turn @ torch.diag(torch.tensor([long, short], dtype=turn.dtype) ** 2) @ turn.T).float()


def region_numbers(middle: tuple[float, float], covariance: torch.Tensor) -> torch.Tensor:
    """All ten regions alike, [1, 50]."""
    low = torch.linalg.cholesky(covariance)
    points = torch.tensor(middle).expand(10, 2).flatten()
    factors = torch.stack([low[0, 0], low[1, 0], low[1, 1]]).expand(10, 3).flatten()
    return UNIT * torch.cat([points, factors])[None]


def test_mraas_regions_are_the_moments_of_their_heat() -> None:
    class Blob(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            at = identity_grid(32, x)[0] - torch.tensor([0.2, -0.1])
            inverse_spread = torch.linalg.inv(spread(0.6, 0.2, 0.1))
            squares = torch.einsum("yxi,ij,yxj->yx", at, inverse_spread, at)
            return (-0.05 * squares).expand(1, 10, 32, 32)  # the temperature is 0.1

    net = Mraa(tiny_of("mraa"))
    net.detector.net = Blob()
    middle, axes = regions(net.numbers(torch.rand(1, 3, 32, 32)))
    assert middle[0, 3].tolist() == pytest.approx([0.2, -0.1], abs=2e-3)
    assert torch.allclose(axes[0, 3] @ axes[0, 3].T, spread(0.6, 0.2, 0.1), atol=2e-3)
    across = axes[0, 3].T @ axes[0, 3]  # principal: at right angles, the longer one first
    assert abs(float(across[0, 1])) < 1e-5 and float(across[0, 0]) > float(across[1, 1])


def test_mraa_turns_and_stretches_a_region_with_its_axes() -> None:
    net = Mraa(tiny_of("mraa"))
    key = region_numbers((0.1, 0.2), spread(0.9, 0.36, 0.1))
    frame = region_numbers((-0.3, 0.0), spread(0.4))
    flows, seen = net.candidates(held_with(key, 16), frame)
    assert flows.shape == (1, 11, 16, 16, 2) and seen.shape == (1, 10, 16, 16)
    off = identity_grid(16, flows)[0] - torch.tensor([-0.3, 0.0])
    cos, sin = np.cos([0.4, 0.9]), np.sin([0.4, 0.9])
    along = off @ torch.tensor([cos[0], sin[0]]).float() * 1.2  # the long axis grew
    beside = off @ torch.tensor([-sin[0], cos[0]]).float()
    wanted = torch.tensor([0.1, 0.2]) + torch.stack(
        [along * cos[1] - beside * sin[1], along * sin[1] + beside * cos[1]], -1
    )
    assert torch.allclose(flows[0, 4], wanted.float(), atol=1e-3)


def test_mraas_axes_that_swap_their_sign_turn_nothing_over() -> None:
    """An axis has no head: at 91 degrees it is the one of -89."""
    net = Mraa(tiny_of("mraa"))
    near, beyond = (spread(np.radians(angle)) for angle in (89.0, 91.0))
    held = held_with(region_numbers((0.0, 0.0), near), 16)
    flows, _ = net.candidates(held, region_numbers((0.0, 0.0), beyond))
    assert float((flows[0, 1] - identity_grid(16, flows)[0]).abs().max()) < 0.15


def test_lia_goes_along_orthonormal_directions_from_the_keys_reference() -> None:
    torch.manual_seed(0)
    net = Lia(tiny_of("lia")).eval()
    basis = net.basis()
    assert torch.allclose(basis.T @ basis, torch.eye(20), atol=1e-5)
    seen: list[torch.Tensor] = []
    net.start.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    held = held_with(torch.zeros(1, 20), 16)
    there = torch.zeros(1, 20)
    there[0, 7] = 3.0 * 8.0  # a sent magnitude is eight to 1
    with torch.no_grad():
        at_rest, _ = net.candidates(held, torch.zeros(1, 20))
        moved, hint = net.candidates(held, there)
    assert torch.allclose(seen[1] - seen[0], 3.0 * basis[:, 7][None], atol=1e-5)
    assert moved.shape == (1, 2, 16, 16, 2) and hint.shape == (1, 8, 16, 16)
    assert torch.equal(moved[0, 0], identity_grid(16, moved)[0])
    assert float((moved - at_rest)[0, 1].abs().mean()) > 1e-4


def test_bilayers_landmarks_are_the_same_on_both_sides() -> None:
    assert len(LANDMARKS) == len(set(LANDMARKS)) == 68
    mirror = FaceModel.load().mirror
    assert {int(mirror[i]) for i in LANDMARKS} == set(LANDMARKS)


def test_landmarks_are_drawn_as_lines() -> None:
    places = torch.full((1, 68, 2), 3.0)  # beyond the picture
    at = identity_grid(32, places)[0]
    brow = torch.linspace(0, 1, 5)[:, None]
    places[0, 17:22] = at[8, 4] + brow * (at[8, 20] - at[8, 4])
    maps = drawn(places, 32)[0]
    assert maps.shape == (PARTS, 32, 32)
    assert maps[1, 8, 4:21].tolist() == pytest.approx([1.0] * 17)
    step = 2 / 32
    assert float(maps[1, 9, 12]) == pytest.approx(np.exp(-(step**2) / (2 * 0.03**2)), rel=1e-4)
    assert float(maps[1, 8, 24:].max()) < 1e-6  # it has ends
    assert float(maps[[0, *range(2, PARTS)]].max()) < 1e-6
    # What is closed has a line from its last landmark to its first.
    square = torch.tensor([[-0.5, -0.5], [0.0, -0.5], [0.5, -0.5], [0.5, 0.5], [0.0, 0.5]])
    places[0, 36:41], places[0, 41] = square, torch.tensor([-0.5, 0.5])
    assert float(drawn(places, 32)[0, 5, 16, 8]) > 0.5


def test_bilayers_layers_add_up_to_the_key_frame() -> None:
    torch.manual_seed(0)
    net = BiLayer(tiny_of("bilayer")).eval()
    torch.nn.init.zeros_(net.texture.last.weight)
    key = pictures(0.1)
    with torch.no_grad():
        held = net.hold(key)
        whole = enlarged(held.coarse, 64) + held.texture
        assert torch.allclose(whole, logit(key), atol=1e-5)
        # What is as large everywhere is no texture, whatever has been learned.
        torch.nn.init.ones_(net.texture.last.bias)
        assert torch.allclose(net.hold(key).texture, held.texture, atol=1e-5)
        torch.nn.init.normal_(net.texture.last.weight)
        assert not torch.allclose(net.hold(key).texture, held.texture, atol=0.01)


def test_bilayer_is_told_by_landmarks_alone() -> None:
    torch.manual_seed(1)
    net = BiLayer(tiny_of("bilayer")).eval()
    torch.nn.init.normal_(net.inference.last.weight, std=0.1)
    key = pictures(0.0)
    faces = [torch.from_numpy(mesh(shift))[None] for shift in (0.0, 0.1)]
    with torch.no_grad():
        here, there = (net.vectors(key, face) for face in faces)
        assert torch.equal(points_of(here), landmarks_of(faces[0]))
        assert torch.equal(here, net.vectors(pictures(0.3), faces[0]))
        held = net.hold(key, net.face(faces[0]))
        assert torch.equal(net.own(held), here)
        same, moved = (net.generate(held, vectors) for vectors in (here, there))
        assert not torch.equal(same.motion.foreground, moved.motion.foreground)
        # A key frame without a face is moved by no landmarks.
        faceless = net.hold(key)
        same, moved = (net.generate(faceless, vectors).picture for vectors in (here, there))
        assert torch.equal(same, moved)
