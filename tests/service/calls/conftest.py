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

    def states(row, avatar):
        return FaceStates(np.array([row.time]), row.image[None], np.array([True]), avatar.layout)

    monkeypatch.setattr(face_end, "states_of", states)

    class Tracker:
        def step(self, frame):
            return Row(frame)

        def close(self):
            pass

    return Tracker()
