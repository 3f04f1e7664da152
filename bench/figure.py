"""A published figure: what was promised, what was measured, and whether it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Figure:
    """target: the bound, None for what is only printed beside the others.  sense: on which side
    of it the measurement must lie.  note: the setting, or what else belongs to the row."""

    name: str
    what: str
    measured: float
    unit: str
    target: float | None = None
    sense: Literal["at least", "at most"] = "at least"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """None where nothing was promised.  A figure that could not be measured is not met."""
        if self.target is None:
            return None
        if not math.isfinite(self.measured):
            return False
        above = self.measured >= self.target
        return above if self.sense == "at least" else self.measured <= self.target

    def values(self) -> dict[str, Any]:
        """JSON values; a measurement that is not finite becomes None."""
        measured = self.measured if math.isfinite(self.measured) else None
        return asdict(self) | {"measured": measured, "met": self.met}


def table(figures: Sequence[Figure]) -> Any:
    """A rich table of them."""
    from rich.table import Table

    drawn = Table("figure", "what", "reach", "measured", "met", "note")
    for f in figures:
        bound = "" if f.target is None else f"{f.sense} {f.target:g} {f.unit}"
        met = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[f.met]
        drawn.add_row(f.name, f.what, bound, f"{f.measured:.4g} {f.unit}", met, f.note)
    return drawn
