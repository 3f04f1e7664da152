"""Energy that the machine says it used: Linux's powercap counters of whole processors (RAPL).

They count everything that ran meanwhile, so that a figure means something only for one job on a
machine without other work.  Where there are no counters, or they may not be read, there is none.
"""

from __future__ import annotations

from pathlib import Path

COUNTERS = Path("/sys/class/powercap")


class Meter:
    """Joules since it was made.  One counter a processor package; what they hold of cores and
    memory is part of it."""

    def __init__(self, counters: Path = COUNTERS) -> None:
        packages = sorted(counters.glob("*-rapl:*")) if counters.is_dir() else []
        self._packages = [one for one in packages if one.name.count(":") == 1]
        self._start = self._read()

    def joules(self) -> float | None:
        """None where the machine does not tell."""
        now = self._read()
        if self._start is None or now is None:
            return None
        spent = 0
        for (before, limit), (after, _) in zip(self._start, now, strict=True):
            spent += after - before if after >= before else after + limit - before
        return spent * 1e-6

    def _read(self) -> list[tuple[int, int]] | None:
        """(microjoules, where the counter begins anew), one a package."""
        try:
            found = [
                (
                    int((one / "energy_uj").read_text()),
                    int((one / "max_energy_range_uj").read_text()),
                )
                for one in self._packages
            ]
        except (OSError, ValueError):
            return None
        return found or None
