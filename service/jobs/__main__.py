"""python -m service.jobs: a worker with the server's settings, from the environment.

It ends on SIGTERM, and when its standard input does, which is a pipe from the server: a server
that was killed leaves no workers behind.
"""

from __future__ import annotations

import os
import signal
import threading

from service.api.opening import store_of, work_folder
from service.api.settings import settings_from
from service.jobs.enrolment import WorkSettings
from service.jobs.queue import Queue
from service.jobs.worker import Worker
from service.log import write_log


def main() -> None:
    settings = settings_from(os.environ)
    write_log(settings.log_json)
    queue = Queue(store_of(settings), settings.job_lease)
    work = WorkSettings(settings.video_seconds, settings.checkpoint_seconds, settings.device)
    worker = Worker(queue, work_folder(settings), work)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop.set())

    def watch() -> None:
        while os.read(0, 1):
            pass
        worker.stop.set()

    threading.Thread(target=watch, daemon=True).start()
    worker.run()


main()
