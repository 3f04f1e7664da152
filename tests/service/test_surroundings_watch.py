"""Where a call is made, found while it is filmed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")
pytest.importorskip("av")
pytest.importorskip("cv2")

from avatar.avatar import Avatar
from avatar.face import EXPRESSIONS, FaceStates, FaceTrack, Window
from codec.packet import LightPacket
from codec.session.surroundings import MAX_SIDE
from enroll.capture import Frame
from render.portrait import Portrait
from service.light import with_light
from service.surroundings import SAME
from service.surroundings_watch import SurroundingsWatch, WatchSettings
from tests.service.small_person import LAYOUT, SIZE, WINDOW, avatar_of, colour, small_person

DUSK = LightPacket((-32, -32, 16), (10, 4, -6))
SOON = WatchSettings(first=3, later=5)
TICK = 100_000  # us


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    """A head and shoulders in many colours, before a wall that is grey."""
    person = small_person()
    colour(person, spots=5)
    return avatar_of(person)


class Camera:
    """Films the avatar itself, and knows where it is."""

    def __init__(self, avatar: Avatar) -> None:
        row = avatar.statistics.mean
        two = [
            Portrait(avatar, "cpu").render(row, SIZE, SIZE, background=c) for c in (BLACK, WHITE)
        ]
        alpha = 1 - (two[1].astype(float) - two[0]).mean(-1) / 255
        self.alpha, self.mask = alpha[..., None], (255 * (alpha > 0.5)).astype(np.uint8)
        self.lit = {light: self._person(avatar, light) for light in (None, DUSK)}
        self.values, self.time = row, 0

    @staticmethod
    def _person(avatar: Avatar, light: LightPacket | None) -> np.ndarray:
        shown = avatar if light is None else with_light(avatar, light)
        return Portrait(shown, "cpu").render(avatar.statistics.mean, SIZE, SIZE, background=BLACK)

    def film(
        self,
        watch: SurroundingsWatch,
        wall: tuple[int, int, int] = (128, 128, 128),
        light: LightPacket | None = None,
        window: Window = WINDOW,
        seen: bool = True,
    ) -> object:
        image = self.lit[light] + (1 - self.alpha) * np.array(wall)
        rows = {name: np.zeros((1, n), np.float32) for name, n in WIDTHS.items()}
        track = FaceTrack(
            np.array([self.time]), **rows, confidence=np.ones(1), mask=self.mask[None],
            identity=np.zeros(1), camera=None, window=window,
        )  # fmt: skip
        states = FaceStates(track.time, self.values[None], np.array([seen]), LAYOUT)
        frame = Frame(np.clip(np.rint(image), 0, 255).astype(np.uint8), self.time)
        self.time += TICK
        return watch.step(frame, track, states)


BLACK, WHITE = (0, 0, 0), (255, 255, 255)
WIDTHS = {
    "expression": EXPRESSIONS, "rotation": 3, "translation": 3, "gaze": 4, "lids": 2, "torso": 4,
    "box": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def camera(avatar) -> Camera:
    return Camera(avatar)


def test_the_enrolled_room_and_light_are_nothing_to_tell(avatar, camera) -> None:
    watch = SurroundingsWatch(avatar, SOON)
    assert [camera.film(watch) for _ in range(20)] == [None] * 20 and watch.found == SAME


def test_another_room_and_light_are_found_told_once_and_drawn(avatar, camera) -> None:
    watch = SurroundingsWatch(avatar, SOON)
    wall = (90, 140, 200)
    told = [camera.film(watch, wall, DUSK) for _ in range(14)]
    assert [n for n, found in enumerate(told) if found is not None] == [2]
    assert told[2].background is not None and told[2].light is not None
    shown = Portrait(told[2].around(avatar), "cpu").render(camera.values, SIZE, SIZE)
    right = camera.lit[DUSK] + (1 - camera.alpha) * np.array(wall)
    assert np.abs(shown - right).mean() < 4 < 15 < np.abs(camera.lit[None] - right).mean()

    # The lamp goes out, and on again; then everything is as it was enrolled.
    told = [camera.film(watch, wall) for _ in range(10)]
    found = [one for one in told if one is not None]
    assert found and found[-1].light is None and found[-1].background is not None
    told = [camera.film(watch) for _ in range(40)]
    assert watch.found == SAME and 1 <= sum(one is not None for one in told) <= 4


def test_where_nothing_changes_nothing_more_is_looked_for(avatar, camera, monkeypatch) -> None:
    """It is a second of a core each time, for which frames wait."""
    watch, wall = SurroundingsWatch(avatar, SOON), (90, 140, 200)
    looked, find = [], watch._find
    monkeypatch.setattr(watch, "_find", lambda looks: looked.append(camera.time) or find(looks))
    for _ in range(60):
        camera.film(watch, wall)
    assert 2 <= len(looked) <= 4
    before = len(looked)
    for _ in range(20):
        camera.film(watch, wall, DUSK)
    assert watch.found.light is not None and len(looked) > before


def test_what_is_not_to_be_sent_is_not(avatar, camera) -> None:
    watch = SurroundingsWatch(avatar, replace(SOON, background=False))
    found = [camera.film(watch, (90, 140, 200), DUSK) for _ in range(3)][-1]
    assert found.background is None and found.light is not None
    watch = SurroundingsWatch(avatar, replace(SOON, light=False))
    found = [camera.film(watch, (90, 140, 200), DUSK) for _ in range(3)][-1]
    assert found.background is not None and found.light is None


def test_frames_without_a_face_say_nothing_and_a_turned_camera_begins_anew(avatar, camera) -> None:
    watch = SurroundingsWatch(avatar, SOON)
    wall = (90, 140, 200)
    assert [camera.film(watch, wall, seen=False) for _ in range(9)] == [None] * 9
    moved = replace(WINDOW, left=1)
    told = [camera.film(watch, wall), camera.film(watch, wall)]
    told += [camera.film(watch, wall, window=moved) for _ in range(3)]
    assert [n for n, found in enumerate(told) if found is not None] == [4]


def test_it_is_found_beside_the_filming(avatar, camera) -> None:
    watch = SurroundingsWatch(avatar, SOON, beside := ThreadPoolExecutor(1))
    told = [camera.film(watch, (90, 140, 200)) for _ in range(3)]
    assert told == [None] * 3
    beside.shutdown()  # when it has been found
    assert camera.film(watch, (90, 140, 200)).background is not None


def test_a_room_that_is_told_fits_a_message() -> None:
    backdrop = WatchSettings().backdrop
    assert max(backdrop.sides) <= MAX_SIDE and backdrop.most < 1190
