"""LPIPS and DISTS against their authors' packages (lpips 0.1.4, DISTS-pytorch 0.1), with made-up
weights in both: the arithmetic is theirs whatever the weights are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from avatar.errors import FormatError, MissingError  # noqa: E402
from bench.metrics import backbones, dists, lpips  # noqa: E402
from bench.metrics.backbones import ALEXNET, VGG16, Backbone, judged, load_tensors  # noqa: E402
from bench.metrics.registry import metric  # noqa: E402
from tests.bench.metrics.test_published import scene  # noqa: E402

ALEX_WIDTHS = {
    0: (3, 64, 11),
    3: (64, 192, 5),
    6: (192, 384, 3),
    8: (384, 256, 3),
    10: (256, 256, 3),
}
VGG_WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


def made_up(backbone: Backbone) -> dict[str, Any]:
    """Weights of the backbone's real widths, in torchvision's names, that keep what goes through
    them about as large as it was."""
    shapes = ALEX_WIDTHS
    if backbone is VGG16:
        ins = (3, *VGG_WIDTHS)
        numbers = [layer.number for layer in VGG16.layers]
        shapes = {n: (i, o, 3) for n, i, o in zip(numbers, ins, VGG_WIDTHS, strict=False)}
    rng = np.random.default_rng(7)
    tensors = {}
    for number, (width, out, kernel) in shapes.items():
        scale = (2 / (width * kernel * kernel)) ** 0.5
        weight = rng.normal(0, scale, (out, width, kernel, kernel))
        tensors[f"features.{number}.weight"] = torch.from_numpy(weight).float()
        tensors[f"features.{number}.bias"] = torch.from_numpy(rng.normal(0, 0.1, out)).float()
    return tensors


def made_up_heads(widths: tuple[int, ...]) -> dict[str, Any]:
    rng = np.random.default_rng(8)
    return {
        f"lin{i}.model.1.weight": torch.from_numpy(rng.uniform(0, 2, (1, c, 1, 1))).float()
        for i, c in enumerate(widths)
    }


def made_up_shares() -> dict[str, Any]:
    rng = np.random.default_rng(9)
    return {
        n: torch.from_numpy(rng.uniform(0, 1, (1, 1475, 1, 1))).float() for n in ("alpha", "beta")
    }


def pairs() -> tuple[np.ndarray, np.ndarray]:
    clean, noisy = scene(96)
    return np.stack([clean, clean]), np.stack([noisy, clean])


@pytest.mark.parametrize(
    ("one", "widths", "published"),
    [
        (lpips.BY_ALEXNET, (64, 192, 384, 256, 256), 0.2261916365722761),
        (lpips.BY_VGG, (64, 128, 256, 512, 512), 0.23210712827871227),
    ],
)
def test_lpips_is_its_authors(
    one: lpips.Lpips, widths: tuple[int, ...], published: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {one.backbone.file: made_up(one.backbone), one.heads: made_up_heads(widths)}
    monkeypatch.setattr(lpips, "load_tensors", held.__getitem__)
    found = one.figures(*pairs())
    assert found[0] == pytest.approx(published, rel=1e-5)
    assert found[1] == 0
    assert one.figures(*pairs()[::-1]) == pytest.approx(found)


def test_dists_is_its_authors(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {VGG16.file: made_up(VGG16), dists.WEIGHTS: made_up_shares()}
    monkeypatch.setattr(dists, "load_tensors", held.__getitem__)
    found = dists.dists(*pairs())
    assert found[0] == pytest.approx(0.027788237026315832, rel=1e-5)
    assert found[1] == pytest.approx(0, abs=1e-6)


def test_pooling_by_hand() -> None:
    x = torch.zeros(1, 2, 4, 4)
    x[0, 1, 0, 0] = 8.0
    got = dists.pooled(x)
    assert got.shape == (1, 2, 2, 2)
    assert float(got[0, 1, 0, 0]) == pytest.approx(4.0)  # sqrt(0.5 * 0.5 * 64)
    assert float(got[0, 1, 1, 1]) == pytest.approx(0, abs=2e-6)


def test_batches_are_the_clip() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    found = judged(lambda a, b: (a - b).abs().mean((1, 2, 3)), frames, frames[::-1])
    expected = np.abs(frames.astype(float) - frames[::-1]).mean((1, 2, 3)) / 255
    np.testing.assert_allclose(found, expected, atol=1e-6)


NEEDED = {
    "LPIPS": ("alexnet-owt-7be5be79.pth", "lpips/alex.pth"),
    "LPIPS-VGG": ("vgg16-397923af.pth", "lpips/vgg.pth"),
    "DISTS": ("vgg16-397923af.pth", "dists/weights.pt"),
}


def test_each_file_that_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEWIRE_MODELS", str(tmp_path))
    for name, files in NEEDED.items():
        needs = f"needs {' and '.join(files)} in a folder that $FACEWIRE_MODELS names"
        assert metric(name).missing() == needs
        with pytest.raises(MissingError, match="needs"):
            metric(name).measure(*pairs())


def test_heads_alone_are_not_enough(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEWIRE_MODELS", str(models))
    for name, (backbone, heads) in NEEDED.items():
        if (models / heads).is_file() and not (models / backbone).is_file():
            assert metric(name).missing().startswith(f"needs {backbone} in a folder")


def test_heads_of_the_package_fit(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (models / "lpips" / "alex.pth").is_file():
        pytest.skip("no lpips/alex.pth there")
    monkeypatch.setenv("FACEWIRE_MODELS", str(models))
    held = {ALEXNET.file: made_up(ALEXNET), "lpips/alex.pth": load_tensors("lpips/alex.pth")}
    monkeypatch.setattr(lpips, "load_tensors", held.__getitem__)
    assert lpips.BY_ALEXNET.figures(*pairs())[0] == pytest.approx(0.015260474, rel=1e-5)


def test_a_file_that_holds_no_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "odd.pth"
    torch.save([1, 2], path)
    monkeypatch.setattr(backbones, "find_asset", lambda file: path)
    with pytest.raises(FormatError, match="holds no weights"):
        load_tensors("odd.pth of the test")
