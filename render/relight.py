"""A person's colours changed by a gain and an offset each, in the fields themselves: drawing costs
what it did.

Everything that gives a colour is linear in it (`render.fields`): planes hold one, networks add to
it.  Networks also see the planes' colours, and are to see those that they learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from render.fields.settings import COLOUR

Array = NDArray[Any]
_PLANES = ("head.front", "head.top", "head.profile", "torso.plane")
_NETWORKS = ("head.colour", "torso.colour")  # their first three outputs are the colour


def relit(tensors: Mapping[str, Array], gain: Array, offset: Array) -> dict[str, Array]:
    """An avatar's tensors, below "fields." as `render.tensors` names them -> those of a person who
    has the colours gain * c + offset ([3] each, 0 .. 1).  The background stays as it is."""
    out = dict(tensors)

    def copied(name: str) -> Array:
        array = out[f"fields.{name}"] = np.array(tensors[f"fields.{name}"], np.float32)
        return array

    for name in _PLANES:
        copied(name)[..., COLOUR] *= gain
    for name in _NETWORKS:
        copied(f"{name}.pixel.weight")[:, COLOUR] /= gain
        copied(f"{name}.last.weight")[:3] *= gain[:, None]
        bias = copied(f"{name}.last.bias")
        bias[:3] = bias[:3] * gain + offset
    coarse = copied("head.coarse")
    coarse[..., COLOUR] = coarse[..., COLOUR] * gain + offset
    return out
