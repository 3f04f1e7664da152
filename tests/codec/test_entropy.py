from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from avatar.errors import StreamError
from codec.entropy import ONE, SQUASH, STRETCH, TOP, BinaryDecoder, BinaryEncoder, CostMeter

DOCUMENT = Path(__file__).parents[2] / "docs" / "bitstream.md"


def test_the_tables_are_those_of_the_document() -> None:
    named = re.findall(r"`([0-9a-f]{64})`", DOCUMENT.read_text())
    squash = hashlib.sha256(np.array(SQUASH, "<u2").tobytes()).hexdigest()
    stretch = hashlib.sha256(np.array(STRETCH, "<i2").tobytes()).hexdigest()
    assert named == [squash, stretch]
    assert all(a + b == ONE for a, b in zip(SQUASH, SQUASH[::-1], strict=True))
    assert sorted(SQUASH) == SQUASH and sorted(STRETCH) == STRETCH


def decisions(seed: int) -> tuple[list[int], list[int]]:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 300))
    levels = rng.integers(-TOP, TOP + 1, count)
    chances = np.array([SQUASH[s + TOP] / ONE for s in levels])
    bits = rng.random(count) < chances
    if seed % 5 == 1:
        bits[:] = True  # towards the top of the interval: carries
    if seed % 5 == 2:
        levels[:], bits[:] = TOP, True
    if seed % 5 == 3:
        bits[:] = False
    return [int(s) for s in levels], [int(b) for b in bits]


@pytest.mark.parametrize("seed", range(60))
def test_what_goes_in_comes_out_of_the_shortest_bytes(seed: int) -> None:
    levels, bits = decisions(seed)
    encoder, meter = BinaryEncoder(), CostMeter()
    for level, bit in zip(levels, bits, strict=True):
        encoder.code(level, bit)
        meter.code(level, bit)
    data = encoder.finish()
    decoder = BinaryDecoder(data)
    assert [decoder.code(level) for level in levels] == bits
    assert len(data) * 8 < meter.bits + 10
    assert not data.endswith(b"\0")
    if data:
        shorter = BinaryDecoder(data[:-1])
        assert [code_or_none(shorter, level) for level in levels] != bits


def code_or_none(decoder: BinaryDecoder, level: int) -> int | None:
    try:
        return decoder.code(level)
    except StreamError:
        return None


def test_any_bytes_decode_or_are_refused() -> None:
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(300):
        decoder = BinaryDecoder(rng.bytes(int(rng.integers(0, 12))))
        for level in rng.integers(-TOP, TOP + 1, 60):
            try:
                assert decoder.code(int(level)) in (0, 1)
            except StreamError:
                refused += 1
                break
    damaged = BinaryDecoder(b"\xff" * 16)
    with pytest.raises(StreamError, match="no encoder"):
        for _ in range(400):
            damaged.code(0)
