"""How much of what a face can do a video shows, for the guide and the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.face import FaceTrack
from service.guide.measures import Measures, measures_of

# What a good enrolment reaches from the person at rest, which the guided script asks for as well:
# gesture -> (measure, direction, how far).
REACH: dict[str, tuple[str, int, float]] = {
    "left": ("yaw", 1, 20.0),  # the subject's left is the viewer's right
    "right": ("yaw", -1, 20.0),
    "up": ("pitch", 1, 12.0),
    "down": ("pitch", -1, 12.0),
    "open": ("mouth", 1, 0.12),
    "smile": ("smile", 1, 0.06),
}
# For people, of `Coverage.shares`.
WORDS = {
    "left": "turned to the left",
    "right": "turned to the right",
    "up": "chin up",
    "down": "chin down",
    "mouth": "mouth open",
    "smile": "smile",
    "blinks": "blinks",
    "length": "length",
}
TURNED = ("far left", "left", "ahead", "right", "far right")  # as in a mirror
NODDED = ("up", "level", "down")
_LITTLE = 0.5  # of a good enrolment's reach, below which it is worth filming
SHUT = 0.45  # lids, against those at rest
_TURNS = ("left", "right", "up", "down")
_BLINKS, _SECONDS = 4, 30.0
YAWS = (-90, -20, -8, 8, 20, 90)  # edges of the map's columns, degrees against rest
PITCHES = (-90, -8, 8, 90)  # of its rows


@dataclass(frozen=True)
class Coverage:
    """shares: name -> 0..1, how far a good enrolment's reach was come.  map: [3, 5] seconds with
    the head there, rows from looking down to up, columns from the viewer's left to right."""

    shares: dict[str, float]
    map: NDArray[Any]

    @property
    def missing(self) -> list[str]:
        """Of `shares`, what the video shows little of, the least first."""
        little = [name for name, share in self.shares.items() if share < _LITTLE]
        return sorted(little, key=lambda name: self.shares[name])

    @property
    def words(self) -> str:
        """The same for who was filmed."""
        if not self.missing:
            return "The video shows all that an avatar learns from."
        told = [f"{WORDS[name]} ({100 * self.shares[name]:.0f} %)" for name in self.missing]
        return f"The video shows little of: {', '.join(told)}. What is not filmed is guessed."

    @property
    def mirrored(self) -> NDArray[Any]:
        """[3, 5] the map's seconds as their owner sees them in a mirror: rows `NODDED`, columns
        `TURNED`."""
        return np.asarray(self.map[::-1, ::-1])


def coverage_of(track: FaceTrack) -> Coverage:
    return covered(measures_of(track))


def covered(seen: Measures) -> Coverage:
    """Raises nothing: frames without a face count for nothing, and none at all cover nothing."""
    rows = ~np.isnan(seen.yaw)
    shape = (len(PITCHES) - 1, len(YAWS) - 1)
    if rows.sum() < 2:
        names = [*_TURNS, "mouth", "smile", "blinks", "length"]
        return Coverage(dict.fromkeys(names, 0.0), np.zeros(shape))
    frame = float(np.median(np.diff(seen.time))) / 1e6
    yaw, pitch = (v[rows] - np.median(v[rows]) for v in (seen.yaw, seen.pitch))
    turned = {"yaw": yaw, "pitch": pitch}
    shares = {}
    for name in _TURNS:
        measure, sign, full = REACH[name]
        shares[name] = np.percentile(sign * turned[measure], 98) / full
    mouth, smile, lids = seen.mouth[rows], seen.smile[rows], seen.lids[rows]
    shut = lids < SHUT * np.median(lids)
    shares["mouth"] = (np.percentile(mouth, 99) - np.percentile(mouth, 10)) / REACH["open"][2]
    shares["smile"] = (np.percentile(smile, 98) - np.median(smile)) / REACH["smile"][2]
    shares["blinks"] = (np.diff(shut.astype(int)) == 1).sum() / _BLINKS
    shares["length"] = rows.sum() * frame / _SECONDS
    counts, _, _ = np.histogram2d(pitch, yaw, bins=[np.array(PITCHES), np.array(YAWS)])
    limited = {name: round(float(np.clip(share, 0, 1)), 2) for name, share in shares.items()}
    return Coverage(limited, counts * frame)
