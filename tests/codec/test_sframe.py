from __future__ import annotations

import builtins
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar.errors import InputError, MissingError, StreamError
from codec.bits import ByteReader
from codec.sframe import (
    REPLAY_WINDOW,
    SFrameHeader,
    SFrameKey,
    SFrameReceiver,
    SFrameSender,
)

pytest.importorskip("cryptography", reason="the extra `service` is not installed")

BASE = bytes(range(16))
TEXT = b"draft-ietf-sframe-enc"
METADATA = b"IETF SFrame WG"


@pytest.mark.parametrize(("key_id", "counter", "encoded"), [
    (0, 0, "00"), (0, 1, "01"), (0, 255, "08ff"), (0, 65536, "0a010000"), (1, 256, "190100"),
    (255, 0, "80ff"), (255, 255, "88ffff"), (256, 65535, "990100ffff"),
    (2**64 - 1, 2**64 - 1, "ff" * 17), (0, 2**64 - 1, "0f" + "ff" * 8),
])  # fmt: skip
def test_headers_of_appendix_c1(key_id: int, counter: int, encoded: str) -> None:
    header = SFrameHeader(key_id, counter)
    assert bytes(header).hex() == encoded
    assert SFrameHeader.parse(ByteReader(bytes.fromhex(encoded), "test")) == header


@pytest.mark.parametrize(("suite", "sealed"), [
    (1, "9901234567449408b6f490086165b9d6f62b24ae1a59a56486b4ae8ed036b88912e24f11"),
    (2, "99012345673f31438db4d09434e43afa0f8a2f00867a2be085046a9f5cb4f101d607"),
    (3, "990123456717fc8af28a5a695afcfc6c8df6358a17e26b2fcb3bae32e443"),
])  # fmt: skip
def test_whole_messages_of_appendix_c3(suite: int, sealed: str) -> None:
    key = SFrameKey(BASE, 0x123, suite)
    assert key.seal(0x4567, TEXT, METADATA).hex() == sealed
    reader = ByteReader(bytes.fromhex(sealed), "test")
    header = SFrameHeader.parse(reader)
    assert key.open(header, reader.take(reader.left, "body"), METADATA) == TEXT


def test_headers_that_are_not_the_shortest_or_cut() -> None:
    for encoded in ("0807", "090001", "80", "8f01", "", "0900ff"):
        with pytest.raises(StreamError) as caught:
            SFrameHeader.parse(ByteReader(bytes.fromhex(encoded), "test"))
        assert caught.value.field in ("config", "key id", "counter")


@pytest.mark.parametrize("suite", [1, 2, 3])
def test_every_changed_byte_and_every_prefix_is_refused(suite: int) -> None:
    sealed = SFrameSender(BASE, 9, suite).seal(TEXT)
    for i in range(len(sealed)):
        changed = bytearray(sealed)
        changed[i] ^= 1 << (i % 8)
        for wild in (bytes(changed), sealed[:i]):
            with pytest.raises(StreamError):
                SFrameReceiver({9: BASE, 8: BASE}, suite).open(wild)
    assert SFrameReceiver({9: BASE}, suite).open(sealed) == TEXT
    with pytest.raises(StreamError, match="tag"):
        SFrameReceiver({9: BASE}, suite).open(sealed, b"other metadata")


def test_a_live_packet_costs_six_bytes_or_seven() -> None:
    sender = SFrameSender(BASE, key_id=3)
    sizes = [len(sender.seal(b"12345678")) - 8 for _ in range(300)]
    assert sizes[0] == 5 and sizes[8] == 6 and sizes[-1] == 7


def test_what_came_before_is_refused_and_what_is_late_is_not() -> None:
    sender, receiver = SFrameSender(BASE), SFrameReceiver({0: BASE})
    sealed = [sender.seal(bytes([i])) for i in range(200)]
    for i in (0, 3, 1, 150, 149):
        assert receiver.open(sealed[i]) == bytes([i])
    for i in (0, 3, 150, 149, 150 - REPLAY_WINDOW):
        with pytest.raises(StreamError, match="came before"):
            receiver.open(sealed[i])
    assert receiver.open(sealed[150 - REPLAY_WINDOW + 1])
    # A forged counter moves no window.
    forged = bytes(SFrameHeader(0, 10**6)) + sealed[160][2:]
    with pytest.raises(StreamError, match="tag"):
        receiver.open(forged)
    assert receiver.open(sealed[160]) == bytes([160])


def test_keys_rotate() -> None:
    sender, receiver = SFrameSender(BASE, 1), SFrameReceiver({1: BASE})
    first = sender.seal(b"a")
    sender.rotate(bytes(16), 2)
    second = sender.seal(b"b")
    with pytest.raises(StreamError, match="key 2 is not known"):
        receiver.open(second)
    receiver.add(bytes(16), 2)
    assert (receiver.open(second), receiver.open(first)) == (b"b", b"a")
    receiver.drop(1)
    with pytest.raises(StreamError, match="not known"):
        receiver.open(first)
    for again in (lambda: sender.rotate(BASE, 1), lambda: receiver.add(BASE, 1)):
        with pytest.raises(InputError, match="used before"):
            again()


def test_what_cannot_be_a_key() -> None:
    with pytest.raises(InputError, match="suite 9"):
        SFrameKey(BASE, 0, 9)
    with pytest.raises(InputError, match="15 bytes"):
        SFrameKey(bytes(15), 0)
    with pytest.raises(InputError, match="counter"):
        SFrameHeader(0, 1 << 64)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *rest)

    key = SFrameKey(BASE, 0)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingError) as caught:
        key.seal(0, b"")
    assert "facewire[service]" in caught.value.cure


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(StreamError):
        SFrameReceiver({0: BASE}, 1).open(data)
