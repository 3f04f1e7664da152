"""Our own rows for the papers' tables: the same columns, from a run's records.

A column that was not computed here stays empty; what differs in data is said in the table's notes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.comparison import boards, distances
from bench.generative.codecs import generative_codecs
from bench.metrics.registry import metrics
from bench.mttf_codec import mttf_codecs
from bench.report.table import Table
from bench.results import OK, Record

# Shown at their best point, others at the point nearest to the rate of ours.
OURS = ("avatar", "avatar-effort1", "avatar-order0", "avatar-lossless16", "avatar-79")
RIVALS = (
    "vvc", "hevc", "mttf-lite", "mttf-full", "fomm", "dac", "cfte", "fv2v", "tps", "mraa", "lia",
)  # fmt: skip
SIZE = 256
SEED = 20


def with_points(table: Table, records: Sequence[Record]) -> Table:
    """A table of operating points with ours below: of each clip our codecs at the finest point
    measured, and each rival's hull point of the lowest rate."""
    found = [r for r in records if r.state == OK and r.counts and r.size == SIZE]
    rows = []
    for clip in sorted({r.clip for r in found}):
        here = [r for r in found if r.clip == clip]
        for codec in OURS:
            points = [r for r in here if r.codec == codec]
            if points:
                rows.append(_row(table, min(points, key=lambda r: r.point)))
        for family in RIVALS:
            points = [r for r in here if r.family == family]
            if points:
                rows.append(_row(table, min(points, key=lambda r: r.kbps)))
    return _added(table, rows, "Rows named after a clip are ours, on other people's clips and at "
                  f"{SIZE}x{SIZE}; each rival at its lowest rate.")  # fmt: skip


def with_distances(table: Table, records: Sequence[Record], anchor: str = "vvc") -> Table:
    """A table of BD-rates with ours against the same anchor below, means over clips; a metric
    that has no figure here is named with what it needs."""
    kept = [r for r in records if r.size == SIZE]
    families = dict.fromkeys(r.family for r in kept if r.state == OK and r.counts)
    generator = np.random.default_rng(SEED)
    columns: dict[str, dict[str, float]] = {}
    needs = []
    known = metrics()
    for metric in list(table.columns)[1:]:
        judged = boards(kept, metric)
        columns[metric] = {
            d.test: float(np.mean(list(d.clips.values())))
            for d in distances(judged, anchor, generator)
        }
        if not judged and metric in known and (lacking := known[metric].missing()):
            needs.append(f"{metric} {lacking}")
    rows: list[list[Any]] = []
    for family in families:
        values = [columns[m].get(family) for m in list(table.columns)[1:]]
        if any(v is not None and math.isfinite(v) for v in values):
            rows.append([f"here: {family}", *values])
    if rows:
        return _added(table, rows, "Rows that begin with here are ours, means over our clips.")
    reason = "; ".join(needs) or "no two codecs were run at qualities that they share"
    return replace(table, notes=(*table.notes, f"No row of ours: {reason}."))


def with_networks(table: Table) -> Table:
    """The table of a network's size and cost, with ours below, counted here."""
    from codec.mttf.measure import work

    rows: list[list[Any]] = []
    for codec in (*mttf_codecs(), *generative_codecs()):
        found = work(codec.network, SIZE)
        size = found.parameters / 1e6
        rows.append([f"here: {codec.title}", size, found.vectors, found.generate])
    return _added(table, rows, f"Rows that begin with here are our networks at {SIZE}x{SIZE}, "
                  "counted without training.")  # fmt: skip


def _row(table: Table, record: Record) -> list[Any]:
    row: list[Any] = [f"{record.clip}: {record.title}, {record.point:g}"]
    for column in list(table.columns)[1:]:
        row.append(record.kbps if column == "kbit/s" else record.figure(column))
    return row


def _added(table: Table, rows: list[list[Any]], note: str) -> Table:
    if not rows:
        return table
    return replace(table, rows=[*table.rows, *rows], notes=(*table.notes, note))
