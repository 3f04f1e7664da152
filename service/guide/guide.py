"""The guided capture: pictures in; the tracked mesh, advice and the script's place out."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np

from avatar.errors import InputError
from service.guide.advice import advise, mesh_points
from service.guide.measures import measures_of
from service.guide.script import PROMPTS, Script
from service.jpeg import read_jpeg


class Guide:
    """One person before the camera, from the first picture on."""

    def __init__(self, order: list[str]) -> None:
        from enroll.track_live import CausalTracker

        self._tracker = CausalTracker()
        self._script = Script(order)
        self._begun = time.monotonic()
        self._size: tuple[int, ...] | None = None

    def step(self, data: bytes) -> dict[str, Any]:
        """A JPEG -> JSON values: what is seen, what to do, and how far the script has come.  Raises
        InputError for no such picture, or one of another size."""
        from enroll.capture import Frame

        image = read_jpeg(data)
        if self._size not in (None, image.shape):
            raise InputError("the pictures change their size", "Start the camera again.")
        self._size = image.shape
        now = int((time.monotonic() - self._begun) * 1e6)
        row = self._tracker.step(Frame(image, now)).row
        points = mesh_points(row)
        advice = advise(image, row, points)
        self._script.step(measures_of(row))
        current = self._script.current
        return {
            **asdict(advice),
            "mesh": np.rint(points[::2] * 1000).astype(int).ravel().tolist() if advice.seen else [],
            "gesture": current,
            "prompt": PROMPTS[current],
            "at": max(0, self._script.at),
            "of": len(self._script.order),
            "faults": self._script.faults,
        }
