"""Frames between two key frames, made from both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar.errors import StreamError
from codec.chunks import Chunk
from codec.mttf.packet import KeyFrame, Layer, Reference, SecondReference, in_order
from codec.mttf.ramp import Evidence, Ramp, best_ramp, mixed

torch = pytest.importorskip("torch")
pytest.importorskip("av")

from codec.mttf.decoder import Decoder  # noqa: E402
from codec.mttf.encoder import Encoder, EncoderSettings  # noqa: E402
from codec.mttf.keyframe import decode_key, encode_key  # noqa: E402
from codec.mttf.recording import encode  # noqa: E402
from codec.mttf.runtime import Runtime  # noqa: E402
from tests.codec.mttf.untrained import untrained  # noqa: E402


@pytest.fixture
def runtime(tiny):
    return Runtime(untrained(tiny))


def wire(*sent) -> list[Chunk]:
    return [Chunk(chunk.kind, bytes(chunk), 0, 0) for chunk in sent]


def dissolve(make_scene, count: int = 16) -> list[np.ndarray]:
    """From one picture to another, which a generator that shows key frames cannot follow."""
    first, last = make_scene(-0.2, seed=1).astype(float), make_scene(0.2, seed=2).astype(float)
    shares = np.linspace(0, 1, count)
    return [np.rint((1 - w) * first + w * last).astype(np.uint8) for w in shares]


def test_the_best_ramp_is_that_of_all_of_them_drawn() -> None:
    rng = np.random.default_rng(0)
    for seed in range(6):
        count = 1 + seed
        pictures, first, second = (
            [rng.integers(0, 256, (4, 4, 3), dtype=np.uint8) for _ in range(count)]
            for _ in range(3)
        )
        # The later frames look more like what the second key frame gives.
        for n in range(count):
            w = (n + 1) / (count + 1)
            picture = (1 - w) * first[n] + w * second[n] + rng.normal(0, 9, (4, 4, 3))
            pictures[n] = np.clip(np.rint(picture), 0, 255).astype(np.uint8)

        def left(ramp: Ramp, sides=(pictures, first, second)) -> float:
            total = 0.0
            for n, (picture, one, other) in enumerate(zip(*sides)):
                k, whole = ramp.share(n)
                shown = (one * (1 - k / whole)) + other * (k / whole)
                total += ((shown - picture) ** 2).sum()
            return total

        ramps = [Ramp(s, e) for s in range(count) for e in range(s, count + 1)]
        found = best_ramp(Evidence.of(pictures, first, second))
        assert found is not None
        assert left(found) == pytest.approx(min(map(left, ramps)))
    assert best_ramp(Evidence.of(first, first, second)) is None  # the first is right already
    assert best_ramp(Evidence.of([], [], [])) is None


def test_mixtures_are_rounded_halves_up() -> None:
    one, other = np.array([0, 10, 255, 3], np.uint8), np.array([1, 20, 255, 0], np.uint8)
    assert mixed(one, other, 1, 2).tolist() == [1, 15, 255, 2]
    assert mixed(one, other, 0, 7).tolist() == one.tolist()
    assert mixed(one, other, 7, 7).tolist() == other.tolist()


def test_decoding_is_its_plain_twin(runtime, make_scene) -> None:
    pictures = [make_scene(s, seed=s > 0) for s in (0.0, 0.25)]
    data = [encode_key(picture, "hevc", 30) for picture in pictures]
    keys = KeyFrame(0, 0, 1, 64, data[0]), KeyFrame(6, 2, 1, 64, data[1])
    back = SecondReference(8), Reference(10, 0)
    rows = np.random.default_rng(1).normal(size=(12, 8)).astype(np.float32)
    decoder = Decoder(runtime, wire(keys[0], SecondReference(2), keys[1], *back))
    shown = list(decoder.pictures(rows))
    held = [runtime.hold(decode_key(d, 1, 64)) for d in data]
    made = np.array([[runtime.generate(h, row) for h in held] for row in rows], np.float64)
    # Of the second: none to frame 1, fifths from 2 to 5, all from 6; thirds of the way back.
    shares = [0, 0, 1 / 5, 2 / 5, 3 / 5, 4 / 5, 1, 1, 2 / 3, 1 / 3, 0, 0]
    for picture, (one, other), w in zip(shown, made, shares):
        assert np.array_equal(picture, np.floor((1 - w) * one + w * other + 0.5 + 1e-9))
    # Frames may be made in any order, as threads do.
    again = Decoder(runtime, wire(keys[0], SecondReference(2), keys[1], *back))
    frames = [again.next(row) for row in rows]
    backwards = [frame.picture() for frame in frames[::-1]][::-1]
    assert np.array_equal(backwards, shown)
    # A reader that does not know chunk 20 shows each key frame from its own frame on.
    older = list(Decoder(runtime, wire(keys[0], keys[1], back[1])).pictures(rows))
    for frame, picture in enumerate(older):
        assert np.array_equal(picture, made[frame][int(6 <= frame < 10)])


def test_a_recording_is_better_for_the_same_key_frames(runtime, tiny, make_scene) -> None:
    frames = dissolve(make_scene)
    times = [n * 40_000 for n in range(len(frames))]
    statistics = untrained(tiny).statistics
    settings = EncoderSettings(side=64, qp=20, kbps=30.0, patience=8.0)
    two = encode(frames, times, runtime, statistics, settings)
    one = encode(frames, times, runtime, statistics, replace(settings, lookback=0))
    assert any(isinstance(chunk, SecondReference) for chunk in two.chunks)
    keys = [[c.data for c in r.chunks if isinstance(c, KeyFrame)] for r in (one, two)]
    assert keys[0] == keys[1] and len(keys[0]) > 1
    shown = [
        np.stack(list(Decoder(runtime, wire(*r.chunks)).pictures(r.vectors))) for r in (one, two)
    ]
    errors = [np.abs(s.astype(int) - np.stack(frames)).mean() for s in shown]
    assert errors[1] < 0.8 * errors[0]
    assert two.errors.mean() < 0.8 * one.errors.mean()

    # Without looking back it is the live encoder, chunk for chunk.
    live = Encoder(runtime, statistics, settings)
    for frame, time in zip(frames, times):
        live.encode(frame, time)
    assert tuple(live.chunks) == one.chunks

    near = encode(frames, times, runtime, statistics, replace(settings, lookback=1))
    starts = [c.frame for c in near.chunks if isinstance(c, SecondReference)]
    ends = [c.frame for c in near.chunks if isinstance(c, KeyFrame)]
    assert all(start + 1 in ends for start in starts)


def test_chunks_stand_before_what_needs_them() -> None:
    key, later = KeyFrame(0, 0, 1, 64, b""), KeyFrame(9, 1, 1, 64, b"")
    layer = Layer(5, 1, 1, 1, 32, 0, b"")
    sent = [key, SecondReference(4), later, Reference(12, 0), layer]
    assert in_order(sent) == [(0, key), (4, sent[1]), (4, later), (5, layer), (12, sent[3])]


def test_second_references_that_cannot_be(runtime, make_scene) -> None:
    data = encode_key(make_scene(0.0), "hevc", 40)
    key = KeyFrame(0, 0, 1, 64, data)
    row = np.zeros((3, 8), np.float32)
    for sent, message in (
        ((key, SecondReference(1)), "nothing follows"),
        ((SecondReference(0), key), "begins without a key frame"),
        ((key, SecondReference(1), Reference(2, 3)), "slot 3 holds no key frame"),
        ((key, SecondReference(1), KeyFrame(2, 1, 1, 64, data[:9])), "key frame"),
        ((key, SecondReference(1), KeyFrame(2, 1, 1, 32, data)), "32 pixels"),
    ):
        with pytest.raises(StreamError, match=message):
            list(Decoder(runtime, wire(*sent)).pictures(row))
    # One that takes effect where the next one takes over mixes nothing.
    sent = (key, SecondReference(2), KeyFrame(2, 1, 1, 64, data))
    plain = (key, KeyFrame(2, 1, 1, 64, data))
    both = [list(Decoder(runtime, wire(*s)).pictures(row)) for s in (sent, plain)]
    assert np.array_equal(*both)
