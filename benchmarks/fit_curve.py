"""How a fit's quality grows with its steps, on frames that it never learns from.

    python benchmarks/fit_curve.py VIDEO --track VIDEO.track --size 128 --steps 600 [-o SHEET.png]

The last tenth of the frames is judged; the track is of the whole file, so that identity and focal
length have seen the judged frames: for comparing settings, not for publishing.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image

from avatar.morphable import FaceModel
from avatar.track_file import read_track
from enroll.capture import open_video
from enroll.crops import read_crops
from enroll.draw import DrawSettings
from enroll.fit import Fit, FitSettings
from render.metrics import face_psnr, psnr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video")
    parser.add_argument("--track", required=True)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--frames", type=int, default=12, help="frames a step")
    parser.add_argument("--rays", type=int, default=448, help="head rays a frame")
    parser.add_argument("-o", "--out", type=Path, help="a sheet of source and avatar, PNG")
    arguments = parser.parse_args()
    track = read_track(arguments.track)
    crops = read_crops(open_video(arguments.video), track.window, arguments.size, track.time)
    draw = DrawSettings(arguments.frames, arguments.rays, arguments.rays // 4)
    settings = FitSettings(budget=None, steps=arguments.steps, held_out=0.1, draw=draw)
    fit = Fit(crops.at(track.time), track, FaceModel.load(), settings)
    judged = fit.held_out[np.linspace(0, len(fit.held_out) - 1, 6).astype(int)]
    marks = {0, *np.geomspace(10, arguments.steps, 10).astype(int).tolist()}
    start, busy = time.perf_counter(), time.process_time()
    for step in range(arguments.steps + 1):
        if step in marks:
            pairs = [
                (fit.images[row].numpy(), fit.picture_of(int(row), arguments.size))
                for row in judged
            ]
            whole = np.mean([psnr(source, made) for source, made in pairs])
            boxes = [track.box[row] for row in judged]
            face = np.mean([face_psnr(s, m, box) for (s, m), box in zip(pairs, boxes)])
            print(
                f"{step:6d} steps  {whole:.2f} / {face:.2f} dB  "
                f"{time.perf_counter() - start:.0f} s, {time.process_time() - busy:.0f} s of CPU",
                flush=True,
            )
            if arguments.out:
                sheet = np.concatenate([np.concatenate(pair, axis=1) for pair in pairs[::2]])
                Image.fromarray(sheet).save(arguments.out)
        if step < arguments.steps:
            fit.step(step / arguments.steps)


if __name__ == "__main__":
    main()
