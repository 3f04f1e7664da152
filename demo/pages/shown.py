"""What of Gradio is to be reached from outside: its pages and the files they are made of.

Gradio brings an API of its own, that takes files from anybody and runs functions.  Our pages need
nothing of it, so nothing of it is there.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send

_FILES = ("/assets/", "/static/", "/theme.css", "/favicon.ico", "/robots.txt")
# Gradio's own scripts are in its pages, and make functions of text.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",  # a room's link is a way in
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Shown(BaseRoute):
    """A route to `pages`, such as "/call", of a site that would take every path; the others are
    left to the application, which knows what to say of them."""

    def __init__(self, site: BaseRoute, pages: Collection[str]) -> None:
        self._site = site
        self._pages = frozenset(pages)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return Match.NONE, {}
        if scope["path"] not in self._pages and not scope["path"].startswith(_FILES):
            return Match.NONE, {}
        return self._site.matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._site.handle(scope, receive, headed)
