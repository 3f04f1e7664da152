"""What compare stands on: pictures by time, regions of pictures, and the still baselines."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from avatar.face import Window
from service.baseline import baseline
from service.clip import Clip, pictures_at
from service.region import Region


def frames(times) -> list[SimpleNamespace]:
    return [SimpleNamespace(time=t, image=None) for t in times]


def test_pictures_at_takes_the_nearest_and_repeats_where_it_must():
    shown = pictures_at(frames([0, 33, 67, 100]), np.array([0, 16, 17, 50, 200, 300]))
    assert [f.time for f in shown] == [0, 0, 33, 33, 100, 100]
    assert list(pictures_at(frames([]), np.array([0, 1]))) == []
    assert [f.time for f in pictures_at(frames([5]), np.array([0, 9]))] == [5, 5]


def test_a_clip_is_the_frames_between_two_times():
    class Source:
        info, damaged, warnings = "info", False, ["a word"]

        def __iter__(self):
            return iter(frames(range(0, 100, 10)))

    clip = Clip(Source(), 20, 45)
    assert [f.time for f in clip] == [20, 30, 40]
    assert (clip.info, clip.damaged, clip.warnings) == ("info", False, ["a word"])


def ramp(height: int, width: int) -> np.ndarray:
    """A picture whose red is its column and whose green is its row."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, 0 * x], axis=-1).astype(np.uint8)


def test_a_square_rendering_meets_the_window_that_was_cut_out():
    region = Region.of_window(Window(20, 0, 64, 120, 64), 64, 64, "contain")
    source = ramp(64, 120)
    assert np.array_equal(region.filmed(source), source[:, 20:84])
    drawn = ramp(64, 64)
    assert region.rendered(drawn) is not None and region.rendered(drawn).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("fit", "size", "drawn_shape"),
    [
        ("contain", (100, 64), (64, 64)),
        ("cover", (64, 40), (40, 64)),
        ("extend", (40, 64), (40, 40)),
    ],
)
def test_other_shapes_compare_the_part_that_shows_the_window(fit, size, drawn_shape):
    width, height = size
    region = Region.of_window(Window(0, 0, 64, 64, 64), width, height, fit)
    drawn = region.rendered(ramp(height, width))
    filmed = region.filmed(ramp(64, 64))
    assert drawn.shape[:2] == filmed.shape[:2] == drawn_shape


def test_a_covering_window_loses_its_top_and_bottom():
    region = Region.of_window(Window(0, 0, 64, 64, 64), 64, 40, "cover")
    assert region.filmed(ramp(64, 64))[:, 0, 1].tolist() == list(range(12, 52))


def test_face_boxes_follow_the_cut():
    tracked = Window(10, 20, 100, 200, 200)  # the box is the source's 35..60, 70..95
    box = np.array([0.25, 0.5, 0.5, 0.75])
    assert Region.whole(200, 200).face_box(box, tracked) == pytest.approx(
        np.array([35, 70, 60, 95]) / 200
    )
    same = Region.of_window(tracked, 50, 50, "contain")
    assert same.face_box(box, tracked) == pytest.approx(box)
    covering = Region.of_window(Window(0, 0, 100, 200, 200), 100, 50, "cover")
    assert covering.face_box(box, tracked) == pytest.approx([0.35, 0.9, 0.6, 1.4])


def test_the_oracle_is_the_enrolment_picture_with_the_least_error():
    rng = np.random.default_rng(3)
    enrolled = rng.integers(0, 256, (40, 6, 5, 3), np.uint8)
    noise = rng.integers(-9, 10, (4, 6, 5, 3))
    picked = [0, 39, 17, 17]
    judged = np.clip(enrolled[picked] + noise, 0, 255).astype(np.uint8)
    still = baseline(judged, iter(enrolled))
    assert np.array_equal(still.first, enrolled[0])
    assert np.array_equal(still.best, enrolled[picked])
