"""facewire bench: its actions"""

from __future__ import annotations

import argparse

from demo.cli.bench import listing, reporting, running, studying

HELP = "compare codecs on the same frames: run them, report, ask people; list what is available"
EXAMPLE = "facewire bench list"

ACTIONS = {"list": listing, "run": running, "report": reporting, "study": studying}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    for name, module in ACTIONS.items():
        action = actions.add_parser(
            name,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(action)


def run(arguments: argparse.Namespace) -> None:
    ACTIONS[arguments.action].run(arguments)
