"""A report's folder: the page, figures for a paper, tables as LaTeX and CSV, all records."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from avatar.errors import InputError
from avatar.storage import write_whole
from bench.metrics.registry import metrics
from bench.report.figures import rate_quality, save
from bench.report.markdown import markdown
from bench.report.page import page
from bench.report.published import published_beside
from bench.report.tables import all_tables, shown_boards
from bench.report.videos import side_by_side
from bench.results import OK, Record, Results

Progress = Callable[[float, float, str], None]


def write_report(
    results: Results,
    folder: Path,
    title: str = "Rate and fidelity",
    anchor: str = "vvc",
    videos: bool = True,
    published: bool = False,
    progress: Progress = lambda done, total, note: None,
) -> list[str]:
    """Writes the report and returns the names of its files.  published: with the papers' own
    tables at the end, our rows in them.  Raises InputError where nothing was measured."""
    records = list(results)
    if not any(record.state == OK for record in records):
        raise InputError(
            f"{results.folder}: no point was measured", "Look into its log folder, and run again."
        )
    folder.mkdir(parents=True, exist_ok=True)
    known = metrics()
    drawn, written = [], []
    figures = shown_boards(records)
    for index, (metric, region, size, boards) in enumerate(figures):
        progress(index, len(figures) + 1, f"{metric} {region}")
        unit = known[metric].unit if metric in known else ""
        name = f"{metric}-{region}-{size}".lower()
        files = save(rate_quality(boards, unit), folder / "figures", name)
        drawn.append((f"{metric}, {region}, {size}x{size}", files[0]))
        written += [f"figures/{file}" for file in files]
    tables = all_tables(records, anchor) + (published_beside(records) if published else [])
    (folder / "tables").mkdir(exist_ok=True)
    for table in tables:
        for ending, text in (("tex", table.latex()), ("csv", table.csv())):
            write_whole(folder / "tables" / f"{table.name}.{ending}", text.encode())
            written.append(f"tables/{table.name}.{ending}")
    progress(len(figures), len(figures) + 1, "side by side")
    shown = side_by_side(results, records, folder / "videos") if videos else []
    written += [f"videos/{video.file}" for video in shown]
    texts = {
        "results.csv": to_csv(records),
        "results.json": json.dumps([r.values() for r in records], indent=1),
        "index.html": page(title, results.asked, drawn, tables, shown),
        "report.md": markdown(title, results.asked, drawn, tables),
    }
    for name, text in texts.items():
        write_whole(folder / name, text.encode())
        written.append(name)
    progress(1, 1, "")
    return written


def to_csv(records: Sequence[Record]) -> str:
    """One line a point, one column a figure, empty where it was not measured."""
    import csv
    import io

    rows = [record.row() for record in records]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
