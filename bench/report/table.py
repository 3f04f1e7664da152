"""A table once, as HTML, LaTeX, CSV and Markdown."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_LATEX = {
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
    "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """columns: heading -> format of its numbers ("" for words).  rows: one value a column; None
    and NaN are shown as a dash.  name: of its files."""

    name: str
    title: str
    columns: Mapping[str, str]
    rows: Sequence[Sequence[Any]]
    notes: Sequence[str] = field(default_factory=tuple)

    def cells(self) -> list[list[str]]:
        """What is shown."""
        formats = list(self.columns.values())
        return [
            [shown(value, form) for value, form in zip(row, formats, strict=True)]
            for row in self.rows
        ]

    def html(self) -> str:
        kinds = ["n" if form else "w" for form in self.columns.values()]
        heads = "".join(
            f'<th class="{kind}">{html.escape(name)}</th>'
            for kind, name in zip(kinds, self.columns, strict=True)
        )
        body = "\n".join(
            "<tr>"
            + "".join(
                f'<td class="{kind}">{html.escape(cell)}</td>'
                for cell, kind in zip(row, kinds, strict=True)
            )
            + "</tr>"
            for row in self.cells()
        )
        notes = "".join(f"<p class=note>{html.escape(note)}</p>" for note in self.notes)
        caption = f"<h3 id={self.name}>{html.escape(self.title)}</h3>"
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody></table>"
        return f"{caption}<div class=wide>{table}</div>{notes}"

    def latex(self) -> str:
        """With booktabs."""
        kinds = "".join("r" if form else "l" for form in self.columns.values())
        lines = [
            r"\begin{table}", r"\centering", rf"\caption{{{_tex(self.title)}}}",
            rf"\label{{tab:{self.name}}}", rf"\begin{{tabular}}{{{kinds}}}", r"\toprule",
            " & ".join(map(_tex, self.columns)) + r" \\", r"\midrule",
        ]  # fmt: skip
        lines += [" & ".join(map(_tex, row)) + r" \\" for row in self.cells()]
        lines += [r"\bottomrule", r"\end{tabular}"]
        lines += [rf"\par\footnotesize {_tex(note)}" for note in self.notes]
        return "\n".join([*lines, r"\end{table}", ""])

    def markdown(self) -> str:
        kinds = ["--:" if form else "---" for form in self.columns.values()]
        rows = [list(self.columns), kinds, *self.cells()]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        return "\n".join([f"### {self.title}", "", *lines, "", *self.notes, ""])

    def csv(self) -> str:
        """With all digits."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([["" if value is None else value for value in row] for row in self.rows])
        return text.getvalue()


def shown(value: Any, form: str) -> str:
    """A cell's text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float) and math.isinf(value):
        return "never"
    return format(value, form) if form else str(value)


def _tex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
