"""The pages beside the API, asked without a browser: who answers what."""

from __future__ import annotations

import asyncio

import pytest

for package in ("gradio", "fastapi", "httpx"):
    pytest.importorskip(package)

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    import httpx

    from demo.pages.site import with_pages
    from service.api.app import make_app
    from service.api.settings import ServiceSettings

    app = with_pages(make_app(ServiceSettings(data=tmp_path_factory.mktemp("shown"), metrics=True)))
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://facewire")
        yield lambda *what, **more: runner.run(client.request(*what, **more))
        runner.run(client.aclose())
    app.state.context.database.close()


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("PUT", "/v1/avatars", "GET, POST"), ("DELETE", "/v1/accounts", "POST"),
     ("POST", "/healthz", "GET"), ("POST", "/metrics", "GET"), ("TRACE", "/healthz", "GET"),
     ("PUT", f"/v1/avatars/{'0' * 32}/archive", "GET, HEAD")],
)  # fmt: skip
def test_another_method_is_refused_and_told_which_there_are(ask, method, path, allow):
    answer = ask(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)
    assert answer.headers["allow"] == allow and answer.json()["status"] == 405


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/nope"), ("GET", "/v1/avatars/"), ("GET", "/v1/"), ("GET", "/nope"),
     ("GET", "/healthz/x"), ("GET", "/pages/nope.js"), ("POST", "/"), ("GET", "/config"),
     ("GET", "/gradio_api/info"), ("GET", "/gradio_api/file=/etc/passwd"), ("GET", "/monitoring"),
     ("POST", "/gradio_api/queue/join"), ("GET", "/gradio_api/heartbeat/x"), ("GET", "/compare"),
     ("GET", "//gradio_api/info"), ("GET", "/static/../config"), ("GET", "/GRADIO_API/info")],
)  # fmt: skip
def test_what_nobody_serves_is_a_problem_and_not_gradios(ask, method, path):
    answer = ask(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    assert answer.json()["status"] == 404


def test_gradio_takes_no_files(ask):
    sent = ask("POST", "/gradio_api/upload", files={"files": ("x.html", b"<b>x</b>")})
    assert (sent.status_code, sent.headers["content-type"]) == (404, PROBLEM)


@pytest.mark.parametrize("path", ["/", "/call", "/yours", "/theme.css"])
def test_the_pages_are_there_and_in_nobodys_frame(ask, path):
    page = ask("GET", path)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("liveness", [False, True])
def test_a_page_offers_a_file_where_one_is_taken(tmp_path, liveness):
    from fastapi.testclient import TestClient

    from demo.pages.site import with_pages
    from service.api.app import make_app
    from service.api.settings import ServiceSettings

    app = with_pages(make_app(ServiceSettings(data=tmp_path, liveness=liveness)))
    page = TestClient(app).get("/").text
    app.state.context.database.close()
    assert "fw-film" in page
    assert ("fw-file" in page, "fw-enough" in page) == (not liveness, not liveness)
