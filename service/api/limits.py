"""Limits on every request before a route sees it: rate, size of the body, time it may take."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import problem, refuse
from service.api.rate import RateLimiter, address_of
from service.api.settings import ServiceSettings

_AVATAR = ("POST", "/v1/avatars")
_VIDEO = re.compile(r"/v1/enrolments/[0-9a-f]{32}/video")
_STREAM = re.compile(r"/v1/renderings/[0-9a-f]{32}/stream")
_PER_ADDRESS = 4  # users who may share one
_PER_PAGE = 20  # files that a page is made of come all at once


class Limits:
    """An ASGI middleware.  clock: seconds."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, clock: Callable[[], float]) -> None:
        self._app = app
        self._settings = settings
        self._clock = clock
        self._token = RateLimiter(settings.rate, settings.rate / 6)
        self._address = RateLimiter(_PER_ADDRESS * settings.rate, _PER_ADDRESS * settings.rate / 6)
        self._page = RateLimiter(_PER_PAGE * settings.rate, _PER_PAGE * settings.rate / 6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] == "/healthz":
            await self._app(scope, receive, send)
            return
        what = (scope.get("method", "GET"), scope["path"])
        headers = Headers(scope=scope)
        wait = self._wait(what, scope, headers)
        if wait > 0:
            later = {"Retry-After": str(math.ceil(wait))}
            await problem(429, "Too many requests; wait a little.", later)(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        most, seconds = self._largest(*what)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 19):
            await problem(400, "Content-Length is no number.")(scope, receive, send)
        elif int(length) > most:
            await problem(413, _too_large(most))(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive, most, seconds), send)

    def _largest(self, method: str, path: str) -> tuple[int, float]:
        """Bytes of a body, and seconds in which it has to come."""
        settings = self._settings
        if (method, path) == _AVATAR:
            return settings.avatar_mib << 20, settings.upload_seconds
        if method == "PUT" and _VIDEO.fullmatch(path):
            return settings.video_mib << 20, settings.video_upload_seconds
        if method == "PUT" and _STREAM.fullmatch(path):
            return settings.rendering_mib << 20, settings.upload_seconds
        return settings.body_kib << 10, settings.upload_seconds

    def _counted(self, receive: Receive, most: int, seconds: float) -> Receive:
        """`receive` that ends a body which is too large or too slow, whatever its header said."""
        got, whole = 0, False
        end = asyncio.get_running_loop().time() + seconds

        async def counted() -> Message:
            nonlocal got, whole
            if whole:  # from now on this waits for the client to leave
                return await receive()
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                raise refuse(408, "The body took too long.") from None
            got += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if got > most:
                raise refuse(413, _too_large(most))
            return message

        return counted

    def _wait(self, what: tuple[str, str], scope: Scope, headers: Headers) -> float:
        now = self._clock()
        address = address_of(scope)
        if not what[1].startswith("/v1/"):
            return self._page.wait(address, now)
        wait = self._address.wait(address, now)  # also with a token: made-up ones cost nothing
        token = headers.get("authorization")
        if wait > 0 or token is None:
            return wait
        mark = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        return self._token.wait(mark, now)


def _too_large(most: int) -> str:
    return f"The body is larger than {most} bytes."
