"""Where a call's pictures go: a file, a window, a virtual camera."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from avatar.errors import InputError, MissingError
from service.calls.outputs import CameraOutput, WindowOutput, closed, file_output

RED = np.zeros((64, 64, 3), np.uint8) + np.array([200, 0, 0], np.uint8)


def test_a_file_begins_with_the_first_picture(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "seen.mp4"

    async def seen():
        with file_output(path, 64) as output:
            assert not output.live
            for n in range(5):
                assert await output.show(RED, 7_000_000 + 40_000 * n)

    asyncio.run(seen())
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
    assert len(frames) == 5 and frames[0].time == 0
    assert frames[4].time == pytest.approx(0.16)
    assert frames[0].to_ndarray(format="rgb24")[32, 32, 0] > 150


def test_a_window_needs_a_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="no display") as said:
        WindowOutput()
    assert "-o" in said.value.cure


def test_a_window_that_is_closed_ends_the_call(monkeypatch):
    """What OpenCV says of a window's keys and its cross; no display is needed."""
    cv2 = pytest.importorskip("cv2")
    monkeypatch.setenv("DISPLAY", ":9")
    keys, there, shown = iter((255, 255, ord("q"))), iter((1.0, 0.0)), []
    monkeypatch.setattr(cv2, "imshow", lambda title, picture: shown.append(picture))
    monkeypatch.setattr(cv2, "waitKey", lambda wait: next(keys))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda title, what: next(there))

    async def seen():
        with closed(WindowOutput()) as window:
            assert window.live
            return [await window.show(RED, n) for n in range(3)]

    assert asyncio.run(seen()) == [True, False, False]
    assert tuple(shown[0][0, 0]) == (0, 0, 200)  # OpenCV shows BGR


def test_a_virtual_camera_needs_its_library(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError) as said:
        CameraOutput(64)
    assert "facewire[camera]" in said.value.cure


def test_no_virtual_camera_is_an_error_that_says_how_to_get_one():
    pytest.importorskip("pyvirtualcam")
    with pytest.raises(InputError, match="/dev/video99") as said:
        CameraOutput(64, "/dev/video99")
    assert "v4l2loopback" in said.value.cure


def test_a_virtual_camera_gets_the_pictures(monkeypatch):
    """A stand-in for the library, with its signatures: no device is here."""
    sent = []

    class Camera:
        def __init__(self, width, height, fps, *, device=None):
            if device == "none":
                raise RuntimeError("no such device\nlook again")
            self.size, self.device = (height, width, 3), device or "/dev/video9"
            self.open = True

        def send(self, frame):
            assert frame.shape == self.size and frame.dtype == np.uint8 and self.open
            sent.append(frame)

        def close(self):
            self.open = False

    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=Camera))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with closed(CameraOutput(64)) as output:
        assert output.live and output.device == "/dev/video9"
        assert asyncio.run(output.show(RED[:, ::-1], 0))
    assert len(sent) == 1 and sent[0].flags.c_contiguous and not output._camera.open
    with pytest.raises(InputError, match="none does not open: no such device look again"):
        CameraOutput(64, "none")
