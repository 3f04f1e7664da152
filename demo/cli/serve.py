"""facewire serve"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from service.api.settings import ServiceSettings, described, settings_from
from service.log import write_log

_SWITCH = 0.0005  # seconds
_PAGES = 8.0  # seconds after which the processes of calls and mirrors are got ready
HELP = "serve accounts, avatars, enrolments, renderings and calls over HTTP"
EXAMPLE = "facewire serve --port 8710"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", metavar="ADDRESS", help="over FACEWIRE_HOST")
    parser.add_argument("--port", type=int, metavar="N", help="over FACEWIRE_PORT")
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="over FACEWIRE_RAY: jobs run on this Ray cluster"
    )
    settings = "\n".join(
        f"  {name}{f' (default: {default})' if default else ''}\n      {about}"
        for name, default, about in described()
    )
    parser.epilog = (
        "environment:\n"
        f"{settings}\n\n"
        "Put a proxy with TLS before it, and keep the master key apart from the data's backups.\n\n"
        f"{parser.epilog or ''}"
    )


def run(arguments: argparse.Namespace) -> None:
    given = {"FACEWIRE_HOST": arguments.host, "FACEWIRE_PORT": arguments.port,
             "FACEWIRE_RAY": arguments.ray}  # fmt: skip
    chosen = {name: str(value) for name, value in given.items() if value is not None}
    environment = {**os.environ, **chosen}
    settings = settings_from(environment)
    write_log(settings.log_json)

    from demo.pages.site import with_pages
    from service import apart
    from service.api.app import make_app
    from service.jobs.cluster import check_cluster
    from service.jobs.crew import Crew

    count = settings.workers
    if settings.ray:
        check_cluster(settings)
        count = min(count, 1)  # one hands all of them out
    app = make_app(settings)
    if settings.pages:
        with_pages(app, Path(settings.lab) if settings.lab else None)
    crew = Crew(count, environment)
    crew.start()
    # Not before the first pages are there, which people wait for.
    ready = threading.Timer(_PAGES, apart.get_ready)
    ready.daemon = True
    ready.start()
    try:
        _serve(app, settings)
    finally:
        ready.cancel()
        crew.stop()


def _serve(app: Any, settings: ServiceSettings) -> None:
    import uvicorn

    # A thread that draws gives Python's lock away many times a picture, and would wait 5 ms to
    # get it back each time that another is at work.
    sys.setswitchinterval(_SWITCH)
    # Uvicorn raises the signal again once it has ended, which would keep the crew from ending.
    signal.signal(signal.SIGTERM, lambda *_: None)
    print(f"http://{settings.host}:{settings.port}/", flush=True)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,  # as `write_log` has it
        access_log=False,  # addresses of who fetched whose face are not written down
        server_header=False,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=32_768,
        ws_max_size=1 << 20,
        ws_max_queue=4,
    )
