from __future__ import annotations

import hashlib

import numpy as np
import pytest

import avatar.layered_tensors
from avatar.layered_tensors import layered, unlayered


def waves(*shape: int) -> np.ndarray:
    """Bytes of -127 to 127 from integers alone, the same on every machine."""
    at = np.indices(shape, np.int64)
    ramp = sum((7 + 4 * k) * axis for k, axis in enumerate(at))
    return (np.abs(ramp % 508 - 254) - 127).astype(np.int8)


def a_grid_and_rows() -> dict[str, np.ndarray]:
    return {
        "a.grid": waves(1, 45, 61, 5),
        "a.grid.unit": np.ones((1, 1, 1, 5), np.float32),
        "a.rows": waves(4, 3000),
        "a.rows.unit": np.ones((4, 1), np.float32),
        "a.small": waves(3, 4),
        "a.small.unit": np.ones((1, 4), np.float32),
    }


@pytest.mark.parametrize("first", [10**6, 9_000, 4_000, 0])
def test_two_layers_give_every_byte_back(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avatar.layered_tensors, "FIRST", first)
    tensors = a_grid_and_rows()
    coarse, rest = layered(tensors, {"a.rows": 3.0})
    whole = unlayered(coarse, rest)
    assert set(whole) == set(tensors) == set(unlayered(coarse, None))
    for name, value in tensors.items():
        np.testing.assert_array_equal(whole[name], value)


def test_the_bytes_are_the_same_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avatar.layered_tensors, "FIRST", 9_000)
    digest = hashlib.sha256(b"".join(layered(a_grid_and_rows(), {}))).hexdigest()
    assert digest == "60d4fe5db70150e9997669d28318aa8c66a6b6335841fd3145f1c16bca01085a"
