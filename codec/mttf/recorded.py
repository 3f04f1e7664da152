"""A step of training as a CUDA graph: thousands of launches recorded once, and started as one.

A small network's step on a GPU is launches and little else: the processor that starts them is what
it waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codec.mttf.backend import torch

Tensor = Any
_WARM_UPS = 3  # what allocates or chooses at first use has done so by then


class Recorded:
    """`work` on tensors of fixed shapes, which takes nothing from the host and looks at no value.

    Warming up is work, too: the first call's is done a few times.  What a call returns is
    overwritten by the next one.
    """

    def __init__(self, work: Callable[..., Any], given: tuple[Tensor, ...]) -> None:
        # A graph knows addresses alone: what `work` holds has to live as long as it does.
        self._work = work
        self._given = [x.clone() for x in given]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                work(*self._given)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=aside):
            self._made = work(*self._given)

    def __call__(self, *given: Tensor) -> Any:
        for kept, new in zip(self._given, given, strict=True):
            kept.copy_(new)
        self._graph.replay()
        return self._made
