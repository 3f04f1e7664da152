"""A report from made-up results: the page, figures, tables, and what is not in it."""

from __future__ import annotations

import csv
import json
import shutil
import xml.etree.ElementTree as xml
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatar.errors import InputError
from bench.measure import Measured
from bench.report.table import Table
from bench.report.videos import chosen_points
from bench.report.write import write_report
from bench.results import FAILED, Record, Results
from demo.cli import main
from tests.bench.conftest import pictures
from tests.bench.test_comparison import OURS, RIVAL, STILL, point

pytest.importorskip("matplotlib")


@pytest.fixture
def results(tmp_path: Path) -> Results:
    found = Results(tmp_path / "results", create=True)
    found.describe({"clips": ["a.mkv"], "settings": {"footage": {"hold_out": "10s", "fps": 25}}})
    face = Measured("MS-SSIM", "face", 0.9, 0.8, 250)
    absent = Measured("LPIPS", "whole", float("nan"), float("nan"), 0, "needs LPIPS's weights")
    for record in [*OURS, *RIVAL, STILL]:
        quality = record.figures[0].mean
        more = (replace(face, mean=quality / 40), absent)
        found.write(replace(record, figures=record.figures + more))
    found.write(point("av1", 1.0, 0.0, state=FAILED, reason="Traceback\nRuntimeError: <no> luck"))
    return found


class _Files(HTMLParser):
    """What a page refers to, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.files += [
            v for k, v in attributes if k in ("src", "href") and v and not v.startswith("#")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_holds_what_was_measured(results: Results, tmp_path: Path) -> None:
    written = write_report(results, tmp_path / "report", "Ours & theirs")
    page = _Files()
    page.feed((tmp_path / "report" / "index.html").read_text())
    assert page.files and all((tmp_path / "report" / file).is_file() for file in page.files)
    assert all((tmp_path / "report" / file).is_file() for file in written)
    for text in ("Ours & theirs", "the last 10 s", "RuntimeError: <no> luck", "needs LPIPS's"):
        assert text in page.text
    for figure in (tmp_path / "report" / "figures").glob("*.svg"):
        assert xml.parse(figure).getroot().tag.endswith("svg")
        assert figure.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_figures_and_tables_are_the_same_each_time(results: Results, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_report(results, tmp_path / name)
    for path in (tmp_path / "one").rglob("*.*"):
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes(), path.name


def test_csv_and_json_hold_every_point(results: Results, tmp_path: Path) -> None:
    write_report(results, tmp_path / "report")
    with (tmp_path / "report" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    (row,) = [r for r in rows if r["codec"] == "avatar" and r["point"] == "1.0"]
    assert float(row["kbps"]) == 1.0 and float(row["PSNR whole"]) == 28.0
    assert float(row["kbps srtp"]) == pytest.approx(1.0 + 250 * 50 * 8 / 10_000)
    kept = json.loads((tmp_path / "report" / "results.json").read_text())
    assert {Record.parse(values).codec for values in kept} == {r["codec"] for r in rows}


def test_the_command_writes_a_report(
    results: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["bench", "report", str(results.folder), "-o", str(tmp_path / "out"), "--no-videos"]
    assert main(words) == 0
    assert str(tmp_path / "out" / "index.html") in capsys.readouterr().out
    assert main(["bench", "report", str(tmp_path / "nothing"), "-o", str(tmp_path / "out")]) == 2


def test_nothing_measured_is_no_report(tmp_path: Path) -> None:
    empty = Results(tmp_path / "results", create=True)
    with pytest.raises(InputError, match="no point was measured"):
        write_report(empty, tmp_path / "report")


def test_videos_are_side_by_side_at_about_one_rate(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    from bench.ffmpeg import read_frames
    from bench.worker import _show

    chosen = chosen_points([*OURS, *RIVAL])
    assert [(r.codec, r.kbps) for r in chosen] == [("avatar", 2.0), ("vvc-half", 4.0)]
    shown = pictures(10)
    folder = results.clip_folder("a")
    folder.mkdir(parents=True)
    np.save(folder / "256.npy", shown)
    for record in chosen:
        _show(shown, 25.0, results.video(record))
    write_report(results, tmp_path / "report")
    (video,) = (tmp_path / "report" / "videos").iterdir()
    raw = ["-i", str(video), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    frames = list(read_frames(raw, 96, 32))
    assert len(frames) == 10
    for column in range(3):
        panel = frames[0][:, 32 * column : 32 * (column + 1)].astype(float)
        assert np.abs(panel - shown[0]).mean() < 12
    shutil.rmtree(tmp_path / "report")


@pytest.mark.parametrize("value, text", [(None, "-"), (float("nan"), "-"), (float("inf"), "never")])
def test_what_has_no_number_is_said(value: Any, text: str) -> None:
    table = Table("t", "A_b & c", {"what": "", "how much": ".1f"}, [["50 %", value]], ("note",))
    assert table.cells() == [["50 %", text]]
    assert f"50 \\% & {text} \\\\" in table.latex() and r"\caption{A\_b \& c}" in table.latex()
    assert f"| 50 % | {text} |" in table.markdown()
