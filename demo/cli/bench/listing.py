"""facewire bench list"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

HELP = "codecs and metrics: available here, or what is missing"
EXAMPLE = "facewire bench list"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for a program to read")


def run(arguments: argparse.Namespace) -> None:
    rows = _rows()
    if arguments.json:
        json.dump(rows, sys.stdout, indent=2)
        print()
        return
    wide = max(len(row["name"]) for row in rows)
    for kind in ("codec", "metric"):
        print(f"{kind}s")
        for row in rows:
            if row["kind"] == kind:
                state = row["missing"] or "available"
                print(f"  {row['name']:<{wide}}  {state:<40}  {row['note']}".rstrip())


def _rows() -> list[dict[str, Any]]:
    """One a codec and metric; missing: "" where it can be had here."""
    from bench.codecs import codecs
    from bench.metrics.registry import metrics

    found: list[dict[str, Any]] = [
        {
            "kind": "codec",
            "name": codec.name,
            "missing": codec.missing(),
            "note": codec.title,
            "points": list(codec.points),
        }
        for codec in codecs().values()
    ]
    found += [
        {
            "kind": "metric",
            "name": metric.name,
            "missing": metric.missing(),
            "note": metric.source,
            "unit": metric.unit,
            "rising": metric.rising,
        }
        for metric in metrics().values()
    ]
    return found
