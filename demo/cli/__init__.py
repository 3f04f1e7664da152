"""The `facewire` command.  One file a command; each imports what it needs when it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from avatar.errors import FacewireError
from demo.cli.chatter import silence
from demo.cli.missing import as_missing
from demo.cli.parser import make_parser, with_angles

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code (those of `avatar.errors`, 130 after Ctrl-C).

    argv: None where this is the process's own command, which then also keeps libraries quiet.
    """
    if argv is None:
        silence()
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = make_parser().parse_args(with_angles(words))
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except FacewireError as error:
        return _fail(error)
    except ImportError as error:
        missing = as_missing(error)
        if missing is None:
            raise
        return _fail(missing)
    except KeyboardInterrupt:
        print("facewire: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; nobody is left to tell.
        sys.stderr.close()
        return 1
    return 0


def _fail(error: FacewireError) -> int:
    print(f"facewire: {error.message}", file=sys.stderr)
    if error.cure:
        print(error.cure, file=sys.stderr)
    return error.exit_code
