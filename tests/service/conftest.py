"""What the service keeps, an avatar's bytes; and the service itself, as a process."""

from __future__ import annotations

import pytest

from tests.service.live import NEEDS, LiveServer, settings


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


@pytest.fixture
def live(tmp_path):
    """live(**settings) -> LiveServer, with FACEWIRE_ settings by their fields' names."""
    for package in NEEDS:
        pytest.importorskip(package)
    servers = []

    def make(**given: object) -> LiveServer:
        servers.append(LiveServer(tmp_path / "data", settings(**given)))
        return servers[-1]

    yield make
    for server in servers:
        if server.process.poll() is None:
            server.stop()
