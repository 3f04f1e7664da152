"""Sealed files: every part opens alone, nothing opens changed, cut or under another key."""

from __future__ import annotations

import io

import pytest

pytest.importorskip("cryptography")

from avatar.errors import ArchiveError
from service.store.sealed import CHUNK, HEADER, TAG, Resealed, SealedFile, sealed, sealed_size

KEY, OTHER, SALT = b"k" * 32, b"o" * 32, b"s" * 32
SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 77)


def plain(size: int) -> bytes:
    return bytes(i * 31 % 251 for i in range(256)) * (size // 256) + b"x" * (size % 256)


def file_of(data: bytes, key: bytes = KEY) -> bytes:
    pieces = [data[i : i + 50_000] for i in range(0, len(data), 50_000)]
    return b"".join(sealed(pieces, key, SALT))


@pytest.mark.parametrize("size", SIZES)
def test_round_trip_and_size(size):
    data = file_of(plain(size))
    assert len(data) == sealed_size(size)
    file = SealedFile(io.BytesIO(data), KEY)
    assert file.size == size
    assert b"".join(file.read(0, size)) == plain(size)
    assert size < 64 or plain(size)[:64] not in data


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 0), (5, 9), (CHUNK - 3, CHUNK + 3), (CHUNK, CHUNK)]
)
def test_any_part_opens_alone(start, stop):
    size = 2 * CHUNK + 77
    file = SealedFile(io.BytesIO(file_of(plain(size))), KEY)
    assert b"".join(file.read(start, stop)) == plain(size)[start:stop]


@pytest.mark.parametrize("size", SIZES)
def test_resealing_gives_the_same_bytes_in_any_parts(size):
    source = SealedFile(io.BytesIO(file_of(plain(size))), KEY)
    again = Resealed(source, OTHER, SALT)
    whole = b"".join(again.read(0, again.size))
    assert whole == file_of(plain(size), OTHER)
    for cut in {0, 7, HEADER, HEADER + 5, HEADER + CHUNK + TAG, again.size}:
        cut = min(cut, again.size)
        parts = [*again.read(0, cut), *again.read(cut, again.size)]
        assert b"".join(parts) == whole


def test_nothing_opens_changed_cut_or_under_another_key():
    size = CHUNK + 9
    good = file_of(plain(size))
    for at in (0, 9, 11, 20, HEADER, HEADER + CHUNK + TAG + 3, len(good) - 1):
        bad = bytearray(good)
        bad[at] ^= 1
        with pytest.raises(ArchiveError):
            b"".join(SealedFile(io.BytesIO(bytes(bad)), KEY).read(0, size))
    for cut in (0, 7, HEADER, HEADER + 5, HEADER + CHUNK + TAG, len(good) - 1):
        with pytest.raises(ArchiveError):
            file = SealedFile(io.BytesIO(good[:cut]), KEY)
            b"".join(file.read(0, file.size))
    for key in (OTHER, b"short"):
        with pytest.raises(ArchiveError):
            b"".join(SealedFile(io.BytesIO(good), key).read(0, 1))


def test_chunks_do_not_change_places():
    data = file_of(plain(3 * CHUNK))
    span = CHUNK + TAG
    swapped = (
        data[:HEADER] + data[HEADER + span : HEADER + 2 * span]
        + data[HEADER : HEADER + span] + data[HEADER + 2 * span :]
    )  # fmt: skip
    with pytest.raises(ArchiveError, match="chunk 0"):
        b"".join(SealedFile(io.BytesIO(swapped), KEY).read(0, 1))
