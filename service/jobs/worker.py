"""A worker: takes jobs from the queue, one at a time, until it is told to stop."""

from __future__ import annotations

import errno
import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

from avatar.errors import FacewireError, StorageError
from service.jobs.queue import Claim, LostError, Queue

_log = logging.getLogger("facewire.jobs")
_LOOK = 0.5  # seconds between two looks into an empty queue

_AWAY = (OperationalError, InterfaceError, NoConnection, StorageError)  # and may be back
_FULL = (errno.ENOSPC, errno.EDQUOT)  # of the disk that it works on
_NOT_NOW = "The server cannot store or read this now."

# Works a claim off in a folder of its own, and ends it by `Queue.finish`; the last raises where the
# work has to stop, and is asked often.
Task = Callable[[Queue, Claim, Path, Callable[[], None]], None]


class Stopped(Exception):
    """The worker has to stop; the job goes back to the queue."""


@dataclass
class Worker:
    """folder: where videos lie unsealed while they are worked on; made readable by its owner
    alone and swept of what killed workers left.  tasks: by the kind of job.  stop: set to end."""

    queue: Queue
    folder: Path
    tasks: Mapping[str, Task]
    stop: threading.Event = field(default_factory=threading.Event)

    def prepare(self) -> None:
        """Makes the folder, and sweeps it.  Before the first `work`."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()

    def run(self) -> None:
        self.prepare()
        while not self.stop.is_set():
            try:
                claim = self.queue.claim(time.time())
            except SQLAlchemyError as error:
                _log.error("queue: %s", type(error).__name__)
                claim = None
            if claim is None:
                self.stop.wait(_LOOK)
            else:
                self.work(claim)

    def work(self, claim: Claim) -> None:
        """Works one claim off, whatever comes of it."""
        self._remove(claim.id)  # what a worker that was killed over it left
        place = self.folder / f"{claim.id}-{claim.fence}"
        heart = _Heart(self.queue, claim, self.stop)
        try:
            place.mkdir(mode=0o700)
            with heart:
                self.tasks[claim.kind](self.queue, claim, place, heart.check)
        except LostError:
            _log.info("job %s: cancelled or taken over", claim.id)
        except Stopped:
            self._quietly(lambda: self.queue.release(claim, time.time()))
        except _AWAY as error:  # which names a path or an address: for the log alone
            said = f": {error.message}" if isinstance(error, StorageError) else ""
            self._put_off(claim, f"{type(error).__name__}{said}")
        except FacewireError as error:
            self._fail(claim, error.sentences)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _FULL:
                self._put_off(claim, "the disk is full")
            else:  # a bug, but never the worker's end
                _log.error("job %s: %s", claim.id, type(error).__name__)
                self._fail(claim, "The server failed at this; it has been logged.")
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _put_off(self, claim: Claim, why: str) -> None:
        _log.error("job %s: put off: %s", claim.id, why)
        self._quietly(lambda: self.queue.put_off(claim, _NOT_NOW, time.time()))

    def _fail(self, claim: Claim, text: str) -> None:
        self._quietly(lambda: self.queue.fail(claim, text, time.time()))

    def _quietly(self, tell: Callable[[], None]) -> None:
        """A job that cannot be told its end runs out of its lease instead."""
        try:
            tell()
        except (LostError, SQLAlchemyError, StorageError):
            pass

    def _sweep(self) -> None:
        """Removes unsealed files that nobody works on any more."""
        old = time.time() - 2 * self.queue.lease
        for place in self.folder.iterdir():
            try:
                left = place.stat().st_mtime < old
            except FileNotFoundError:  # another worker was quicker, or has ended its job
                continue
            if left and not self.queue.runs(place.name.partition("-")[0]):
                shutil.rmtree(place, ignore_errors=True)

    def _remove(self, job: str) -> None:
        for place in self.folder.glob(f"{job}-*"):
            shutil.rmtree(place, ignore_errors=True)


class _Heart:
    """Beats for a claim beside the work, which may be silent for long."""

    def __init__(self, queue: Queue, claim: Claim, stop: threading.Event) -> None:
        self._queue, self._claim, self._stop = queue, claim, stop
        self._ended = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)

    def check(self) -> None:
        if self._lost:
            raise LostError
        if self._stop.is_set():
            raise Stopped

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(self._queue.lease / 4):
            try:
                self._queue.beat(self._claim, time.time())
            except LostError:
                self._lost = True
                return
            except SQLAlchemyError as error:  # it may be back before the lease ends
                _log.error("job %s: %s", self._claim.id, type(error).__name__)
