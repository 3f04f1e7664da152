"""What Portrait Recovery learns from: prepared crops, each coded as a real intra frame.

They are coded once and kept as their streams, 1 or 2 kB each, and decoded when they are read.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from avatar.storage import write_whole
from codec.mttf.classic import CODECS
from codec.mttf.keyframe import decode_key, encode_key
from codec.mttf.portraits import Portraits
from codec.mttf.recovery import COARSE, level_of
from codec.mttf.recovery_training import Pairs

Progress = Callable[[float, float], None]
_EVERY = 20  # pairs are kept on disk


@dataclass(frozen=True)
class PairSettings:
    """count: of pairs.  shares: how often each codec is drawn.  worst: the QP up to which a codec
    is drawn, from `COARSE` on, each alike."""

    count: int = 600
    shares: tuple[tuple[str, float], ...] = (("av1", 0.5), ("hevc", 0.2), ("vvc", 0.3))
    worst: tuple[tuple[str, int], ...] = (("av1", 63), ("hevc", 51), ("vvc", 57))
    seed: int = 0


def pairs_of(
    portraits: Portraits,
    path: Path,
    settings: PairSettings = PairSettings(),
    progress: Progress | None = None,
) -> Pairs:
    """Coded and source pictures.  `path` keeps the streams, also of a run that was stopped; what
    it holds of other pictures or settings is made again.

    Raises InputError for pictures of odd sides, MissingError without an encoder, StorageError.
    """
    draws = _drawn(len(portraits.pictures), settings)
    seal = _seal(portraits, settings)
    streams = _kept(path, seal)[: settings.count]
    for index in range(len(streams), len(draws)):
        row, name, qp = draws[index]
        streams.append(encode_key(portraits.pictures[row], name, qp))
        if progress:
            progress(index + 1, len(draws))
        if (index + 1) % _EVERY == 0 or index + 1 == len(draws):
            _keep(path, seal, streams)
    side = portraits.pictures.shape[1]
    coded = [
        decode_key(stream, CODECS[name].number, side)
        for stream, (_, name, _) in zip(streams, draws, strict=True)
    ]
    rows = [row for row, _, _ in draws]
    levels = [level_of(name, qp) for _, name, qp in draws]
    return Pairs(np.stack(coded), portraits.pictures[rows], np.array(levels))


def _drawn(count: int, settings: PairSettings) -> list[tuple[int, str, int]]:
    """Row, codec and QP of each pair; the first ones are the same however many there are."""
    shares, worst = dict(settings.shares), dict(settings.worst)
    if find_spec("imageio_ffmpeg") is None:
        shares.pop("vvc", None)
    chances = np.array(list(shares.values())) / sum(shares.values())
    out = []
    for index in range(settings.count):
        rng = np.random.default_rng([settings.seed, index])
        name = str(rng.choice(list(shares), p=chances))
        out.append((int(rng.integers(count)), name, int(rng.integers(COARSE, worst[name] + 1))))
    return out


def _keep(path: Path, seal: str, streams: list[bytes]) -> None:
    file = io.BytesIO()
    sizes = np.array([len(stream) for stream in streams])
    np.savez(file, seal=seal, sizes=sizes, data=np.frombuffer(b"".join(streams), np.uint8))
    write_whole(path, file.getvalue())


def _kept(path: Path, seal: str) -> list[bytes]:
    try:
        with np.load(path) as file:
            if str(file["seal"]) != seal:
                return []
            data, ends = file["data"].tobytes(), np.cumsum(file["sizes"]).tolist()
            return [data[a:b] for a, b in zip([0, *ends], ends)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return []


def _seal(portraits: Portraits, settings: PairSettings) -> str:
    """Of all that the streams depend on but how many they are."""
    seal = hashlib.sha256(repr(replace(settings, count=0)).encode())
    seal.update(np.ascontiguousarray(portraits.pictures).data)
    return seal.hexdigest()
