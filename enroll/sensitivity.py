"""What each number of a state is worth in the picture, and the quantiser's steps from it."""

from __future__ import annotations

import torch
from torch import Tensor

from render.person import Person, SamplingSettings


@torch.no_grad()
def picture_metric(
    person: Person,
    values: Tensor,  # [B, D] some states of the enrolment
    scale: Tensor,  # [D] their deviation over the enrolment
    points: Tensor,  # [R, 2] window points to look at
    sampling: SamplingSettings,
) -> Tensor:  # [D, D] float64
    """The matrix M for which small errors e of a state add e M e to the picture's mean squared
    error: the mean of J^T J, with J the slope of every colour by every number."""
    small = (0.25 * scale).clamp(min=1e-5)
    metric = torch.zeros(len(scale), len(scale), dtype=torch.float64)
    for state in values:
        moved = torch.cat([state[None], state + torch.diag(small)])
        seen = person.colours(moved, points.expand(len(moved), -1, -1), sampling)
        slopes = ((seen[1:] - seen[:1]).flatten(1).cpu() / small[:, None].cpu()).double()
        metric += slopes @ slopes.T / (slopes.shape[1] * len(values))
    return metric


def quantiser_steps(
    slopes: Tensor,  # [D] the metric's diagonal
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


def symbol_basis(
    metric: Tensor,  # [D, D] from `picture_metric`
    covariance: Tensor,  # [D, D] float64, of the enrolment's states
    steps: Tensor,  # [D] from `quantiser_steps`
    distortion: float,
) -> Tensor:  # [D, D] float64, rows as `StateStatistics.basis`
    """Directions that cost the picture the same, do not add up with one another in it, and do
    not move together: the Karhunen-Loeve transform of states measured by the metric.

    A scalar quantiser in steps along a state's own numbers wastes log2(prod M_dd / det M) / 2 bits
    a frame where their effects overlap (V. Goyal, "Theoretical foundations of transform coding",
    2001, the coding gain); along these directions nothing.
    """
    share = 12.0 * distortion / len(steps)
    floor = share / steps.double() ** 2  # what keeps the widest step of `quantiser_steps`
    own = torch.diagonal(metric)
    # The thousandth keeps directions that the picture does not feel at all finite.
    full = metric + torch.diag(torch.maximum(floor - own, torch.zeros_like(own)) + 1e-3 * own)
    values, vectors = torch.linalg.eigh(full)
    values = values.clamp(min=1e-9 * float(values.max()))
    root = vectors * values.sqrt() @ vectors.T
    spread, turn = torch.linalg.eigh(root @ covariance @ root)
    strongest_first = torch.argsort(spread, descending=True)
    inverse = vectors / values.sqrt() @ vectors.T
    return share**0.5 * turn[:, strongest_first].T @ inverse
