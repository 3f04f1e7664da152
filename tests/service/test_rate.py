"""A wished rate is kept to the byte, by the file that is written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from bench.made_states import SMALL, header, person, talking
from service.rate import period, within
from service.sender import PACKETS, write_stream


def test_the_file_is_no_larger_than_was_wished(tmp_path: Path) -> None:
    """Wishes that are just met and just missed: the trial has to count what the file will."""
    states, statistics = talking(120, SMALL), person(SMALL)
    seconds = 1e-6 * (int(states.time[-1] - states.time[0]) + period(states))
    path, sizes = tmp_path / "call.fw", []
    for kbps in np.linspace(0.99, 1.25, 25):
        head, warnings = within(float(kbps), states, statistics, header(SMALL), PACKETS)
        write_stream(path, states, SimpleNamespace(statistics=statistics), head)
        sizes.append(path.stat().st_size)
        assert warnings or 8e-3 * sizes[-1] / seconds <= kbps
        assert not warnings or kbps < 1.05
    assert sizes[-1] > 1.2 * sizes[0] and len(set(sizes)) > 10
