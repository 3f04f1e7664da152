from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import plain_decoder
import pytest
from vectors import FOLDER, VECTORS, make

from avatar.avatar import StateStatistics
from codec.container import read_stream

NAMES = sorted(VECTORS)


def expected(name: str) -> dict[str, Any]:
    value = json.loads((FOLDER / f"{name}.json").read_text())
    for field in ("mean", "scale", "step"):
        value[field] = [float.fromhex(x) for x in value[field]]
    if "basis" in value:
        value["basis"] = [[float.fromhex(x) for x in row] for row in value["basis"]]
    return value


def statistics(golden: dict[str, Any]) -> StateStatistics:
    numbers = [np.array(golden[f], np.float32) for f in ("mean", "scale", "step")]
    history = np.array(golden["history"], np.int16).reshape(-1, len(numbers[0]))
    basis = np.array(golden["basis"], np.float32) if "basis" in golden else None
    return StateStatistics(*numbers, history, basis)


def test_every_vector_is_listed() -> None:
    assert sorted(p.stem for p in FOLDER.glob("*.fw")) == NAMES
    document = (Path(__file__).parents[2] / "docs" / "bitstream.md").read_text()
    assert all(f"| `{name}` |" in document for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_encoder_still_writes_these_bytes(name: str) -> None:
    data, golden = make(name)
    assert data == (FOLDER / f"{name}.fw").read_bytes()
    assert golden == json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_the_decoder_gives_what_is_expected(name: str) -> None:
    golden = expected(name)
    stream = read_stream(FOLDER / f"{name}.fw", statistics(golden))
    states = stream.states
    assert states.time.tolist() == golden["times"]
    assert states.visible.tolist() == golden["visible"]
    digest = hashlib.sha256(states.values.astype("<f4").tobytes()).hexdigest()
    assert digest == golden["values_sha256"]


@pytest.mark.parametrize("name", NAMES)
def test_the_second_decoder_agrees(name: str) -> None:
    golden = expected(name)
    data = (FOLDER / f"{name}.fw").read_bytes()
    plain = plain_decoder.decode(data, golden)
    for field in ("times", "visible", "symbols"):
        assert plain[field] == golden[field]
    values = np.array(plain["values"], "<f4")
    assert hashlib.sha256(values.tobytes()).hexdigest() == golden["values_sha256"]
    stream = read_stream(data, statistics(golden))
    assert plain["audio"] == list(stream.audio)
    assert plain["header"].opus == stream.header.audio
    assert json.loads(plain["header"].metadata) == stream.header.metadata
