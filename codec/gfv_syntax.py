"""The parts of GFV and GFVE messages, and how each is written and read bit by bit.

A part holds integers as they are written.  Sizes are bounded before anything is made of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from avatar.errors import InputError
from codec.nal import BitReader, BitWriter

MOST_POINTS = 4096  # keypoints: a bound of ours, the syntax has none
_MOST_SIDE = 1023
MOST_PRECISION = 31  # ..._minus1
CHROMA_KEY = (50, 220, 100)  # where no value is given
CHROMA_THRESHOLDS = (48, 75)

Rows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Network:
    """The generator.  mode 0: it follows as `payload`.  mode 1: it is at `uri`."""

    mode: int = 0
    tag: str = ""
    uri: str = ""
    payload: bytes = b""


@dataclass(frozen=True)
class ChromaKey:
    """values: Y, Cb, Cr of what is transparent; thresholds; None takes the default."""

    values: tuple[int | None, int | None, int | None] = (None, None, None)
    thresholds: tuple[int | None, int | None] = (None, None)

    @property
    def effective(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        both = (self.values, CHROMA_KEY), (self.thresholds, CHROMA_THRESHOLDS)
        first, second = (
            tuple(d if v is None else v for v, d in zip(given, default)) for given, default in both
        )
        return first, second


@dataclass(frozen=True)
class PointLayout:
    """precision: bits behind the point, 1 .. 32.  depth: the largest z, 1 .. 65536; 0 for points
    without one."""

    precision: int
    count: int
    depth: int = 0

    @property
    def axes(self) -> int:
        return 3 if self.depth else 2


@dataclass(frozen=True)
class MatrixType:
    """index: 0 .. 63.  spatial: of indices 4 to 6, three dimensions.  Of 0 and 1 height and width
    are 2, or 3 where points have a depth, as 4 to 6 by `spatial`."""

    index: int
    count: int
    height: int
    width: int


@dataclass(frozen=True)
class MatrixLayout:
    """precision: bits behind the point, 1 .. 32."""

    precision: int
    types: tuple[MatrixType, ...]

    @property
    def elements(self) -> int:
        return sum(t.count * t.height * t.width for t in self.types)


@dataclass(frozen=True)
class GfvLayout:
    """What predicted messages leave out and take from their base picture."""

    points: PointLayout | None = None
    matrices: MatrixLayout | None = None


@dataclass(frozen=True)
class Points:
    """predicted: `rows` are differences.  rows: of each keypoint x, y[, z] in 2**-precision."""

    predicted: bool
    layout: PointLayout
    rows: Rows


@dataclass(frozen=True)
class Matrices:
    """elements: of all matrices in order, row by row, in 2**-precision; differences where
    `predicted`."""

    predicted: bool
    layout: MatrixLayout
    elements: tuple[int, ...]


def precision(bits: int) -> int:
    if not 1 <= bits <= MOST_PRECISION + 1:
        raise InputError(f"no precision of {bits} bits", "It goes from 1 to 32.")
    return bits - 1


def write_signed(out: BitWriter, value: int) -> None:
    out.ue(abs(value))
    if value:
        out.flag(value < 0)


def read_signed(reader: BitReader, field: str, limit: int = (1 << 32) - 2) -> int:
    size = reader.ue(field, limit)
    return -size if size and reader.flag(f"{field} sign") else size


def write_network(out: BitWriter, network: Network | None) -> None:
    out.flag(network is not None)
    if network is None:
        return
    out.ue(network.mode)
    if network.mode == 1:
        out.align()
        for text in (network.tag, network.uri):
            if "\0" in text:
                raise InputError("a network's tag and URI hold no zero")
            out.data(text.encode() + b"\0")


def read_network(reader: BitReader) -> Network | None:
    if not reader.flag("nn_present_flag"):
        return None
    mode = reader.ue("nn_mode_idc")
    if mode != 1:
        return Network(mode)
    reader.align("zero_bit_a")
    return Network(1, reader.text("uri_tag"), reader.text("uri"))


def write_chroma(out: BitWriter, key: ChromaKey | None) -> None:
    out.flag(key is not None)
    if key is None:
        return
    for value in key.values:
        out.flag(value is not None)
        if value is not None:
            out.u(8, value)
    for value in key.thresholds:
        out.flag(value is not None)
        if value is not None:
            out.ue(value)


def read_chroma(reader: BitReader) -> ChromaKey | None:
    if not reader.flag("chroma_key_info_present_flag"):
        return None
    a, b, c = (
        reader.u(8, "chroma_key_value") if reader.flag("value_present_flag") else None
        for _ in range(3)
    )
    d, e = (
        reader.ue("chroma_key_thr_value") if reader.flag("thr_present_flag") else None
        for _ in range(2)
    )
    return ChromaKey((a, b, c), (d, e))


def write_points(out: BitWriter, points: Points, base: bool) -> None:
    layout = points.layout
    out.flag(points.predicted)
    if base or not points.predicted:
        out.ue(precision(layout.precision))
        out.ue(layout.count - 1)
        out.flag(bool(layout.depth))
        if layout.depth:
            out.ue(layout.depth - 1)
    if len(points.rows) != layout.count or any(len(r) != layout.axes for r in points.rows):
        raise InputError("keypoints that their layout does not have")
    for row in points.rows:
        for value in row:
            write_signed(out, value)


def read_points(reader: BitReader, base: bool, known: PointLayout | None) -> Points:
    predicted = reader.flag("kps_pred_flag")
    if base or not predicted:
        precision = reader.ue("coordinate_precision_factor_minus1", MOST_PRECISION) + 1
        count = reader.ue("num_kps_minus1", MOST_POINTS - 1) + 1
        depth = 0
        if reader.flag("coordinate_z_present_flag"):
            depth = reader.ue("coordinate_z_max_value_minus1", 65535) + 1
        layout = PointLayout(precision, count, depth)
    elif known is None:
        raise reader.fail("predicted keypoints without those of a base picture", "kps_pred_flag")
    else:
        layout = known
    _room(reader, layout.count * layout.axes, "coordinates")
    rows = tuple(
        tuple(read_signed(reader, "coordinate") for _ in range(layout.axes))
        for _ in range(layout.count)
    )
    return Points(predicted, layout, rows)


def _room(reader: BitReader, count: int, field: str) -> None:
    """Every element takes a bit at the least: what cannot be there is not made room for."""
    if count > reader.left:
        raise reader.fail(f"{count} elements in {reader.left} bits", field)


def _shape(index: int, spatial: bool) -> tuple[int, int]:
    """Height and width of the indices whose shape is given by themselves."""
    side = 2 + spatial
    return (side, 1) if index in (5, 6) else (side, side)


def write_matrices(out: BitWriter, matrices: Matrices, base: bool, points: Points | None) -> None:
    layout = matrices.layout
    if base and matrices.predicted:
        raise InputError("a base picture's matrices are not predicted")
    if not base:
        out.flag(matrices.predicted)
    if not matrices.predicted:
        out.ue(precision(layout.precision))
        out.ue(len(layout.types) - 1)
        for kind in layout.types:
            _write_type(out, kind, points)
    _write_elements(out, matrices, wide=True)


def _write_type(out: BitWriter, kind: MatrixType, points: Points | None) -> None:
    out.u(6, kind.index)
    if kind.index in (0, 1):
        if points is None or (kind.height, kind.width) != _shape(0, bool(points.layout.depth)):
            raise InputError("matrices 0 and 1 belong to keypoints and are as large as those")
        count = points.layout.count
        out.flag(kind.count == count)
        if kind.count != count:
            out.ue(_side(kind.count if kind.count < count else kind.count - 1))
        return
    if kind.index in (4, 5, 6):
        spatial = kind.height == 3
        if points is None:
            out.flag(spatial)
        elif spatial != bool(points.layout.depth):
            raise InputError("matrices 4 to 6 have the keypoints' dimensions")
        if (kind.height, kind.width) != _shape(kind.index, spatial):
            raise InputError(f"a matrix {kind.index} of {kind.height}x{kind.width}")
    else:
        if kind.index >= 7:
            out.ue(_side(kind.count))
        out.ue(_side(kind.width))
        out.ue(_side(kind.height))
    if kind.index < 7 and kind.count != 1:
        raise InputError(f"there is one matrix of type {kind.index}, not {kind.count}")


def _side(number: int) -> int:
    if not 1 <= number <= _MOST_SIDE + 1:
        raise InputError(f"no matrix has {number} of something")
    return number - 1


def read_matrices(
    reader: BitReader, base: bool, points: Points | None, known: MatrixLayout | None
) -> Matrices:
    predicted = not base and reader.flag("matrix_pred_flag")
    if not predicted:
        precision = reader.ue("matrix_element_precision_factor_minus1", MOST_PRECISION) + 1
        count = reader.ue("num_matrix_types_minus1", 63) + 1
        layout = MatrixLayout(precision, tuple(_read_type(reader, points) for _ in range(count)))
    elif known is None:
        raise reader.fail("predicted matrices without those of a base picture", "matrix_pred_flag")
    else:
        layout = known
    return _read_elements(reader, layout, predicted, wide=True)


def _read_type(reader: BitReader, points: Points | None) -> MatrixType:
    index, count = reader.u(6, "matrix_type_idx"), 1
    depth = points is not None and bool(points.layout.depth)
    if index in (0, 1):
        if points is None:
            raise reader.fail(f"matrices {index} without keypoints", "matrix_type_idx")
        count = points.layout.count
        if not reader.flag("num_matrices_equal_to_num_kps_flag"):
            info = reader.ue("num_matrices_info", _MOST_SIDE)
            count = info + 1 if info < count - 1 else info + 2
        return MatrixType(index, count, *_shape(index, depth))
    if index in (4, 5, 6):
        spatial = depth if points is not None else reader.flag("matrix_3d_space_flag")
        return MatrixType(index, 1, *_shape(index, spatial))
    if index >= 7:
        count = reader.ue("num_matrices_minus1", _MOST_SIDE) + 1
    width = reader.ue("matrix_width_minus1", _MOST_SIDE) + 1
    height = reader.ue("matrix_height_minus1", _MOST_SIDE) + 1
    return MatrixType(index, count, height, width)


def _write_elements(out: BitWriter, matrices: Matrices, wide: bool) -> None:
    """wide: a predicted fraction is ue(v), as in GFV; u(precision) in GFVE."""
    precision = matrices.layout.precision
    if len(matrices.elements) != matrices.layout.elements:
        raise InputError("matrices that their layout does not have")
    for value in matrices.elements:
        whole, part = divmod(abs(value), 1 << precision)
        out.ue(whole)
        if matrices.predicted and wide:
            out.ue(part)
        else:
            out.u(precision, part)
        if value:
            out.flag(value < 0)


def _read_elements(
    reader: BitReader, layout: MatrixLayout, predicted: bool, wide: bool
) -> Matrices:
    _room(reader, layout.elements, "matrix elements")
    precision, elements = layout.precision, []
    for _ in range(layout.elements):
        whole = reader.ue("element_int")
        # HM's writer may give a predicted fraction of a whole 1, which ue(v) can carry.
        limit = 1 << precision
        if predicted and wide:
            part = reader.ue("delta_element_dec", limit)
        else:
            part = reader.u(precision, "element_dec")
        value = (whole << precision) + part
        elements.append(-value if value and reader.flag("element sign") else value)
    return Matrices(predicted, layout, tuple(elements))


def write_enhancement(out: BitWriter, matrices: Matrices, base: bool) -> None:
    layout = matrices.layout
    if base and matrices.predicted:
        raise InputError("a base picture's matrices are not predicted")
    if not base:
        out.flag(matrices.predicted)
    if not matrices.predicted:
        out.ue(precision(layout.precision))
        out.ue(_side(len(layout.types)))
        for kind in layout.types:
            out.ue(_side(kind.height))
            out.ue(_side(kind.width))
    _write_elements(out, matrices, wide=False)


def read_enhancement(reader: BitReader, base: bool, known: MatrixLayout | None) -> Matrices:
    predicted = not base and reader.flag("matrix_pred_flag")
    if not predicted:
        precision = reader.ue("matrix_element_precision_factor_minus1", MOST_PRECISION) + 1
        types = []
        for _ in range(reader.ue("num_matrices_minus1", _MOST_SIDE) + 1):
            height = reader.ue("matrix_height_minus1", _MOST_SIDE) + 1
            types.append(MatrixType(0, 1, height, reader.ue("matrix_width_minus1", _MOST_SIDE) + 1))
        layout = MatrixLayout(precision, tuple(types))
    elif known is None:
        raise reader.fail("predicted matrices without those of a base picture", "matrix_pred_flag")
    else:
        layout = known
    return _read_elements(reader, layout, predicted, wide=False)
