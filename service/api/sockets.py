"""What the WebSockets share: who is asking, pictures in, and one thread of work for each."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from fastapi import WebSocket, WebSocketDisconnect
from numpy.typing import NDArray

from avatar.errors import AccessError, FacewireError, InputError
from service.accounts import tokens
from service.accounts.tokens import Bearer
from service.api.context import Context

_HELLO = 10.0  # seconds in which a client says who it is
_SILENCE = 60.0  # without a word from a client, after which it is let go
_LARGEST = 1280  # pixels a side of a picture
REFUSED, BUSY = 4401, 4503  # close codes

_MORE = "Send a JPEG of up to 1280 pixels a side."


async def welcome(
    socket: WebSocket,
    context: Context,
    scope: str,
    talk: Callable[[Bearer, dict[str, Any], ThreadPoolExecutor], Awaitable[None]],
) -> None:
    """Greets a client, whose first message is JSON with its token, and talks with it until it
    goes.  talk: gets who it is, that message, and a thread for its work.  What FacewireErrors
    say is told as the reason of the end."""
    await socket.accept()
    if context.visits.locked():
        await socket.close(BUSY, "Too many cameras are at work here; try again.")
        return
    async with context.visits:
        worker = ThreadPoolExecutor(1, thread_name_prefix="visit")
        try:
            hello, bearer = await _hello(socket, context, scope)
            await talk(bearer, hello, worker)
        except AccessError as error:
            await _say_goodbye(socket, REFUSED, error)
        except FacewireError as error:
            await _say_goodbye(socket, 1008, error)
        except (WebSocketDisconnect, TimeoutError, KeyError):
            pass  # the client has gone, or sent text for a picture
        finally:
            worker.shutdown(wait=False)


async def _hello(socket: WebSocket, context: Context, scope: str) -> tuple[dict[str, Any], Bearer]:
    async with asyncio.timeout(_HELLO):
        text = await socket.receive_text()
    try:
        hello = json.loads(text)
        token = hello["token"]
        assert isinstance(token, str)
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError):
        raise AccessError("the first message is to be JSON with a token") from None
    with context.database.read() as session:
        bearer = tokens.bearer_of(session, token, context.clock())
    if scope not in bearer.scopes:
        raise AccessError(f"the token does not have the scope {scope}")
    return hello, bearer


async def _say_goodbye(socket: WebSocket, code: int, error: FacewireError) -> None:
    try:
        await socket.close(code, f"{error.message} {error.cure}"[:120])
    except RuntimeError:
        pass


async def next_picture(socket: WebSocket) -> bytes:
    async with asyncio.timeout(_SILENCE):
        return await socket.receive_bytes()


def picture_of(data: bytes) -> NDArray[np.uint8]:
    """[H, W, 3] RGB.  Raises InputError for what is no JPEG of a fair size, before decoding it."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            if max(image.size) > _LARGEST or min(image.size) < 32:
                raise InputError(f"a picture of {image.size} cannot be taken", _MORE)
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise InputError("this is no picture", _MORE) from None


def jpeg(picture: NDArray[np.uint8], quality: int = 88) -> bytes:
    """[H, W, 3] RGB as JPEG."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return out.getvalue()
