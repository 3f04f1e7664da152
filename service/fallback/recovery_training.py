"""From prepared crops to Portrait Recovery's weights: `facewire train-mttf --part recovery`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from codec.mttf.recovery import RecoverySettings
from codec.mttf.recovery_file import save_recovery
from codec.mttf.recovery_training import (
    Pairs,
    RecoveryCheck,
    RecoveryTrainer,
    RecoveryTraining,
)
from service.fallback.portraits import read_portraits, split
from service.fallback.recovery_pairs import PairSettings, pairs_of

_CHECK = 48  # pairs of people whom it does not learn from
_PAIRS, _TRAINING, _NETWORK = PairSettings(), RecoveryTraining(), RecoverySettings()


@dataclass(frozen=True)
class Lessons:
    """people: whom `learned` shows.  check: of others, none of them a test person."""

    people: int
    learned: Pairs
    check: Pairs


def lessons_of(
    crops: Path,
    work: Path,
    pairs: PairSettings = _PAIRS,
    progress: Callable[[float, float], None] | None = None,
) -> Lessons:
    """Codes crops, split as for the generator's training, into files in `work`, once.  Raises
    InputError, MissingError, StorageError."""
    learned, check = split(*read_portraits(crops))
    asked = replace(pairs, count=min(_CHECK, pairs.count))
    return Lessons(
        len(set(learned.person.tolist())),
        pairs_of(learned, work / "recovery-learned.npz", pairs, progress),
        pairs_of(check, work / "recovery-check.npz", asked),
    )


def train_recovery(
    lessons: Lessons,
    out: Path,
    settings: RecoveryTraining = _TRAINING,
    network: RecoverySettings = _NETWORK,
    threads: int | None = None,
    device: str = "cpu",
    every: int = 500,
    progress: Callable[[float, float], None] | None = None,
    checked: Callable[[RecoveryCheck], None] | None = None,
) -> dict[str, Any]:
    """Trains; writes `out` at every check, and returns its card.  Raises MissingError,
    StorageError."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    trainer = RecoveryTrainer(network, lessons.learned, lessons.check, settings, device)

    card: dict[str, Any] = {}

    def at_check(result: RecoveryCheck) -> None:
        card.update(
            steps=trainer.done,
            people=lessons.people,
            pairs=len(lessons.learned.coded),
            checks=[asdict(c) for c in trainer.checks[-20:]],
            settings=asdict(settings),
            torch=torch.__version__,
        )
        tensors = {name: t.cpu().numpy() for name, t in trainer.kept.state_dict().items()}
        save_recovery(out, network, tensors, card)
        if checked:
            checked(result)

    def told(done: int) -> None:
        if progress:
            progress(done, settings.steps)

    trainer.run(every, told, at_check)
    return card
