"""A look at every request from outside: its route's template and how it went, never its ids."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import METHODS

# method, route, status, seconds until the answer began
Observer = Callable[[str, str, int, float], None]


class Observed:
    """An ASGI middleware that tells `observers` of each request that is answered."""

    def __init__(self, app: ASGIApp, observers: list[Observer]) -> None:
        self._app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        answered = False

        def tell(status: int) -> None:
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = getattr(scope.get("route"), "path", "other")
            for observer in self._observers:
                observer(method, route, status, time.perf_counter() - begun)

        async def seen(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start" and not answered:
                answered = True
                tell(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, seen)
        except Exception:
            if not answered:  # it is answered outside of here
                tell(500)
            raise
