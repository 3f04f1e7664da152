"""Random requests after the documented schema, and against it: never a 5xx, always a documented
kind of answer."""

from __future__ import annotations

import pytest

pytest.importorskip("schemathesis")
pytest.importorskip("fastapi")

import schemathesis
from hypothesis import HealthCheck, Phase, settings

from service.api.app import make_app
from service.api.settings import ServiceSettings

PASSWORD = "correct horse battery"


@pytest.fixture
def fuzzed(tmp_path):
    """The schema of a server, and the token of somebody on it."""
    from starlette.testclient import TestClient

    easy = {"rate": 1e6, "sign_in_rate": 1e6, "password_passes": 1, "password_memory": 16}
    app = make_app(ServiceSettings(data=tmp_path / "data", **easy))
    client = TestClient(app, raise_server_exceptions=False)
    who = {"name": "ada", "password": PASSWORD}
    client.post("/v1/accounts", json=who)
    token = client.post("/v1/sessions", json=who).json()["token"]
    yield schemathesis.openapi.from_asgi("/openapi.json", app), token
    app.state.context.database.close()


schema = schemathesis.pytest.from_fixture("schema")


@pytest.fixture(name="schema")
def _schema(fuzzed):
    return fuzzed[0]


@schema.exclude(path_regex="/(events|erasure)$").parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_the_server(case, fuzzed):
    headers = {"Authorization": f"Bearer {fuzzed[1]}"}
    response = case.call(headers=headers)
    assert response.status_code < 500 or response.status_code == 503, (case, response.text)
    if response.status_code >= 400:
        assert response.headers["content-type"][0].startswith("application/problem+json")
    assert "Traceback" not in response.text and PASSWORD not in response.text
