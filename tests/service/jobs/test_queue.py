"""A job is worked on by one, ends once, and is never lost."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("cryptography")

from sqlalchemy import select

from avatar.errors import MismatchError, StorageError
from service.jobs import queue as jobs
from service.jobs.enrolment import adding
from service.jobs.queue import MOST_LOSSES, LostError, Queue
from service.store.models import Job, StoredAvatar


@pytest.fixture
def queue(store):
    return Queue(store, lease=10.0)


def ask(store, owner, now=1.0):
    with store.database.write() as session:
        job = jobs.submit(session, owner, "enrolment", {"name": "Ada"}, now)
        blob = store.library.put(session, owner, [b"a video"])
        jobs.supply(session, job.id, blob, now)
        return job.id


def look(store, id):
    with store.database.read() as session:
        return session.get_one(Job, id)


def blobs(tmp_path):
    return [p for p in (tmp_path / "data" / "sealed").rglob("*") if p.is_file()]


def test_nobody_gets_a_job_before_its_video(store, ada, queue):
    with store.database.write() as session:
        jobs.submit(session, ada, "enrolment", {}, 1.0)
    assert queue.claim(2.0) is None


def test_oldest_first_and_each_once(store, ada, queue):
    first, second = ask(store, ada, 1.0), ask(store, ada, 2.0)
    assert [queue.claim(3.0).id, queue.claim(3.0).id] == [first, second]
    assert queue.claim(3.0) is None


def test_inputs_come_once(store, ada):
    from avatar.errors import TakenError

    id = ask(store, ada)
    with pytest.raises(TakenError), store.database.write() as session:
        jobs.supply(session, id, "0" * 32, 2.0)


def test_a_silent_worker_loses_its_job_and_cannot_spoil_it(store, ada, queue, archive):
    id = ask(store, ada)
    old = queue.claim(1.0)
    queue.keep(old, 2.0, "checkpoint", b"half of it")
    assert queue.claim(10.9) is None
    new = queue.claim(11.0)
    assert (new.id, new.fence) == (id, old.fence + 1)
    assert queue.open(new, new.checkpoint).whole() == b"half of it"
    enrolled = adding(store.library, archive, 12.0)
    for late in (
        lambda: queue.beat(old, 12.0, 0.9),
        lambda: queue.keep(old, 12.0, "checkpoint", b"x"),
        lambda: queue.fail(old, "x", 12.0),
        lambda: queue.finish(old, {}, 12.0, enrolled),
        lambda: queue.release(old, 12.0),
        lambda: queue.open(old, old.inputs),
    ):
        with pytest.raises(LostError):
            late()
    queue.finish(new, {"figures": {}}, 12.0, enrolled)
    job = look(store, id)
    assert (job.state, job.report, job.inputs, job.checkpoint) == (
        "done", {"figures": {}}, None, None,
    )  # fmt: skip
    with pytest.raises(LostError):
        queue.finish(new, {}, 12.0, enrolled)
    with store.database.read() as session:
        (avatar,) = session.scalars(select(StoredAvatar))  # and not one more
    assert job.result == avatar.id


def test_a_job_whose_end_fails_has_not_ended_and_adds_nothing(store, ada, queue, archive, tmp_path):
    id = ask(store, ada)
    claim = queue.claim(1.0)
    enrolled = adding(store.library, archive, 2.0)

    def fails(session, job):
        enrolled(session, job)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        queue.finish(claim, {}, 2.0, fails)
    with store.database.read() as session:
        assert list(session.scalars(select(StoredAvatar))) == []
    assert (look(store, id).state, look(store, id).result) == ("running", None)
    before = blobs(tmp_path)
    with pytest.raises(ZeroDivisionError), queue.sealing(claim, [b"x"]):
        assert len(blobs(tmp_path)) == len(before) + 1
        raise ZeroDivisionError
    assert blobs(tmp_path) == before
    queue.finish(claim, {}, 3.0, enrolled)
    assert look(store, id).state == "done"


def test_a_beat_keeps_the_lease(store, ada, queue):
    id = ask(store, ada)
    claim = queue.claim(1.0)
    queue.beat(claim, 9.0, 0.5, "half", left=3.0)
    assert queue.claim(15.0) is None
    job = look(store, id)
    assert (job.progress, job.note, job.report) == (0.5, "half", {"seconds_left": 3.0})


def test_a_beat_that_says_nothing_counts_down(store, ada, queue):
    id = ask(store, ada)
    claim = queue.claim(1.0)
    queue.beat(claim, 2.0)
    assert look(store, id).report == {}
    queue.beat(claim, 3.0, 0.5, "half", left=5.0)
    for now, left in ((5.0, 3.0), (6.0, 2.0), (9.0, 0.0), (10.0, 0.0)):
        queue.beat(claim, now)
        assert look(store, id).report == {"seconds_left": left}
    queue.beat(claim, 11.0, 0.9, "half", left=7.0)
    queue.release(claim, 12.0)
    assert look(store, id).report == {}


def test_the_place_in_the_line_is_that_of_the_work(store, ada, queue):
    ids = [ask(store, ada, now) for now in (3.0, 1.0, 2.0)]

    def places():
        with store.database.read() as session:
            return [jobs.ahead(session, session.get_one(Job, id)) for id in ids]

    assert places() == [2, 0, 1]
    assert queue.claim(4.0).id == ids[1] and places() == [1, 0, 0]


def test_what_is_released_waits_and_loses_nothing(store, ada, queue):
    ask(store, ada)
    claim = queue.claim(1.0)
    queue.keep(claim, 1.0, "checkpoint", b"x")
    queue.release(claim, 2.0)
    again = queue.claim(2.0)
    assert again.checkpoint is not None and again.fence == claim.fence + 1


def test_what_kills_every_worker_is_given_up(store, ada, queue, tmp_path):
    id = ask(store, ada)
    now, claims = 1.0, 0
    while queue.claim(now) is not None:
        claims += 1
        now += 11.0
    assert claims == MOST_LOSSES
    assert look(store, id).state == "failed" and not blobs(tmp_path)


def test_a_checkpoint_is_progress(store, ada, queue):
    ask(store, ada)
    now = 1.0
    for _ in range(3 * MOST_LOSSES):
        claim = queue.claim(now)
        queue.keep(claim, now, "checkpoint", b"x")
        now += 11.0


def test_cancelling_stops_the_worker_and_removes_the_files(store, ada, queue, tmp_path):
    id = ask(store, ada)
    claim = queue.claim(1.0)
    queue.keep(claim, 1.0, "checkpoint", b"x")
    queue.keep(claim, 1.0, "preview", b"y")
    with store.database.write() as session:
        left = jobs.cancel(session, session.get_one(Job, id), 2.0)
        assert jobs.cancel(session, session.get_one(Job, id), 2.0) == []
    for blob in left:
        store.library.blobs.remove(blob)
    assert not blobs(tmp_path)
    with pytest.raises(LostError):
        queue.beat(claim, 3.0)
    assert queue.claim(100.0) is None


def test_erasing_the_owner_ends_the_work(store, ada, queue, archive):
    ask(store, ada)
    claim = queue.claim(1.0)
    with store.database.write() as session:
        store.library.erase_user(session, ada)
    with pytest.raises(LostError):
        queue.finish(claim, {}, 2.0, adding(store.library, archive, 2.0))


def test_checkpoints_and_previews_replace_one_another(store, ada, queue, tmp_path):
    ask(store, ada)
    claim = queue.claim(1.0)
    for n in range(4):
        queue.keep(claim, 1.0, "checkpoint", b"%d" % n)
        queue.keep(claim, 1.0, "preview", b"%d" % n)
    assert len(blobs(tmp_path)) == 3


def test_many_workers_share_the_jobs_without_overlap(store, ada, queue):
    wanted = {ask(store, ada, float(n)) for n in range(12)}
    got, lock = [], threading.Lock()

    def work():
        while (claim := queue.claim(20.0)) is not None:
            with lock:
                got.append(claim.id)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 12 and set(got) == wanted


def test_a_job_is_claimed_by_its_id_where_it_is_free(store, ada, queue):
    first, second = ask(store, ada, 0.0), ask(store, ada, 1.0)
    assert queue.free(2.0, 10) == [first, second] and queue.free(2.0, 1) == [first]
    claim = queue.claim(2.0, second)
    assert claim.id == second and queue.claim(2.0, second) is None
    assert queue.free(2.0, 10) == [first] and queue.free(12.0, 10) == [first, second]
    assert queue.claim(12.0, second).fence == claim.fence + 1


def test_a_machine_with_other_settings_leaves_a_job_alone(store, ada, queue, tmp_path):
    from service.store.keys import MasterKey
    from service.store.library import Library
    from service.store.opened import Store, open_store

    id = ask(store, ada)
    queue.try_inputs(id)
    other = open_store(tmp_path / "other")
    with pytest.raises(MismatchError, match="does not know"):
        Queue(other).try_inputs(id)
    other.database.close()
    wrong_key = Store(store.database, Library(MasterKey(b"x" * 32), store.library.blobs))
    with pytest.raises(MismatchError, match="master key"):
        Queue(wrong_key).try_inputs(id)
    elsewhere = Store(store.database, Library(store.library.master, other.library.blobs))
    with pytest.raises(StorageError):
        Queue(elsewhere).try_inputs(id)
    assert look(store, id).state == "waiting"
