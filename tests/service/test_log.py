"""The log: an object a line, and nothing of anybody in it."""

from __future__ import annotations

import json
import logging

from service.log import Lines


def line(logger, message, *filled, error=None, as_json=True, **more):
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(logger, logging.INFO, "file.py", 1, message, filled, info)
    record.__dict__.update(more)
    return Lines(as_json).format(record)


def test_ours_are_told_whole_and_others_without_what_was_filled_in():
    ours = json.loads(line("facewire.jobs", "job %s", "7", fields={"ms": 3}))
    assert (ours["message"], ours["ms"], ours["level"]) == ("job 7", 3, "info")
    assert ours["time"].endswith("+00:00")
    other = line("uvicorn.error", "%s said %s", "192.0.2.7", "secret", fields={"face": 1})
    assert json.loads(other)["message"] == "%s said %s"
    assert "192.0.2.7" not in other and "face" not in other
    plain = line("facewire", "answered", fields={"status": 200}, as_json=False)
    assert plain.endswith(" info facewire answered status=200")


def test_an_error_is_told_by_kind_and_place_never_by_its_words():
    try:
        raise ValueError("Ada's password")
    except ValueError as error:
        told = line("facewire.api", "it failed", error=error)
    assert "Ada" not in told and "\n" not in told
    assert json.loads(told)["error"] == "ValueError"
    assert json.loads(told)["at"].startswith("test_log.py:")


def test_a_server_writes_json_and_nothing_of_anybody(live, archive):
    server = live(workers=0, log_json=1)
    token = server.user("grace")
    id = server.call("POST", "/v1/avatars", token, content=archive).json()["id"]
    assert server.call("GET", f"/v1/avatars/{id}/archive", token).status_code == 200
    assert server.call("POST", "/v1/sessions", json={"name": "grace"}).status_code == 422
    assert server.call("GET", "/nothing/of/grace").status_code == 404
    assert server.stop() == 0
    lines = [text for text in server.log.read_text().splitlines() if text.startswith("{")]
    events = [json.loads(text) for text in lines]
    fetched = [e for e in events if e.get("route") == "/v1/avatars/{id}/archive"]
    assert [e["status"] for e in fetched] == [200] and fetched[0]["ms"] > 0
    for secret in ("grace", token, id, "127.0.0.1", "horse"):
        assert not any(secret in text for text in lines), secret
