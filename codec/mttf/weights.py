"""Trained weights as a file: safetensors, half precision, never a pickle.

Its digest is in a stream's header, so that no other weights decode it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from avatar.assets import VARIABLE
from avatar.avatar import StateStatistics
from avatar.errors import FormatError, MissingError
from avatar.storage import write_whole
from codec.mttf.kind import NetworkKind
from codec.mttf.settings import SETTINGS

_VERSION = 1
_STATISTICS = "statistics."


@dataclass(frozen=True)
class Weights:
    """tensors: by the names of the network's `state_dict()`, float32.  digest: sha256 of the file,
    hex.  card: how they were trained, JSON values."""

    settings: NetworkKind
    tensors: dict[str, Any]
    statistics: StateStatistics
    digest: str
    card: dict[str, Any]


def save_weights(
    path: Path,
    settings: NetworkKind,
    tensors: dict[str, Any],
    statistics: StateStatistics,
    card: dict[str, Any],
) -> None:
    """tensors: arrays by name.  Half precision, except integers.  Raises StorageError."""
    from safetensors.numpy import save

    arrays = {
        name: array.astype(np.float16) if array.dtype.kind == "f" else array
        for name, array in ((n, np.ascontiguousarray(a)) for n, a in tensors.items())
    }
    for name in ("mean", "scale", "step", "history"):
        arrays[_STATISTICS + name] = np.ascontiguousarray(getattr(statistics, name))
    facts = {"version": _VERSION, "network": settings.name, "card": card}
    write_whole(path, save(arrays, {"facewire_mttf": json.dumps(facts, sort_keys=True)}))


def load_weights(path: Path, kinds: Mapping[str, NetworkKind] = SETTINGS) -> Weights:
    """kinds: the networks that the file may hold, by name; the fallback's by default.

    Raises FormatError for what is no such file, MissingError where it is not there.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load

    if not path.is_file():
        raise MissingError(f"{path} is not there", "facewire train-mttf CLIPS -o WEIGHTS")
    data = path.read_bytes()
    cure = "Train them again: facewire train-mttf CLIPS -o WEIGHTS"
    try:
        with safe_open(str(path), "np") as file:
            facts = json.loads((file.metadata() or {})["facewire_mttf"])
        arrays = load(data)
        settings = kinds[facts["network"]]
        statistics = StateStatistics(
            *(arrays.pop(_STATISTICS + name) for name in ("mean", "scale", "step", "history"))
        )
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise FormatError(f"{path} holds no weights of the fallback ({error})", cure) from None
    shape = (settings.numbers,)
    if facts.get("version") != _VERSION or statistics.mean.shape != shape:
        raise FormatError(f"{path} holds weights of another version", cure)
    return Weights(
        settings,
        {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in arrays.items()},
        statistics,
        hashlib.sha256(data).hexdigest(),
        facts["card"],
    )


def find_weights(name: str = "lite") -> Path:
    """The file of one size: where $FACEWIRE_MODELS has it, else what this package ships.

    Raises MissingError, and says where to put it.
    """
    return find_file(f"mttf-{name}.safetensors")


def find_file(file: str) -> Path:
    """The same of a file by its name: those of other networks than the fallback's are looked for
    in the same places."""
    folder = os.environ.get(VARIABLE)
    if folder and (Path(folder) / file).is_file():
        return Path(folder) / file
    shipped = Path(str(resources.files("codec.mttf") / "data" / file))
    if shipped.is_file():
        return shipped
    raise MissingError(
        f"{file}, a network's weights, is not there.",
        f"Train it (facewire train-mttf CLIPS -o {file}) and put it into a folder that "
        f"${VARIABLE} names.",
    )
