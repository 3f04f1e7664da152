"""Ours through the lab's door: the sender's bytes, the receiver's pictures, an avatar of noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("nerfacc")

from avatar.archive import read_avatar, write_avatar
from avatar.avatar import Avatar, Consent
from avatar.camera import Pinhole
from avatar.errors import InputError
from avatar.face import FaceStates, StateLayout, Window
from bench import avatar_codec
from bench.avatar_coders import by_order_0
from bench.codec import Clip, Material, run_point
from bench.codecs import codecs
from bench.made_states import header, person, talking
from bench.simulated_call import call
from codec.packet import LightPacket, PosturePacket
from render.fields.settings import FieldSettings
from render.person import Person
from render.tensors import fields_to_arrays, settings_to_json
from service.backdrop import Room, background_packet, side_of
from service.surroundings import SAME, Surroundings

FIELDS = FieldSettings(
    coarse=(12, 12, 12), plane=24, side=12, channels=8, blend=8, blend_channels=4, warp=(3, 4, 4),
    hidden=16, torso_plane=16, torso_channels=8, background=16,
)  # fmt: skip
LAYOUT = StateLayout()
FRAMES = 31
WINDOW = Window(0, 0, 24, 24, 24)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    import torch

    torch.manual_seed(0)
    made = Person(FIELDS, Pinhole(2.0), LAYOUT)
    avatar = Avatar(
        name="Noise", created="2026-01-01T00:00:00+00:00",
        consent=Consent("nobody", "a test", "2026-01-01T00:00:00+00:00", "flag", "1"),
        camera=Pinhole(2.0), window=WINDOW, layout=LAYOUT, statistics=person(LAYOUT, history=20),
        settings=settings_to_json(FIELDS), tensors=fields_to_arrays(made),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("avatar") / "noise.avatar"
    write_avatar(avatar, path)
    times = np.arange(FRAMES, dtype=np.int64) * 40_000
    frames = np.zeros((FRAMES, 24, 24, 3), np.uint8)
    material = Material(path, WINDOW, times, avatar=path, track=path)
    return Clip("noise", frames, 25.0, material)


@pytest.fixture(autouse=True)
def states(monkeypatch: pytest.MonkeyPatch) -> FaceStates:
    """The tracker is not in question here."""
    made = talking(FRAMES, LAYOUT, 3)
    made = FaceStates(np.arange(FRAMES, dtype=np.int64) * 40_000, made.values, made.visible, LAYOUT)
    # 0.2 s of work for each second of the video.
    sent_from(monkeypatch, made, SAME)
    return made


def sent_from(monkeypatch: pytest.MonkeyPatch, made: FaceStates, place: Surroundings) -> None:
    def searched(*given: object) -> avatar_codec._Searched:
        return avatar_codec._Searched(made, place if given[-1] else SAME, 0.2)

    monkeypatch.setattr(avatar_codec, "_searched", searched)


def test_coarser_steps_take_fewer_bytes_and_every_picture_comes_back(clip: Clip) -> None:
    codec = codecs()["avatar"]
    coarse, fine = (run_point(codec, clip, point) for point in (8.0, 1.0))
    assert coarse.account(clip).payload < fine.account(clip).payload
    assert coarse.frames.shape == clip.frames.shape and set(fine.parts) == {"header", "states"}
    assert fine.archive == clip.material.avatar.stat().st_size  # type: ignore[union-attr]
    assert fine.settings == f"{LAYOUT.width} numbers a frame, quantiser step 1"
    assert fine.packets == FRAMES
    with pytest.raises(InputError, match="no quantiser step 1000"):
        run_point(codec, clip, 1000.0)


def test_fewer_pictures_sent_are_still_all_shown(clip: Clip) -> None:
    every, second = (run_point(codecs()[name], clip, 2.0) for name in ("avatar", "avatar-skip"))
    assert second.frames.shape == every.frames.shape
    assert second.account(clip).payload < every.account(clip).payload
    assert second.packets == 16


def test_the_papers_own_numbers_cost_what_they_cost(clip: Clip, states: FaceStates) -> None:
    exact = run_point(codecs()["avatar-lossless16"], clip, 1.0)
    assert exact.settings.startswith("42 numbers a frame, 16-bit floats")
    plain = run_point(codecs()["avatar"], clip, 1.0)
    assert exact.account(clip).payload > 1.5 * plain.account(clip).payload


def test_the_fields_coder_shows_the_same_for_more_bytes(clip: Clip) -> None:
    """Made-up speech leaves a coder little to gain; what faces give is measured in the lab."""
    theirs = run_point(codecs()["avatar-order0"], clip, 1.0)
    ours = run_point(codecs()["avatar"], clip, 1.0)
    assert 0 < theirs.parts["header"] <= ours.parts["header"] and theirs.packets == FRAMES
    assert theirs.parts["states"] > ours.parts["states"]
    assert theirs.settings == f"{ours.settings}, the field's coder: a file a frame, order 0"
    # Ours may choose a cheaper symbol next to the nearest one, nothing farther.
    near = np.abs(theirs.frames.astype(int) - ours.frames)
    assert near.mean() < 2


def test_a_call_sends_a_packet_a_frame_and_costs_more(clip: Clip, states: FaceStates) -> None:
    live, file = (run_point(codecs()[name], clip, 1.0) for name in ("avatar-call", "avatar"))
    assert set(live.parts) == {"states", "session"} and live.packets >= FRAMES  # type: ignore[operator]
    assert live.parts["states"] > file.parts["states"] and live.parts["session"] > 0
    assert live.settings.endswith("step 1, a call's datagrams, nothing lost")
    # What the simulated receiver decoded is what was sent, to the symbol.
    avatar = read_avatar(clip.material.avatar)  # type: ignore[union-attr, arg-type]
    heard = call(states=(states, avatar.statistics))
    assert heard.refused == 0 and heard.share(("exact",), start=600_000) == 1
    assert heard.errors(start=600_000).max() < 0.5


def test_a_room_that_changed_is_counted_and_shown(
    clip: Clip, states: FaceStates, monkeypatch: pytest.MonkeyPatch
) -> None:
    avatar = read_avatar(clip.material.avatar)  # type: ignore[union-attr, arg-type]
    side = side_of(avatar)
    bright = Room(np.full((side, side, 3), 250.0), np.ones((side, side)))
    packet = background_packet(bright, avatar, always=True)
    codec, call_codec = codecs()["avatar"], codecs()["avatar-call"]
    before, called = run_point(codec, clip, 1.0), run_point(call_codec, clip, 1.0)
    posture = PosturePacket(2, 1, (0, 9, 0, -9))
    place = Surroundings(packet, LightPacket((-64, -64, -64), (0, 0, 0)), posture)
    sent_from(monkeypatch, states, place)
    after = run_point(codec, clip, 1.0)
    assert after.parts["background"] == len(bytes(packet)) and after.parts["light"] == 6
    assert after.parts["posture"] == 6
    more = after.account(clip).payload - before.account(clip).payload
    assert len(bytes(packet)) + 12 <= more <= len(bytes(packet)) + 12 + 24
    assert after.frames[:, 0].mean() > before.frames[:, 0].mean() + 5  # wall
    assert run_point(call_codec, clip, 1.0).parts == called.parts


def test_the_fields_coder_repeats_a_state_without_a_face(states: FaceStates, clip: Clip) -> None:
    avatar = read_avatar(clip.material.avatar)  # type: ignore[union-attr, arg-type]
    visible = states.visible.copy()
    visible[5:8] = False
    blind = replace(states, visible=visible)
    carried = by_order_0(blind, avatar, header(LAYOUT), SAME)
    np.testing.assert_array_equal(carried.states.values[5:8], carried.states.values[[4] * 3])
    half = 0.5 * avatar.statistics.step
    seen = np.abs(carried.states.values - states.values)[visible]
    assert np.all(seen <= half * 1.001 + 1e-6)
    assert list(carried.states.visible) == list(visible)


def test_encoding_time_has_its_share_of_tracking(clip: Clip) -> None:
    outcome = run_point(codecs()["avatar"], clip, 1.0)
    assert outcome.encode_seconds is not None and outcome.decode_seconds is not None
    assert 0.2 * clip.seconds < outcome.encode_seconds < 0.2 * clip.seconds + 5


def test_a_clip_without_an_avatar_is_refused(clip: Clip) -> None:
    with pytest.raises(InputError, match="has no avatar"):
        run_point(codecs()["avatar"], Clip("bare", clip.frames), 1.0)
