"""Metrics on regions: where they are, how they are cut, and what is said where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.face import Window
from bench.measure import Measured, measure
from bench.metrics.metric import Metric, each
from bench.metrics.registry import metric
from bench.regions import EYES, FACE, MOUTH, boxes_of, cuts
from render.metrics import face_ms_ssim, face_psnr
from tests.bench.metrics.test_pose import track

RNG = np.random.default_rng(5)
REFERENCE = RNG.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
SHOWN = np.clip(REFERENCE + RNG.normal(0, 12, REFERENCE.shape), 0, 255).astype(np.uint8)
BOX = np.tile([0.25, 0.25, 0.75, 0.75], (4, 1))


def test_the_face_is_judged_as_the_compare_command_does() -> None:
    found = {
        (one.metric, one.region): one
        for one in measure(REFERENCE, SHOWN, {FACE: BOX}, [metric("PSNR"), metric("MS-SSIM")])
    }
    pairs = list(zip(REFERENCE, SHOWN, strict=True))
    psnr = [face_psnr(a, b, BOX[0]) for a, b in pairs]
    assert found["PSNR", FACE].mean == pytest.approx(np.mean(psnr))
    assert found["PSNR", FACE].low <= found["PSNR", FACE].mean
    scales = np.mean([face_ms_ssim(a, b, BOX[0]) for a, b in pairs])
    assert found["MS-SSIM", FACE].mean == pytest.approx(scales, abs=1e-6)
    assert found["MS-SSIM", "whole"].needs == "needs 161 pixels each way"
    assert found["PSNR", MOUTH].needs == "no face was found"


def test_frames_without_a_face_are_left_out_of_its_figures() -> None:
    boxes = BOX.copy()
    boxes[1:3] = np.nan
    assert len(list(cuts(SHOWN, boxes))) == 2
    (face,) = [m for m in measure(REFERENCE, SHOWN, {FACE: boxes}, [metric("L1")]) if m.frames == 2]
    assert face.region == FACE


def test_a_metric_that_fails_costs_its_own_figure_only() -> None:
    def broken(a: np.ndarray, b: np.ndarray) -> float:
        raise RuntimeError("no memory")

    bad = Metric("BAD", "", True, "", each(broken))
    found = measure(REFERENCE, SHOWN, {FACE: BOX}, [bad, metric("PSNR")])
    assert found[0].needs == "failed: RuntimeError: no memory"
    assert found[2].metric == "PSNR" and found[2].mean > 20


def test_figures_survive_their_json() -> None:
    for one in measure(REFERENCE, SHOWN, {}, [metric("PSNR")]):
        again = Measured.parse(one.values())
        assert (again.metric, again.region, again.needs) == (one.metric, one.region, one.needs)
        np.testing.assert_equal(again.mean, one.mean)


def test_regions_are_where_the_tracked_face_has_them() -> None:
    found = boxes_of(track(), np.arange(4), Window(0, 0, 32, 32, 32))
    face, mouth, eyes = (found[name][0] for name in (FACE, MOUTH, EYES))
    assert face == pytest.approx([0.3, 0.2, 0.7, 0.8])
    assert eyes[3] < mouth[1]  # eyes above the mouth
    assert eyes[0] < mouth[0] < mouth[2] < eyes[2]
    # A window of half the side around the middle sees everything twice as large.
    near = boxes_of(track(), np.arange(4), Window(8, 8, 16, 32, 32))
    assert near[FACE][0] == pytest.approx([0.1, -0.1, 0.9, 1.1])
    lost = track(confidence=np.zeros(10, np.float32))
    assert np.isnan(boxes_of(lost, np.arange(4), Window(0, 0, 32, 32, 32))[FACE]).all()


def test_the_reference_s_cuts_are_those_of_the_clip_at_hand() -> None:
    """They are kept from one codec to the next, and never taken for another clip's."""
    ssim = [metric("SSIM")]
    for seed in (1, 2, 1):
        clip = np.random.default_rng(seed).integers(0, 256, REFERENCE.shape, dtype=np.uint8)
        for frames in (clip, clip[::-1]):
            found = {m.region: m.mean for m in measure(frames, frames, {FACE: BOX}, ssim)}
            assert found[FACE] == pytest.approx(1.0)
    moved = BOX + 0.05
    (face,) = [m for m in measure(clip, clip, {FACE: moved}, ssim) if m.region == FACE]
    assert face.mean == pytest.approx(1.0)
