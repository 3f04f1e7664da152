"""A window on this machine's display."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError

_LEAVE = (ord("q"), 27)  # and Escape


def check_display(cure: str) -> None:
    """Raises InputError, with `cure`, where there is none."""
    there = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if not there:
        raise InputError("there is no display to open a window on", cure)


def shown(title: str, picture: NDArray[np.uint8]) -> bool:
    """[H, W, 3] RGB into the window of that title.  False once it is left, by q or its cross."""
    import cv2

    window: Any = cv2
    window.imshow(title, np.ascontiguousarray(picture[:, :, ::-1]))
    if window.waitKey(1) & 0xFF in _LEAVE:
        return False
    return bool(window.getWindowProperty(title, window.WND_PROP_VISIBLE) >= 1)


def left(title: str) -> None:
    import cv2

    with suppress(cv2.error):  # it was closed by its cross, or never opened
        cv2.destroyWindow(title)
