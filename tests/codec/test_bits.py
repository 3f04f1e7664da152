from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar.errors import StreamError
from codec.bits import ByteReader, unzigzag, varint, zigzag


@given(st.integers(0, 2**63 - 1))
def test_varints_come_back(value: int) -> None:
    reader = ByteReader(varint(value) + b"x", "test")
    assert reader.varint("value") == value
    assert reader.left == 1


@given(st.integers(-(2**62), 2**62))
def test_zigzag_comes_back(value: int) -> None:
    assert zigzag(value) >= 0
    assert unzigzag(zigzag(value)) == value


def test_a_value_without_a_varint() -> None:
    for value in (-1, 2**63):
        with pytest.raises(ValueError):
            varint(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x00", "shortest"),
        (b"\x80", "cut short"),
        (b"\xff" * 9, "does not end"),
        (b"\x65", "more than 100"),
    ],
)
def test_bad_varints_name_field_and_offset(data: bytes, message: str) -> None:
    with pytest.raises(StreamError, match=message) as caught:
        reader = ByteReader(data, "test", base=11)
        reader.varint("length", 100)
    assert caught.value.field == "length"
    assert caught.value.offset >= 11


def test_a_blob_is_not_read_past_the_end() -> None:
    with pytest.raises(StreamError, match="cut short"):
        ByteReader(varint(2**40) + b"abc", "test").blob("data", 2**62)
