"""What the check of identity lets through and whom it stops, on real clips.

    python -m benchmarks.identity CLIPS...

The first half of each clip makes its sign, second halves are the rightful owner's looks, every
look of another person's clip an impostor's.  Which clips show one person is told by the same
network (signs nearer than `SAME_PERSON`): two people whom it takes for one are not counted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FacewireError
from enroll.capture import open_video
from enroll.identity import Describer, IdentitySettings, mean_sign
from enroll.mesh import MediaPipeMesh
from service.fallback.people import same_people

_EVERY = 1.0  # seconds between two looks
_FEWEST = 4  # looks of a clip that counts


def looks_of(path: Path, describer: Describer) -> list[NDArray[np.float32]]:
    video, mesh = open_video(path), MediaPipeMesh()
    found, due = [], 0.0
    try:
        for frame in video:
            if frame.time / 1e6 >= due:
                due += _EVERY
                face = mesh.find(frame.image)
                if face is not None:
                    found.append(describer.describe(frame.image, face.points))
    finally:
        mesh.close()
        video.close()
    return found


def averaged(cosines: NDArray[np.float64], memory: int) -> NDArray[np.float64]:
    """Means of `memory` looks in a row."""
    if len(cosines) < memory:
        return cosines[:0]
    return np.convolve(cosines, np.full(memory, 1 / memory), "valid")


def main(paths: list[Path]) -> None:
    describer, looks = Describer(), {}
    for path in paths:
        try:
            found = looks_of(path, describer)
        except FacewireError as error:
            print(f"{path.name}: {error.message}", file=sys.stderr)
            continue
        if len(found) >= _FEWEST:
            looks[path.stem] = np.stack(found)
    signs = {name: mean_sign(list(seen[: len(seen) // 2])) for name, seen in looks.items()}
    person = same_people(signs)
    settings = IdentitySettings()
    print(f"{len(looks)} clips of {len(set(person.values()))} people")
    for memory in (1, settings.memory):
        own, strange = [], []
        for name, sign in signs.items():
            for other, seen in looks.items():
                if other == name:
                    own.append(averaged(seen[len(seen) // 2 :] @ sign, memory))
                elif person[other] != person[name]:
                    strange.append(averaged(seen @ sign, memory))
        report(np.concatenate(own), np.concatenate(strange), memory, settings.threshold)


def report(
    own: NDArray[np.float64], strange: NDArray[np.float64], memory: int, threshold: float
) -> None:
    print(f"\nmean of {memory} look(s): {len(own)} of owners, {len(strange)} of others")
    print(f"owners {own.min():.3f} and more, median {np.median(own):.3f}; others up to "
          f"{strange.max():.3f}, median {np.median(strange):.3f}")  # fmt: skip
    grid = np.linspace(-1, 1, 2001)
    stopped = np.array([(own < t).mean() for t in grid])
    passed = np.array([(strange >= t).mean() for t in grid])
    equal = int(np.argmin(np.abs(stopped - passed)))
    print(f"equal error {100 * (stopped[equal] + passed[equal]) / 2:.2f} % at {grid[equal]:.3f}")
    for t in sorted({0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, threshold}):
        print(f"threshold {t:.2f}: {100 * (own < t).mean():.2f} % of owners' looks stopped, "
              f"{100 * (strange >= t).mean():.3f} % of others' let through")  # fmt: skip


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
