"""What a study says: each video's score, and how well each metric agrees with people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avatar.errors import InputError
from bench.report.table import Table
from bench.results import Record
from bench.study.agreement import Agreement, agreement
from bench.study.answers import read_choices, read_ratings
from bench.study.choices import bradley_terry
from bench.study.opinions import mean_opinions
from bench.study.stimuli import Stimulus, record_of


def analyse(
    stimuli: Sequence[Stimulus], records: Sequence[Record], answers: Sequence[Path]
) -> list[Table]:
    """Tables of scores and of agreement.  Raises InputError where nobody answered."""
    names = [one.name for one in stimuli]
    subjects, ratings = read_ratings(answers, names)
    opinions = mean_opinions(ratings)
    wins = read_choices(answers, names)
    strength = np.full(len(names), math.nan)
    remark = ""
    if wins.any():
        rows = np.flatnonzero(wins.sum(axis=0) + wins.sum(axis=1))
        try:
            strength[rows] = bradley_terry(wins[np.ix_(rows, rows)])
        except InputError as error:
            remark = f"Choices give no scores: {error.message}."
    out = [subject for subject, kept in zip(subjects, opinions.kept, strict=True) if not kept]
    notes = [
        f"{len(subjects)} subjects, {len(out)} rejected{': ' + ', '.join(out) if out else ''}; "
        f"{int((~opinions.agreed).sum())} videos set aside. 0..100, with half of the 95 % interval."
    ]
    notes += [remark] if remark else []
    scores = [
        [one.clip, one.size, one.codec, one.point, score, error, choice]
        for one, score, error, choice in zip(
            stimuli, opinions.score, opinions.error, strength, strict=True
        )
    ]
    columns = {"clip": "", "size": "d", "codec": "", "point": "g", "opinion": ".1f", "+-": ".1f"}
    found = [
        Table("opinions", "What people said", columns | {"choices": ".2f"}, scores, notes),
        agreement_table(stimuli, records, opinions.score),
    ]
    return found


def agreement_table(
    stimuli: Sequence[Stimulus], records: Sequence[Record], scores: np.ndarray
) -> Table:
    """Every metric and region with figures, the best agreement first."""
    matched = [record_of(one, records) for one in stimuli]
    pairs = dict.fromkeys(
        (f.metric, f.region) for r in matched if r for f in r.figures if not f.needs
    )
    rows: list[Agreement] = []
    left_out = []
    for metric, region in pairs:
        name = metric if region == "whole" else f"{metric} {region}"
        figures = [r.figure(metric, region) if r else None for r in matched]
        values = np.array([math.nan if f is None else f for f in figures])
        try:
            rows.append(agreement(name, values, scores))
        except InputError as error:
            left_out.append(error.message)
    rows.sort(key=lambda row: -row.plcc)
    columns = {"metric": "", "PLCC": ".3f", "SRCC": ".3f", "KRCC": ".3f", "RMSE": ".2f"}
    return Table(
        "agreement", "Agreement of metrics with people", columns | {"videos": "d"},
        [[r.metric, r.plcc, r.srcc, r.krcc, r.rmse, r.videos] for r in rows],
        ("PLCC and RMSE after the logistic function of 002, Eq. 6.", *left_out),
    )  # fmt: skip
