"""GFV and GFVE messages, and their way through HEVC, AVC and VVC streams."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar.errors import InputError, StreamError
from codec.gfv_syntax import (
    CHROMA_KEY,
    CHROMA_THRESHOLDS,
    ChromaKey,
    GfvLayout,
    Matrices,
    MatrixLayout,
    MatrixType,
    Network,
    PointLayout,
    Points,
)
from codec.gfv_values import GfvReader, GfvWriter
from codec.nal import (
    BitReader,
    BitWriter,
    escaped,
    read_sei,
    sei_messages,
    sei_unit,
    unescaped,
    units,
    with_sei,
)
from codec.sei import GFV, GFVE, Gfv, Gfve

POINTS = PointLayout(4, 3)
MATRIX = MatrixLayout(4, (MatrixType(7, 1, 2, 3),))


def bits(text: str) -> bytes:
    text = text.replace(" ", "")
    assert len(text) % 8 == 0
    return int(text, 2).to_bytes(len(text) // 8, "big")


def test_exp_golomb_and_ends() -> None:
    out = BitWriter()
    for value in (0, 1, 2, 3, 4):
        out.ue(value)
    # 1 010 011 00100 00101, then the payload's own end: 1 and zeros.
    assert out.payload() == bits("1 010 011 00100 00101 1000000")
    reader = BitReader(out.payload(), "test")
    assert [reader.ue("x") for _ in range(5)] == [0, 1, 2, 3, 4]
    reader.end()
    with pytest.raises(StreamError, match="too many"):
        BitReader(b"\x80\0", "test").end()
    with pytest.raises(StreamError, match="no end"):
        BitReader(bytes(20), "test").ue("x")
    with pytest.raises(InputError):
        out.ue(1 << 32)


def test_a_base_picture_bit_by_bit() -> None:
    message = Gfv(2, 0, True, points=Points(True, PointLayout(2, 1), ((3, -1),)))
    # id 2, cnt 0, base; no network, no chroma key; confident; keypoints there, predicted;
    # precision 2, one keypoint, no z; 3 and its sign, 1 and its sign; no matrix.
    expected = bits("011 1 1 0 0 0 1 1 010 1 0 00100 0 010 1 0 100000")
    assert bytes(message) == expected
    assert Gfv.parse(expected) == message


def test_a_driven_picture_bit_by_bit() -> None:
    matrices = Matrices(True, MatrixLayout(4, (MatrixType(7, 1, 1, 2),)), (0, -17))
    message = Gfv(0, 3, fusion=True, low_confidence=True, matrices=matrices)
    # id 0, cnt 3; fusion; not confident; no keypoints; matrix there, predicted; 0 and 0;
    # 1 and 1 sixteenth, minus.
    expected = bits("1 00100 1 1 0 1 1  1 1  010 010 1 1000")
    assert bytes(message) == expected
    assert Gfv.parse(expected, GfvLayout(None, matrices.layout)) == message
    with pytest.raises(StreamError, match="without those of a base picture"):
        Gfv.parse(expected)


def test_the_rate_floor_of_thirty_zeros() -> None:
    """30 residuals of 0 at 25 a second, without start codes: 2.8 to 3.2 kbps as a matrix, 2.2
    to 2.4 as fifteen points."""
    layout = GfvLayout(PointLayout(8, 15), MatrixLayout(8, (MatrixType(7, 1, 1, 30),)))

    def rate(points: bool) -> float:
        writer = GfvWriter(0, layout)
        values: tuple = ([[0.5, -0.5]] * 15, None) if points else (None, [0.25] * 30)
        writer.base(*values)
        for _ in range(9):
            message = writer.drive(*values)
        return len(sei_unit("hevc", [(GFV, bytes(message))])) * 8 * 25 / 1000

    assert 2.8 <= rate(False) <= 3.2
    assert 2.2 <= rate(True) <= 2.4


def test_values_come_back_to_within_half_a_step() -> None:
    layout = GfvLayout(PointLayout(6, 4, 8), MatrixLayout(5, (MatrixType(2, 1, 2, 2),)))
    writer, reader = GfvWriter(1, layout), GfvReader()
    for step in range(6):
        points = [[0.1 * i - 0.07 * step, -0.3 + 0.013 * step, -0.5 * i] for i in range(4)]
        elements = [-1.01 + 0.3 * step, 0.0, 2.5 - step, -0.015625]
        message = writer.drive(points, elements) if step else writer.base(points, elements)
        assert message.count == max(0, step - 1)
        back = reader.parse(bytes(message))
        assert back == message
        rows, numbers = reader.take(back)
        assert rows is not None and numbers is not None
        for got, wanted in zip(rows, points):
            assert [g / 64 for g in got] == pytest.approx(wanted, abs=1 / 128 + 1e-12)
        assert [n / 32 for n in numbers] == pytest.approx(elements, abs=1 / 64 + 1e-12)


def test_the_base_is_set_by_base_pictures_only() -> None:
    """HM's reader sets it on every message; its writer does not, and it is followed."""
    base = Gfv(0, 0, True, matrices=Matrices(False, MATRIX, (16,) * 6))
    drive = Gfv(0, 0, False, matrices=Matrices(True, MATRIX, (1,) * 6))
    reader = GfvReader()
    for message in (base, drive):
        reader.take(reader.parse(bytes(message)))
    # Another message of count 0: a difference to the base picture, not to the one before.
    assert reader.take(reader.parse(bytes(drive)))[1] == (17,) * 6
    follower = replace(drive, count=1)
    assert reader.take(reader.parse(bytes(follower)))[1] == (18,) * 6


def test_a_predicted_fraction_of_a_whole_one() -> None:
    """HM's writer may send delta_dec = 2**p: GFV's ue(v) carries it, and it is 1."""
    out = BitWriter()
    out.ue(0), out.ue(1), out.u(2, 0), out.flag(False)  # id, cnt, fusion, confidence; no points
    out.flag(True), out.flag(True)  # matrix, predicted
    for _ in range(6):
        out.ue(0), out.ue(16), out.flag(True)
    message = Gfv.parse(out.payload(), GfvLayout(None, MATRIX))
    assert message.matrices is not None and message.matrices.elements == (-16,) * 6
    assert Gfv.parse(bytes(message), GfvLayout(None, MATRIX)) == message


def test_a_chroma_key_and_its_defaults() -> None:
    key = ChromaKey((None, 7, None), (None, 300))
    message = Gfv(0, 0, True, chroma_key=key, points=Points(False, POINTS, ((0, 0),) * 3))
    back = Gfv.parse(bytes(message))
    assert back == message and back.chroma_key is not None
    assert back.chroma_key.effective == ((50, 7, 100), (48, 300))
    assert ChromaKey().effective == (CHROMA_KEY, CHROMA_THRESHOLDS)


@pytest.mark.parametrize(
    "network",
    [Network(0, payload=b"\0\1network\0"), Network(1, "tag", "https://example.org/\u00e9"), None],
)
def test_networks(network: Network | None) -> None:
    points = Points(True, POINTS, ((1, 2), (-3, 4), (0, 0)))
    message = Gfv(5, 0, True, network=network, points=points)
    assert Gfv.parse(bytes(message)) == message
    enhancement = Gfve(1, 5, 0, True, network=network)
    assert Gfve.parse(bytes(enhancement)) == enhancement


numbers = st.integers(-40_000, 40_000)


@st.composite
def messages(draw: st.DrawFn) -> tuple[Gfv, GfvLayout]:
    count = draw(st.integers(1, 6))
    depth = draw(st.sampled_from([0, 1, 65536]))
    points = PointLayout(draw(st.integers(1, 32)), count, depth)
    base, has_points = draw(st.booleans()), draw(st.booleans())
    types = []
    for index in draw(st.lists(st.integers(0, 63), min_size=1, max_size=4)):
        if index in (0, 1):
            if has_points:
                side = 2 + bool(depth)
                types.append(MatrixType(index, draw(st.integers(1, 12)), side, side))
        elif index in (4, 5, 6):
            side = 2 + (bool(depth) if has_points else draw(st.booleans()))
            types.append(MatrixType(index, 1, side, side if index == 4 else 1))
        else:
            many = draw(st.integers(1, 3)) if index >= 7 else 1
            height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
            types.append(MatrixType(index, many, height, width))
    layout = MatrixLayout(draw(st.integers(1, 32)), tuple(types))
    rows = tuple(tuple(draw(numbers) for _ in range(points.axes)) for _ in range(count))
    elements = tuple(draw(numbers) for _ in range(layout.elements))
    has_matrices = bool(types) and (not has_points or draw(st.booleans()))
    if not has_points and not has_matrices:
        has_points = True
    message = Gfv(
        draw(st.integers(0, 300)),
        0 if base else draw(st.integers(0, 300)),
        base,
        fusion=False if base else draw(st.booleans()),
        low_confidence=draw(st.booleans()),
        points=Points(draw(st.booleans()), points, rows) if has_points else None,
        matrices=Matrices(not base and draw(st.booleans()), layout, elements)
        if has_matrices
        else None,
    )
    return message, GfvLayout(points, layout)


@settings(max_examples=150, deadline=None)
@given(messages())
def test_parsing_is_the_inverse_of_writing(drawn: tuple[Gfv, GfvLayout]) -> None:
    message, base = drawn
    payload = bytes(message)
    assert Gfv.parse(payload, base) == message
    assert bytes(Gfv.parse(payload, base)) == payload


@settings(max_examples=100, deadline=None)
@given(
    st.booleans(),
    st.sampled_from([(None, None), ((3, -4), None), (None, (0, 0)), ((-31, 1), (7, 0))]),
    st.booleans(),
    st.lists(numbers, min_size=8, max_size=8),
)
def test_enhancements(base: bool, pupils: tuple, predicted: bool, values: list[int]) -> None:
    layout = MatrixLayout(6, (MatrixType(0, 1, 1, 2), MatrixType(0, 1, 3, 2)))
    matrices = Matrices(predicted and not base, layout, tuple(values))
    precision = 4 if any(pupils) else 0
    message = Gfve(
        0, 3, 0 if base else 9, base, matrices=matrices, pupils=pupils, pupil_precision=precision
    )
    assert Gfve.parse(bytes(message), layout, 4) == message


def test_a_pupil_needs_one_in_the_base() -> None:
    late = Gfve(0, 0, 1, pupils=((1, 1), None), pupil_precision=3)
    assert Gfve.parse(bytes(late), None, 3) == late
    with pytest.raises(StreamError, match="pupil"):
        Gfve.parse(bytes(late))
    with pytest.raises(InputError, match="bounds"):
        bytes(replace(late, pupils=((17, 0), None)))


def test_what_the_syntax_cannot_say_is_refused() -> None:
    points = Points(False, POINTS, ((0, 0),) * 3)
    for wrong in (
        Gfv(0, 0),
        Gfv(0, 1, True, points=points),
        Gfv(0, 0, True, fusion=True, points=points),
        Gfv(0, 1, network=Network(), points=points),
        Gfv(0, 0, True, points=replace(points, layout=replace(POINTS, precision=33))),
        Gfv(0, 0, True, points=replace(points, rows=((0, 0),))),
        Gfv(0, 0, True, matrices=Matrices(True, MATRIX, (0,) * 6)),
        Gfv(0, 0, True, matrices=Matrices(False, MATRIX, (0,) * 5)),
    ):
        with pytest.raises(InputError):
            bytes(wrong)


def test_sizes_that_lie_allocate_nothing() -> None:
    import tracemalloc

    out = BitWriter()
    out.ue(0), out.ue(0), out.u(3, 0b100), out.flag(False), out.flag(False)
    out.flag(True), out.ue(3), out.ue(0)  # a matrix, its precision, one type
    out.u(6, 9), out.ue(1023), out.ue(1023), out.ue(1023)  # 2**30 elements
    tracemalloc.start()
    with pytest.raises(StreamError, match="elements in"):
        Gfv.parse(out.payload())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_arbitrary_payloads_raise_only_what_is_declared(data: bytes) -> None:
    layout = GfvLayout(POINTS, MATRIX)
    for parse in (
        lambda: Gfv.parse(data, layout),
        lambda: Gfve.parse(data, MATRIX, 3),
        lambda: GfvReader().take(Gfv.parse(data, layout)),
        lambda: list(read_sei(data, "hevc")),
        lambda: list(read_sei(b"\0\0\1\x50\1" + data, "hevc")),
    ):
        try:
            parse()
        except StreamError:
            pass


@given(st.binary(max_size=40))
def test_emulation_prevention(data: bytes) -> None:
    data = data.replace(b"\x07", b"\0\0")
    assert unescaped(escaped(data)) == data
    assert not any(bytes([0, 0, n]) in escaped(data) for n in (0, 1, 2))


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 700])
def test_message_lengths(size: int) -> None:
    sent = [(GFV, bytes(size)), (GFVE, b"\1")]
    for name in ("avc", "hevc", "vvc"):
        assert sei_messages(sei_unit(name, sent), name) == sent


@pytest.mark.parametrize("name", ["hevc", "h264", "vvc"])
def test_the_base_picture_is_shown_by_any_decoder(name: str) -> None:
    pytest.importorskip("av")
    import numpy as np

    from codec.mttf.classic import CODECS
    from codec.mttf.keyframe import decode_key, encode_key

    if name == "vvc":
        pytest.importorskip("imageio_ffmpeg")
    syntax = {"h264": "avc"}.get(name, name)
    picture = np.add.outer(np.arange(64), np.arange(64))[..., None] * np.array([1, 2, 1]) % 256
    stream = encode_key(picture.astype(np.uint8), name, 30)
    message = Gfv(0, 0, True, points=Points(True, POINTS, ((1, 2), (-3, 4), (0, 0))))
    sent = [(GFV, bytes(message)), (GFVE, bytes(Gfve(0, 0, 0, True)))]
    carrying = with_sei(stream, syntax, {0: sent})
    assert [(p, k, d) for p, k, d in read_sei(carrying, syntax) if k in (GFV, GFVE)] == [
        (0, *each) for each in sent
    ]
    number = CODECS[name].number
    assert np.array_equal(decode_key(carrying, number, 64), decode_key(stream, number, 64))
    with pytest.raises(InputError, match="no picture 1"):
        with_sei(stream, syntax, {1: sent})


def test_messages_of_several_pictures_keep_their_places() -> None:
    first, other = bytes([1 << 1, 1, 0x80]), bytes([1 << 1, 1, 0x40])  # first, further slices
    stream = b"".join(b"\0\0\1" + unit for unit in (first, other, first, first, other))
    sent = {n: [(GFV, bytes([n + 1]))] for n in (0, 2)}
    carrying = with_sei(stream, "hevc", sent)
    kinds = [unit[0] >> 1 for unit in units(carrying)]
    assert kinds == [1, 1, 40, 1, 1, 1, 40]
    assert list(read_sei(carrying, "hevc")) == [(0, GFV, b"\1"), (2, GFV, b"\3")]
