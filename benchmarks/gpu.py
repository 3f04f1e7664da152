"""The fast path on a GPU: builds what is there, checks it against its twins, and measures.

python -m benchmarks.gpu --avatar ada.avatar --frames ada.crops --track ada.track -o gpu.json
python -m benchmarks.gpu --device cpu --quick     the same steps on small, made-up fields
    --tinycudann SOURCES     builds it first, for this GPU alone
    --parts twins wide       these alone, where one command may not take long

One command, so that a machine lent for ten minutes gives all figures.  It writes the results
after every part: what a kill leaves is whole.  Without --avatar the fields are made up, and only
speed and agreement mean something.  Times are medians, by the device's own events on a GPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avatar.archive import read_avatar
from avatar.avatar import Avatar, Consent, StateStatistics
from avatar.camera import Pinhole
from avatar.errors import FacewireError
from avatar.face import StateLayout, Window
from benchmarks.gpu_build import build_tinycudann
from render.crowd import Crowd, CrowdSettings
from render.fields.settings import FieldSettings
from render.metrics import psnr
from render.occupancy import OccupancySettings, marched_head, marching, occupancy
from render.packed import Plain
from render.person import Person, SamplingSettings
from render.picture import pixel_points
from render.portrait import chosen_device
from render.tensors import fields_of, fields_to_arrays, settings_to_json

ROUNDS = 30
PARTS = ("twins", "wide", "avatars", "receivers", "packed", "enrolment")
ON_A_CPU = ("plain torch, float32", "plain torch, half")  # the others need a GPU
PATHS = {  # the first is the reference of the others
    "plain torch, float32": CrowdSettings(
        half=False, compiled=False, marched=False, recorded=False
    ),
    "plain torch, recorded": CrowdSettings(half=False, compiled=False, marched=False),
    "one kernel, half, recorded": CrowdSettings(compiled=False),
    "compiled, half": CrowdSettings(),
    "compiled, half, not recorded": CrowdSettings(recorded=False),
    "tinycudann, half, recorded": CrowdSettings(fused_networks=True, compiled=False),
    "plain torch, half": CrowdSettings(compiled=False, marched=False, recorded=False),
    "compiled without the kernel, half": CrowdSettings(marched=False),
}


def made_up(size: int) -> Avatar:
    """Fields of the sizes of a fit at `size`, with a ball for a head."""
    torch.manual_seed(0)
    fields, layout = FieldSettings.of_size(size), StateLayout()
    person = Person(fields, Pinhole(2.0), layout)
    axis = [torch.linspace(-1, 1, n) for n in fields.coarse]
    z, y, x = torch.meshgrid(*axis, indexing="ij")
    with torch.no_grad():
        person.head.coarse[0, ..., 0] = (0.7 - (x**2 + 0.8 * y**2 + z**2)) * 14.0
        person.head.front[0, ..., 1:4] = 0.5
        person.background.plane.uniform_()
    mean = np.zeros(layout.width, np.float32)
    mean[layout.groups["translation"]] = [0.0, 0.0, -0.75]
    return Avatar(
        name="Ball", created="2026-01-01T00:00:00+00:00",
        consent=Consent("nobody", "a benchmark", "2026-01-01T00:00:00+00:00", "flag", "1"),
        camera=Pinhole(2.0), window=Window(0, 0, size, size, size), layout=layout,
        statistics=StateStatistics(mean, np.ones_like(mean), np.full_like(mean, 0.01)),
        settings=settings_to_json(fields), tensors=fields_to_arrays(person),
    )  # fmt: skip


def seconds(work: Callable[[], object], device: torch.device, rounds: int) -> float:
    """The median of some rounds after two that warm up."""
    times = []
    for round_ in range(rounds + 2):
        if device.type == "cuda":
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            first.record()
            work()
            last.record()
            torch.cuda.synchronize()
            spent = first.elapsed_time(last) / 1e3
        else:
            start = time.perf_counter()
            work()
            spent = time.perf_counter() - start
        if round_ >= 2:
            times.append(spent)
    return statistics.median(times)


def ceilings(device: torch.device, quick: bool) -> dict[str, float]:
    """What this device copies and multiplies in a second, on random numbers."""
    count, side = (1 << 22, 512) if quick else (1 << 30, 8192)
    source = torch.randint(0, 255, (count,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = seconds(lambda: target.copy_(source), device, 5)
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    product = seconds(lambda: a @ b, device, 5)
    return {"bytes_per_s": 2 * count / copy, "operations_per_s": 2 * side**3 / product}


def floor(
    avatar: Avatar, pixels: int, sampling: SamplingSettings, ceiling: dict[str, float]
) -> dict[str, float]:
    """The least that one frame of so many pixels takes: samples x bytes, samples x operations.

    Every texel of the grids once in half precision, a picture of 3 bytes a pixel, and of each
    sample nothing in memory: what a perfectly fused kernel moves.  `gathered` counts the corners
    that samples read, which caches must serve.
    """
    s = fields_of(avatar).settings
    samples = pixels * sampling.fine
    texels = sum(v.size for k, v in avatar.group("fields").items() if "colour" not in k)
    moved = 2.0 * texels + 3.0 * pixels
    corners = 8 * 3 + 8 + 3 * 4 * s.channels + 4 * s.blend_channels
    inputs = s.channels + s.blend_channels + 3
    network = 2 * (inputs * s.hidden + s.hidden**2 + 3 * s.hidden)
    torso = 2 * (s.torso_channels * s.hidden + s.hidden**2 + 4 * s.hidden)
    operations = samples * 2.0 * corners + pixels * float(network + torso)
    return {
        "samples": samples,
        "bytes": moved,
        "gathered_bytes": 2.0 * samples * corners,
        "operations": operations,
        "seconds": max(moved / ceiling["bytes_per_s"], operations / ceiling["operations_per_s"]),
    }


def figures_of(
    avatars: list[Avatar], size: tuple[int, int], device: torch.device, settings: CrowdSettings,
    rounds: int,
) -> tuple[dict[str, Any], np.ndarray]:  # fmt: skip
    """Speed, time of the first frame and memory of one path, and the pictures it draws."""
    rows = [avatar.statistics.mean for avatar in avatars]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    crowd = Crowd(avatars, *size, device, settings)
    pictures = crowd.render(rows)
    first = time.perf_counter() - start
    stacked = [np.stack([rows[r] for r in part]).astype(np.float32) for part in crowd.rows]
    values = [torch.from_numpy(part).to(device) for part in stacked]
    drawn = seconds(lambda: crowd.tensors(values), device, rounds)
    whole = seconds(lambda: crowd.render(rows), device, max(3, rounds // 3))
    figures: dict[str, Any] = {
        "drawn_by": sorted({_named(used) for used in crowd.drawn_by}),
        "first_frame_s": first,
        "frame_s": drawn,
        "pictures_per_s": len(avatars) / drawn,
        "frame_to_host_s": whole,
    }
    if device.type == "cuda":
        figures["memory_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return figures, pictures


def _named(used: CrowdSettings) -> str:
    """What a pass came to: an extra that failed has been left out, with a warning."""
    extras = ("half", "compiled", "marched", "recorded", "fused_networks")
    return ", ".join(name for name in extras if getattr(used, name)) or "plain"


def agreement(reference: np.ndarray, pictures: np.ndarray) -> dict[str, float]:
    """Of a path with its twin: the issue asks for a median under 1 level and over 45 dB."""
    away = np.abs(reference.astype(int) - pictures)
    return {
        "median_levels": float(np.median(away)),
        "mean_levels": float(away.mean()),
        "psnr": float(psnr(reference, pictures)),
    }


def packed(avatar: Avatar, size: int, device: torch.device, rounds: int) -> dict[str, Any]:
    """nerfacc's marching (plain torch on a CPU) of one head, against the plain twin."""
    settings = OccupancySettings()
    person = fields_of(avatar).to(device)
    row = torch.from_numpy(avatar.statistics.mean.astype(np.float32))[None].to(device)
    with torch.no_grad():
        drive = person.drive(row)
        driven = person.head.drive(drive.expression, person.consistency(drive.motion))
        points = pixel_points(0.0, 0.0, 1.0, 1.0, size, size).to(device).reshape(1, -1, 2)
        occupied = occupancy(person, driven, settings)
        march = marching(device)

        def head(by: Any = march) -> tuple[Tensor, Tensor]:
            return marched_head(person, driven, drive, points, occupied, settings, by)

        start = time.perf_counter()
        ours, theirs = head()[0], head(Plain())[0]
        built = time.perf_counter() - start
        away = (ours - theirs).abs()
        return {
            "first_frame_s": built,
            "occupied_share": float(occupied.float().mean()),
            "frame_s": seconds(head, device, rounds),
            "median_levels": 255.0 * float(away.median()),
            "worst_levels": 255.0 * float(away.max()),
        }


def enrolment(arguments: argparse.Namespace) -> dict[str, Any]:
    """Quality on held-out frames after each budget: 60 s, 30 s and the four minutes they are
    held to.  `before_s` is what comes before the first step, `after_s` after the last one, and
    `all_s` the whole."""
    from avatar.archive import write_avatar
    from avatar.track_file import read_track
    from enroll.crops_file import load_crops
    from enroll.fit import FitSettings, fit

    track = read_track(arguments.track)
    crops = load_crops(arguments.frames, arguments.size)
    agreed = Consent("self", "a benchmark", "2026-01-01T00:00:00+00:00", "flag", "1")
    out = {}
    for budget in arguments.budgets:
        settings = FitSettings(size=arguments.size, budget=budget, device=arguments.device)
        steps: list[float] = []

        def clock(steps: list[float] = steps) -> float:
            steps.append(time.perf_counter())
            return steps[-1]

        start = time.perf_counter()
        avatar = fit(crops, track, "Measured", agreed, settings, clock=clock)
        end = time.perf_counter()
        spent = {"before_s": steps[0] - start, "after_s": end - steps[-1], "all_s": end - start}
        out[f"{budget:g} s"] = avatar.report | {k: round(v, 1) for k, v in spent.items()}
        if arguments.keep:
            write_avatar(avatar, arguments.keep / f"{budget:g}s.avatar")
    return out


def attempt(work: Callable[[], Any]) -> Any:
    """What one part gives, or what it says: one that cannot run does not take the others along."""
    try:
        return work()
    except FacewireError as error:
        return {"missing": f"{error.message}. {error.cure}"}
    except Exception as error:  # a compiler's or a driver's own
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}".splitlines()[0][:300]}


def measure(arguments: argparse.Namespace, keep: Callable[[dict[str, Any]], None]) -> None:
    device = chosen_device(arguments.device)
    quick, rounds = arguments.quick, 2 if arguments.quick else ROUNDS
    side = 24 if quick else 512
    avatar = read_avatar(arguments.avatar) if arguments.avatar else made_up(side)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    results: dict[str, Any] = {"device": name, "torch": torch.__version__, "quick": quick}
    results["ceilings"] = ceilings(device, quick)
    sampling = CrowdSettings().sampling
    results["floor"] = floor(avatar, side * side, sampling, results["ceilings"])
    keep(results)
    reference: list[np.ndarray] = []

    def path(settings: CrowdSettings) -> dict[str, Any]:
        figures, pictures = figures_of([avatar], (side, side), device, settings, rounds)
        reference.append(pictures)
        over = figures["frame_s"] / results["floor"]["seconds"]
        return figures | {"over_floor": over} | agreement(reference[0], pictures)

    results[f"one stream, {side}x{side}"] = paths = {}
    for title, settings in PATHS.items() if "twins" in arguments.parts else ():
        if title not in arguments.paths or (device.type != "cuda" and title not in ON_A_CPU):
            continue
        paths[title] = attempt(lambda settings=settings: path(settings))  # type: ignore[misc]
        keep(results)
    wide = (32, 18) if quick else (1920, 1080)
    few = 3 if quick else 16
    small = (16, 16) if quick else (256, 256)
    others = [replace(avatar, name=f"{avatar.name} {n}") for n in range(few)]

    def at_once(avatars: list[Avatar], size: tuple[int, int]) -> dict[str, Any]:
        return figures_of(avatars, size, device, CrowdSettings(), rounds)[0]

    parts: dict[str, tuple[str, Callable[[], Any]]] = {
        "wide": (f"one stream, {wide[0]}x{wide[1]}", lambda: at_once([avatar], wide)),
        "avatars": (f"{few} avatars, {small[0]}x{small[1]}", lambda: at_once(others, small)),
        "receivers": (
            f"{few} receivers of one, {small[0]}x{small[1]}",
            lambda: at_once([avatar] * few, small),
        ),
        "packed": ("packed head by nerfacc", lambda: packed(avatar, side, device, rounds)),
    }
    if arguments.frames and arguments.track:
        parts["enrolment"] = ("enrolment", lambda: enrolment(arguments))
    for name, (title, part) in parts.items():
        if name in arguments.parts:
            results[title] = attempt(part)
            keep(results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--quick", action="store_true", help="small pictures, few rounds")
    parser.add_argument("--avatar", type=Path, help="to draw (default: made-up fields)")
    parser.add_argument("--frames", type=Path, help="to enrol from, by facewire track --frames")
    parser.add_argument("--track", type=Path, help="and their track")
    parser.add_argument("--size", type=int, default=512, help="to enrol at")
    parser.add_argument("--budgets", type=float, nargs="+", default=[30.0, 60.0, 240.0])
    parser.add_argument("--keep", type=Path, help="folder for the avatars that were enrolled")
    parser.add_argument("--paths", choices=tuple(PATHS), nargs="+", default=tuple(PATHS),
                        help="of the twins, default: all")  # fmt: skip
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS, help="default: all")
    parser.add_argument("-o", dest="output", type=Path, help="keep the results here, as JSON")
    parser.add_argument("--tinycudann", type=Path, help="its sources, to be built first")
    arguments = parser.parse_args()
    if arguments.tinycudann:
        if not torch.cuda.is_available():
            raise SystemExit("tinycudann is built for the GPU of this machine; torch sees none")
        try:
            build_tinycudann(arguments.tinycudann, torch.cuda.get_device_capability())
        except FacewireError as error:
            print(error, flush=True)  # what does without it is measured all the same

    def keep(results: dict[str, Any]) -> None:
        if arguments.output:
            arguments.output.write_text(json.dumps(results, indent=2) + "\n")
        title = list(results)[-1]
        print(title, json.dumps(results[title], indent=2), flush=True)

    measure(arguments, keep)


if __name__ == "__main__":
    main()
