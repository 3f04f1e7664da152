"""A key frame and what follows it as one elementary stream that any decoder shows the key frame of.

The D numbers of a frame are one matrix of type 7, 2 x D/2, in steps of 1/8, which is the step that
the networks are trained with.  All messages stand behind their base picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, StreamError
from codec.gfv_syntax import GfvLayout, MatrixLayout, MatrixType
from codec.gfv_values import GfvReader, GfvWriter
from codec.mttf.vectors import STEP
from codec.nal import read_sei, with_sei
from codec.sei import GFV

PRECISION = 3  # bits behind the point: 2**-3 is STEP
MATRIX = 7  # the first type whose meaning is left open
STREAMS = {"hevc": "hevc", "h264": "avc", "vvc": "vvc"}  # key codecs with NAL units

Array = NDArray[Any]


def gfv_layout(numbers: int) -> GfvLayout:
    """Of frames of so many numbers, even."""
    kind = MatrixType(MATRIX, 1, 2, numbers // 2)
    return GfvLayout(None, MatrixLayout(PRECISION, (kind,)))


def with_vectors(key: bytes, codec: str, own: Array, vectors: Array) -> bytes:
    """key: an intra frame by one of STREAMS.  own: [D] of the key frame itself, which the
    syntax wants.  vectors: [F, D] of the frames that are made from it.  -> the stream."""
    if codec not in STREAMS:
        raise InputError(f"{codec} has no SEI messages", f"Choose from {', '.join(STREAMS)}.")
    writer = GfvWriter(0, gfv_layout(len(own)))
    messages = [writer.base(None, np.asarray(own, float).tolist())]
    messages += [writer.drive(None, row) for row in np.asarray(vectors, float).tolist()]
    return with_sei(key, STREAMS[codec], {0: [(GFV, bytes(m)) for m in messages]})


def vectors_in(stream: bytes, codec: str, numbers: int) -> NDArray[np.float32]:
    """[F, D] of the frames that `with_vectors` put behind a key frame.

    Raises StreamError for messages that are not such.
    """
    if codec not in STREAMS:
        raise InputError(f"{codec} has no SEI messages", f"Choose from {', '.join(STREAMS)}.")
    reader, rows = GfvReader(), []
    for _, kind, payload in read_sei(stream, STREAMS[codec]):
        if kind != GFV:
            continue
        message = reader.parse(payload)
        _, elements = reader.take(message)
        if elements is None or message.layout.matrices != gfv_layout(numbers).matrices:
            raise StreamError("GFV: not the fallback's matrices", field="matrix")
        if not message.base:
            rows.append(elements)
    return (np.array(rows, np.float64).reshape(-1, numbers) * STEP).astype(np.float32)
