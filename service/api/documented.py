"""What /openapi.json says beside what FastAPI finds by itself: errors, and bodies of bytes.

An error that follows from what an operation is like (a token, an id in its path, a body) is added
here to all such; a route names those of its own: `responses=refused(409)`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field

_REF = "#/components/schemas/"
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class Fault(BaseModel):
    at: str = Field(description="where in the request")
    what: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str | None = Field(None, description="what is wrong, and what to do about it")
    errors: list[Fault] | None = Field(None, description="of a request's form")


def refused(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Errors that an operation may answer, for `responses`."""
    content = {"application/problem+json": {"schema": {"$ref": f"{_REF}Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }


def sent(kind: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Answers that are bytes of a media type, for `responses`."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {kind: _BINARY}}
        for status in statuses or (200,)
    }


# A body that is a file as it is, for `openapi_extra`.
FILE: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}
}


def document(app: FastAPI) -> None:
    """Adds what is said above.  The schema is made when it is first asked for."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = plain()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            for model in (Problem, Fault):
                schemas[model.__name__] = model.model_json_schema(ref_template=f"{_REF}{{model}}")
                schemas[model.__name__].pop("$defs", None)
            for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form
                schemas.pop(unused, None)
            for path, operations in schema["paths"].items():
                for operation in operations.values():
                    for status, answer in refused(*_errors(path, operation)).items():
                        operation["responses"][str(status)] = answer
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _errors(path: str, operation: dict[str, Any]) -> set[int]:
    if not path.startswith("/v1/"):
        return set()
    errors = {429}
    if "security" in operation:
        errors |= {401, 403}
    if "{" in path:
        errors |= {404}
    if operation.get("parameters"):
        errors |= {422}
    if "requestBody" in operation:
        errors |= {400, 408, 413, 422}
    return errors
