"""What the lab has measured, for the compare page: curves and side by side of a choice of codecs.

Routes of the API, for who is signed in: the lab's clips show people.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import Response

from avatar.errors import InputError
from bench.report.figures import png, rate_quality
from bench.report.tables import shown_boards
from bench.report.videos import side_by_side
from bench.results import OK, Record, Results
from service.accounts.tokens import Bearer
from service.api.context import asking
from service.api.problems import refuse

Reader = Annotated[Bearer, asking("account")]
Word = Annotated[str, Query(max_length=80)]
Codecs = Annotated[list[str], Query(max_length=32)]
_drawing = threading.Lock()  # matplotlib knows one figure at a time
_WAITING = 4  # who may wait for a video or a curve, each on one of the server's threads
_drawn_for = threading.Semaphore(_WAITING)
_KEPT, _MOST = 600.0, 8  # seconds and videos
_LATER = "Others have videos or curves put together; try again."
_NONE = "The run kept no video of these: facewire bench run keeps them."


def add_lab(app: FastAPI, folder: Path) -> None:
    """folder: as `facewire bench run -o` leaves it; read anew for each request, as a run may go
    on.  Raises InputError where there is none."""
    Results(folder)
    videos = Videos(folder)
    router = APIRouter(prefix="/v1/lab", include_in_schema=False)

    @router.get("")
    def choices(me: Reader) -> dict[str, Any]:
        records = measured(folder)
        boards = shown_boards(records)
        return {
            "clips": sorted({record.clip for record in records}),
            "codecs": sorted({record.family for record in records}),
            "metrics": sorted({f"{metric} {region}" for metric, region, _, _ in boards}),
        }

    @router.get("/curves")
    def curves(me: Reader, clip: Word, codec: Codecs, metric: Word) -> Response:
        return Response(
            drawn(chosen(measured(folder), clip, codec), metric), media_type="image/png"
        )

    @router.get("/video")
    def video(me: Reader, clip: Word, codec: Codecs) -> Response:
        data, panels = videos.of(chosen(measured(folder), clip, codec))
        return Response(data, media_type="video/mp4", headers={"X-Panels": panels})

    app.include_router(router)


@dataclass
class Videos:
    """Side by side, put together one at a time, and kept a while.  clock: seconds."""

    folder: Path
    clock: Callable[[], float] = time.monotonic
    _made: dict[frozenset[Any], tuple[float, bytes, str]] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_WAITING))

    def of(self, records: list[Record]) -> tuple[bytes, str]:
        """An MP4, and what its panels show.  503 where too many wait, 404 where there is none."""
        key = frozenset((r.clip, r.size, r.codec, r.point, r.key) for r in records)
        if not self._room.acquire(blocking=False):
            raise refuse(503, _LATER, {"Retry-After": "5"})
        try:
            with self._turn:
                now = self.clock()
                fresh = [(k, one) for k, one in self._made.items() if now - one[0] < _KEPT]
                self._made = dict(fresh[-_MOST:])
                if key not in self._made:
                    self._made[key] = (now, *self._put_together(records))
                return self._made[key][1:]
        finally:
            self._room.release()

    def _put_together(self, records: list[Record]) -> tuple[bytes, str]:
        with tempfile.TemporaryDirectory() as place:
            made = side_by_side(Results(self.folder), records, Path(place))
            if not made:
                raise refuse(404, _NONE)
            largest = max(made, key=lambda one: one.size)
            data = (Path(place) / largest.file).read_bytes()
        # A header holds Latin-1 alone.
        return data, " | ".join(largest.panels).encode("ascii", "replace").decode()


def measured(folder: Path) -> list[Record]:
    return [record for record in Results(folder) if record.state == OK]


def chosen(records: list[Record], clip: str, codecs: list[str]) -> list[Record]:
    found = [r for r in records if r.clip == clip and r.family in codecs]
    if not found:
        raise InputError("nothing was measured of these", "Choose another clip or codec.")
    return found


def drawn(records: list[Record], metric: str) -> bytes:
    """A PNG of the curves by one metric and region; panels are sizes."""
    shown = [(f"{name} {region}", boards) for name, region, _, boards in shown_boards(records)]
    boards = [board for named, some in shown if named == metric for board in some]
    if not boards:
        raise InputError("no curve of these was measured by this", "Choose another metric.")
    if not _drawn_for.acquire(blocking=False):
        raise refuse(503, _LATER, {"Retry-After": "2"})
    try:
        with _drawing:
            return png(rate_quality(boards))
    finally:
        _drawn_for.release()
