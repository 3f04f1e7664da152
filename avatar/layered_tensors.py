"""An archive's tensors <-> its two layers (docs/archive.md, section 5).

The first layer is a safetensors image of all that is small, and the coarse parts of the byte
tensors; the second is what makes those whole.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from avatar.byte_tensors import SUFFIX
from avatar.errors import ArchiveError
from avatar.layers import MOST_STEP, LayerReader, Plan, coded

Array = NDArray[Any]
FIRST = 475_000  # bytes the first layer should not pass; with the header, below 500 kB
PLAN = ".layer"  # int64: step, whether the last dimension goes first, shape
_SCALES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 64, 128, 254)
_LEAST = 8192  # numbers of a tensor that is worth its tables
_SIZE = struct.Struct("<I")  # bytes of the image
_ROOM = 1 << 24  # a reader makes so many numbers of any archive, and
_GROWTH = 8  # so many more of each byte
_CURE = "Copy the file again from where it came."


def layered(tensors: Mapping[str, Array], coarser: Mapping[str, float]) -> tuple[bytes, bytes]:
    """Both layers.  Byte tensors with fewer than _LEAST numbers stay whole.

    coarser: name -> how much coarser than others a tensor may be in the first layer, 1 where
    nothing is said.  Steps are the finest of a ladder with which the first layer has at most FIRST
    bytes, or its last.
    """
    names = [
        name
        for name, value in sorted(tensors.items())
        if name + SUFFIX in tensors and value.dtype == np.int8 and value.size >= _LEAST
    ]
    image = {name: value for name, value in tensors.items() if name not in names}
    first, rest = b"", b""
    for scale in _SCALES:
        parts = []
        for name in names:
            step = min(max(round(scale * float(coarser.get(name, 1.0))), 1), MOST_STEP)
            value = tensors[name]
            last = int(tensors[name + SUFFIX].shape[-1] == value.shape[-1])
            image[name + PLAN] = np.array([step, last, *value.shape], np.int64)
            rows = np.moveaxis(value, -1, 0) if last else value
            plan = _plan(value.shape, step, last)
            parts.append((plan, *plan.split(rows.reshape(len(rows), -1))))
        table = save_tensors(image)
        first = _SIZE.pack(len(table)) + table
        first += coded([(row, plan.coarse) for plan, coarse, _ in parts for row in coarse])
        if len(first) <= FIRST or scale == _SCALES[-1]:
            rest = coded([(row, plan.rest) for plan, _, rests in parts for row in rests])
            break
    return first, rest


def unlayered(first: bytes, rest: bytes | None) -> dict[str, Array]:
    """Tensors as `layered` got them; without the rest, byte tensors are coarse.

    Raises ArchiveError.  Memory stays within a few times _ROOM + _GROWTH * the bytes given.
    """
    if len(first) < _SIZE.size or (size := int(_SIZE.unpack_from(first)[0])) > len(first) - 4:
        raise ArchiveError("avatar: the first layer is cut short", _CURE)
    tensors = image_tensors(memoryview(first)[_SIZE.size : _SIZE.size + size])
    shapes = {
        name.removesuffix(PLAN): tensors.pop(name)
        for name in sorted(tensors)
        if name.endswith(PLAN)
    }
    room = _ROOM + _GROWTH * (len(first) + len(rest or b""))
    plans = []
    for name, value in shapes.items():
        plan = _read_plan(name, value, room)
        room -= plan.channels * plan.numbers + plan.tables
        plans.append(plan)
    layer = LayerReader(
        first[_SIZE.size + size :], sum(p.channels * (2 * p.coarse + 1) for p in plans)
    )
    coarse = [layer.rows(p.channels, p.coarse, p.coarse_numbers) for p in plans]
    if rest is None:
        rows = [p.spread(q).astype(np.int8) for p, q in zip(plans, coarse, strict=True)]
    else:
        layer = LayerReader(rest, sum(p.channels * (2 * p.rest + 1) for p in plans))
        rests = [layer.rows(p.channels, p.rest, p.numbers) for p in plans]
        rows = [p.join(q, r) for p, q, r in zip(plans, coarse, rests, strict=True)]
    for (name, value), found in zip(shapes.items(), rows, strict=True):
        shape = tuple(int(n) for n in value[2:])
        if value[1]:
            found = np.moveaxis(found.reshape(shape[-1], *shape[:-1]), 0, -1)
        tensors[name] = np.ascontiguousarray(found.reshape(shape))
    return tensors


def image_tensors(image: memoryview) -> dict[str, Array]:
    """The tensors of a safetensors image.  Raises ArchiveError."""
    try:
        return load_tensors(bytes(image))
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ArchiveError(f"avatar: tensors cannot be read: {error}", _CURE) from error


def _read_plan(name: str, value: Array, room: int) -> Plan:
    if value.dtype != np.int64 or value.ndim != 1 or not 3 <= len(value) <= 10:
        raise ArchiveError(f"avatar: tensor {name}{PLAN} is no plan", _CURE)
    step, last, *shape = (int(n) for n in value)
    if not 1 <= step <= MOST_STEP or last not in (0, 1) or min(shape) < 1:
        raise ArchiveError(f"avatar: tensor {name}{PLAN} is {value.tolist()}", _CURE)
    count = 1
    for length in shape:
        count *= length
    if count > room:
        raise ArchiveError(f"avatar: tensor {name} has {count} numbers, room is for {room}", _CURE)
    plan = _plan(tuple(shape), step, last)
    if plan.tables > room - count:
        raise ArchiveError(f"avatar: tensor {name} has {plan.channels} channels", _CURE)
    return plan


def _plan(shape: tuple[int, ...], step: int, last: int) -> Plan:
    channels = shape[-1] if last else shape[0]
    row = shape[-2] if last and len(shape) > 2 else 0
    return Plan(channels, int(np.prod(shape, dtype=np.int64)) // channels, row, step)
