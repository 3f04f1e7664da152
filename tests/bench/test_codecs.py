"""The door that every codec comes through, and the examples of CONTRIBUTING.md through it."""

from __future__ import annotations

import re
import sys
import types
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from avatar.errors import InputError, MismatchError, MissingError
from bench.codec import Clip, Codec, Outcome, run_point
from bench.codecs import codecs
from bench.metrics.registry import metrics
from bench.plugins import CODECS, METRICS

GUIDE = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
CLIP = Clip("noise", np.random.default_rng(4).integers(0, 256, (6, 20, 24, 3), dtype=np.uint8))


class Repeat:
    """The first frame, again and again: 12 bytes that nobody believes."""

    name = "repeat"
    title = "Still picture"
    points = (1.0,)

    def __init__(self, frames: int | None = None, size: int = 12, needs: str = "") -> None:
        self.frames, self.size, self.needs = frames, size, needs

    def missing(self) -> str:
        return self.needs

    def code(self, clip: Clip, point: float) -> Outcome:
        count = len(clip.frames) if self.frames is None else self.frames
        return Outcome({"still": self.size}, clip.frames[[0] * count], archive=1000)


def _examples(monkeypatch: pytest.MonkeyPatch) -> list[types.ModuleType]:
    """The guide's Python blocks as modules, installed as its TOML blocks say."""
    text = GUIDE.read_text(encoding="utf-8")
    modules = []
    entries: list[metadata.EntryPoint] = []
    blocks = re.findall(r"^```python\n(.*?)^```\s*(?:.*?)^```toml\n(.*?)^```", text, re.S | re.M)
    for number, (source, declared) in enumerate(blocks):
        module = types.ModuleType(f"guide_{number}")
        exec(compile(source, f"{GUIDE.name}[{number}]", "exec"), module.__dict__)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        ((group, name, value),) = re.findall(
            r'\[project\.entry-points\."(.+?)"\]\n(\S+) = "my_package\.my_module:(\w+)"', declared
        )
        entries.append(metadata.EntryPoint(name, f"{module.__name__}:{value}", group))
        modules.append(module)
    monkeypatch.setattr(
        metadata, "entry_points", lambda group: [e for e in entries if e.group == group]
    )
    return modules


def test_the_guide_s_codec_and_metric_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(_examples(monkeypatch)) == 2
    codec, metric = codecs()["mean-colour"], metrics()["WORST"]
    assert codec.missing() == "" and metric.missing() == ""
    flat = Clip("flat", np.full((6, 20, 24, 3), 77, np.uint8))
    coarse, fine = (run_point(codec, flat, point) for point in codec.points)
    assert metric.measure(flat.frames, fine.frames).tolist() == [0] * 6
    assert metric.measure(flat.frames, coarse.frames).tolist() == [3] * 6  # 77 -> 5 x 16
    assert 0 < fine.account(flat).payload < 40


def test_what_came_out_is_accounted_for() -> None:
    account = run_point(Repeat(), CLIP, 1.0).account(CLIP)
    assert (account.payload, account.packets, account.archive) == (12, 6, 1000)
    assert account.kbps == pytest.approx(12 * 8 / 1000 / (6 / 25))


def test_a_codec_that_breaks_a_rule_is_caught() -> None:
    with pytest.raises(MismatchError, match=r"gave frames \(5, 20"):
        run_point(Repeat(frames=5), CLIP, 1.0)
    with pytest.raises(InputError, match="no account"):
        run_point(Repeat(size=-1), CLIP, 1.0)
    with pytest.raises(MissingError, match="Still picture needs it"):
        run_point(Repeat(needs="needs it"), CLIP, 1.0)


def test_clips_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="are no clip"):
        Clip("grey", CLIP.frames[..., 0])
    with pytest.raises(InputError, match="are no clip"):
        Clip("empty", CLIP.frames[:0])
    with pytest.raises(InputError, match="no rate"):
        Clip("still", CLIP.frames, fps=0.0)


def test_classic_codecs_are_listed_at_three_sizes() -> None:
    known = codecs()
    for name in ("vvc", "vvc-half", "vvc-quarter", "av1", "hevc-quarter"):
        assert isinstance(known[name], Codec)
        assert len(known[name].points) >= 4
    assert known["vvc-half"].title == "VVC (libvvenc) at 1/2"


def test_a_smaller_size_takes_fewer_bytes_and_comes_back_whole() -> None:
    pytest.importorskip("imageio_ffmpeg")
    y, x = np.mgrid[:64, :72]
    frames = [np.stack([x * 3, y * 3, (x + y + 4 * f) % 256], axis=2) for f in range(4)]
    clip = Clip("ramp", np.stack(frames).astype(np.uint8))
    whole, half = (run_point(codecs()[name], clip, 20) for name in ("hevc", "hevc-half"))
    assert half.frames.shape == clip.frames.shape
    assert half.account(clip).payload < whole.account(clip).payload
    assert whole.settings.startswith("-qp 20 -c:v libx265 -preset medium")
    with pytest.raises(InputError, match="no quantiser 20.5"):
        run_point(codecs()["hevc"], clip, 20.5)


def test_plug_ins_that_cannot_be_had_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("others")
    module.good, module.taken, module.wrong = Repeat(), Repeat(), 5  # type: ignore[attr-defined]
    module.taken.name = "vvc"
    monkeypatch.setitem(sys.modules, "others", module)
    entries = [
        metadata.EntryPoint(name, f"{place}:{name}", CODECS)
        for name, place in (
            ("good", "others"), ("taken", "others"), ("wrong", "others"), ("gone", "no_such_module")
        )
    ]  # fmt: skip
    monkeypatch.setattr(metadata, "entry_points", lambda group: [] if group == METRICS else entries)
    known = codecs()
    assert run_point(known["repeat"], CLIP, 1.0).frames.shape == CLIP.frames.shape
    assert known["vvc"].title == "VVC (libvvenc)"
    assert known["taken"].missing() == "needs another name than vvc, which is taken"
    assert "is no Codec" in known["wrong"].missing()
    assert "ModuleNotFoundError" in known["gone"].missing()
    with pytest.raises(MissingError, match="no_such_module"):
        known["gone"].code(CLIP, 1.0)
