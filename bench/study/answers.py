"""The files of answers that people hand in, as arrays."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FormatError, InputError
from bench.study.pages import SCALE

_COLUMNS = ["subject", "kind", "a", "b", "answer", "ms"]


def read_ratings(
    paths: Sequence[Path], videos: Sequence[str]
) -> tuple[list[str], NDArray[np.float64]]:
    """Subjects, and their ratings [S, V] in the order of `videos`, NaN where there is none.

    Raises FormatError for a file that is none of ours, InputError where nobody rated anything.
    """
    rows = [row for path in paths for row in _rows(path) if row["kind"] == "opinion"]
    subjects = list(dict.fromkeys(row["subject"] for row in rows))
    if not subjects:
        raise InputError("nobody rated a video", "Give the files that opinion.html saved.")
    ratings = np.full((len(subjects), len(videos)), np.nan)
    column = {name: v for v, name in enumerate(videos)}
    for row in rows:
        if row["a"] not in column or row["answer"] not in _SCORES:
            raise FormatError(
                f"{row['subject']} rated {row['a']} with {row['answer']!r}: not of this study",
                "Give the answers to these very pages.",
            )
        ratings[subjects.index(row["subject"]), column[row["a"]]] = float(row["answer"])
    return subjects, ratings


def read_choices(paths: Sequence[Path], videos: Sequence[str]) -> NDArray[np.float64]:
    """[V, V] how often the row was preferred to the column."""
    wins = np.zeros((len(videos), len(videos)))
    column = {name: v for v, name in enumerate(videos)}
    for path in paths:
        for row in _rows(path):
            if row["kind"] != "choice":
                continue
            pair = {row["a"], row["b"]}
            if row["answer"] not in pair or not pair <= set(column):
                raise FormatError(
                    f"{path.name}: {row['answer']!r} is no answer to {row['a']} or {row['b']}",
                    "Give the answers to these very pages.",
                )
            (other,) = pair - {row["answer"]}
            wins[column[row["answer"]], column[other]] += 1
    return wins


_SCORES = {str(score + 1) for score in range(len(SCALE))}


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            if reader.fieldnames != _COLUMNS:
                raise ValueError(f"its columns are {reader.fieldnames}")
            return list(reader)
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{path.name} is no file of answers: {error}", "Give the files that the pages saved."
        ) from None
