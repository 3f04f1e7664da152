"""How many frames a second are asked for."""

from __future__ import annotations

from service.calls.frame_wish import FrameWish


def after(*looks: float) -> int:
    wish = FrameWish()
    for seconds in looks:
        wish.looked(seconds)
    return wish.rate


def test_as_many_frames_are_asked_for_as_are_looked_at():
    assert after() == after(*[0.01] * 50) == 30
    assert after(*[0.05] * 100) == 14
    assert after(*[1.0] * 50) == 8  # a call stays one
    assert after(*[1.0] * 50, *[0.01] * 50) == 30


def test_one_slow_look_is_not_the_machines_pace():
    assert after(*[0.02] * 50, 0.1) >= 20
