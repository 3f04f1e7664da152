"""What is not meant well: others' ids, bad tokens, paths, sizes, malformed bodies, haste.

The fixture `serve` asserts of every answer that it is no 5xx and shows nothing it should not.
"""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

NONE = "0" * 32
ROUTES = (
    ("GET", "/v1/account"), ("POST", "/v1/account/erasure"),
    ("POST", "/v1/account/signing-key"), ("GET", "/v1/tokens"),
    ("POST", "/v1/tokens"), ("DELETE", f"/v1/tokens/{NONE}"), ("GET", "/v1/audit"),
    ("POST", "/v1/avatars"), ("GET", "/v1/avatars"), ("GET", f"/v1/avatars/{NONE}"),
    ("DELETE", f"/v1/avatars/{NONE}"), ("GET", f"/v1/avatars/{NONE}/archive"),
    ("POST", f"/v1/avatars/{NONE}/grants"), ("GET", f"/v1/avatars/{NONE}/grants"),
    ("DELETE", f"/v1/grants/{NONE}"), ("POST", f"/v1/avatars/{NONE}/leases"),
    ("GET", "/v1/enrolments"), ("POST", "/v1/enrolments"), ("GET", f"/v1/enrolments/{NONE}"),
    ("DELETE", f"/v1/enrolments/{NONE}"), ("PUT", f"/v1/enrolments/{NONE}/video"),
    ("GET", f"/v1/enrolments/{NONE}/preview"), ("GET", f"/v1/enrolments/{NONE}/events"),
    ("GET", "/v1/renderings"), ("POST", "/v1/renderings"), ("GET", f"/v1/renderings/{NONE}"),
    ("DELETE", f"/v1/renderings/{NONE}"), ("PUT", f"/v1/renderings/{NONE}/stream"),
    ("GET", f"/v1/renderings/{NONE}/events"), ("GET", f"/v1/renderings/{NONE}/video"),
    ("POST", "/v1/rooms"), ("GET", f"/v1/rooms/{NONE}"), ("POST", f"/v1/rooms/{NONE}/members"),
    ("DELETE", f"/v1/rooms/{NONE}/members/{NONE}"),
)  # fmt: skip


def test_no_route_without_a_token(serve):
    server = serve()
    for method, path in ROUTES:
        for shown in (None, "Basic YTpi", "Bearer", b"Bearer \xff\xfe", "Bearer fw_x"):
            headers = {} if shown is None else {"Authorization": shown}
            answer = server.call(method, path, headers=headers)
            assert answer.status_code == 401, (method, path, shown)
            assert answer.headers["www-authenticate"] == "Bearer"
    named = set(server.app.openapi()["paths"]) - {
        "/healthz",
        "/v1/accounts",
        "/v1/sessions",
        "/v1/consent",
    }
    assert len(named) == len({path for _, path in ROUTES})  # a new route is to be added above


def test_anothers_ids_are_as_good_as_none(serve, archive):
    server = serve()
    ada, eve = server.user("ada"), server.user("eve")
    id = server.avatar(ada, archive)
    server.user("bob")
    wish = {"holder": "eve", "days": 1}
    given = server.call(
        "POST", f"/v1/avatars/{id}/grants", ada, json={"holder": "bob", "days": 1}
    ).json()["id"]
    token = server.call("GET", "/v1/tokens", ada).json()[0]["id"]
    for method, path, of, body in (
        ("GET", "/v1/avatars/{}", id, None), ("DELETE", "/v1/avatars/{}", id, None),
        ("GET", "/v1/avatars/{}/archive", id, None), ("POST", "/v1/avatars/{}/leases", id, None),
        ("POST", "/v1/avatars/{}/grants", id, wish), ("GET", "/v1/avatars/{}/grants", id, None),
        ("DELETE", "/v1/grants/{}", given, None), ("DELETE", "/v1/tokens/{}", token, None),
    ):  # fmt: skip
        real = server.call(method, path.format(of), eve, json=body)
        none = server.call(method, path.format(NONE), eve, json=body)
        assert real.status_code == 404 and real.json() == none.json()
    assert server.call("GET", f"/v1/avatars/{id}/archive", ada).content == archive


def test_tokens_do_what_they_say_and_no_more(serve, archive):
    server = serve()
    ada = server.user("ada")
    wish = {"scopes": ["avatars:read", "account"], "days": 1, "label": "my phone"}
    issued = server.call("POST", "/v1/tokens", ada, json=wish).json()
    narrow = issued["token"]
    assert server.call("GET", "/v1/avatars", narrow).status_code == 200
    assert server.call("POST", "/v1/avatars", narrow, content=archive).status_code == 403
    grown = server.call("POST", "/v1/tokens", narrow, json={"scopes": ["grants"], "days": 1})
    assert grown.status_code == 403
    listed = server.call("GET", "/v1/tokens", ada).text
    assert "my phone" in listed and narrow not in listed
    server.now += 86_400
    assert server.call("GET", "/v1/avatars", narrow).status_code == 401

    again = server.call("POST", "/v1/sessions", json={"name": "ada", "password": "wrong wrong"})
    assert again.status_code == 401
    mine = server.user("bob")
    one = server.call("GET", "/v1/tokens", mine).json()[0]["id"]
    assert server.call("DELETE", f"/v1/tokens/{one}", mine).status_code == 204
    assert server.call("GET", "/v1/account", mine).status_code == 401


def test_who_was_robbed_of_a_token_ends_all_others(serve):
    server = serve()
    ada, bob = server.user("ada"), server.user("bob")
    wish = {"scopes": ["avatars:read", "account"], "days": 300}
    stolen = server.call("POST", "/v1/tokens", ada, json=wish).json()["token"]
    bred = server.call("POST", "/v1/tokens", stolen, json=wish).json()["token"]
    assert server.call("DELETE", "/v1/tokens", bob).status_code == 204
    assert server.call("GET", "/v1/account", bred).status_code == 200
    assert server.call("DELETE", "/v1/tokens", ada).status_code == 204
    assert [server.call("GET", "/v1/account", who).status_code
            for who in (stolen, bred, ada, bob)] == [401, 401, 200, 200]  # fmt: skip
    told = [e["action"] for e in server.call("GET", "/v1/audit", ada).json()]
    assert told.count("token.revoked") == 2


@pytest.mark.parametrize(
    "path",
    ["../../etc/passwd", "..%2f..%2fmaster.key", "%00", "a" * 5000, "A" * 32, "%F0%9F%98%80",
     "0" * 31, "0" * 32 + "%0A", ".", "'; DROP TABLE users; --"],
)  # fmt: skip
def test_paths_lead_nowhere(serve, path):
    server = serve()
    ada = server.user("ada")
    for form in (
        "/v1/avatars/{}",
        "/v1/avatars/{}/archive",
        f"/v1/avatars/{NONE}/archive?lease={{}}",
    ):
        answer = server.call("GET", form.format(path), ada)
        assert answer.status_code in (404, 405, 422) or answer.json() == []


def test_malformed_bodies(serve, archive):
    server = serve()
    ada = server.user("ada")
    bodies = (
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"name": "x"', b"[" * 30_000, b"9" * 5000,
        b'{"name": "\\ud800", "password": "\\ud800\\ud800\\ud800\\ud800"}',
        b'{"name": "a\\u0000b", "password": "longenough"}', b'{"name": 1e999, "password": NaN}',
        b'{"name": {"$ne": 1}, "password": ["correct horse battery"]}',
    )  # fmt: skip
    for path in ("/v1/accounts", "/v1/sessions", "/v1/tokens", f"/v1/avatars/{NONE}/grants"):
        for body in bodies:
            headers = {"Content-Type": "application/json"}
            answer = server.call("POST", path, ada, content=body, headers=headers)
            assert answer.status_code in (400, 401, 422), (path, body[:40])
    for body in (b"", b"\x00" * 100, b"PK\x03\x04", archive[:-1], archive + b"x", archive[:100]):
        assert server.call("POST", "/v1/avatars", ada, content=body).status_code == 422
    for query in ("before=x", "before=-1", "before=99999999999999999999", "most=0", "most=1e9"):
        assert server.call("GET", f"/v1/audit?{query}", ada).status_code == 422
    for label in ("\x00", "x" * 65):
        wish = {"scopes": ["account"], "days": 1, "label": label}
        assert server.call("POST", "/v1/tokens", ada, json=wish).status_code == 422


def test_oversized_bodies_are_stopped_whatever_their_header_says(serve, archive):
    server = serve(body_kib=1, avatar_mib=1)
    ada = server.user("ada")

    async def endless():
        for _ in range(10_000):
            yield b"x" * 1000

    for path, size in (("/v1/sessions", 2 << 10), ("/v1/avatars", 2 << 20)):
        assert server.call("POST", path, ada, content=b"x" * size).status_code == 413
        assert server.call("POST", path, ada, content=endless()).status_code == 413
    for length in ("-1", "x", "9" * 30):
        answer = server.call(
            "POST", "/v1/sessions", content=b"{}", headers={"Content-Length": length}
        )
        assert answer.status_code in (400, 413)
    assert server.call("POST", "/v1/avatars", ada, content=archive).status_code == 201


def test_a_body_that_does_not_come_is_not_waited_for(serve):
    import asyncio

    server = serve(upload_seconds=0.2)
    ada = server.user("ada")

    async def slow():
        yield b"x"
        await asyncio.sleep(30)
        yield b"x"

    assert server.call("POST", "/v1/avatars", ada, content=slow()).status_code == 408


def test_haste_is_slowed(serve):
    server = serve(rate=60.0, sign_in_rate=2.0)
    who = {"name": "ada", "password": "correct horse battery"}
    assert server.call("POST", "/v1/accounts", json=who).status_code == 201
    token = server.call("POST", "/v1/sessions", json=who).json()["token"]
    refused = server.call("POST", "/v1/sessions", json=who)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    codes = [server.call("GET", "/v1/account", token).status_code for _ in range(12)]
    assert codes == [200] * 10 + [429] * 2
    # Tokens that are made up have their own account each, so the address has one too.
    codes = [server.call("GET", "/v1/account", f"fw_{i}").status_code for i in range(40)]
    assert codes[-1] == 429
    server.now += 60
    assert server.call("GET", "/v1/account", token).status_code == 200
    assert server.call("GET", "/healthz").json() == {"status": "ok"}


def test_unknown_paths_methods_and_closed_doors(serve):
    server = serve(registration=False)
    for method, path, status in (
        ("GET", "/", 404), ("GET", "/docs", 404), ("GET", "/v1/avatars/", 404),
        ("PUT", "/v1/avatars", 405), ("TRACE", "/healthz", 405),
    ):  # fmt: skip
        assert server.call(method, path).status_code == status
    who = {"name": "ada", "password": "correct horse battery"}
    assert server.call("POST", "/v1/accounts", json=who).status_code == 403
    assert server.call("GET", "/openapi.json").json()["info"]["title"] == "Facewire"


def test_a_bug_shows_nothing_of_itself(serve, monkeypatch, caplog):
    from service.api import accounts

    def bug(*_):
        raise RuntimeError("a secret in a message")

    server = serve()
    ada = server.user("ada")
    monkeypatch.setattr(accounts.audit, "entries", bug)
    answer = server.call("GET", "/v1/audit", ada)
    server.answers.remove(answer)
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    assert "RuntimeError" in caplog.text
