"""A request's body on its way into a sealed file: never whole in memory, never plain on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from fastapi import Request


def pieces_of(request: Request) -> Iterator[bytes]:
    """The body's pieces, for a thread beside the loop that calls this.  Raises what receiving
    raises."""
    loop = asyncio.get_running_loop()
    stream = request.stream().__aiter__()

    async def piece() -> bytes | None:
        return await anext(stream, None)

    def pieces() -> Iterator[bytes]:
        while (got := asyncio.run_coroutine_threadsafe(piece(), loop).result()) is not None:
            yield got

    return pieces()
