"""Energy counters as Linux shows them, made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.energy import Meter


def counter(folder: Path, name: str, value: int, limit: int = 1_000_000) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "energy_uj").write_text(f"{value}\n")
    (folder / name / "max_energy_range_uj").write_text(f"{limit}\n")


def test_packages_are_summed_and_their_parts_not_counted_twice(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        counter(tmp_path, name, 500_000)
    meter = Meter(tmp_path)
    counter(tmp_path, "intel-rapl:0", 700_000)
    counter(tmp_path, "intel-rapl:0:0", 650_000)
    counter(tmp_path, "intel-rapl:1", 100_000)  # past its end and on: 0.6 J
    assert meter.joules() == pytest.approx(0.2 + 0.6)


def test_a_machine_that_does_not_tell_has_no_figure(tmp_path: Path) -> None:
    assert Meter(tmp_path / "gone").joules() is None
    counter(tmp_path, "intel-rapl:0", 1)
    meter = Meter(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    assert meter.joules() is None
