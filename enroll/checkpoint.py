"""What a fit has reached, on disk: enough to go on from after a kill."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from avatar.errors import InputError
from avatar.storage import whole_file

if TYPE_CHECKING:
    from enroll.fit import Fit

_CURE = "Start over: the same command without --resume."


def save_checkpoint(fit: Fit, path: Path) -> None:
    """Replaces the file as a whole; an interrupted write leaves the one before."""
    state = {
        "version": 2,
        "frames": len(fit.track),
        "size": int(fit.images.shape[1]),
        "person": fit.person.state_dict(),
        "states": fit.states.state_dict(),
        "optimiser": fit.optimiser.state_dict(),
        "row_optimiser": fit.row_optimiser.state_dict(),
        "average": fit.average.values(),
        "generator": fit.generator.get_state(),
        "jitter": fit.jitter.get_state(),
        "done_steps": fit.done_steps,
        "spent": fit.spent,
        "report": fit.report,
    }
    with whole_file(path) as file:
        torch.save(state, file)


def load_checkpoint(fit: Fit, path: Path) -> None:
    """Raises InputError for a checkpoint that is damaged or of another fit."""
    state = _read(path)
    if (state.get("frames"), state.get("size")) != (len(fit.track), int(fit.images.shape[1])):
        raise InputError(f"the checkpoint {path.name} is of another fit", _CURE)
    fit.person.load_state_dict(state["person"])
    fit.states.load_state_dict(state["states"])
    fit.optimiser.load_state_dict(state["optimiser"])
    fit.row_optimiser.load_state_dict(state["row_optimiser"])
    fit.average.take(state.get("average"))
    fit.generator.set_state(state["generator"])
    fit.jitter.set_state(state["jitter"])
    fit.done_steps, fit.spent, fit.report = state["done_steps"], state["spent"], state["report"]
    if fit.report:
        fit.learn_everything()


def spent_in(path: Path) -> float:
    """Seconds that a checkpoint's fit has taken.  Raises InputError where it is damaged."""
    return float(_read(path)["spent"])


def _read(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(f"the checkpoint {path.name} cannot be read: {error}", _CURE) from None
    return state
