"""What libraries print behind Python's back: MediaPipe's notes to its own developers, above all."""

from __future__ import annotations

import faulthandler
import os
import sys


def silence() -> None:
    """From here on only Python writes to standard error; FACEWIRE_CHATTER=1 lets all of it through.

    C++ writes to descriptor 2 and cannot be told otherwise, so that one leads nowhere, and
    Python's `sys.stderr` gets a descriptor of its own to where 2 led before.
    """
    if os.environ.get("FACEWIRE_CHATTER") == "1":
        return
    try:
        kept = os.dup(2)
    except OSError:
        return  # standard error is closed: there is nothing to keep quiet
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(kept, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    # A library that crashes must still be heard.
    faulthandler.enable(sys.stderr)
