"""python -m service.jobs: a worker with the server's settings, from the environment; with
FACEWIRE_RAY instead what hands the jobs to that cluster.

It ends on SIGTERM, and when its standard input does, which is a pipe from the server: a server
that was killed leaves no workers behind.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from avatar.errors import FacewireError
from service.api.opening import store_of, tasks_of, work_folder
from service.api.settings import ServiceSettings, settings_from
from service.jobs.cluster import ClusterSettings, Dispatcher
from service.jobs.queue import Queue
from service.jobs.worker import Worker
from service.log import write_log


def main() -> None:
    settings = settings_from(os.environ)
    write_log(settings.log_json)
    stop = threading.Event()
    at_work = _at_work(settings, stop)  # Ray sets signals of its own, so ours come after it
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def watch() -> None:
        while os.read(0, 1):
            pass
        stop.set()

    threading.Thread(target=watch, daemon=True).start()
    at_work.run()


def _at_work(settings: ServiceSettings, stop: threading.Event) -> Worker | Dispatcher:
    queue = Queue(store_of(settings), settings.job_lease)
    if settings.ray:
        cluster = ClusterSettings(settings.ray, settings.ray_cpus, settings.ray_gpus)
        return Dispatcher(queue, cluster, stop)
    return Worker(queue, work_folder(settings), tasks_of(settings), stop)


try:
    main()
except FacewireError as error:
    sys.exit(f"{error}")
