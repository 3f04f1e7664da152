"""What comes of a job when the work on it fails, and of what lies in the worker's folder."""

from __future__ import annotations

import errno
import os
import shutil
import time

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("cryptography")

from sqlalchemy.exc import OperationalError

from avatar.errors import StorageError
from service.jobs import queue as jobs
from service.jobs.queue import MOST_LOSSES, Queue
from service.jobs.worker import Worker
from service.store.models import Job

AWAY = [
    OperationalError("UPDATE jobs", {}, Exception("server closed the connection unexpectedly")),
    StorageError("the store of sealed files does not serve (ReadTimeout)", "Look at it."),
    OSError(errno.ENOSPC, "No space left on device", "/secret/place"),
]


class Bench:
    """A job, a worker, and what its task raises until it is told otherwise."""

    def __init__(self, store, owner, folder):
        self.store, self.error = store, None
        with store.database.write() as session:
            self.id = jobs.submit(session, owner, "work", {}, 1.0).id
            blob = store.library.put(session, owner, [b"a video"])
            jobs.supply(session, self.id, blob, 1.0)
        self.queue = Queue(store, lease=10.0)
        self.worker = Worker(self.queue, folder, {"work": self.task})
        self.worker.prepare()

    def task(self, queue, claim, place, check):
        if self.error is not None:
            raise self.error
        assert queue.open(claim, claim.inputs).whole() == b"a video"
        queue.finish(claim, {}, time.time(), lambda session, job: None)

    def work(self, now):
        claim = self.queue.claim(now)
        if claim is not None:
            self.worker.work(claim)
        return claim is not None

    @property
    def job(self):
        with self.store.database.read() as session:
            return session.get_one(Job, self.id)


@pytest.fixture
def bench(store, ada, tmp_path):
    return Bench(store, ada, tmp_path / "work")


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_what_does_not_answer_for_a_moment_ends_no_job(bench, error):
    now = time.time()
    bench.error = error
    assert bench.work(now)
    assert bench.job.state == "waiting" and not bench.work(now + 15)
    bench.error = None
    assert bench.work(now + 25) and bench.job.state == "done"


def test_a_disk_that_is_full_before_the_work_begins_ends_no_job(bench):
    now, folder = time.time(), bench.worker.folder
    (full,) = (error for error in AWAY if isinstance(error, OSError))

    class Full(type(folder)):
        def mkdir(self, *_, **__):
            raise full

    bench.worker.folder = Full(folder)
    assert bench.work(now)
    assert bench.job.state == "waiting" and bench.job.inputs is not None
    bench.worker.folder = folder
    assert bench.work(now + 25) and bench.job.state == "done"


def test_what_never_answers_ends_a_job_in_the_end(bench):
    now, bench.error = time.time(), AWAY[1]
    tries = [now + 1000.0 * n for n in range(2 * MOST_LOSSES) if bench.work(now + 1000.0 * n)]
    assert len(tries) == MOST_LOSSES and (bench.job.state, bench.job.inputs) == ("failed", None)
    assert bench.job.error == "The server cannot store or read this now."


def test_a_job_that_cannot_be_put_off_runs_out_of_its_lease(bench, monkeypatch):
    def gone(*_):
        raise AWAY[0]

    now, bench.error = time.time(), AWAY[0]
    with monkeypatch.context() as patch:
        patch.setattr(Queue, "put_off", gone)
        assert bench.work(now)
    assert bench.job.state == "running" and not bench.work(now + 5)
    bench.error = None
    assert bench.work(now + 15) and bench.job.state == "done"


def test_a_bug_fails_the_job_in_words_that_tell_nothing(bench):
    bench.error = ZeroDivisionError("at /secret/place")
    assert bench.work(time.time())
    job = bench.job
    assert (job.state, job.inputs) == ("failed", None) and "secret" not in job.error


def test_workers_that_sweep_at_the_same_time_do_each_other_no_harm(bench, monkeypatch):
    folder = bench.worker.folder
    for n in range(3):
        (folder / f"{n:032}-1").mkdir()
        os.utime(folder / f"{n:032}-1", (1.0, 1.0))

    def quicker(self, job):
        for place in folder.iterdir():
            shutil.rmtree(place)
        return False

    monkeypatch.setattr(Queue, "runs", quicker)
    bench.worker.prepare()
    assert not list(folder.iterdir())
