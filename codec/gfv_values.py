"""Values to GFV messages and back, by the predictions of HM's writer.

Of a base picture a keypoint is predicted from the one before it; of the first message after it
everything from the base picture, of the others from the message before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from avatar.errors import InputError, StreamError
from codec.gfv_syntax import ChromaKey, GfvLayout, Matrices, Network, Points, Rows
from codec.sei import Gfv

T = TypeVar("T")


class GfvReader:
    """Messages of one id in order -> values.  `take` gives keypoints (rows) and matrix elements
    as integers in 2**-precision, predictions undone."""

    def __init__(self) -> None:
        self._base = GfvLayout()
        self._points: tuple[Rows | None, Rows | None] = (None, None)  # base, previous
        self._elements: tuple[tuple[int, ...] | None, tuple[int, ...] | None] = (None, None)

    def parse(self, payload: bytes) -> Gfv:
        return Gfv.parse(payload, self._base)

    def take(self, message: Gfv) -> tuple[Rows | None, tuple[int, ...] | None]:
        """Raises StreamError for a difference to what was never there."""
        which = int(message.count > 0)
        rows = None
        if message.points is not None:
            rows = message.points.rows
            if message.points.predicted:
                if message.base:
                    rows = _summed(rows)
                else:
                    rows = _moved(_needed(self._points[which]), rows)
        elements = None
        if message.matrices is not None:
            elements = message.matrices.elements
            if message.matrices.predicted:
                before = _needed(self._elements[which])
                if len(before) != len(elements):
                    raise StreamError("GFV: predicted matrices of another layout", field="matrix")
                elements = tuple(a + b for a, b in zip(before, elements))
        if message.base:
            self._base = message.layout
            self._points, self._elements = (rows, rows), (elements, elements)
        else:
            self._points = (self._points[0], rows if rows is not None else self._points[1])
            last = elements if elements is not None else self._elements[1]
            self._elements = (self._elements[0], last)
        return rows, elements


def _needed(value: T | None) -> T:
    if value is None:
        raise StreamError("GFV: a difference without what it is one to", field="pred_flag")
    return value


def _summed(rows: Rows) -> Rows:
    out: list[tuple[int, ...]] = []
    for row in rows:
        before = out[-1] if out else (0,) * len(row)
        out.append(tuple(a + b for a, b in zip(before, row)))
    return tuple(out)


def _moved(before: Rows, rows: Rows) -> Rows:
    if len(before) != len(rows) or any(len(a) != len(b) for a, b in zip(before, rows)):
        raise StreamError("GFV: predicted keypoints of another layout", field="coordinate")
    return tuple(tuple(x + y for x, y in zip(a, b)) for a, b in zip(before, rows))


class GfvWriter:
    """Values -> messages of one id, predicted wherever something is there to predict from.

    Values are rounded to the nearest step, halves away from zero, on both sides of it (HM's own
    rounding is one step off for negative ones).
    """

    def __init__(self, number: int, layout: GfvLayout) -> None:
        self._id = number
        self._layout = layout
        self._reader = GfvReader()
        self._count = 0
        self._last: tuple[Rows | None, tuple[int, ...] | None] = (None, None)

    def base(
        self,
        points: list[list[float]] | None,
        elements: list[float] | None,
        network: Network | None = None,
        chroma_key: ChromaKey | None = None,
    ) -> Gfv:
        """A base picture's message."""
        rows, numbers = self._rounded(points, elements)
        if rows is not None:
            zero = (0,) * len(rows[0])
            rows = tuple(
                tuple(a - b for a, b in zip(r, before)) for r, before in zip(rows, (zero, *rows))
            )
        message = self._message(0, True, True, rows, numbers, False, False)
        message = replace(message, network=network, chroma_key=chroma_key)
        self._last = self._reader.take(message)
        self._count = 0
        return message

    def drive(
        self,
        points: list[list[float]] | None,
        elements: list[float] | None,
        low_confidence: bool = False,
        fusion: bool = False,
    ) -> Gfv:
        """The message of a picture that is generated from the base picture."""
        rows, numbers = self._rounded(points, elements)
        before_rows, before = self._last
        if rows is not None and before_rows is not None:
            rows = tuple(
                tuple(a - b for a, b in zip(r, q)) for r, q in zip(rows, before_rows, strict=True)
            )
        if numbers is not None and before is not None:
            numbers = tuple(a - b for a, b in zip(numbers, before, strict=True))
        predicted = (before_rows is not None, before is not None)
        message = self._message(
            self._count, False, predicted[0], rows, numbers, low_confidence, fusion, predicted[1]
        )
        self._last = self._reader.take(message)
        self._count += 1
        return message

    def _message(
        self,
        count: int,
        base: bool,
        predicted: bool,
        rows: Rows | None,
        elements: tuple[int, ...] | None,
        low: bool,
        fusion: bool,
        matrices: bool = False,
    ) -> Gfv:
        layout = self._layout
        held = None
        if rows is not None and layout.points is not None:
            held = Points(predicted, layout.points, rows)
        numbers = None
        if elements is not None and layout.matrices is not None:
            numbers = Matrices(matrices, layout.matrices, elements)
        return Gfv(
            self._id,
            count,
            base,
            fusion=fusion,
            low_confidence=low,
            points=held,
            matrices=numbers,
        )

    def _rounded(
        self, points: list[list[float]] | None, elements: list[float] | None
    ) -> tuple[Rows | None, tuple[int, ...] | None]:
        rows = numbers = None
        if points is not None:
            if self._layout.points is None:
                raise InputError("the layout has no keypoints")
            bits = self._layout.points.precision
            rows = tuple(tuple(_nearest(v, bits) for v in row) for row in points)
        if elements is not None:
            if self._layout.matrices is None:
                raise InputError("the layout has no matrices")
            bits = self._layout.matrices.precision
            numbers = tuple(_nearest(v, bits) for v in elements)
        return rows, numbers


def _nearest(value: float, bits: int) -> int:
    scaled = int(abs(value) * 2.0**bits + 0.5)
    return -scaled if value < 0 else scaled
