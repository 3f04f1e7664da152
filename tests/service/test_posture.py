"""Shoulders that are held otherwise than when enrolled: a bent torso, sent once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")
pytest.importorskip("cv2")

import torch

from avatar.avatar import Avatar
from avatar.camera import Pinhole
from avatar.errors import InputError, StreamError
from avatar.face import EXPRESSIONS, FaceStates, FaceTrack
from codec.container import read_stream
from codec.header import DIGEST, StreamHeader
from codec.packet import PosturePacket
from enroll.capture import Frame
from render.person import SamplingSettings
from render.portrait import Portrait, RenderSettings
from render.posture import bent_plane
from service import search, seen_posture
from service.posture import offsets_of, packet_of, with_posture
from service.search import SearchSettings, searched
from service.seen_posture import PostureSettings, SeenPosture
from service.sender import SenderSettings, write_stream
from service.surroundings import SAME, Surroundings
from service.surroundings_watch import SurroundingsWatch, WatchSettings
from tests.service.small_person import LAYOUT, SIZE, WINDOW, avatar_of, colour, small_person

FRAMES = 6
SETTINGS = PostureSettings(
    frames=FRAMES, size=SIZE, rays=512, noise=0.05, least=2.0, sampling=SamplingSettings(12, 6)
)
MASK = np.full((64, 64), 255, np.uint8)


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    """A head, and shoulders of many colours, before a grey wall."""
    person = small_person()
    colour(person, spots=9)
    with torch.no_grad():
        for network in (person.head.colour, person.torso.colour):
            network.last.weight.zero_()
            network.last.bias.zero_()
    return avatar_of(person)


@pytest.fixture(scope="module")
def leaning() -> PosturePacket:
    """The right shoulder two pixels of 64 higher than the left one."""
    offsets = np.zeros((8, 8, 2), np.float32)
    offsets[4:, :, 1] = np.linspace(0, 2 / SIZE, 8)
    return packet_of(offsets)


@pytest.fixture(scope="module")
def states(avatar) -> FaceStates:
    values = np.tile(avatar.statistics.mean, (FRAMES, 1))
    values[:, LAYOUT.groups["translation"].start] += np.linspace(-0.02, 0.02, FRAMES)
    values[:, LAYOUT.groups["torso"].start] += np.linspace(-0.01, 0.01, FRAMES)
    return FaceStates(np.arange(FRAMES) * 40_000, values, np.ones(FRAMES, bool), LAYOUT)


def drawn(avatar: Avatar, states: FaceStates) -> np.ndarray:
    portrait = Portrait(avatar, "cpu", RenderSettings(SamplingSettings(12, 6), thrift=None))
    return np.stack([portrait.render(row, SIZE, SIZE) for row in states.values])


def looked(pictures: np.ndarray, states: FaceStates) -> SeenPosture:
    seen = SeenPosture(SETTINGS)
    for picture, values in zip(pictures, states.values, strict=True):
        seen.look(picture, MASK, values)
    return seen


def test_a_plane_is_bent_by_as_much_as_is_said() -> None:
    rows = torch.arange(33.0)[None, :, None, None].expand(1, 33, 33, 2).contiguous()
    assert torch.equal(bent_plane(rows, torch.zeros(4, 4, 2)), rows)
    down = torch.zeros(4, 4, 2)
    down[..., 1] = 2 / 32  # of the window: two texels
    assert torch.allclose(bent_plane(rows, down)[0, 4:-4, :, 0], rows[0, 4:-4, :, 0] + 2, atol=1e-4)


def test_the_packet_comes_back_and_what_is_none_is_refused(leaning) -> None:
    assert PosturePacket.parse(bytes(leaning)) == leaning and leaning.first == 4
    assert len(bytes(leaning)) == 2 + 4 * 8 * 2
    np.testing.assert_allclose(offsets_of(leaning)[6, 7], [0, 2 / SIZE], atol=1 / 4096)
    assert len(bytes(packet_of(np.zeros((8, 8, 2))))) == 2
    for wrong in (b"", b"\1\0", b"\21\0", bytes(leaning)[:-1], bytes([8, 5]) + bytes(64)):
        with pytest.raises(StreamError):
            PosturePacket.parse(wrong)


def test_shoulders_are_found_as_they_are_held(avatar, states, leaning) -> None:
    filmed = drawn(with_posture(avatar, leaning), states)
    seen = looked(filmed, states)
    assert seen.full
    found = seen.posture(avatar)
    assert found is not None and found.first >= 3  # nothing above the shoulders
    before = np.abs(filmed.astype(float) - drawn(avatar, states))
    after = np.abs(filmed.astype(float) - drawn(with_posture(avatar, found), states))
    assert after.mean() < 0.4 * before.mean()
    np.testing.assert_array_equal(
        drawn(with_posture(avatar, found), states)[:, :20], drawn(avatar, states)[:, :20]
    )


def test_what_a_receiver_has_stays_until_another_is_worth_its_bytes(
    avatar, states, leaning
) -> None:
    enrolled, leant = drawn(avatar, states), drawn(with_posture(avatar, leaning), states)
    assert looked(enrolled, states).posture(avatar) is None
    assert looked(leant, states).posture(avatar, leaning) is leaning
    assert looked(enrolled, states).posture(avatar, leaning) is None
    assert SeenPosture(SETTINGS).posture(avatar, leaning) is leaning


def test_a_live_call_waits_until_it_has_seen_enough(avatar, states, leaning) -> None:
    filmed = drawn(with_posture(avatar, leaning), states)
    settings = WatchSettings(False, False, True, first=3, later=3, held=SETTINGS)
    watch, told = SurroundingsWatch(avatar, settings), []
    for n in range(FRAMES):
        track = track_of(avatar, n * 100_000)
        row = FaceStates(track.time, states.values[n : n + 1], np.ones(1, bool), LAYOUT)
        told.append(watch.step(Frame(filmed[n], n * 100_000), track, row))
    assert told[:-1] == [None] * (FRAMES - 1) and told[-1].posture is not None


def track_of(avatar: Avatar, time: int) -> FaceTrack:
    def rows(*width: int) -> np.ndarray:
        return np.zeros((1, *width), np.float32)

    return FaceTrack(
        np.array([time]), rows(EXPRESSIONS), rows(3), rows(3), rows(4), rows(2), rows(4),
        np.ones(1), rows(4), MASK[None], np.zeros(1), Pinhole(2.0), WINDOW,
    )  # fmt: skip


def test_a_recording_is_looked_at_again_once_it_is_known(
    avatar, states, leaning, monkeypatch
) -> None:
    """Its states are right only for shoulders as they are held, and these only for right states."""
    looks: list[tuple[float, Avatar]] = []

    def refined(found: FaceStates, track: object, source: object, who: Avatar, *_: object):
        looks.append((float(found.values.sum()), who))
        return replace(found, values=found.values + 1)

    monkeypatch.setattr("service.refined_states.refined", refined)
    monkeypatch.setattr(search, "surroundings_of", lambda *_: SAME)
    monkeypatch.setattr(seen_posture, "changed_posture", lambda *_: leaning)
    found, place = searched("film", None, states, avatar, SearchSettings(effort=1))
    assert place == Surroundings(posture=leaning) and len(looks) == 2
    assert looks[0][1] is avatar and looks[1][0] == pytest.approx(looks[0][0] + states.values.size)
    np.testing.assert_allclose(found.values, states.values + 2, rtol=1e-6)
    np.testing.assert_array_equal(
        looks[1][1].tensors["fields.torso.plane"],
        with_posture(avatar, leaning).tensors["fields.torso.plane"],
    )

    looks.clear()
    _, place = searched("film", None, states, avatar, SearchSettings(1, posture="never"))
    assert place == SAME and len(looks) == 1
    found, place = searched("film", None, states, avatar, SearchSettings(0))
    assert place.posture is leaning and found is states and len(looks) == 1


def test_it_travels_in_a_stream(avatar, states, leaning, tmp_path) -> None:
    digest = bytes.fromhex(avatar.digest)[:DIGEST]
    header = StreamHeader(digest, LAYOUT, window=WINDOW)
    write_stream(
        tmp_path / "a.fw", states, avatar, header, surroundings=Surroundings(posture=leaning)
    )
    stream = read_stream(tmp_path / "a.fw", avatar.statistics, avatar.digest)
    assert stream.posture == leaning and Surroundings.of(stream).posture == leaning
    assert stream.summary()["posture_bytes"] == 66
    assert "fields.torso.plane" in Surroundings.of(stream).around(avatar).tensors


def test_another_posture_cannot_be_asked_for() -> None:
    with pytest.raises(InputError, match="posture 'always'"):
        SenderSettings(posture="always")
    assert SenderSettings(mode="lossless16").search == SearchSettings(
        0, "never", "neutral", "never"
    )
