"""Another day, another room: an avatar called from films in which the same person recurs.

Clothes, hair and light are others than on the day of the enrolment, so that no picture of the
avatar can be the filmed one; what has to hold is who it is, and how they look and move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.figure import Figure
from bench.metrics.identity import csim
from bench.metrics.pose import akd
from benchmarks.lab import Lab, number
from enroll.capture import open_video
from service.compare import aligned

DAYS = ("../short/s004.mp4", "../short/s007.mp4", "../short/s001.mp4")


def another_day(lab: Lab, clip: str, days: tuple[str, ...]) -> Iterator[Figure]:
    """Of each day: identity to the filmed, of the drawn and of the film that was enrolled; how far
    landmarks are apart; dB, MS-SSIM of the face, rate and bytes for the room; with and without
    that day's room and light."""
    first = lab.enrolled(clip, days[0])
    enrolled = np.stack([frame.image for frame in open_video(first.cut.enrol)])
    for day in days:
        cut = lab.cut(clip, day)
        avatar = cut.enrol.with_name(first.avatar.name)
        if not avatar.exists():
            avatar.symlink_to(first.avatar.resolve())
        who = replace(first, cut=cut, avatar=avatar)
        for words in (("--effort=1",), ("--effort=1", "--background=never", "--light=neutral")):
            name = f"{Path(clip).stem} on {Path(day).stem}" + (", as enrolled" if words[1:] else "")
            stream = lab.stream(who, *words)
            video = lab.video(who, stream, 256)
            found = lab.compared(who, stream, video)
            filmed, shown = (
                np.stack(side) for side in zip(*aligned(cut.judge, video, stream), strict=True)
            )
            before = enrolled[np.linspace(0, len(enrolled) - 1, len(filmed)).astype(int)]
            own = float(np.nanmean(csim(filmed, before)))
            like = float(np.nanmean(csim(filmed, shown)))
            yield Figure(name, "identity", like, "", note=f"the film enrolled {own:.3f}")
            yield Figure(name, "landmarks apart", float(np.nanmean(akd(filmed, shown))), "px")
            for key in ("psnr", "psnr_face", "ms_ssim_face"):
                yield Figure(name, key, number(found[key]), "dB" if "psnr" in key else "")
            facts = lab.info(stream)
            yield Figure(name, "payload", number(facts["payload_kbps"]), "kbit/s")
            yield Figure(name, "room", number(facts["background_bytes"]), "bytes")


ANOTHER_DAY: dict[str, Callable[[Lab], Iterator[Figure]]] = {
    "another-day": lambda lab: another_day(lab, "window.mov", DAYS),
}
