"""Fields <-> the arrays of an archive."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from avatar.avatar import Array, Avatar
from avatar.errors import ArchiveError
from render.fields.settings import FieldSettings
from render.person import Person

GRIDS = (
    "head.coarse", "head.front", "head.top", "head.profile", "head.blend", "head.warp",
    "torso.plane", "torso.warp", "background.plane",
)  # fmt: skip
# How much coarser than others a grid may be in an archive's first layer, so that a byte more would
# help the picture about the same in each: measured by coarsening one at a time.
_COARSER = {"head.coarse": 8.0, "head.blend": 14.0, "head.warp": 3.0, "torso.plane": 1.5,
            "background.plane": 0.5}  # fmt: skip
_OF_THE_ARCHIVE = (
    "byte_tensors",
    "coarser",
    "exact_tensors",
)  # how it stores, not what the fields are


def fields_to_arrays(person: Person) -> dict[str, Array]:
    """Every parameter and buffer, below "fields."."""
    return {
        f"fields.{name}": value.detach().cpu().numpy().copy()
        for name, value in person.state_dict().items()
    }


def settings_to_json(settings: FieldSettings) -> dict[str, object]:
    """For `Avatar.settings`.  The grids take a byte a number in the archive."""
    known = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(settings).items()}
    return known | {
        "byte_tensors": [f"fields.{name}" for name in GRIDS],
        "coarser": {f"fields.{name}": by for name, by in _COARSER.items()},
    }


def fields_of(avatar: Avatar) -> Person:
    """The fields of an archive, ready to render.  Raises ArchiveError where they do not fit."""
    try:
        known: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v
            for k, v in avatar.settings.items()
            if k not in _OF_THE_ARCHIVE
        }
        person = Person(FieldSettings(**known), avatar.camera, avatar.layout)
        arrays = {
            name: torch.from_numpy(np.asarray(value, np.float32).copy())
            for name, value in avatar.group("fields").items()
        }
        person.load_state_dict(arrays)
    except (TypeError, RuntimeError, ValueError) as error:
        raise ArchiveError(
            f"the avatar's fields do not fit its settings: {str(error).splitlines()[0]}",
            "Enrol again: facewire enroll VIDEO -o NAME.avatar",
        ) from None
    return person.requires_grad_(False).eval()
