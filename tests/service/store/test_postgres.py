"""The store and the queue on a real PostgreSQL, started for these tests and thrown away."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.service.postgres import running

pytest.importorskip("sqlalchemy")
pytest.importorskip("psycopg")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with running(tmp_path_factory.mktemp("pg")) as url:
        yield url


@pytest.fixture
def store(url, tmp_path):
    from sqlalchemy import create_engine, text

    from service.store.opened import open_store

    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    opened = open_store(tmp_path / "data", url)
    yield opened
    opened.database.close()


def _user(store, name="ada"):
    with store.database.write() as session:
        return store.library.new_user(session, name, "hash", 1.0).id


def test_an_avatar_is_kept_and_erased(store, archive):
    from avatar.errors import InputError
    from service.store.models import StoredAvatar

    ada = _user(store)
    with store.database.write() as session:
        avatar = store.library.add_avatar(session, ada, archive, 2.0)
    with store.database.read() as session:
        stored = session.get_one(StoredAvatar, avatar.id)
        source = store.library.open(session, ada, stored.blob)
    assert b"".join(source.read(0, source.size)) == archive
    source.close()
    with store.database.write() as session:
        store.library.erase_user(session, ada)
    with store.database.read() as session, pytest.raises(InputError):
        store.library.key_of(session, ada)


def test_text_that_the_database_refuses_is_not_asked_of_it(url, store, tmp_path, archive):
    from fastapi.testclient import TestClient

    from service.api.app import make_app
    from service.api.settings import ServiceSettings

    cheap = {"password_passes": 1, "password_memory": 16}
    app = make_app(ServiceSettings(data=tmp_path / "data", database=url, **cheap))
    who = {"name": "ada", "password": "correct horse battery"}
    client = TestClient(app)
    client.post("/v1/accounts", json=who)
    token = client.post("/v1/sessions", json=who).json()["token"]
    client.headers["Authorization"] = f"Bearer {token}"
    avatar = client.post("/v1/avatars", content=archive).json()["id"]
    for text in (r"a\u0000b", r"a\ud800b", "a" * 64, "\u00e4"):
        refused = client.post(
            "/v1/sessions", content=f'{{"name": "{text}", "password": "correct horse battery"}}'
        )
        assert refused.status_code in (401, 422), text
        given = client.post(
            f"/v1/avatars/{avatar}/grants", content=f'{{"holder": "{text}", "days": 1}}'
        )
        assert given.status_code in (404, 422), text
    for path, field in (("/v1/mirror", "avatar"), ("/v1/capture", "enrolment")):
        for text in (r"a\u0000b", r"a\ud800b"):
            with client.websocket_connect(path) as socket:
                socket.send_text(f'{{"token": "{token}", "size": 64, "{field}": "{text}"}}')
                end = socket.receive()
            assert (end["type"], end["code"]) == ("websocket.close", 1008)
    app.state.context.database.close()


def test_many_workers_share_the_jobs_without_overlap(store, archive):
    from service.jobs import queue as jobs
    from service.jobs.enrolment import adding
    from service.jobs.queue import LostError, Queue

    ada, queue = _user(store), Queue(store, lease=10.0)
    wanted = set()
    for n in range(12):
        with store.database.write() as session:
            job = jobs.submit(session, ada, "enrolment", {"name": "Ada"}, float(n))
            jobs.supply(session, job.id, store.library.put(session, ada, [b"x"]), float(n))
            wanted.add(job.id)
    got, lock = [], threading.Lock()

    def work():
        while (claim := queue.claim(20.0)) is not None:
            with lock:
                got.append(claim)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 12 and {claim.id for claim in got} == wanted
    again = queue.claim(31.0)
    old = next(claim for claim in got if claim.id == again.id)
    enrolled = adding(store.library, archive, 31.0)
    with pytest.raises(LostError):
        queue.finish(old, {}, 31.0, enrolled)
    queue.finish(again, {}, 31.0, enrolled)
    with store.database.read() as session:
        assert session.get_one(jobs.Job, again.id).result


def test_a_video_outlives_neither_its_time_nor_its_avatar(store, archive):
    from service.jobs import queue as jobs
    from service.jobs.rendering import KIND, outlived

    ada = _user(store)
    with store.database.write() as session:
        kept = store.library.add_avatar(session, ada, archive, 1.0).id
        for number, avatar in enumerate((kept, "0" * 32, kept)):
            job = jobs.submit(session, ada, KIND, {"avatar": avatar}, 10.0 * number)
            job.output = f"{number}" * 32
    with store.database.write() as session:
        assert sorted(jobs.let_go(session, outlived(0.0))) == ["0" * 32, "1" * 32]
        assert jobs.let_go(session, outlived(19.0)) == []


def test_a_job_that_ends_while_it_is_cancelled_has_ended(store, archive):
    from service.jobs import queue as jobs
    from service.jobs.enrolment import adding
    from service.jobs.queue import Queue

    ada, queue = _user(store), Queue(store)
    with store.database.write() as session:
        id = jobs.submit(session, ada, "enrolment", {"name": "Ada"}, 1.0).id
        jobs.supply(session, id, store.library.put(session, ada, [b"x"]), 1.0)
    claim = queue.claim(2.0)
    with store.database.write() as session:
        job = session.get_one(jobs.Job, id)
        queue.keep(claim, 3.0, "checkpoint", b"newer than what was read")
        queue.finish(claim, {}, 4.0, adding(store.library, archive, 4.0))
        assert jobs.cancel(session, job, 5.0) == []
    with store.database.read() as session:
        job = session.get_one(jobs.Job, id)
    assert (job.state, job.checkpoint) == ("done", None) and job.result


def test_migrations_run_both_ways(url, store):
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, inspect

    import service.store.migrations as migrations

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert "preview" not in {c["name"] for c in inspect(connection).get_columns("jobs")}
        command.upgrade(config, "head")
        assert "preview" in {c["name"] for c in inspect(connection).get_columns("jobs")}
    engine.dispose()
