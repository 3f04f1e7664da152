"""The arithmetic of `make bench`, with a `facewire` command that answers what the test says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from avatar.errors import VideoError
from bench import clips
from bench.clips import HeldOut
from bench.command import Ran
from benchmarks import rates


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    from benchmarks import figures

    return figures


class Command:
    """Answers like facewire, and writes the files that it is asked for."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.psnr = {"plain": 30.0, "fps=25": 29.9, f"fps=25kbps={1000}": 30.05,
            "fps=25kbps=1": 30.0, "fps=25kbps=0": 29.5,
        }  # fmt: skip

    def __call__(self, arguments: list[Any]) -> Ran:
        words = [str(a) for a in arguments]
        self.calls.append(words)
        if "-o" in words:
            Path(words[words.index("-o") + 1]).write_bytes(bytes(1_500_000))
        return Ran(json.dumps(self._answer(words)), wall=4.0, cpu=6.0)

    def _answer(self, words: list[str]) -> dict[str, Any]:
        if words[0] == "info":
            kbps = 40.0 if "1000" in words[1] else 2.4
            return {
                "payload_kbps": kbps, "frames": 250, "sent_frames": 250, "duration_s": 10.0,
                "header_bytes": 90,
            }  # fmt: skip
        if words[0] != "compare":
            return {}
        stream, size = Path(words[4]).name, int(Path(words[2]).name.split(".")[-2])
        psnr = self.psnr[stream.split(".")[1]] - {128: 0.4, 256: 0.0, 512: 0.9, 1080: 1.2}[size]
        found = {"psnr": psnr, "psnr_face": 26.0, "ssim": 0.9, "ms_ssim_face": 0.95, "frames": 9}
        if "--enrolled" in words:
            found |= {
                "psnr_first": 19.0, "psnr_face_first": 17.0,
                "psnr_oracle": 26.4, "psnr_face_oracle": None,
            }  # fmt: skip
        return found


@pytest.fixture
def lab(figures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def cut(source: Path, folder: Path, share: float = 0.9) -> HeldOut:
        return HeldOut(folder / "enrol.mkv", folder / "judge.mkv", 90, 10)

    monkeypatch.setattr(clips, "hold_out_tail", cut)
    monkeypatch.setattr(clips, "duration", lambda source: 50.0)
    return figures.Lab(tmp_path / "clips", tmp_path / "work", 300.0, Command())


def _by_what(found: Any) -> dict[str, Any]:
    return {f.what: f for f in found}


def test_held_out_is_judged_beside_its_baselines(figures: ModuleType, lab: Any) -> None:
    reach = {"psnr": 28.5, "psnr_face": 26.5, "above_oracle": 1.5}
    rows = _by_what(figures.held_out(lab, "podium.mp4", "tail", reach))
    assert rows["psnr"].met is True and rows["psnr_face"].met is False
    assert rows["psnr above the oracle"].measured == pytest.approx(3.6)
    assert rows["psnr above the oracle"].met is True
    assert rows["psnr_first"].measured == 19.0 and rows["psnr_first"].met is None
    assert math.isnan(rows["psnr_face_oracle"].measured)
    enroll = next(c for c in lab._run.calls if c[0] == "enroll")
    assert enroll[1].endswith("enrol.mkv") and "--consent" in enroll
    assert enroll[enroll.index("--budget") + 1] == "300"
    assert not any("judge.mkv" in word for word in enroll)


def test_rate_and_the_loss_by_quantising(lab: Any) -> None:
    rows = _by_what(rates.rate(lab, "podium.mp4"))
    assert rows["payload_kbps"].measured == 2.4 and rows["payload_kbps"].met is True
    assert rows["psnr lost by quantising"].measured == pytest.approx(0.15)
    assert rows["psnr lost by quantising"].met is True


def test_what_two_rates_lose(lab: Any) -> None:
    rows = _by_what(rates.bounded(lab, "podium.mp4", "10s"))
    assert rows["psnr lost below 1.5 kbit/s"].measured == pytest.approx(0.05)
    assert rows["psnr lost below 1.5 kbit/s"].met is True
    assert rows["psnr lost below 0.8 kbit/s"].met is False
    assert rows["payload asked for below 1.5"].met is False  # 2.4 came out


def test_other_sizes_may_lose_a_decibel(figures: ModuleType, lab: Any) -> None:
    rows = _by_what(figures.sizes(lab))
    assert rows["psnr below 256 at 128"].measured == pytest.approx(0.4)
    assert rows["psnr below 256 at 512"].met is True
    assert rows["psnr below 256 at 1080"].met is False


def test_each_step_runs_once(figures: ModuleType, lab: Any) -> None:
    list(rates.rate(lab, "podium.mp4"))
    list(figures.sizes(lab))
    names = [c[0] for c in lab._run.calls]
    assert names.count("enroll") == 1 and names.count("encode") == 2
    assert names.count("decode") == 2 + 3


def test_tracking_counts_the_whole_command(figures: ModuleType, lab: Any) -> None:
    rows = _by_what(figures.tracking(lab))
    assert rows["whole command"].measured == pytest.approx(250 / 4)
    assert rows["a core for itself"].measured == pytest.approx(250 / 6)
    assert "1.5 of" in rows["whole command"].note


def test_archive_size_is_in_megabytes(figures: ModuleType, lab: Any) -> None:
    (row,) = figures.archive(lab)
    assert row.measured == pytest.approx(1.5) and row.met is True


def test_one_failure_does_not_hide_the_rest(
    figures: ModuleType, lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(lab: Any) -> Any:
        raise VideoError("no face in it", "Use another clip.")

    monkeypatch.setitem(figures.CHECKS, "podium", fails)
    found, failures = figures.measure(lab, ["podium", "archive"])
    assert list(failures) == ["podium"] and "Use another clip." in failures["podium"]
    assert [f.met for f in found] == [False, True]


def test_a_folder_of_clips_that_is_not_there_is_said(
    figures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("FACEWIRE_CLIPS", str(tmp_path / "none"))
    assert figures.main(["--work", str(tmp_path / "work")]) == 2
    assert "FACEWIRE_CLIPS" in capsys.readouterr().err
