"""Renderings end to end: over HTTP, in a real server whose worker is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("httpx")
pytest.importorskip("torch")
pytest.importorskip("av")

from service.watermark.video import read_watermark
from tests.service.live import LiveServer, settings
from tests.service.recorded_call import spots, stream_of


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    data = tmp_path_factory.mktemp("rendering") / "data"
    server = LiveServer(data, settings(job_lease=2, renderings=9))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def person():
    return spots()


@pytest.fixture(scope="module")
def ada(server):
    return server.user("ada")


@pytest.fixture(scope="module")
def avatar(server, ada, person):
    return server.call("POST", "/v1/avatars", ada, content=person[1]).json()["id"]


def ask(server, token, avatar, **look) -> str:
    """The path of a new rendering."""
    answer = server.call("POST", "/v1/renderings", token, json={"avatar": avatar} | look)
    assert answer.status_code == 201, answer.text
    return f"/v1/renderings/{answer.json()['id']}"


def send(server, token, path, stream):
    answer = server.call("PUT", f"{path}/stream", token, content=stream)
    assert answer.status_code == 202, answer.text


def until(server, token, path, holds, seconds=120):
    end = time.monotonic() + seconds
    while not holds(shown := server.call("GET", path, token).json()):
        assert time.monotonic() < end, (shown, server.log.read_text())
        time.sleep(0.05)
    return shown


def ended(shown) -> bool:
    return shown["state"] in ("done", "failed", "cancelled")


def plain_files(server) -> list[Path]:
    return [p for p in (server.data / "work").rglob("*") if p.is_file()]


def test_who_holds_a_grant_renders_a_call_and_the_video_says_what_it_is(
    server, ada, avatar, person, tmp_path
):
    import av
    import httpx

    bob = server.user("bob")
    wish = {"holder": "bob", "days": 1}
    given = server.call("POST", f"/v1/avatars/{avatar}/grants", ada, json=wish).json()["id"]
    path = ask(server, bob, avatar, width=160, height=128, background="#306090")
    later = ask(server, bob, avatar)
    send(server, bob, path, stream_of(person[0], 50))
    told = []
    headers = {"Authorization": f"Bearer {bob}"}
    with httpx.stream("GET", f"{server.base}{path}/events", headers=headers, timeout=120) as events:
        told += [json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: ")]
    assert told[-1]["state"] == "done" and told[-1]["video"], (told[-1], server.log.read_text())
    assert told[-1]["report"]["frames"] == 50 and not plain_files(server)

    video = server.call("GET", f"{path}/video", bob)
    assert len(video.content) == told[-1]["report"]["bytes"]
    file = tmp_path / "call.mp4"
    file.write_bytes(video.content)
    assert read_watermark(file).prefix == person[0].digest[:8]
    with av.open(str(file)) as opened:
        shown = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert len(shown) == 50 and shown[0].shape == (128, 160, 3)
    with av.open(str(file)) as opened:
        assert sum(frame.samples for frame in opened.decode(audio=0)) > 48_000
    log = server.call("GET", "/v1/audit", ada).json()
    assert (log[0]["actor"], log[0]["action"], log[0]["subject"]) == (
        "bob", "avatar.rendered", avatar,
    )  # fmt: skip
    sealed = [p.read_bytes()[:4000] for p in (server.data / "sealed").rglob("*") if p.is_file()]
    assert sealed and not any(b"ftyp" in data for data in sealed)

    server.call("DELETE", f"/v1/grants/{given}", ada)
    assert server.call("GET", f"{path}/video", bob).status_code == 403
    send(server, bob, later, stream_of(person[0], 2))
    refused = until(server, bob, later, ended)
    assert refused["state"] == "failed" and "not for you any more" in refused["error"]


def test_a_killed_worker_loses_the_job_to_another_and_a_cancelled_one_lets_it_be(
    server, ada, avatar, person
):
    path = ask(server, ada, avatar, size=256)
    send(server, ada, path, stream_of(person[0], 60))
    until(server, ada, path, lambda shown: shown["progress"] > 0)
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    shown = until(server, ada, path, ended)
    assert shown["state"] == "done" and shown["report"]["frames"] == 60, shown
    assert not plain_files(server)  # nor what the killed one left
    assert server.call("DELETE", path, ada).json()["video"] is False

    path = ask(server, ada, avatar, size=512)
    send(server, ada, path, stream_of(person[0], 600))
    until(server, ada, path, lambda shown: shown["progress"] > 0)
    assert server.call("DELETE", path, ada).json()["state"] == "cancelled"
    end = time.monotonic() + 60
    while plain_files(server):
        assert time.monotonic() < end
        time.sleep(0.1)
    path = ask(server, ada, avatar)  # the worker is free again, and says what is no stream
    send(server, ada, path, b"no stream at all")
    shown = until(server, ada, path, ended)
    assert "not a .fw stream" in shown["error"].lower(), shown
    assert str(server.data) not in shown["error"]
