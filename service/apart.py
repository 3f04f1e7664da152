"""Work in a process of its own.

Python runs one thread at a time.  Beside a server's event loop and other calls, a thread that
tracks or draws asks for its turn thousands of times a frame, and makes the others wait as often.

Where Linux can, each is forked from one process that has read `service.preloaded`: it starts at
once, and shares the memory.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from avatar.errors import FacewireError

_WAIT = 1.0  # seconds for a process that was told to end
_AGAIN = "Begin again."


def get_ready() -> None:
    """Begins the process that others are forked from: some seconds, which it takes by itself."""
    if _forks():
        from multiprocessing import forkserver

        _context()
        forkserver.ensure_running()


def _forks() -> bool:
    # What macOS' own libraries begin does not live through a fork; Windows has none.
    return sys.platform == "linux"


def _context() -> Any:
    if not _forks():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["service.preloaded"])
    return context


class EndedError(FacewireError):
    """The process has died, with all that its object knew, or was closed."""


class Apart:
    """An object in a process of its own, which begins with the first call and ends with this one's
    process, however that ends.  make: gives the object there; it and what it is given are pickled.
    One thread calls at a time."""

    def __init__(self, make: Callable[..., Any], *given: Any) -> None:
        self._make = make, given
        self._begun = threading.Lock()
        self._closed = False
        self._work: tuple[Any, Any] | None = None  # the process, and the line to it

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return None if self._work is None else int(self._work[0].pid)

    def start(self) -> None:
        """Begins, so that the first call need not wait for it.  Raises EndedError once closed, and
        where no process can be begun."""
        with self._begun:
            if self._work is None and not self._closed:
                apart = _context()
                line, theirs = apart.Pipe()
                work = apart.Process(target=_serve, args=(theirs, *self._make), daemon=True)
                try:
                    work.start()
                except (EOFError, OSError):  # no memory, or who forks has died and is begun anew
                    line.close()
                    raise EndedError("what draws or tracks here cannot begin", _AGAIN) from None
                finally:
                    theirs.close()  # so that its end is the line's
                self._work = work, line
            if self._closed:  # by now
                if self._work is not None:
                    self._work[0].terminate()
                raise EndedError("what draws or tracks here has ended", _AGAIN)

    def call(self, method: str, *given: Any) -> Any:
        """What the object's method returns, or raises.  Raises EndedError where the process dies of
        it; the next call begins another, with a new object."""
        self.start()
        work = self._work
        assert work is not None
        try:
            work[1].send((method, given))
            kind, answer = work[1].recv()
        except (EOFError, OSError):
            self._end()
            raise EndedError("what draws or tracks here ended unexpectedly", _AGAIN) from None
        if kind == "raised":
            raise answer
        return answer

    def close(self) -> None:
        """On any thread, and without waiting: a process that just begins ends when it has.  Who
        waits for an answer is told."""
        self._closed = True
        work = self._work
        if work is not None:
            work[0].terminate()

    def _end(self) -> None:
        """Nothing of a process that has died is left."""
        with self._begun:
            if self._work is not None:
                work, line = self._work
                work.terminate()
                work.join(_WAIT)
                line.close()
            self._work = None


def _serve(line: Any, make: Callable[..., Any], given: Any) -> None:
    """The process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends who asked, and so this
    made = make(*given)
    while True:
        try:
            method, words = line.recv()
            line.send(_answer(made, method, words))
        except (EOFError, OSError):
            return  # who asked is gone


def _answer(made: Any, method: str, given: Any) -> tuple[str, Any]:
    try:
        return "returned", getattr(made, method)(*given)
    except Exception as error:  # told where it was asked
        return "raised", error
