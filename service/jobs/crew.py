"""The server's own workers: processes that are started again when they end."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Mapping

_log = logging.getLogger("facewire.jobs")
_PATIENCE = 20.0  # seconds for a worker to hand its job back
_PAUSE = (1.0, 60.0)  # seconds before a worker is started again: at first, at most


class Crew:
    """count: processes.  environment: as `settings_from` reads it."""

    def __init__(self, count: int, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, name=f"crew {n}", daemon=True) for n in range(count)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when all have ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _keep(self) -> None:
        pause = _PAUSE[0]
        while not self._stop.is_set():
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", "service.jobs"],
                    stdin=subprocess.PIPE,
                    env=self._environment,
                )
            except OSError as error:  # no memory for it now
                _log.error("no worker can be started: %s", error.strerror)
                self._stop.wait(_PAUSE[1])
                continue
            waited = 0.0
            while process.poll() is None and not self._stop.wait(0.2):
                waited += 0.2
            if process.poll() is None:
                self._end(process)
            elif not self._stop.is_set():
                pause = _PAUSE[0] if waited > _PAUSE[1] else min(2 * pause, _PAUSE[1])
                _log.warning("a worker ended (%s); another starts", process.returncode)
                self._stop.wait(pause)
            assert process.stdin is not None
            process.stdin.close()

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
