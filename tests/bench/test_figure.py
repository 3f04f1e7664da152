from __future__ import annotations

import io
import json
import math

import pytest

from bench.figure import Figure, table


@pytest.mark.parametrize(
    "measured, sense, met",
    [
        (28.5, "at least", True),
        (28.49, "at least", False),
        (28.5, "at most", True),
        (28.51, "at most", False),
        (math.nan, "at least", False),
        (math.nan, "at most", False),
        (math.inf, "at least", False),
    ],
)
def test_a_figure_is_met_on_its_side_of_the_bound(measured: float, sense: str, met: bool) -> None:
    assert Figure("n", "w", measured, "dB", 28.5, sense).met is met  # type: ignore[arg-type]


def test_without_a_bound_there_is_nothing_to_meet() -> None:
    assert Figure("n", "w", 3.0, "dB").met is None


def test_values_are_json_even_where_nothing_was_measured() -> None:
    text = json.dumps(Figure("n", "w", math.nan, "dB", 1.0).values(), allow_nan=False)
    assert json.loads(text)["measured"] is None and json.loads(text)["met"] is False


def test_the_table_shows_bound_and_measurement() -> None:
    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=140)
    console.print(table([Figure("rate", "kbps", 2.25, "kbit/s", 2.5, "at most", "header 90 B")]))
    shown = console.file.getvalue()
    assert "at most 2.5 kbit/s" in shown and "2.25 kbit/s" in shown and "header 90 B" in shown
