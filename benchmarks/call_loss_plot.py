"""The loss benchmark's table as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.report.figures import COLOURS, plotter, quiet

SHARES = (("exact", "on time"), ("filled", "drawn between"), ("held", "concealed"))


def drawn(rows: dict[str, dict[str, float]], path: Path) -> None:
    """One line a network, from the top; panels for what was shown, its error, its pictures and
    its rate.  The file's ending says its kind."""
    plots = plotter()
    names = list(rows)
    at = np.arange(len(names))
    seen = "fall" in rows[names[0]]
    figure, axes = plots.subplots(1, 3 + seen, figsize=(9.5, 3.6), sharey=True)
    left = np.zeros(len(names))
    for (key, label), colour in zip(SHARES, (COLOURS[2], COLOURS[5], COLOURS[7]), strict=True):
        share = np.array([100 * rows[name][key] for name in names])
        axes[0].barh(at, share, left=left, color=colour, label=label)
        left += share
    axes[0].set_yticks(at, names)
    axes[0].invert_yaxis()
    axes[0].set_xlabel("pictures, %")
    axes[0].set_xlim(0, 100)
    for name, size, filled in (("p95", 5, False), ("mean", 5, True)):
        face = COLOURS[1] if filled else "none"
        label = "mean" if filled else "95th percentile"
        axes[1].plot(
            [rows[n][name] for n in names], at, "o", color=COLOURS[1], mfc=face, ms=size,
            label=label,
        )  # fmt: skip
    axes[1].set_xlabel("state error, steps RMS")
    if seen:
        axes[2].barh(at, [max(0.0, rows[n]["fall"]) for n in names], color=COLOURS[0])
        axes[2].set_xlabel("PSNR lost, dB")
    axes[-1].barh(at, [rows[n]["kbps"] for n in names], color=COLOURS[3])
    axes[-1].set_xlabel("datagrams, kbit/s")
    for axis in axes:
        quiet(axis)
    found = [axis.get_legend_handles_labels() for axis in axes[:2]]
    handles, labels = ([x for pair in found for x in pair[i]] for i in range(2))
    figure.legend(handles, labels, loc="upper center", ncol=5, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.94))
    options: dict[str, Any] = {"metadata": {"Date": None}} if path.suffix == ".svg" else {}
    plots.rcParams["svg.hashsalt"] = path.stem
    plots.rcParams["svg.fonttype"] = "none"
    figure.savefig(path, **options)
    plots.close(figure)
