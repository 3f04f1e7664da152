"""Importing it reads what tracking and drawing need: once, by the process that theirs are forked
from (`service.apart`).  No thread, model or GPU is begun."""

from __future__ import annotations

from importlib.util import find_spec

# What is missing is told where it is used.
if find_spec("torch") and find_spec("numba"):
    from render.start import get_ready
    from service import receiver  # noqa: F401

    get_ready()
    if find_spec("mediapipe"):
        from enroll.landmarks import quiet_mediapipe
        from service import mirror  # noqa: F401

        quiet_mediapipe()
