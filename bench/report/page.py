"""The page that a report opens with: one file that needs nothing but the pictures beside it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from bench.report.table import Table
from bench.report.videos import SideBySide

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
h1 { font-size: 1.7rem; margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd;
  padding-bottom: .2rem; } h3 { margin: 1.6rem 0 .4rem; font-size: 1.02rem; }
nav a { margin-right: 1rem; } .note, .sub { color: #555; font-size: .87rem; margin: .2rem 0; }
.wide { overflow: auto; max-height: 34rem; width: fit-content; max-width: 100%;
  border: 1px solid #ddd; }
td:nth-child(-n+3) { white-space: nowrap; }
table { border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; }
th { position: sticky; top: 0; background: #f2f2f2; text-align: left; padding: .3rem .55rem; }
td { padding: .22rem .55rem; border-top: 1px solid #eee; } .n { text-align: right; }
td.n { white-space: nowrap; }
.curves { display: flex; flex-wrap: wrap; gap: .5rem 2rem; align-items: end; }
.curves figure { margin: .5rem 0; max-width: 100%; } .curves img { max-width: 100%; height: auto; }
details { margin: 1rem 0; } summary { cursor: pointer; }
figure { margin: 1rem 0; } video { width: 100%; height: auto; background: #000; }
figcaption { font-size: .85rem; color: #555; display: flex; }
figcaption span { flex: 1; text-align: center; padding: .2rem; }
"""


OPEN = 8  # figures that are seen without asking for more


def page(
    title: str,
    asked: Mapping[str, Any],
    figures: Sequence[tuple[str, str]],  # (caption, file)
    tables: Sequence[Table],
    videos: Sequence[SideBySide],
    remarks: Sequence[str] = (),
) -> str:
    """HTML."""
    parts = [f"<h1>{html.escape(title)}</h1>"]
    parts += [f"<p class=sub>{html.escape(text)}</p>" for text in about(asked)]
    parts.append(
        "<nav><a href=#curves>Curves</a><a href=#tables>Tables</a>"
        + ("<a href=#videos>Side by side</a>" if videos else "")
        + '<a href="results.csv">CSV</a><a href="results.json">JSON</a></nav>'
    )
    parts += [f"<p class=note>{html.escape(text)}</p>" for text in remarks]
    parts.append("<h2 id=curves>Curves</h2>")
    parts.append(
        "<p class=note>Lines are convex hulls over all sizes and frame rates of a codec, faint "
        "marks the points measured; dotted lines are pictures that do not move.</p>"
    )
    shown = [_figure(*one) for one in figures]
    parts.append(f"<div class=curves>{''.join(shown[:OPEN])}</div>")
    if shown[OPEN:]:
        parts.append(
            f"<details><summary>{len(shown) - OPEN} more: other metrics, mouth and eyes</summary>"
            f"<div class=curves>{''.join(shown[OPEN:])}</div></details>"
        )
    if videos:
        parts.append("<h2 id=videos>Side by side</h2>")
        parts.append("<p class=note>Coded once more for the browser; no figure comes from it.</p>")
    for video in videos:
        labels = "".join(f"<span>{html.escape(label)}</span>" for label in video.panels)
        parts.append(
            f"<h3>{html.escape(video.clip)}, {video.size}x{video.size}</h3><figure>"
            f'<video src="videos/{html.escape(video.file)}" controls loop muted preload=metadata>'
            f"</video><figcaption>{labels}</figcaption></figure>"
        )
    parts.append("<h2 id=tables>Tables</h2>")
    parts += [table.html() for table in tables]
    body = "\n".join(parts)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style>\n{body}\n</html>"
    )


def _figure(caption: str, file: str) -> str:
    pdf = file.replace(".svg", ".pdf")
    return (
        f'<figure><img src="figures/{html.escape(file)}" alt="{html.escape(caption)}" loading=lazy>'
        f'<p class=note>{html.escape(caption)} (<a href="figures/{html.escape(pdf)}">PDF</a>)</p>'
        "</figure>"
    )


def about(asked: Mapping[str, Any]) -> list[str]:
    """What was judged, in sentences."""
    clips = ", ".join(asked.get("clips", []))
    settings = asked.get("settings", {})
    footage = settings.get("footage", {})
    said = []
    if clips:
        said.append(f"Clips: {clips}.")
    if footage:
        held = {"none": "all of the file (cut before)", "10s": "the last 10 s"}
        what = held.get(footage["hold_out"], footage["hold_out"])
        said.append(f"Judged: {what}, at {footage['fps']:g} frames a second.")
    if settings.get("quick"):
        said.append("A quick run: 2 s a clip. Rates of so short a clip compare nothing.")
    return said
