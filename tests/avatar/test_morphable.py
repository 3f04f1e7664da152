"""The face model that ships: metric, upright, symmetric, linear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from avatar.errors import FormatError
from avatar.face import EXPRESSIONS
from avatar.morphable import MODEL_FILE, SKIN_POINTS, FaceModel

FLIP = np.array([-1, 1, 1], np.float32)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return FaceModel.load()


def test_the_shipped_file_is_small():
    assert MODEL_FILE.stat().st_size <= 2_000_000


def test_a_mean_face_is_metric_upright_and_symmetric(model):
    mean = model.mean
    assert np.linalg.norm(mean[468] - mean[473]) == pytest.approx(0.063, abs=1e-4)
    right_eye, left_eye, nose, chin, forehead = mean[468], mean[473], mean[4], mean[152], mean[10]
    assert right_eye[0] < 0 < left_eye[0]  # the subject's right is the viewer's left
    assert chin[1] < nose[1] < right_eye[1] < forehead[1]
    assert nose[2] == mean[:, 2].max()
    bridge = mean[168]
    assert 0.065 < bridge[2] < 0.085 and abs(bridge[0]) < 1e-4
    np.testing.assert_allclose(mean[model.mirror] * FLIP, mean, atol=1e-6)


def test_triangles_look_outwards(model):
    a, b, c = (model.mean[model.triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    middle = (a + b + c) / 3 - model.mean[:SKIN_POINTS].mean(axis=0) + [0, 0, 0.05]
    assert np.mean(np.sum(normals * middle, axis=1) > 0) > 0.97


def test_expression_components_hold_no_rigid_motion(model):
    """What moves least with expression, the skull, neither shifts nor turns with a component."""
    moves = model.expression[:, :SKIN_POINTS]
    spread = np.sum(moves**2, axis=(0, 2))
    weight = 1.0 / (spread + 0.2 * np.median(spread))
    weight = weight / weight.sum()
    size = np.sqrt(np.mean(moves**2, axis=(1, 2)))
    shift = np.abs(np.einsum("v,cvk->ck", weight, moves)).max(axis=1)
    assert np.all(shift < 0.1 * size)
    arm = model.mean[:SKIN_POINTS] - weight @ model.mean[:SKIN_POINTS]
    turn = np.einsum("v,cvk->ck", weight, np.cross(arm, moves)) / np.sum(weight @ arm**2)
    assert np.degrees(np.abs(turn)).max() < 0.1


def test_expression_components_come_largest_first_and_leave_the_irises(model):
    size = np.sum(model.expression**2, axis=(1, 2))
    assert np.all(np.diff(size) < 1e-3 * size[:-1])
    assert not model.expression[:, SKIN_POINTS:].any()  # they follow gaze


def test_the_file_says_what_it_was_learned_from():
    with safe_open(MODEL_FILE, "np") as file:
        said = file.metadata()
    assert int(said["people"]) >= 50 and int(said["frames"]) >= 1000
    assert float(said["error_unseen_people_percent_of_face_height"]) < 0.3
    assert said["script"] == "benchmarks/learn_face_model.py"


def test_vertices_are_linear(model):
    rng = np.random.default_rng(0)
    identity = rng.normal(size=(3, model.identities))
    expression = rng.normal(size=(3, EXPRESSIONS))
    got = model.vertices(identity, expression)
    want = model.mean + np.einsum("bn,nvk->bvk", identity, model.identity)
    want = want + np.einsum("be,evk->bvk", expression, model.expression)
    np.testing.assert_allclose(got, want, atol=1e-6)
    np.testing.assert_allclose(
        model.neutral(identity[0]), model.vertices(identity[0], 0 * expression[0])
    )


def test_a_damaged_model_is_an_error_that_names_it(tmp_path: Path):
    broken = tmp_path / "face_model.safetensors"
    broken.write_bytes(MODEL_FILE.read_bytes()[:5000])
    with pytest.raises(FormatError, match="face_model"):
        FaceModel.load(broken)
    with pytest.raises(FormatError, match="cannot be read"):
        FaceModel.load(tmp_path / "absent.safetensors")
