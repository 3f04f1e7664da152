"""Progress of long work: a bar with an estimate on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Progress(Protocol):
    def __call__(self, done: float, total: float = 0.0, note: str = "") -> None:
        """So much of the work is done.  total: 0 keeps the last one.  note: a few words."""


@contextmanager
def bar(task: str) -> Iterator[Progress]:
    """A bar named `task` while the block runs."""
    if not sys.stderr.isatty():
        yield lambda done, total=0.0, note="": None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=30),
        progress.TaskProgressColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("of which left:"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[note]}"),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as shown:
        line = shown.add_task(task, total=None, note="")

        def update(done: float, total: float = 0.0, note: str = "") -> None:
            fields: dict[str, Any] = {"note": note} if note else {}
            shown.update(line, completed=done, total=total or None, **fields)

        yield update


def stepping(progress: Progress | None) -> Callable[..., None]:
    """A callable in any case."""
    return progress or (lambda *_, **__: None)


def say(text: str) -> None:
    """A remark for the person at the terminal, apart from the command's output."""
    print(text, file=sys.stderr)
