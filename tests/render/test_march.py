"""The head's kernel for a GPU against its twin, by triton's interpreter: without a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import util

import pytest

COMPARED = """
import torch
from render.march import march as twin
from render.march_gpu import march as kernel

torch.manual_seed(0)
for shared, kind, channels, mixed in ((False, torch.float16, 16, 8), (True, torch.float32, 6, 3)):
    count = 1 if shared else 2
    grids = [torch.randn(2, 3, 4, 5, 3) * 0.1, torch.randn(count, 4, 6, 5, 4).to(kind) * 3.0]
    for height, width in ((9, 11), (5, 7), (6, 8)):
        grids.append(torch.randn(count, height, width, channels).to(kind))
    grids.append(torch.randn(2, 7, 6, mixed))
    start, along = torch.randn(2, 3), torch.randn(2, 150, 3)
    edges = torch.rand(2, 150, 9).cumsum(-1) * 0.3
    edges[0, :100] = 0.7  # rays that miss the box
    ours, theirs = (by(grids, start, along, edges, 30.0) for by in (kernel, twin))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert ours[0, :100].abs().max() == 0.0 and ours[..., -1].max() > 0.9
"""


@pytest.mark.skipif(util.find_spec("triton") is None, reason="triton is not installed")
def test_the_kernel_is_its_twin() -> None:
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    subprocess.run([sys.executable, "-c", COMPARED], env=environment, check=True)
