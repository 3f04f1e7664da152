"""Closed-loop encoding on an avatar whose true states are known: it made the pictures."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from avatar.avatar import Avatar
from avatar.errors import InputError
from avatar.face import EXPRESSIONS, FaceStates, FaceTrack
from enroll.capture import Frame
from render.fields.settings import COLOUR
from render.person import SamplingSettings
from render.portrait import Portrait, RenderSettings
from service.live_refiner import LiveRefiner, LiveRefineSettings
from service.refine import Refiner, RefineSettings
from service.refined_states import refined
from service.trajectory import smoothest
from tests.service.small_person import LAYOUT, SIZE, avatar_of, small_person

FRAMES = 10
PLACE = slice(LAYOUT.groups["translation"].start, LAYOUT.groups["translation"].start + 2)
CODE = LAYOUT.groups["code"]
SAMPLING = SamplingSettings(12, 6)
# A ball has no mouth and no eyes to look at.
SETTINGS = RefineSettings(rays=256, mouth=1.0, eye=1.0, correlation=2.0, sampling=SAMPLING)


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    """A head with soft spots over spotted shoulders, before a grey wall."""
    person = small_person()

    def spots(size: int) -> torch.Tensor:
        small = torch.rand(1, 3, 9, 9)
        return torch.nn.functional.interpolate(small, size=(size, size), mode="bicubic")[0]

    with torch.no_grad():
        person.head.front[0, ..., COLOUR] = spots(32).permute(1, 2, 0)
        person.torso.plane[0, ..., COLOUR] = spots(32).permute(1, 2, 0)
        for network in (person.head.colour, person.torso.colour):
            network.last.weight.zero_()
            network.last.bias.zero_()
    return avatar_of(person)


@pytest.fixture(scope="module")
def call(avatar):
    """(true states, states tracked wrongly, pictures, masks)."""
    true = np.tile(avatar.statistics.mean, (FRAMES, 1))
    phase = np.linspace(0, np.pi, FRAMES)
    true[:, PLACE] += 0.02 * np.stack([np.sin(phase), np.cos(phase)], axis=1)
    portrait = Portrait(avatar, "cpu", RenderSettings(SAMPLING))
    images = np.stack([portrait.render(row, SIZE, SIZE) for row in true])
    tracked = true.copy()
    tracked[:, PLACE] += [0.003, -0.002]
    return true, tracked, images, np.full((FRAMES, 64, 64), 255, np.uint8)


def track_of(avatar, time, masks):
    """Of frames in which nothing but the mask is looked at."""

    def none(*shape):
        return np.zeros((len(time), *shape), np.float32)

    return FaceTrack(
        time=time, expression=none(EXPRESSIONS), rotation=none(3), translation=none(3),
        gaze=none(4), lids=none(2), torso=none(4), confidence=np.ones(len(time), np.float32),
        box=none(4), mask=masks, identity=np.zeros(4, np.float32), camera=avatar.camera,
        window=avatar.window,
    )  # fmt: skip


def off(values, true):
    return np.abs(values - true)[:, PLACE].mean()


def test_smoothest_solves_the_whole_chain():
    rng = np.random.default_rng(0)
    frames, numbers = 5, 3
    square = rng.normal(size=(numbers, numbers))
    curvature, prior, steady = square @ square.T, np.diag([1.0, 2, 3]), np.diag([5.0, 1, 0.5])
    slopes, at = rng.normal(size=(2, frames, numbers))
    before = rng.normal(size=numbers)

    def objective(x):
        d = x - at
        own = np.sum(slopes * d) + 0.5 * np.einsum("fi,ij,fj->", d, curvature, d)
        own += 0.5 * np.einsum("fi,ij,fj->", x, prior, x)
        step = np.diff(np.concatenate([before[None], x]), axis=0)
        return own + 0.5 * np.einsum("fi,ij,fj->", step, steady, step)

    best = smoothest(curvature, slopes, at, prior, steady, before)
    for _ in range(30):
        assert objective(best) < objective(best + 1e-3 * rng.normal(size=best.shape))


def test_frames_one_by_one_find_the_true_place(avatar, call):
    true, tracked, images, masks = call
    got = Refiner(avatar, SETTINGS, "cpu").refine(images, masks, tracked, np.ones(FRAMES, bool))
    assert got.dtype == np.float32
    assert off(got[4:], true[4:]) < 0.35 * off(tracked[4:], true[4:])


def test_rounds_over_all_frames_do_better(avatar, call):
    true, tracked, images, masks = call
    seen = np.ones(FRAMES, bool)
    live = Refiner(avatar, SETTINGS, "cpu").refine(images, masks, tracked, seen)
    got = Refiner(avatar, replace(SETTINGS, rounds=3), "cpu").refine(images, masks, tracked, seen)
    assert off(got, true) < 0.7 * off(live, true)


def test_recorded_frames_learn_from_later_ones(avatar, call):
    """With a camera's noise, what is known of all frames shakes less than what each found live."""
    true, tracked, images, masks = call
    noise = np.random.default_rng(0).normal(0.0, 12.0, images.shape)
    noisy = np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)
    seen = np.ones(FRAMES, bool)
    live = Refiner(avatar, SETTINGS, "cpu")
    each = [slice(t, t + 1) for t in range(FRAMES)]
    alone = np.concatenate([live.refine(noisy[t], masks[t], tracked[t], seen[t]) for t in each])
    whole = Refiner(avatar, SETTINGS, "cpu").refine(noisy, masks, tracked, seen)
    shaking = [np.abs(np.diff(one - true, axis=0))[:, PLACE].mean() for one in (whole, alone)]
    assert shaking[0] < 0.8 * shaking[1]
    assert off(whole, true) < 1.1 * off(alone, true)


def test_a_hand_before_the_shoulders_does_not_pull(avatar, call):
    true, tracked, images, masks = call
    hidden = images.copy()
    hidden[:, 44:, 20:44] = [255, 0, 255]
    got = Refiner(avatar, SETTINGS, "cpu").refine(hidden, masks, tracked, np.ones(FRAMES, bool))
    assert off(got[4:], true[4:]) < 0.5 * off(tracked[4:], true[4:])


def test_who_looks_otherwise_than_enrolled_is_moved_little(avatar, call):
    """Colours that no state explains: the tracker is believed, not the picture."""
    true, tracked, images, masks = call
    grey = np.random.default_rng(1).uniform(0, 255, images.shape[1:]).astype(np.uint8)
    strange = np.tile(grey, (FRAMES, 1, 1, 1))
    seen = np.ones(FRAMES, bool)
    moved = []
    for alike in (SETTINGS.alike, 10.0):
        refiner = Refiner(avatar, replace(SETTINGS, alike=alike), "cpu")
        moved.append(np.abs(refiner.refine(strange, masks, tracked, seen) - tracked).mean())
    assert moved[0] < 0.3 * moved[1]
    # Whom the avatar looks like is found as well as ever.
    got = Refiner(avatar, SETTINGS, "cpu").refine(images, masks, tracked, seen)
    trusting = Refiner(avatar, replace(SETTINGS, alike=10.0), "cpu")
    np.testing.assert_array_equal(got, trusting.refine(images, masks, tracked, seen))


def test_an_expression_is_held_more_than_a_head_where_colours_are_others(avatar):
    """An outline tells where a head is, however it is painted; a grey beard tells of no mouth."""
    refiner = Refiner(avatar, SETTINGS, "cpu")
    prior = np.diag(refiner._prior)
    known = SETTINGS.correlation * SETTINGS.noise**2 * prior  # a picture as sure as the tracker is
    refiner._curvature = np.diag(known)
    nothing, pull = np.zeros((1, LAYOUT.width)), -known[None] / np.sqrt(prior)
    steps = {}
    for times in (0.5, 2.0):
        refiner._deviation = times * SETTINGS.alike
        steps[times] = np.sqrt(prior) * refiner._smoothest(pull, nothing, None)[0]
    np.testing.assert_allclose(steps[0.5], 0.5, rtol=1e-6)
    np.testing.assert_allclose(steps[2.0][PLACE], 1 / 17, rtol=1e-6)
    np.testing.assert_allclose(steps[2.0][CODE], 1 / 257, rtol=1e-6)


def test_a_dark_first_frame_is_forgotten(avatar, call):
    """A camera finds its exposure while the call has begun."""
    true, tracked, images, masks = call
    refiner = Refiner(avatar, SETTINGS, "cpu")
    refiner.get_ready()
    one = np.ones(1, bool)
    refiner.refine((0.3 * images[:1]).astype(np.uint8), masks[:1], tracked[:1], one)
    for _ in range(3):
        got = [
            refiner.refine(images[t : t + 1], masks[t : t + 1], tracked[t : t + 1], one)[0]
            for t in range(FRAMES)
        ]
    assert off(np.array(got), true) < 0.35 * off(tracked, true)


def test_a_stretch_is_measured_for_itself_and_a_single_frame_is_not(avatar, call, monkeypatch):
    monkeypatch.setattr("service.refine._LOOK", FRAMES // 2)
    _, tracked, images, masks = call
    seen = np.ones(FRAMES, bool)
    refiner = Refiner(avatar, SETTINGS, "cpu")
    measured = []
    for some in (slice(0, 1), slice(FRAMES), slice(FRAMES), slice(0, 1)):
        refiner.refine(images[some], masks[some], tracked[some], seen[some])
        measured.append(refiner._curvature)
    assert measured[1] is not measured[0] and measured[2] is not measured[1]
    assert np.abs(measured[1] - measured[0]).max() > 1e-3 * np.abs(measured[0]).max()
    assert measured[3] is measured[2]


def test_to_look_longer_is_no_worse(avatar, call):
    """Where each step goes twice as far as it should, too."""
    true, tracked, images, masks = call
    seen, errors = np.ones(FRAMES, bool), []
    for rounds in (2, 12):
        refiner = Refiner(avatar, replace(SETTINGS, rounds=rounds), "cpu")
        refiner.get_ready()
        refiner._curvature *= 0.5
        errors.append(off(refiner.refine(images, masks, tracked, seen), true))
    assert errors[1] < 1.02 * errors[0] < 0.5 * off(tracked, true)


def test_what_a_lost_face_was_off_by_says_nothing_of_the_next(avatar, call):
    _, tracked, images, masks = call
    refiner, seen = Refiner(avatar, SETTINGS, "cpu"), np.ones(1, bool)
    refiner.refine(images[:1], masks[:1], tracked[:1], seen)
    assert np.abs(refiner.carried(tracked[1:2], seen) - tracked[1:2]).max() > 1e-4
    refiner.carried(tracked[1:2], ~seen)
    np.testing.assert_array_equal(refiner.carried(tracked[1:2], seen), tracked[1:2])


def test_frames_without_a_face_stay_as_they_are(avatar, call):
    _, tracked, images, masks = call
    seen = np.ones(FRAMES, bool)
    seen[3:6] = False
    got = Refiner(avatar, SETTINGS, "cpu").refine(images, masks, tracked, seen)
    np.testing.assert_array_equal(got[3:6], tracked[3:6])
    assert np.any(got[seen] != tracked[seen], axis=1).all()


@pytest.mark.parametrize("same_take", [True, False])
def test_nothing_goes_on_over_a_cut(avatar, call, same_take):
    """Earlier frames learn from later ones of their own take alone."""
    _, tracked, images, masks = call
    alone = Refiner(avatar, SETTINGS, "cpu").refine(images, masks, tracked, np.ones(FRAMES, bool))
    later = images[::-1] if same_take else 255 - images
    whole = Refiner(avatar, SETTINGS, "cpu").refine(
        np.concatenate([images, later]),
        np.concatenate([masks, masks]),
        np.concatenate([tracked, tracked[::-1] if same_take else tracked]),
        np.ones(2 * FRAMES, bool),
    )
    assert np.allclose(whole[:FRAMES], alone, atol=1e-7) != same_take


def test_a_video_is_looked_at_again(avatar, call, make_video):
    true, tracked, images, masks = call
    video = make_video(images)
    time = np.arange(FRAMES, dtype=np.int64) * 40_000
    track = track_of(avatar, time, masks)
    states = FaceStates(time, tracked, np.ones(FRAMES, bool), LAYOUT)
    assert refined(states, track, video, avatar, 0) is states
    got = refined(states, track, video, avatar, 1)
    assert off(got.values[4:], true[4:]) < 0.5 * off(tracked[4:], true[4:])
    with pytest.raises(InputError, match="effort 7"):
        refined(states, track, video, avatar, 7)
    with pytest.raises(InputError, match="same frames"):
        refined(states, replace(track, time=time + 1), video, avatar, 1)


def filmed_live(avatar, call, cost, share=0.5, least=0.05, period=0.04, first=0):
    """(states sent, frames looked at), where a look takes `cost` seconds of a frame's 0.04."""
    _, tracked, images, masks = call
    now = 0.0
    settings = LiveRefineSettings(share, least, late=0.015, first=first, look=SETTINGS)
    live = LiveRefiner(avatar, settings, "cpu", lambda: now)
    look = live._refiner.refine

    def slow(*words):
        nonlocal now
        now += cost * (1 + (words[-1] or 0))
        return look(*words)

    live._refiner.refine = slow
    sent = []
    for t in range(FRAMES):
        now = max(now, period * t)  # a frame waits for the look before it
        one, time = slice(t, t + 1), np.array([round(1e6 * period * t)])
        row = track_of(avatar, time, masks[one])
        state = FaceStates(time, tracked[one].astype(np.float32), np.ones(1, bool), LAYOUT)
        sent.append(live.step(Frame(images[t], int(time[0])), row, state).values[0])
    return np.array(sent), live.looked


def test_a_live_call_is_refined_as_it_is_filmed(avatar, call):
    true, tracked, _, _ = call
    got, looked = filmed_live(avatar, call, cost=0.015)
    assert looked == FRAMES
    assert off(got[4:], true[4:]) < 0.5 * off(tracked[4:], true[4:])


def interval_live(avatar, call, camera, tracking, look, paced=True, share=0.5):
    """(seconds between the frames that are sent, share looked at) where the latest of a camera's
    frames is taken, as `Latest` does, and what is done to it takes so many seconds."""
    _, tracked, images, masks = call
    now, taken = 0.0, []
    live = LiveRefiner(avatar, LiveRefineSettings(share), "cpu", lambda: now)
    if not paced:
        live._pace = SimpleNamespace(slow=False, step=lambda time: None)

    def slow(windows, masks, values, visible, rounds):
        nonlocal now
        now += look
        return values

    live._refiner.refine = slow
    while len(taken) < 400:
        frame = max(int(now / camera), taken[-1] + 1 if taken else 0)
        now = max(now, frame * camera) + tracking
        taken.append(frame)
        time = np.array([round(1e6 * camera * frame)])
        state = FaceStates(time, tracked[:1].astype(np.float32), np.ones(1, bool), LAYOUT)
        live.step(Frame(images[0], int(time[0])), track_of(avatar, time, masks[:1]), state)
    settled = camera * np.diff(taken[100:])
    return float(settled.mean()), live.looked / len(taken)


def test_a_call_is_looked_at_less_before_it_jerks(avatar, call):
    thirty = 1 / 30
    # With the latter every look lets a frame be overtaken, and nothing is late.
    for tracking, look in ((0.026, 0.035), (0.03, 0.03)):
        jerky, often = interval_live(avatar, call, thirty, tracking, look, paced=False)
        smooth, fewer = interval_live(avatar, call, thirty, tracking, look)
        assert jerky > 0.043 and smooth < 0.041 and 0.2 < fewer < often
    # Who asks for all of them gets all.
    assert interval_live(avatar, call, thirty, 0.03, 0.03, share=1.0)[1] == 1
    # A camera that gives no more is no reason, and neither is one that has the time.
    for camera, tracking in ((1 / 15, 0.024), (thirty, 0.01)):
        kept, looked = interval_live(avatar, call, camera, tracking, 0.02)
        assert kept < 1.1 * camera and looked > 0.4


def test_a_frame_without_a_face_takes_no_look_and_the_next_one_no_longer_than_any(avatar, call):
    """A hand that comes and goes must not hold up a call by the rounds of its first look."""
    true, tracked, images, masks = call
    live = LiveRefiner(avatar, LiveRefineSettings(1.0, look=SETTINGS), "cpu")
    given, look = [], live._refiner.refine
    live._refiner.refine = lambda *words: given.append(words[-1]) or look(*words)
    for t, seen in enumerate((False, True, False, True)):
        one, time = slice(t, t + 1), np.array([40_000 * t])
        state = FaceStates(time, tracked[one].astype(np.float32), np.array([seen]), LAYOUT)
        live.step(Frame(images[t], int(time[0])), track_of(avatar, time, masks[one]), state)
    assert given == [LiveRefineSettings().first, None] and live.looked == 2


def test_the_first_look_takes_no_time_from_the_later_ones(avatar, call):
    """As many frames are looked at, though the first look's rounds hold up the frame after it."""
    plain = filmed_live(avatar, call, cost=0.01, share=0.5)[1]
    assert filmed_live(avatar, call, cost=0.01, share=0.5, first=6)[1] >= plain - 2


def test_the_first_frame_of_a_call_is_looked_at_until_it_is_right(avatar, call):
    true, tracked, _, _ = call
    once, until = (filmed_live(avatar, call, 0.015, first=first)[0] for first in (0, 6))
    assert off(until[:1], true[:1]) < 0.6 * off(once[:1], true[:1])
    assert off(until[:1], true[:1]) < 0.4 * off(tracked[:1], true[:1])


def test_where_looks_take_long_frames_between_are_corrected_as_the_last_one(avatar, call):
    true, tracked, _, _ = call
    got, looked = filmed_live(avatar, call, cost=0.03)
    assert looked == FRAMES // 2
    between = np.arange(5, FRAMES, 2)
    moved = got - tracked
    np.testing.assert_allclose(moved[between], moved[between - 1], atol=1e-6)
    assert off(got[between], true[between]) < 0.5 * off(tracked[between], true[between])
    assert filmed_live(avatar, call, cost=0.03, share=1.0)[1] == FRAMES


def test_where_looks_hold_up_frames_they_become_fewer(avatar, call):
    """A look takes one and a half frames' time: each makes the next frame late."""
    true, tracked, _, _ = call
    got, looked = filmed_live(avatar, call, cost=0.06)
    assert (looked, filmed_live(avatar, call, cost=0.06, least=0.5)[1]) == (3, 4)
    assert off(got[4:], true[4:]) < 0.7 * off(tracked[4:], true[4:])
