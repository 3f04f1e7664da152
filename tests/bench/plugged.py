"""Codecs for the tests, installed as a plug-in would be: found by workers in other processes."""

from __future__ import annotations

from pathlib import Path

import pytest

_MODULE = '''
import os
import time
import zlib

import numpy as np

from bench.codec import Outcome


class Levels:
    """Fewer levels at a larger step: cheap, and worse the cheaper."""

    points = (64.0, 32.0, 16.0, 8.0)

    def __init__(self, name="levels", scale=1.0, family="levels"):
        self.name, self.title, self.scale, self.family = name, name.title(), scale, family

    def missing(self):
        return ""

    def code(self, clip, point):
        coarse = (np.asarray(clip.frames) / point).round().astype(np.uint8)
        data = zlib.compress(coarse.tobytes())
        shown = np.clip(coarse * point, 0, 255).astype(np.uint8)
        return Outcome({"data": int(len(data) * self.scale)}, shown, f"step {point:g}",
                       archive=5000, encode_seconds=0.5, decode_seconds=0.25)


class Faulty(Levels):
    def __init__(self, name, fault):
        super().__init__(name, family=name)
        self.fault = fault
        self.points = (1.0,)

    def code(self, clip, point):
        if self.fault == "raises":
            raise RuntimeError("the network has no weights")
        if self.fault == "dies":
            print("about to crash", flush=True)
            os._exit(17)
        if self.fault == "hangs":
            time.sleep(3600)
        if self.fault == "short":
            return Outcome({"data": 10}, clip.frames[:-1])


class Needy(Levels):
    def missing(self):
        return "needs weights.bin"


levels = Levels()
dear = Levels("dear", 3.0, "dear")
raises, dies, hangs, short = (Faulty(n, n) for n in ("raises", "dies", "hangs", "short"))
needy = Needy("needy", family="needy")
'''


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with its entry points, on the path of this process and of those it starts."""
    (folder / "plugged_codecs.py").write_text(_MODULE)
    info = folder / "plugged_codecs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged-codecs\nVersion: 1.0\n")
    names = ("levels", "dear", "raises", "dies", "hangs", "short", "needy")
    lines = "\n".join(f"{name} = plugged_codecs:{name}" for name in names)
    (info / "entry_points.txt").write_text(f"[facewire.codecs]\n{lines}\n")
    monkeypatch.syspath_prepend(str(folder))
