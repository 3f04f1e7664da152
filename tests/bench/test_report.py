"""A report from made-up results: the page, figures, tables, and what is not in it."""

from __future__ import annotations

import csv
import json
import re
import shutil
import xml.etree.ElementTree as xml
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatar.errors import InputError
from bench.comparison import boards
from bench.measure import Measured
from bench.report import figures
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


def test_many_families_are_told_apart() -> None:
    names = ["avatar", *(f"codec-{i}" for i in range(19))]
    found = boards([point(name, 1.0 + i, 30.0) for i, name in enumerate(names)], "PSNR")
    style = figures._style(found)
    assert list(style)[0] == "avatar" and len(set(style.values())) == len(names) == len(style)
    assert [name for name, (colour, _) in style.items() if colour == figures.COLOURS[0]] == [
        "avatar"
    ]


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


def cells(folder: Path, table: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{table}.csv").open() as file:
        return list(csv.DictReader(file))


def test_costs_are_those_of_a_sum_on_paper(results: Results, tmp_path: Path) -> None:
    ours, rival = OURS[1], RIVAL[0]  # 2500 and 12500 bytes in 250 packets, 10 s
    results.write(replace(ours, encode_seconds=5.0, decode_seconds=2.5, kmac=9.8, joules=3.0))
    results.write(replace(rival, encode_seconds=1.0, decode_seconds=None, parts={"stream": 12500}))
    write_report(results, tmp_path / "report")
    costs = {(row["codec"], row["point"]): row for row in cells(tmp_path / "report", "cost")}
    mine, theirs = costs["avatar", "2.0"], costs["vvc", "10.0"]
    assert (mine["bytes"], theirs["bytes"]) == ("2500", "12500")
    assert float(mine["kbit/s"]) == pytest.approx(2.0)
    # IPv4 20, UDP 8, RTP 12, tag 10: 50 bytes, 25 times a second, are 10 kbit/s.
    assert float(mine["on the wire"]) == pytest.approx(2.0 + 10.0)
    assert float(theirs["on the wire"]) == pytest.approx(10.0 + 10.0)
    assert float(mine["encode ms/frame"]) == pytest.approx(20.0)
    assert float(mine["decode ms/frame"]) == pytest.approx(10.0)
    assert float(theirs["encode ms/frame"]) == pytest.approx(4.0)
    assert theirs["decode ms/frame"] == "" and theirs["mJ/frame"] == ""
    assert float(mine["mJ/frame"]) == pytest.approx(12.0)
    assert mine["decode kMAC/pixel"] == "9.8"


def test_the_download_is_spread_and_paid_back_as_on_paper(results: Results, tmp_path: Path) -> None:
    write_report(results, tmp_path / "report")
    first = cells(tmp_path / "report", "payback")[0]
    # An archive of 1 MB is 8000 kbit; ours takes 1 kbit/s.
    assert (first["ours"], first["rival's hull"]) == ("avatar 1", "vvc")
    for length, seconds in (("1 min", 60), ("10 min", 600), ("1 h", 3600), ("10 h", 36_000)):
        expected = pytest.approx(1.0 + 8000 / seconds)
        assert float(first[f"kbit/s over {length}"]) == expected
    saved = float(first["its kbit/s"]) - 1.0
    assert float(first["paid back after, min"]) == pytest.approx(8000 / saved / 60)
    # Over a call of just that length both took the same bytes.
    length = 60 * float(first["paid back after, min"])
    assert 1.0 + 8000 / length == pytest.approx(float(first["its kbit/s"]))


def test_the_coder_is_compared_at_the_same_step(results: Results, tmp_path: Path) -> None:
    theirs = point("avatar-order0", 2.0, 31.0, parts={"states": 3125})
    results.write(replace(theirs, point=OURS[1].point))
    write_report(results, tmp_path / "report")
    (row,) = cells(tmp_path / "report", "coder")
    assert (float(row["ours, kbit/s"]), float(row["theirs, kbit/s"])) == (2.0, 2.5)
    assert float(row["saved, %"]) == pytest.approx(20.0)
    # It is ours, not a rival; and its one point is on no curve.
    for table, column in (("equal-ms-ssim-face", "rival's hull"), ("payback", "rival's hull"),
                          ("bd-rate", "hull")):  # fmt: skip
        names = {row[column] for row in cells(tmp_path / "report", table)}
        assert "avatar-order0" not in names and names


def test_what_is_not_to_be_had_is_listed(results: Results, tmp_path: Path) -> None:
    write_report(results, tmp_path / "report")
    absent = {row["what"]: row["why"] for row in cells(tmp_path / "report", "absent")}
    assert absent["rdac: RDAC: DAC lite with coded residuals"].startswith("needs dac-lite")
    assert absent["LPIPS whole"] == "needs LPIPS's weights"


def test_published_tables_have_our_rows(results: Results, tmp_path: Path) -> None:
    write_report(results, tmp_path / "report", published=True)
    rows = {row["method"]: row for row in cells(tmp_path / "report", "paper-003-1-2")}
    assert rows["003, fine-tuned"]["PSNR"] == "30.85"
    ours = rows["a: avatar, 1"]
    assert (float(ours["PSNR"]), float(ours["kbit/s"]), ours["LPIPS"]) == (28.0, 1.0, "")
    assert float(rows["a: vvc-half, 4"]["kbit/s"]) == pytest.approx(4.0)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "No row of ours: DISTS needs" in text and "| a: avatar, 1 |" in text
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (tmp_path / "report" / link).is_file(), link


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
    variant = point("avatar-order0", 3.0, 31.0)
    assert chosen_points([*OURS, variant, *RIVAL]) == chosen
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
