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


def test_no_request_breaks_the_server(somebody):
    app, token = somebody
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    seen: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case, name=operation.label):
            answer = case.call(headers=headers)
            seen.setdefault(name, set()).add(answer.status_code)
            assert answer.status_code < 500, (name, case.as_curl_command(), answer.text)
            assert PASSWORD not in answer.text and "Traceback" not in answer.text
            if answer.status_code >= 400:
                kind = answer.headers["content-type"]
                assert "application/problem+json" in kind, (name, kind)

        check()
    assert len(seen) == sum(len(methods) for methods in app.openapi()["paths"].values())
    assert {status for statuses in seen.values() for status in statuses} >= {200, 404, 422}
