"""A guided enrolment from the question to the verdict: who was filmed for its order gets through.
The person is real to the tracker; what is left out is the fit."""

from __future__ import annotations

import time

import pytest

from tests.service.live import NEEDS

for _package in (*NEEDS, "skimage"):
    pytest.importorskip(_package)

AGREED = {"subject": "self", "purpose": "tests", "version": "1", "agreed": True}
FPS = 10


@pytest.mark.parametrize("live_only", [False, True])
def test_a_film_of_the_order_that_was_asked_for_is_live_and_no_other(
    serve, make_video, archive, monkeypatch, live_only
):
    from avatar.archive import parse_avatar
    from enroll.puppet import Puppet
    from enroll.sample_script import follow
    from service.api.opening import tasks_of
    from service.enrolment import Enrolled
    from service.guide.coverage import coverage_of
    from service.jobs import enrolment
    from service.jobs.queue import Queue
    from service.jobs.worker import Worker

    server = serve(liveness=live_only)
    ada = server.user("ada")

    def ask():
        wish = {"name": "Ada", "consent": AGREED, "guided": True}
        shown = server.call("POST", "/v1/enrolments", ada, json=wish).json()
        return shown["id"], [prompt["gesture"] for prompt in shown["script"]]

    first, order = ask()
    second, other = ask()
    while other == order:
        second, other = ask()
    puppet, performance = Puppet(128), follow(order, FPS)
    frames = [puppet.draw(performance, f) for f in range(len(performance.time))]
    film = make_video(frames, fps=FPS).read_bytes()
    for id in (first, second):
        sent = server.call("PUT", f"/v1/enrolments/{id}/video", ada, content=film)
        assert sent.status_code == 202, sent.text

    fits = []

    def fitted(videos, name, consent, target, *_, tracks, **__):
        fits.append(name)
        target.write_bytes(archive)
        return Enrolled(parse_avatar(archive), coverage_of(tracks[0]), [])

    monkeypatch.setattr(enrolment, "enrol", fitted)
    queue = Queue(server.app.state.context.store)
    worker = Worker(queue, server.settings.data / "work", tasks_of(server.settings))
    worker.prepare()
    while (claim := queue.claim(time.time())) is not None:
        worker.work(claim)
    shown = [server.call("GET", f"/v1/enrolments/{id}", ada).json() for id in (first, second)]
    if live_only:
        assert [one["state"] for one in shown] == ["done", "failed"], (order, other)
        assert "Enrol again" in shown[1]["error"] and shown[1]["avatar"] is None
        assert fits == [shown[0]["name"]]  # a fit that is for nothing is not begun
        return
    assert [one["state"] for one in shown] == ["done", "done"], shown
    verdicts = [one["report"]["liveness"] for one in shown]
    assert verdicts == [True, False], (order, other)
    # Who does as told has also shown what an enrolment wants to see.
    shares = shown[0]["report"]["coverage"]
    assert min(shares[turn] for turn in ("left", "right", "up", "down")) == 1.0, shares
