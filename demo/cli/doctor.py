"""facewire doctor"""

from __future__ import annotations

import argparse

HELP = "say what is installed, which paths are fast, what is missing and how to get it"
EXAMPLE = "facewire doctor"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(arguments: argparse.Namespace) -> None:
    from demo.doctor import main

    main()
