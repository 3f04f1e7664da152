"""Asking for a rendering and fetching what came of it.  The work is in tests/service/jobs."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from service.api.renderings import tidy
from service.jobs.queue import Queue
from service.jobs.rendering import adding

VIDEO = b"a video of ada " * 9000  # more than two chunks
HOUR = 3600.0


def ask(server, token, avatar, **more):
    return server.call("POST", "/v1/renderings", token, json={"avatar": avatar} | more)


def send(server, token, id, data=b"a stream"):
    return server.call("PUT", f"/v1/renderings/{id}/stream", token, content=data)


def grant(server, token, avatar, holder):
    wish = {"holder": holder, "days": 1}
    given = server.call("POST", f"/v1/avatars/{avatar}/grants", token, json=wish)
    return f"/v1/grants/{given.json()['id']}"


def render(server, token, avatar):
    """The path of a rendering that a worker has ended, which made VIDEO."""
    id = ask(server, token, avatar).json()["id"]
    assert send(server, token, id).json()["state"] == "waiting"
    queue = Queue(server.app.state.context.store)
    claim = queue.claim(server.now, id)
    with queue.sealing(claim, [VIDEO]) as blob:
        queue.finish(claim, {"frames": 3}, server.now, adding(blob, server.now))
    return f"/v1/renderings/{id}"


def sealed(server):
    return [p for p in (server.settings.data / "sealed").rglob("*") if p.is_file()]


def test_sizes_and_looks_are_checked(serve, archive):
    server = serve(rendering_side=1000)
    ada = server.user("ada")
    avatar = server.avatar(ada, archive)
    for wrong in (
        {"size": 1001}, {"height": 1001}, {"width": 1001, "height": 9}, {"size": 15},
        {"size": 64, "height": 64}, {"width": 64}, {"height": 0}, {"fit": "stretch"},
        {"background": "wall.png"}, {"background": "#12"}, {"background": "#gggggg"},
        {"background": "#\u0661\u0662\u0663"}, {"extra": 1}, {"avatar": "../x"},
    ):  # fmt: skip
        assert ask(server, ada, **{"avatar": avatar} | wrong).status_code == 422, wrong
    for right in (
        {}, {"size": 1000}, {"height": 64}, {"width": 640, "height": 360, "fit": "extend"},
        {"background": "blur"}, {"background": "Green"}, {"background": "#abc"},
    ):  # fmt: skip
        shown = ask(server, ada, avatar, **right)
        assert shown.status_code == 201 and shown.json()["state"] == "empty", right


def test_an_avatar_is_rendered_by_who_may_have_it(serve, archive):
    server = serve()
    ada, bob, eve = (server.user(name) for name in ("ada", "bob", "eve"))
    avatar = server.avatar(ada, archive)
    none = ask(server, bob, "0" * 32)
    assert none.status_code == 404 and ask(server, bob, avatar).json() == none.json()
    given = grant(server, ada, avatar, "bob")
    path = render(server, bob, avatar)
    for method, of in (
        ("GET", ""), ("DELETE", ""), ("GET", "/video"), ("GET", "/events"), ("PUT", "/stream"),
    ):  # fmt: skip
        for other in (eve, ada):  # not even whose avatar it is
            assert server.call(method, path + of, other).status_code == 404
    assert server.call("GET", "/v1/renderings", ada).json() == []
    (told,) = server.call("GET", "/v1/renderings", bob).json()
    assert told == server.call("GET", path, bob).json() and told["video"]
    actions = [(e["actor"], e["action"]) for e in server.call("GET", "/v1/audit", ada).json()]
    assert actions[0] == ("bob", "avatar.rendered")
    assert server.call("GET", f"{path}/video", bob).content == VIDEO
    # Another kind of job is not to be reached through here, nor a rendering as another kind.
    assert server.call("GET", path.replace("renderings", "enrolments"), bob).status_code == 404

    assert server.call("DELETE", given, ada).status_code == 204
    assert ask(server, bob, avatar).status_code == 404
    assert server.call("GET", f"{path}/video", bob).status_code == 403
    grant(server, ada, avatar, "bob")
    assert server.call("GET", f"{path}/video", bob).status_code == 200


def test_reading_avatars_is_what_a_token_needs(serve, archive):
    server = serve()
    ada = server.user("ada")
    avatar = server.avatar(ada, archive)
    for scopes, status in ((["avatars:read"], 201), (["avatars:write", "calls"], 403)):
        wish = {"scopes": scopes, "days": 1}
        token = server.call("POST", "/v1/tokens", ada, json=wish).json()["token"]
        assert ask(server, token, avatar).status_code == status


def test_a_video_comes_whole_and_in_parts(serve, archive):
    server = serve()
    ada = server.user("ada")
    path = render(server, ada, server.avatar(ada, archive)) + "/video"
    whole = server.call("GET", path, ada)
    assert (whole.content, whole.headers["content-type"]) == (VIDEO, "video/mp4")
    tag, size = whole.headers["etag"], len(VIDEO)
    head = server.call("HEAD", path, ada)
    assert (head.content, head.headers["content-length"]) == (b"", str(size))
    for sought, start, stop in (("bytes=65530-65545", 65530, 65546), ("bytes=-5", size - 5, size)):
        part = server.call("GET", path, ada, headers={"Range": sought, "If-Range": tag})
        assert (part.status_code, part.content) == (206, VIDEO[start:stop])
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
    behind = server.call("GET", path, ada, headers={"Range": f"bytes={size}-"})
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{size}")
    assert server.call("GET", path, ada, headers={"If-None-Match": tag}).status_code == 304


def test_a_stream_comes_once_and_so_many_wait(serve, archive):
    server = serve(renderings=1, rendering_mib=1)
    ada = server.user("ada")
    avatar = server.avatar(ada, archive)
    first, second = (ask(server, ada, avatar).json()["id"] for _ in range(2))
    assert send(server, ada, first, b"x" * (2 << 20)).status_code == 413
    assert server.call("GET", f"/v1/renderings/{first}/video", ada).status_code == 404
    assert send(server, ada, first, b"the call of ada " * 10_000).status_code == 202
    assert send(server, ada, first).status_code == 409
    assert send(server, ada, second).status_code == 409
    assert ask(server, ada, avatar).status_code == 409
    assert not any(b"the call of ada" in path.read_bytes() for path in sealed(server))
    gone = server.call("DELETE", f"/v1/renderings/{first}", ada).json()
    assert gone["state"] == "cancelled" and len(sealed(server)) == 1  # the avatar
    assert send(server, ada, second).status_code == 202


def test_videos_are_destroyed_by_their_owner_by_time_and_with_the_account(serve, archive):
    server = serve(rendering_hours=2)
    ada = server.user("ada")
    avatar = server.avatar(ada, archive)
    path = render(server, ada, avatar)
    assert server.call("DELETE", path, ada).json()["video"] is False
    assert server.call("GET", f"{path}/video", ada).status_code == 404
    assert server.call("GET", path, ada).json()["state"] == "done" and len(sealed(server)) == 1
    told = [event["action"] for event in server.call("GET", "/v1/audit", ada).json()]
    assert told[:2] == ["rendering.deleted", "avatar.rendered"]
    assert server.call("DELETE", path, ada).status_code == 200

    context = server.app.state.context
    first = render(server, ada, avatar)
    server.now += HOUR
    second = render(server, ada, avatar)
    assert server.call("GET", second, ada).json()["expires"].startswith("1970-01-12T16:46:40")
    server.now += HOUR
    assert server.call("GET", f"{first}/video", ada).status_code == 404  # whoever tidies up when
    assert len(sealed(server)) == 3
    tidy(context)
    assert len(sealed(server)) == 2
    assert [server.call("GET", p, ada).json()["video"] for p in (first, second)] == [False, True]
    server.call("DELETE", f"/v1/avatars/{avatar}", ada)
    assert server.call("GET", f"{second}/video", ada).status_code == 403
    tidy(context)
    assert sealed(server) == []

    render(server, ada, server.avatar(ada, archive))
    gone = {"password": "correct horse battery"}
    assert server.call("POST", "/v1/account/erasure", ada, json=gone).status_code == 204
    assert sealed(server) == []
