"""Runs with codecs that work, fail, crash and hang: kept, resumed, and never lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatar.errors import FormatError, InputError, MismatchError, VersionError, VideoError
from bench import run as running
from bench.results import FAILED, OK, SKIPPED, Record, Results
from bench.run import RunSettings, run
from tests.bench.plugged import install

SETTINGS = RunSettings(
    codecs=("levels",), metrics=("PSNR", "SSIM", "LPIPS"), sizes=(32,), videos=False
)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: Any) -> Any:
    """A run on clips a and b of half a second, and on c of 3 s."""
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, monkeypatch)
    lengths = {"a": 12, "b": 12, "c": 75}

    def prepare(source: Path, folder: Path, settings: Any, avatar: Any, say: Any) -> Any:
        if source.stem not in lengths:
            raise VideoError(f"{source.name} does not exist", "Give another.")
        footage = ready(folder, source.stem, lengths[source.stem])
        return replace(footage, digest=f"{footage.digest} {settings}")

    monkeypatch.setattr(running, "prepare", prepare)

    def start(
        *clips: str, into: str = "results", progress: Any = lambda *said: None, **options: Any
    ) -> tuple[Any, list[Record]]:
        results, asked = Results(tmp_path / into, create=True), replace(SETTINGS, **options)
        summary = run([Path(f"{c}.mkv") for c in clips], results, asked, progress)
        return summary, list(results)

    return start


def test_every_point_is_measured_once(lab: Any, tmp_path: Path) -> None:
    summary, records = lab("a", "b", codecs=("levels", "dear"), jobs=2)
    assert (summary.measured, summary.kept, summary.failed) == (16, 0, ())
    assert summary.warnings == ("a: it is noisy", "b: it is noisy")
    cheap = [r for r in records if (r.clip, r.codec) == ("a", "levels")]
    dear = [r for r in records if (r.clip, r.codec) == ("a", "dear")]
    assert [r.point for r in cheap] == [8, 16, 32, 64]
    frames = np.load(tmp_path / "results" / "clips" / "a" / "32.npy")
    for one, other in zip(cheap, dear, strict=True):
        assert one.account.payload * 3 == pytest.approx(other.account.payload, abs=3)
        assert one.figure("PSNR") == other.figure("PSNR") and one.frames == 12
        coarse = (frames / one.point).round().astype(np.uint8)
        shown = np.clip(coarse * one.point, 0, 255).astype(np.uint8)
        errors = ((shown.astype(float) - frames) ** 2).mean(axis=(1, 2, 3))
        assert one.figure("PSNR") == pytest.approx(np.mean(10 * np.log10(255**2 / errors)))
        assert one.figure("SSIM", "face") is not None and one.figure("LPIPS") is None
        (lpips,) = [m for m in one.figures if (m.metric, m.region) == ("LPIPS", "whole")]
        assert lpips.needs.startswith("needs alexnet-owt")
    again, _ = lab("a", "b", codecs=("levels", "dear"))
    assert (again.measured, again.kept) == (0, 16)


def test_a_run_that_was_stopped_goes_on(lab: Any, tmp_path: Path) -> None:
    lab("a")
    path = tmp_path / "results" / "points" / "a" / "32" / "levels"
    before = (path / "8.json").stat().st_mtime_ns
    (path / "16.json").unlink()
    summary, records = lab("a")
    assert (summary.measured, summary.kept, len(records)) == (1, 3, 4)
    assert (path / "8.json").stat().st_mtime_ns == before
    summary, _ = lab("a", again=("levels",))
    assert summary.measured == 4
    summary, _ = lab("a", metrics=("PSNR",))  # another question: measured anew
    assert summary.measured == 4


def test_a_published_reports_points_are_kept_where_nothing_has_changed(
    lab: Any, tmp_path: Path
) -> None:
    _, records = lab("a")
    published = tmp_path / "results.json"
    other = [replace(r, key="of another clip") for r in records[:1]]
    published.write_text(json.dumps([r.values() for r in other + records[1:]]))
    elsewhere = Results(tmp_path / "elsewhere", create=True)
    elsewhere.write(records[1])
    assert elsewhere.adopt(published) == 3
    summary, again = lab("a", into="elsewhere")
    assert (summary.measured, summary.kept) == (1, 3)
    assert [r.figure("PSNR") for r in again] == [r.figure("PSNR") for r in records]
    published.write_text("{}")
    with pytest.raises(FormatError, match="holds no record"):
        elsewhere.adopt(published)


def test_an_interrupted_run_loses_nothing(lab: Any, tmp_path: Path) -> None:
    def stop(done: float, total: float, note: str | None) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab("a", progress=stop)
    assert len(list(Results(tmp_path / "results"))) == 2
    summary, records = lab("a")
    assert (summary.measured, summary.kept, len(records)) == (2, 2, 4)


def test_a_record_cut_short_is_named(lab: Any, tmp_path: Path) -> None:
    lab("a")
    path = tmp_path / "results" / "points" / "a" / "32" / "levels" / "8.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(FormatError, match=r"8\.json cannot be read") as caught:
        lab("a")
    assert "Remove it; the next run measures it again" in caught.value.cure


def test_faults_are_recorded_and_the_run_goes_on(lab: Any) -> None:
    faulty = ("raises", "dies", "short", "needy", "levels")
    summary, records = lab("a", codecs=faulty)
    state = {r.codec: r for r in records}
    assert sum(r.state == OK for r in records) == 4
    assert "RuntimeError: the network has no weights" in state["raises"].reason
    assert "ended with code 17" in state["dies"].reason
    assert "about to crash" in state["dies"].reason
    assert "gave frames (11, 32" in state["short"].reason
    assert state["needy"].state == SKIPPED and state["needy"].reason == "needs weights.bin"
    assert {r.codec for r in summary.failed} == {"raises", "dies", "short"}
    assert all(r.state == FAILED for r in summary.failed)


def test_a_codec_that_never_ends_is_given_up(lab: Any) -> None:
    summary, _ = lab("a", codecs=("hangs",), limit=0.5)
    assert [r.reason.split(";")[0] for r in summary.failed] == ["not done after 0.5 s"]


_HANGING = """
import multiprocessing, sys, time
from pathlib import Path
from types import SimpleNamespace
from bench import worker

worker.run_task = lambda task: time.sleep(600)
apart = multiprocessing.get_context("fork")
ours, theirs = apart.Pipe()
process = apart.Process(target=worker.serve, args=(theirs, Path(sys.argv[1])), daemon=True)
process.start()
ours.send(SimpleNamespace(name="a point"))
print(process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_a_worker_whose_run_was_killed_ends(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with subprocess.Popen(
        [sys.executable, "-c", _HANGING, str(log)], stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        worker = Path("/proc") / started.stdout.readline().strip() / "stat"

        def works() -> bool:
            return worker.exists() and ") Z " not in worker.read_text()

        until = time.monotonic() + 20
        while not (log.exists() and "a point" in log.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        assert works()
        started.kill()
    while works() and time.monotonic() < until:
        time.sleep(0.05)
    assert not works()


def test_a_failed_point_is_tried_again(lab: Any) -> None:
    assert lab("a", codecs=("raises",))[0].measured == 1
    assert lab("a", codecs=("raises",))[0].measured == 1


def test_what_was_skipped_is_measured_once_it_can_be(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as lacking:
        lacking.setattr(running, "_reason", lambda *given: "needs weights.bin")
        assert len(lab("a")[0].skipped) == 4
    assert lab("a")[0].measured == 4


def test_short_clips_are_not_compared_by_rate_with_classic_codecs(lab: Any) -> None:
    pytest.importorskip("imageio_ffmpeg")
    summary, records = lab("c", codecs=("=hevc", "levels"), points={"hevc": (40.0,)})
    assert [r.codec for r in summary.skipped] == ["hevc"]
    assert "3.0 s: below 8 s" in summary.skipped[0].reason
    assert sum(r.state == OK for r in records) == 4


def test_an_avatar_codec_without_an_avatar_is_skipped(lab: Any) -> None:
    summary, _ = lab("a", codecs=("=avatar",))
    assert {r.state for r in summary.skipped} == {SKIPPED} and len(summary.skipped) == 5
    assert "--avatar" in summary.skipped[0].reason


def test_a_clip_that_cannot_be_used_is_left_out(lab: Any) -> None:
    summary, records = lab("a", "gone")
    assert {r.clip for r in records} == {"a"}
    assert summary.warnings[-1] == "gone is left out: gone.mkv does not exist"
    with pytest.raises(InputError, match="no clip is left"):
        lab("gone", into="other")


def test_quick_takes_three_points(lab: Any) -> None:
    _, records = lab("a", quick=True)
    assert [r.point for r in records] == [8, 16, 64]  # cheapest, best, and between


@pytest.mark.parametrize(
    "options, message",
    [
        ({"codecs": ("nothing",)}, "no codec 'nothing'"),
        ({"metrics": ("NICE",)}, "no metric 'NICE'"),
        ({"sizes": (8,)}, "cannot be compared"),
        ({"points": {"vvc": (3.0,)}}, "'vvc' is not among the codecs"),
        ({"avatars": {"z": Path("z.avatar")}}, "no clip z"),
    ],
)
def test_what_cannot_be_asked_is_refused(lab: Any, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        lab("a", **options)


def test_two_clips_of_one_name_are_refused(lab: Any) -> None:
    with pytest.raises(InputError, match="two clips are called a"):
        lab("a", "a")


def test_results_of_another_version_are_refused(lab: Any, tmp_path: Path) -> None:
    lab("a")
    said = tmp_path / "results" / "run.json"
    said.write_text(json.dumps(json.loads(said.read_text()) | {"format": 0}))
    with pytest.raises(VersionError, match="results of format 0; this lab writes 2"):
        lab("a")


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds other files"):
        Results(tmp_path, create=True)
    with pytest.raises(InputError, match="holds no results"):
        Results(tmp_path / "nothing")


def test_a_changed_clip_is_not_mixed_with_the_old(tmp_path: Path) -> None:
    from bench.footage import prepare

    source = tmp_path / "talk.mkv"
    source.write_bytes(b"one film")
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "clip.json").write_text(json.dumps({"digest": "of another", "window": {}}))
    with pytest.raises(MismatchError, match="holds another talk"):
        prepare(source, folder)
