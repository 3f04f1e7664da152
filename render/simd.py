"""Sums over the channels of texels, all channels of a texel at once, inside numba's kernels.

numba compiles loops and hopes that LLVM finds vectors in them; over 3 to 24 channels, of arrays
that might overlap, it does not.  These operators are LLVM vectors by themselves, which LLVM cuts
to what the machine has.  How many channels is in the type of their first argument, a tuple of so
many zeros (`lanes_of`), so that each number of channels is compiled by itself.

Arrays are float32 and contiguous; a place in one counts all its numbers, as in `array.ravel()`.
K texels go in as tuples of K places and K weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

_FAST = ("fast",)


def lanes_of(channels: int) -> tuple[int, ...]:
    return (0,) * channels


@intrinsic  # type: ignore[misc]
def mix(_: Any, lanes: Any, out: Any, at: Any, grid: Any, places: Any, weights: Any) -> Any:
    """out[at] = sum_k weights[k] grid[places[k]], of all lanes."""
    _checked(out, grid)
    return types.void(lanes, out, at, grid, places, weights), _mixing(onto=False)


@intrinsic  # type: ignore[misc]
def add(_: Any, lanes: Any, out: Any, at: Any, grid: Any, places: Any, weights: Any) -> Any:
    """out[at] += sum_k weights[k] grid[places[k]]"""
    _checked(out, grid)
    return types.void(lanes, out, at, grid, places, weights), _mixing(onto=True)


def _mixing(onto: bool) -> Any:
    """onto: what is there already."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Vectors(context, builder, signature.args, arguments)
        mixed = code.mixed(3, arguments[4], arguments[5])
        if onto:
            mixed = builder.fadd(code.load(1, arguments[2]), mixed, flags=_FAST)
        code.store(1, arguments[2], mixed)
        return context.get_dummy_value()

    return generate


@intrinsic  # type: ignore[misc]
def scatter(_: Any, lanes: Any, grid: Any, places: Any, weights: Any, values: Any, at: Any) -> Any:
    """grid[places[k]] += weights[k] values[at], one k after another: places may be the same."""
    _checked(grid, values)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Vectors(context, builder, signature.args, arguments)
        value = code.load(4, arguments[5])
        for place, weight in code.pairs(arguments[2], arguments[3]):
            more = builder.fmul(value, code.spread(weight), flags=_FAST)
            code.store(1, place, builder.fadd(code.load(1, place), more, flags=_FAST))
        return context.get_dummy_value()

    return types.void(lanes, grid, places, weights, values, at), generate


@intrinsic  # type: ignore[misc]
def dots(_: Any, lanes: Any, grid: Any, places: Any, values: Any, at: Any) -> Any:
    """The K scalar products of grid[places[k]] and values[at], over the lanes."""
    _checked(grid, values)
    result = types.UniTuple(types.float32, len(places))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Vectors(context, builder, signature.args, arguments)
        value = code.load(3, arguments[4])
        sums = [
            code.total(builder.fmul(code.load(1, place), value, flags=_FAST))
            for place in code.members(arguments[2])
        ]
        return context.make_tuple(builder, result, sums)

    return result(lanes, grid, places, values, at), generate


@intrinsic  # type: ignore[misc]
def power_of_two(_: Any, exponent: Any) -> Any:
    """2^exponent as float32 for int32 in -126..127, from the bits of a float."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = arguments[0].type
        biased = builder.add(arguments[0], ir.Constant(number, 127))
        return builder.bitcast(builder.shl(biased, ir.Constant(number, 23)), ir.FloatType())

    return types.float32(types.int32), generate


def _checked(*arrays: Any) -> None:
    for array in arrays:
        if not (isinstance(array, types.Array) and array.layout == "C"):
            raise TypingError(f"{array} is no contiguous array")
        if array.dtype != types.float32:
            raise TypingError(f"{array} is not of float32")


class _Vectors:
    """Instructions on vectors of as many lanes as the first argument is long."""

    def __init__(self, context: Any, builder: Any, kinds: Any, arguments: Any) -> None:
        self._context, self._builder = context, builder
        self._kinds, self._arguments = kinds, arguments
        self._lanes = len(kinds[0])
        self._type = ir.VectorType(ir.FloatType(), self._lanes)

    def mixed(self, grid: int, places: Any, weights: Any) -> Any:
        terms = [
            self._builder.fmul(self.load(grid, place), self.spread(weight), flags=_FAST)
            for place, weight in self.pairs(places, weights)
        ]
        total = terms[0]
        for term in terms[1:]:
            total = self._builder.fadd(total, term, flags=_FAST)
        return total

    def load(self, array: int, place: Any) -> Any:
        vector = self._builder.load(self._pointer(array, place))
        vector.align = 4
        return vector

    def store(self, array: int, place: Any, vector: Any) -> None:
        self._builder.store(vector, self._pointer(array, place)).align = 4

    def spread(self, weight: Any) -> Any:
        """The same number in every lane."""
        nothing = ir.Constant(self._type, ir.Undefined)
        index = ir.IntType(32)
        first = self._builder.insert_element(nothing, weight, ir.Constant(index, 0))
        zeros = ir.Constant(ir.VectorType(index, self._lanes), [0] * self._lanes)
        return self._builder.shuffle_vector(first, nothing, zeros)

    def total(self, vector: Any) -> Any:
        """The sum over the lanes, in whatever order is fastest."""
        name = f"llvm.vector.reduce.fadd.v{self._lanes}f32"
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType(), self._type])
        reduce = self._builder.module.globals.get(name) or ir.Function(
            self._builder.module, kind, name
        )
        zero = ir.Constant(ir.FloatType(), 0.0)
        return self._builder.call(reduce, [zero, vector], fastmath=_FAST)

    def members(self, values: Any) -> Iterator[Any]:
        for k in range(values.type.count):
            yield self._builder.extract_value(values, k)

    def pairs(self, places: Any, weights: Any) -> Iterator[tuple[Any, Any]]:
        return zip(self.members(places), self.members(weights), strict=True)

    def _pointer(self, array: int, place: Any) -> Any:
        values = self._context.make_array(self._kinds[array])
        data = values(self._context, self._builder, self._arguments[array]).data
        return self._builder.bitcast(self._builder.gep(data, [place]), self._type.as_pointer())
