"""What every test may ask for: real clips and model files where they are, and small videos.

Tests need no network, and a connection that leaves this machine is an error.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

# Read when numpy, torch and numba load, so before any of them is imported.  Tests work on small
# pictures, where threads that wait for each other cost more than they give: where two workers have
# two each on two cores, a small step of torch takes a hundred times as long.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("GLOG_minloglevel", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


_started = time.monotonic()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """FACEWIRE_TEST_SECONDS: tests not begun by then are skipped, and say so."""
    limit = float(os.environ.get("FACEWIRE_TEST_SECONDS") or "inf")
    if time.monotonic() - _started > limit:
        pytest.skip(f"not reached within {limit:.0f} s (FACEWIRE_TEST_SECONDS)")


def _folder(variable: str, name: str) -> Path:
    """The folder that `variable` names, else ../shared/`name` beside the checkout, else a skip."""
    folder = Path(os.environ.get(variable) or REPOSITORY.parent / "shared" / name)
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: set {variable} to run this test")
    return folder


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real clips; the test is skipped where it is not there."""
    return _folder("FACEWIRE_CLIPS", "clips")


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of model weights; the test is skipped where it is not there."""
    return _folder("FACEWIRE_MODELS", "models")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a made-up person, with sound."""
    pytest.importorskip("av")
    pytest.importorskip("skimage")
    from enroll.sample import SampleSettings, write_sample

    path = tmp_path_factory.mktemp("clip") / "sample.mkv"
    write_sample(path, SampleSettings(size=256, seconds=2.0))
    return path


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes frames [H, W, 3] uint8 RGB to a video file and returns its path.

    make_video(frames, name="clip.mkv", fps=25, codec="ffv1", times=None, audio=False); `times`
    in microseconds makes a video of variable frame rate; `audio` adds a 440 Hz tone as AAC.
    FFV1 keeps the pixels exactly.
    """

    def write(
        frames: Iterable[np.ndarray],
        name: str = "clip.mkv",
        fps: int = 25,
        codec: str = "ffv1",
        times: Iterable[int] | None = None,
        audio: bool = False,
    ) -> Path:
        import av

        pictures = list(frames)
        path = tmp_path / name
        moments = (
            list(times)
            if times is not None
            else [i * 1_000_000 // fps for i in range(len(pictures))]
        )
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream(codec, rate=fps)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "bgr0" if codec == "ffv1" else "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1_000_000 if times is not None else fps)
            tone: Any = container.add_stream("aac", rate=48_000) if audio else None
            for picture, moment in zip(pictures, moments):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                frame.time_base = stream.codec_context.time_base
                frame.pts = moment if times is not None else round(moment * fps / 1_000_000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if tone is not None:
                seconds = moments[-1] / 1e6 + 1 / fps
                samples = np.arange(int(seconds * 48_000))
                wave = (0.2 * np.sin(2 * np.pi * 440 * samples / 48_000)).astype(np.float32)
                sound = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
                sound.sample_rate, sound.pts = 48_000, 0
                container.mux(tone.encode(sound))
                container.mux(tone.encode(None))
        return path

    return write


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests talk to this machine only."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not (
            str(address[0]).startswith("127.") or address[0] in ("localhost", "::1")
        ):
            raise AssertionError(f"a test tried to reach {address[0]}: tests need no network")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
