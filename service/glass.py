"""A mirror on a page: JPEG in, and out what a receiver would see of it."""

from __future__ import annotations

import time
from typing import Any

from numpy.typing import NDArray

from avatar.avatar import Avatar
from avatar.errors import InputError
from enroll.identity import IdentityWatch
from service.jpeg import read_jpeg, write_jpeg

_DEADLINE = 0.1  # seconds that a picture may take


class Glass:
    """One person before one avatar.  size: pixels a side.  sign: of who was enrolled; without it
    whoever comes is taken for them."""

    def __init__(self, avatar: Avatar, size: int, device: str, sign: NDArray[Any] | None) -> None:
        from service.mirror import Mirror, MirrorSettings
        from service.watermark.mark import Watermark

        watch = None if sign is None else IdentityWatch(sign)
        self._mirror = Mirror(avatar, MirrorSettings(size=size, device=device), watch, _DEADLINE)
        self._mark = Watermark(avatar.digest)
        self._begun = time.monotonic()
        self._size: tuple[int, ...] | None = None

    def step(self, data: bytes) -> tuple[dict[str, Any], bytes]:
        """A JPEG -> JSON values that a page tells, and the JPEG that it shows.  Raises
        InputError."""
        from enroll.capture import Frame
        from service.calls.badge import badged

        arrived = time.monotonic()
        image = read_jpeg(data)
        if self._size not in (None, image.shape):
            raise InputError("the pictures change their size", "Open the mirror again.")
        self._size = image.shape
        seen = self._mirror.step(Frame(image, int((arrived - self._begun) * 1e6)))
        picture = write_jpeg(self._mark.on(badged(seen.shown), seen.time))
        took = round((time.monotonic() - arrived) * 1000)
        said = {
            "kbps": round(seen.kbps, 2),
            "visible": seen.visible,
            "owner": seen.owner,
            "left_out": seen.left_out,
        }
        return {**said, "milliseconds": took}, picture
