"""Random requests after the documented schema and against it: never a 5xx, and every answer of a
status, type and form that are documented."""

from __future__ import annotations

import pytest

pytest.importorskip("schemathesis")
pytest.importorskip("fastapi")

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from service.api.app import make_app
from service.api.settings import ServiceSettings

PASSWORD = "correct horse battery"
EXAMPLES = 6  # of each operation, and as many that are not as documented


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


CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def fuzz(operation, headers, mode) -> set[int]:
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
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        answer = case.call(headers=headers)
        statuses.add(answer.status_code)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        assert PASSWORD not in answer.text and "Traceback" not in answer.text
        case.validate_response(answer, checks=CHECKS)
        if mode is GenerationMode.NEGATIVE:
            case.validate_response(answer, checks=[checks.negative_data_rejection])

    check()
    return statuses


def test_no_request_breaks_the_server(somebody):
    app, token = somebody
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == sum(len(methods) for methods in app.openapi()["paths"].values())
    headers = {"Authorization": f"Bearer {token}"}
    seen = {
        operation.label: fuzz(operation, headers, GenerationMode.POSITIVE)
        for operation in operations
    }
    assert all(seen.values()) and {200, 404, 422} <= set().union(*seen.values()), seen
    asked = [one for one in operations if one.body or one.path_parameters or one.query]
    wrong = [fuzz(operation, headers, GenerationMode.NEGATIVE) for operation in asked]
    assert len(asked) > 20 and all(wrong) and 422 in set().union(*wrong)


def test_what_is_documented_is_what_there_is(somebody):
    app, _ = somebody
    schema = app.openapi()
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert "HTTPValidationError" not in str(schema)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            for status, answer in answers.items():
                if status >= "400":
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
            if path.startswith("/v1/"):
                assert "429" in answers
                open_to_all = path in ("/v1/accounts", "/v1/sessions", "/v1/consent")
                assert ("security" in operation) != open_to_all
    archive = schema["paths"]["/v1/avatars/{id}/archive"]["get"]["responses"]
    assert {"200", "206", "304", "401", "403", "404", "416", "422"} <= set(archive)
    video = schema["paths"]["/v1/enrolments/{id}/video"]["put"]
    assert list(video["requestBody"]["content"]) == ["application/octet-stream"]
    assert {"400", "408", "409", "413", "422", "503"} <= set(video["responses"])
    events = schema["paths"]["/v1/enrolments/{id}/events"]["get"]["responses"]["200"]
    assert list(events["content"]) == ["text/event-stream"]
