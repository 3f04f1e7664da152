from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from vectors import make_call

from avatar.avatar import StateStatistics
from avatar.errors import InputError, MismatchError, StateError, StreamError
from avatar.face import FaceStates, StateLayout
from bench.made_states import FULL, SMALL, header, person, talking
from codec.call_codec import HELD, CallCodec, CallState, HeldStates, Mark
from codec.call_packet import CALL_KINDS, CallPacket
from codec.call_recording import encode_call, recorded_states
from codec.coarse import SPREAD, mark_due
from codec.container import read_stream
from codec.face_codec import PacketSettings, encode_states
from codec.header import PROFILE_CALL, StreamHeader

STATISTICS = person(SMALL, history=12)


def call_header(layout: StateLayout = SMALL, **changes: object) -> StreamHeader:
    return header(layout, profile=PROFILE_CALL, **changes)


def symbols_of(states: FaceStates, statistics: StateStatistics = STATISTICS) -> np.ndarray:
    return CallCodec(statistics, call_header(states.layout)).quantizers[0].symbols(states.values)


@pytest.mark.parametrize(
    "packet",
    [
        CallPacket(1, 0, 0, b"", False, 0, -5),
        CallPacket(5, 255, 0, b"abc", True, 1 << 32, 1 << 53),
        CallPacket(2, 7, 255, b"\0\0", True),
        CallPacket(3, 200, 1, b"x"),
    ],
)
def test_parse_and_bytes_are_inverses(packet: CallPacket) -> None:
    assert packet.kind in CALL_KINDS
    assert CallPacket.parse(packet.kind, bytes(packet)) == packet
    for length in range(len(bytes(packet)) - len(packet.payload)):
        with pytest.raises(StreamError) as caught:
            CallPacket.parse(packet.kind, bytes(packet)[:length], base=9)
        assert caught.value.field and 9 <= caught.value.offset <= 9 + length


def test_a_steady_packet_has_three_bytes_of_header() -> None:
    packets = encode_call(talking(12, SMALL), STATISTICS, call_header())
    assert all(1 + len(bytes(p)) - len(p.payload) == 3 for p in packets[3:])


@pytest.mark.parametrize(("newest", "low", "number"), [
    (0, 0, 0), (0, 255, 255), (100, 3, 3), (300, 43, 299), (300, 44, 300), (300, 171, 427),
    (300, 172, 172), (511, 0, 512), (512, 255, 511), (1000, (1000 - 128) % 256, 1000 - 128),
])  # fmt: skip
def test_a_low_byte_means_the_nearest_number(newest: int, low: int, number: int) -> None:
    assert CallPacket(1, low, 1, b"").number(newest) == number


def test_wrong_packets_are_refused() -> None:
    with pytest.raises(InputError, match="6 frames"):
        CallPacket(6, 0, 0, b"")
    with pytest.raises(StreamError, match="kind 38"):
        CallPacket.parse(38, b"\0\1")
    with pytest.raises(MismatchError, match="46"):
        CallCodec(person(FULL), call_header(SMALL))
    with pytest.raises(MismatchError, match="file"):
        CallCodec(STATISTICS, header(SMALL))
    codec, row = CallCodec(STATISTICS, call_header()), np.zeros(SMALL.width, np.int64)
    _, state = codec.encode(3, [(0, row)])
    with pytest.raises(StateError, match="time 0"):
        codec.encode(4, [(0, row)], state)
    for number in (3, 259, 1000):
        with pytest.raises(InputError, match="lean"):
            codec.encode(number, [(40_000, row)], state)
    with pytest.raises(InputError, match="0 frames"):
        codec.encode(4, [], state)


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("marks", [0, 3])
def test_states_come_back(frames: int, marks: int) -> None:
    states = talking(30, SMALL)
    visible = np.ones(30, bool)
    visible[[0, 11, 12, 13, 20]] = False
    packets = encode_call(
        replace(states, visible=visible), STATISTICS, call_header(), 3, frames, marks
    )
    assert len(packets) == 30 // frames
    out = recorded_states(packets, STATISTICS, call_header())
    np.testing.assert_array_equal(out.time, states.time)
    np.testing.assert_array_equal(out.visible, visible)
    error = np.abs(out.values - states.values)[visible]
    assert error.max() <= 0.5 * 0.25 * 1.001


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_not_acknowledged_can_be_lost_and_mixed_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    states = talking(50, SMALL, seed)
    lost = frozenset(np.flatnonzero(rng.random(50) < 0.3).tolist()) - {0}
    packets = encode_call(states, STATISTICS, call_header(), 4, lost=lost)
    order = sorted(range(len(packets)), key=lambda i: packets[i].low + rng.uniform(0, 2.5))
    out = recorded_states([packets[i] for i in order], STATISTICS, call_header())
    kept = [i for i in range(50) if i not in lost]
    np.testing.assert_array_equal(out.time, states.time[kept])
    quantised = CallCodec(STATISTICS, call_header()).quantizers[0].values(symbols_of(states))
    np.testing.assert_array_equal(out.values, quantised[kept])


def test_a_packet_that_leans_on_a_lost_one_is_told() -> None:
    packets = encode_call(talking(9, SMALL), STATISTICS, call_header())
    with pytest.raises(StreamError, match="leans on packet 3, not None") as caught:
        recorded_states(packets[:3] + packets[4:], STATISTICS, call_header())
    assert caught.value.field == "distance"
    with pytest.raises(StreamError, match="same time"):
        recorded_states([packets[0], packets[0]], STATISTICS, call_header())


def test_what_a_receiver_holds_is_bounded_and_the_named_state_stays() -> None:
    codec, held = CallCodec(STATISTICS, call_header()), HeldStates()
    assert not held
    rows = symbols_of(talking(45, SMALL))
    reference: CallState | None = None
    for number in range(45):
        packet, state = codec.encode(number, [(number * 40_000, rows[number])], reference)
        held.decode(codec, packet, number)
        reference = state if number in (0, 5) else reference
    assert sum(n in held for n in range(45)) == HELD
    assert 5 in held and 44 in held and held.top == 44 and 13 not in held


def test_marks_are_coarse_copies_of_the_past() -> None:
    codec, rows = CallCodec(STATISTICS, call_header()), symbols_of(talking(20, SMALL))
    packet, state = codec.encode(0, [(0, rows[0])])
    given = Mark(14, rows[1])
    packet, _ = codec.encode(15, [(600_000, rows[15])], state, given)
    content, _ = codec.decode(packet, 15, state)
    assert content.mark is not None and content.mark.back == 14
    assert content.mark.time == 600_000 - 14 * 40_000
    assert np.abs(content.mark.symbols - rows[1]).max() <= 4
    far = Mark(63, np.where(np.arange(SMALL.width) % 2, 32767, -32767))
    packet, _ = codec.encode(70, [(3_000_000, rows[15])], state, far)
    content, _ = codec.decode(packet, 70, state)
    assert content.mark is not None and np.abs(content.mark.symbols - far.symbols).max() <= 4


@pytest.mark.parametrize("period", [1, 2, 5])
def test_any_five_packets_cover_the_last_second(period: int) -> None:
    for newest in range(60, 120):
        five = range(newest - SPREAD + 1, newest + 1)
        covered = set(five) | {mark_due(n, period) for n in five}
        last = newest // period
        assert covered >= {k * period for k in range(last - SPREAD + 1, last + 1)}
    assert mark_due(0, period) == -1


def test_leaps_learn_apart() -> None:
    """A call that pays for its distance all the same: what it costs is benchmarks/call_loss.py's
    to say on real tracks; here the bounds that made-up noise allows."""
    states, statistics = talking(50), person(history=40)
    head = call_header(FULL)
    near = encode_call(states, statistics, head, 1)
    far = encode_call(states, statistics, head, 3)
    file = encode_states(states, statistics, header(), PacketSettings(1))
    size = [sum(len(p.payload) for p in packets[3:]) for packets in (file, near, far)]
    assert size[1] < 1.05 * size[0]  # 1.01 on these numbers
    assert size[1] < size[2] < 1.8 * size[0]  # 1.65


@pytest.mark.parametrize("name", ["call", "marks"])
def test_a_recorded_call_is_a_stream(name: str) -> None:
    data, golden = make_call(name)
    stream = read_stream(data)
    summary = stream.summary()
    assert summary["profile"] == "call" and summary["frames"] == len(golden["times"])  # type: ignore[arg-type]
    assert summary["keys"] == {"call": 3, "marks": 5}[name]
    cut = read_stream(data[: len(data) * 2 // 3], recover=True)
    assert 0 < cut.frames < stream.frames


def test_what_is_ready_is_made_once_and_codes_the_same() -> None:
    """For one avatar and header; another avatar of the same header is another."""
    states, wanted = talking(8, SMALL), call_header()
    ready = CallCodec.ready(STATISTICS, wanted)
    assert CallCodec.ready(replace(STATISTICS), wanted) is ready
    other = replace(STATISTICS, mean=STATISTICS.mean + 1)
    assert CallCodec.ready(other, wanted) is not ready
    symbols = symbols_of(states)
    for codec in (ready, CallCodec(STATISTICS, wanted)):
        first, held = codec.encode(0, [(0, symbols[0])])
        second, _ = codec.encode(1, [(40_000, symbols[1])], held)
        if codec is ready:
            sent = bytes(first), bytes(second)
    assert (bytes(first), bytes(second)) == sent
