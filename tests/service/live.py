"""The service as a process of its own, as `facewire serve` starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PASSWORD = "correct horse battery"
NEEDS = ("fastapi", "uvicorn", "httpx", "torch", "mediapipe", "av")


def settings(**given: object) -> dict[str, str]:
    """FACEWIRE_ variables by the settings' names."""
    return {f"FACEWIRE_{name.upper()}": str(value) for name, value in given.items()}


@dataclass
class LiveServer:
    """environment: FACEWIRE_ settings over those below."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = self.data.with_suffix(".log")
        self.start()

    def start(self) -> None:
        given = {
            "FACEWIRE_DATA": str(self.data),
            "FACEWIRE_PORT": str(self.port),
            "FACEWIRE_PAGES": "0",
            "FACEWIRE_RATE": "100000",
            "FACEWIRE_SIGN_IN_RATE": "100000",
            "FACEWIRE_PASSWORD_MEMORY": "1024",
            "FACEWIRE_PASSWORD_PASSES": "1",
        }
        command = "import sys; from demo.cli import main; sys.exit(main(['serve']))"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", command],
                env={**os.environ, **given, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._await()

    def _await(self) -> None:
        import httpx

        end = time.monotonic() + 300
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if httpx.get(f"{self.base}/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"the server does not answer: {self.log.read_text()}")

    def call(self, method: str, path: str, token: str | None = None, **more: Any) -> Any:
        import httpx

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.request(method, self.base + path, headers=headers, timeout=60, **more)

    def user(self, name: str) -> str:
        who = {"name": name, "password": PASSWORD}
        assert self.call("POST", "/v1/accounts", json=who).status_code == 201
        return self.token(name)

    def token(self, name: str) -> str:
        """One more, of a user that there is."""
        who = {"name": name, "password": PASSWORD}
        return self.call("POST", "/v1/sessions", json=who).json()["token"]

    def workers(self) -> list[int]:
        """Process ids of the server's workers."""
        out = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
        ).stdout
        return [int(line.split()[0]) for line in out.splitlines() if "service.jobs" in line]

    def kill(self) -> None:
        """As a crash does: the server is gone, nothing is tidied up."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            if self.process.poll() is None:
                self.process.kill()
