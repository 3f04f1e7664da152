"""What is here measures; what is not says what it needs, and a plug-in can bring it."""

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest

from avatar.errors import InputError, MismatchError, MissingError
from bench.metrics import registry
from bench.metrics.metric import Metric, each
from bench.metrics.registry import metric, metrics

CLEAN = np.random.default_rng(2).integers(0, 200, (2, 176, 176, 3), dtype=np.uint8)
NUMPY_ONLY = ("L1", "PSNR", "SSIM", "MS-SSIM", "GMSD", "FSIM", "VSI")


@pytest.mark.parametrize("name", NUMPY_ONLY)
def test_equal_clips_are_best_and_noise_is_worse(name: str) -> None:
    one = metric(name)
    assert one.missing() == ""
    best = one.measure(CLEAN, CLEAN)
    worse = one.measure(CLEAN, CLEAN + np.arange(2, dtype=np.uint8)[:, None, None, None] * 40)
    expected = {"L1": 0, "PSNR": 100, "GMSD": 0}.get(name, 1)
    np.testing.assert_allclose(best, expected, atol=1e-6)
    assert worse[0] == pytest.approx(best[0]) and one.rising == (worse[1] < best[1])


def test_what_needs_weights_is_named_and_never_replaced() -> None:
    files = {
        "MSVGG": "vgg19-",
        "FVD": "i3d_torchscript.pt", "TOPIQ": "cfanet_fr", "MANIQA": "ckpt_koniq10k.pt",
        "IFQA": "IFQA_Metric.pth", "FAVOR": "its authors' weights",
    }  # fmt: skip
    for name, file in files.items():
        one = metric(name)
        assert one.missing().startswith(f"needs {file}")
        with pytest.raises(MissingError, match="needs"):
            one.measure(CLEAN, CLEAN)


def test_frames_that_cannot_be_compared_are_refused() -> None:
    one = metric("PSNR")
    with pytest.raises(MismatchError, match="cannot compare"):
        one.measure(CLEAN, CLEAN[:1])
    with pytest.raises(MismatchError, match="cannot compare"):
        one.measure(CLEAN[:0], CLEAN[:0])
    with pytest.raises(InputError, match="cannot judge"):
        one.measure(CLEAN.astype(np.float32), CLEAN)
    short = Metric("short", "", True, "", lambda a, b: np.zeros(1))
    with pytest.raises(MismatchError, match="gave figures"):
        short.measure(CLEAN, CLEAN)
    with pytest.raises(InputError, match="no metric 'PNSR'"):
        metric("PNSR")


MINE = Metric("TOPIQ", "", True, "a stand-in", each(lambda a, b: float(a.mean() - b.mean())))
TAKEN = Metric("PSNR", "dB", True, "another", each(lambda a, b: 1.0))
NONE = "not a metric"


def test_a_plug_in_brings_a_metric_and_a_broken_one_spoils_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group, here = "facewire.metrics", "metrics_of_others"
    monkeypatch.setitem(__import__("sys").modules, here, type("Module", (), globals()))
    names = {"mine": "MINE", "taken": "TAKEN", "none": "NONE", "gone": "NOT_THERE"}
    entries = [metadata.EntryPoint(k, f"{here}:{v}", group) for k, v in names.items()]
    monkeypatch.setattr(metadata, "entry_points", lambda group: entries)
    known = metrics()
    assert known["TOPIQ"].measure(CLEAN, CLEAN).tolist() == [0, 0]
    assert known["PSNR"] in registry.HERE
    assert "is no Metric" in known["none"].missing()
    assert "AttributeError" in known["gone"].missing()
