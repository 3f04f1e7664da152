"""A program that got ready finds nothing left to read when its first picture is due."""

import os
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


# In a child of a program that got ready, numba's threads set how many torch has.
FORKED = """
import os
import torch
from render.side_by_side import alone
from render.start import get_ready
get_ready()
child = os.fork()
if not child:
    alone()
    os._exit(torch.get_num_threads())
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_who_draws_alone_in_a_forked_process_has_one_thread():
    two = os.environ | {"NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    words = [sys.executable, "-c", FORKED]
    ran = subprocess.run(words, env=two, check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "1"
