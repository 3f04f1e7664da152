"""A program that got ready finds nothing left to read when its first picture is due."""

import subprocess
import sys

import pytest

# Prints what of numba's library sampling a grid had to read.
SAMPLED = """
import sys
import torch
from render import interpolate_cpu
from render.interpolate import plane_samples
from render.start import get_ready
if {ready}:
    get_ready()
before = {{*sys.modules}}
plane_samples(torch.ones(1, 8, 8, 4), torch.zeros(1, 5, 2))
print(*(name for name in {{*sys.modules}} - before if name.startswith(("numba", "scipy"))))
"""


@pytest.mark.parametrize("ready", [True, False])
def test_numba_has_started_before_the_first_picture(ready):
    words = [sys.executable, "-c", SAMPLED.format(ready=ready)]
    read = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert ("scipy.linalg" in read) is not ready  # what takes longest
