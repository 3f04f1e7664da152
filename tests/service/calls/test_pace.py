"""How much is sent follows what the network carries: on made-up networks, without a clock."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from enroll.capture import Frame
from service.calls.face_end import FaceEnd
from service.calls.pace import STEPS, Pace
from service.traffic import Rate

TICK = 20_000  # us
SECOND = 1_000_000
HEADERS = 93  # bytes of IPv4, UDP, DTLS and SCTP around a datagram


def told(pace, seconds, loss=0.0, trip=50_000, begin=0):
    """Half a second after the other the same is told; the places that come of it."""
    places = []
    for n in range(2 * seconds):
        pace.step(begin + n * SECOND // 2, loss, trip)
        places.append(pace.place)
    return places


def test_a_free_network_gets_the_best():
    assert set(told(Pace(), 60)) == {0}


def test_a_queue_before_us_sends_less_and_its_end_more_again():
    pace = Pace()
    told(pace, 5)
    assert told(pace, 30, trip=900_000, begin=5 * SECOND)[-1] == len(STEPS) - 1
    places = told(pace, 60, begin=35 * SECOND)
    assert places[-1] == 0 and sorted(places, reverse=True) == places


def test_loss_that_sending_less_does_not_help_is_not_ours():
    """A bad radio: the way is as short as ever, and a fifth is lost whatever is sent."""
    places = told(Pace(), 50, loss=0.2)
    assert max(places) == 1 and places.count(1) <= 8 and places[-1] == 0


def test_loss_that_falls_when_less_is_sent_is_listened_to():
    pace, places = Pace(), []
    for n in range(60):
        pace.step(n * SECOND // 2, 0.3 if pace.place < 1 else 0.0, 50_000)
        places.append(pace.place)
    assert max(places) == 1 and places.count(1) > 40


def test_too_early_up_again_waits_longer_each_time():
    """A path that carries the second step and no more."""
    pace, ups, last = Pace(), [], 0
    for n in range(600):
        now = n * SECOND // 2
        pace.step(now, 0.0, 50_000 if n < 4 or pace.place else 600_000)
        if pace.place < last:
            ups.append(now)
        last = pace.place
    gaps = np.diff(ups)
    assert len(ups) >= 3 and gaps[-1] > 1.5 * gaps[0]


class Narrow:
    """A link of some kbit/s, with a second's queue before it; what does not fit in is lost."""

    def __init__(self, kbps, delay=20_000):
        self._bits, self._delay = kbps * 1000, delay
        self._free, self._way = 0, deque()
        self.lost = 0

    def send(self, now, datagrams):
        for data in datagrams:
            begun = max(now, self._free)
            if begun - now > SECOND:
                self.lost += 1
                continue
            self._free = begun + round(8 * SECOND * (len(data) + HEADERS) / self._bits)
            self._way.append((self._free + self._delay, data))

    def come(self, now):
        while self._way and self._way[0][0] <= now:
            yield self._way.popleft()[1]


def late(ada, moving, kbps, **more):
    """Median and worst age of what is shown over the last ten of forty seconds, ms; the end."""
    sender, receiver = FaceEnd(ada, **more), FaceEnd(None, [ada])
    out, back, ages = Narrow(kbps), Narrow(1000), []
    rng, width = np.random.default_rng(3), ada.layout.width
    values = np.zeros(width, np.float32)
    for now in range(0, 40 * SECOND, TICK):
        if now % 40_000 == 0:
            values = (0.9 * values + 0.3 * rng.standard_normal(width)).astype(np.float32)
            out.send(now, sender.film(now, Frame(values, now), moving))
        out.send(now, sender.poll(now))
        for data in out.come(now):
            receiver.receive(now, data)
        back.send(now, receiver.poll(now))
        for data in back.come(now):
            sender.receive(now, data)
        shown = receiver.show(now)
        if shown is not None and now > 30 * SECOND:
            ages.append((now - shown.time) / 1000)
    return np.median(ages), max(ages), sender


@pytest.mark.parametrize("kbps", [14, 18])
def test_on_a_narrow_path_what_is_shown_stays_young(ada, moving, kbps):
    median, worst, sender = late(ada, moving, kbps)
    before, _, stubborn = late(ada, moving, kbps, pace=None)
    assert sender.saving > 0 and stubborn.saving == 0
    assert median < 400 and before > 1000, (median, worst, before, sender.saving)


def test_on_a_wide_path_nothing_is_saved(ada, moving):
    median, worst, sender = late(ada, moving, 200)
    assert sender.saving == 0 and worst < 150, (median, worst)


def test_a_rate_is_told_though_times_do_not_rise():
    rate = Rate()
    for time in (0, 1_000_000, 400_000, 1_500_000):
        rate.add(time, 100)
        assert rate.now >= 0
    assert rate.now == pytest.approx(300 * 8000 / 1_500_000)
