"""From a folder of clips to weights that a stream can name: what `facewire train-mttf` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from avatar.errors import InputError
from codec.mttf.kind import NetworkKind
from codec.mttf.portraits import Portraits
from codec.mttf.settings import LITE
from codec.mttf.train import Check, Trainer, TrainSettings
from codec.mttf.vectors import statistics_of
from codec.mttf.weights import Weights, save_weights
from service.fallback.crops import prepare_crops
from service.fallback.portraits import read_portraits, split

_VIDEOS = (".mp4", ".mov", ".mpg", ".mpeg", ".mkv", ".webm", ".avi")
_ROWS = 600  # crops whose vectors give the statistics
_PEOPLE = "people.json"


def crops_of(
    clips: Path, work: Path, progress: Callable[[float, float], None] | None = None
) -> tuple[Path, list[str]]:
    """The folder of crops: `clips` itself where it is one, else `work`/crops, made once."""
    if (clips / _PEOPLE).is_file():
        return clips, []
    folder = work / "crops"
    if (folder / _PEOPLE).is_file():
        return folder, []
    videos = sorted(p for p in clips.rglob("*") if p.suffix.lower() in _VIDEOS)
    if not videos:
        raise InputError(f"{clips} holds no video", "Give a folder of clips of people.")
    return folder, prepare_crops(videos, folder, progress=progress)


def train(
    crops: Path,
    out: Path,
    work: Path,
    network: NetworkKind = LITE,
    settings: TrainSettings | None = None,
    resume: bool = False,
    start: Weights | None = None,
    threads: int | None = None,
    device: str = "cpu",
    every: int = 500,
    progress: Callable[[float, float], None] | None = None,
    checked: Callable[[Check], None] | None = None,
) -> dict[str, Any]:
    """Trains; at every check writes `out`, and a checkpoint and a sheet in `work`.  Returns the
    last card.  start: weights to go on from.  Raises InputError, MissingError, StorageError."""
    import torch
    from PIL import Image

    settings = settings or TrainSettings()
    if threads:
        torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = True  # three sizes of pictures, over and over
    portraits, people = read_portraits(crops)
    learned, check = split(portraits, people)
    trainer = Trainer(network, learned, check, settings, device)
    stem = Path(network.file).stem
    checkpoint = work / f"{stem}.checkpoint"
    people_checked = len(set(check.person.tolist()))
    if resume:
        trainer.load(checkpoint)
    elif start is not None:
        trainer.start_from(start.tensors)
    origin = None if start is None else {"digest": start.digest, "card": start.card}

    def at_check(result: Check) -> None:
        trainer.save(checkpoint)
        Image.fromarray(trainer.sheet()).save(work / f"{stem}.png")
        _write(out, network, trainer, learned, people_checked, origin)
        if checked:
            checked(result)

    def told(done: int, _: dict[str, Any]) -> None:
        if progress:
            progress(done, settings.steps)

    trainer.run(every=every, told=told, checked=at_check)
    return _write(out, network, trainer, learned, people_checked, origin)


def _write(
    out: Path,
    network: NetworkKind,
    trainer: Trainer,
    learned: Portraits,
    people_checked: int,
    origin: dict[str, Any] | None,
) -> dict[str, Any]:
    """The weights as they are now, usable long before the last step, and their card."""
    import torch

    settings = trainer.settings
    card = {
        "steps": trainer.done,
        "from": origin,
        "seed": settings.seed,
        "people": len(set(learned.person.tolist())),
        "crops": len(learned.pictures),
        "checked_on": people_checked,
        "checks": [asdict(c) for c in trainer.checks],
        "settings": asdict(settings),
        "torch": torch.__version__,
    }
    rows = np.random.default_rng(settings.seed).permutation(len(learned.pictures))[:_ROWS]
    rows = np.sort(rows)
    vectors = trainer.vectors(learned.pictures[rows], learned.meshes[rows])
    tensors = {name: t.cpu().numpy() for name, t in trainer.kept.state_dict().items()}
    save_weights(out, network, tensors, statistics_of(vectors), card)
    return card
