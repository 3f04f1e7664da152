"""A sealed file as an answer: whole, a part of it, or the word that it has not changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import Request, Response
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

from service.api.documented import refused, sent
from service.api.problems import problem
from service.api.ranges import Unsatisfiable, is_among, wanted_range
from service.store.sealed import Resealed, SealedFile


def parts(kind: str) -> dict[int | str, dict[str, Any]]:
    """What `download` may answer, for `responses`."""
    unchanged: dict[int | str, dict[str, Any]] = {304: {"description": "Not Modified"}}
    return sent(kind, 200, 206) | unchanged | refused(416, 507)


def download(
    request: Request,
    source: SealedFile | Resealed,
    tag: str,
    name: str,
    kind: str = "application/octet-stream",
    more: dict[str, str] | None = None,
) -> Response:
    """The answer to a GET or HEAD: 200, 206, 304 or 416.  Takes the source over, and closes it.

    tag: its entity tag, quoted.  name: under which a browser keeps it.  more: headers.
    """
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        **(more or {}),
    }
    try:
        if is_among(tag, request.headers.get("if-none-match")):
            source.close()
            return Response(status_code=304, headers=headers)
        sought = request.headers.get("range")
        if request.headers.get("if-range", tag) != tag:
            sought = None
        part = wanted_range(sought, source.size)
    except Unsatisfiable:
        source.close()
        return problem(
            416, "The range lies behind the end.", {"Content-Range": f"bytes */{source.size}"}
        )
    start, stop = part or (0, source.size)
    headers["Content-Length"] = str(stop - start)
    if part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{source.size}"
    status = 206 if part else 200
    if request.method == "HEAD":
        source.close()
        return Response(status_code=status, headers=headers, media_type=kind)
    return StreamingResponse(
        _pieces(source, start, stop), status, headers, kind,
        background=BackgroundTask(source.close),
    )  # fmt: skip


def _pieces(source: SealedFile | Resealed, start: int, stop: int) -> Iterator[bytes]:
    try:
        yield from source.read(start, stop)
    finally:  # also when the client has gone
        source.close()
