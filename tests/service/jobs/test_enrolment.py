"""An enrolment end to end: over HTTP, in a real server, with a real fit in a worker process."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest

from tests.service.live import PASSWORD

AGREED = {"subject": "self", "purpose": "tests", "version": "1", "agreed": True}


@pytest.fixture
def server(live):
    return live(job_lease=4, checkpoint_seconds=0.5)


def ask(server, token, **more):
    wish = {"name": "Ada", "consent": AGREED, "size": 64, "steps": 20, **more}
    answer = server.call("POST", "/v1/enrolments", token, json=wish)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def send(server, token, id, data):
    answer = server.call("PUT", f"/v1/enrolments/{id}/video", token, content=data)
    assert answer.status_code == 202, answer.text


def ended(server, token, id, seconds=240):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        shown = server.call("GET", f"/v1/enrolments/{id}", token).json()
        if shown["state"] in ("done", "failed", "cancelled"):
            return shown
        time.sleep(0.2)
    raise AssertionError(f"not ended: {shown} {server.log.read_text()}")


def plain_files(server):
    return [p for p in (server.data / "work").rglob("*") if p.is_file()]


def test_a_video_becomes_an_avatar(server, clip):
    import httpx

    from avatar.archive import parse_avatar

    ada = server.user("ada")
    id = ask(server, ada)
    send(server, ada, id, clip.read_bytes())
    told = []
    headers = {"Authorization": f"Bearer {ada}"}
    events = f"{server.base}/v1/enrolments/{id}/events"
    with httpx.stream("GET", events, headers=headers, timeout=240) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                told.append(json.loads(line[6:]))
    assert told[-1]["state"] == "done", (told[-1], server.log.read_text())
    assert [t["progress"] for t in told] == sorted(t["progress"] for t in told)
    report = told[-1]["report"]
    assert report["figures"]["psnr"] > 10 and report["figures"]["steps"] == 20
    seconds = report["map"]["seconds"]
    assert len(seconds) == len(report["map"]["pitch"]) - 1
    assert all(len(row) == len(report["map"]["yaw"]) - 1 for row in seconds)
    assert sum(map(sum, seconds)) > 0
    assert report["liveness"] is None and 0 < report["coverage"]["length"] < 0.1

    data = server.call("GET", f"/v1/avatars/{told[-1]['avatar']}/archive", ada).content
    avatar = parse_avatar(data)
    assert (avatar.name, avatar.consent.method) == ("Ada", "page")
    again = {"password": PASSWORD}
    key = server.call("POST", "/v1/account/signing-key", ada, json=again).json()
    assert avatar.signer == key["public"]
    picture = server.call("GET", f"/v1/enrolments/{id}/preview", ada)
    assert picture.content.startswith(b"\x89PNG") and not plain_files(server)
    sealed = [p.read_bytes() for p in (server.data / "sealed").rglob("*") if p.is_file()]
    assert sealed and not any(b"\x89PNG" in s or b"matroska" in s for s in sealed)
    assert server.stop() == 0


def test_what_is_no_video_fails_in_plain_words(server):
    ada = server.user("ada")
    id = ask(server, ada)
    send(server, ada, id, b"not a video at all" * 1000)
    shown = ended(server, ada, id)
    assert shown["state"] == "failed" and "cannot be read as a video" in shown["error"]
    assert str(server.data) not in shown["error"] and not plain_files(server)


def test_workers_and_servers_are_killed_at_random_times_and_the_job_ends_once(server, clip):
    ada = server.user("ada")
    id = ask(server, ada, steps=40)
    send(server, ada, id, clip.read_bytes())

    # Whenever it comes: while the face is followed, while it is fitted, between the two.
    seed = int.from_bytes(os.urandom(4))
    print(f"kills of seed {seed}")
    rng = random.Random(seed)

    def until(condition, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, server.log.read_text()
            time.sleep(0.05)

    def state():
        return server.call("GET", f"/v1/enrolments/{id}", ada).json()

    reached = 0.0
    for kill in ("worker", "server", "worker"):
        until(lambda: state()["state"] in ("running", "done"))
        reached = min(reached + rng.uniform(0.0, 0.35), 0.9)
        until(lambda least=reached: state()["progress"] >= least)
        if state()["state"] == "done":
            break
        if kill == "worker":
            for worker in server.workers():
                os.kill(worker, signal.SIGKILL)
        else:
            server.kill()
            server.start()
    shown = ended(server, ada, id)
    assert shown["state"] == "done", shown
    assert shown["report"]["figures"]["steps"] == 40
    avatars = server.call("GET", "/v1/avatars", ada).json()
    assert [a["id"] for a in avatars] == [shown["avatar"]] and not plain_files(server)


def test_cancelling_stops_a_running_fit_and_a_server_that_ends_hands_one_back(server, clip):
    ada = server.user("ada")
    end = time.monotonic() + 240

    def under_way():
        id = ask(server, ada, steps=100_000)
        send(server, ada, id, clip.read_bytes())
        while (shown := server.call("GET", f"/v1/enrolments/{id}", ada).json())["progress"] <= 0.25:
            assert shown["state"] in ("waiting", "running") and time.monotonic() < end, shown
            time.sleep(0.2)
        return id

    id = under_way()
    assert server.call("DELETE", f"/v1/enrolments/{id}", ada).json()["state"] == "cancelled"
    while plain_files(server):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert not [p for p in (server.data / "sealed").rglob("*") if p.is_file()]
    second = under_way()  # the worker is free again
    assert server.stop() == 0 and not plain_files(server)
    server.environment["FACEWIRE_WORKERS"] = "0"
    server.start()
    shown = server.call("GET", f"/v1/enrolments/{second}", ada).json()
    assert (shown["state"], shown["ahead"], shown["seconds_left"]) == ("waiting", 0, None)


def test_a_fit_goes_on_from_its_checkpoint(store, ada, clip, tmp_path):
    """In this process, where it shows from which step on."""
    from enroll.fit import Fit
    from service.jobs import queue as jobs
    from service.jobs.enrolment import WorkSettings, run
    from service.jobs.queue import Queue

    class Interrupted(Exception):
        pass

    queue = Queue(store)
    consent = {"subject": "self", "purpose": "tests", "given_at": "2026-01-01T00:00:00+00:00",
               "method": "page", "version": "1"}  # fmt: skip
    settings = {"name": "Ada", "size": 64, "steps": 24, "budget": None, "consent": consent}
    with store.database.write() as session:
        job = jobs.submit(session, ada, "enrolment", settings, 1.0)
        blob = store.library.put(session, ada, [clip.read_bytes()])
        jobs.supply(session, job.id, blob, 1.0)

    def stop_once_kept():
        with store.database.read() as session:
            if session.get_one(jobs.Job, job.id).checkpoint:
                raise Interrupted

    steps = []
    step = Fit.step

    def counted(self, progress):
        steps.append(self.done_steps)
        return step(self, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fit, "step", counted)
        work = WorkSettings(checkpoint=0.0)
        claim = queue.claim(time.time())
        (tmp_path / "a").mkdir()
        with pytest.raises(Interrupted):
            run(queue, claim, tmp_path / "a", stop_once_kept, work)
        reached = len(steps)
        queue.release(claim, time.time())
        (tmp_path / "b").mkdir()
        again = queue.claim(time.time())
        run(queue, again, tmp_path / "b", lambda: None, WorkSettings())
    assert 0 < reached < 24 and steps[reached] > 0
    assert steps[reached:] == list(range(steps[reached], 24))
