"""facewire demo"""

from __future__ import annotations

import argparse

from demo.cli.paths import output_folder
from demo.cli.progress import bar

HELP = "the whole way on a sample that needs no file: enrol, code, render, compare"
EXAMPLE = "facewire demo -o demo-out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", dest="output", default="demo-out", metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--fast", action="store_true", help="small and rough: shows that it runs, not how it looks"
    )


def run(arguments: argparse.Namespace) -> None:
    folder = output_folder(arguments.output)
    from demo.figures import table
    from demo.run import FAST, FULL, run_demo

    rows = run_demo(folder, FAST if arguments.fast else FULL, bar)
    print(table(rows))
    print(f"\nLook at {folder / 'index.html'} and {folder / 'compare.mp4'}")
