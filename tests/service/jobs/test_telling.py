"""The seconds that an enrolment says are left, at a clock that the test turns."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("cryptography")
pytest.importorskip("cv2")

from service.jobs.enrolment import _FINISHING, _STARTING, FitTelling


class Told:
    """A clock, and a queue that keeps what it is told."""

    def __init__(self, folder, budget):
        self.now, self.left, self.notes, self.progress = 100.0, [], [], []
        self.telling = FitTelling(
            self, None, lambda: None, lambda: self.now,
            checkpoint=folder / "none", longest=600.0, budget=budget, shown=1e9,
        )  # fmt: skip

    def beat(self, claim, now, progress, note, left):
        self.progress.append(progress)
        self.notes.append(note)
        self.left.append(left)


def test_a_fit_that_was_taken_up_again_says_what_it_has_still_to_do(tmp_path):
    told = Told(tmp_path, budget=50.0)  # of 300 seconds, which earlier runs took 250 of
    for spent in (250.0, 252.0, 255.0):
        told.now += 2.0
        told.telling.fitting(spent, 300.0, "fitting, 30 dB")
    assert told.left == [pytest.approx(300.0 - s + _FINISHING) for s in (250.0, 252.0, 255.0)]


def test_steps_go_by_the_pace_of_this_run(tmp_path):
    told = Told(tmp_path, budget=None)
    for step in (800, 810, 820):
        told.telling.fitting(step, 1000, "fitting, 30 dB")
        told.now += 5.0
    assert told.left == [None, *(pytest.approx(n * 0.5 + _FINISHING) for n in (190, 180))]


def test_while_the_face_is_followed_the_rest_counts(tmp_path):
    told = Told(tmp_path, budget=300.0)
    for frames in (0, 100, 200):
        told.telling.tracking(frames, 400)
        told.now += 4.0
    rest = _STARTING + 300.0 + _FINISHING
    assert told.left == [None, pytest.approx(12.0 + rest), pytest.approx(8.0 + rest)]


def test_finishing_is_told_at_once_with_what_it_takes_at_this_pace(tmp_path):
    told = Told(tmp_path, budget=300.0)
    told.telling.fitting(299.9, 300.0, "fitting, 30 dB")
    told.telling.watch(SimpleNamespace(done_steps=1000, spent=200.0))
    told.now += 0.1
    told.telling.fitting(300.0, 300.0, "31.0 dB on frames it had not seen; finishing")
    assert told.notes[-1].endswith("finishing") and told.left[-1] == pytest.approx(20.0)
    assert told.progress == sorted(told.progress) and told.progress[-1] < 1.0
