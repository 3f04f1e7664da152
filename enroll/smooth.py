"""Tracked numbers without their jitter: a constant-velocity Kalman filter for each number, and
behind it, where the future is known, the Rauch-Tung-Striebel smoother, which has no lag.

The causal and the offline tracker share the filter, so that they differ by the backward pass
alone.  A number that moves faster than its model expects (a blink, a jerk of the head) raises its
own process noise for that step, instead of being smeared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_GATE = 6.0  # squared innovation in its variances above which a number is taken to move on purpose


@dataclass(frozen=True)
class Motion:
    """How C numbers move and how they are measured.

    noise: [C] standard deviation of one measurement.  drive: [C] standard deviation of the
    velocity's change over one second^0.5 (white acceleration), unit / s^1.5.
    """

    noise: Array
    drive: Array


@dataclass(frozen=True)
class _Step:
    mean: Array  # [C, 2] value and velocity, after the measurement
    cov: Array  # [C, 3] variances: value, value-velocity, velocity
    predicted: Array  # [C, 2]
    predicted_cov: Array  # [C, 3]
    elapsed: float


class KalmanFilter:
    """Causal.  `step` takes the time in seconds and [C] measurements, gives [C] filtered."""

    def __init__(self, motion: Motion) -> None:
        self._motion = motion
        self._last: _Step | None = None
        self._time = 0.0

    def step(self, time: float, measured: Array) -> Array:
        self._last = self._advance(time, np.asarray(measured, np.float64))
        self._time = time
        return np.asarray(self._last.mean[:, 0])

    def reset(self) -> None:
        """Forgets the past: after a cut, or when a lost face is found again."""
        self._last = None

    def _advance(self, time: float, measured: Array) -> _Step:
        r = self._motion.noise**2
        if self._last is None:
            mean = np.stack([measured, np.zeros_like(measured)], axis=1)
            # Velocity unknown: as large as a quarter second of the drive would make it.
            cov = np.stack([r, np.zeros_like(r), 0.25 * self._motion.drive**2], axis=1)
            return _Step(mean, cov, mean, cov, 0.0)
        dt = max(time - self._time, 1e-4)
        x, v = self._last.mean.T
        a, b, c = self._last.cov.T
        x1 = x + dt * v
        a0, b0 = a + 2 * dt * b + dt * dt * c, b + dt * c
        q = self._motion.drive**2
        innovation = measured - x1
        expected = a0 + q * dt**3 / 3 + r
        # What the model cannot explain becomes process noise of this step.
        extra = np.maximum(innovation**2 / _GATE - expected, 0.0)
        q = q + extra * 3 / dt**3
        a1, b1, c1 = a0 + q * dt**3 / 3, b0 + q * dt**2 / 2, c + q * dt
        gain_x, gain_v = a1 / (a1 + r), b1 / (a1 + r)
        mean = np.stack([x1 + gain_x * innovation, v + gain_v * innovation], axis=1)
        cov = np.stack([(1 - gain_x) * a1, (1 - gain_x) * b1, c1 - gain_v * b1], axis=1)
        return _Step(mean, cov, np.stack([x1, v], axis=1), np.stack([a1, b1, c1], axis=1), dt)

    def smooth(self, time: Array, measured: Array) -> Array:
        """Offline, over a run of frames without gaps: [F] seconds, [F, C] -> [F, C]."""
        self.reset()
        steps = []
        for now, row in zip(time, measured, strict=True):
            self.step(float(now), row)
            assert self._last is not None
            steps.append(self._last)
        self.reset()
        out = np.empty_like(measured, dtype=np.float64)
        later = steps[-1].mean
        out[-1] = later[:, 0]
        for k in range(len(steps) - 2, -1, -1):
            later = _back(steps[k], steps[k + 1], later)
            out[k] = later[:, 0]
        return out


def _back(step: _Step, after: _Step, later: Array) -> Array:
    """One step of Rauch, Tung and Striebel (AIAA Journal 1965): [C, 2] smoothed state."""
    dt = after.elapsed
    a, b, c = step.cov.T
    p, q, s = after.predicted_cov.T
    determinant = np.maximum(p * s - q * q, 1e-300)
    # G = P F' P1^-1, with F = [[1, dt], [0, 1]].
    m00, m01, m10, m11 = a + dt * b, b, b + dt * c, c
    g00 = (m00 * s - m01 * q) / determinant
    g01 = (m01 * p - m00 * q) / determinant
    g10 = (m10 * s - m11 * q) / determinant
    g11 = (m11 * p - m10 * q) / determinant
    dx, dv = (later - after.predicted).T
    return np.stack(
        [step.mean[:, 0] + g00 * dx + g01 * dv, step.mean[:, 1] + g10 * dx + g11 * dv], axis=1
    )
