"""What each number of a state is worth in the picture, and the quantiser's steps from it."""

from __future__ import annotations

import torch
from torch import Tensor

from render.person import Person, SamplingSettings


@torch.no_grad()
def picture_slopes(
    person: Person,
    values: Tensor,  # [B, D] some states of the enrolment
    scale: Tensor,  # [D] their deviation over the enrolment
    points: Tensor,  # [R, 2] window points to look at
    sampling: SamplingSettings,
) -> Tensor:  # [D]
    """Mean squared change of colour by a small change of each number, over its square."""
    small = (0.25 * scale).clamp(min=1e-5)
    looked = points.expand(len(values), -1, -1)
    before = _seen(person, values, looked, sampling)
    slopes = torch.empty(values.shape[1])
    for number in range(values.shape[1]):
        moved = values.clone()
        moved[:, number] += small[number]
        change = _seen(person, moved, looked, sampling) - before
        slopes[number] = change.square().mean() / small[number] ** 2
    return slopes


def quantiser_steps(
    slopes: Tensor,  # [D] from `picture_slopes`
    scale: Tensor,  # [D]
    distortion: float,  # mean squared error that all numbers together may add
) -> Tensor:  # [D]
    """Steps by which every number adds the same error: step^2 / 12 * slope = distortion / D.

    That is the allocation of least rate at high rate (reverse water-filling).
    """
    share = distortion / len(slopes)
    steps = torch.sqrt(12.0 * share / slopes.clamp(min=1e-12))
    # A number that the picture hardly feels is still sent, coarsely: two deviations a step.
    widest = (2.0 * scale).clamp(min=1e-4)
    return torch.minimum(steps, widest).clamp(min=1e-6)


def _seen(person: Person, values: Tensor, points: Tensor, sampling: SamplingSettings) -> Tensor:
    drive = person.drive(values)
    consistency = person.consistency(drive.motion)
    behind, _ = person.behind(consistency, drive, points)
    driven = person.head.drive(drive.expression, consistency)
    layers = person.head_layers(driven, drive, points, sampling)
    return layers.head + (1.0 - layers.head_opacity[..., None]) * behind
