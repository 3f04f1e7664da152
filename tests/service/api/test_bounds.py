"""So much of each user and no more; and what has ended long ago is gone."""

from __future__ import annotations

import asyncio
import threading

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

PASSWORD = "correct horse battery"
DAY = 86_400.0
AGREED = {"subject": "self", "purpose": "tests", "version": "1", "agreed": True}
WISH = {"name": "Ada", "consent": AGREED}


@pytest.mark.parametrize(
    "path", ["/v1/sessions", "/v1/accounts", "/v1/account/erasure", "/v1/account/signing-key"]
)
def test_no_password_is_tried_in_haste(serve, path):
    server = serve(sign_in_rate=3.0)
    ada = server.user("ada")
    server.now += 60
    body = {"password": "wrong wrong wrong"}
    if "/account/" not in path:
        body["name"] = "ada"
    codes = [server.call("POST", path, ada, json=body).status_code for _ in range(5)]
    assert codes[3:] == [429] * 2 and 429 not in codes[:3]
    assert int(server.answers[-1].headers["retry-after"]) == 20


def test_every_route_that_takes_a_password_counts_it(serve):
    from service.api import accounts
    from service.api.context import _counted
    from service.api.shapes import Credentials, PasswordAgain

    taking = 0
    for route in accounts.router.routes:
        body = route.body_field and route.body_field.field_info.annotation
        if body in (Credentials, PasswordAgain):
            taking += 1
            assert _counted in [one.call for one in route.dependant.dependencies], route.path
    assert taking == 4 and not hasattr(serve().app.state.context, "passwords")


def test_tokens_are_so_many_and_one_can_always_sign_in(serve):
    server = serve(user_tokens=3)
    ada = server.user("ada")
    wish = {"scopes": ["account"], "days": 2}
    made = [server.call("POST", "/v1/tokens", ada, json=wish) for _ in range(3)]
    assert [one.status_code for one in made] == [201, 201, 409]
    id = made[0].json()["id"]
    server.call("DELETE", f"/v1/tokens/{id}", ada)
    assert server.call("POST", "/v1/tokens", ada, json=wish).status_code == 201
    assert id not in server.call("GET", "/v1/tokens", ada).text  # it made room
    server.now += 1
    who = {"name": "ada", "password": PASSWORD}
    again = server.call("POST", "/v1/sessions", json=who).json()["token"]
    assert len(server.call("GET", "/v1/tokens", again).json()) == 3
    assert server.call("GET", "/v1/account", ada).status_code == 401  # it would have ended first


def test_grants_and_leases_are_so_many(serve, archive):
    server = serve(user_grants=2, user_leases=2)
    ada, bob = server.user("ada"), server.user("bob")
    base = f"/v1/avatars/{server.avatar(ada, archive)}"
    wish = {"holder": "bob", "days": 1}
    given = [server.call("POST", f"{base}/grants", ada, json=wish) for _ in range(3)]
    assert [one.status_code for one in given] == [201, 201, 409]
    lent = [server.call("POST", f"{base}/leases", bob).status_code for _ in range(3)]
    assert lent == [201, 201, 409]
    for one in given[:2]:
        server.call("DELETE", f"/v1/grants/{one.json()['id']}", ada)
    assert server.call("POST", f"{base}/grants", ada, json=wish).status_code == 201
    assert len(server.call("GET", f"{base}/grants", ada).json()) == 2
    server.now += 15 * 60
    assert server.call("POST", f"{base}/leases", bob).status_code == 201


def test_videos_that_come_at_once_are_counted_together(serve):
    from service.api.enrolments import _jobs

    server = serve(enrolments=2, user_uploads=4)
    ada = server.user("ada")
    asked = [server.call("POST", "/v1/enrolments", ada, json=WISH).json()["id"] for _ in range(4)]
    context, gate, ends = server.app.state.context, threading.Barrier(4), []
    user = server.call("GET", "/v1/account", ada).json()["id"]

    def pieces():
        gate.wait(20)  # all have been let in
        yield b"a video"

    def send(id):
        try:
            ends.append(_jobs._take(context, user, id, pieces()).state)
        except Exception as error:
            ends.append(getattr(error, "status_code", error))

    threads = [threading.Thread(target=send, args=(id,)) for id in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends, key=str) == [409, 409, "waiting", "waiting"]
    assert len([p for p in (server.settings.data / "sealed").rglob("*") if p.is_file()]) == 2


def test_one_user_does_not_take_all_places_for_uploads(serve, archive):
    server = serve(uploads=2, user_uploads=1)
    ada, bob = server.user("ada"), server.user("bob")
    come = asyncio.Event()

    async def slow():
        await come.wait()
        yield archive

    def post(token, content):
        headers = {"Authorization": f"Bearer {token}"}
        return server._client.post("/v1/avatars", headers=headers, content=content)

    async def all_at_once():
        first = asyncio.create_task(post(ada, slow()))
        while not server.app.state.context.uploads._held:
            await asyncio.sleep(0.01)
        second, others = await post(ada, archive), await post(bob, archive)
        come.set()
        return [(await first).status_code, second.status_code, others.status_code]

    assert server.runner.run(all_at_once()) == [201, 429, 201]
    assert not server.app.state.context.uploads._held


def test_one_user_does_not_take_all_rooms(serve):
    server = serve(user_rooms=2, rooms=3)
    ada, bob = server.user("ada"), server.user("bob")
    made = []
    for _ in range(4):
        made.append(server.call("POST", "/v1/rooms", ada).json()["id"])
        server.now += 1
    assert server.call("POST", "/v1/rooms", bob).status_code == 201
    there = [server.call("GET", f"/v1/rooms/{id}", ada).status_code for id in made]
    assert there == [404, 404, 200, 200]


def test_a_full_room_is_told_before_an_avatar_is_unsealed(serve, archive, monkeypatch):
    from dataclasses import dataclass

    from service.api import rooms

    @dataclass
    class Guest:
        id: str
        user: str
        mode: str = "video"
        name: str = "somebody"

        async def close(self):
            pass

    server = serve(browsers=3, user_browsers=1)
    ada = server.user("ada")
    avatar = server.avatar(ada, archive)
    monkeypatch.setattr(rooms, "own", lambda *_: pytest.fail("was unsealed"))
    context = server.app.state.context
    user = server.call("GET", "/v1/account", ada).json()["id"]
    ids = [server.call("POST", "/v1/rooms", ada).json()["id"] for _ in range(3)]
    first, second, third = (context.rooms.find(id) for id in ids)
    wish = {"sdp": "an offer", "mode": "video", "avatar": avatar}

    def refused(room):
        answer = server.call("POST", f"/v1/rooms/{room.id}/members", ada, json=wish)
        assert answer.status_code == 409
        return answer.json()["detail"]

    mine = Guest("0", user)
    first.enter(mine, 0.0)
    assert "you are in" in refused(second).lower()
    first.leave(mine, 0.0)
    first.enter(Guest("1", "x"), 0.0)
    first.enter(Guest("2", "y"), 0.0)
    assert "two people" in refused(first).lower()
    second.enter(Guest("3", "z"), 0.0)
    assert "as many browsers" in refused(third)
    packets = wish | {"mode": "packets", "avatar": None}
    answer = server.call("POST", f"/v1/rooms/{third.id}/members", ada, json=packets)
    assert answer.status_code == 422  # it came to the offer, which is none


def test_a_stream_ends_with_its_token(serve):
    server = serve()
    ada = server.user("ada")
    id = server.call("POST", "/v1/enrolments", ada, json=WISH).json()["id"]
    headers = {"Authorization": f"Bearer {ada}"}
    streams = server.app.state.context.streams

    async def follow():
        stream = asyncio.create_task(
            server._client.get(f"/v1/enrolments/{id}/events", headers=headers)
        )
        while not streams._held:
            await asyncio.sleep(0.01)
        server.now += DAY
        return await asyncio.wait_for(stream, 30)

    answer = server.runner.run(follow())
    assert answer.text.count("event: progress") <= 1 and not streams._held


def test_what_has_ended_is_kept_for_a_while(serve, archive):
    from sqlalchemy import func, select

    from service.api.purge import Kept, purge
    from service.jobs.enrolment import adding
    from service.jobs.queue import Queue
    from service.store.models import Event, Grant, Job, Lease, Token

    server = serve(session_hours=24 * 50)
    ada, bob = server.user("ada"), server.user("bob")
    store = server.app.state.context.store
    asked = [server.call("POST", "/v1/enrolments", ada, json=WISH).json()["id"] for _ in range(3)]
    server.call("PUT", f"/v1/enrolments/{asked[0]}/video", ada, content=b"a video")
    queue = Queue(store)
    claim = queue.claim(server.now)
    queue.keep(claim, server.now, "preview", b"a filmed face")
    queue.finish(claim, {}, server.now, adding(store.library, archive, server.now))
    avatar = server.call("GET", f"/v1/enrolments/{asked[0]}", ada).json()["avatar"]
    server.call("DELETE", f"/v1/enrolments/{asked[1]}", ada)
    for days in (1, 300):
        wish = {"holder": "bob", "days": days}
        server.call("POST", f"/v1/avatars/{avatar}/grants", ada, json=wish)
    server.call("POST", f"/v1/avatars/{avatar}/leases", bob)
    server.call("POST", "/v1/tokens", ada, json={"scopes": ["account"], "days": 1})

    def counts():
        tables = (Token, Grant, Lease, Job, Event)
        with store.database.read() as session:
            return [session.scalar(select(func.count()).select_from(table)) for table in tables]

    kept, before = Kept(ended=30 * DAY, events=365 * DAY), counts()
    purge(store, kept, server.now)
    assert counts() == before == [3, 2, 1, 3, before[-1]]
    server.now += 2 * DAY
    purge(store, kept, server.now)
    assert counts() == [3, 2, 0, 3, before[-1]]
    server.now += 30 * DAY
    purge(store, kept, server.now)
    assert counts() == [2, 1, 0, 1, before[-1]]  # the draft has not ended
    assert len([p for p in (server.settings.data / "sealed").rglob("*") if p.is_file()]) == 1
    assert server.call("GET", f"/v1/avatars/{avatar}", bob).status_code == 200
    server.now += 340 * DAY
    purge(store, kept, server.now)
    assert counts() == [0, 0, 0, 1, 0]


def test_nobody_joins_a_room_that_made_way_meanwhile(serve, monkeypatch):
    pytest.importorskip("aiortc")
    from service.api import rooms

    server = serve()
    ada = server.user("ada")
    room = server.call("POST", "/v1/rooms", ada).json()["id"]
    who = rooms._who

    def slow(*asked):
        for _ in range(20):  # of one's rooms the oldest goes
            context.rooms.make(me, server.now)
        return who(*asked)

    context = server.app.state.context
    me = context.rooms.find(room).owner
    monkeypatch.setattr(rooms, "_who", slow)
    joined = server.call(
        "POST", f"/v1/rooms/{room}/members", ada, json={"sdp": "v=0", "mode": "packets"}
    )
    assert joined.status_code == 404 and context.rooms.counts == (20, 0)


def test_a_file_that_cannot_be_removed_keeps_no_other(serve, monkeypatch):
    from sqlalchemy import select

    from avatar.errors import StorageError
    from service.api.purge import Kept, purge
    from service.store.blobs import BlobFolder
    from service.store.models import Job

    server = serve()
    ada = server.user("ada")
    store, kept = server.app.state.context.store, Kept(ended=30 * DAY, events=365 * DAY)
    for _ in range(2):
        id = server.call("POST", "/v1/enrolments", ada, json=WISH).json()["id"]
        server.call("DELETE", f"/v1/enrolments/{id}", ada)
    with store.database.write() as session:
        for job in session.scalars(select(Job)):
            job.inputs = "0" * 32
    asked, remove = [], BlobFolder.remove

    def fails(folder, name):
        asked.append(name)
        if len(asked) == 1:
            raise StorageError("a stored file cannot be removed (it is read only)")
        remove(folder, name)

    monkeypatch.setattr(BlobFolder, "remove", fails)
    server.now += 31 * DAY
    purge(store, kept, server.now)
    assert asked == ["0" * 32] * 2


def test_vain_enrolments_do_not_pile_up(serve, monkeypatch):
    from sqlalchemy import func, select

    from service.api import jobs
    from service.store.models import Job

    monkeypatch.setattr(jobs, "_LISTED", 15)
    server = serve()
    ada = server.user("ada")
    for _ in range(30):
        server.call("POST", "/v1/enrolments", ada, json=WISH)
    with server.app.state.context.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 15
