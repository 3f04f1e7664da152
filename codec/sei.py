"""Generative face video SEI messages, GFV (payload type 223) and GFVE (224).

The syntax is that which HM's reference decoder reads and writes.  A message holds integers as they
are written; `codec.gfv_values` turns values into messages and back.

    payload = bytes(message)
    message = Gfv.parse(payload, layout of the base picture's message)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from avatar.errors import InputError
from codec.gfv_syntax import (
    MOST_PRECISION,
    ChromaKey,
    GfvLayout,
    Matrices,
    MatrixLayout,
    Network,
    Points,
    precision,
    read_chroma,
    read_enhancement,
    read_matrices,
    read_network,
    read_points,
    read_signed,
    write_chroma,
    write_enhancement,
    write_matrices,
    write_network,
    write_points,
    write_signed,
)
from codec.nal import BitReader, BitWriter

GFV, GFVE = 223, 224


@dataclass(frozen=True)
class Gfv:
    """base: a base picture's message (count 0 only).  low_confidence: the face parameters are not
    to be trusted.  fusion: the driving picture is to be fused in (not of a base picture)."""

    id: int
    count: int
    base: bool = False
    network: Network | None = None
    chroma_key: ChromaKey | None = None
    fusion: bool = False
    low_confidence: bool = False
    points: Points | None = None
    matrices: Matrices | None = None

    @property
    def layout(self) -> GfvLayout:
        return GfvLayout(
            None if self.points is None else self.points.layout,
            None if self.matrices is None else self.matrices.layout,
        )

    def __bytes__(self) -> bytes:
        """The payload.  Raises InputError for what the syntax cannot say."""
        self._check()
        out = BitWriter()
        out.ue(self.id)
        out.ue(self.count)
        if self.count == 0:
            out.flag(self.base)
        if self.base:
            write_network(out, self.network)
            write_chroma(out, self.chroma_key)
        else:
            out.flag(self.fusion)
        out.flag(self.low_confidence)
        out.flag(self.points is not None)
        if self.points is not None:
            write_points(out, self.points, self.base)
        out.flag(self.matrices is not None)
        if self.matrices is not None:
            write_matrices(out, self.matrices, self.base, self.points)
        if self.network is not None and self.network.mode == 0:
            out.align()
            out.data(self.network.payload)
        return out.payload()

    def _check(self) -> None:
        if self.base and (self.count != 0 or self.fusion):
            raise InputError("a base picture's GFV message has count 0 and no fusion")
        if not self.base and (self.network or self.chroma_key):
            raise InputError("only a base picture's GFV message has a network or a chroma key")
        if self.points is None and self.matrices is None:
            raise InputError("a GFV message has keypoints or matrices")

    @classmethod
    def parse(cls, payload: bytes, base: GfvLayout | None = None) -> Gfv:
        """base: the layout of the base picture's message, which predicted ones need.

        Raises StreamError for what no writer writes, before anything large is made of it.
        """
        reader = BitReader(payload, "GFV")
        number, count = reader.ue("id"), reader.ue("cnt")
        is_base = count == 0 and reader.flag("base_picture_flag")
        network = chroma = None
        fusion = False
        if is_base:
            network = read_network(reader)
            chroma = read_chroma(reader)
        else:
            fusion = reader.flag("drive_picture_fusion_flag")
        low = reader.flag("low_confidence_face_parameter_flag")
        known = base or GfvLayout()
        points = matrices = None
        if reader.flag("coordinate_present_flag"):
            points = read_points(reader, is_base, known.points)
        if reader.flag("matrix_present_flag"):
            matrices = read_matrices(reader, is_base, points, known.matrices)
        if points is None and matrices is None:
            raise reader.fail("neither keypoints nor matrices", "matrix_present_flag")
        if network is not None and network.mode == 0:
            reader.align("zero_bit_b")
            network = replace(network, payload=reader.rest())
        else:
            reader.end()
        return cls(number, count, is_base, network, chroma, fusion, low, points, matrices)


@dataclass(frozen=True)
class Gfve:
    """An enhancement of GFV message (gfv_id, gfv_count).  matrices: types have index 0.
    pupils: left and right (dx, dy) in 2**-pupil_precision, None for one that is not there."""

    id: int
    gfv_id: int
    gfv_count: int
    base: bool = False
    network: Network | None = None
    matrices: Matrices | None = None
    pupils: tuple[tuple[int, int] | None, tuple[int, int] | None] = (None, None)
    pupil_precision: int = 0

    def __bytes__(self) -> bytes:
        """The payload.  Raises InputError for what the syntax cannot say."""
        if (self.base and self.gfv_count) or (self.network and not self.base):
            raise InputError("only a base picture's GFVE message, of count 0, has a network")
        out = BitWriter()
        for number in (self.id, self.gfv_id, self.gfv_count):
            out.ue(number)
        if self.gfv_count == 0:
            out.flag(self.base)
        if self.base:
            write_network(out, self.network)
        out.flag(self.matrices is not None)
        if self.matrices is not None:
            write_enhancement(out, self.matrices, self.base)
        left, right = self.pupils
        out.u(2, (left is not None) + 2 * (right is not None))
        if self.base and (left or right) is not None:
            out.ue(precision(self.pupil_precision))
        for pupil in self.pupils:
            for value in pupil or ():
                if abs(value) > 1 << (self.pupil_precision + 1):
                    raise InputError(f"a pupil at {value} lies out of bounds")
                write_signed(out, value)
        if self.network is not None and self.network.mode == 0:
            out.align()
            out.data(self.network.payload)
        return out.payload()

    @classmethod
    def parse(
        cls, payload: bytes, base: MatrixLayout | None = None, pupil_precision: int = 0
    ) -> Gfve:
        """base, pupil_precision: of the base picture's message, which later ones need."""
        reader = BitReader(payload, "GFVE")
        number, gfv_id, count = (reader.ue(f) for f in ("id", "gfv_id", "gfv_cnt"))
        is_base = count == 0 and reader.flag("base_picture_flag")
        network = read_network(reader) if is_base else None
        matrices = None
        if reader.flag("matrix_present_flag"):
            matrices = read_enhancement(reader, is_base, base)
        present = reader.u(2, "pupil_coordinate_present_idx")
        if present and is_base:
            pupil_precision = reader.ue("pupil_precision", MOST_PRECISION) + 1
        elif present and not pupil_precision:
            raise reader.fail("a pupil without one in the base picture", "pupil")
        limit = 1 << (pupil_precision + 1)
        pupils = [
            (read_signed(reader, "pupil dx", limit), read_signed(reader, "pupil dy", limit))
            if present & side
            else None
            for side in (1, 2)
        ]
        if network is not None and network.mode == 0:
            reader.align("zero_bit")
            network = replace(network, payload=reader.rest())
        else:
            reader.end()
        both = (pupils[0], pupils[1])
        precision = pupil_precision if present else 0
        return cls(number, gfv_id, count, is_base, network, matrices, both, precision)
