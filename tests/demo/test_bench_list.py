"""`facewire bench list` says of everything whether it is here."""

from __future__ import annotations

import json

import pytest

from demo.cli import main


def test_everything_is_listed_with_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["PSNR"]["missing"] == "" and rows["PSNR"]["kind"] == "metric"
    assert rows["TOPIQ"]["missing"].startswith("needs cfanet_fr_kadid_res50-2c4cc61d.pth")
    assert rows["vvc"]["kind"] == "codec" and rows["vvc"]["points"][0] == 52
    assert main(["bench", "list"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "codecs" and "metrics" in shown
    for name, row in rows.items():
        (line,) = [line for line in shown if line.split()[0] == name]
        assert (row["missing"] or "available") in line


def test_bench_without_an_action_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench"])
    assert "ACTION" in capsys.readouterr().err
