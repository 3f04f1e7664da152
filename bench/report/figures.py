"""Rate-quality figures, as SVG for a page and PDF for a paper."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avatar.errors import MissingError
from bench.comparison import Board

# Okabe and Ito's colours, told apart by nearly all eyes; ours is the first, whatever else is shown.
COLOURS = (
    "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F",
)  # fmt: skip
MARKERS = "os^Dv<>P"
OURS = "avatar"
COLUMNS = 3
TICKS = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # kbit/s
_PANEL = (4.1, 3.1)  # inches
_ALONE = (5.6, 3.7)  # of the only panel
_ENTRY, _LINE = 2.6, 0.24  # inches that an entry of the legend takes, and its line


def order(families: Sequence[str]) -> list[str]:
    """Ours first, the rest as they came."""
    return sorted(dict.fromkeys(families), key=lambda name: not name.startswith(OURS))


def rate_quality(boards: Sequence[Board], unit: str = "") -> Any:
    """A matplotlib figure: one panel a clip, a hull and its points for each family, stills as
    dotted lines.  boards: of one metric, region and size, at least one."""
    pyplot = plotter()
    columns = min(COLUMNS, len(boards))
    rows = -(-len(boards) // columns)
    wide, high = _ALONE if len(boards) == 1 else _PANEL
    style = _style(boards)
    figure, axes = pyplot.subplots(rows, columns, squeeze=False)
    for axis, board in zip(axes.flat, boards, strict=False):
        _panel(axis, board, style)
    for axis in axes.flat[len(boards) :]:
        axis.set_visible(False)
    first = boards[0]
    where = f"{first.metric}, {first.region}" + (f" ({unit})" if unit else "")
    for row in axes:
        row[0].set_ylabel(where + ("" if first.rising else "\nless is better"), fontsize=9)
    handles, labels = _legend(axes.flat)
    across = max(1, int(wide * columns / _ENTRY))
    below = _LINE * -(-len(labels) // across) + 0.1
    figure.set_size_inches(wide * columns, high * rows + below)
    figure.legend(
        handles, labels, loc="lower center", ncol=min(across, len(labels)), frameon=False,
        fontsize=8,
    )  # fmt: skip
    figure.tight_layout(rect=(0, below / figure.get_figheight(), 1, 1))
    return figure


def save(figure: Any, folder: Path, name: str) -> list[str]:
    """Writes NAME.svg and NAME.pdf, the same bytes for the same figure; returns the names."""
    pyplot = plotter()
    pyplot.rcParams["svg.hashsalt"] = name
    pyplot.rcParams["pdf.fonttype"] = 42  # real text, as journals ask
    pyplot.rcParams["svg.fonttype"] = "none"
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})
    pyplot.close(figure)
    return [f"{name}.svg", f"{name}.pdf"]


def png(figure: Any) -> bytes:
    """The figure as a PNG, for a screen."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    plotter().close(figure)
    return out.getvalue()


def _style(boards: Sequence[Board]) -> dict[str, tuple[str, str]]:
    """Colour and marker by family, the same for all panels.  The first colour is ours alone;
    where others come again, their markers do not."""
    first, *rest = order([name for board in boards for name in board.hulls])
    style = {first: (COLOURS[0], MARKERS[0])}
    for i, name in enumerate(rest):
        lap, colour = divmod(i, len(COLOURS) - 1)
        style[name] = (COLOURS[colour + 1], MARKERS[(colour + 1 + lap) % len(MARKERS)])
    return style


def _panel(axis: Any, board: Board, style: dict[str, tuple[str, str]]) -> None:
    axis.set_title(f"{board.clip}, {board.size}x{board.size}", fontsize=10)
    for name in style:
        if name not in board.hulls:
            continue
        colour, marker = style[name]
        for codec, curve in board.curves.items():
            if board.families[codec] == name:
                axis.plot(
                    curve.rates, curve.qualities, marker, color=colour, alpha=0.35, markersize=3.5,
                    markeredgewidth=0,
                )  # fmt: skip
        hull = board.hulls[name]
        axis.plot(
            hull.rates, hull.qualities, "-" + marker, color=colour, markersize=4.5, linewidth=1.6,
            label=board.titles[name],
        )  # fmt: skip
    dashes = (":", "--")
    for i, (title, quality) in enumerate(sorted(board.stills.items())):
        axis.axhline(quality, color="#888888", linestyle=dashes[i % 2], linewidth=1, label=title)
    axis.set_xscale("log")
    rates = np.concatenate([curve.rates for curve in board.curves.values()] or [np.ones(1)])
    inside = [t for t in TICKS if rates.min() / 1.3 <= t <= rates.max() * 1.3]
    axis.set_xticks(inside, [f"{t:g}" for t in inside])
    axis.minorticks_off()
    axis.set_xlabel("kbit/s (every byte but the avatar's download)", fontsize=8)
    quiet(axis)


def quiet(axis: Any) -> None:
    """Small ticks, a pale grid behind, no box."""
    axis.tick_params(labelsize=8)
    axis.grid(True, color="#e4e4e4", linewidth=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _legend(axes: Any) -> tuple[list[Any], list[str]]:
    """Each label once."""
    found: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def plotter() -> Any:
    """matplotlib's pyplot, drawing into files.  Raises MissingError."""
    try:
        import matplotlib
    except ImportError:
        raise MissingError(
            "matplotlib, which draws the figures, is not installed.",
            "pip install 'facewire[bench]'",
        ) from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as pyplot

    return pyplot
