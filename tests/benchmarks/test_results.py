"""The command that makes docs/results: what it asks of the lab, with a lab that only listens."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from avatar.errors import VideoError
from bench.codec import Unavailable
from bench.codecs import chosen
from bench.metrics.registry import metrics
from bench.run import DEFAULT_METRICS, RunSettings, Summary


@pytest.fixture
def results() -> ModuleType:
    from benchmarks import results

    return results


class Lab:
    """Remembers what was asked."""

    def __init__(self) -> None:
        self.runs: list[tuple[list[str], str, RunSettings]] = []
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.fault: VideoError | None = None

    def run(self, clips: Any, found: Any, settings: RunSettings, progress: Any) -> Summary:
        if self.fault:
            raise self.fault
        progress(1, 1, "a point")
        self.runs.append(([clip.name for clip in clips], found.folder.name, settings))
        return Summary(1, 0, (), (), ("webcam: it is dark",))

    def report(self, found: Any, folder: Path, title: str, **options: Any) -> None:
        self.reports.append((folder.name, options))


@pytest.fixture
def lab(results: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    (tmp_path / "clips" / "enrol").mkdir(parents=True)
    monkeypatch.setenv("FACEWIRE_CLIPS", str(tmp_path / "clips"))
    made = Lab()
    monkeypatch.setattr(results, "run", made.run)
    monkeypatch.setattr(results, "write_report", made.report)
    return made


def words(tmp_path: Path, *more: str) -> list[str]:
    return ["--work", str(tmp_path / "work"), "-o", str(tmp_path / "out"), *more]


def test_every_part_is_run_and_reported_without_footage(
    results: ModuleType, lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert results.main(words(tmp_path)) == 0
    assert [name for _, name, _ in lab.runs] == ["rates", "sizes", "hd"]
    assert lab.reports == [
        (name, {"videos": False, "published": True}) for name in ("rates", "sizes", "hd")
    ]
    clips, _, asked = lab.runs[0]
    assert clips == ["podium.mp4", "newsdesk.mp4", "webcam.mp4"] and not asked.videos
    assert (asked.footage.hold_out, asked.footage.budget, asked.sizes) == ("10s", 300.0, (256,))
    assert lab.runs[1][2].sizes == (128, 256, 512, 1024)
    assert lab.runs[1][2].points == {"avatar": (1.0,), "hevc": (51.0, 46.0, 41.0)}
    assert [run.footage.size for _, _, run in lab.runs] == [256, 512, 512]
    assert "webcam: it is dark" in capsys.readouterr().err


def test_quick_enrols_for_less_and_is_kept_apart(
    results: ModuleType, lab: Lab, tmp_path: Path
) -> None:
    assert results.main(words(tmp_path, "--quick", "--only", "rates")) == 0
    ((_, folder, asked),) = lab.runs
    assert {"vvc", "avatar-effort1"} <= set(asked.points) and "vvc-half" not in asked.points
    assert folder == "rates-quick" and asked.quick and asked.footage.budget == 30.0
    assert results.main(words(tmp_path, "--steps", "7", "--only", "rates")) == 0
    assert (lab.runs[1][2].footage.budget, lab.runs[1][2].footage.steps) == (None, 7)


def test_some_of_the_clips(results: ModuleType, lab: Lab, tmp_path: Path) -> None:
    assert results.main(words(tmp_path, "--clip", "webcam", "--clip", "hd1080")) == 0
    asked = [(clips, folder) for clips, folder, _ in lab.runs]
    assert asked == [(["webcam.mp4"], "rates"), (["hd1080.mp4"], "hd")]


def test_avatars_of_the_same_cut_are_taken_and_no_others(
    results: ModuleType, lab: Lab, tmp_path: Path
) -> None:
    kept = tmp_path / "figures"
    for name in ("podium-10s", "newsdesk-tail", "hd1080-tail"):
        (kept / name).mkdir(parents=True)
        (kept / name / "256.avatar").write_bytes(b"an avatar")
    (kept / "hd1080-tail" / "512.avatar").write_bytes(b"an avatar")
    assert results.main(words(tmp_path, "--avatars", str(kept))) == 0
    avatars = [asked.avatars for _, _, asked in lab.runs]
    assert avatars == [
        {"podium": kept / "podium-10s" / "256.avatar"},
        {},
        {"hd1080": kept / "hd1080-tail" / "512.avatar"},  # who is drawn at 1024
    ]


def test_a_part_that_cannot_be_run_spoils_no_other(
    results: ModuleType, lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.fault = VideoError("hd1080.mp4 does not exist", "Give another.")
    assert results.main(words(tmp_path, "--only", "hd", "--only", "sizes")) == 1
    assert capsys.readouterr().err.count("does not exist") == 2


def test_without_clips_nothing_is_run(
    results: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEWIRE_CLIPS", str(tmp_path / "none"))
    assert results.main(words(tmp_path)) == 2


def test_the_points_of_three_clips_fit_an_hour(results: ModuleType) -> None:
    """About 100 a clip, at 20 seconds of one core each: 50 minutes of two."""
    part = results.PARTS["rates"]
    there = [codec for codec in chosen(part.codecs) if not isinstance(codec, Unavailable)]
    points = [part.points.get(codec.name, codec.points) for codec in there]
    assert all(points) and 80 <= sum(map(len, points)) <= 110
    assert part.points["vvc"] == (52, 47, 42, 37, 32)


def test_the_lab_knows_all_that_is_asked(results: ModuleType) -> None:
    for part in results.PARTS.values():
        names = {codec.name for codec in chosen(part.codecs)}
        assert set(part.points) <= names and "avatar" in names
    ours = {"avatar", "avatar-effort1", "avatar-order0", "avatar-lossless16", "avatar-79"}
    assert ours <= {codec.name for codec in chosen(results.PARTS["rates"].codecs)}
    assert set(DEFAULT_METRICS) <= set(metrics())
