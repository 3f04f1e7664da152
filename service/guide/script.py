"""The guided script of a capture, which is the liveness challenge too: gestures in a random order,
checked on the face as it is tracked, live and once more on the video that was sent.

Everything is measured against the person at rest, in the first second.  How far a gesture has to go
is what the coverage of an enrolment wants (`coverage.REACH`).  A turn of the head or an open mouth
that was not asked for is a fault; a film of somebody that was not made for this very order collects
them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.face import FaceTrack
from service.guide.coverage import REACH, SHUT
from service.guide.measures import Measures, measures_of

PROMPTS = {
    "rest": "Look into the camera",
    "left": "Turn your head to your left",
    "right": "Turn your head to your right",
    "up": "Lift your chin",
    "down": "Lower your chin",
    "open": "Open your mouth wide",
    "smile": "Smile",
    "blink": "Blink slowly, twice",
    "read": "Read aloud: The quick brown fox jumps over the lazy dog, twice, and sings about it",
    "done": "Done, thank you",
}
_WATCHED = ("left", "right", "up", "down", "open")  # what nobody does by chance
_REST = 700_000  # us of looking into the camera
_STRANGE = 0.8  # share of a gesture's reach that is a fault where it was not asked for
_BACK = 0.45  # share below which a gesture has ended
_WIDE = 0.75  # lids that are open again, against those at rest
_SYLLABLE = 0.015  # change of the mouth's opening that counts as one
_SYLLABLES, _READING = 12, 2_500_000  # of a sentence read, and us that it takes at least
_SILENCE = 600_000  # us of a closed mouth after it: longer than the pause at a comma
MOST_FAULTS = 2


def drawn_script() -> list[str]:
    """The order of one capture: all gestures once, shuffled by the system's own randomness."""
    names = [*REACH, "blink", "read"]
    secrets.SystemRandom().shuffle(names)
    return names


@dataclass
class Script:
    """Where one capture stands.  `step` takes the frames in order."""

    order: list[str]
    at: int = -1  # -1: the person at rest is measured
    faults: int = 0
    _rest: dict[str, float] = field(default_factory=dict)
    _first: list[NDArray[Any]] = field(default_factory=list)
    _since: int | None = None
    _settled: bool = True
    _shut: bool = False
    _count: int = 0
    _turn: float = 0.0
    _rising: bool = True
    _spoke: int = 0

    @property
    def current(self) -> str:
        """The gesture that is waited for; "rest" before, "done" after."""
        if self.at < 0:
            return "rest"
        return self.order[self.at] if self.at < len(self.order) else "done"

    @property
    def done(self) -> bool:
        return self.at >= len(self.order)

    def step(self, seen: Measures, row: int = 0) -> None:
        """One frame; frames without a face are passed over."""
        if self.done or np.isnan(seen.yaw[row]):
            return
        time = int(seen.time[row])
        now = {n: float(getattr(seen, n)[row]) for n in ("yaw", "pitch", "mouth", "smile", "lids")}
        if self.at < 0:
            self._look(time, now)
            return
        if not self._settled:
            self._settled = all(abs(self._reached(g, now)) < _BACK for g in _WATCHED)
            if not self._settled:
                return
        wanted = self.current
        if self._done(wanted, now, time):
            self._next(time)
            return
        strange = [g for g in _WATCHED if g != wanted and self._reached(g, now) >= _STRANGE]
        if strange and not (wanted == "read" and strange == ["open"]):
            self.faults += 1
            self._settled = False

    def _look(self, time: int, now: dict[str, float]) -> None:
        self._since = time if self._since is None else self._since
        self._first.append(np.array(list(now.values())))
        if time - self._since >= _REST:
            middle = np.median(self._first, axis=0)
            self._rest = dict(zip(now, middle.tolist()))
            self._next(time)

    def _next(self, time: int) -> None:
        self.at += 1
        self._since, self._settled, self._shut, self._count = time, False, False, 0
        self._turn, self._rising, self._spoke = self._rest["mouth"], True, time

    def _reached(self, gesture: str, now: dict[str, float]) -> float:
        """1 where it is made."""
        measure, sign, full = REACH[gesture]
        return sign * (now[measure] - self._rest[measure]) / full

    def _done(self, gesture: str, now: dict[str, float], time: int) -> bool:
        if gesture == "blink":
            lids = now["lids"] / max(self._rest["lids"], 0.3)
            if lids < SHUT:
                self._shut = True
            elif lids > _WIDE and self._shut:
                self._shut, self._count = False, self._count + 1
            return self._count >= 2
        if gesture == "read":
            self._syllable(now["mouth"])
            if self._reached("open", now) >= _BACK:
                self._spoke = time
            assert self._since is not None
            # Whoever reads on still does what was asked, so the next prompt waits for the end.
            read = self._count >= _SYLLABLES and time - self._since >= _READING
            return read and time - self._spoke >= _SILENCE
        return self._reached(gesture, now) >= 1

    def _syllable(self, mouth: float) -> None:
        """Counts the turns of the mouth between opening and closing."""
        away = mouth - self._turn
        if (away > 0) == self._rising:
            self._turn = mouth
        elif abs(away) > _SYLLABLE:
            self._rising, self._turn, self._count = not self._rising, mouth, self._count + 1


def passed(track: FaceTrack, order: list[str]) -> bool:
    """Whether the video shows the script in its order."""
    script, seen = Script(order), measures_of(track)
    for row in range(len(track)):
        script.step(seen, row)
        if script.faults > MOST_FAULTS:
            return False
    return script.done
