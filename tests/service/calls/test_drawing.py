"""Drawing in a process of its own: the same pictures, and what becomes of a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

from avatar.errors import FacewireError, StateError
from service.calls.drawing import Drawing, DrawingApart
from service.view import View
from tests.service.small_person import avatar_of, small_person

VIEW = View(48, 32)
ORPHAN = """
import time
from service.calls.drawing import DrawingApart
from service.view import View

if __name__ == "__main__":
    drawing = DrawingApart(View(48, 32))
    drawing.start()
    print(drawing._apart.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def apart():
    drawing = DrawingApart(VIEW)
    yield drawing
    drawing.close()


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    end = time.monotonic() + 60
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


def test_a_process_draws_what_a_thread_does_and_is_replaced_when_it_dies(apart):
    avatar = avatar_of(small_person())
    values = avatar.statistics.mean
    here = Drawing(VIEW).picture(avatar, values)
    assert here.shape == (32, 48, 3) and here.std() > 5
    assert (apart.picture(avatar, values) == here).all() and apart.left_out == 0

    with pytest.raises(StateError, match="not finite"):  # and the process goes on
        apart.picture(avatar, np.full_like(values, np.nan))
    first = apart._apart.pid
    assert (apart.picture(avatar, values) == here).all() and apart._apart.pid == first

    other = avatar_of(small_person())
    other.tensors["fields.background.plane"] = np.zeros_like(
        other.tensors["fields.background.plane"]
    )
    assert apart.picture(other, values)[0].mean() < 5 < here[0].mean()
    apart.forget()
    assert (apart.picture(avatar, values) == here).all()

    os.kill(first, signal.SIGKILL)
    assert (apart.picture(avatar, values) == here).all() and apart._apart.pid != first


def test_the_same_person_elsewhere_is_drawn_as_coarsely_as_there_was_time_for():
    drawing = Drawing(VIEW, deadline=1e-9)
    avatar = avatar_of(small_person())
    for _ in range(6):
        drawing.picture(avatar, avatar.statistics.mean)
    assert drawing.left_out == 1
    drawing.picture(replace(avatar, name="elsewhere"), avatar.statistics.mean)
    assert drawing.left_out == 1
    drawing.picture(replace(avatar, digest="ef" * 32), avatar.statistics.mean)
    assert drawing.left_out == 0


def test_what_is_closed_keeps_nobody_waiting(apart):
    avatar = avatar_of(small_person())
    apart.start()
    pid = apart._apart.pid
    os.kill(pid, signal.SIGSTOP)
    said: list[Exception] = []

    def ask():
        try:
            apart.picture(avatar, avatar.statistics.mean)
        except FacewireError as error:
            said.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.2)
    apart.close()
    os.kill(pid, signal.SIGCONT)
    asking.join(60)
    assert len(said) == 1 and "ended" in said[0].message
    assert gone(pid)
    with pytest.raises(FacewireError):
        apart.start()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_process_outlives_the_one_that_asked_for_it(tmp_path):
    program = tmp_path / "orphan.py"
    program.write_text(ORPHAN)
    server = subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    assert alive(pid)
    server.kill()
    server.wait()
    assert gone(pid)


def test_two_threads_are_each_drawn_their_own_avatar(apart):
    """A call shows one while another is got ready."""
    values = avatar_of(small_person()).statistics.mean
    people = [avatar_of(small_person()) for _ in range(2)]
    people[1].tensors["fields.background.plane"] = np.zeros_like(
        people[1].tensors["fields.background.plane"]
    )
    right = [Drawing(VIEW).picture(person, values) for person in people]
    assert (right[0] != right[1]).any()

    def draw(n):
        return all((apart.picture(people[n], values) == right[n]).all() for _ in range(20))

    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(draw, range(2)))
