"""What the WebSockets share: who is asking, pictures in, and one thread of work for each."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from avatar.errors import AccessError, FacewireError, InputError
from service.accounts import tokens
from service.accounts.tokens import Bearer
from service.api.context import Context, check_still
from service.api.rate import address_of

_log = logging.getLogger("facewire.api")
_HELLO = 5.0  # seconds in which a client says who it is
_SILENCE = 60.0  # without a word from a client, after which it is let go
_SPACING = 1 / 30  # seconds between two pictures that are looked at
_LOOK = 2.0  # seconds between two looks whether a token still holds
REFUSED, BUSY = 4401, 4503  # close codes

Result = TypeVar("Result")


class Visit:
    """One client, greeted.  bearer: who it is.  hello: its first message."""

    def __init__(self, socket: WebSocket, bearer: Bearer, hello: dict[str, Any]) -> None:
        self.bearer, self.hello = bearer, hello
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="visit")
        self._socket = socket
        self._due = 0.0

    async def picture(self) -> bytes:
        """The next one, in good time: who sends them faster waits."""
        await asyncio.sleep(self._due - time.monotonic())
        async with asyncio.timeout(_SILENCE):
            data = await self._socket.receive_bytes()
        self._due = time.monotonic() + _SPACING
        return data

    def work(self, work: Callable[..., Result], *given: Any) -> asyncio.Future[Result]:
        """Does it in the visit's own thread, one after the other."""
        return asyncio.wrap_future(self._worker.submit(work, *given))

    def close(self) -> None:
        """What was asked of the thread before is still done."""
        self._worker.shutdown(wait=False)


async def welcome(
    socket: WebSocket, context: Context, scope: str, talk: Callable[[Visit], Awaitable[None]]
) -> None:
    """Greets a client, whose first message is JSON with its token, and talks with it until it
    goes, its token ends, or it has been here for long.  What FacewireErrors say is told as the
    reason of the end."""
    await socket.accept()
    try:
        with context.greetings.place(address_of(socket.scope)):
            bearer, hello = await _hello(socket, context, scope)
        with context.visits.place(bearer.user):
            visit = Visit(socket, bearer, hello)
            try:
                await _first(talk(visit), _end(context, bearer))
            finally:
                visit.close()
    except HTTPException as error:  # no place
        await _say_goodbye(socket, BUSY, error.detail)
    except AccessError as error:
        await _say_goodbye(socket, REFUSED, f"{error.message} {error.cure}")
    except FacewireError as error:
        await _say_goodbye(socket, 1008, f"{error.message} {error.cure}")
    except TimeoutError:
        await _say_goodbye(socket, 1008, "nothing was heard for a while")
    except (WebSocketDisconnect, KeyError):
        pass  # the client has gone, or sent text for a picture


async def _hello(socket: WebSocket, context: Context, scope: str) -> tuple[Bearer, dict[str, Any]]:
    async with asyncio.timeout(_HELLO):
        text = await socket.receive_text()
    try:
        hello = json.loads(text)
        token = hello["token"]
        assert isinstance(token, str)
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError):
        raise AccessError("the first message is to be JSON with a token") from None
    bearer = await run_in_threadpool(_bearer, context, token)
    if scope not in bearer.scopes:
        raise AccessError(f"the token does not have the scope {scope}")
    return bearer, hello


def _bearer(context: Context, token: str) -> Bearer:
    with context.database.read() as session:
        return tokens.bearer_of(session, token, context.clock())


async def _end(context: Context, bearer: Bearer) -> None:
    """Waits for what ends a visit from this side, and raises it."""
    until = context.clock() + context.settings.visit_minutes * 60
    while context.clock() < until:
        await asyncio.sleep(_LOOK)
        try:
            await run_in_threadpool(check_still, context, bearer)
        except SQLAlchemyError as error:  # a database that does not answer ends nobody's visit
            _log.error("a visitor was not looked at: %s", type(error).__name__)
    raise InputError("this has gone on for long", "Begin again.")


async def _first(*works: Awaitable[None]) -> None:
    """The first that ends, or what it raises; the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    done.pop().result()


async def _say_goodbye(socket: WebSocket, code: int, reason: str) -> None:
    try:
        await socket.close(code, reason[:120])
    except RuntimeError:
        pass
