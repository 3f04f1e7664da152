"""A CUDA graph: hundreds of launches recorded once, and started as one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_WARM_UPS = 3  # what compiles or allocates at first use has done so by then


class Replayed:
    """`function` of one tensor, of fixed shapes and without a look at any value, recorded.

    What a call returns is overwritten by the next one.  Only where the tensor is on a GPU.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], example: Tensor) -> None:
        # A graph knows addresses alone: what the function holds has to live as long as it does.
        self._function = function
        self._input = example.clone()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside), torch.no_grad():
            for _ in range(_WARM_UPS):
                function(self._input)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        # On the same stream: tinycudann keeps memory for each, and must not ask for more while
        # recording.
        with torch.cuda.graph(self._graph, stream=aside), torch.no_grad():
            self._output = function(self._input)

    def __call__(self, values: Tensor) -> Tensor:
        self._input.copy_(values)
        self._graph.replay()
        return self._output
