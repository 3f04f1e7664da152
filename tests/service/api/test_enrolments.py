"""Asking for an enrolment: consent, limits, whose it is.  The fits are in tests/service/jobs."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

AGREED = {"subject": "self", "purpose": "tests", "version": "1", "agreed": True}
WISH = {"name": "Ada", "consent": AGREED}


def ask(server, token, **more):
    return server.call("POST", "/v1/enrolments", token, json=WISH | more)


def send(server, token, id, data=b"a video"):
    return server.call("PUT", f"/v1/enrolments/{id}/video", token, content=data)


def test_nobody_is_enrolled_without_consent(serve):
    server = serve()
    ada = server.user("ada")
    wording = server.call("GET", "/v1/consent").json()
    assert wording["version"] == "1" and "likeness" in wording["wording"]
    for wrong in (
        {"agreed": False}, {"version": "0"}, {"subject": " "}, {"purpose": ""}, {"agreed": None},
    ):  # fmt: skip
        assert ask(server, ada, consent=AGREED | wrong).status_code == 422, wrong
    assert server.call("POST", "/v1/enrolments", ada, json={"name": "Ada"}).status_code == 422
    assert server.call("GET", "/v1/enrolments", ada).json() == []


def test_names_and_lengths_are_checked(serve):
    server = serve(fit_seconds=100, fit_size=256)
    ada = server.user("ada")
    for wrong in (
        {"name": "../x"}, {"name": ""}, {"seconds": 101}, {"size": 512}, {"size": 16},
        {"seconds": 5, "steps": 5}, {"steps": 0}, {"seconds": -1}, {"extra": 1},
    ):  # fmt: skip
        assert ask(server, ada, **wrong).status_code == 422, wrong
    assert ask(server, ada, seconds=100).status_code == 201


def test_a_guided_enrolment_has_a_script_of_its_own(serve):
    server = serve()
    ada = server.user("ada")
    scripts = [ask(server, ada, guided=True).json()["script"] for _ in range(4)]
    assert all(len(script) == 8 and script[0]["words"] for script in scripts)
    assert len({tuple(p["gesture"] for p in script) for script in scripts}) > 1
    assert ask(server, ada).json()["script"] is None


def test_a_server_may_ask_that_all_are_live(serve, archive):
    server = serve(liveness=True)
    ada = server.user("ada")
    refused = ask(server, ada)
    assert refused.status_code == 422 and "guided capture" in refused.json()["detail"]
    assert ask(server, ada, guided=True).status_code == 201
    brought = server.call("POST", "/v1/avatars", ada, content=archive)
    assert brought.status_code == 403 and "guided capture" in brought.json()["detail"]
    assert server.call("GET", "/v1/avatars", ada).json() == []


def test_others_have_no_part_in_it(serve):
    server = serve()
    ada, eve = server.user("ada"), server.user("eve")
    id = ask(server, ada).json()["id"]
    for method, path in (
        ("GET", f"/v1/enrolments/{id}"), ("DELETE", f"/v1/enrolments/{id}"),
        ("GET", f"/v1/enrolments/{id}/preview"), ("GET", f"/v1/enrolments/{id}/events"),
    ):  # fmt: skip
        assert server.call(method, path, eve).status_code == 404
    assert send(server, eve, id).status_code == 404
    assert server.call("GET", "/v1/enrolments", eve).json() == []
    assert server.call("GET", f"/v1/enrolments/{id}", ada).json()["state"] == "empty"


def test_a_video_comes_once_and_is_sealed_and_is_destroyed_by_cancelling(serve, tmp_path):
    server = serve(video_mib=1)
    ada = server.user("ada")
    id = ask(server, ada).json()["id"]
    assert send(server, ada, id, b"x" * (2 << 20)).status_code == 413
    video = b"the face of ada " * 40_000
    assert send(server, ada, id, video).json()["state"] == "waiting"
    assert send(server, ada, id, video).status_code == 409
    files = [p for p in (tmp_path / "data").rglob("*") if p.is_file()]
    assert not any(b"the face of ada" in path.read_bytes() for path in files)
    assert server.call("DELETE", f"/v1/enrolments/{id}", ada).json()["state"] == "cancelled"
    assert server.call("DELETE", f"/v1/enrolments/{id}", ada).json()["state"] == "cancelled"
    assert not [p for p in (tmp_path / "data" / "sealed").rglob("*") if p.is_file()]
    actions = [event["action"] for event in server.call("GET", "/v1/audit", ada).json()]
    assert actions[:2] == ["enrolment.cancelled", "enrolment.asked"]


def test_so_many_at_a_time(serve):
    server = serve(enrolments=2)
    ada = server.user("ada")
    ids = [ask(server, ada).json()["id"] for _ in range(3)]
    assert [send(server, ada, id).status_code for id in ids] == [202, 202, 409]
    assert ask(server, ada).status_code == 409
    server.call("DELETE", f"/v1/enrolments/{ids[0]}", ada)
    for _ in range(15):  # drafts without a video never lock anybody out
        assert ask(server, ada).status_code == 201
    drafts = [e for e in server.call("GET", "/v1/enrolments", ada).json() if e["state"] == "empty"]
    assert len(drafts) == 10


@pytest.mark.parametrize("goes", ["avatars", "enrolments"])
def test_a_filmed_face_goes_with_what_was_made_of_it(serve, archive, goes):
    from service.jobs.enrolment import adding
    from service.jobs.queue import Queue

    server = serve()
    ada = server.user("ada")
    id = ask(server, ada).json()["id"]
    send(server, ada, id)
    store = server.app.state.context.store
    queue = Queue(store)
    claim = queue.claim(server.now)
    queue.keep(claim, server.now, "preview", b"a filmed face")
    queue.finish(claim, {}, server.now, adding(store.library, archive, server.now))
    avatar = server.call("GET", f"/v1/enrolments/{id}", ada).json()["avatar"]
    path = f"/v1/enrolments/{id}/preview"
    assert server.call("GET", path, ada).content == b"a filmed face"
    gone = {"avatars": avatar, "enrolments": id}[goes]
    assert server.call("DELETE", f"/v1/{goes}/{gone}", ada).status_code in (200, 204)
    assert server.call("GET", path, ada).status_code == 404
    assert server.call("GET", f"/v1/enrolments/{id}", ada).json()["preview"] is False
    left = [p for p in (server.settings.data / "sealed").rglob("*") if p.is_file()]
    assert len(left) == (goes == "enrolments")  # the avatar itself


def test_erasing_the_account_takes_a_waiting_video_along(serve, tmp_path):
    server = serve()
    ada = server.user("ada")
    id = ask(server, ada).json()["id"]
    assert send(server, ada, id).status_code == 202
    gone = {"password": "correct horse battery"}
    assert server.call("POST", "/v1/account/erasure", ada, json=gone).status_code == 204
    assert not [p for p in (tmp_path / "data" / "sealed").rglob("*") if p.is_file()]


def test_nobody_learns_an_avatar_that_there_is_no_room_for(serve, archive):
    server = serve(avatars=2)
    ada = server.user("ada")
    server.avatar(ada, archive)
    first = ask(server, ada).json()["id"]
    assert send(server, ada, first).status_code == 202  # waits, and will be the second
    full = ask(server, ada)
    assert full.status_code == 409 and "avatars" in full.json()["detail"]
    assert server.call("DELETE", f"/v1/enrolments/{first}", ada).status_code == 200
    assert ask(server, ada).status_code == 201
