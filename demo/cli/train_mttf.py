"""facewire train-mttf"""

from __future__ import annotations

import argparse
from pathlib import Path

from avatar.errors import InputError
from bench.generative.settings import METHODS
from codec.mttf.kind import NetworkKind
from codec.mttf.settings import SETTINGS
from demo.cli.paths import input_file, output_file
from demo.cli.progress import bar, say

HELP = "train the fallback's networks on a folder of clips of many people"
EXAMPLE = "facewire train-mttf clips -o mttf-lite.safetensors --steps 20000"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clips", metavar="CLIPS", help="a folder of videos, or of prepared crops")
    parser.add_argument("-o", dest="output", required=True, metavar="WEIGHTS")
    parser.add_argument(
        "--part",
        choices=("generator", "recovery"),
        default="generator",
        help="recovery restores key frames of a low quality",
    )
    parser.add_argument(
        "--method",
        choices=("mttf", *(kind.method for kind in METHODS.values())),
        default="mttf",
        help="the fallback's own, or one that the lab compares it with",
    )
    parser.add_argument("--size", choices=tuple(SETTINGS), default="lite")
    parser.add_argument("--steps", type=int, metavar="N", help="20000, of recovery 6000")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="pictures of 128 a step")
    parser.add_argument(
        "--rate", type=float, metavar="R", help="Adam's, at first: 2e-4, of recovery 1e-3"
    )
    parser.add_argument(
        "--sides",
        type=_sides,
        metavar="S:P,...",
        help="pixels of a picture's side and how often (default: 128:0.6,256:0.35,512:0.05)",
    )
    parser.add_argument(
        "--pairs", type=int, default=600, metavar="N", help="key frames that recovery learns from"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--every", type=int, default=500, metavar="N", help="steps between checks")
    parser.add_argument("--threads", type=int, metavar="N", help="of the CPU")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    more = parser.add_mutually_exclusive_group()
    more.add_argument(
        "--from",
        dest="start",
        metavar="WEIGHTS",
        help="go on from trained weights, without a teacher, as for a network that moves already",
    )
    more.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint beside WEIGHTS"
    )


def run(arguments: argparse.Namespace) -> None:
    clips = Path(arguments.clips)
    if not clips.is_dir():
        raise InputError(f"{clips} is no folder", "Give a folder of clips of people.")
    out = output_file(arguments.output, ".safetensors")
    for name in ("steps", "batch", "every", "pairs"):
        if getattr(arguments, name) is not None and getattr(arguments, name) < 1:
            raise InputError(f"--{name} {getattr(arguments, name)} is too small", "Give 1 or more.")
    recovery = arguments.part == "recovery"
    if recovery and (arguments.method != "mttf" or arguments.resume or arguments.start):
        raise InputError(
            "--part recovery is one network, and trains in one go",
            "Leave --method, --from and --resume out.",
        )
    network = _network(arguments.method, arguments.size)
    start = None
    if arguments.start:
        from codec.mttf.weights import load_weights

        start = load_weights(input_file(arguments.start, "weights"), {network.name: network})
    from codec.mttf.train import TrainSettings
    from service.fallback.training import crops_of, train

    with bar("Preparing crops") as progress:
        crops, left_out = crops_of(clips, out.parent, progress)
    for line in left_out:
        say(line)
    if recovery:
        _recovery(arguments, crops, out)
        return
    settings = TrainSettings(
        steps=arguments.steps or TrainSettings.steps,
        seed=arguments.seed,
        batch=arguments.batch,
        rate=arguments.rate or TrainSettings.rate,
        sides=arguments.sides or TrainSettings.sides,
        taught=TrainSettings.taught if start is None else 0.0,
    )
    with bar("Training") as progress:
        card = train(
            crops,
            out,
            out.parent,
            network,
            settings,
            arguments.resume,
            start,
            arguments.threads,
            arguments.device,
            arguments.every,
            progress,
            lambda c: say(f"step {c.step}: {c.psnr:.2f} dB, the key frame {c.still_psnr:.2f} dB"),
        )
    print(f"{out}: {card['steps']} steps on {card['people']} people, {card['crops']} pictures")


def _recovery(arguments: argparse.Namespace, crops: Path, out: Path) -> None:
    from codec.mttf.recovery_training import RecoveryTraining
    from service.fallback.recovery_pairs import PairSettings
    from service.fallback.recovery_training import lessons_of, train_recovery

    settings = RecoveryTraining(
        steps=arguments.steps or RecoveryTraining.steps,
        seed=arguments.seed,
        batch=arguments.batch,
        rate=arguments.rate or RecoveryTraining.rate,
    )
    with bar("Coding key frames") as progress:
        pairs = PairSettings(arguments.pairs)
        lessons = lessons_of(crops, out.parent, pairs, progress)
    with bar("Training") as progress:
        card = train_recovery(
            lessons,
            out,
            settings,
            threads=arguments.threads,
            device=arguments.device,
            every=arguments.every,
            progress=progress,
            checked=lambda c: say(
                f"step {c.step}: {c.restored:.2f} dB, as decoded {c.decoded:.2f} dB"
            ),
        )
    print(f"{out}: {card['steps']} steps on {card['people']} people, {card['pairs']} key frames")


def _network(method: str, size: str) -> NetworkKind:
    if method == "mttf":
        return SETTINGS[size]
    kind = METHODS.get(f"{method}-{size}")
    if kind is None:
        raise InputError(f"there is no {size} network of {method}", "Leave --size out.")
    return kind


def _sides(text: str) -> tuple[tuple[int, float], ...]:
    try:
        pairs = [part.split(":") for part in text.split(",")]
        sides = tuple((int(side), float(share)) for side, share in pairs)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 128:0.7,256:0.3") from None
    known = SETTINGS["lite"].sides
    if any(side not in known or not 0 < share <= 1 for side, share in sides):
        raise argparse.ArgumentTypeError(f"sides are {', '.join(map(str, known))}; shares 0 to 1")
    return sides
