"""What Prometheus is told, and that it is nothing of anybody."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")


def test_requests_are_counted_by_route_and_not_by_id(serve, archive):
    server = serve(metrics=True)
    ada = server.user("ada")
    id = server.avatar(ada, archive)
    for _ in range(3):
        assert server.call("GET", f"/v1/avatars/{id}", ada).status_code == 200
    server.call("GET", f"/v1/avatars/{'0' * 32}", ada)
    server.call("POST", "/v1/rooms", ada)
    text = server.call("GET", "/metrics").text
    assert re.search(r'requests_total{method="GET",route="[^"]*{id}",status="200"} 3.0', text)
    assert 'status="404"} 1.0' in text and "facewire_rooms 1.0" in text
    assert id not in text and "ada" not in text and ada not in text


def test_what_fails_is_counted_and_answered_by_what_it_is(serve, monkeypatch):
    from sqlalchemy.exc import IntegrityError, OperationalError
    from starlette.requests import ClientDisconnect

    server = serve(metrics=True)
    ada, database = server.user("ada"), server.app.state.context.database
    wish = {"scopes": ["account"], "days": 1, "label": "x"}
    faults = {
        500: ZeroDivisionError(),
        503: OperationalError("SELECT", {}, Exception("away")),
        409: IntegrityError("INSERT", {}, Exception("gone meanwhile")),
        400: ClientDisconnect(),
    }
    for status, fault in faults.items():

        def fail(fault=fault):
            raise fault

        with monkeypatch.context() as patch:
            patch.setattr(database, "write", fail)
            answer = server.call("POST", "/v1/tokens", ada, json=wish)
        assert (answer.status_code, answer.json()["status"]) == (status, status), answer.text
    server.answers.clear()  # of which one had to be a 500
    text = server.call("GET", "/metrics").text
    for status in faults:
        assert f'route="/v1/tokens",status="{status}"}} 1.0' in text


def test_figures_are_told_only_where_that_is_wanted(serve):
    assert serve().call("GET", "/metrics").status_code == 404
