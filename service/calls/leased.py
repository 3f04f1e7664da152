"""Avatars by grant: leased from the server, downloaded sealed, and opened in memory alone."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from avatar.archive import parse_avatar, parse_first
from avatar.avatar import Avatar
from avatar.errors import AccessError, ArchiveError
from service.calls.face_end import FaceEnd, get_ready
from service.store.sealed import opened

_log = logging.getLogger("facewire.calls")
_PIECE = 1 << 14  # bytes
_LOOK = 0.1  # seconds between two looks at whether an avatar is wanted
_AGAIN = 3.0  # seconds until one that did not come is asked for again, and grants are looked at

_UNGRANTED = (
    "No grant lets you have the other's avatar: without it they are shown by the fallback, where "
    "both have one."
)
_OVER = "The grant of the other's avatar is over: it is not shown any more."


@dataclass(frozen=True)
class Listed:
    """An avatar that the server would give.  digest: hexadecimal, of its archive."""

    id: str
    digest: str


@dataclass(frozen=True)
class Leases:
    """What one user may fetch of a server.  base: http://host:port.  transport: httpx's, for
    another way there."""

    base: str
    token: str
    transport: Any = None

    async def find(self, digest: bytes) -> Listed | None:
        """The avatar whose digest begins so, if it is the user's or granted to them.  Raises
        AccessError for a token that may read no avatars."""
        async with self._client() as client:
            answer = await client.get("/v1/avatars")
        if answer.status_code in (401, 403):
            raise AccessError(
                f"the server lends no avatars: {answer.json()['detail']}",
                "Set FACEWIRE_TOKEN to a token with the scopes calls and avatars:read.",
            )
        answer.raise_for_status()
        for one in answer.json():
            if one["digest"].startswith(digest.hex()):
                return Listed(one["id"], one["digest"])
        return None

    async def stands(self, one: Listed) -> bool:
        """Whether it may still be had."""
        async with self._client() as client:
            answer = await client.get(f"/v1/avatars/{one.id}")
        if answer.status_code not in (401, 403, 404):
            answer.raise_for_status()
        return bool(answer.status_code == 200)

    async def fetch(self, one: Listed) -> AsyncIterator[Avatar]:
        """The avatar in a lower quality, where its archive has one, as soon as that is there; then
        whole.  Nothing comes where the grant has ended meanwhile.

        Raises ArchiveError, VersionError, httpx.HTTPError."""
        async with self._client() as client:
            path, key = f"/v1/avatars/{one.id}/archive", b""
            lent = await client.post(f"/v1/avatars/{one.id}/leases")
            if lent.status_code == 201:
                path, key = lent.json()["archive"], base64.b64decode(lent.json()["key"])
            # One's own needs no lease, and there is none.
            async with client.stream("GET", path) as answer:
                if answer.status_code in (401, 403, 404):
                    return
                answer.raise_for_status()
                size = int(answer.headers["Content-Length"])
                first = int(answer.headers.get("X-First-Bytes", size))
                data = bytearray()
                async for piece in answer.aiter_bytes(_PIECE):
                    before = len(data)
                    data += piece
                    if before < first <= len(data) < size:
                        plain = await asyncio.to_thread(_plain, bytes(data[:first]), key, size)
                        yield await asyncio.to_thread(parse_first, plain, one.digest)
        plain = await asyncio.to_thread(_plain, bytes(data), key, size)
        avatar = await asyncio.to_thread(parse_avatar, plain)
        if avatar.digest != one.digest:
            raise ArchiveError("the server sent another avatar than it named", "Ask its owner.")
        yield avatar

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        import httpx

        headers = {"Authorization": f"Bearer {self.token}", "Accept-Encoding": "identity"}
        async with httpx.AsyncClient(
            base_url=self.base, headers=headers, transport=self.transport, timeout=30
        ) as client:
            yield client


def _plain(data: bytes, key: bytes, size: int) -> bytes:
    return opened(data, key, size) if key else data


class Lent:
    """What a call is lent: avatars that its other end offers and that are not at hand.

    tell: is given, in plain words, why one is not there."""

    def __init__(self, end: FaceEnd, leases: Leases, tell: Callable[[str], None]) -> None:
        self._end, self._leases, self._tell = end, leases, tell
        self._held: dict[bytes, Listed] = {}
        self._unfinished: bytes | None = None  # came in a lower quality alone
        self._tried: tuple[bytes, float] = b"", 0.0  # the last, and when it may be again
        self._looked = time.monotonic()
        self._told: set[tuple[bytes, str]] = set()

    async def keep(self) -> None:
        """Until it is cancelled: fetches what is wanted, and takes away what may not be shown any
        more.  Ends by itself where the token is for no avatars."""
        while True:
            await asyncio.sleep(_LOOK)
            try:
                await self._fetch_wanted()
                await self._look_at_grants()
            except AccessError as error:
                self._tell(f"{error.message}  {error.cure}")
                return
            except Exception as error:  # the network's, or a proxy's page in place of an answer
                _log.info("an avatar was not lent: %s", type(error).__name__)

    async def _fetch_wanted(self) -> None:
        wanted, now = self._end.wanting or self._unfinished, time.monotonic()
        if wanted is None or (wanted == self._tried[0] and now < self._tried[1]):
            return
        self._tried = wanted, now + _AGAIN
        listed = await self._leases.find(wanted)
        if listed is None:
            self._say(wanted, _UNGRANTED)
            return
        async for avatar in self._leases.fetch(listed):
            await asyncio.to_thread(get_ready, avatar)
            self._end.hold(avatar)
            self._held[wanted], self._unfinished = listed, wanted
        self._unfinished = None

    async def _look_at_grants(self) -> None:
        now = time.monotonic()
        if now - self._looked < _AGAIN:
            return
        self._looked = now
        for digest, listed in list(self._held.items()):
            if not await self._leases.stands(listed):
                del self._held[digest]
                self._unfinished = None
                self._end.drop(digest)
                self._say(digest, _OVER)

    def _say(self, digest: bytes, words: str) -> None:
        if (digest, words) not in self._told:
            self._told.add((digest, words))
            self._tell(words)
