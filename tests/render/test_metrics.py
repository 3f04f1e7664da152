"""The metrics against published implementations and against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.errors import InputError, MismatchError
from render import metrics


def _pair(height: int, width: int, noise: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
    """A smooth coloured picture and a noisy, slightly darker copy."""
    rng = np.random.default_rng(height * width)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (7 + 9 * c)) * np.cos(y / (11 + 5 * c)) for c in range(3)]
    clean = 128 + 90 * np.stack(waves, axis=2)
    noisy = 0.95 * clean + rng.normal(0, noise, clean.shape)
    return clean.round().astype(np.uint8), np.clip(noisy, 0, 255).round().astype(np.uint8)


def test_psnr_of_a_known_error() -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    assert metrics.psnr(black, black + 255) == pytest.approx(0.0)
    assert metrics.psnr(black, black + 1) == pytest.approx(20 * np.log10(255), abs=1e-6)
    half = black.copy()
    half[:4] = 10
    assert metrics.psnr(black, half) == pytest.approx(10 * np.log10(255**2 / 50), abs=1e-6)


def test_psnr_of_equal_pictures_is_finite_and_bytes_do_not_wrap() -> None:
    picture = np.full((4, 4, 3), 200, np.uint8)
    assert metrics.psnr(picture, picture) == metrics.PSNR_LIMIT
    assert metrics.psnr(picture, picture + 50) == metrics.psnr(picture + 50, picture)


@pytest.mark.parametrize("shape", [(64, 64), (11, 200), (97, 61)])
def test_ssim_agrees_with_scikit_image(shape: tuple[int, int]) -> None:
    structural = pytest.importorskip("skimage.metrics").structural_similarity
    reference, picture = _pair(*shape)
    expected = structural(
        reference,
        picture,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )
    assert metrics.ssim(reference, picture) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("shape", [(256, 256), (255, 201), (161, 230)])
def test_ms_ssim_agrees_with_pytorch_msssim(shape: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    published = pytest.importorskip("pytorch_msssim").ms_ssim
    reference, picture = _pair(*shape)
    a, b = (torch.tensor(p.astype(float)).permute(2, 0, 1)[None] for p in (reference, picture))
    expected = published(a, b, data_range=255).item()
    assert 0.5 < expected < 0.99
    assert metrics.ms_ssim(reference, picture) == pytest.approx(expected, abs=1e-5)


def test_similarity_of_equal_pictures_is_one() -> None:
    reference, _ = _pair(180, 180)
    assert metrics.ssim(reference, reference) == pytest.approx(1.0, abs=1e-6)
    assert metrics.ms_ssim(reference, reference) == pytest.approx(1.0, abs=1e-6)


def test_ms_ssim_of_an_inverted_picture_is_no_complex_number() -> None:
    reference, _ = _pair(180, 180)
    assert 0.0 <= metrics.ms_ssim(reference, 255 - reference) < 0.2


def test_gradient_energy_of_a_ramp() -> None:
    x = np.arange(16, dtype=np.float32)
    ramp = np.repeat((3 * x[None] + 4 * x[:, None])[..., None], 3, axis=2)
    assert metrics.gradient_energy(ramp) == pytest.approx(25.0, rel=1e-4)
    assert metrics.gradient_energy(np.full((9, 9, 3), 40, np.uint8)) < 1e-9


def test_face_region_is_the_box_times_1_3() -> None:
    rows, columns = metrics.face_region(np.array([0.4, 0.3, 0.6, 0.7]), 200, 100)
    assert columns == slice(74, 126)  # 40 pixels wide, 6 more on each side
    assert rows == slice(24, 76)


def test_face_region_is_cut_at_the_edge_and_never_empty() -> None:
    assert metrics.face_region(np.array([-0.1, 0.0, 1.2, 1.0]), 64, 64) == (
        slice(0, 64),
        slice(0, 64),
    )
    rows, columns = metrics.face_region(np.array([0.99, 0.99, 0.991, 0.991]), 16, 16)
    assert rows == slice(15, 16) and columns == slice(15, 16)


@pytest.mark.parametrize("box", [[0.5, 0.5, 0.5, 0.6], [0.6, 0.1, 0.5, 0.9], [0, 0, np.nan, 1]])
def test_face_region_refuses_an_empty_box(box: list[float]) -> None:
    with pytest.raises(InputError, match="is empty"):
        metrics.face_region(np.array(box), 64, 64)


def test_face_figures_look_at_the_face_alone() -> None:
    reference, _ = _pair(200, 200)
    outside, inside = reference.copy(), reference.copy()
    outside[:40] = 0
    inside[90:110, 90:110] = 0
    box = np.array([0.4, 0.4, 0.6, 0.6])
    assert metrics.face_psnr(reference, outside, box) == metrics.PSNR_LIMIT
    assert metrics.face_ms_ssim(reference, outside, box) == pytest.approx(1.0, abs=1e-6)
    assert metrics.face_psnr(reference, inside, box) < metrics.psnr(reference, inside)
    assert metrics.face_ms_ssim(reference, inside, box) < 0.95


def test_pictures_of_different_sizes_are_refused() -> None:
    with pytest.raises(MismatchError, match="cannot be compared"):
        metrics.psnr(np.zeros((4, 4, 3)), np.zeros((4, 5, 3)))
    with pytest.raises(MismatchError, match="cannot be compared"):
        metrics.ssim(np.zeros((20, 20, 3)), np.zeros((20, 21, 3)))


def test_pictures_too_small_are_refused() -> None:
    small = np.zeros((160, 200, 3), np.uint8)
    with pytest.raises(InputError, match="more than 160 pixels"):
        metrics.ms_ssim(small, small)
    with pytest.raises(InputError, match="11 pixels"):
        metrics.ssim(small[:10], small[:10])
