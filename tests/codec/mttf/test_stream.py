"""Key frames, chunks, and a fallback stream from pictures to bytes and back."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar.errors import FormatError, InputError, MismatchError, MissingError, StreamError
from avatar.face import FaceStates
from codec.container import read_stream
from codec.face_codec import encode_states
from codec.mttf.classic import CODECS
from codec.mttf.keyframe import decode_key, encode_key
from codec.mttf.packet import KeyFrame, Layer, Reference, SecondReference, parse
from codec.mttf.vectors import STEP, layout_of, statistics_of
from codec.stream_writer import StreamWriter
from tests.codec.mttf.untrained import untrained

torch = pytest.importorskip("torch")
av = pytest.importorskip("av")


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("name", CODECS)
def test_key_frames(name: str, make_scene) -> None:
    if name == "vvc":
        pytest.importorskip("imageio_ffmpeg")
    picture = make_scene(0.1, 128)
    fine, coarse = (encode_key(picture, name, qp) for qp in (25, CODECS[name].worst))
    assert len(coarse) < len(fine) < picture.nbytes // 20
    shown = decode_key(fine, CODECS[name].number, 128)
    assert shown.shape == picture.shape and psnr(shown, picture) > 33
    # BT.709 both ways: no cast over the picture.
    assert np.abs(shown.mean((0, 1)) - picture.mean((0, 1))).max() < 2
    with pytest.raises(StreamError, match="64x64 was announced"):
        decode_key(fine, CODECS[name].number, 64)
    with pytest.raises(StreamError):
        decode_key(fine[: len(fine) // 2][:20], CODECS[name].number, 128)


def test_what_is_no_key_frame(make_scene) -> None:
    picture = make_scene(0.0)
    for call, message in (
        (lambda: encode_key(picture, "mpeg2", 30), "hevc"),
        (lambda: encode_key(picture, "hevc", 52), "QP 52"),
        (lambda: encode_key(picture[:63], "hevc", 30), "even"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    with pytest.raises(StreamError, match="unknown codec 9"):
        decode_key(b"", 9, 64)


@given(
    st.integers(0, 1 << 32),
    st.integers(0, 3),
    st.integers(1, 4),
    st.binary(max_size=30),
    st.lists(st.integers(-(1 << 15), 1 << 15), max_size=48),
)
def test_chunks_are_inverses(
    frame: int, slot: int, codec: int, data: bytes, face: list[int]
) -> None:
    for chunk in (
        KeyFrame(frame, slot, codec, 256, data),
        KeyFrame(frame, slot, codec, 256, data, recovery=5 * slot),
        KeyFrame(frame, slot, codec, 256, data, 15, bytes([slot, codec, 0, 255])),
        KeyFrame(frame, slot, codec, 256, data, 15, b"1234", tuple(face)),
        KeyFrame(frame, slot, codec, 256, data, face=tuple(face)),
        Reference(frame, slot),
        SecondReference(frame),
        Layer(frame, 1 + slot, codec, codec, 128, 40, data),
    ):
        assert parse(chunk.kind, bytes(chunk)) == chunk
    # Recovery and face are bits that were zero: key frames without them are as they always were.
    assert bytes(KeyFrame(1, slot, codec, 4, data)) == bytes([1, slot, codec, 4]) + data


@settings(max_examples=200)
@given(st.sampled_from([16, 17, 20, 21]), st.binary(max_size=12))
def test_arbitrary_chunks_raise_only_what_is_declared(kind: int, body: bytes) -> None:
    try:
        chunk = parse(kind, body)
    except StreamError:
        return
    assert chunk is not None and bytes(chunk) == body


def test_unknown_chunks_are_skipped() -> None:
    assert parse(31, b"later") is None


def pictures_of(make_scene, count: int = 12) -> list[np.ndarray]:
    return [make_scene(0.02 * n) for n in range(count)]


def coded(tiny, make_scene, frames: list[np.ndarray], **changes):
    from codec.mttf.encoder import EncoderSettings
    from codec.mttf.recording import encode
    from codec.mttf.runtime import Runtime

    weights = untrained(tiny)
    runtime = Runtime(weights)
    choices = EncoderSettings(**{"side": 64, "kbps": 40.0, "qp": 30, **changes})
    times = [n * 40_000 for n in range(len(frames))]
    return weights, runtime, times, encode(frames, times, runtime, weights.statistics, choices)


def stream_of(weights, times, result, damage=None) -> bytes:
    from codec.mttf.encoder import stream_header

    head = stream_header(weights.digest, weights.settings.numbers, 256)
    file = BytesIO()
    writer = StreamWriter(file, head)
    for chunk in result.chunks:
        sent = damage(chunk) if damage else chunk
        writer.write_fallback(sent.kind, bytes(sent))
    states = FaceStates(
        np.array(times, np.int64), result.vectors, np.ones(len(times), bool), head.layout
    )
    for packet in encode_states(states, weights.statistics, head):
        writer.write(packet)
    writer.close(times[-1])
    return file.getvalue()


def test_a_stream_there_and_back(tiny, make_scene) -> None:
    from codec.mttf.decoder import Decoder, check_digest

    frames = pictures_of(make_scene)
    weights, runtime, times, result = coded(tiny, make_scene, frames)
    data = stream_of(weights, times, result)
    stream = read_stream(data, weights.statistics)
    assert stream.summary()["codec"] == "mttf" and stream.frames == len(frames)
    check_digest(stream.header.digest, weights.digest)
    with pytest.raises(MismatchError):
        check_digest(stream.header.digest, "cd" * 32)
    states = stream.states
    assert states.time.tolist() == times
    assert np.abs(states.values - result.vectors).max() <= STEP / 2 + 1e-6
    decoder = Decoder(runtime, stream.fallback)
    shown = list(decoder.pictures(states.values))
    assert decoder.side == 64 and len(shown) == len(frames)
    # Untrained, it shows key frames: exactly where one was sent it is good.
    for chunk in result.chunks:
        if isinstance(chunk, KeyFrame):
            assert psnr(shown[chunk.frame], frames[chunk.frame]) > 24


def test_key_frames_follow_the_picture(tiny, make_scene) -> None:
    """A blob that leaves and comes back: new key frames, then an old one again."""
    there = [make_scene(0.0)] * 3 + [make_scene(0.3)] * 3 + [make_scene(0.0)] * 3
    *_, result = coded(tiny, make_scene, there)
    kinds = [(type(chunk).__name__, chunk.frame) for chunk in result.chunks]
    assert kinds == [("KeyFrame", 0), ("KeyFrame", 3), ("Reference", 6)]
    assert result.chunks[2].slot == result.chunks[0].slot
    *_, still = coded(tiny, make_scene, [make_scene(0.0)] * 6)
    assert len(still.chunks) == 1


def test_key_frames_keep_to_their_rate(tiny, make_scene) -> None:
    jumps = [make_scene(0.25 * (-1) ** n, seed=n) for n in range(40)]

    def keys(kbps: float) -> list[int]:
        *_, result = coded(tiny, make_scene, jumps, kbps=kbps)
        return [len(c.data) for c in result.chunks if isinstance(c, KeyFrame)]

    free, bound = keys(1000.0), keys(1.0)
    assert len(free) > 30 > len(bound) > 1
    # What the time so far allows, and one key frame ahead of it.
    assert sum(bound) <= 1.0 * 125 * 40 / 25 + 2 * max(bound)


def test_the_qp_is_found_by_the_rate(tiny, make_scene) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    sizes = []
    for kbps in (2.0, 6.0):
        *_, result = coded(tiny, make_scene, [noise], qp=None, kbps=kbps)
        sizes.append(len(result.chunks[0].data))
        assert sizes[-1] <= kbps * 1250 * 0.75
    assert sizes[0] < sizes[1]


def test_damaged_fallbacks(tiny, make_scene) -> None:
    from codec.mttf.decoder import Decoder

    frames = pictures_of(make_scene, 3)
    weights, runtime, times, result = coded(tiny, make_scene, frames, lookback=0)
    for damage, message in (
        (lambda c: KeyFrame(1, c.slot, c.codec, c.side, c.data), "begins without a key frame"),
        (lambda c: KeyFrame(0, c.slot, c.codec, 32, c.data), "32x32 was announced"),
        (lambda c: KeyFrame(0, c.slot, c.codec, 48, c.data), "48 pixels"),
        (lambda c: KeyFrame(0, c.slot, 7, c.side, c.data), "unknown codec 7"),
        (lambda c: Reference(0, 2), "begins without a key frame"),
    ):
        stream = read_stream(stream_of(weights, times, result, damage), weights.statistics)
        with pytest.raises(StreamError, match=message):
            list(Decoder(runtime, stream.fallback).pictures(stream.states.values))


def test_fallback_chunks_are_the_fallbacks_alone() -> None:
    from codec.header import StreamHeader

    writer = StreamWriter(BytesIO(), StreamHeader(bytes(16)))
    with pytest.raises(StreamError, match="kind 5"):
        writer.write_fallback(5, b"")
    file = BytesIO()
    writer = StreamWriter(file, StreamHeader(bytes(16)))
    writer.write_fallback(16, b"abc")
    writer.close(0)
    with pytest.raises(StreamError, match="unknown kind 16"):
        read_stream(file.getvalue())


def test_vectors_are_states_of_one_group() -> None:
    layout = layout_of(40)
    assert (layout.width, layout.code) == (40, 40)
    rows = np.random.default_rng(0).normal(size=(50, 40)) + 3
    statistics = statistics_of(rows, rows[:5])
    assert np.allclose(statistics.mean, rows.mean(0), atol=1e-5)
    assert statistics.history.shape == (5, 40)
    back = statistics.mean + statistics.history * (STEP / 4)
    assert np.abs(back - rows[:5]).max() <= STEP / 8 + 1e-5
    with pytest.raises(InputError):
        statistics_of(rows[:1])


def test_weights_on_disk(tmp_path, monkeypatch) -> None:
    from codec.mttf.runtime import Runtime
    from codec.mttf.settings import LITE
    from codec.mttf.weights import find_weights, load_weights, save_weights

    weights = untrained(LITE)
    path = tmp_path / "mttf-lite.safetensors"
    save_weights(path, LITE, weights.tensors, weights.statistics, {"steps": 3})
    assert path.stat().st_size < 12_000_000
    back = load_weights(path)
    assert (back.settings, back.card) == (LITE, {"steps": 3})
    assert set(back.tensors) == set(weights.tensors)
    for name, array in weights.tensors.items():
        assert np.allclose(back.tensors[name], array, atol=2e-3), name
    assert np.array_equal(back.statistics.mean, weights.statistics.mean)
    Runtime(back)
    monkeypatch.setenv("FACEWIRE_MODELS", str(tmp_path))
    assert find_weights("lite") == path
    with pytest.raises(MissingError, match="train-mttf"):
        find_weights("full")
    with pytest.raises(MissingError):
        load_weights(tmp_path / "none.safetensors")
    data = path.read_bytes()
    for wrong in (b"", b"no", data[: len(data) // 2], data[:8] + b"x" + data[9:]):
        path.write_bytes(wrong)
        with pytest.raises(FormatError):
            load_weights(path)
    save_weights(path, LITE, {"a": np.zeros(3)}, weights.statistics, {})
    with pytest.raises(FormatError, match="do not fit"):
        Runtime(load_weights(path))
