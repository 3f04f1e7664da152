"""Small coded pictures, and what becomes of generated ones with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar.errors import InputError, StreamError
from codec.chunks import Chunk
from codec.mttf.fusion import REACH, enlarged, fused
from codec.mttf.packet import KeyFrame
from codec.mttf.reduced import reduced

pytest.importorskip("av")

from codec.mttf.classic import CODECS, decode_pictures, encode_pictures
from codec.mttf.layer import LayerDecoder, LayerEncoder, LayerSettings


def moving(make_scene, count: int = 30) -> list[np.ndarray]:
    return [make_scene(0.2 * np.sin(0.3 * n)) for n in range(count)]


def layer_of(pictures, kbps: float, **changes) -> LayerEncoder:
    encoder = LayerEncoder(LayerSettings(kbps, **changes), pictures[0].shape[0])
    for index, picture in enumerate(pictures):
        encoder.add(picture, index * 40_000)
    encoder.close()
    return encoder


def error(shown, wanted) -> float:
    return float(np.mean((np.stack(shown).astype(float) - np.stack(wanted)) ** 2))


@pytest.mark.parametrize("name", ["av1", "hevc", "h264"])
def test_pictures_that_follow_one_another(name: str, make_scene) -> None:
    pictures, number = moving(make_scene, 8), CODECS[name].number
    fine, coarse = (encode_pictures(pictures, name, qp) for qp in (25, CODECS[name].worst))
    assert len(coarse) < len(fine) < sum(len(encode_pictures([p], name, 25)) for p in pictures)
    shown = list(decode_pictures(fine, number, 64, 8))
    assert error(shown, pictures) < 30
    for count, came in ((7, "more came"), (9, "8 came")):
        with pytest.raises(StreamError, match=came):
            list(decode_pictures(fine, number, 64, count, "layer"))
    with pytest.raises(InputError, match="several sizes"):
        encode_pictures([pictures[0], pictures[0][:32, :32]], name, 25)
    with pytest.raises(InputError, match="single pictures"):
        encode_pictures(pictures, "vvc", 30)


def test_a_layer_keeps_its_rate_and_gains_from_it(make_scene) -> None:
    pictures = moving(make_scene)
    errors = []
    for kbps in (4.0, 8.0, 30.0):
        encoder = layer_of(pictures, kbps)
        assert len(encoder.chunks) == 1 and not encoder.missed
        assert len(bytes(encoder.chunks[0])) + 8 <= kbps * 125 * 30 / 25
        decoder = LayerDecoder(encoder.chunks, 64)
        bases = [decoder.at(n) for n in range(30)]
        assert decoder.at(30) is None
        errors.append(error([enlarged(b.picture, 64) for b in bases], pictures))
        small = [reduced(p, bases[0].picture.shape[0]) for p in pictures]
        noise = 4 * error([b.picture for b in bases], small) ** 0.5
        assert abs(bases[0].noise - noise) <= 0.5 + 1e-6
    assert errors[0] > errors[1] > errors[2]


def test_groups_decode_by_themselves(make_scene) -> None:
    pictures = moving(make_scene, 24)
    encoder = layer_of(pictures, 16.0, frames=10)
    assert [(c.frame, c.count) for c in encoder.chunks] == [(0, 10), (10, 10), (20, 4)]
    decoder = LayerDecoder(encoder.chunks, 64)
    shown = [decoder.at(n) for n in range(24)]
    for chunk in encoder.chunks:
        coded = list(decode_pictures(chunk.data, chunk.codec, chunk.side, chunk.pictures, "layer"))
        places = sorted({*range(0, chunk.count, chunk.step), chunk.count - 1})
        assert len(places) == chunk.pictures
        for index in range(chunk.count):
            line = np.array(
                [
                    np.interp(index, places, [c[y, x, k] for c in coded])
                    for y, x, k in ((0, 0, 0), (3, 5, 1), (9, 7, 2))
                ]
            )
            base = shown[chunk.frame + index].picture
            got = [base[0, 0, 0], base[3, 5, 1], base[9, 7, 2]]
            assert np.abs(np.array(got) - line).max() <= 0.5
    # One that is not there leaves its frames as they are generated.
    decoder = LayerDecoder(encoder.chunks[::2], 64)
    there = [decoder.at(n) is not None for n in range(24)]
    assert there == [True] * 10 + [False] * 10 + [True] * 4
    assert [b.frame for b in layer_of(pictures, 16.0, seconds=0.2).chunks] == [0, 5, 10, 15, 20]


def test_a_rate_too_low_leaves_frames_out(make_scene) -> None:
    encoder = layer_of(moving(make_scene, 10), 0.1)
    assert not encoder.chunks and encoder.missed == 10
    for kbps in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="rate"):
            LayerEncoder(LayerSettings(kbps), 64)
    with pytest.raises(InputError, match="vvc"):
        LayerEncoder(LayerSettings(4.0, "vvc"), 64)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_fusion_is_its_plain_twin(factor: int) -> None:
    rng = np.random.default_rng(factor)
    generated = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    side, noise = 16 // factor, 90
    base = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    small = generated.astype(float).reshape(side, factor, side, factor, 3).mean((1, 3))
    difference = base - small
    gain = np.zeros((side, side, 1))
    for y in range(side):
        for x in range(side):
            rows = np.clip(np.arange(y - REACH, y + REACH + 1), 0, side - 1)
            columns = np.clip(np.arange(x - REACH, x + REACH + 1), 0, side - 1)
            energy = (difference[np.ix_(rows, columns)] ** 2).sum()
            explained = 3 * len(rows) * len(columns) * (noise / 4) ** 2
            gain[y, x] = np.floor(256 * max(0, energy - explained) / energy) / 256

    def wide(small: np.ndarray) -> np.ndarray:
        while len(small) < 16:
            for axis in (0, 1):
                small = np.moveaxis(small, axis, 0)
                padded = np.concatenate([small[:1], small, small[-1:]])
                halves = [0.75 * small + 0.25 * padded[:-2], 0.75 * small + 0.25 * padded[2:]]
                small = np.stack(halves, 1).reshape(-1, *small.shape[1:])
                small = np.moveaxis(small, 0, axis)
        return small

    lost = wide(np.floor(256 * gain**4) / 256) * (generated - wide(small))
    wanted = np.clip(generated + wide(gain * difference) - lost, 0, 255)
    assert gain.max() > 0.3
    assert np.abs(fused(generated, base, noise) - wanted).max() <= 0.5 + 1e-9


def test_what_the_layer_says_is_taken_where_its_noise_does_not_explain_it(make_scene) -> None:
    picture = make_scene(0.0)
    base = reduced(picture, 32)
    assert np.array_equal(fused(picture, base, 3), picture)  # rounding is noise too
    rough = np.clip(base + np.random.default_rng(0).normal(0, 5, base.shape), 0, 255)
    kept = fused(picture, rough.astype(np.uint8), 4 * 8)
    assert np.array_equal(kept, picture)  # a difference of 5 levels, of 8 that are expected
    # A cast over the whole picture follows the layer, and detail stays.
    warm = np.clip(picture.astype(int) + [24, 0, -24], 0, 255).astype(np.uint8)
    back = fused(warm, base, 8)
    assert np.abs(back.mean((0, 1)) - picture.mean((0, 1))).max() < 1
    assert error([back], [picture]) < 0.02 * error([warm], [picture])
    assert enlarged(base, 64).shape == (64, 64, 3)
    assert np.array_equal(enlarged(np.full((8, 8, 3), 77, np.uint8), 32), np.full((32, 32, 3), 77))


def test_a_stream_gains_from_its_layer(tiny, make_scene) -> None:
    pytest.importorskip("torch")
    from codec.mttf.decoder import Decoder
    from codec.mttf.encoder import EncoderSettings
    from codec.mttf.recording import encode
    from codec.mttf.runtime import Runtime
    from tests.codec.mttf.untrained import untrained

    pictures = moving(make_scene)
    weights = untrained(tiny)
    runtime, times = Runtime(weights), [n * 40_000 for n in range(len(pictures))]
    settings = EncoderSettings(side=64, qp=40, kbps=0.1)
    result = encode(pictures, times, runtime, weights.statistics, settings)

    def left(layers) -> float:
        chunks = [Chunk(c.kind, bytes(c), 0, 0) for c in [*result.chunks, *layers]]
        return error(list(Decoder(runtime, chunks).pictures(result.vectors)), pictures)

    layers = [layer_of(pictures, kbps).chunks for kbps in (5.0, 10.0, 30.0)]
    errors = [left(()), *map(left, layers)]
    assert errors == sorted(errors, reverse=True) and errors[3] < 0.1 * errors[0]
    (layer,) = layers[0]
    for damaged, message in (
        (replace(layer, side=48), "a layer of 48 for 64"),
        (replace(layer, codec=9), "unknown codec 9"),
        (replace(layer, data=layer.data[:5]), "layer"),
        (replace(layer, data=b""), "nothing came"),
        (replace(layer, step=200), "more came"),
        (replace(layer, side=layer.side * 2), "came"),
    ):
        with pytest.raises(StreamError, match=message):
            left([damaged])
    with pytest.raises(StreamError, match="a layer of nothing"):
        left([replace(layer, count=0)])
    assert isinstance(result.chunks[0], KeyFrame)
