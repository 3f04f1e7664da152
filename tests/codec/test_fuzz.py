"""Every parser against arbitrary bytes and damaged ones: only declared errors, bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar.errors import FormatError, StateError
from bench.made_states import DIGEST, person, talking
from bench.simulated_call import TINY
from codec.call_codec import CallCodec, CallState, Mark
from codec.call_packet import CALL_KINDS, CallPacket
from codec.call_recording import encode_call
from codec.container import read_stream
from codec.header import PROFILE_CALL, StreamHeader
from codec.packet import FACE_DELTA, FACE_KEY, AudioPacket, FacePacket, Index
from codec.session import FaceReceiver, FaceSender, ReceiverSettings, SenderSettings
from codec.session.datagram import Answer, Datagram, Feedback, Message, Offer

HEAD = StreamHeader(DIGEST, TINY, profile=PROFILE_CALL, coarser=(512, 1024))
STATISTICS = person(TINY, history=8)
CODEC = CallCodec(STATISTICS, HEAD)
PACKETS = encode_call(talking(6, TINY), STATISTICS, HEAD, 2, marks=1)
OFFER = Offer((1, 1), frozenset([16]), HEAD)

PARSERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "header": (lambda data: StreamHeader.parse(data)[0], bytes(HEAD)),
    "key": (lambda data: FacePacket.parse(FACE_KEY, data), bytes(FacePacket(True, 2, b"ab", 9))),
    "delta": (lambda data: FacePacket.parse(FACE_DELTA, data), b"\1abc"),
    "audio": (AudioPacket.parse, bytes(AudioPacket((5, 9), (b"a" * 9, b"")))),
    "index": (Index.parse, bytes(Index(3, 9, ()))),
    "offer": (Offer.parse, bytes(OFFER)),
    "answer": (Answer.parse, bytes(Answer(1, True, frozenset([17]), DIGEST))),
    "feedback": (Feedback.parse, bytes(Feedback(7, 3, loss=9))),
    "call": (lambda data: CallPacket.parse(40, data), bytes(PACKETS[0])),
    "datagram": (
        lambda data: Datagram.parse(data, False),
        Datagram((Message(39, b"abc"), Message(32, b"xyz"))).to_bytes(False),
    ),
}


def damaged(draw: Callable[..., int], whole: bytes) -> bytes:
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.integers(0, 2))
        if how == 0 and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif how == 1:
            del data[at:]
        else:
            data.insert(at, draw(st.integers(0, 255)))
    return bytes(data)


def wild_bytes(data: st.DataObject, whole: bytes) -> bytes:
    if data.draw(st.booleans()):
        return data.draw(st.binary(max_size=60))
    return damaged(data.draw, whole)


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_parsers_take_or_refuse_and_what_they_take_comes_back(
    name: str, data: st.DataObject
) -> None:
    parse, whole = PARSERS[name]
    wild = wild_bytes(data, whole)
    try:
        value = parse(wild)
    except FormatError:
        return
    again = value.to_bytes(False) if isinstance(value, Datagram) else bytes(value)  # type: ignore[call-overload]
    if name != "header" or len(again) == len(wild):  # an extension, or what follows, is skipped
        assert again == wild


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(CALL_KINDS)),
    st.integers(0, 255),
    st.integers(0, 3),
    st.binary(max_size=40),
)
def test_any_call_payload_decodes_or_is_refused(
    kind: int, low: int, distance: int, payload: bytes
) -> None:
    body = bytes([low, distance]) + (b"\0\0" if distance == 0 else b"") + payload
    packet = CallPacket.parse(kind, body)
    reference: CallState | None = None
    if distance:
        row = np.zeros(TINY.width, np.int64)
        _, reference = CODEC.encode(256 + low - distance, [(0, row)])
    number = 256 + low if distance else low
    try:
        content, _ = CODEC.decode(packet, number, reference)
        assert len(content.times) == packet.frames
        assert np.abs(content.symbols).max() <= 32767
    except FormatError:
        pass


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_sessions_survive_anything(data: st.DataObject) -> None:
    receiver = FaceReceiver(ReceiverSettings(check=False))
    receiver.hold(DIGEST.hex(), STATISTICS)
    receiver.receive(0, Datagram((Message(37, bytes(OFFER)),)).to_bytes(False))
    sender = FaceSender(STATISTICS, HEAD, SenderSettings(check=False))
    for data_out in receiver.poll(0):
        sender.receive(0, data_out)
    values = talking(1, TINY).values[0]
    for step in range(1, 8):
        now = step * 40_000
        (good,) = sender.send(now, now, values) or (b"\x27\0\0\0",)
        wild = wild_bytes(data, good)
        for end in (receiver, sender):
            try:
                end.receive(now, wild)
            except FormatError:
                pass
        receiver.receive(now, good)
        receiver.show(now)
        for reply in receiver.poll(now):
            sender.receive(now, reply)


def test_headers_that_lie_allocate_nothing() -> None:
    long = b"\xff" * 8 + b"\x7f"
    attacks = [bytes([32 | 128]) + long, bytes([39 | 128]) + b"\xff\xff\x7f" + bytes(50)]
    tracemalloc.start()
    for wild in attacks:
        with pytest.raises(FormatError):
            Datagram.parse(wild, False)
    for parse in (AudioPacket.parse, Index.parse, Offer.parse):
        with pytest.raises(FormatError):
            parse(b"\1\1" + long + long)
    with pytest.raises(FormatError):
        read_stream(bytes(HEAD) + b"\x20" + long)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38, -1e7])
def test_absurd_states_are_refused_by_name(bad: float) -> None:
    sender = FaceSender(STATISTICS, HEAD, SenderSettings(acknowledged=False, check=False))
    values = talking(1, TINY).values[0]
    absurd = values.copy()
    absurd[2] = bad
    with pytest.raises(StateError, match="number 2"):
        sender.send(0, 0, absurd)
    assert sender.send(0, 0, np.full(TINY.width, 1e-42, np.float32))
    assert sender.send(40_000, 40_000, values)


def test_times_far_apart_do_not_run_over() -> None:
    """A hostile stream of the greatest steps in time ends with an error, not an overflow."""
    row = np.zeros(TINY.width, np.int64)
    _, state = CODEC.encode(0, [(-(1 << 53), row)])
    packet, state = CODEC.encode(1, [(1 << 53, row)], state, Mark(1, row))
    wild = CallPacket(5, 2, 1, b"\xff" * 40)
    with pytest.raises(FormatError):
        CODEC.decode(wild, 2, state)
