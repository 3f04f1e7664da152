"""`facewire call` without the other's avatar: it comes by a grant, in memory alone, and goes with
it."""

from __future__ import annotations

import asyncio
import base64

import pytest

pytest.importorskip("cryptography")
pytest.importorskip("httpx")

from avatar.archive import first_bytes, parse_avatar, parse_first
from avatar.errors import AccessError, ArchiveError
from service.calls import leased
from service.calls.leased import Leases, Lent
from service.store.sealed import CHUNK, HEADER, TAG, opened, sealed

KEY, SALT = bytes(range(32)), b"s" * 32


@pytest.fixture(scope="module")
def archive() -> bytes:
    """Of three chunks, two of which open as a coarser avatar."""
    from avatar.archive import avatar_bytes
    from tests.avatar.test_archive import gridded

    return avatar_bytes(gridded(192))


@pytest.fixture(autouse=True)
def no_codec(monkeypatch):
    monkeypatch.setattr(leased, "get_ready", lambda avatar: None)


@pytest.fixture
def lending(serve, archive):
    """Ada's avatar on a server, and what Bob may fetch of it."""
    import httpx

    server = serve()
    ada, bob = server.user("ada"), server.user("bob")
    id = server.avatar(ada, archive)
    transport = httpx.ASGITransport(server.app)

    def leases(token):
        return Leases("http://facewire", token, transport)

    def give():
        wish = {"holder": "bob", "days": 1}
        return server.call("POST", f"/v1/avatars/{id}/grants", ada, json=wish).json()["id"]

    yield server, ada, bob, leases, give


class End:
    """Of a call, as far as what is lent goes."""

    def __init__(self, wanting):
        self.wanting, self.held = wanting, []

    def hold(self, avatar):
        self.held.append(avatar)
        self.wanting = None

    def drop(self, digest):
        self.held, self.wanting = [], digest


def test_what_is_offered_comes_by_grant_and_goes_with_it(lending, archive, monkeypatch):
    monkeypatch.setattr(leased, "_LOOK", 0.0)
    monkeypatch.setattr(leased, "_AGAIN", 0.05)
    server, ada, bob, leases, give = lending
    whole, told = parse_avatar(archive), []
    end = End(bytes.fromhex(whole.digest)[:16])

    async def until(condition):
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)

    async def call():
        keeping = asyncio.create_task(Lent(end, leases(bob), told.append).keep())
        await until(lambda: told)
        assert "No grant" in told[0] and end.held == []
        given = await asyncio.to_thread(give)
        await until(lambda: len(end.held) == 2)
        assert [one.digest for one in end.held] == [whole.digest] * 2  # coarse at first
        await asyncio.to_thread(server.call, "DELETE", f"/v1/grants/{given}", ada)
        await until(lambda: not end.held)
        assert "is over" in told[-1] or "is over" in told[-2]
        keeping.cancel()

    asyncio.run(call())


def test_nobody_else_is_lent_it_and_a_token_needs_its_scope(lending, archive):
    server, ada, bob, leases, give = lending
    digest = bytes.fromhex(parse_avatar(archive).digest)[:16]
    give()
    eve = server.user("eve")
    narrow = {"scopes": ["calls"], "days": 1, "label": "calls"}
    narrow = server.call("POST", "/v1/tokens", bob, json=narrow).json()["token"]

    async def ask():
        assert await leases(eve).find(digest) is None
        assert await leases(bob).find(bytes(16)) is None
        listed = await leases(bob).find(digest)
        assert await leases(bob).stands(listed) and not await leases(eve).stands(listed)
        assert [one async for one in leases(eve).fetch(listed)] == []
        assert len([one async for one in leases(ada).fetch(listed)]) == 2  # one's own
        with pytest.raises(AccessError, match="avatars:read"):
            await leases(narrow).find(digest)

    asyncio.run(ask())


def test_the_first_bytes_of_a_leased_archive_open_as_those_of_a_plain_one(lending, archive):
    server, ada, bob, leases, give = lending
    give()
    id = server.call("GET", "/v1/avatars", bob).json()[0]["id"]
    lease = server.call("POST", f"/v1/avatars/{id}/leases", bob).json()
    head = server.call("HEAD", lease["archive"], bob)
    size, first = int(head.headers["content-length"]), int(head.headers["x-first-bytes"])
    assert HEADER + first_bytes(archive) <= first < size
    part = server.call("GET", lease["archive"], bob, headers={"Range": f"bytes=0-{first - 1}"})
    plain = opened(part.content, base64.b64decode(lease["key"]), size)
    assert archive.startswith(plain)
    assert parse_first(plain, parse_avatar(archive).digest).name == "Ada Lovelace"


@pytest.mark.parametrize("size", [1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_whole_chunks_of_what_has_come_are_opened(size):
    data = bytes(i % 251 for i in range(size))
    whole = b"".join(sealed([data], KEY, SALT))
    assert opened(whole, KEY, len(whole)) == data
    for cut in (HEADER, HEADER + CHUNK + TAG, len(whole) - 1):
        if cut < len(whole):
            chunks = (cut - HEADER) // (CHUNK + TAG)
            assert opened(whole[:cut], KEY, len(whole)) == data[: chunks * CHUNK]
    for wrong in (lambda: opened(whole, SALT, len(whole)), lambda: opened(b"", KEY, 99),
                  lambda: opened(whole, KEY, len(whole) - 1)):  # fmt: skip
        with pytest.raises(ArchiveError):
            wrong()
