"""Videos of the compare page are put together one at a time, and kept."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("matplotlib")

from demo.pages import lab


class Work:
    """Stands for the encoder."""

    def __init__(self, panels=("as filmed",)):
        self.at_once = self.most = self.runs = 0
        self.panels = panels

    def __call__(self, results, records, place):
        self.at_once += 1
        self.runs += 1
        self.most = max(self.most, self.at_once)
        time.sleep(0.05)
        (place / "a.mp4").write_bytes(records[0].key.encode())
        self.at_once -= 1
        return [SimpleNamespace(size=1, file="a.mp4", panels=self.panels)] if self.panels else []


def record(key):
    return SimpleNamespace(clip="a", size=32, codec="one", point=1.0, key=key)


@pytest.fixture
def work(monkeypatch):
    made = Work()
    monkeypatch.setattr(lab, "side_by_side", made)
    monkeypatch.setattr(lab, "Results", lambda folder: None)
    return made


def test_videos_are_made_one_at_a_time_and_kept_a_while(work, tmp_path):
    now = [0.0]
    videos = lab.Videos(tmp_path, lambda: now[0])
    asked = [record("a"), record("b"), record("a"), record("a")]
    got = []
    threads = [
        threading.Thread(target=lambda one=one: got.append(videos.of([one])[0])) for one in asked
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [b"a", b"a", b"a", b"b"] and (work.runs, work.most) == (2, 1)
    now[0] = lab._KEPT
    videos.of([record("a")])
    assert work.runs == 3
    for n in range(2 * lab._MOST):
        videos.of([record(str(n))])
    assert len(videos._made) <= lab._MOST + 1


def test_only_so_many_wait(work, tmp_path):
    videos = lab.Videos(tmp_path)
    answers = []

    def ask(n):
        try:
            answers.append(videos.of([record(str(n))]))
        except Exception as error:
            answers.append(error.status_code)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(2 * lab._WAITING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(503) == lab._WAITING and work.most == 1


def test_only_so_many_wait_for_a_curve(monkeypatch):
    entered, go, answers = threading.Semaphore(0), threading.Event(), []

    def slow(_):
        entered.release()
        assert go.wait(30)
        return b"curve"

    monkeypatch.setattr(lab, "png", slow)
    monkeypatch.setattr(lab, "rate_quality", lambda boards: boards)
    monkeypatch.setattr(lab, "shown_boards", lambda records: [("PSNR", "whole", "dB", ["a board"])])

    def ask():
        try:
            answers.append(lab.drawn([], "PSNR whole"))
        except Exception as error:
            answers.append(error.status_code)

    threads = [threading.Thread(target=ask) for _ in range(lab._WAITING + 3)]
    for thread in threads:
        thread.start()
    assert entered.acquire(timeout=30)
    while answers.count(503) < 3:
        assert len(answers) <= 3
    go.set()
    for thread in threads:
        thread.join()
    assert answers.count(b"curve") == lab._WAITING


def test_what_was_not_kept_is_said_and_holds_up_nobody(work, tmp_path):
    videos, work.panels = lab.Videos(tmp_path), ()
    for _ in range(2 * lab._WAITING):
        with pytest.raises(Exception) as fault:
            videos.of([record("a")])
        assert fault.value.status_code == 404
