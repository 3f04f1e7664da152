"""What a network costs: parameters, multiply-accumulates of its convolutions, milliseconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from codec.mttf.backend import nn, torch
from codec.mttf.guide import MARKS
from codec.mttf.kind import NetworkKind
from codec.mttf.runtime import fused


@dataclass(frozen=True)
class Cost:
    """Of one call.  kmac: thousand multiply-accumulates for each pixel of the picture.
    milliseconds: of the wall clock, the best of some; processor: of this process's own time."""

    kmac: float
    milliseconds: float
    processor: float


@dataclass(frozen=True)
class Measured:
    """vectors: of a sender's frame.  key: of taking in a key frame.  generate: of a receiver's
    frame."""

    name: str
    parameters: int
    side: int
    vectors: Cost
    key: Cost
    generate: Cost


def measure(settings: NetworkKind, side: int = 256, repeats: int = 3) -> Measured:
    """An untrained network costs what a trained one does.  Raises MissingError without torch."""
    net = settings.network().eval().requires_grad_(False)
    parameters = sum(p.numel() for p in net.parameters())
    net = fused(net)
    picture = torch.rand(1, 3, side, side)
    with torch.inference_mode():
        mesh = torch.rand(1, MARKS, 2)
        held, vectors = net.hold(picture, net.face(mesh)), net.vectors(picture, mesh)

        def cost(call: Callable[[], Any]) -> Cost:
            macs = multiply_accumulates(net, call)
            wall, processor = float("inf"), float("inf")
            for _ in range(repeats):
                begin, used = time.perf_counter(), time.process_time()
                call()
                processor = min(processor, time.process_time() - used)
                wall = min(wall, time.perf_counter() - begin)
            return Cost(macs / side**2 / 1e3, 1e3 * wall, 1e3 * processor)

        return Measured(
            settings.name,
            parameters,
            side,
            cost(lambda: net.vectors(picture, mesh)),
            cost(lambda: net.hold(picture, net.face(mesh))),
            cost(lambda: net.generate(held, vectors)),
        )


@dataclass(frozen=True)
class Work:
    """parameters: of the whole network.  vectors, generate: thousand multiply-accumulates for
    each pixel of the picture, of a sender's and a receiver's frame."""

    parameters: int
    vectors: float
    generate: float


@lru_cache(maxsize=16)
def work(settings: NetworkKind, side: int = 256) -> Work:
    """What `measure` counts, without its clock."""
    net = settings.network().eval().requires_grad_(False)
    picture = torch.rand(1, 3, side, side)
    with torch.inference_mode():
        held, vectors = net.hold(picture), net.vectors(picture)
        send = multiply_accumulates(net, lambda: net.vectors(picture))
        show = multiply_accumulates(net, lambda: net.generate(held, vectors))
    pixels = side**2 * 1e3
    return Work(sum(p.numel() for p in net.parameters()), send / pixels, show / pixels)


def multiply_accumulates(net: Any, call: Callable[[], Any]) -> int:
    """Of the convolutions that `call` runs through `net`, bias not counted."""
    total = 0

    def count(module: Any, _: Any, out: Any) -> None:
        nonlocal total
        total += module.weight.numel() * out.shape[-1] * out.shape[-2]

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d)]
    try:
        call()
    finally:
        for hook in hooks:
            hook.remove()
    return total
