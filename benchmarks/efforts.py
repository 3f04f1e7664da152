"""What each effort of closed-loop encoding gives, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.figure import Figure
from benchmarks.lab import Lab, number

LEVELS = (0, 1, 2, 3)


def efforts(lab: Lab, clip: str, protocol: str) -> Iterator[Figure]:
    """PSNR and MS-SSIM of the same held-out frames at every effort, their rate, and the time of a
    frame: of the whole command, tracking included."""
    who = lab.enrolled(clip, protocol)
    for level in LEVELS:
        name = f"effort {level}, {who.name}"
        stream = who.avatar.with_suffix(f".timed{level}.fw")
        words = ("encode", who.cut.judge, "--avatar", who.avatar, "-o", stream)
        ran = lab.run(*words, "--effort", str(level))
        found = lab.compared(who, stream, lab.video(who, stream, 256))
        facts = lab.info(stream)
        for key in ("psnr", "psnr_face", "ms_ssim_face"):
            yield Figure(
                name, key, number(found[key]), "dB" if "psnr" in key else "", note=who.cost
            )
        yield Figure(name, "payload", number(facts["payload_kbps"]), "kbit/s")
        yield Figure(name, "a frame", 1e3 * ran.wall / number(facts["frames"]), "ms", note=ran.cost)


def _row(clip: str, protocol: str) -> Callable[[Lab], Iterator[Figure]]:
    return lambda lab: efforts(lab, clip, protocol)


EFFORTS: dict[str, Callable[[Lab], Iterator[Figure]]] = {
    "efforts-podium": _row("podium.mp4", "tail"),
    "efforts-turning": _row("turning.mp4", "fifths"),
}
