"""The `facewire` command run as a user runs it, with what it cost."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatar.errors import FacewireError, MissingError


class CommandError(FacewireError):
    """A command that ended with an error; its own words are the message."""


@dataclass(frozen=True)
class Ran:
    """wall, cpu: seconds; cpu is user and system time of the command and its children."""

    output: str
    wall: float
    cpu: float

    @property
    def json(self) -> Any:
        return json.loads(self.output)

    @property
    def cores(self) -> float:
        """How many cores it had on average."""
        return self.cpu / self.wall if self.wall > 0 else 0.0

    @property
    def cost(self) -> str:
        return f"{self.wall:.0f} s, {self.cores:.1f} of {os.cpu_count()} cores"


def facewire(arguments: Sequence[str | Path]) -> Ran:
    """Runs `facewire ARGUMENTS` of this environment.  Raises CommandError where it fails."""
    program = Path(sys.executable).with_name("facewire")
    if not program.exists():
        raise MissingError(f"{program} is not there.", "Install the project: make setup")
    before, start = _children(), time.perf_counter()
    done = subprocess.run(
        [str(program), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    wall, cpu = time.perf_counter() - start, _children() - before
    if done.returncode:
        words = " ".join(map(str, arguments))
        raise CommandError(
            f"facewire {words} ended with exit code {done.returncode}:\n{done.stderr.strip()}"
        )
    return Ran(done.stdout, wall, cpu)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
