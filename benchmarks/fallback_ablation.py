"""What each part of the fallback's network and training gives: 001's ablations in small, and ours.

    python -m benchmarks.fallback_ablation CROPS -o FOLDER [--only NAME ...] [--steps 6000]
        [--device cuda]

Each is a training of its own, of as many steps, with the same seed and pictures.  CROPS is a folder
that `facewire train-mttf` prepared.  Writes FOLDER/NAME.json as each ends: PSNR in dB on people
whom none learned from, of the whole picture and of boxes about face, mouth and eyes.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from avatar.storage import write_whole
from codec.mttf.guide import LANDMARKS
from codec.mttf.losses import LossWeights
from codec.mttf.outlines import EYES, LIPS
from codec.mttf.portraits import Portraits
from codec.mttf.settings import LITE, PLAIN, NetworkSettings
from codec.mttf.train import Trainer, TrainSettings
from service.fallback.portraits import read_portraits, split

BOXES = {"face": [*range(LANDMARKS)], "mouth": [*LIPS], "eyes": [*EYES[0], *EYES[1]]}


@dataclass(frozen=True)
class Variant:
    """people: share of those that are learned from."""

    network: NetworkSettings = LITE
    weights: LossWeights = LossWeights()
    sides: tuple[tuple[int, float], ...] = ((128, 0.4), (256, 0.6))
    people: float = 1.0


VARIANTS = {
    "lite": Variant(),
    "lite-nf3": Variant(replace(LITE, latents=3)),
    "lite-nf10": Variant(replace(LITE, latents=10)),
    "lite-nf20": Variant(replace(LITE, latents=20, background=5)),
    "plain": Variant(PLAIN),
    "plain-nf10": Variant(replace(PLAIN, latents=10)),
    "plain-nf40": Variant(replace(PLAIN, latents=40)),
    "one-resolution": Variant(sides=((256, 1.0),)),
    "no-warp-loss": Variant(weights=LossWeights(warp=0.0)),
    "no-detail-loss": Variant(weights=LossWeights(detail=0.0)),
    "half-the-people": Variant(people=0.5),
    "quarter-of-the-people": Variant(people=0.25),
}


def fewer(portraits: Portraits, share: float) -> Portraits:
    """Every so many of the people."""
    everybody = sorted(set(portraits.person.tolist()))
    return portraits.of(everybody[:: round(1 / share)])


def boxes(trainer: Trainer) -> dict[str, float]:
    """Mean PSNR of the check's pairs in each of BOXES."""
    pairs = trainer.pairs
    made = trainer.pictures(pairs.key, pairs.wanted, pairs.meshes)
    found = {}
    for name, marks in BOXES.items():
        values = []
        for picture, wanted, mesh in zip(made, pairs.wanted, pairs.meshes[1]):
            side = picture.shape[-1]
            part = mesh[marks]
            left, top = (part.amin(0) * side).int().clamp(0, side - 1).tolist()
            right, bottom = (part.amax(0) * side).ceil().int().clamp(1, side).tolist()
            error = (picture - wanted)[:, top:bottom, left:right].square().mean()
            values.append(float(-10 * torch.log10(error + 1e-10)))
        found[name] = sum(values) / len(values)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("crops", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=sorted(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    learned, check = split(*read_portraits(arguments.crops))
    torch.backends.cudnn.benchmark = True
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        variant = VARIANTS[name]
        settings = TrainSettings(
            steps=arguments.steps,
            batch=arguments.batch,
            rate=arguments.rate,
            sides=variant.sides,
            weights=variant.weights,
        )
        some = fewer(learned, variant.people)
        trainer = Trainer(variant.network, some, check, settings, arguments.device)
        start = time.monotonic()
        trainer.run(every=max(arguments.steps // 4, 1))
        last = trainer.checks[-1]
        found = {"still": last.still_psnr, "picture": last.psnr} | boxes(trainer)
        facts = {
            "steps": trainer.done,
            "batch": settings.batch,
            "people": len(set(some.person.tolist())),
            "numbers": variant.network.numbers,
            "seconds": round(time.monotonic() - start),
            "curve": [[c.step, round(c.psnr, 3)] for c in trainer.checks],
            "psnr": {key: round(value, 2) for key, value in found.items()},
        }
        write_whole(arguments.output / f"{name}.json", json.dumps(facts).encode())
        print(name, json.dumps(facts), flush=True)


if __name__ == "__main__":
    main()
