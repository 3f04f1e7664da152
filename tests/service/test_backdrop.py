"""A call from another room than the enrolled one: what is behind the person, sent once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("cv2")

from avatar.avatar import Avatar, Consent, StateStatistics
from avatar.camera import Pinhole
from avatar.errors import InputError, StreamError
from avatar.face import EXPRESSIONS, FaceStates, FaceTrack, StateLayout, Window
from codec.container import read_stream
from codec.header import DIGEST, StreamHeader
from codec.packet import BackgroundPacket, LightPacket
from service.backdrop import (
    PLANE,
    BackdropSettings,
    Room,
    background_packet,
    room_of,
    with_background,
)
from service.sender import SenderSettings, _shared, write_stream
from service.surroundings import Surroundings

SIDE, FRAMES = 64, 12
LAYOUT = StateLayout()


@pytest.fixture
def avatar() -> Avatar:
    """Before a wall that is grey on the left and blue on the right."""
    wall = np.full((1, SIDE, SIDE, 3), 0.5, np.float32)
    wall[:, :, SIDE // 2 :] = (0.2, 0.3, 0.7)
    one = np.ones(LAYOUT.width, np.float32)
    return Avatar(
        "ada", "", Consent("self", "", "", "flag", "1"), Pinhole(2.0), Window(0, 0, 64, 64, 64),
        LAYOUT, StateStatistics(0 * one, one, 0.1 * one), {}, {PLANE: wall}, digest="ab" * 32,
    )  # fmt: skip


@pytest.fixture
def track() -> FaceTrack:
    """A person in the middle third, who steps aside now and then."""
    mask = np.zeros((FRAMES, 64, 64), np.uint8)
    mask[:, 16:, 22:42] = 255
    mask[::3] = np.roll(mask[::3], 12, axis=2)

    def rows(*width: int) -> np.ndarray:
        return np.zeros((FRAMES, *width), np.float32)

    confidence = np.ones(FRAMES, np.float32)
    confidence[5] = 0
    return FaceTrack(
        np.arange(FRAMES) * 40_000, rows(EXPRESSIONS), rows(3), rows(3), rows(4), rows(2), rows(4),
        confidence, rows(4), mask, np.zeros(1, np.float32), Pinhole(2.0), Window(0, 0, 64, 64, 64),
    )  # fmt: skip


def wall_of(avatar: Avatar) -> np.ndarray:
    return np.asarray(avatar.tensors[PLANE][0] * 255, np.float64)


def filmed(wall: np.ndarray, track: FaceTrack, seed: int = 0):
    """crop_of: the wall with a red person before it, and a camera's noise."""
    rng = np.random.default_rng(seed)

    def crop(row: int) -> np.ndarray:
        assert track.confidence[row] > 0, "nothing is known of the matte in a frame without a face"
        picture = wall + rng.normal(0, 2, wall.shape)
        picture[track.mask[row] > 0] = (200, 0, 0)
        return np.clip(np.rint(picture), 0, 255).astype(np.uint8)

    return crop


def test_a_room_is_seen_around_and_where_the_person_was_not(avatar, track) -> None:
    wall = wall_of(avatar)
    room = room_of(track, filmed(wall, track), SIDE, FRAMES)
    assert np.abs(room.picture - wall)[room.seen > 0].max() < 8
    assert room.seen[40, 24] > 0 and room.seen[40, 41] == 0  # stepped away from, never seen
    assert room.seen[:10].min() == 1.0


def test_the_enrolled_room_costs_nothing(avatar, track) -> None:
    room = room_of(track, filmed(wall_of(avatar), track), SIDE, FRAMES)
    assert background_packet(room, avatar) is None


def test_what_changed_is_sent_small_and_shown_where_it_changed(avatar, track) -> None:
    wall = wall_of(avatar)
    changed = wall.copy()
    changed[10:30, 2:14] += (90, -40, 30)
    room = room_of(track, filmed(changed, track), SIDE, FRAMES)
    packet = background_packet(room, avatar)
    assert packet is not None and 10 < len(packet.data) < 400
    shown = wall_of(with_background(avatar, packet))
    inside, far = np.s_[13:27, 5:11], np.s_[40:, 48:]
    assert np.abs(shown - changed)[inside].mean() < 10 < np.abs(wall - changed)[inside].mean()
    assert np.array_equal(shown[far], wall[far])  # not a bit of the learned wall is lost elsewhere
    assert np.array_equal(avatar.tensors[PLANE][0] * 255, wall)  # the avatar itself is as it was


def test_what_the_person_always_hid_takes_after_its_surroundings(avatar) -> None:
    wall = wall_of(avatar)
    seen = np.ones((SIDE, SIDE))
    seen[16:, 20:44] = 0.0
    darker = Room(np.where(seen[..., None] > 0, 0.7 * wall, 255.0), seen)
    packet = background_packet(darker, avatar)
    assert packet is not None
    shown = wall_of(with_background(avatar, packet))
    assert np.abs(shown - 0.7 * wall)[16:].mean() < 8
    assert np.abs(shown - 0.7 * wall)[40:56, 24:30].mean() < 10  # where all about it is hidden


def test_a_wall_that_changed_in_part_is_still_the_enrolled_one_behind_the_person(avatar) -> None:
    """A studio's bars, fainter than enrolled, beside moving graphics."""
    barred = np.full((SIDE, SIDE, 3), 110.0)
    barred[:, np.arange(SIDE) % 16 < 6] = 190.0
    avatar = replace(avatar, tensors={PLANE: (barred / 255.0)[None].astype(np.float32)})
    graphics = np.where(np.arange(SIDE) % 14 < 7, -25.0, 25.0)[:, None, None]
    seen = np.ones((SIDE, SIDE))
    seen[16:, 20:44] = 0.0
    call = 0.4 * barred + 0.6 * barred.mean() + graphics
    packet = background_packet(Room(call, seen), avatar)
    assert packet is not None
    hidden = wall_of(with_background(avatar, packet))[24:, 24:40]
    kept, enrolled = (np.abs(np.diff(x, axis=1)).mean() for x in (hidden, barred[24:, 24:40]))
    assert kept > 0.7 * enrolled


def test_behind_a_person_in_another_room_nothing_of_the_enrolled_one_is_left(avatar) -> None:
    """A window's bars that were seen at enrolment, where the person sits now."""
    barred = wall_of(avatar)
    barred[:, np.arange(SIDE) % 16 < 6] = 230.0
    avatar = replace(avatar, tensors={PLANE: (barred / 255.0)[None].astype(np.float32)})
    other = np.full_like(barred, 120.0)
    other[::6] = 40.0
    seen = np.ones((SIDE, SIDE))
    seen[16:, 20:44] = 0.0
    packet = background_packet(Room(other, seen), avatar)
    assert packet is not None
    shown = wall_of(with_background(avatar, packet))
    hidden = shown[24:, 24:40]
    assert np.abs(np.diff(hidden, axis=1)).mean() < 0.4 * np.abs(np.diff(barred, axis=1)).mean()
    assert np.abs(hidden - other.mean()).mean() < 25


def test_always_sends_even_nothing_and_sizes_must_agree(avatar) -> None:
    wall = wall_of(avatar)
    same = Room(wall, np.ones((SIDE, SIDE)))
    packet = background_packet(same, avatar, always=True)
    assert packet is not None
    assert np.abs(wall_of(with_background(avatar, packet)) - wall).max() < 1e-3
    with pytest.raises(InputError, match="differ in size"):
        background_packet(Room(wall[::2, ::2], np.ones((32, 32))), avatar)


def test_it_keeps_to_the_bytes_that_are_wished_for(avatar) -> None:
    """Coarser where that saves anything; where nothing so small does, as large as ever."""
    rng = np.random.default_rng(2)
    room = Room(rng.uniform(0, 255, (8, 8, 3)).repeat(8, 0).repeat(8, 1), np.ones((SIDE, SIDE)))
    free = background_packet(room, avatar)
    assert free is not None
    small = background_packet(room, avatar, BackdropSettings(wished=len(bytes(free)) // 2))
    assert small is not None and len(bytes(small)) <= len(bytes(free)) // 2
    wall, (near, far) = room.picture, (wall_of(with_background(avatar, x)) for x in (free, small))
    errors = [np.square(shown - wall).mean() for shown in (near, far, wall_of(avatar))]
    assert errors[0] < errors[1] < errors[2]
    assert background_packet(room, avatar, BackdropSettings(wished=4)) == free


@pytest.mark.parametrize(
    "packet", [BackgroundPacket(2, 64, b"noise"), BackgroundPacket(9, 64, b"")]
)
def test_what_is_no_picture_is_refused(avatar, packet) -> None:
    with pytest.raises(StreamError):
        with_background(avatar, packet)


def states() -> FaceStates:
    values = np.random.default_rng(1).normal(0, 0.3, (50, LAYOUT.width)).astype(np.float32)
    return FaceStates(np.arange(50) * 40_000, values, np.ones(50, bool))


def test_it_travels_in_the_stream(avatar, tmp_path) -> None:
    packet = BackgroundPacket(2, 128, b"picture")
    head = StreamHeader(bytes.fromhex(avatar.digest)[:DIGEST], LAYOUT)
    write_stream(tmp_path / "with.fw", states(), avatar, head, surroundings=Surroundings(packet))
    write_stream(tmp_path / "none.fw", states(), avatar, head)
    found = read_stream(tmp_path / "with.fw", avatar.statistics)
    without = read_stream(tmp_path / "none.fw", avatar.statistics)
    assert found.background == packet and without.background is None
    assert np.array_equal(found.states.values, without.states.values)
    assert found.summary()["background_bytes"] == len(bytes(packet))
    assert found.size - without.size < len(bytes(packet)) + 20


def test_a_wished_rate_counts_it(avatar) -> None:
    small = Surroundings(BackgroundPacket(2, 64, bytes(40)))
    large = Surroundings(BackgroundPacket(2, 64, bytes(400)), LightPacket((0, 1, 2), (3, 4, 5)))
    settings = SenderSettings(kbps=1.0)
    kbps, kept, said = _shared(settings, small, states())  # 50 bytes in 2 s are 0.2 kbps
    assert kept is small and kbps == pytest.approx(0.8, abs=0.01) and not said
    kbps, kept, said = _shared(settings, large, states())
    assert kept == replace(large, background=None) and "--background" in said[0]
    assert kbps == pytest.approx(0.944, abs=0.001)  # the light's 14 bytes
    assert _shared(replace(settings, background="always"), large, states())[1] is large
    with pytest.raises(InputError, match="background"):
        SenderSettings(background="sometimes")
