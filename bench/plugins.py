"""Codecs and metrics that other installed packages bring, by Python's entry points."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Any

CODECS = "facewire.codecs"
METRICS = "facewire.metrics"


@dataclass(frozen=True)
class Plugin:
    """name: as its package declares it.  value: what it names, None where loading failed.
    fault: "" or why."""

    name: str
    value: Any
    fault: str = ""


def plugins(group: str, kind: type[Any]) -> list[Plugin]:
    """Every entry point of a group, by name.  One that is broken, or is no `kind`, is listed with
    its fault and spoils no other."""
    found = []
    for entry in sorted(metadata.entry_points(group=group), key=lambda entry: entry.name):
        try:
            value = entry.load()
        except Exception as error:  # a stranger's module may fail in any way
            fault = f"needs its plug-in mended: {type(error).__name__}: {error}"
            found.append(Plugin(entry.name, None, fault))
            continue
        if isinstance(value, kind):
            found.append(Plugin(entry.name, value))
        else:
            fault = f"needs its plug-in mended: {entry.value} is no {kind.__name__}"
            found.append(Plugin(entry.name, None, fault))
    return found
