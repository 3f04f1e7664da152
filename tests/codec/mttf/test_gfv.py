"""The fallback's numbers in SEI messages behind a key frame."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.errors import InputError, StreamError
from codec.gfv_syntax import GfvLayout, PointLayout
from codec.gfv_values import GfvWriter
from codec.mttf.gfv import PRECISION, STREAMS, vectors_in, with_vectors
from codec.mttf.vectors import STEP
from codec.nal import with_sei
from codec.sei import GFV

UNIT = b"\0\0\1" + bytes([1 << 1, 1, 0x80])  # a slice of HEVC


def test_the_step_is_the_precision() -> None:
    assert 2.0**-PRECISION == STEP


def test_vectors_there_and_back() -> None:
    rows = np.random.default_rng(0).normal(1, 2, (20, 40)).astype(np.float32)
    stream = with_vectors(UNIT, "hevc", rows[0], rows)
    back = vectors_in(stream, "hevc", 40)
    assert back.shape == rows.shape and np.abs(back - rows).max() <= STEP / 2 + 1e-6
    assert vectors_in(UNIT, "hevc", 40).shape == (0, 40)
    still = with_vectors(UNIT, "hevc", rows[0], rows[[0] * 20])
    assert len(still) < len(stream) / 2  # differences of nothing take next to nothing


def test_what_is_not_the_fallbacks() -> None:
    with pytest.raises(InputError, match="no SEI"):
        with_vectors(b"", "av1", np.zeros(40), np.zeros((1, 40)))
    points = GfvWriter(0, GfvLayout(PointLayout(4, 1))).base([[0.0, 0.0]], None)
    with pytest.raises(StreamError, match="not the fallback's"):
        vectors_in(with_sei(UNIT, "hevc", {0: [(GFV, bytes(points))]}), "hevc", 40)


@pytest.mark.parametrize("codec", STREAMS)
def test_any_decoder_shows_the_key_frame(codec: str, make_scene) -> None:
    pytest.importorskip("av")
    from codec.mttf.classic import CODECS
    from codec.mttf.keyframe import decode_key, encode_key

    if codec == "vvc":
        pytest.importorskip("imageio_ffmpeg")
    key = encode_key(make_scene(0.0), codec, 35)
    rows = np.random.default_rng(0).normal(0, 1, (5, 40))
    stream = with_vectors(key, codec, rows[0], rows)
    number = CODECS[codec].number
    assert np.array_equal(decode_key(stream, number, 64), decode_key(key, number, 64))
    assert np.abs(vectors_in(stream, codec, 40) - rows).max() <= STEP / 2 + 1e-6
