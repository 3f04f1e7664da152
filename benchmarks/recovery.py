"""Portrait Recovery: key frames of people whom nothing was trained on, as decoded and as restored.

    python -m benchmarks.recovery CROPS [--weights FILE] [--each N] [--work FOLDER]

CROPS is a folder of prepared crops (`facewire train-mttf` makes one); of every clip that
`codec/mttf/data/held_out.txt` names, N crops spread over it are coded.  PSNR and MS-SSIM are means
over the crops; "nearer" counts those that the sender would send with their level of recovery.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from codec.mttf.classic import CODECS
from codec.mttf.keyframe import decode_key, encode_key
from codec.mttf.packet import KeyFrame
from codec.mttf.portraits import held_out_clips
from codec.mttf.recovery import Picture, Recovery, RecoveryNet, level_of
from codec.mttf.recovery_file import FILE, load_recovery
from codec.mttf.weights import find_file
from render.metrics import ms_ssim, psnr

POINTS = (("av1", 42), ("av1", 52), ("av1", 60), ("vvc", 42), ("vvc", 52))


def crops_of(folder: Path, each: int) -> dict[str, Picture]:
    """By clip and number."""
    from PIL import Image

    out = {}
    for name in held_out_clips():
        paths = sorted((folder / name).glob("*.jpg"))
        rows = np.linspace(0, len(paths) - 1, each + 2)[1:-1] if paths else []
        for path in (paths[round(row)] for row in rows):
            out[f"{name}-{path.stem}"] = np.asarray(Image.open(path).convert("RGB"))
    if not out:
        raise SystemExit(f"{folder} holds no crops of the test people")
    return out


def coded(picture: Picture, name: str, qp: int, kept: Path | None) -> bytes:
    """kept: where it is looked for first."""
    if kept is not None and kept.is_file():
        return kept.read_bytes()
    data = encode_key(picture, name, qp)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(data)
    return data


def cost(recovery: Recovery, side: int) -> float:
    """Milliseconds of processor time for one picture, the best of five."""
    picture = np.zeros((side, side, 3), np.uint8)
    best = float("inf")
    for _ in range(5):
        begin = time.process_time()
        recovery.restored(picture, 8)
        best = min(best, time.process_time() - begin)
    return 1e3 * best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("crops", type=Path, metavar="CROPS")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="in place of those at hand")
    parser.add_argument("--each", type=int, default=2, metavar="N", help="crops of a clip")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="keeps the coded key frames")
    asked = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    weights = load_recovery(asked.weights or find_file(FILE))
    recovery = Recovery(weights)
    count = sum(p.numel() for p in RecoveryNet(weights.settings).parameters())
    costs = ", ".join(f"{cost(recovery, side):.0f} ms at {side}" for side in (128, 256, 512))
    print(f"{count} parameters; of one core: {costs}")
    pictures = crops_of(asked.crops, asked.each)
    print("codec  QP  bytes  PSNR: decoded  restored  MS-SSIM: decoded  restored  nearer")
    for name, qp in POINTS:
        rows, nearer = [], 0
        for crop, picture in pictures.items():
            side, number = picture.shape[0], CODECS[name].number
            kept = asked.work / f"{crop}-{name}-{qp}" if asked.work else None
            data = coded(picture, name, qp, kept)
            shown = decode_key(data, number, side)
            made = recovery.restored(shown, level_of(name, qp))
            sent, _ = recovery.measured(KeyFrame(0, 0, number, side, data), shown, picture, qp)
            nearer += sent.recovery > 0
            figures = [f(picture, x) for f in (psnr, ms_ssim) for x in (shown, made)]
            rows.append([len(data), *figures])
        size, *means = np.mean(rows, axis=0)
        print(
            f"{name:5s} {qp:3d} {size:6.0f} {means[0]:14.2f} {means[1]:9.2f} {means[2]:17.4f} "
            f"{means[3]:9.4f}  {nearer} of {len(rows)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
