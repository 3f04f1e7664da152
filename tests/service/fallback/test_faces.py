"""Meshes on their way into the fallback, and what comes of them at its other end."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("av")

from avatar.face import Window
from codec.container import read_stream
from codec.mttf.guide import BODY
from codec.mttf.packet import KeyFrame, parse
from enroll.landmarks import Landmarks
from service.fallback.faces import FaceReader

WINDOW = Window(100.0, 50.0, 200.0, 640, 480)
TICK = 40_000
FACE = np.random.default_rng(0).uniform(0.3, 0.7, (478, 2))


class Still:
    """A body that never moves."""

    def see(self, image, mesh, window):
        return BODY


class Source:
    """Landmarks of a face that moves to the right, as noisy as MediaPipe's."""

    def __init__(self, noise: float) -> None:
        self._rng, self._noise, self.frame = np.random.default_rng(1), noise, 0
        self.closed = False

    def find(self, image):
        if image is None:
            return None
        off = self._rng.normal(0, self._noise, FACE.shape)
        points = FACE * WINDOW.side + [WINDOW.left + self.frame, WINDOW.top] + off
        self.frame += 1
        return Landmarks(np.c_[points, np.zeros(len(points))].astype(np.float32))

    def forget(self):
        pass

    def close(self):
        self.closed = True


def test_meshes_are_of_the_window_and_steadied() -> None:
    source = Source(0.25)
    reader = FaceReader(source, Still())
    off = []
    for n in range(40):
        mesh = reader.see(np.zeros((1, 1, 3)), n * TICK, WINDOW)
        assert mesh.shape == (482, 2) and mesh.dtype == np.float32
        assert np.allclose(mesh[478:], BODY)
        off.append(mesh[:478] * WINDOW.side - FACE * WINDOW.side - [n, 0])
    assert np.std(off[20:]) < 0.9 * 0.25  # what is filmed does not jitter as much
    assert abs(np.mean(off[20:])) < 0.05  # and does not lag behind
    assert reader.see(None, 40 * TICK, WINDOW) is None
    reader.close()
    assert source.closed


def test_after_a_gap_nothing_of_before_leads_on() -> None:
    reader, none = FaceReader(Source(0.0), Still()), np.zeros((1, 1, 3), np.uint8)
    still = np.c_[FACE * WINDOW.side + [WINDOW.left, WINDOW.top], np.zeros(478)]
    for n in range(10):
        reader.steadied(still + [n, 0, 0], none, n * TICK, WINDOW)
    away = reader.steadied(still - [50, 0, 0], none, 10 * TICK + 2_000_000, WINDOW)
    assert np.allclose(away[:478] * WINDOW.side, FACE * WINDOW.side - [50, 0], atol=1e-3)
    assert reader.steadied(None, none, 11 * TICK, WINDOW) is None
    FaceReader().close()  # that nothing was asked of


def test_a_strangers_face_is_followed(clip, tmp_path) -> None:
    """The shipped weights on the sample: landmarks of what is shown lie where those filmed do, and
    nearer than those of the key frame."""
    pytest.importorskip("mediapipe")
    from codec.mttf.weights import find_weights, load_weights
    from enroll.capture import open_video
    from enroll.crops import cut_window
    from enroll.mesh import MediaPipeMesh
    from service.fallback.receiver import decode_fallback
    from service.fallback.sender import FallbackSettings, encode_fallback

    weights = load_weights(find_weights())
    out, shown = tmp_path / "call.fw", tmp_path / "shown.mkv"
    settings = FallbackSettings(kbps=300.0, side=256, qp=30, lookback=0, audio=False)
    encode_fallback(clip, out, weights, settings, frames=slice(0, 20))
    stream = read_stream(out, weights.statistics)
    keys = [k for k in (parse(c.kind, c.body) for c in stream.fallback) if isinstance(k, KeyFrame)]
    assert keys and all(len(k.face) == weights.settings.mesh + 16 for k in keys)
    decode_fallback(out, weights, shown)
    window = stream.header.window

    def marks(pictures):
        mesh = MediaPipeMesh()
        try:
            return np.stack([mesh.find(picture).points[:, :2] for picture in pictures])
        finally:
            mesh.close()

    filmed = [cut_window(f.image, window, 256) for f in open_video(clip, slice(0, 20))]
    wanted, seen = marks(filmed), marks([f.image for f in open_video(shown)])
    off = np.linalg.norm(seen - wanted, axis=2).mean(axis=1)
    assert off.mean() < 1.5  # pixels of 256
    still = np.linalg.norm(wanted[0] - wanted, axis=2).mean(axis=1)
    moved = still > 2.0
    assert not moved.any() or off[moved].mean() < 0.7 * still[moved].mean()
