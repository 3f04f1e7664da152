"""Filming without a camera: the frame is the state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from avatar.archive import parse_avatar


@pytest.fixture
def ada(archive):
    return parse_avatar(archive)


@pytest.fixture
def moving(monkeypatch):
    from avatar.face import FaceStates
    from service.calls import face_end

    @dataclass
    class Row:
        row: object
        points: object = None

    class States:
        def __init__(self, avatar, refiner):
            self._layout = avatar.layout

        def step(self, frame, row, looks):
            times, seen = np.array([row.time]), np.array([True])
            return FaceStates(times, row.image[None], seen, self._layout)

        def take(self, found):
            pass

    monkeypatch.setattr(face_end, "LiveStates", States)

    class Tracker:
        def step(self, frame):
            return Row(frame)

        def close(self):
            pass

    return Tracker()
