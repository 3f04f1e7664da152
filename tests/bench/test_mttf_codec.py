"""The fallback through the lab's door, with weights that nobody trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("imageio_ffmpeg")

from avatar.errors import InputError
from bench.codec import Clip, run_point
from bench.codecs import codecs
from codec.mttf.network import Mttf
from codec.mttf.settings import LITE
from codec.mttf.vectors import statistics_of
from codec.mttf.weights import save_weights

_ONCE = "mttf-lite-once"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import torch

    torch.manual_seed(0)
    tensors = {name: t.numpy() for name, t in Mttf(LITE).state_dict().items()}
    rows = np.random.default_rng(0).normal(size=(9, LITE.numbers))
    save_weights(tmp_path / "mttf-lite.safetensors", LITE, tensors, statistics_of(rows), {})
    monkeypatch.setenv("FACEWIRE_MODELS", str(tmp_path))
    return tmp_path


def test_without_weights_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEWIRE_MODELS", str(tmp_path))
    needs = codecs()["mttf-full"].missing()
    assert needs.startswith("needs mttf-full.safetensors in a folder")
    assert codecs()["mttf-lite"].missing() == ""  # the package's own


def test_coarser_key_frames_take_fewer_bytes(weights: Path) -> None:
    codec = codecs()["mttf-lite"]
    assert codec.missing() == ""
    y, x = np.mgrid[:128, :128]
    picture = np.stack([x + 40, y + 60, 90 + 40 * np.sin(x * y / 300)], 2).astype(np.uint8)
    clip = Clip("still", np.stack([picture] * 4))
    coarse, fine = (run_point(codec, clip, qp) for qp in (52, 32))
    assert set(fine.parts) == {"header", "key frames", "vectors"}
    assert coarse.parts["key frames"] < fine.parts["key frames"]
    assert fine.settings.startswith("key frames by vvc at QP 32")
    assert fine.frames.shape == clip.frames.shape
    with pytest.raises(InputError, match="makes no pictures of 100x100"):
        run_point(codec, Clip("odd", clip.frames[:, :100, :100]), 52)
    with pytest.raises(InputError, match="no QP 22.5"):
        run_point(codec, clip, 22.5)


def test_key_frames_are_renewed_or_the_first_one_stays(weights: Path) -> None:
    """What is seen becomes something else half-way."""
    y, x = np.mgrid[:128, :128]
    before = np.stack([x, y, 90 + 40 * np.sin(x * y / 300)], 2).astype(np.uint8)
    clip = Clip("cut", np.stack([before] * 6 + [np.rot90(255 - before)] * 6), 2.0)
    renewed, once = (run_point(codecs()[name], clip, 52) for name in ("mttf-lite", _ONCE))
    assert codecs()[_ONCE].family == "mttf-lite"
    assert once.parts["key frames"] < 0.7 * renewed.parts["key frames"]
    assert "the first alone" in once.settings and "as many as are needed" in renewed.settings
    errors = [np.abs(f.frames[-1].astype(float) - clip.frames[-1]).mean() for f in (renewed, once)]
    assert errors[0] < 0.5 * errors[1]


def test_a_layer_brings_the_picture_nearer(weights: Path) -> None:
    """A picture of which the network, that nobody trained, knows nothing: it changes its light."""
    codec = codecs()["mttf-lite-layer"]
    assert codec.family == "mttf-lite" and codec.points == (2.0, 4.0, 8.0)
    y, x = np.mgrid[:128, :128]
    still = np.stack([x, y, 90 + 40 * np.sin(x * y / 300)], 2)
    clip = Clip("dusk", np.stack([np.uint8(still * light) for light in (1.0, 0.9, 0.8, 0.7)]), 2.0)
    without = run_point(codecs()["mttf-lite"], clip, 42)
    found = run_point(codec, clip, 8)
    assert set(found.parts) == {"header", "key frames", "vectors", "layer"}
    assert found.parts["key frames"] == without.parts["key frames"]
    assert 0 < found.parts["layer"] <= 8e3 / 8 * 2  # two seconds
    assert found.settings.endswith("a layer of 8 kbit/s by AV1, fused in")

    def away(made: np.ndarray) -> float:
        return float(np.abs(made[3].astype(float) - clip.frames[3]).mean())

    assert away(found.frames) < 0.5 * away(without.frames)
