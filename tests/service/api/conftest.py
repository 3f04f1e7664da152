"""The API as a user sees it, over HTTP but without a network, at a time that tests set."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from service.api.settings import ServiceSettings

if TYPE_CHECKING:
    import httpx

PASSWORD = "correct horse battery"


@dataclass
class Server:
    settings: ServiceSettings
    runner: asyncio.Runner
    now: float = 1_000_000.0
    answers: list[httpx.Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        import httpx

        from service.api.app import make_app

        self.app = make_app(self.settings, clock=lambda: self.now)
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://facewire",
        )

    def call(self, method: str, path: str, token: str | None = None, **more: Any) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        answer = self.runner.run(self._client.request(method, path, headers=headers, **more))
        self.answers.append(answer)
        return answer

    def user(self, name: str) -> str:
        """Registers, signs in, returns the token."""
        who = {"name": name, "password": PASSWORD}
        assert self.call("POST", "/v1/accounts", json=who).status_code == 201
        return self.call("POST", "/v1/sessions", json=who).json()["token"]

    def avatar(self, token: str, archive: bytes) -> str:
        added = self.call("POST", "/v1/avatars", token, content=archive)
        assert added.status_code == 201, added.text
        return added.json()["id"]

    def close(self) -> None:
        self.runner.run(self._client.aclose())
        self.app.state.context.database.close()


@pytest.fixture
def serve(tmp_path):
    """serve(**settings) -> Server; limits are far and hashes cheap where a test says nothing."""
    for package in ("fastapi", "httpx", "sqlalchemy", "alembic", "argon2", "cryptography"):
        pytest.importorskip(package)
    servers = []
    plenty = {"rate": 1e6, "sign_in_rate": 1e6, "password_passes": 1, "password_memory": 16}
    with asyncio.Runner() as runner:

        def make(**settings: Any) -> Server:
            made = Server(ServiceSettings(data=tmp_path / "data", **plenty | settings), runner)
            servers.append(made)
            return made

        yield make
        for server in servers:
            server.close()
            for answer in server.answers:
                assert answer.status_code < 500 or answer.status_code == 503, answer.text
                if answer.status_code >= 400:
                    assert answer.headers["content-type"] == "application/problem+json"
                    assert answer.json()["status"] == answer.status_code
                    assert PASSWORD not in answer.text and str(tmp_path) not in answer.text
