"""Errors as RFC 9457 has them: application/problem+json, and nothing that was sent in them."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from avatar.errors import (
    AccessError,
    FacewireError,
    FormatError,
    InputError,
    StorageError,
    TakenError,
)

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
_log = logging.getLogger("facewire.api")

# The first class that an error is decides.
_STATUS: tuple[tuple[type[FacewireError], int], ...] = (
    (AccessError, 401),
    (TakenError, 409),
    (InputError, 422),
    (FormatError, 422),
    (StorageError, 507),
)


def problem(
    status: int, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if detail:
        body["detail"] = detail
    return JSONResponse(
        body | more, status, {"Cache-Control": "no-store"} | (headers or {}),
        media_type="application/problem+json",
    )  # fmt: skip


def refuse(status: int, detail: str, headers: dict[str, str] | None = None) -> HTTPException:
    """To be raised inside a route."""
    return HTTPException(status, detail, headers)


def add_handlers(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(FacewireError, _ours)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(IntegrityError, _overtaken)
    app.add_exception_handler(OperationalError, _away)
    app.add_exception_handler(InterfaceError, _away)
    app.add_exception_handler(Exception, _bug)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    if error.status_code == 405:
        headers = {"Allow": ", ".join(_allowed(request))}
    return problem(error.status_code, error.detail, headers)


def _allowed(request: Request) -> list[str]:
    """The methods of a path: each may have a route of its own."""
    asked = ({**request.scope, "method": method} for method in METHODS)
    return [
        scope["method"]
        for scope in asked
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    ]


async def _invalid(request: Request, error: Exception) -> Response:
    """Where and what, but never the value: it may be a password."""
    assert isinstance(error, RequestValidationError)
    found = [
        {"at": ".".join(str(part) for part in one["loc"])[:200], "what": one["msg"]}
        for one in error.errors()[:20]
    ]
    return problem(422, "The request does not have the form that is documented.", errors=found)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, FacewireError)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if status == 500:
        return await _bug(request, error)
    if status == 507:
        _log.error("storage: %s", error.message)  # a path on the server is not the client's affair
        return problem(status, "The server cannot store or read this now.")
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return problem(status, error.sentences, headers)


async def _gone(request: Request, error: Exception) -> Response:
    """Who sent has gone before the end: nobody reads this, and nothing of it was kept."""
    return problem(400, "The request ended before its body did.")


async def _overtaken(request: Request, error: Exception) -> Response:
    """Another request took away what this one was to build upon, between its looks."""
    return problem(409, "Something that this needs was changed or deleted meanwhile; look again.")


async def _away(request: Request, error: Exception) -> Response:
    _log.error("database: %s", type(error).__name__)
    return problem(503, "The database does not answer.", {"Retry-After": "5"})


async def _bug(request: Request, error: Exception) -> Response:
    # The type and the route alone: a message may hold what was sent, and a path whose it was.
    route = getattr(request.scope.get("route"), "path", "other")
    _log.error("%s %s: %s", request.method, route, type(error).__name__)
    return problem(500, "The server failed; this has been logged.")
