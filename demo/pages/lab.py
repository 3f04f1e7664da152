"""What the lab has measured, for the compare page: curves and side by side of a choice of codecs.

Routes of the API, for who is signed in: the lab's clips show people.
"""

from __future__ import annotations

import tempfile
import threading
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


def add_lab(app: FastAPI, folder: Path) -> None:
    """folder: as `facewire bench run -o` leaves it; read anew for each request, as a run may go
    on.  Raises InputError where there is none."""
    Results(folder)
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
        results = Results(folder)
        with tempfile.TemporaryDirectory() as place:
            made = side_by_side(results, chosen(measured(folder), clip, codec), Path(place))
            if not made:
                raise refuse(404, "The run kept no video of these: facewire bench run keeps them.")
            largest = max(made, key=lambda one: one.size)
            data = (Path(place) / largest.file).read_bytes()
        # A header holds Latin-1 alone.
        panels = " | ".join(largest.panels).encode("ascii", "replace").decode()
        return Response(data, media_type="video/mp4", headers={"X-Panels": panels})

    app.include_router(router)


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
    with _drawing:
        return png(rate_quality(boards))
