"""FSIM and VSI against piq 0.8.0, STRRED against scikit-video 1.1.11, BRISQUE as its package has
it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics.fsim import fsim, phase_congruency
from bench.metrics.gradient import averaged, scharr
from bench.metrics.registry import metric
from bench.metrics.strred import strred
from bench.metrics.vsi import saliency, vsi


def scene(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A colourful picture, and itself with noise and a flat square: [S, S, 3] uint8 each."""
    rng = np.random.default_rng(size)
    y, x = np.mgrid[:size, :size] / size
    waves = 120 + 90 * np.sin(9 * x) * np.cos(7 * y)
    clean = np.stack([waves, 128 + 100 * np.sin(23 * x * y), 90 + 120 * x * (1 - y)], 2)
    noisy = clean + rng.normal(0, 14, clean.shape)
    square = slice(size // 4, size // 2)
    noisy[square, square] = noisy[square, square].mean((0, 1))
    a, b = (np.clip(image, 0, 255).round().astype(np.uint8) for image in (clean, noisy))
    return a, b


def test_fsim_is_that_of_piq() -> None:
    # piq takes the lower of two middle values for a median, its authors' program their mean.
    assert fsim(*scene(96)) == pytest.approx(0.820400896897522, abs=2e-4)


def test_vsi_is_that_of_piq() -> None:
    assert vsi(*scene(96)) == pytest.approx(0.9304317896364267, abs=1e-8)


def test_phase_congruency_marks_edges_whatever_their_contrast() -> None:
    step = np.where(np.arange(64) < 32, 100.0, 110.0)
    weak = phase_congruency(np.tile(step, (64, 1)))
    strong = phase_congruency(np.tile(10 * step, (64, 1)))
    np.testing.assert_allclose(weak, strong, atol=1e-6)
    assert weak[32].argmax() in (0, 31, 32, 63)  # at the step, or where the picture's ends meet
    assert 0 <= weak.min() and weak.max() <= 1


def test_saliency_lies_on_what_differs() -> None:
    grey = np.full((80, 80, 3), 120, np.uint8)
    grey[30:50, 30:50] = [220, 60, 40]
    found = saliency(grey.astype(float))
    assert found.min() == 0 and found.max() == 1
    assert found[30:50, 30:50].mean() > 4 * found[:15].mean()


def test_pictures_are_averaged_to_about_256() -> None:
    image = np.random.default_rng(1).random((513, 600, 3))
    small = averaged(image)
    assert small.shape == (256, 300, 3)
    np.testing.assert_allclose(small[3, 5], image[6:8, 10:12].mean((0, 1)))
    assert averaged(image, padded=True).shape == (257, 300, 3)
    assert averaged(image[:300]) is not None and averaged(image[:300]).shape == (300, 600, 3)


def test_scharr_of_a_ramp_is_its_slope() -> None:
    ramp = np.tile(np.arange(8.0), (8, 1))
    np.testing.assert_allclose(scharr(ramp)[1:-1, 1:-1], 2.0)  # over two pixels


def moving(frames: int = 6, side: int = 128) -> tuple[np.ndarray, np.random.Generator]:
    """Waves that run, with a little noise: [F, S, S, 3] uint8, and the generator after it."""
    rng = np.random.default_rng(8)
    y, x = np.mgrid[:side, :side]
    shown = []
    for f in range(frames):
        red = 120 + 80 * np.sin((x + 3 * f) / 9) * np.cos(y / 13)
        green = x * 0.8 + 40 * np.sin((y - 2 * f) / 5)
        blue = 90 + 60 * np.cos((x + y + f) / 7)
        shown.append(np.stack([red, green, blue], 2) + rng.normal(0, 4, (side, side, 3)))
    return np.stack(shown).clip(0, 255).astype(np.uint8), rng


def test_strred_is_that_of_scikit_video() -> None:
    """Computed there in float64; its own float32 gives 53.48429 and 3.53269."""
    pytest.importorskip("pyrtools")
    from scipy.ndimage import gaussian_filter

    clean, rng = moving()
    noisy = (clean.astype(float) + rng.normal(0, 12, clean.shape)).clip(0, 255).astype(np.uint8)
    blurred = np.stack([gaussian_filter(f.astype(float), (2, 2, 0)) for f in clean])
    assert strred(clean, noisy) == pytest.approx([53.4834284023375] * 6, rel=1e-6)
    found = strred(clean, blurred.clip(0, 255).astype(np.uint8))
    assert found == pytest.approx([3.5190035049600095] * 6, rel=1e-6)
    assert strred(clean, clean).tolist() == [0] * 6
    assert np.isnan(strred(clean[:1], noisy[:1])).all()


def test_strred_of_what_does_not_move_is_nothing() -> None:
    pytest.importorskip("pyrtools")
    grey = np.full((4, 64, 64, 3), 128, np.uint8)
    assert strred(grey, grey).tolist() == [0] * 4


def test_brisque_rises_with_noise_whatever_the_reference() -> None:
    one = metric("BRISQUE")
    if one.missing():
        assert one.missing() == "needs pip install 'facewire[brisque]' (and a C++ compiler)"
        pytest.skip("brisque is not installed")
    from skimage.data import astronaut

    clean = astronaut()[None]
    noise = np.random.default_rng(1).normal(0, 25, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
    # As `brisque` 0.2.0 scores them.
    assert one.measure(noisy, clean) == pytest.approx([10.795087726442802], abs=1e-6)
    assert one.measure(clean, noisy) == pytest.approx([51.86650879611986], abs=1e-6)
