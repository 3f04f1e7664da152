"""A step's forward and backward pass as one CUDA graph: a step is hundreds of small kernels, and
to launch each takes longer than to run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Loss = Callable[..., tuple[Tensor, dict[str, Tensor]]]
_WARM_UPS = 3
_APART = 0.05  # share by which gradients may differ: sums in another order, products in bfloat16


class Recorded:
    """`loss` of tensors of fixed shapes, with its gradients; nothing in it may look at a value.

    inputs: as an example; the first one gets a gradient.  parameters: what else does.  What a call
    returns, and the gradients that it leaves in the parameters, are overwritten by the next one.
    """

    def __init__(self, loss: Loss, parameters: Sequence[Tensor], inputs: Sequence[Tensor]) -> None:
        self._loss, self._parameters = loss, parameters
        self._inputs = [value.detach().clone() for value in inputs]
        self._inputs[0].requires_grad_()
        self._clear()
        self._replay, self._parts = captured(self._pass, self._clear)
        self._gradients = [value.grad for value in (*parameters, self._inputs[0])]

    def __call__(self, inputs: Sequence[Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """The loss's parts and the first input's gradient; the parameters have theirs."""
        with torch.no_grad():
            for ours, value in zip(self._inputs, inputs, strict=True):
                ours.copy_(value)
        self._replay()
        for parameter, gradient in zip(self._parameters, self._gradients):
            parameter.grad = gradient
        gradient = self._gradients[-1]
        assert gradient is not None
        return self._parts, gradient

    def check(self, inputs: Sequence[Tensor]) -> None:
        """Raises RuntimeError where other inputs have not the gradients that they have without."""
        _, first = self(inputs)
        ours = [None if p.grad is None else p.grad.clone() for p in self._parameters]
        ours.append(first.clone())
        self._clear()
        self._pass()
        for mine, value in zip(ours, (*self._parameters, self._inputs[0]), strict=True):
            if (mine is None) != (value.grad is None):
                raise RuntimeError("the recorded step leaves another set of gradients")
            if mine is not None and value.grad is not None:
                away, size = (mine - value.grad).norm(), value.grad.norm()
                if not away <= _APART * size + 1e-12:
                    raise RuntimeError(
                        f"the recorded step's gradients are {float(away / size):.2g} apart"
                    )
        self._clear()

    def _pass(self) -> dict[str, Tensor]:
        loss, parts = self._loss(*self._inputs)
        loss.backward()  # type: ignore[no-untyped-call]
        return parts

    def _clear(self) -> None:
        for value in (*self._parameters, self._inputs[0]):
            value.grad = None


def captured(
    work: Callable[[], dict[str, Tensor]], clear: Callable[[], None]
) -> tuple[Callable[[], None], dict[str, Tensor]]:
    """How to run `work` again, and what it leaves each time.  clear: makes it start anew."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(_WARM_UPS):
            work()
            clear()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=aside):
        parts = work()
    return graph.replay, parts
