"""Conditional and range requests (RFC 9110, sections 13 and 14), for one range of bytes."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Unsatisfiable(Exception):
    """The range lies behind the end: 416."""


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """(start, stop) of the bytes asked for; None for all of them, as for several ranges and for
    what is no range, which a server may ignore.  Raises Unsatisfiable."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None
    if start >= size or start >= stop:
        raise Unsatisfiable
    return start, stop


def is_among(tag: str, header: str | None) -> bool:
    """Whether If-None-Match names `tag` (quoted), weakly compared."""
    if header is None:
        return False
    named = {part.strip().removeprefix("W/") for part in header.split(",")}
    return tag in named or "*" in named
