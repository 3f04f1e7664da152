"""The guided script: who follows it gets through, who shows another film does not."""

from __future__ import annotations

import io

import numpy as np
import pytest

from service.guide.coverage import REACH, covered
from service.guide.measures import Measures
from service.guide.script import MOST_FAULTS, PROMPTS, Script, drawn_script

FPS = 25
REST = {"yaw": 2.0, "pitch": -4.0, "mouth": 0.01, "smile": 0.0, "lids": 1.1}
DONE = {
    "left": {"yaw": 24.0}, "right": {"yaw": -22.0}, "up": {"pitch": 9.0}, "down": {"pitch": -18.0},
    "open": {"mouth": 0.16}, "smile": {"smile": 0.09},
}  # fmt: skip


def film(order, read=None):
    """Somebody who does as told: each gesture for most of a second, with rests between.  read: the
    rows of the sentence."""
    rows = [REST] * (2 * FPS)
    for gesture in order:
        if gesture == "blink":
            for _ in range(2):
                rows += [REST | {"lids": 0.2}] * 4 + [REST] * 8
        elif gesture == "read":
            spoken = [REST | {"mouth": 0.01 + 0.06 * (n // 3 % 2)} for n in range(4 * FPS)]
            rows += read or spoken
        else:
            rows += [REST | DONE[gesture]] * 18
        rows += [REST] * FPS
    return measures(rows)


def measures(rows):
    time = np.arange(len(rows)) * 1_000_000 // FPS
    return Measures(time, **{name: np.array([row[name] for row in rows]) for name in REST})


def after(order, seen):
    script = Script(order)
    for row in range(len(seen.time)):
        script.step(seen, row)
    return script


ORDERS = [
    ["left", "smile", "blink", "up", "read", "open", "right", "down"],
    ["read", "down", "left", "blink", "open", "up", "smile", "right"],
    ["blink", "right", "left", "open", "read", "smile", "down", "up"],
]


@pytest.mark.parametrize("order", ORDERS)
def test_who_follows_gets_through_without_a_fault(order):
    script = after(order, film(order))
    assert script.done and script.faults == 0 and script.current == "done"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seconds", [3, 6, 9])
def test_who_reads_the_sentence_to_its_end_makes_no_fault(order, seconds):
    """With wide lips, and a pause at each comma."""
    rows = [REST | {"mouth": 0.01 + 0.15 * (n // 3 % 2)} for n in range(seconds * FPS)]
    for comma in (FPS, 2 * FPS):
        rows[comma : comma + FPS // 3] = [REST] * (FPS // 3)
    script = after(order, film(order, read=rows))
    assert script.done and script.faults == 0


@pytest.mark.parametrize("gesture", ["left", "right", "up", "down", "open"])
def test_the_script_asks_for_as_much_as_the_coverage_wants(gesture):
    measure, sign, full = REACH[gesture]
    for share, made in ((0.9, False), (1.02, True)):
        rows = [REST] * FPS + [REST | {measure: REST[measure] + sign * share * full}] * FPS
        seen = measures(rows + [REST] * 3 * FPS)
        assert after([gesture], seen).done == made
        name = "mouth" if gesture == "open" else gesture
        assert (covered(seen).shares[name] == 1.0) == made


@pytest.mark.parametrize("film_of", range(3))
@pytest.mark.parametrize("asked", range(3))
def test_a_film_made_for_another_order_does_not(film_of, asked):
    if film_of == asked:
        return
    script = after(ORDERS[asked], film(ORDERS[film_of]))
    assert not script.done or script.faults > MOST_FAULTS


def test_a_still_picture_gets_nowhere():
    order = ORDERS[0]
    script = after(order, measures([REST] * (60 * FPS)))
    assert (script.at, script.current) == (0, "left")


def test_frames_without_a_face_are_passed_over():
    order = ORDERS[1]
    seen = film(order)
    for name in REST:
        getattr(seen, name)[::7] = np.nan
    assert after(order, seen).done
    assert after(order, measures([dict.fromkeys(REST, np.nan)] * 100)).at == -1


def test_the_order_is_drawn_anew_and_holds_every_gesture_once():
    drawn = [drawn_script() for _ in range(40)]
    assert {tuple(sorted(order)) for order in drawn} == {tuple(sorted(ORDERS[0]))}
    assert len({tuple(order) for order in drawn}) > 30
    assert set(PROMPTS) == set(ORDERS[0]) | {"rest", "done"}


def test_coverage_tells_what_is_missing():
    everything = covered(film(ORDERS[0]))
    assert all(share > 0.4 for name, share in everything.shares.items()), everything.shares
    still = covered(measures([REST] * (40 * FPS)))
    assert still.shares["length"] == 1.0
    assert all(still.shares[name] == 0 for name in ("left", "right", "up", "mouth", "blinks"))
    assert still.map.sum() == pytest.approx(40.0) and still.map[1, 2] == pytest.approx(40.0)
    assert still.missing[0] in ("left", "right", "up", "down", "mouth", "smile", "blinks")
    assert "chin up (0 %)" in still.words and "length" not in still.words
    nobody = covered(measures([dict.fromkeys(REST, np.nan)] * 100))
    assert set(nobody.shares.values()) == {0.0}


def test_coverage_is_seen_as_a_picture():
    image = pytest.importorskip("PIL.Image")
    from service.guide.coverage_picture import coverage_png

    pictures = []
    for seen in (film(ORDERS[0]), measures([REST] * (40 * FPS)), measures([])):
        shown = covered(seen)
        with image.open(io.BytesIO(coverage_png(shown))) as picture:
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
    everything, still, nobody = pictures
    blue = [(p[..., 2] - p[..., 0] > 100).sum() for p in pictures]
    assert blue[0] > blue[1] > blue[2] == 0
    assert everything.shape == still.shape == nobody.shape


def test_the_map_is_as_in_a_mirror():
    """Who turns to their right is seen at the right."""
    right = covered(measures([REST] * 50 + [REST | DONE["right"]] * 20))
    assert right.mirrored[1, -1] > 0 and right.mirrored[:, 0].sum() == 0
