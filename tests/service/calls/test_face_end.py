"""Two ends on a made-up line: what is filmed at one is shown at the other."""

from __future__ import annotations

import numpy as np
import pytest

from service.calls.badge import badged
from service.calls.face_end import FaceEnd

TICK = 40_000  # us


def run(sender, receiver, tracker, width, lost=frozenset(), frames=60):
    from enroll.capture import Frame

    shown = []
    for n in range(frames):
        now = n * TICK
        values = np.full(width, 0.5 * np.sin(n / 10), np.float32)
        out = sender.film(now, Frame(values, now), tracker) + sender.poll(now)
        for data in out if n not in lost else []:
            receiver.receive(now + 5_000, data)
        for data in receiver.poll(now + 6_000):
            sender.receive(now + 10_000, data)
        shown.append(receiver.show(now + 20_000))
    return shown


def test_what_is_filmed_here_is_shown_there(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(None, [ada])
    shown = run(sender, receiver, moving, ada.layout.width)
    assert shown[0] is None and receiver.theirs is ada and receiver.wanting is None
    last = shown[-1]
    assert np.abs(last.values - 0.5 * np.sin(last.time / TICK / 10)).max() < 0.15
    assert receiver.carried == "avatar" and receiver.traffic.damaged == 0
    assert sender.round_trip is not None and 0 < receiver.traffic.received.now < 20


def test_losses_are_survived_and_reported(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(None, [ada])
    lost = set(range(12, 200, 9))
    shown = run(sender, receiver, moving, ada.layout.width, lost, frames=200)
    assert shown[-1] is not None and 0.02 < receiver.loss < 0.3


def test_an_avatar_that_is_not_at_hand_is_wanted_and_then_shown(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(None)
    assert run(sender, receiver, moving, ada.layout.width, frames=10)[-1] is None
    assert receiver.wanting == bytes.fromhex(ada.digest)[:16] and receiver.theirs is None
    receiver.hold(ada)
    assert receiver.wanting is None


def test_another_face_before_the_camera_stops_the_avatar(ada, moving):
    from enroll.capture import Frame

    sender, receiver = FaceEnd(ada), FaceEnd(None, [ada])
    run(sender, receiver, moving, ada.layout.width)
    sender.drive(False, 60 * TICK)
    values = np.zeros(ada.layout.width, np.float32)
    assert sender.film(60 * TICK, Frame(values, 60 * TICK), moving) == []


def test_a_watch_stops_the_avatar_for_a_stranger_and_lets_its_owner_go_on(ada, moving):
    class Watch:
        owner = True

        def step(self, now, image, points):
            return self.owner

    watch = Watch()
    sender, receiver = FaceEnd(ada, watch=watch), FaceEnd(None, [ada])
    run(sender, receiver, moving, ada.layout.width)
    before = receiver.show(60 * TICK)
    watch.owner = False
    assert film(sender, moving, 60) == [] and sender.owner is False and before is not None
    watch.owner = True
    assert film(sender, moving, 61) + film(sender, moving, 62)


def film(end, tracker, tick):
    from enroll.capture import Frame

    return end.film(tick * TICK, Frame(np.zeros(end._mine.layout.width, np.float32), tick * TICK),
                    tracker)  # fmt: skip


def test_rubbish_is_counted_and_harms_nothing(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(ada, [ada])
    run(sender, receiver, moving, ada.layout.width)
    for data in (b"", b"\xff" * 40, b"\x25", bytes(range(60))):
        receiver.receive(60 * TICK, data)
    assert receiver.traffic.damaged >= 3
    assert receiver.show(61 * TICK) is not None


@pytest.mark.parametrize("size", [16, 64, 256])
def test_every_picture_carries_the_badge(size):
    grey = np.full((size, size, 3), 96, np.uint8)
    marked = badged(grey)
    assert (grey == 96).all() and (marked[-2:, :4] == (180, 83, 9)).all()
    assert (marked[: size // 3] == 96).all()
