"""Shapes, gradients and small known cases of the fallback's networks."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from avatar.errors import InputError  # noqa: E402
from codec.mttf.blocks import Normalisation, UNet, identity_grid, resized, warped  # noqa: E402
from codec.mttf.losses import (  # noqa: E402
    detail_loss,
    gradients,
    mask_loss,
    perceptual_loss,
    pixel_loss,
    rate_loss,
    structure,
)
from codec.mttf.motion import MotionEstimator  # noqa: E402
from codec.mttf.network import Mttf  # noqa: E402
from codec.mttf.settings import FULL, LITE, PLAIN, SETTINGS  # noqa: E402


def test_the_papers_numbers() -> None:
    for settings in (FULL, PLAIN):
        assert (settings.latents, settings.background, settings.largest) == (20, 5, 512)
        assert settings.sides == (512, 256, 128)
    assert PLAIN.numbers == 40 and LITE.numbers == 44  # most of LITE's are the mesh's
    assert FULL.numbers == 40 + FULL.mesh
    # Eq. 17 and 19 with s = 4: 2, 1 and 0 up-samplings, the grid always 128.
    assert [FULL.samplings(side) for side in FULL.sides] == [2, 1, 0]
    assert [side >> FULL.samplings(side) for side in FULL.sides] == [128] * 3
    assert [side >> LITE.samplings(side) for side in LITE.sides] == [64] * 3
    assert (FULL.blocks, LITE.blocks) == (2, 3)
    for settings in SETTINGS.values():
        assert len(settings.foreground) == len(settings.scenery) == settings.blocks + 1
    with pytest.raises(InputError, match="512, 256, 128"):
        LITE.samplings(384)


def test_shapes_at_every_resolution_with_one_set_of_weights(tiny) -> None:
    torch.manual_seed(0)
    net = Mttf(tiny).eval()
    for side in tiny.sides:
        key = torch.rand(2, 3, side, side)
        held = net.hold(key)
        assert held.latent.shape == held.field.shape == (2, tiny.latents, 16, 16)
        assert [f.shape[1] for f in held.features] == list(tiny.foreground[1:])
        assert held.features[-1].shape[-1] == 16
        vectors = net.vectors(torch.rand(2, 3, side, side))
        assert vectors.shape == (2, 2 * tiny.latents)
        made = net.generate(held, vectors)
        assert made.picture.shape == (2, 3, side, side) and made.mask.shape == (2, 1, side, side)
        assert 0 <= float(made.picture.min()) and float(made.picture.max()) <= 1


def test_motion_is_split_as_the_paper_has_it() -> None:
    estimator = MotionEstimator(PLAIN)
    assert estimator.split == (35, 5)
    assert MotionEstimator(LITE).split == (2 + 9, 1 + 3)  # face and body first; to stay first
    field = torch.randn(1, PLAIN.latents, 64, 64)
    motion = estimator(torch.rand(1, 3, 64, 64), field, field)
    assert motion.foreground.shape == motion.background.shape == (1, 64, 64, 2)
    assert motion.occlusion.shape == (1, 1, 64, 64)
    # Untrained, everything stays about where it is, and the key frame is trusted.
    still = identity_grid(64, field)
    assert float((motion.foreground - still).abs().max()) < 0.02
    assert float(motion.occlusion.detach().min()) > 0.9


def test_untrained_it_shows_the_key_frame(tiny, make_scene) -> None:
    torch.manual_seed(0)
    net = Mttf(tiny).eval()
    key = torch.from_numpy(make_scene(0.1).transpose(2, 0, 1).copy())[None].float() / 255
    made = net.generate(net.hold(key), net.vectors(key)).picture
    assert float((made - key).abs().mean()) < 0.03


def test_gradients_reach_every_weight(tiny) -> None:
    torch.manual_seed(0)
    net = Mttf(tiny).train()
    made = net.generate(net.hold(torch.rand(2, 3, 32, 32)), net.vectors(torch.rand(2, 3, 32, 32)))
    (made.picture.mean() + made.mask.mean()).backward()
    without = [n for n, p in net.named_parameters() if p.grad is None]
    assert not without
    reached = [n for n, p in net.named_parameters() if float(p.grad.abs().max()) > 0]
    assert any("biases" in n for n in reached) and any("weights" in n for n in reached)


def test_normalisation_by_hand() -> None:
    norm = Normalisation(2)
    with torch.no_grad():
        norm.beta[:] = torch.tensor([1.0, 2.0])
        norm.gamma[:] = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    x = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1)
    # y0 = 3 / sqrt(1 + 9), y1 = 4 / sqrt(4 + 4 * 9)
    got = norm(x).flatten().tolist()
    assert got == pytest.approx([3 / 10**0.5, 4 / 40**0.5], rel=1e-4)


def test_the_field_is_the_key_latent_modulated(tiny) -> None:
    factors = Mttf(tiny).factors
    latent = torch.randn(1, 4, 16, 16)
    vectors = torch.tensor([[2.0, 1, 1, 0, 0, 0, 3, 0]])
    field = factors.field(latent, vectors)
    assert torch.allclose(field[:, 0], 2 * latent[:, 0])
    assert torch.allclose(field[:, 2], latent[:, 2] + 3)
    assert not field[:, 3].any()


def test_warping_moves_what_the_motion_says() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    grid = identity_grid(4, x)
    assert torch.allclose(warped(x, grid), x, atol=1e-5)
    right = grid + torch.tensor([0.5, 0.0])  # one pixel of four: looks to the right
    assert torch.allclose(warped(x, right)[0, 0, :, :3], x[0, 0, :, 1:], atol=1e-5)
    assert warped(torch.rand(1, 3, 8, 8), grid).shape == (1, 3, 8, 8)


def test_resizing_takes_means() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert resized(x, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert resized(x, 4) is x
    assert resized(x, 8).shape == (1, 1, 8, 8)


def test_unets_keep_the_size() -> None:
    for ends in (1, 3):
        assert UNet(5, (4, 6, 8), 3, ends)(torch.rand(2, 5, 16, 16)).shape == (2, 3, 16, 16)


def test_losses_by_hand() -> None:
    a, b = torch.zeros(1, 3, 32, 32), torch.full((1, 3, 32, 32), 0.5)
    assert float(pixel_loss(a, b)) == 0.5
    assert float(mask_loss(a[:, :1], b[:, :1])) == 0.5
    assert float(gradients(a, b)) == 0.0
    step = b.clone()
    step[..., 16:] = 1.0  # one edge of 0.5 among 31 differences across
    assert float(gradients(a, step)) == pytest.approx(0.5 / 31)
    assert float(structure(b, b)) == pytest.approx(0.0, abs=1e-6)
    # Flat pictures: structure is the luminance term alone.
    c1 = 0.01**2
    assert float(structure(a, b)) == pytest.approx(1 - c1 / (0.25 + c1), rel=1e-4)
    assert float(perceptual_loss(b, b)) == pytest.approx(0.0, abs=1e-6)
    assert float(perceptual_loss(a, b)) > 0.2
    # Of face, mouth and eyes: what differs elsewhere does not count, wherever the face is.
    mesh = torch.rand(1, 482, 2) * 0.2 + 0.1
    far = a.clone()
    far[..., 20:, 20:] = 1.0
    assert float(detail_loss(far, a, mesh)) == pytest.approx(0.0, abs=1e-6)
    assert float(detail_loss(b, a, mesh)) == pytest.approx(
        2 * (0.5 + float(perceptual_loss(b, a))), rel=1e-4
    )
    three = torch.full((2, 4), 0.375)
    assert float(rate_loss(three, torch.zeros(2, 4), 0.125)) == pytest.approx(2.0)


def test_a_picture_is_made_the_same_twice(tiny, make_scene) -> None:
    from codec.mttf.runtime import Runtime

    runtime = Runtime(weights_of(tiny))
    key, wanted = make_scene(0.0), make_scene(0.1)
    held = runtime.hold(key)
    first = runtime.generate(held, runtime.vectors(wanted))
    assert np.array_equal(first, runtime.generate(held, runtime.vectors(wanted)))
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8


def test_fusing_normalisation_changes_nothing(tiny, make_scene) -> None:
    from codec.mttf.runtime import Runtime

    weights = weights_of(tiny, scaled=True)
    net = Mttf(tiny).eval()
    net.load_state_dict({n: torch.from_numpy(a) for n, a in weights.tensors.items()})
    picture = make_scene(0.2)
    x = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None].float() / 255
    with torch.no_grad():
        expected = net.vectors(x)[0].numpy()
    assert np.allclose(Runtime(weights).vectors(picture), expected, atol=1e-4)


def weights_of(settings, scaled: bool = False):
    from codec.mttf.vectors import statistics_of
    from codec.mttf.weights import Weights

    torch.manual_seed(0)
    tensors = {n: t.numpy() for n, t in Mttf(settings).state_dict().items()}
    if scaled:  # statistics that are not those of a fresh normalisation
        rng = np.random.default_rng(0)
        for name, array in tensors.items():
            if "running" in name:
                tensors[name] = rng.uniform(0.5, 1.5, array.shape).astype(np.float32)
    rows = np.random.default_rng(0).normal(size=(9, settings.numbers))
    return Weights(settings, tensors, statistics_of(rows), "ab" * 32, {})


def test_costs_are_counted(tiny) -> None:
    from codec.mttf.measure import measure, multiply_accumulates

    layer = torch.nn.Conv2d(3, 8, 3, padding=1)
    net = torch.nn.Sequential(layer, torch.nn.Conv2d(8, 2, 1, stride=2))
    expected = 3 * 8 * 9 * 64 + 8 * 2 * 16
    assert multiply_accumulates(net, lambda: net(torch.zeros(1, 3, 8, 8))) == expected
    assert multiply_accumulates(net, lambda: None) == 0
    found = measure(tiny, 32, repeats=1)
    assert found.parameters == sum(p.numel() for p in Mttf(tiny).parameters())
    assert found.generate.kmac > found.key.kmac > 0 and found.generate.milliseconds > 0
