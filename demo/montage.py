"""Pictures side by side under their labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_STRIP = 0.16  # of a panel's side: two lines of label
_GROUND = 18  # grey level
_TEXT = (235, 235, 235)
_FAINT = (160, 160, 160)


class Montage:
    """Panels of side x side in one row.  Labels have a title and a line below it."""

    def __init__(self, labels: Sequence[tuple[str, str]], side: int) -> None:
        self._side = side
        self._strip = round(_STRIP * side / 2) * 2
        self._gap = max(2, round(side / 64) * 2)
        self._count = len(labels)
        self._blank = self._drawn(labels)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, both even."""
        width = self._count * self._side + (self._count + 1) * self._gap
        height = self._strip + self._side + self._gap
        return width + width % 2, height + height % 2

    def picture(self, panels: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """[side, side, 3] RGB panels -> [height, width, 3]."""
        out = self._blank.copy()
        for index, panel in enumerate(panels):
            left = self._gap + index * (self._side + self._gap)
            out[self._strip : self._strip + self._side, left : left + self._side] = panel
        return out

    def _drawn(self, labels: Sequence[tuple[str, str]]) -> NDArray[np.uint8]:
        from PIL import Image, ImageDraw, ImageFont

        image = Image.new("RGB", self.size, (_GROUND,) * 3)
        draw = ImageDraw.Draw(image)
        large = ImageFont.load_default(max(8, round(self._strip * 0.36)))
        small = ImageFont.load_default(max(7, round(self._strip * 0.28)))
        for index, (title, below) in enumerate(labels):
            left = self._gap + index * (self._side + self._gap)
            draw.text((left, self._strip * 0.10), title, _TEXT, large)
            draw.text((left, self._strip * 0.55), below, _FAINT, small)
        return np.asarray(image, np.uint8)
