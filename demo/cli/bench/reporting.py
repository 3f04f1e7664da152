"""facewire bench report"""

from __future__ import annotations

import argparse

from demo.cli.paths import output_folder
from demo.cli.progress import bar

HELP = "a page, figures and tables from results: HTML, CSV, JSON, SVG, PDF and LaTeX"
EXAMPLE = "facewire bench report results -o report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", metavar="RESULTS", help="of facewire bench run")
    parser.add_argument("-o", dest="output", required=True, metavar="REPORT", help="a folder")
    parser.add_argument("--title", default="Rate and fidelity", metavar="TEXT")
    parser.add_argument(
        "--anchor", default="vvc", metavar="FAMILY", help="of the BD-rates; default vvc"
    )
    parser.add_argument(
        "--no-videos", action="store_true", help="no footage: curves and tables only"
    )
    parser.add_argument(
        "--published", action="store_true", help="add the tables of the papers followed here"
    )


def run(arguments: argparse.Namespace) -> None:
    from bench.report.write import write_report
    from bench.results import Results

    results = Results(arguments.results)
    folder = output_folder(arguments.output)
    with bar("Reporting") as progress:
        written = write_report(
            results,
            folder,
            arguments.title,
            arguments.anchor,
            not arguments.no_videos,
            arguments.published,
            progress,
        )
    print(f"{folder / 'index.html'}: {len(written)} files")
