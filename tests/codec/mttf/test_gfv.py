"""The fallback's numbers in SEI messages behind key frames."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from avatar.errors import InputError, StreamError
from codec.gfv_syntax import GfvLayout, Network, PointLayout
from codec.gfv_values import GfvWriter
from codec.mttf.gfv import PRECISION, STREAMS, GfvNetwork, Scene, gfv_layout, scenes_in
from codec.mttf.packet import FARTHEST
from codec.mttf.vectors import STEP
from codec.nal import pictures, with_sei
from codec.sei import GFV

UNIT = b"\0\0\1" + bytes([1 << 1, 1, 0x80])  # a slice of HEVC
NETWORK = GfvNetwork("ab" * 32, 256, Fraction(30000, 1001))
FACE = (5, -FARTHEST, 0, FARTHEST)


def scene(rows: np.ndarray, face: tuple[int, ...] = FACE) -> Scene:
    return Scene("hevc", UNIT, rows[0], rows, NETWORK, face)


def test_the_step_is_the_precision() -> None:
    assert 2.0**-PRECISION == STEP


def test_scenes_there_and_back() -> None:
    rows = np.random.default_rng(0).normal(1, 2, (20, 40)).astype(np.float32)
    stream = bytes(scene(rows[:12])) + bytes(scene(rows[12:], ()))
    found = list(scenes_in(stream, "hevc"))
    assert [len(one.vectors) for one in found] == [12, 8]
    assert [one.face for one in found] == [FACE, ()]
    assert all(one.network == NETWORK for one in found)
    back = np.concatenate([one.vectors for one in found])
    assert np.abs(back - rows).max() <= STEP / 2 + 1e-6
    assert np.abs(found[1].own - rows[12]).max() <= STEP / 2 + 1e-6
    assert list(scenes_in(b"", "hevc")) == []
    still = bytes(scene(rows[[0] * 20]))
    assert len(still) < len(bytes(scene(rows))) / 2  # differences of nothing take next to nothing


def test_what_is_not_the_fallbacks() -> None:
    with pytest.raises(InputError, match="no SEI"):
        bytes(replace(scene(np.zeros((1, 40))), codec="av1"))
    with pytest.raises(InputError, match="no SEI"):
        list(scenes_in(b"", "av1"))
    with pytest.raises(StreamError, match="without a base"):
        list(scenes_in(UNIT, "hevc"))
    points = GfvWriter(0, GfvLayout(PointLayout(4, 1))).base([[0.0, 0.0]], None)
    with pytest.raises(StreamError, match="not the fallback's matrices"):
        list(scenes_in(with_sei(UNIT, "hevc", {0: [(GFV, bytes(points))]}), "hevc"))


def test_a_coarser_step_takes_less() -> None:
    rows = np.random.default_rng(0).normal(1, 2, (20, 40)).astype(np.float32)
    sizes = []
    for precision in (3, 2, 1):
        stream = bytes(replace(scene(rows), precision=precision))
        (found,) = scenes_in(stream, "hevc")
        assert np.abs(found.vectors - rows).max() <= 0.5**precision / 2 + 1e-6
        assert found.precision == precision and found.face == FACE
        sizes.append(len(stream))
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize(
    ("tag", "uri"),
    [
        ("tag:other", NETWORK.network.uri),
        (NETWORK.network.tag, "https://example.org/network"),
        (NETWORK.network.tag, NETWORK.network.uri.replace("side=256", "side=0")),
        (NETWORK.network.tag, NETWORK.network.uri.replace("30000/1001", "1e999999999")),
        (NETWORK.network.tag, NETWORK.network.uri.replace("30000/1001", "30000/0")),
        (NETWORK.network.tag, NETWORK.network.uri.replace("30000/1001", "30000/1")),
    ],
)
def test_another_network_is_refused(tag: str, uri: str) -> None:
    message = GfvWriter(0, gfv_layout(4)).base(None, [0.0] * 4, Network(1, tag, uri))
    with pytest.raises(StreamError, match="GFV"):
        list(scenes_in(with_sei(UNIT, "hevc", {0: [(GFV, bytes(message))]}), "hevc"))


@pytest.mark.parametrize("codec", STREAMS)
def test_any_decoder_shows_the_key_frames(codec: str, make_scene) -> None:
    pytest.importorskip("av")
    from codec.mttf.classic import CODECS, decode_pictures
    from codec.mttf.keyframe import decode_key, encode_key

    if codec == "vvc":
        pytest.importorskip("imageio_ffmpeg")
    keys = [encode_key(make_scene(shift), codec, 35) for shift in (0.0, 0.2)]
    rows = np.random.default_rng(0).normal(0, 1, (5, 40))
    scenes = [Scene(codec, key, rows[0], rows, NETWORK, FACE) for key in keys]
    stream = b"".join(map(bytes, scenes))
    number = CODECS[codec].number
    plain = [decode_key(key, number, 64) for key in keys]
    assert np.array_equal(list(decode_pictures(stream, number, 64, 2)), plain)
    found = list(scenes_in(stream, codec))
    assert np.array_equal([decode_key(one.key, number, 64) for one in found], plain)
    assert all(np.abs(one.vectors - rows).max() <= STEP / 2 + 1e-6 for one in found)
    assert [one.face for one in found] == [FACE, FACE]
    assert len(list(pictures(b"".join(keys), STREAMS[codec]))) == 2


def test_damage_is_told_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (6, 40))
    stream = bytes(scene(rows)) + bytes(scene(rows))
    refused = 0
    for _ in range(500):
        data = bytearray(stream)
        for at in rng.integers(len(data), size=rng.integers(1, 5)):
            data[at] = rng.integers(256)
        cut = data[: rng.integers(1, len(data) + 1)] if rng.random() < 0.3 else data
        try:
            for one in scenes_in(bytes(cut), "hevc"):
                assert one.vectors.ndim == 2 and np.isfinite(one.vectors).all()
        except StreamError:
            refused += 1
    assert refused > 100
