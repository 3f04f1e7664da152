"""Codecs side by side: hulls, rates at equal quality, distances, and what an avatar costs.

A family is a codec with all of its variants (sizes, frame rates); its hull is what the best of
them reach together (`bench.curves.upper_hull`), and hulls are what is compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from avatar.errors import InputError
from bench.curves import (
    Curve,
    ExtrapolationError,
    Interval,
    Point,
    bd_rate,
    interval,
    rate_at,
    upper_hull,
)
from bench.metrics.registry import metrics
from bench.results import OK, Record

CALLS = {"1 min": 60.0, "10 min": 600.0, "1 h": 3600.0, "10 h": 36_000.0}


@dataclass(frozen=True)
class Board:
    """One clip at one size, judged by one metric on one region.  curves: by codec.  hulls: by
    family.  stills: what pictures that cost nothing reach, by title."""

    clip: str
    size: int
    metric: str
    region: str
    rising: bool
    curves: Mapping[str, Curve]
    families: Mapping[str, str]  # codec -> family
    titles: Mapping[str, str]  # family -> of the codec that it is named after
    hulls: Mapping[str, Curve]
    stills: Mapping[str, float]


@dataclass(frozen=True)
class Equal:
    """A rival at the quality of one of our points.  rival_kbps: NaN where it does not reach it,
    its cheapest point's where that is already better.  remark: says so, "" where the qualities
    are equal.  ratio: ours over the rival's, NaN where they are not."""

    clip: str
    size: int
    point: str
    kbps: float
    quality: float
    rival: str
    rival_kbps: float
    remark: str = ""

    @property
    def ratio(self) -> float:
        return math.nan if self.remark else self.kbps / self.rival_kbps


@dataclass(frozen=True)
class Distance:
    """BD-rate of a family's hull against the anchor's, per cent.  clips: by name, NaN where there
    is none; remarks say why.  over: all clips, None for fewer than two or where one has none."""

    size: int
    metric: str
    region: str
    anchor: str
    test: str
    clips: Mapping[str, float]
    remarks: tuple[str, ...]
    over: Interval | None


@dataclass(frozen=True)
class Payback:
    """The avatar's download against what it saves.  archive: bytes.  seconds: of call until it is
    paid back, infinite where it never is.  amortised: kbit/s by length of call.  remark: of the
    row of equal quality that it comes from."""

    clip: str
    size: int
    point: str
    kbps: float
    archive: int
    rival: str
    rival_kbps: float
    seconds: float
    amortised: Mapping[str, float]
    remark: str = ""


def boards(records: Iterable[Record], metric: str, region: str = "whole") -> list[Board]:
    """One a clip and size that has a figure."""
    known = metrics()
    rising = known[metric].rising if metric in known else True
    groups: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        if record.state == OK and record.figure(metric, region) is not None:
            groups.setdefault((record.clip, record.size), []).append(record)
    return [
        _board(clip, size, metric, region, rising, group)
        for (clip, size), group in sorted(groups.items())
    ]


def equal_quality(board: Board, ours: str, rivals: Sequence[str] = ()) -> list[Equal]:
    """Each point of our hull against each rival's hull (none named: all others)."""
    rows = []
    for rival in rivals or [name for name in board.hulls if name != ours]:
        if ours not in board.hulls or rival not in board.hulls:
            continue
        hull = board.hulls[rival]
        for point in board.hulls[ours].points:
            kbps, remark = _at(hull, point.quality)
            rows.append(
                Equal(
                    board.clip, board.size, point.label, point.rate, point.quality, rival, kbps,
                    remark,
                )
            )  # fmt: skip
    return rows


def distances(
    found: Sequence[Board], anchor: str, generator: np.random.Generator
) -> list[Distance]:
    """Every other family against the anchor, for boards of one metric, region and size."""
    if not found:
        return []
    if len({(b.size, b.metric, b.region) for b in found}) > 1:
        raise InputError("boards of several metrics have no one distance", "Give one metric's.")
    tests = sorted({name for board in found for name in board.hulls} - {anchor})
    return [_distance(found, anchor, test, generator) for test in tests]


def paybacks(
    records: Sequence[Record], rows: Sequence[Equal], ours: str = "avatar"
) -> list[Payback]:
    """For rows of equal quality in which the rival reaches it, or cannot do with less."""
    archives = {(r.clip, r.size): r.archive for r in records if r.family == ours and r.archive > 0}
    found = []
    for row in rows:
        archive = archives.get((row.clip, row.size), 0)
        if not archive or not math.isfinite(row.rival_kbps):
            continue
        kbit, saved = archive * 8e-3, row.rival_kbps - row.kbps
        found.append(
            Payback(
                row.clip, row.size, row.point, row.kbps, archive, row.rival, row.rival_kbps,
                kbit / saved if saved > 0 else math.inf,
                {name: row.kbps + kbit / seconds for name, seconds in CALLS.items()},
                row.remark,
            )
        )  # fmt: skip
    return found


def _board(
    clip: str, size: int, metric: str, region: str, rising: bool, group: Sequence[Record]
) -> Board:
    points: dict[str, list[Point]] = {}
    families: dict[str, str] = {}
    titles: dict[str, str] = {}
    stills: dict[str, float] = {}
    for record in group:
        quality = record.figure(metric, region)
        assert quality is not None
        if not record.counts:
            stills[record.title] = quality
            continue
        label = f"{record.codec} {record.point:g}"
        points.setdefault(record.codec, []).append(Point(record.kbps, quality, label))
        families[record.codec] = record.family
        if record.codec == record.family or record.family not in titles:
            titles[record.family] = record.title
    curves = {name: Curve(name, tuple(found), rising) for name, found in points.items()}
    hulls = {
        family: upper_hull([c for name, c in curves.items() if families[name] == family], family)
        for family in dict.fromkeys(families.values())
    }
    return Board(clip, size, metric, region, rising, curves, families, titles, hulls, stills)


def _at(hull: Curve, quality: float) -> tuple[float, str]:
    """(kbit/s at which a hull has this quality, remark)."""
    sign = 1.0 if hull.rising else -1.0
    first, last = hull.points[0], hull.points[-1]
    if sign * quality < sign * first.quality:
        return first.rate, f"no cheaper point, and this one is better ({first.quality:.3g})"
    if sign * quality > sign * last.quality:
        return math.nan, f"not reached up to {last.rate:.1f} kbit/s ({last.quality:.3g})"
    if len(hull.points) == 1:
        return first.rate, ""
    return rate_at(hull, quality), ""


def _distance(
    found: Sequence[Board], anchor: str, test: str, generator: np.random.Generator
) -> Distance:
    values: dict[str, float] = {}
    remarks: list[str] = []
    for board in found:
        values[board.clip] = math.nan
        if anchor not in board.hulls or test not in board.hulls:
            remarks.append(f"{board.clip}: not measured")
            continue
        try:
            difference = bd_rate(board.hulls[anchor], board.hulls[test])
        except ExtrapolationError:
            remarks.append(f"{board.clip}: {_apart(board, anchor, test)}")
            continue
        except InputError as error:
            remarks.append(f"{board.clip}: {error.message}")
            continue
        values[board.clip] = difference.value
        if difference.warnings:
            remarks.append(f"{board.clip}: overlap {difference.overlap:.0%}")
    first = found[0]
    figures = list(values.values())
    over = interval(figures, generator) if len(figures) > 1 and np.isfinite(figures).all() else None
    return Distance(
        first.size, first.metric, first.region, anchor, test, values, tuple(remarks), over
    )


def _apart(board: Board, anchor: str, test: str) -> str:
    """Two hulls that share no quality: which lies above."""
    sign = 1.0 if board.rising else -1.0
    best = {name: sign * board.hulls[name].points[-1].quality for name in (anchor, test)}
    above, below = (test, anchor) if best[test] > best[anchor] else (anchor, test)
    return f"all of {above} lies above all of {below}: no distance"
