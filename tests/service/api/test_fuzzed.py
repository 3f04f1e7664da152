"""Random requests after the documented schema: never a 5xx, every error as it is documented."""

from __future__ import annotations

import pytest

pytest.importorskip("schemathesis")
pytest.importorskip("fastapi")

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from service.api.app import make_app
from service.api.settings import ServiceSettings

PASSWORD = "correct horse battery"
EXAMPLES = 8  # of each operation


@pytest.fixture
def somebody(tmp_path):
    """A server's application, and the token of somebody on it."""
    from starlette.testclient import TestClient

    easy = {"rate": 1e6, "sign_in_rate": 1e6, "password_passes": 1, "password_memory": 16}
    app = make_app(ServiceSettings(data=tmp_path / "data", **easy))
    client = TestClient(app, raise_server_exceptions=False)
    who = {"name": "ada", "password": PASSWORD}
    client.post("/v1/accounts", json=who)
    yield app, client.post("/v1/sessions", json=who).json()["token"]
    app.state.context.database.close()


def fuzz(operation, headers) -> set[int]:
    """Sends requests made up for one operation; returns the statuses of its answers."""
    statuses = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case):
        answer = case.call(headers=headers)
        statuses.add(answer.status_code)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        assert PASSWORD not in answer.text and "Traceback" not in answer.text
        if answer.status_code >= 400:
            assert "application/problem+json" in str(answer.headers["content-type"])

    check()
    return statuses


def test_no_request_breaks_the_server(somebody):
    app, token = somebody
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == sum(len(methods) for methods in app.openapi()["paths"].values())
    headers = {"Authorization": f"Bearer {token}"}
    seen = {operation.label: fuzz(operation, headers) for operation in operations}
    assert all(seen.values()) and {200, 404, 422} <= set().union(*seen.values()), seen
