"""Jobs on a Ray cluster: what is free in the queue is handed to whichever machine has room.

Ray only runs the work.  Claim, lease, fence and checkpoint stay in the database, so that whatever
is killed, here or there, a job ends once.  Nothing secret goes through Ray: each machine's
`ray start` has the servers' FACEWIRE_ variables in its environment, as every worker has.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from avatar.errors import FacewireError, InputError, MissingError, StorageError
from service.api.opening import store_of, tasks_of, work_folder
from service.api.settings import ServiceSettings, settings_from
from service.jobs.queue import Queue
from service.jobs.worker import Worker
from service.log import write_log

_log = logging.getLogger("facewire.jobs")
_LOOK = 0.5  # seconds between two looks into the queue
_MOST = 500  # jobs that are with Ray at the same time; Ray has them wait for a machine
_PATIENCE = 15.0  # seconds for the machines to hand their jobs back
_PAUSE = 5.0  # seconds before a job that failed to run at all is handed out again


@dataclass(frozen=True)
class ClusterSettings:
    """address: as `ray start` printed it, or auto.  cpus, gpus: what a job takes of a machine."""

    address: str
    cpus: float = 1.0
    gpus: float = 0.0


def check_cluster(settings: ServiceSettings) -> None:
    """Whether jobs can be handed to a cluster.  Raises MissingError without Ray, InputError without
    a database that its machines reach, too."""
    if importlib.util.find_spec("ray") is None:
        raise MissingError("Ray is not installed.", "pip install 'facewire[scale]'")
    if not settings.database:
        raise InputError(
            "a Ray cluster needs a database that all its machines reach",
            "Set FACEWIRE_DATABASE to a PostgreSQL URL.",
        )


@dataclass
class Dispatcher:
    """Hands jobs out until `stop` is set.  Several beside each other do no harm: who comes second
    to a job finds it taken.  Raises StorageError where there is no such cluster."""

    queue: Queue
    settings: ClusterSettings
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        import ray

        try:
            ray.init(
                address=self.settings.address,
                namespace="facewire",
                log_to_driver=False,  # each machine keeps the log of what ran there
                logging_level=logging.WARNING,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise StorageError(
                f"the Ray cluster does not answer ({type(error).__name__})",
                "Look whether FACEWIRE_RAY is its address, with the same versions of Ray and "
                "Python, and whether `ray status` knows of it on this machine.",
            ) from error
        self._ray: Any = ray
        self._task: Any = ray.remote(
            num_cpus=self.settings.cpus,
            num_gpus=self.settings.gpus,
            max_retries=0,  # the lease decides who works next, and when
        )(work_off)
        self._handed: dict[str, Any] = {}
        self._later: dict[str, float] = {}

    def run(self) -> None:
        try:
            while not self.stop.wait(_LOOK):
                self._collect()
                try:
                    self._hand_out(time.time())
                except SQLAlchemyError as error:
                    _log.error("queue: %s", type(error).__name__)
        finally:
            self._call_back()
            self._ray.shutdown()

    def _hand_out(self, now: float) -> None:
        self._later = {job: until for job, until in self._later.items() if until > now}
        for job in self.queue.free(now, _MOST):
            if len(self._handed) >= _MOST:
                return
            if job not in self._handed and job not in self._later:
                self._handed[job] = self._task.options(name=f"job {job}").remote(job)

    def _collect(self) -> None:
        """Takes leave of what has ended, and says what could not be worked on."""
        references = list(self._handed.values())
        ended, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        done = set(ended)
        for job, reference in list(self._handed.items()):
            if reference not in done:
                continue
            del self._handed[job]
            try:
                said = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:  # its machine or its process is gone
                said = type(error).__name__
            if said:
                _log.error("job %s: not worked on: %s", job, said)
                self._later[job] = time.time() + _PAUSE

    def _call_back(self) -> None:
        """Has the machines release what they hold, as workers do at their end."""
        references = list(self._handed.values())
        for reference in references:
            self._ray.cancel(reference)
        if references:
            self._ray.wait(references, num_returns=len(references), timeout=_PATIENCE)


def work_off(job: str) -> str:
    """On a machine of the cluster: works one job off, if nobody else does.

    Returns what keeps this machine from it, in plain words, or "".
    """
    try:
        settings = settings_from(os.environ)
        check_cluster(settings)  # what `ray start` was run with may be another environment
        write_log(settings.log_json)
        store = store_of(settings)
    except FacewireError as error:
        return error.message
    try:
        queue = Queue(store, settings.job_lease)
        worker = Worker(queue, work_folder(settings), tasks_of(settings))
        # Ray cancels by an interrupt; the job then goes back to the queue.
        signal.signal(signal.SIGINT, lambda *_: worker.stop.set())
        queue.try_inputs(job)
        worker.prepare()
        claim = queue.claim(time.time(), job)
        if claim is not None:
            worker.work(claim)
        return ""
    except FacewireError as error:
        return error.message
    finally:
        store.database.close()
