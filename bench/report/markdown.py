"""The report once more as Markdown, for whoever reads it beside the code: figures and tables that
fit a page, and links to the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report.page import OPEN, about
from bench.report.table import Table

LONGEST = 80  # rows of a table that is shown; longer ones are linked


def markdown(
    title: str,
    asked: Mapping[str, Any],
    figures: Sequence[tuple[str, str]],  # (caption, file)
    tables: Sequence[Table],
) -> str:
    """Markdown; its links lead to the files of `write_report`."""
    lines = [f"# {title}", "", " ".join(about(asked)), ""]
    lines += [
        "Lines are convex hulls over all sizes and frame rates of a codec, faint marks the points "
        "measured; dotted lines are pictures that do not move.  All records: "
        "[CSV](results.csv), [JSON](results.json).",
        "",
    ]
    lines += [f"![{caption}](figures/{file})" for caption, file in figures[:OPEN]]
    rest = [f"[{caption}](figures/{file})" for caption, file in figures[OPEN:]]
    lines += ["", "More: " + ", ".join(rest), ""] if rest else [""]
    for table in tables:
        if len(table.rows) <= LONGEST:
            lines.append(table.markdown())
        else:
            link = f"[{len(table.rows)} rows](tables/{table.name}.csv)"
            lines += [f"### {table.title}", "", link, "", *table.notes, ""]
    return "\n".join(lines).rstrip() + "\n"
