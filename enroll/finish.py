"""From a finished fit to an avatar: statistics for the coder, calibration, the report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from avatar.avatar import Avatar, Consent, StateStatistics
from avatar.calibration import learned
from avatar.habit import Habit
from enroll.inpaint import inpainted
from enroll.matte import WALL
from enroll.sensitivity import picture_metric, quantiser_steps, symbol_basis
from render.metrics import psnr
from render.tensors import fields_to_arrays, settings_to_json

if TYPE_CHECKING:
    from enroll.fit import Fit

# Quantisation at quality 1 may add this share of the picture's own error on frames learned from.
# That of a call whose states are found by the picture is about twice as large: 0.1 dB there.
_QUANTISATION_SHARE = 0.046
_LOOKS = 12  # states at which the picture's feeling for the numbers is measured
_EXAGGERATION = 1.3  # times the enrolment's farthest expression, up to which one is drawn
_HISTORY = 250  # states of the enrolment that the coder's models learn from: ten seconds
_FRAME = 40_000  # us, the history's interval


def report(fit: Fit, frames: int = 6) -> dict[str, Any]:
    """PSNR on held-out frames, as tracked, over the window and over the face box."""
    size = fit.images.shape[1]
    whole, face = [], []
    for row in _spread(fit.held_out, frames):
        made, source = fit.picture_of(int(row), size), fit.images[row].numpy()
        whole.append(psnr(source, made))
        left, top, right, bottom = (np.clip(fit.track.box[row], 0, 1) * size).astype(int)
        part = np.s_[top : max(bottom, top + 8), left : max(right, left + 8)]
        face.append(psnr(source[part], made[part]))
    return {
        "psnr": round(float(np.mean(whole)), 2),
        "psnr_face": round(float(np.mean(face)), 2),
        "held_out_frames": len(fit.held_out),
        "training_frames": len(fit.training),
        "size": int(size),
    }


def learned_psnr(fit: Fit, frames: int = 6) -> float:
    """PSNR over the window on frames learned from, at the states that the fit found for them."""
    size = fit.images.shape[1]
    rows = _spread(fit.training, frames)
    made = [fit.picture_of(int(row), size, corrected=True) for row in rows]
    found = [psnr(fit.images[row].numpy(), one) for row, one in zip(rows, made, strict=True)]
    return round(float(np.mean(found)), 2)


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    return np.asarray(rows[np.linspace(0, len(rows) - 1, count).astype(int)])


def finished(
    fit: Fit, name: str, consent: Consent, report: dict[str, Any], now: datetime | None = None
) -> Avatar:
    """The avatar, as arrays.  `now`: the time to sign it with."""
    track, layout = fit.track, fit.settings.layout
    fit.person.cpu()
    fit.person.compute_in(torch.float32)
    fit.states.cpu()
    motion, corrections = fit.states.corrections(torch.from_numpy(fit.rows))
    matrix = learned(motion, corrections)
    values = fit.states.calibrated_values(torch.from_numpy(fit.rows), matrix)
    with torch.no_grad():
        _settle_background(fit)
        enrolled = fit.person.drive(values).expression.norm(dim=-1).max()
        fit.person.reach.copy_(_EXAGGERATION * enrolled)
    tensors = fields_to_arrays(fit.person)
    for key, value in fit.states.embedding.state_dict().items():
        tensors[f"embedding.{key}"] = value.numpy().copy()
    tensors["tracker.identity"] = track.identity.astype(np.float32)
    tensors["tracker.torso_reference"] = track.torso_reference
    tensors["tracker.calibration"] = matrix
    if layout.code:
        habit = Habit.of(values[:, layout.groups["code"]].numpy())
        tensors["tracker.habit.centre"], tensors["tracker.habit.ends"] = habit.centre, habit.ends
    return Avatar(
        name=name,
        created=(now or datetime.now(UTC)).isoformat(timespec="seconds"),
        consent=consent,
        camera=track.camera,
        window=track.window,
        layout=layout,
        statistics=_statistics(fit, values, report["psnr_learned"]),
        settings=settings_to_json(fit.person.settings),
        tensors=tensors,
        report=report,
    )


def _settle_background(fit: Fit) -> None:
    """Where a person always hid the wall it is what is around, not what gradients of next to
    nothing, scaled up as all are, made of it: grain, which a person who leans aside would show,
    and which an archive pays for."""
    plane = fit.person.background.plane[0]
    covered = fit.track.mask[fit.rows].min(0).astype(np.float32)
    covered = torch.nn.functional.interpolate(
        torch.from_numpy(covered)[None, None], size=plane.shape[:2], mode="bilinear"
    )[0, 0]
    plane.copy_(torch.from_numpy(inpainted(plane.numpy(), (covered < WALL).numpy())))


def _statistics(fit: Fit, values: torch.Tensor, quality: float) -> StateStatistics:
    mean, scale = values.mean(0), values.std(0).clamp(min=1e-6)
    some = values[torch.linspace(0, len(values) - 1, _LOOKS).long()]
    generator = torch.Generator().manual_seed(fit.settings.seed)
    points = torch.rand(800, 2, generator=generator)
    person = fit.person.to(fit.device)  # hundreds of looks: where the fit was, it is quick
    looks = [numbers.to(fit.device) for numbers in (some, scale, points)]
    metric = picture_metric(person, *looks, fit.settings.sampling)
    distortion = 10.0 ** (-quality / 10.0) * _QUANTISATION_SHARE
    steps = quantiser_steps(torch.diagonal(metric).float(), scale, distortion)
    basis = symbol_basis(metric, torch.cov(values.T.double()), steps, distortion).float()
    return StateStatistics(
        mean=mean.numpy(),
        scale=scale.numpy(),
        step=steps.numpy(),
        history=_history(fit.track.time[fit.rows], values - mean, basis),
        basis=basis.numpy(),
    )


def _history(time: np.ndarray, deviations: torch.Tensor, basis: torch.Tensor) -> np.ndarray:
    """The longest unbroken stretch of the enrolment, at 25 states a second, in quarter steps."""
    breaks = np.flatnonzero(np.diff(time) > 4 * _FRAME)
    starts, stops = np.r_[0, breaks + 1], np.r_[breaks + 1, len(time)]
    longest = int(np.argmax(stops - starts))
    run = slice(int(starts[longest]), int(stops[longest]))
    clock = np.arange(time[run][0], time[run][-1] + 1, _FRAME)[:_HISTORY]
    steps = torch.linalg.solve(basis.double(), deviations[run].double(), left=False)
    quarters = (4.0 * steps).numpy()
    columns = [np.interp(clock, time[run], column) for column in quarters.T]
    return np.clip(np.rint(np.stack(columns, axis=1)), -32767, 32767).astype(np.int16)
