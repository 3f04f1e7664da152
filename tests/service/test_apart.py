"""A process apart that cannot begin, or is closed while it does.  What one does when it has begun:
tests/service/calls/test_drawing.py."""

from __future__ import annotations

import threading

import pytest

from service import apart
from service.apart import Apart, EndedError


class Stage:
    """In place of `multiprocessing`: processes that wait to begin, or cannot."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault, self.go, self.asked = fault, threading.Event(), threading.Event()
        self.ended = 0

    def Pipe(self) -> tuple[Stage, Stage]:
        return self, self

    def Process(self, **_: object) -> Stage:
        return self

    def start(self) -> None:
        self.asked.set()
        assert self.go.wait(30)
        if self.fault is not None:
            raise self.fault

    def close(self) -> None:
        pass

    def terminate(self) -> None:
        self.ended += 1


@pytest.mark.parametrize("fault", [EOFError(), OSError(12, "Cannot allocate memory")])
def test_what_cannot_begin_is_said_and_tried_again(fault, monkeypatch):
    stage = Stage(fault)
    stage.go.set()
    monkeypatch.setattr(apart, "_context", lambda: stage)
    one = Apart(list)
    for _ in range(2):
        with pytest.raises(EndedError, match="cannot begin"):
            one.call("append", 1)
    stage.fault = None
    one.start()
    assert stage.ended == 0


def test_to_close_waits_for_no_process_that_begins(monkeypatch):
    stage, said = Stage(), []
    monkeypatch.setattr(apart, "_context", lambda: stage)
    one = Apart(list)

    def begin() -> None:
        try:
            one.start()
        except EndedError as error:
            said.append(error)

    thread = threading.Thread(target=begin)
    thread.start()
    assert stage.asked.wait(30)
    closing = threading.Thread(target=one.close)
    closing.start()
    closing.join(10)
    assert not closing.is_alive() and stage.ended == 0
    stage.go.set()
    thread.join(30)
    assert stage.ended == 1 and len(said) == 1
