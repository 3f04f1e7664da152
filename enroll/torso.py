"""How the shoulders move in the window, by direct registration against a reference picture.

The grey 64x64 window picture is aligned with the reference over shift, roll and scale by the
inverse-compositional algorithm (Baker and Matthews, Lucas-Kanade 20 Years On, IJCV 2004), with
Tukey weights: a hand, the chin's shadow and the still background must not pull.  What a small
shift explains is no outlier: on a plain shirt the outline is all that tells anything, and there
a quarter of a pixel changes more than all noise does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 64
_MARGIN = 3  # pixels
Array = NDArray[Any]


@dataclass(frozen=True)
class TorsoSettings:
    steps: int = 8
    least_pixels: int = 120  # of reference torso below which no motion is measured
    tukey: float = 4.0  # in robust deviations
    reach: float = 1.0  # pixels of 64 that a point may be off by: part of its deviation
    stop: float = 0.002  # pixels of 64
    prior: float = 0.02  # pulls to no motion what the picture does not tell, of the mean curvature
    # Correlation with the reference below which that shows other clothes.  Seen: 0.96 and more in
    # the enrolled ones, another day too, 0.82 with a hand before them, 0.4 in others.
    agreement: float = 0.7
    least_watched: int = 5  # frames of a live call until that is said,
    watched: int = 15  # after which it takes more of them: a hand is not a jacket,
    rewatched: int = 100  # so many,
    every: int = 4  # frames to a look at whether the enrolled ones are worn again


def torso_reference(grey: Array, mask: Array, chin: float) -> Array:
    """[64, 64] uint8: the grey picture where the person is below the chin, 0 elsewhere.

    grey, mask: [64, 64] uint8.  chin: v in the window.  With a margin: on a plain shirt the
    outline of the shoulders is all that registers, and its slope needs what lies behind it.
    """
    torso = np.zeros((SIZE, SIZE), bool)
    first = int(np.clip(np.ceil((chin + 0.03) * SIZE), 0, SIZE))
    torso[first:] = mask[first:] > 100
    for _ in range(_MARGIN):
        torso = _grown(torso)
    torso[:first] = False
    return np.where(torso, np.maximum(grey, 1), 0).astype(np.uint8)


def middle_of(reference: Array) -> Array:
    """[2] window: a reference torso's middle; where it shows none, where one mostly is."""
    rows, columns = np.nonzero(reference)
    if not len(rows):
        return np.array([0.5, 0.85])
    return (np.array([columns.mean(), rows.mean()]) + 0.5) / len(reference)


def _grown(mask: Array) -> Array:
    """By a pixel on every side."""
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    return wide


class TorsoRegistration:
    """Aligns pictures with one reference (`torso_reference`).

    middle: (x, y) in pixels of 64, about which roll and scale are measured.  agreement: Pearson's
    correlation of the last picture with the reference where they were laid on each other; 1 where
    there is nothing to compare.
    """

    def __init__(self, reference: Array, settings: TorsoSettings = TorsoSettings()) -> None:
        self._settings = settings
        valid = reference > 0
        # Gradients need both neighbours within the torso.
        inner = valid.copy()
        inner[:, 1:] &= valid[:, :-1]
        inner[:, :-1] &= valid[:, 1:]
        inner[1:] &= valid[:-1]
        inner[:-1] &= valid[1:]
        inner[0], inner[-1], inner[:, 0], inner[:, -1] = False, False, False, False
        rows, columns = np.nonzero(inner)
        self.usable = len(rows) >= settings.least_pixels
        picture = reference.astype(np.float64)
        self._template = picture[rows, columns]
        gx = 0.5 * (picture[rows, columns + 1] - picture[rows, columns - 1]) if len(rows) else rows
        gy = 0.5 * (picture[rows + 1, columns] - picture[rows - 1, columns]) if len(rows) else rows
        self._slope = np.hypot(gx, gy)
        self._x, self._y = columns.astype(np.float64), rows.astype(np.float64)
        self.middle = (
            (float(self._x.mean()), float(self._y.mean())) if len(rows) else (SIZE / 2, SIZE / 2)
        )
        x, y = self._x - self.middle[0], self._y - self.middle[1]
        # Columns: shift right, shift down, roll (u towards v), log scale; plus brightness.
        self._steepest = np.stack([gx, gy, -gx * y + gy * x, gx * x + gy * y], axis=1)
        self._state = np.zeros(4)
        self.agreement = 1.0

    def reset(self) -> None:
        self._state = np.zeros(4)

    def step(self, grey: Array) -> Array:
        """[64, 64] uint8 -> [4]: shift right and down (window sides), roll (rad), log scale, of
        the torso about its own middle.  Zero where the reference shows no torso."""
        if not self.usable:
            return np.zeros(4)
        picture = grey.astype(np.float64)
        state = self._state.copy()
        settings = self._settings
        weight = np.ones(len(self._template))
        for _ in range(settings.steps):
            seen, inside = self._sample(picture, state)
            gain, offset = _brightness(seen, self._template, weight * inside)
            away = gain * seen + offset - self._template
            spread = 1.4826 * np.median(np.abs(away[inside])) + 1.0 if inside.any() else 1.0
            usual = spread + settings.reach * self._slope
            weight = np.where(inside, _tukey(away / (settings.tukey * usual)), 0.0)
            weighted = self._steepest * weight[:, None]
            hessian = weighted.T @ self._steepest
            hessian[np.diag_indices(4)] += settings.prior * np.diag(hessian) + 1e-6
            update = np.linalg.solve(hessian, weighted.T @ away)
            state = _composed(state, update)
            if np.abs(update[:2]).max() < settings.stop and abs(update[2]) < 1e-4:
                break
        plausible = (
            np.abs(state[:2]).max() < SIZE / 3 and abs(state[2]) < 0.6 and abs(state[3]) < 0.4
        )
        self._state = state if plausible else np.zeros(4)
        seen, inside = self._sample(picture, self._state)
        self.agreement = _correlation(seen[inside], self._template[inside])
        return self._state / np.array([SIZE, SIZE, 1.0, 1.0])

    def _sample(self, picture: Array, state: Array) -> tuple[Array, Array]:
        x, y = self._x - self.middle[0], self._y - self.middle[1]
        c, s = np.exp(state[3]) * np.cos(state[2]), np.exp(state[3]) * np.sin(state[2])
        u = c * x - s * y + state[0] + self.middle[0]
        v = s * x + c * y + state[1] + self.middle[1]
        inside = (u >= 0) & (u <= SIZE - 1) & (v >= 0) & (v <= SIZE - 1)
        u, v = np.clip(u, 0, SIZE - 1.001), np.clip(v, 0, SIZE - 1.001)
        i, j = v.astype(np.intp), u.astype(np.intp)
        fv, fu = v - i, u - j
        top = picture[i, j] * (1 - fu) + picture[i, j + 1] * fu
        bottom = picture[i + 1, j] * (1 - fu) + picture[i + 1, j + 1] * fu
        return top * (1 - fv) + bottom * fv, inside


def _tukey(t: Array) -> Array:
    return np.where(np.abs(t) < 1, (1 - t * t) ** 2, 0.0)


def _brightness(seen: Array, template: Array, weight: Array) -> tuple[float, float]:
    """Gain near 1 and offset that match exposure, over what did not turn out to be an outlier."""
    total = weight.sum()
    if total <= 0:
        return 1.0, 0.0
    weight = weight / total
    means = weight @ seen, weight @ template
    spreads = (np.sqrt(weight @ (x - m) ** 2) for x, m in zip((seen, template), means))
    theirs, ours = (float(s) for s in spreads)
    gain = float(np.clip(ours / max(theirs, 1e-3), 0.8, 1.25))
    return gain, float(means[1] - gain * means[0])


def _correlation(a: Array, b: Array) -> float:
    """0 where one of them is flat: a flat picture shows no shoulders."""
    if len(a) < 2 or min(a.std(), b.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _composed(state: Array, update: Array) -> Array:
    """Warp by `state` after the inverse of `update`."""
    turn, scale = state[2] - update[2], state[3] - update[3]
    c, s = np.exp(scale) * np.cos(turn), np.exp(scale) * np.sin(turn)
    return np.array(
        [
            state[0] - (c * update[0] - s * update[1]),
            state[1] - (s * update[0] + c * update[1]),
            turn,
            scale,
        ]
    )
