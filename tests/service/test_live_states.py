"""A small person before a camera that shakes nothing but its pixels."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.face import FaceStates
from enroll.capture import Frame
from render.portrait import Portrait
from service import live_states
from service.live_states import LiveStates
from service.surroundings import Surroundings
from tests.service.small_person import LAYOUT, SIZE, avatar_of, small_person

FRAMES, PERIOD = 30, 40_000


class Row:
    """Of a track."""

    def __init__(self, time):
        self.time = np.array([time])
        self.window = None


@pytest.fixture
def avatar():
    return avatar_of(small_person())


@pytest.fixture
def tracker(avatar, monkeypatch):
    """Finds the mean state with its noise; what `cut_window` and `states_of` do has its tests."""
    rng = np.random.default_rng(0)
    from service.tracker_noise import TrackerNoise

    noise = TrackerNoise().of(LAYOUT, avatar.statistics)

    def states(track, _):
        values = avatar.statistics.mean + noise * rng.normal(size=LAYOUT.width)
        return FaceStates(track.time, values[None].astype(np.float32), np.ones(1, bool), LAYOUT)

    monkeypatch.setattr(live_states, "states_of", states)
    monkeypatch.setattr(live_states, "cut_window", lambda image, window, size: image)
    return noise


def shaking(live, avatar, tracker, noise):
    """Of what is sent, in deviations of the tracker's noise."""
    rng = np.random.default_rng(1)
    still = Portrait(avatar, "cpu").render(avatar.statistics.mean, SIZE, SIZE).astype(float)
    sent = []
    for time in range(0, FRAMES * PERIOD, PERIOD):
        noisy = np.clip(np.rint(still + rng.normal(0, noise, still.shape)), 0, 255)
        sent.append(live.step(Frame(noisy.astype(np.uint8), time), Row(time)).values[0])
    return float((np.std(sent[10:], axis=0) / tracker).mean())


def test_a_noisy_camera_s_still_face_is_sent_still_and_a_clean_one_s_as_tracked(avatar, tracker):
    assert shaking(LiveStates(avatar), avatar, tracker, 3.0) < 0.4
    assert shaking(LiveStates(avatar), avatar, tracker, 0.0) > 0.8


class Looks:
    def __init__(self):
        self.steps, self.seen = 0, []

    def step(self, frame, track, states):
        self.steps += 1
        return states

    def take(self, avatar):
        self.seen.append(avatar)


def test_a_stranger_s_face_is_not_looked_at(avatar, tracker):
    looks = Looks()
    live = LiveStates(avatar, looks)
    frame = Frame(np.zeros((SIZE, SIZE, 3), np.uint8), 0)
    live.step(frame, Row(0), looks=False)
    assert looks.steps == 0
    live.step(frame, Row(1), looks=True)
    assert looks.steps == 1


def test_what_is_looked_for_is_what_a_receiver_will_see(avatar, tracker):
    looks = Looks()
    LiveStates(avatar).take(Surroundings())  # nobody looks
    LiveStates(avatar, looks).take(Surroundings())
    assert [each.digest for each in looks.seen] == [avatar.digest]
