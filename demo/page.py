"""The demo's result as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape

from demo.figures import HEADINGS, Row


@dataclass(frozen=True)
class Still:
    """A picture under a line of text.  png: the file's bytes."""

    caption: str
    png: bytes


_STYLE = """
:root { color-scheme: light dark; --text: #1c1d1f; --faint: #62666c; --ground: #fbfbfa;
  --line: #d9dadc; --strong: #eef0f2; }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8e6; --faint: #9ba0a6;
  --ground: #161718; --line: #34373a; --strong: #202224; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 17px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 20px 64px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 8px; font-weight: 650; }
h2 { font-size: 20px; margin: 44px 0 12px; font-weight: 620; }
p { max-width: 68ch; margin: 0 0 14px; }
.faint, figcaption { color: var(--faint); font-size: 15px; }
video, img { display: block; width: 100%; height: auto; border-radius: 6px; background: #000; }
figure { margin: 0; }
figcaption { padding-top: 6px; }
.stills { display: grid; gap: 20px; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 15px; }
th, td { text-align: right; padding: 8px 12px; border-bottom: 1px solid var(--line);
  white-space: nowrap; font-variant-numeric: tabular-nums; }
th { font-weight: 600; border-bottom-width: 2px; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
td:nth-child(2) { color: var(--faint); }
tr.ours td { background: var(--strong); font-weight: 600; }
pre { background: var(--strong); padding: 14px 16px; border-radius: 6px; overflow-x: auto;
  font: 14px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
"""


def page(
    video: bytes, stills: list[Still], rows: list[Row], commands: list[str], remarks: list[str]
) -> str:
    """The page.  video: an .mp4; rows: ours first."""
    body = "\n".join(
        [
            "<h1>A call that sends a face, not a video</h1>",
            *(f"<p>{escape(remark)}</p>" for remark in remarks[:1]),
            "<figure>",
            '<video controls autoplay loop muted playsinline src="data:video/mp4;base64,'
            f'{_base64(video)}"></video>',
            "<figcaption>The same frames, which no avatar had seen before: as filmed, as rendered "
            "from the stream, and as two classic codecs show them at their lowest rates."
            "</figcaption>",
            "</figure>",
            "<h2>Figures</h2>",
            _table(rows),
            *(f'<p class="faint">{escape(remark)}</p>' for remark in remarks[1:]),
            "<h2>One frame, at several sizes</h2>",
            '<div class="stills">',
            *(_still(still) for still in stills),
            "</div>",
            "<h2>How to do it again</h2>",
            f"<pre>{escape(chr(10).join(commands))}</pre>",
        ]
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Facewire demo</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _table(rows: list[Row]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    lines = []
    for index, row in enumerate(rows):
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
        lines.append(f'<tr class="ours">{cells}</tr>' if index == 0 else f"<tr>{cells}</tr>")
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _still(still: Still) -> str:
    return (
        f'<figure><img alt="{escape(still.caption)}" '
        f'src="data:image/png;base64,{_base64(still.png)}">'
        f"<figcaption>{escape(still.caption)}</figcaption></figure>"
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
