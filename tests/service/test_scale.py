"""Two API processes, a Ray cluster of two nodes, PostgreSQL and S3, all real, on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager

import pytest

from tests.service.live import NEEDS, LiveServer, settings
from tests.service.objects_server import BUCKET, s3
from tests.service.postgres import running
from tests.service.recorded_call import stream_of

for _package in (*NEEDS, "psycopg"):
    pytest.importorskip(_package)

_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
_AGREED = {"subject": "self", "purpose": "tests", "version": "1", "agreed": True}


@contextmanager
def cluster(environment):
    """The address of two nodes, one of which has nothing but the head's own processes."""
    utils = pytest.importorskip("ray.cluster_utils")
    # Ray has its workers yield to all else, which on a busy machine is for ever.
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environment | quiet).items():
            patch.setenv(name, value)
        started = utils.Cluster()
        try:
            for head in (True, False):
                started.add_node(
                    num_cpus=0 if head else 1,
                    node_ip_address="127.0.0.2",  # Ray takes 127.0.0.1 for the name of another
                    include_dashboard=False,
                    object_store_memory=80 << 20,
                )
            yield started.address
        finally:
            started.shutdown()


@pytest.fixture
def servers(tmp_path, tmp_path_factory):
    """Two API processes and their cluster."""
    with ExitStack() as stack:
        shared = settings(
            database=stack.enter_context(running(tmp_path_factory.mktemp("pg"))),
            blobs=f"s3://{BUCKET}/sealed",
            master_key=_KEY,
            work=tmp_path / "work",
            job_lease=4,
            checkpoint_seconds=0.5,
        ) | stack.enter_context(s3())
        # No network describes the face here: that would only take longer.
        node = shared | settings(data=tmp_path / "node", models=tmp_path)
        ray = stack.enter_context(cluster(node))
        made = []
        for shard, more in ((1, settings(ray=ray)), (2, settings(workers=0))):
            server = LiveServer(tmp_path / f"api{shard}", shared | settings(shard=shard) | more)
            stack.callback(server.stop)
            made.append(server)
        yield made


def _runs(job):
    """Process ids of what works on a job within Ray, which names its processes by their tasks."""
    out = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in out.splitlines() if f"ray::job {job}" in line]


def _until(look, server, seconds=400):
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, server.log.read_text()
        time.sleep(0.2)
    return found


def test_what_one_takes_in_the_cluster_works_off_and_another_hands_out(servers, clip):
    from avatar.archive import parse_avatar

    one, other = servers
    ada = one.user("ada")
    wish = {"name": "Ada", "consent": _AGREED, "size": 64, "steps": 6}
    id = one.call("POST", "/v1/enrolments", ada, json=wish).json()["id"]
    path = f"/v1/enrolments/{id}"
    sent = one.call("PUT", f"{path}/video", ada, content=clip.read_bytes())
    assert sent.status_code == 202, sent.text

    def shown():
        return other.call("GET", path, ada).json()

    _until(lambda: shown()["state"] == "running", one)
    (worker,) = _until(lambda: _runs(id), one)
    os.kill(worker, signal.SIGKILL)
    ended = _until(lambda: shown()["state"] in ("done", "failed") and shown(), one)
    assert ended["state"] == "done" and ended["report"]["figures"]["steps"] == 6, ended
    avatars = other.call("GET", "/v1/avatars", ada).json()
    assert [avatar["id"] for avatar in avatars] == [ended["avatar"]]
    data = other.call("GET", f"/v1/avatars/{ended['avatar']}/archive", ada).content
    assert parse_avatar(data).name == "Ada"
    assert "not worked on: WorkerCrashedError" in one.log.read_text()

    wanted = {"avatar": ended["avatar"], "size": 64}
    path = f"/v1/renderings/{other.call('POST', '/v1/renderings', ada, json=wanted).json()['id']}"
    sent = other.call("PUT", f"{path}/stream", ada, content=stream_of(parse_avatar(data), 4))
    assert sent.status_code == 202, sent.text
    ended = _until(lambda: shown()["state"] in ("done", "failed") and shown(), one)
    assert ended["state"] == "done" and ended["report"]["frames"] == 4, ended
    video = one.call("GET", f"{path}/video", ada).content
    assert len(video) == ended["report"]["bytes"] and b"ftyp" in video[:100]

    room = one.call("POST", "/v1/rooms", ada).json()["id"]
    assert room.startswith("01") and one.call("GET", f"/v1/rooms/{room}", ada).status_code == 200
    assert other.call("GET", f"/v1/rooms/{room}", ada).status_code == 421

    id = one.call("POST", "/v1/enrolments", ada, json=wish | {"steps": 100_000}).json()["id"]
    path = f"/v1/enrolments/{id}"
    one.call("PUT", f"{path}/video", ada, content=clip.read_bytes())
    _until(lambda: shown()["progress"] > 0, one)
    assert one.stop() == 0  # who hands out ends; the cluster gives back what it holds
    assert shown()["state"] == "waiting"
