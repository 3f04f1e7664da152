"""Poses asked for by name, and records of consent."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from avatar.avatar import Avatar, Consent, StateStatistics
from avatar.camera import Pinhole, rotation_matrix
from avatar.errors import ConsentError, InputError
from avatar.face import StateLayout, Window
from service import consent
from service.look import posed, turntable
from service.view import View


@pytest.fixture
def avatar() -> Avatar:
    layout = StateLayout()
    rng = np.random.default_rng(2)
    mean = rng.normal(size=layout.width).astype(np.float32)
    shapes = {
        "scale": (79, 4), "place": (79, 4), "keys": (4, 4), "values": (4, 4), "queries": (30, 4),
        "out": (30, 4), "linear": (30, 79), "bias": (30,),
    }  # fmt: skip
    embedding = {f"embedding.{k}": rng.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    one = np.ones(layout.width, np.float32)
    return Avatar(
        "ada", "", Consent("self", "", "", "flag", "1"), Pinhole(2.0), Window(0, 0, 1, 1, 1),
        layout, StateStatistics(mean, one, one), {}, embedding,
    )  # fmt: skip


def looks_at(avatar: Avatar, *angles: float) -> np.ndarray:
    """Where the nose points, camera space."""
    values = posed(avatar, *angles)
    return rotation_matrix(values[avatar.layout.groups["rotation"]]) @ np.array([0, 0, 1.0])


def test_angles_mean_what_the_help_says(avatar):
    assert looks_at(avatar) == pytest.approx([0, 0, 1], abs=1e-6)
    assert looks_at(avatar, 90) == pytest.approx([1, 0, 0], abs=1e-5)  # to the viewer's right
    assert looks_at(avatar, 0, 90) == pytest.approx([0, 1, 0], abs=1e-5)  # up
    tilted = posed(avatar, 0, 0, 90)[avatar.layout.groups["rotation"]]
    assert rotation_matrix(tilted) @ [0, 1, 0] == pytest.approx([1, 0, 0], abs=1e-5)  # clockwise


def test_the_rest_stays_the_persons_mean(avatar):
    values, mean = posed(avatar, 10), avatar.statistics.mean
    rest = np.ones(len(mean), bool)
    rest[avatar.layout.groups["rotation"]] = False
    assert np.array_equal(values[rest], mean[rest])
    changed = posed(avatar, expression={3: 2.0})
    assert not np.allclose(changed[:30], mean[:30])


@pytest.mark.parametrize("angles", [(91, 0, 0), (0, float("nan"), 0)])
def test_angles_out_of_reach(avatar, angles):
    with pytest.raises(InputError, match="out of reach"):
        posed(avatar, *angles)


@pytest.mark.parametrize("expression", [{79: 1.0}, {-1: 1.0}, {0: 99.0}])
def test_expressions_that_do_not_exist(avatar, expression):
    with pytest.raises(InputError, match="expression"):
        posed(avatar, expression=expression)


def test_a_turntable_ends_where_it_begins(avatar):
    states = list(turntable(avatar, 40))
    steps = np.linalg.norm(np.diff([*states, states[0]], axis=0), axis=1)
    assert steps.max() < 3 * np.median(steps)


def test_views_that_cannot_be():
    for width, height in ((15, 64), (64, 4097)):
        with pytest.raises(InputError, match="16x16 to 4096x4096"):
            View(width, height)
    with pytest.raises(InputError, match="contain, cover, extend"):
        View(fit="stretch")


def test_a_record_of_consent():
    now = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
    given = consent.record("  Ada   Lovelace ", "lectures", "page", now)
    assert given.subject == "Ada Lovelace"
    assert given.given_at == "2026-01-02T03:04:05+00:00"
    for subject, purpose in (("", "calls"), ("self", "\n")):
        with pytest.raises(ConsentError):
            consent.record(subject, purpose, "flag", now)
