"""What Portrait Recovery learns from: prepared crops, each coded as a real intra frame.

They are coded once and kept as their streams, 1 or 2 kB each, and decoded when they are read.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.storage import write_whole
from codec.mttf.classic import CODECS
from codec.mttf.keyframe import decode_key, encode_key
from codec.mttf.portraits import Portraits
from codec.mttf.recovery import COARSE, level_of
from codec.mttf.recovery_training import Pairs

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class PairSettings:
    """count: of pairs.  shares: how often each codec is drawn; VVC's encoder takes seconds a
    picture.  worst: the QP up to which a codec is drawn, from `COARSE` on, each alike."""

    count: int = 1200
    shares: tuple[tuple[str, float], ...] = (("av1", 0.66), ("hevc", 0.3), ("vvc", 0.04))
    worst: tuple[tuple[str, int], ...] = (("av1", 63), ("hevc", 51), ("vvc", 57))
    seed: int = 0


def pairs_of(
    portraits: Portraits,
    path: Path,
    settings: PairSettings = PairSettings(),
    progress: Progress | None = None,
) -> Pairs:
    """Coded and source pictures.  `path` keeps the streams; what it holds of other pictures or
    settings is made again.

    Raises InputError for pictures of odd sides, MissingError without an encoder, StorageError.
    """
    seal = _seal(portraits, settings)
    kept = _kept(path, seal)
    if kept is None:
        kept = _coded(portraits, settings, progress)
        file = io.BytesIO()
        np.savez(file, seal=np.array(seal), **kept)
        write_whole(path, file.getvalue())
    side = portraits.pictures.shape[1]
    ends = np.cumsum(kept["sizes"])
    coded = np.empty((len(ends), side, side, 3), np.uint8)
    for index, (size, end) in enumerate(zip(kept["sizes"], ends, strict=True)):
        stream = kept["streams"][end - size : end].tobytes()
        coded[index] = decode_key(stream, int(kept["codecs"][index]), side)
    names = {codec.number: codec.name for codec in CODECS.values()}
    levels = [level_of(names[int(c)], int(q)) for c, q in zip(kept["codecs"], kept["qps"])]
    return Pairs(coded, portraits.pictures[kept["rows"]], np.array(levels))


def _coded(
    portraits: Portraits, settings: PairSettings, progress: Progress | None
) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(settings.seed)
    shares = dict(settings.shares)
    if find_spec("imageio_ffmpeg") is None:
        shares.pop("vvc", None)
    worst = dict(settings.worst)
    chances = np.array(list(shares.values())) / sum(shares.values())
    turns = -(-settings.count // len(portraits.pictures))
    rows = np.concatenate([rng.permutation(len(portraits.pictures)) for _ in range(turns)])
    rows = rows[: settings.count]
    codecs, qps, streams = [], [], []
    for index, row in enumerate(rows):
        name = str(rng.choice(list(shares), p=chances))
        qp = int(rng.integers(COARSE, worst[name] + 1))
        streams.append(encode_key(portraits.pictures[row], name, qp))
        codecs.append(CODECS[name].number)
        qps.append(qp)
        if progress:
            progress(index + 1, len(rows))
    return {
        "rows": rows,
        "codecs": np.array(codecs),
        "qps": np.array(qps),
        "sizes": np.array([len(stream) for stream in streams]),
        "streams": np.frombuffer(b"".join(streams), np.uint8),
    }


def _kept(path: Path, seal: str) -> dict[str, NDArray[Any]] | None:
    try:
        with np.load(path) as file:
            return dict(file) if str(file["seal"]) == seal else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _seal(portraits: Portraits, settings: PairSettings) -> str:
    seal = hashlib.sha256(repr(settings).encode())
    seal.update(np.ascontiguousarray(portraits.pictures))
    return seal.hexdigest()
