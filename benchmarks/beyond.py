"""What a head looks like that turns farther than it did in its enrolment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from avatar.track_file import read_track
from bench.figure import Figure
from benchmarks.lab import Lab, number, yaw_of
from render.metrics import face_ms_ssim, psnr
from service.compare import aligned

_EDGES = (15.0, 20.0, 25.0, 30.0, 35.0)  # degrees; the last band ends at nothing


def beyond(lab: Lab) -> Iterator[Figure]:
    """Enrolled on |yaw| < 15 degrees, judged beyond: by bands of yaw, PSNR of the window and
    MS-SSIM of the face at effort 1."""
    name = "turned beyond 15 degrees"
    who = lab.enrolled("turning.mp4", "yaw15")
    stream = lab.stream(who, "--effort=1")
    video = lab.video(who, stream, 256)
    found = lab.compared(who, stream, video)
    for key in ("psnr", "psnr_face", "ms_ssim_face"):
        unit = "dB" if "psnr" in key else ""
        yield Figure(name, key, number(found[key]), unit, note=who.cost)
    track = lab.track(who.cut.judge)
    yaw, boxes = np.abs(yaw_of(track)), read_track(track).box
    pairs = list(aligned(who.cut.judge, video, stream))
    for low, high in zip(_EDGES, (*_EDGES[1:], 90.0)):
        rows = np.flatnonzero((yaw[: len(pairs)] >= low) & (yaw[: len(pairs)] < high))
        if not len(rows):
            continue
        band, note = f"{low:g} to {high:g} degrees", f"{len(rows)} frames"
        window = np.mean([psnr(*pairs[row]) for row in rows])
        yield Figure(name, f"psnr, {band}", float(window), "dB", note=note)
        face = np.mean([face_ms_ssim(*pairs[row], boxes[row]) for row in rows])
        yield Figure(name, f"ms_ssim_face, {band}", float(face), "", note=note)
