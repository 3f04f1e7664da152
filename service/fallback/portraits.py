"""A folder of prepared crops (`service.fallback.crops`) as the arrays that the trainer takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from avatar.errors import InputError
from avatar.morphable import FaceModel
from codec.mttf.guide import LANDMARKS, MARKS
from codec.mttf.portraits import Portraits, held_out_clips

_MIRRORED = np.array([1, 0, 3, 2])  # of the body's marks
VALIDATION = 9  # every so many people are a check of the training
_AGAIN = "Delete the folder and prepare it again: facewire train-mttf CLIPS -o WEIGHTS"


def read_portraits(folder: Path) -> tuple[Portraits, dict[str, int]]:
    """All of it, and the person of every clip.  Raises InputError for what is no such folder."""
    from PIL import Image

    try:
        people: dict[str, int] = json.loads((folder / "people.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} is no folder of prepared crops ({error})",
            "Give a folder of clips: the crops are then made first.",
        ) from None
    pictures, mattes, clips, persons, meshes = [], [], [], [], []
    for number, (name, person) in enumerate(sorted(people.items())):
        for path in sorted((folder / name).glob("*.jpg")):
            try:
                pictures.append(np.asarray(Image.open(path).convert("RGB")))
                mattes.append(np.asarray(Image.open(path.with_suffix(".png")).convert("L")))
                meshes.append(np.load(path.with_suffix(".npy")).astype(np.float32))
            except (OSError, ValueError) as error:
                raise InputError(f"a crop of {folder} cannot be read: {error}", _AGAIN) from None
            if meshes[-1].shape != (MARKS, 2):
                raise InputError(f"the crops of {folder} are of an older version", _AGAIN)
            clips.append(number)
            persons.append(person)
    if not pictures:
        raise InputError(f"{folder} holds no crops", _AGAIN)
    return (
        Portraits(
            np.stack(pictures),
            np.stack(mattes),
            np.array(clips),
            np.array(persons),
            np.stack(meshes),
            np.r_[FaceModel.load().mirror, _MIRRORED + LANDMARKS].astype(np.int64),
        ),
        people,
    )


def split(portraits: Portraits, people: dict[str, int]) -> tuple[Portraits, Portraits]:
    """Those to learn from and those to check with; the test people are in neither."""
    tested = {people[name] for name in held_out_clips() if name in people}
    left = portraits.without(tested)
    everybody = np.unique(left.person)
    check = everybody[VALIDATION // 2 :: VALIDATION].tolist()
    return left.without(check), left.of(check)
