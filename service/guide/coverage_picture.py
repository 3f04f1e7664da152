"""What a video shows of a face, as a picture for who was filmed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from service.guide.coverage import NODDED, TURNED, WORDS, Coverage

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_SIZE = (760, 330)
_INK, _FAINT, _FULL = (40, 40, 40), (225, 231, 238), (31, 96, 168)
_CELL, _MAP = (76, 52), (70, 74)  # pixels; the map's corner
_WORDS, _BAR, _BARS, _LINE = 476, 120, (600, 64), 30


def coverage_png(coverage: Coverage) -> bytes:
    """A PNG: a map of where the head was turned, as in a mirror, and a bar for each thing that an
    avatar learns from."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", _SIZE, "white")
    draw = ImageDraw.Draw(image)
    _write(draw, (16, 18), "Seconds with the head there, as in a mirror", 16)
    _map(draw, coverage.mirrored)
    _write(draw, (_WORDS, 18), "Of what a good enrolment shows", 16)
    for row, (name, share) in enumerate(coverage.shares.items()):
        _bar(draw, _BARS[1] + _LINE * row, WORDS[name], share)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _map(draw: ImageDraw, seconds: NDArray[Any]) -> None:
    most = max(float(seconds.max()), 1e-6)
    (left, top), (width, height) = _MAP, _CELL
    for column, word in enumerate(TURNED):
        _write(draw, (left + column * width + 4, top - 20), word, 13)
    for row, word in enumerate(NODDED):
        _write(draw, (16, top + row * height + height // 2 - 8), word, 13)
        for column, value in enumerate(seconds[row]):
            x, y = left + column * width, top + row * height
            # By its root: a minute ahead is not to hide a second to the side.
            share = float(value / most) ** 0.5
            colour = _mixed(_FAINT, _FULL, share)
            draw.rectangle((x, y, x + width - 3, y + height - 3), fill=colour)
            text = f"{value:.1f}" if value else "-"
            _write(draw, (x + 8, y + 16), text, 14, (255, 255, 255) if share > 0.5 else _INK)


def _bar(draw: ImageDraw, top: int, word: str, share: float) -> None:
    left = _BARS[0]
    _write(draw, (_WORDS, top), word, 13)
    draw.rectangle((left, top + 2, left + _BAR, top + 14), fill=_FAINT)
    if share > 0:
        draw.rectangle((left, top + 2, left + round(_BAR * share), top + 14), fill=_FULL)
    _write(draw, (left + _BAR + 6, top), f"{100 * share:.0f}%", 12)


def _mixed(one: tuple[int, ...], other: tuple[int, ...], share: float) -> tuple[int, ...]:
    return tuple(round(a + (b - a) * share) for a, b in zip(one, other))


def _write(
    draw: ImageDraw, at: tuple[int, int], text: str, size: int, colour: tuple[int, ...] = _INK
) -> None:
    from PIL import ImageFont

    draw.text(at, text, font=ImageFont.load_default(size), fill=colour)
