"""A machine whose speed is known: which rung it ends on, and how often it changes."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from render.ladder import RUNGS, Ladder, LadderSettings

COST = (1.0, 0.75, 0.55, 0.4, 0.3)  # of the first rung


def run(speed, seconds, ladder, start=0.0):
    """speed(now): seconds of a picture on the first rung; gives the rung of every picture."""
    now, rungs = start, []
    while now < start + seconds:
        rungs.append(ladder.rung)
        took = speed(now) * COST[ladder.rung]
        now += max(took, 0.04)
        ladder.took(now, took)
    return rungs


def test_each_rung_has_less_to_do():
    assert len(COST) == len(RUNGS)
    for better, worse in zip(RUNGS, RUNGS[1:], strict=False):
        fewer = worse.sampling.coarse + worse.sampling.fine
        assert fewer <= better.sampling.coarse + better.sampling.fine
        assert worse.thrift.head >= better.thrift.head
        assert worse != better


def test_a_machine_that_is_fast_enough_leaves_nothing_out():
    assert set(run(lambda now: 0.02, 20, Ladder(LadderSettings(0.04)))) == {0}


@pytest.mark.parametrize("slow, rung", [(0.05, 1), (0.07, 2), (0.12, 4), (1.0, 4)])
def test_a_slow_machine_ends_where_the_deadline_is_kept(slow, rung):
    rungs = run(lambda now: slow, 120, Ladder(LadderSettings(0.04)))
    late = rungs[len(rungs) // 2 :]
    assert late.count(rung) > 0.85 * len(late)
    assert min(late) >= rung - 1


def test_when_the_machine_is_free_again_all_comes_back():
    ladder = Ladder(LadderSettings(0.04))
    assert run(lambda now: 0.12, 20, ladder)[-1] == 4
    assert run(lambda now: 0.03, 120, ladder, start=20.0)[-1] == 0


def test_one_slow_picture_is_no_reason():
    ladder = Ladder(LadderSettings(0.04))
    for k in range(100):
        ladder.took(0.04 * k, 0.1 if k == 50 else 0.02)
        assert ladder.rung == 0
