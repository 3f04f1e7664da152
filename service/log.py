"""What the service writes down while it runs: one line an event, as JSON where that is asked for.

Nobody's name, address, token or face is in it.  Our own messages are written with that in mind.
Of other libraries' messages the template is kept, and what was filled into it is not; of an error
its kind and the place that raised it, never its words.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

OURS = "facewire"
_requests = logging.getLogger(f"{OURS}.requests")


class Lines(logging.Formatter):
    """as_json: an object a line; otherwise words, and fields as name=value."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        told = _event(record)
        if self._as_json:
            return json.dumps(told)
        words = (str(told.pop(name)) for name in ("time", "level", "logger", "message"))
        return " ".join([*words, *(f"{name}={value}" for name, value in told.items())])


def _event(record: logging.LogRecord) -> dict[str, Any]:
    ours = record.name.split(".")[0] == OURS
    event: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage() if ours else str(record.msg),
    }
    if ours:
        event |= getattr(record, "fields", {})
    if record.exc_info and record.exc_info[0] is not None:
        kind, _, trace = record.exc_info
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        event["error"] = kind.__name__
        if trace is not None:
            event["at"] = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    return event


def write_log(as_json: bool) -> None:
    """Everything that is logged in this process goes to standard error, through `Lines`."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(as_json))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(OURS).setLevel(logging.INFO)


def log_request(method: str, route: str, status: int, seconds: float) -> None:
    """route: the template, without ids."""
    fields = {"method": method, "route": route, "status": status, "ms": round(1000 * seconds, 1)}
    _requests.info("answered", extra={"fields": fields})
