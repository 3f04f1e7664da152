"""Clips of a made-up person for the lab: a run needs no tracker when its footage is ready."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from avatar.face import Window
from bench.codec import Material
from bench.footage import Footage

Ready = Callable[..., Footage]


def pictures(frames: int, size: int = 32, seed: int = 0) -> np.ndarray:
    """A bright disc that crosses a noisy ramp, [F, S, S, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    ground = np.stack([x * 4, y * 4, 90 + 0 * x], axis=2) + rng.integers(0, 20, (size, size, 3))
    shown = []
    for f in range(frames):
        disc = (x - 6 - 0.3 * f) ** 2 + (y - size / 2) ** 2 < size
        shown.append(np.where(disc[..., None], [230, 190, 170], ground))
    return np.stack(shown).astype(np.uint8)


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ready:
    """ready(folder, name, frames=250, faces=True): footage as `prepare` leaves it."""

    def make(folder: Path, name: str, frames: int = 250, faces: bool = True) -> Footage:
        folder.mkdir(parents=True, exist_ok=True)
        shown = pictures(frames, seed=len(name))
        np.save(folder / "32.npy", shown)
        if faces:
            box = np.tile([0.2, 0.2, 0.8, 0.8], (frames, 1))
            np.savez(folder / "boxes.npz", face=box, mouth=box, eyes=box)
        times = np.arange(frames, dtype=np.int64) * 40_000
        material = Material(tmp_path / f"{name}.mkv", Window(0, 0, 32, 32, 32), times)
        return Footage(name, folder, 25.0, material, f"digest of {name}", "", ("it is noisy",))

    return make
