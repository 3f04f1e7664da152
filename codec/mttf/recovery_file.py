"""Portrait Recovery's weights as a file: safetensors, half precision, as the generator's.

The first bytes of its digest are in every key frame that it restores.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from avatar.errors import FormatError, MissingError
from avatar.storage import write_whole
from codec.mttf.recovery import Recovery, RecoverySettings, RecoveryWeights
from codec.mttf.weights import find_file

FILE = "mttf-recovery.safetensors"
_VERSION = 1
_ENTRY = "facewire_recovery"
_CURE = "Train them again: facewire train-mttf CLIPS --part recovery -o WEIGHTS"


def save_recovery(
    path: Path, settings: RecoverySettings, tensors: dict[str, Any], card: dict[str, Any]
) -> None:
    """tensors: arrays by name.  Raises StorageError."""
    from safetensors.numpy import save

    arrays = {n: np.ascontiguousarray(a).astype(np.float16) for n, a in tensors.items()}
    facts = {"version": _VERSION, "network": asdict(settings), "card": card}
    write_whole(path, save(arrays, {_ENTRY: json.dumps(facts, sort_keys=True)}))


def load_recovery(path: Path) -> RecoveryWeights:
    """Raises FormatError for what is no such file, MissingError where it is not there."""
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load

    if not path.is_file():
        raise MissingError(f"{path} is not there", "facewire train-mttf --part recovery makes it.")
    data = path.read_bytes()
    try:
        with safe_open(str(path), "np") as file:
            facts = json.loads((file.metadata() or {})[_ENTRY])
        arrays = load(data)
        settings = RecoverySettings(**facts["network"])
        card = facts["card"]
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise FormatError(f"{path} holds no Portrait Recovery ({error})", _CURE) from None
    if facts.get("version") != _VERSION:
        raise FormatError(f"{path} holds a Portrait Recovery of another version", _CURE)
    tensors = {name: array.astype(np.float32) for name, array in arrays.items()}
    return RecoveryWeights(settings, tensors, hashlib.sha256(data).hexdigest(), card)


@lru_cache(maxsize=4)
def _ready(path: Path, changed: int, device: str) -> Recovery:
    return Recovery(load_recovery(path), device)


def recovery_at_hand(device: str = "cpu") -> Recovery | None:
    """Of the weights in $FACEWIRE_MODELS or of those shipped; None where neither is there, or no
    torch to run them.  Raises FormatError for a file that is damaged."""
    if find_spec("torch") is None:
        return None
    try:
        path = find_file(FILE)
    except MissingError:
        return None
    return _ready(path, path.stat().st_mtime_ns, device)
