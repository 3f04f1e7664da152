"""Another camera: an avatar called from films of another size, through another lens, or from
another place in the picture than it was enrolled in.

The films are the held-out one, changed: what is learned from it is as good as ever, so that what is
lost is lost by the way from one camera to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from bench.ffmpeg import run_ffmpeg
from bench.figure import Figure
from benchmarks.lab import Lab, number

# Filters of ffmpeg.
VIEWS = {
    "as enrolled": "null",
    "three quarters of the lines": "scale=iw*3/4:ih*3/4:flags=lanczos",
    "a lens longer by a fifth": "crop=iw/1.2:ih/1.2",
    "at the left of a wide picture": "pad=ceil(ih*8/9)*2:ih:0:0:gray",
}


def another_camera(lab: Lab, clip: str) -> Iterator[Figure]:
    """Of each view: dB of the window and the face, MS-SSIM of the face, as tracked and refined."""
    who = lab.enrolled(clip, "10s")
    for view, changed in VIEWS.items():
        stem = view.replace(" ", "-")
        judge = who.avatar.with_name(f"{stem}.mkv")
        if not judge.exists():
            run_ffmpeg(["-i", str(who.cut.judge), "-vf", changed, "-c:v", "ffv1", str(judge)])
        avatar = who.avatar.with_name(f"{stem}.avatar")
        if not avatar.exists():
            avatar.symlink_to(who.avatar.resolve())
        seen = replace(who, cut=replace(who.cut, judge=judge), avatar=avatar)
        for effort in (0, 1):
            stream = lab.stream(seen, f"--effort={effort}")
            found = lab.compared(seen, stream, lab.video(seen, stream, 256))
            name = f"{who.name} {view}, effort {effort}"
            for key in ("psnr", "psnr_face", "ms_ssim_face"):
                yield Figure(name, key, number(found[key]), "dB" if "psnr" in key else "")


ANOTHER_CAMERA: dict[str, Callable[[Lab], Iterator[Figure]]] = {
    "another-camera": lambda lab: another_camera(lab, "podium.mp4"),
}
