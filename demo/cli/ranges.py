"""`A:B` on the command line: frames from A up to, not including, B."""

from __future__ import annotations

from avatar.errors import InputError


def frame_range(text: str | None) -> slice | None:
    """slice(A, B); either side may be empty.  None stays None: every frame."""
    if text is None:
        return None
    first, colon, last = text.partition(":")
    if not colon or not all(
        part == "" or part.isascii() and part.isdigit() for part in (first, last)
    ):
        raise InputError(
            f"{text!r} is no range of frames", "Give it as A:B with 0 <= A < B, for example 0:250."
        )
    start = int(first) if first else 0
    stop = int(last) if last else None
    if stop is not None and stop <= start:
        raise InputError(f"the range of frames {text} is empty", "Give it as A:B with A < B.")
    return slice(start, stop)
