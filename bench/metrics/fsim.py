"""FSIM with colour (FSIMc): Zhang, Zhang, Mou and Zhang, IEEE TIP 20(8), 2011.

Similarity of phase congruency and of gradients, weighted by the larger phase congruency.  Phase
congruency is Kovesi's (Videre 1(3), 1999) on a bank of log-Gabor filters, with the paper's
parameters: 4 scales of wavelengths 6, 12, 24, 48, 4 orientations.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics.gradient import averaged, scharr

SCALES, ORIENTATIONS = 4, 4
_SHORTEST, _FACTOR = 6.0, 2.0  # wavelength of the finest scale in pixels, and from scale to scale
_BANDWIDTH = 0.55  # log-Gabor: sigma over centre frequency
_SPREAD = np.pi / (ORIENTATIONS * 1.2)  # of a filter's orientation, radians
_CUTOFF, _ORDER = 0.45, 15  # of the low-pass that keeps the corners of the spectrum out
_NOISE = 2.0 / 1.7  # deviations above the mean; 1.7: Kovesi's correction for this measure
T_PHASE, T_GRADIENT, T_COLOUR, _LAMBDA = 0.85, 160.0, 200.0, 0.03  # the paper's section III
_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])

Array = NDArray[Any]


def fsim(reference: Array, picture: Array) -> float:
    """Of RGB pictures [H, W, 3] in 0..255, at most 1."""
    a, b = (averaged(image.astype(np.float64)) @ _YIQ.T for image in (reference, picture))
    phase_a, phase_b = phase_congruency(a[..., 0]), phase_congruency(b[..., 0])
    weight = np.maximum(phase_a, phase_b)
    score = weight * similarity(phase_a, phase_b, T_PHASE)
    score = score * similarity(scharr(a[..., 0]), scharr(b[..., 0]), T_GRADIENT)
    colour = similarity(a[..., 1], b[..., 1], T_COLOUR) * similarity(a[..., 2], b[..., 2], T_COLOUR)
    # A negative similarity has a complex power; its real part is the authors' program's.
    score = score * np.real(colour.astype(complex) ** _LAMBDA)
    total = float(weight.sum())
    return float(score.sum()) / total if total > 0 else 1.0


def similarity(a: Array, b: Array, constant: float) -> Array:
    """(2ab + c) / (a^2 + b^2 + c)."""
    return np.asarray((2 * a * b + constant) / (a * a + b * b + constant))


def phase_congruency(luma: Array) -> Array:
    """[H, W] -> [H, W], 0..1: how much of the local energy is in phase over the scales."""
    bank, noise_gain = _filters(*luma.shape)
    spectrum = np.fft.fft2(luma)
    energy_sum, amplitude_sum = np.zeros(luma.shape), np.zeros(luma.shape)
    for o in range(ORIENTATIONS):
        response = np.fft.ifft2(spectrum * bank[o])  # [SCALES, H, W]: even + i odd
        total = response.sum(axis=0)
        unit = total / (np.abs(total) + 1e-12)
        along = response * np.conj(unit)
        energy = (along.real - np.abs(along.imag)).sum(axis=0)
        # Rayleigh statistics of the noise, from the median of the finest scale's energy.
        power = np.median(np.abs(response[0]) ** 2) / np.log(2) / (bank[o, 0] ** 2).sum()
        tau = np.sqrt(power * noise_gain[o])
        threshold = tau * (np.sqrt(np.pi / 2) / 1.7 + _NOISE * np.sqrt(2 - np.pi / 2))
        energy_sum += np.maximum(energy - threshold, 0)
        amplitude_sum += np.abs(response).sum(axis=0)
    return energy_sum / (amplitude_sum + 1e-12)


@lru_cache(maxsize=4)
def _filters(height: int, width: int) -> tuple[Array, Array]:
    """[ORIENTATIONS, SCALES, H, W] transfer functions with frequency 0 at the corner, and
    [ORIENTATIONS] what a unit of noise power becomes: tau^2 of Kovesi's noise estimate."""
    v, u = np.meshgrid(_frequencies(height), _frequencies(width), indexing="ij")
    radius, angle = np.hypot(u, v), np.arctan2(-v, u)
    low = 1 / (1 + (radius / _CUTOFF) ** (2 * _ORDER))
    radius[0, 0] = 1.0  # its logarithm is not used
    radial = []
    for s in range(SCALES):
        frequency = 1 / (_SHORTEST * _FACTOR**s)
        gabor = np.exp(-(np.log(radius / frequency) ** 2) / (2 * np.log(_BANDWIDTH) ** 2)) * low
        gabor[0, 0] = 0.0
        radial.append(gabor)
    bank = np.empty((ORIENTATIONS, SCALES, height, width))
    for o in range(ORIENTATIONS):
        turn = angle - o * np.pi / ORIENTATIONS
        away = np.abs(np.arctan2(np.sin(turn), np.cos(turn)))
        bank[o] = np.exp(-(away**2) / (2 * _SPREAD**2)) * np.array(radial)
    spatial = np.fft.ifft2(bank).real * np.sqrt(height * width)
    summed = spatial.sum(axis=1)
    squares, crossed = (spatial**2).sum(axis=(1, 2, 3)), (summed**2).sum(axis=(1, 2))
    # 2 sum(A_i^2) + 4 sum_{i<j}(A_i A_j), halved: with (sum A)^2 = sum A^2 + 2 sum_{i<j}.
    return bank, (2 * squares + 2 * (crossed - squares)) / 2


def _frequencies(size: int) -> Array:
    """Cycles a pixel, 0 first; an odd size reaches +-0.5, as in Kovesi's program."""
    if size % 2:
        centred = np.arange(-(size - 1) / 2, (size - 1) / 2 + 1) / (size - 1)
    else:
        centred = np.arange(-size / 2, size / 2) / size
    return np.asarray(np.fft.ifftshift(centred))
