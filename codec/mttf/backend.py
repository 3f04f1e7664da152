"""torch for the networks; without it their modules can be imported but no network can be made."""

from __future__ import annotations

from typing import Any

from avatar.errors import MissingError


class AbsentModule:
    """In the place of torch.nn.Module where torch is not installed."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise MissingError(
            "torch, which runs the fallback's networks, is not installed.",
            "pip install 'facewire[play]'",
        )


def _loaded() -> tuple[Any, Any, Any, Any]:
    try:
        import torch
        from torch import nn
        from torch.nn import functional
    except ImportError:
        return None, None, None, AbsentModule
    return torch, nn, functional, nn.Module


torch, nn, functional, Module = _loaded()


def half_precision(device: str) -> bool:
    """Whether bfloat16 is quicker than float32 there: every CUDA device, few CPUs."""
    if device.startswith("cuda"):
        return True
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
