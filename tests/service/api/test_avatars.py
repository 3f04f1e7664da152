"""Adding, fetching, letting others fetch, taking back, erasing."""

from __future__ import annotations

import base64
import io

import pytest

pytest.importorskip("cryptography")

from avatar.archive import parse_avatar, parse_first
from avatar.errors import ArchiveError
from service.store.sealed import SealedFile

DAY = 86_400.0


def test_an_owner_gets_the_avatar_back_whole_and_in_parts(serve, archive):
    server = serve()
    ada = server.user("ada")
    id = server.avatar(ada, archive)
    (shown,) = server.call("GET", "/v1/avatars", ada).json()
    assert (shown["id"], shown["owner"], shown["size"]) == (id, "ada", len(archive))
    assert server.call("GET", f"/v1/avatars/{id}", ada).json() == shown

    path = f"/v1/avatars/{id}/archive"
    whole = server.call("GET", path, ada)
    assert (whole.status_code, whole.content) == (200, archive)
    tag = whole.headers["etag"]
    head = server.call("HEAD", path, ada)
    first = int(head.headers["x-first-bytes"])
    part = server.call("GET", path, ada, headers={"Range": f"bytes=0-{first - 1}"})
    drawn = parse_first(part.content, tag.strip('"'))
    assert drawn.digest == parse_avatar(archive).digest
    assert (head.content, head.headers["content-length"]) == (b"", str(len(archive)))
    assert server.call("GET", path, ada, headers={"If-None-Match": tag}).status_code == 304

    size = len(archive)
    for sought, start, stop in (
        ("bytes=0-9", 0, 10),
        ("bytes=65530-65545", 65530, 65546),
        (f"bytes={size - 3}-", size - 3, size),
        ("bytes=-5", size - 5, size),
        (f"bytes=100-{size * 9}", 100, size),
    ):
        part = server.call("GET", path, ada, headers={"Range": sought, "If-Range": tag})
        assert (part.status_code, part.content) == (206, archive[start:stop])
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
    behind = server.call("GET", path, ada, headers={"Range": f"bytes={size}-"})
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{size}")
    for ignored in ({"Range": "bytes=0-1,5-6"}, {"Range": "x"}, {"Range": "bytes=5-2"},
                    {"Range": "bytes=0-1", "If-Range": '"older"'}):  # fmt: skip
        assert server.call("GET", path, ada, headers=ignored).content == archive

    assert server.call("DELETE", f"/v1/avatars/{id}", ada).status_code == 204
    assert server.call("GET", path, ada).status_code == 404
    assert not [p for p in (server.settings.data / "sealed").rglob("*") if p.is_file()]


def test_a_grant_lends_keys_until_it_is_revoked(serve, archive):
    server = serve()
    ada, bob, eve = (server.user(name) for name in ("ada", "bob", "eve"))
    id = server.avatar(ada, archive)
    base = f"/v1/avatars/{id}"
    assert server.call("POST", f"{base}/leases", bob).status_code == 404
    wish = {"holder": "bob", "days": 30}
    given = server.call("POST", f"{base}/grants", ada, json=wish).json()
    assert [one["id"] for one in server.call("GET", "/v1/avatars", bob).json()] == [id]
    assert server.call("GET", f"{base}/archive", bob).status_code == 403  # not without a lease

    lease = server.call("POST", f"{base}/leases", bob).json()
    sent = server.call("GET", lease["archive"], bob)
    assert sent.status_code == 200 and archive[:8] not in sent.content
    part = server.call(
        "GET",
        lease["archive"],
        bob,
        headers={"Range": "bytes=70000-", "If-Range": sent.headers["etag"]},
    )
    assert part.content == sent.content[70000:]  # a download can go on where it stopped
    key = base64.b64decode(lease["key"])
    opened = SealedFile(io.BytesIO(sent.content), key)
    assert b"".join(opened.read(0, opened.size)) == archive

    for other in (eve, ada):  # the lease is bob's alone
        assert server.call("GET", lease["archive"], other).status_code == 404
    assert server.call("DELETE", f"/v1/grants/{given['id']}", bob).status_code == 404
    assert server.call("DELETE", f"/v1/grants/{given['id']}", ada).status_code == 204
    assert server.call("POST", f"{base}/leases", bob).status_code == 404
    assert server.call("GET", lease["archive"], bob).status_code == 404
    assert server.call("GET", "/v1/avatars", bob).json() == []

    done = [(e["actor"], e["action"]) for e in server.call("GET", "/v1/audit", ada).json()]
    assert done[:5] == [
        ("ada", "grant.revoked"), ("bob", "avatar.fetched"), ("bob", "avatar.fetched"),
        ("bob", "avatar.leased"), ("ada", "grant.given"),
    ]  # fmt: skip
    assert not server.call("GET", "/v1/audit", eve).text.count(id)


def test_who_is_shown_an_avatar_in_a_browsers_call_is_written_down(serve, archive):
    from sqlalchemy import select

    from service.api.rooms import _granted, _may_see
    from service.store.models import User

    server = serve()
    ada, bob, _ = (server.user(name) for name in ("ada", "bob", "eve"))
    id = server.avatar(ada, archive)
    server.call("POST", f"/v1/avatars/{id}/grants", ada, json={"holder": "bob", "days": 1})
    context = server.app.state.context
    with context.database.read() as session:
        ids = {user.name: user.id for user in session.scalars(select(User))}
    digest = bytes.fromhex(parse_avatar(archive).digest)[:16]
    assert _granted(context, ids["eve"], digest) is None
    assert _granted(context, ids["bob"], digest).digest == parse_avatar(archive).digest

    def shown():
        told = server.call("GET", "/v1/audit", ada).json()
        return [(e["actor"], e["subject"]) for e in told if e["action"] == "avatar.shown"]

    assert shown() == [("bob", id)]
    assert _may_see(context, ids["bob"], digest) and not _may_see(context, ids["eve"], digest)
    server.now += 2 * DAY
    ada = server.call(
        "POST", "/v1/sessions", json={"name": "ada", "password": "correct horse battery"}
    ).json()["token"]
    assert _granted(context, ids["bob"], digest) is None  # the grant is over
    assert not _may_see(context, ids["bob"], digest)
    assert shown() == [("bob", id)]


def test_who_holds_a_grant_is_found_among_many_with_the_same_avatar(serve, archive):
    from sqlalchemy import select

    from service.api.rooms import _granted
    from service.store.models import User

    server = serve(avatars=40)
    ada, eve = server.user("ada"), server.user("eve")
    for _ in range(25):
        server.avatar(eve, archive)
    id = server.avatar(ada, archive)
    server.user("bob")
    server.call("POST", f"/v1/avatars/{id}/grants", ada, json={"holder": "bob", "days": 1})
    context = server.app.state.context
    with context.database.read() as session:
        bob = session.scalar(select(User.id).where(User.name == "bob"))
    digest = bytes.fromhex(parse_avatar(archive).digest)[:16]
    assert _granted(context, bob, digest) is not None


def test_a_file_that_cannot_be_read_is_closed(serve, archive, monkeypatch):
    from service.api import avatars

    def broken(_):
        raise ArchiveError("damaged")

    server = serve()
    ada = server.user("ada")
    id, closed = server.avatar(ada, archive), []
    monkeypatch.setattr(avatars, "first_bytes", broken)
    monkeypatch.setattr(SealedFile, "close", lambda self: closed.append(self))
    assert server.call("GET", f"/v1/avatars/{id}/archive", ada).status_code == 422
    assert len(closed) == 1


def test_who_is_in_a_call_stays_while_their_token_and_avatar_do(serve, archive):
    from service.accounts import tokens
    from service.api.rooms import _stands

    server = serve()
    ada = server.user("ada")
    id = server.avatar(ada, archive)
    context = server.app.state.context
    with context.database.read() as session:
        me = tokens.bearer_of(session, ada, server.now)
    assert _stands(context, me, id) and _stands(context, me, None)
    server.call("DELETE", f"/v1/avatars/{id}", ada)
    assert not _stands(context, me, id) and _stands(context, me, None)
    now, server.now = server.now, me.expires
    assert not _stands(context, me, None)
    server.now = now
    right = {"password": "correct horse battery"}
    assert server.call("POST", "/v1/account/erasure", ada, json=right).status_code == 204
    assert not _stands(context, me, None)


def test_grants_and_leases_end(serve, archive):
    server = serve()
    ada, bob = server.user("ada"), server.user("bob")
    base = f"/v1/avatars/{server.avatar(ada, archive)}"
    server.call("POST", f"{base}/grants", ada, json={"holder": "bob", "days": 0.5})
    lease = server.call("POST", f"{base}/leases", bob).json()
    server.now += 15 * 60
    assert server.call("GET", lease["archive"], bob).status_code == 403
    fresh = server.call("POST", f"{base}/leases", bob).json()
    assert fresh["key"] != lease["key"]
    assert server.call("GET", fresh["archive"], bob).status_code == 200
    server.now += DAY / 2
    assert server.call("POST", f"{base}/leases", bob).status_code == 404
    for wish, status in (
        ({"holder": "nobody", "days": 1}, 404), ({"holder": "ada", "days": 1}, 422),
        ({"holder": "bob", "days": 0}, 422), ({"holder": "bob", "days": -1}, 422),
        ({"holder": "bob"}, 422), ({"holder": "bob", "days": 1, "more": 1}, 422),
    ):  # fmt: skip
        assert server.call("POST", f"{base}/grants", ada, json=wish).status_code == status


def test_erasure_leaves_nothing_that_opens(serve, archive):
    server = serve()
    ada, bob = server.user("ada"), server.user("bob")
    id = server.avatar(ada, archive)
    server.call("POST", f"/v1/avatars/{id}/grants", ada, json={"holder": "bob", "days": 1})
    lease = server.call("POST", f"/v1/avatars/{id}/leases", bob).json()
    (blob,) = [p for p in (server.settings.data / "sealed").rglob("*") if p.is_file()]
    stolen = blob.read_bytes()

    wrong = {"password": "not this one at all"}
    assert server.call("POST", "/v1/account/erasure", ada, json=wrong).status_code == 401
    right = {"password": "correct horse battery"}
    assert server.call("POST", "/v1/account/erasure", ada, json=right).status_code == 204

    assert not blob.exists()
    assert server.call("GET", "/v1/account", ada).status_code == 401
    assert server.call("POST", "/v1/sessions", json={"name": "ada", **right}).status_code == 401
    assert server.call("GET", lease["archive"], bob).status_code == 404
    with pytest.raises(ArchiveError):
        key = base64.b64decode(lease["key"])
        b"".join(SealedFile(io.BytesIO(stolen), key).read(0, 1))
    server.user("ada")  # the name is free again, and is somebody else
    assert server.call("GET", "/v1/avatars", server.user("eve")).json() == []


def test_a_user_keeps_so_many(serve, archive):
    server = serve(avatars=1)
    ada = server.user("ada")
    server.avatar(ada, archive)
    assert server.call("POST", "/v1/avatars", ada, content=archive).status_code == 409
