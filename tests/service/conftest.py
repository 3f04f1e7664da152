"""What the service keeps, an avatar's bytes; and the service itself, as a process."""

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

import pytest

PASSWORD = "correct horse battery"


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


@pytest.fixture(scope="session")
def archive() -> bytes:
    """A small avatar, of noise that no packing makes smaller than two chunks."""
    import numpy as np

    from avatar.archive import avatar_bytes
    from avatar.avatar import Avatar, Consent, StateStatistics
    from avatar.camera import Pinhole
    from avatar.face import StateLayout, Window

    layout = StateLayout()
    ones = np.ones(layout.width, np.float32)
    noise = np.random.default_rng(5).integers(0, 255, 150_000, np.uint8)
    return avatar_bytes(
        Avatar(
            name="Ada",
            created="2026-01-01T00:00:00+00:00",
            consent=Consent("Ada", "tests", "2026-01-01T00:00:00+00:00", "flag", "1"),
            camera=Pinhole(1.5, (0.5, 0.5)),
            window=Window(0.0, 0.0, 256.0, 256, 256),
            layout=layout,
            statistics=StateStatistics(0 * ones, ones, 0.1 * ones),
            settings={},
            tensors={"head.noise": noise},
        )
    )


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """Two seconds of the made-up person, with sound."""
    pytest.importorskip("av")
    pytest.importorskip("skimage")
    from enroll.sample import SampleSettings, write_sample

    path = tmp_path_factory.mktemp("clip") / "sample.mkv"
    write_sample(path, SampleSettings(size=256, seconds=2.0))
    return path


@pytest.fixture
def live(tmp_path):
    """live(**settings) -> LiveServer, with FACEWIRE_ settings by their fields' names."""
    for package in ("fastapi", "uvicorn", "httpx", "torch", "mediapipe", "av"):
        pytest.importorskip(package)
    servers = []

    def make(**settings: object) -> LiveServer:
        given = {f"FACEWIRE_{name.upper()}": str(value) for name, value in settings.items()}
        servers.append(LiveServer(tmp_path / "data", given))
        return servers[-1]

    yield make
    for server in servers:
        if server.process.poll() is None:
            server.stop()
