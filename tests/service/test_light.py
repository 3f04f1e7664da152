"""A call in another light than the enrolled one: a gain and an offset of each colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("cv2")

import torch

from avatar.avatar import Avatar
from avatar.camera import Pinhole
from avatar.errors import InputError, StreamError
from avatar.face import EXPRESSIONS, FaceStates, FaceTrack
from codec.container import read_stream
from codec.header import DIGEST, StreamHeader
from codec.packet import LightPacket
from render.fields.settings import COLOUR
from render.person import SamplingSettings
from render.portrait import Portrait, RenderSettings
from service.light import changed_light, light_between, with_light
from service.sender import SenderSettings, write_stream
from service.surroundings import Surroundings
from tests.service.small_person import LAYOUT, SIZE, WINDOW, avatar_of, colour, small_person

FRAMES = 6
EXACT = RenderSettings(SamplingSettings(16, 8), thrift=None)
DUSK = LightPacket((-32, -32, 16), (10, 4, -6))


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    """A head whose colours come from planes and network alike, shoulders, a grey wall."""
    person = small_person()
    colour(person, spots=5)
    with torch.no_grad():
        for plane in (person.head.front, person.torso.plane):
            size = plane.shape[1]
            plane[0, ..., COLOUR.stop :] = torch.randn(size, size, plane.shape[3] - COLOUR.stop)
    return avatar_of(person)


@pytest.fixture(scope="module")
def states(avatar) -> FaceStates:
    values = np.tile(avatar.statistics.mean, (FRAMES, 1))
    values[:, LAYOUT.groups["translation"].start] += np.linspace(-0.02, 0.02, FRAMES)
    return FaceStates(np.arange(FRAMES) * 40_000, values, np.ones(FRAMES, bool), LAYOUT)


def drawn(avatar: Avatar, states: FaceStates) -> np.ndarray:
    portrait = Portrait(avatar, "cpu", EXACT)
    return np.stack([portrait.render(row, SIZE, SIZE) for row in states.values])


def in_light(pictures: np.ndarray, packet: LightPacket) -> np.ndarray:
    lit = pictures * np.exp2(np.array(packet.gains) / 64.0) + np.array(packet.offsets)
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def followed(mask: np.ndarray) -> FaceTrack:
    def rows(*width: int) -> np.ndarray:
        return np.zeros((FRAMES, *width), np.float32)

    return FaceTrack(
        np.arange(FRAMES) * 40_000, rows(EXPRESSIONS), rows(3), rows(3), rows(4), rows(2), rows(4),
        np.ones(FRAMES, np.float32), rows(4), mask, np.zeros(1, np.float32), Pinhole(2.0), WINDOW,
    )  # fmt: skip


@pytest.fixture(scope="module")
def masks(avatar, states) -> np.ndarray:
    """[F, 64, 64]: where the wall behind makes no difference is the person."""
    black = {"fields.background.plane": 0 * avatar.tensors["fields.background.plane"]}
    dark = replace(avatar, tensors=avatar.tensors | black)
    off = np.abs(drawn(avatar, states).astype(int) - drawn(dark, states)).max(-1)
    return np.where(off < 3, 255, 0).astype(np.uint8)


def test_the_person_is_lit_and_the_wall_is_not(avatar, states, masks) -> None:
    plain, lit = drawn(avatar, states), drawn(with_light(avatar, DUSK), states)
    person = masks > 0
    assert 0.2 < person.mean() < 0.95
    assert np.abs(lit[person].astype(int) - in_light(plain, DUSK)[person]).max() <= 2
    wall = np.broadcast_to(np.abs(plain.astype(int) - 128).max(-1) < 2, masks.shape)
    assert wall.mean() > 0.05
    assert np.abs(lit[wall & ~person].astype(int) - 128).max() < 3
    assert np.abs(drawn(avatar, states).astype(int) - plain).max() == 0  # the avatar is as it was


def test_it_is_found_in_a_video(avatar, states, masks, make_video) -> None:
    video = make_video(in_light(drawn(avatar, states), DUSK))
    found = changed_light(video, followed(masks), states, avatar)
    assert found is not None
    assert np.abs(np.subtract(found.gains, DUSK.gains)).max() <= 8  # an eighth of an octave
    grey = np.full((1, 3), 128)
    assert np.abs(in_light(grey, found).astype(int) - in_light(grey, DUSK)).max() < 5
    again = changed_light(video, followed(masks), states, with_light(avatar, found))
    assert again is None  # nothing is left to say


def test_the_enrolled_light_costs_nothing(avatar, states, masks, make_video) -> None:
    video = make_video(drawn(avatar, states))
    assert changed_light(video, followed(masks), states, avatar) is None
    hidden = replace(states, visible=np.zeros(FRAMES, bool))
    assert changed_light(video, followed(masks), hidden, avatar) is None
    fewer = FaceStates(states.time[1:], states.values[1:], states.visible[1:], LAYOUT)
    with pytest.raises(InputError, match="same frames"):
        changed_light(video, followed(masks), fewer, avatar)


def test_what_hides_a_part_of_the_person_says_nothing_of_the_light() -> None:
    rng = np.random.default_rng(0)
    shown = rng.uniform(40, 200, (600, 3))
    filmed = shown * [0.7, 0.8, 0.9] + [5, 0, -5] + rng.normal(0, 3, shown.shape)
    filmed[:100] = (250, 20, 250)
    found = light_between(shown, filmed)
    assert found is not None
    gains = np.exp2(np.array(found.gains) / 64)
    np.testing.assert_allclose(gains, [0.7, 0.8, 0.9], atol=0.04)
    np.testing.assert_allclose(gains * 120 + found.offsets, [89, 96, 103], atol=3)
    assert light_between(shown[:0], filmed[:0]) is None


def test_it_travels_in_the_stream_and_is_drawn(avatar, states, tmp_path) -> None:
    head = StreamHeader(bytes.fromhex(avatar.digest)[:DIGEST], LAYOUT)
    write_stream(tmp_path / "a.fw", states, avatar, head, surroundings=Surroundings(light=DUSK))
    found = read_stream(tmp_path / "a.fw", avatar.statistics)
    assert found.light == DUSK and found.summary()["light"]["offsets"] == (10, 4, -6)
    lit = Surroundings.of(found).around(avatar)
    assert np.array_equal(
        lit.tensors["fields.torso.colour.last.bias"],
        with_light(avatar, DUSK).tensors["fields.torso.colour.last.bias"],
    )


@pytest.mark.parametrize("body", [b"", bytes(5), bytes(7)])
def test_six_numbers_and_no_others(body) -> None:
    with pytest.raises(StreamError):
        LightPacket.parse(body)
    assert LightPacket.parse(bytes([0x80, 0, 1, 0x7F, 0xFF, 2])) == LightPacket(
        (-128, 0, 1), (127, -1, 2)
    )
    with pytest.raises(InputError, match="light"):
        SenderSettings(light="bright")
