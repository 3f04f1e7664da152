from __future__ import annotations

import tracemalloc
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar.errors import (
    FacewireError,
    FormatError,
    InputError,
    MismatchError,
    StorageError,
    StreamError,
    VersionError,
)
from avatar.face import StateLayout, Window
from bench.made_states import DIGEST, SMALL, header, person, talking
from codec.container import read_stream
from codec.face_codec import PacketSettings, encode_states
from codec.header import StreamHeader
from codec.packet import (
    MAX_BODY,
    AudioPacket,
    BackgroundPacket,
    FacePacket,
    Index,
    KeyPoint,
)
from codec.stream_writer import StreamWriter, stream_bytes

OPUS = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0"


def a_stream(frames: int = 250, packet: int = 100, **changes: object) -> bytes:
    """About 0.9 kB for 250 frames of the small layout at quality 1."""
    states, statistics = talking(frames, SMALL), person(SMALL)
    head = header(SMALL, window=Window(1.0, 2.0, 300.0, 640, 480), **changes)
    packets = encode_states(states, statistics, head, PacketSettings(packet, 4.0))
    return stream_bytes(head, packets, int(states.time[-1] - states.time[0]))


@pytest.mark.parametrize(
    "head",
    [
        header(),
        header(SMALL, quality=65535, rate=(30000, 1001), rounding=2),
        header(window=Window(-3.5, 0.25, 700.0, 1280, 720), audio=OPUS),
        header(audio=b"", metadata={"title": "\u00e9", "n": [1, 2]}),
    ],
)
def test_parse_and_bytes_of_a_header_are_inverses(head: StreamHeader) -> None:
    data = bytes(head)
    parsed, size = StreamHeader.parse(data + b"more")
    assert (parsed, size) == (head, len(data))
    assert bytes(parsed) == data
    for length in range(len(data)):
        with pytest.raises(StreamError) as caught:
            StreamHeader.parse(data[:length])
        assert caught.value.field


def test_parse_and_bytes_of_packets_are_inverses() -> None:
    for packet in (FacePacket(True, 255, b"abc", -5), FacePacket(False, 1, b"")):
        assert FacePacket.parse(packet.kind, bytes(packet)) == packet
    audio = AudioPacket((-7, 20_000, 20_001), (b"", b"a" * 300, b"b"))
    assert AudioPacket.parse(bytes(audio)) == audio
    background = BackgroundPacket(2, 300, b"data")
    assert BackgroundPacket.parse(bytes(background)) == background
    for body in (b"", b"\x02", b"\x02\x00", b"\x02\xff\xff\x7f"):
        with pytest.raises(StreamError):
            BackgroundPacket.parse(body)
    index = Index(500, 10**7, (KeyPoint(0, -3, 60), KeyPoint(250, 10**7, 999)))
    assert Index.parse(bytes(index)) == index


def test_a_later_extension_of_the_header_is_skipped() -> None:
    import zlib

    data = bytes(header())
    body = data[6:-4] + b"later"
    longer = data[:5] + bytes([len(body)]) + body
    longer += zlib.crc32(longer).to_bytes(4, "little")
    assert StreamHeader.parse(longer)[0] == header()


def test_a_newer_stream_is_told_from_a_damaged_one() -> None:
    import zlib

    data = bytearray(bytes(header()))
    data[4] = 9
    with pytest.raises(StreamError, match="checksum"):
        StreamHeader.parse(bytes(data))
    newer = bytes(data[:-4]) + zlib.crc32(bytes(data[:-4])).to_bytes(4, "little")
    with pytest.raises(VersionError, match="format 9"):
        StreamHeader.parse(newer)


def test_ten_seconds_have_at_most_128_bytes_of_header_and_index() -> None:
    states, statistics = talking(250), person()
    head = header(window=Window(1.0, 2.0, 300.0, 640, 480), audio=OPUS)
    packets = encode_states(states, statistics, head)
    summary = read_stream(stream_bytes(head, packets, 249 * 40_000)).summary()
    assert 0 < summary["header_bytes"] <= 128
    assert summary["duration_s"] == pytest.approx(10.0)
    assert summary["fps"] == pytest.approx(25.0)


def test_the_summary_counts_every_byte() -> None:
    states, statistics = talking(50), person()
    head = header(audio=OPUS, metadata={"a": 1})
    packets = encode_states(states, statistics, head, PacketSettings(20))
    audio = [(i * 20_000, bytes([i]) * 40) for i in range(100)]
    data = stream_bytes(head, packets, 49 * 40_000, audio)
    stream = read_stream(data, statistics, DIGEST.hex() + "00" * 16)
    assert list(stream.audio) == audio
    np.testing.assert_array_equal(stream.states.time, states.time)
    summary = stream.summary()
    total = (summary["payload_kbps"] + summary["audio_kbps"]) * 125 * summary["duration_s"]
    assert total == pytest.approx(len(data))
    assert 4000 <= stream.audio_bytes < 4000 + 100 * 5 + 40
    assert summary["avatar"] == DIGEST.hex() and summary["codec"] == "avatar"
    assert summary["frames"] == 50 and summary["layout"]["code"] == 30


def test_a_stream_for_another_avatar_names_both() -> None:
    with pytest.raises(MismatchError) as caught:
        read_stream(a_stream(20), digest="ff" * 32)
    assert DIGEST.hex() in caught.value.message and "ff" * 16 in caught.value.message
    with pytest.raises(MismatchError, match="avatar"):
        _ = read_stream(a_stream(20)).states


def test_every_prefix_and_every_flipped_byte_of_a_2_kb_stream_is_refused() -> None:
    data = a_stream(280, quality=48)
    assert 1500 < len(data) < 3500
    for length in range(len(data)):
        with pytest.raises(StreamError) as caught:
            read_stream(data[:length])
        assert caught.value.field and 0 <= caught.value.offset <= length
    damaged = bytearray(data)
    for i in range(len(data)):
        for flip in (1 << (i % 8), 0xFF):
            damaged[i] ^= flip
            with pytest.raises(StreamError):
                read_stream(bytes(damaged))
            damaged[i] ^= flip
    with pytest.raises(StreamError, match="footer"):
        read_stream(data + b"\0")


def test_what_is_intact_is_recovered_and_nothing_else() -> None:
    data, statistics = a_stream(packet=20), person(SMALL)
    whole = read_stream(data, statistics).states
    start = len(bytes(read_stream(data).header))
    rng = np.random.default_rng(1)
    for length in rng.integers(start, len(data), 12):
        cut = read_stream(data[:length], statistics, recover=True)
        assert cut.damage
        np.testing.assert_array_equal(cut.states.values, whole.values[: cut.frames])
    rows = dict(zip(whole.time.tolist(), whole.values, strict=True))
    found = []
    for at in rng.integers(start, len(data), 12):
        damaged = bytearray(data)
        damaged[at] ^= 0x55
        stream = read_stream(bytes(damaged), statistics, recover=True)
        assert stream.damage
        states = stream.states
        for time, value in zip(states.time.tolist(), states.values, strict=True):
            np.testing.assert_array_equal(value, rows[time])
        found.append(len(states))
    assert max(found) > 150
    with pytest.raises(StreamError):
        read_stream(data[:20], recover=True)


def test_a_missing_packet_is_noticed_though_all_others_are_whole() -> None:
    states, statistics, head = talking(100, SMALL), person(SMALL), header(SMALL)
    packets = encode_states(states, statistics, head, PacketSettings(20))
    whole = stream_bytes(head, packets, 99 * 40_000)
    sizes = [len(bytes(p)) for p in packets]
    at = len(bytes(head)) + sizes[0] + 6 + (sizes[0] > 127)
    size = sizes[1] + 6 + (sizes[1] > 127)
    with pytest.raises(StreamError, match="checksum"):
        read_stream(whole[:at] + whole[at + size :])


def test_it_can_be_read_while_it_is_written() -> None:
    states, statistics, head = talking(60, SMALL), person(SMALL), header(SMALL)
    packets = encode_states(states, statistics, head, PacketSettings(20))
    file = BytesIO()
    writer = StreamWriter(file, head)
    for count, packet in enumerate(packets, 1):
        writer.write(packet)
        live = read_stream(file.getvalue(), statistics, recover=True)
        assert live.frames == 20 * count
        assert "still being written" in live.damage[0]
    writer.close(59 * 40_000)
    writer.close(59 * 40_000)
    assert read_stream(file.getvalue()).damage == ()


def test_unknown_chunks() -> None:
    import zlib

    head = header(SMALL)
    file = BytesIO()
    writer = StreamWriter(file, head)
    writer.close(0)
    start = len(bytes(head))
    for kind, refused in ((200, False), (77, True)):
        chunk = bytes([kind, 3]) + b"abc"
        chunk += zlib.crc32(chunk, head.crc).to_bytes(4, "little")
        data = file.getvalue()[:start] + chunk + file.getvalue()[start:]
        if refused:
            with pytest.raises(StreamError, match="unknown kind 77"):
                read_stream(data)
        else:
            assert read_stream(data).frames == 0


def test_lengths_that_lie_allocate_nothing() -> None:
    head = bytes(header(SMALL))
    tracemalloc.start()
    for tail in (b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x01\xff\xff\x03" + b"a" * 100):
        with pytest.raises(StreamError, match="length"):
            read_stream(head + tail)
    with pytest.raises(StreamError):
        StreamHeader.parse(head[:5] + b"\xff\xff\xff\xff\x7f" + head)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_under_right_checksums_raises_only_what_is_declared(data: st.DataObject) -> None:
    body = bytearray(bytes(FacePacket(True, 3, b"\x12\x34\x56\x78\x9a", 40)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    file = BytesIO()
    writer = StreamWriter(file, header(SMALL))
    writer._chunk(data.draw(st.sampled_from([1, 3, 4])), bytes(body), header(SMALL).crc)
    writer.close(0)
    try:
        stream = read_stream(file.getvalue(), person(SMALL), recover=data.draw(st.booleans()))
        if stream.frames <= 20:
            _ = stream.states
    except FacewireError as error:
        assert isinstance(error, FormatError)


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(InputError, match="digest"):
        StreamHeader(b"short")
    with pytest.raises(InputError, match="quality"):
        replace(header(), quality=0)
    with pytest.raises(InputError, match="255"):
        StreamHeader(DIGEST, StateLayout(code=300))
    with pytest.raises(InputError, match="JSON"):
        bytes(replace(header(), metadata={"x": float("nan")}))
    writer = StreamWriter(BytesIO(), header())
    with pytest.raises(StreamError, match="key"):
        writer.write(FacePacket(False, 1, b""))
    for n in range(2000):
        writer.write_audio(n, bytes(MAX_BODY // 3))
        if n > 5:
            break
    writer.close(0)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.fw"
    path.write_bytes(a_stream(20))
    assert read_stream(path).frames == 20
    with pytest.raises(StorageError):
        read_stream(tmp_path / "none.fw")

    class Full(BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space"):
        StreamWriter(Full(), header())
