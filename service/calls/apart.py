"""Work in a process of its own.

Python runs one thread at a time.  Beside a server's event loop and other calls, a thread that
tracks or draws asks for its turn thousands of times a frame, and makes the others wait as often.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable
from typing import Any

from avatar.errors import FacewireError

_WAIT = 1.0  # seconds for a process that was told to end


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
        """Begins, so that the first call need not wait for it.  Raises EndedError once closed."""
        with self._begun:
            if self._closed:
                raise EndedError("what draws or tracks this call has ended", "Join it again.")
            if self._work is None:
                apart = multiprocessing.get_context("spawn")
                line, theirs = apart.Pipe()
                work = apart.Process(target=_serve, args=(theirs, *self._make), daemon=True)
                work.start()
                theirs.close()  # so that its end is the line's
                self._work = work, line

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
            said = "what draws or tracks this call ended unexpectedly"
            raise EndedError(said, "Join it again.") from None
        if kind == "raised":
            raise answer
        return answer

    def close(self) -> None:
        """On any thread; who waits for an answer is told."""
        with self._begun:
            self._closed = True
            if self._work is not None:
                self._work[0].terminate()

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
