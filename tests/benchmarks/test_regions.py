"""Where people look: places, features and figures of made-up faces, worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.metrics.tracked import Tracked
from benchmarks import features, places
from benchmarks.regions import alike, apart
from render.metrics import PSNR_LIMIT

FRAMES, SIDE = 4, 96


@pytest.fixture
def face() -> np.ndarray:
    """[4, 478, 2]: an upright face, round its outline, with lids 6 and lips 4 pixels apart."""
    points = np.full((FRAMES, 478, 2), 48.0)
    around = np.linspace(0, 2 * np.pi, len(places._OVAL), endpoint=False)
    points[:, places._OVAL] = 50 + 20 * np.stack([np.sin(around), -np.cos(around)], axis=1)
    points[:, places._BROWS] = [[44, 40], [56, 40]]
    for (outer, inner), iris, pairs, x in zip(
        features.CORNERS, features.IRISES, features.LIDS, (42.0, 58.0)
    ):
        points[:, [outer, inner]] = [[x - 6, 46], [x + 6, 46]]
        points[:, iris] = [x + 1.5, 45]
        for upper, lower in pairs:
            points[:, [upper, lower]] = [[x, 43], [x, 49]]
    points[:, [82, 13, 312]], points[:, [87, 14, 317]] = [50, 58], [50, 62]
    return points


def test_gaze_is_told_from_the_corners_of_eyes_that_are_open(face: np.ndarray) -> None:
    face[1] += [7, -3]  # the head moves, the eyes do not
    face[2, features.IRISES[1]] += [0, 2]
    for upper, lower in features.LIDS[0]:
        face[3, lower] = face[3, upper] + [0, 1]
    gaze = features.gaze(face)
    np.testing.assert_allclose(gaze[:2], np.broadcast_to([1.5, -1], (2, 2, 2)))
    np.testing.assert_allclose(gaze[2], [[1.5, -1], [1.5, 1]])
    assert np.isnan(gaze[3, 0]).all() and np.isfinite(gaze[3, 1]).all()
    np.testing.assert_allclose(features.lids(face)[..., 0], [[6, 6]] * 3 + [[1, 6]])


def test_lips_are_as_far_apart_as_three_pairs_on_the_average(face: np.ndarray) -> None:
    face[1, 14] += [0, 3]
    face[2] = np.nan
    opening = features.lips(face)[:, 0, 0]
    np.testing.assert_allclose(opening, [4, 5, np.nan, 4])


def test_half_a_motion_is_drawn_and_what_is_not_seen_does_not_count() -> None:
    filmed = np.array([0.0, 4, 8, 100])[:, None, None]
    shown = np.array([1.0, 3, 5, np.nan])[:, None, None]
    found = apart(filmed, shown)
    assert found.moves == pytest.approx(0.5)
    assert found.still == pytest.approx(8 / 3)
    assert found.off == pytest.approx((1 + 1 + 3) / 3)
    assert np.isnan(apart(filmed, shown * np.nan).off)


def test_the_distance_of_vectors_is_their_length() -> None:
    filmed = np.arange(12.0).reshape(3, 2, 2)
    found = apart(filmed, filmed + [3, 4])
    assert found.off == pytest.approx(5.0) and found.moves == pytest.approx(1.0)


def test_hair_is_of_the_person_above_the_brows_and_no_skin(face: np.ndarray) -> None:
    rows = np.indices((SIDE, SIDE))[0][..., None]
    picture = np.where(rows < 32, [70, 50, 40], [200, 160, 140])  # hair down to a forehead
    picture[:, :20] = [70, 50, 40]  # a dark wall
    picture[40:, 22:30] = [70, 50, 40]  # sideburns
    matte = np.zeros((SIDE, SIDE), np.float32)
    matte[18:, 22:75] = 1.0
    expected = np.zeros((SIDE, SIDE), bool)
    expected[18:32, 22:75] = True
    np.testing.assert_array_equal(places.hair(picture, face[0], matte), expected)
    turned = face[0][:, ::-1] * [-1, 1] + [SIDE, 0]  # by a quarter
    found = places.hair(np.swapaxes(picture, 0, 1)[:, ::-1], turned, matte.T[:, ::-1])
    np.testing.assert_array_equal(found, expected.T[:, ::-1])
    assert not places.hair(picture, face[0], 0 * matte).any()


def test_places_hold_what_lies_between_lips_and_lids(
    face: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    angles = np.linspace(0, 2 * np.pi, len(places._LIPS), endpoint=False)
    ring = np.stack([10 * np.cos(angles), 4 * np.sin(angles)], axis=1)
    face[:, places._LIPS] = ring + [50, 60]
    face[1, places._LIPS] = ring * [1, 0.05] + [50, 60]  # shut
    mask = places.between_lips(face[0], (SIDE, SIDE))
    assert mask[60, 50] and mask[60, 42] and not mask[53:67, :39].any() and not mask[66].any()
    assert mask.sum() == pytest.approx(np.pi * 40, rel=0.1)
    monkeypatch.setattr(places, "mattes", lambda frames: np.ones(frames.shape[:3], np.float32))
    monkeypatch.setattr(places, "boxes_of", _boxes)
    face[3] = np.nan
    frames = np.zeros((FRAMES, SIDE, SIDE, 3), np.uint8)
    seen = Tracked(face * 256 / SIDE, track=object())  # type: ignore[arg-type]
    found = places.places(frames, seen)
    assert tuple(found) == places.PLACES
    judged = found[places.TEETH].any(axis=(1, 2))
    np.testing.assert_array_equal(judged, [True, False, True, False])
    np.testing.assert_array_equal(found[places.TEETH][0], mask)
    assert found[places.MOUTH][0].sum() == pytest.approx(1.69 * (0.5 * SIDE) ** 2, rel=0.05)
    assert not found[places.MOUTH][3].any() and not found[places.HAIR][3].any()
    nobody = places.places(frames, Tracked(face * np.nan, None))
    assert not any(masks.any() for masks in nobody.values())


def _boxes(track: object, rows: np.ndarray, window: object) -> dict[str, np.ndarray]:
    boxes = np.tile([0.25, 0.25, 0.75, 0.75], (len(rows), 1))
    boxes[3] = np.nan
    return dict.fromkeys((places.FACE, places.MOUTH, places.EYES), boxes)


@pytest.fixture
def pictures() -> Callable[[float], np.ndarray]:
    """A chequered film whose contrast is the given share inside the middle, whole elsewhere."""
    rows, columns = np.indices((SIDE, SIDE)) // 4
    pattern = np.where((rows + columns) % 2, 40.0, -40.0)

    def film(contrast: float) -> np.ndarray:
        share = np.ones((SIDE, SIDE))
        share[32:64, 32:64] = contrast
        frame = np.rint(128 + share * pattern)[..., None]
        return np.broadcast_to(frame, (FRAMES, SIDE, SIDE, 3)).astype(np.uint8)

    return film


def test_a_place_is_judged_by_its_own_pixels(pictures: Callable[[float], np.ndarray]) -> None:
    filmed, soft = pictures(1.0), pictures(0.5)
    masks = np.zeros((FRAMES, SIDE, SIDE), bool)
    masks[1:, 40:56, 40:56] = True  # the first frame has no face
    beside = np.zeros_like(masks)
    beside[:, 8:20, 8:20] = True
    nowhere = masks & beside
    found = alike(filmed, soft, {"middle": masks, "beside": beside, "nowhere": nowhere})
    middle, other, none = found.values()
    assert middle.sharpness == pytest.approx(0.25, abs=0.01)
    assert middle.psnr == pytest.approx(20 * np.log10(255 / 20), abs=1e-3)
    assert 0.5 < middle.ssim < 0.95
    assert (middle.frames, middle.pixels) == (FRAMES - 1, 256)
    assert (other.psnr, other.ssim) == pytest.approx((PSNR_LIMIT, 1.0))
    assert other.sharpness == pytest.approx(1.0) and other.frames == FRAMES
    assert none.frames == 0 and np.isnan([none.psnr, none.ssim, none.sharpness]).all()
