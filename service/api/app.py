"""The HTTP API.  `make_app(settings)` is an ASGI application; uvicorn runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Response
from sqlalchemy.exc import SQLAlchemyError

from avatar.errors import StorageError
from service.accounts.passwords import Passwords, PasswordSettings
from service.api import accounts, avatars, grants
from service.api.context import Context, Shared
from service.api.limits import Limits
from service.api.problems import add_handlers, problem
from service.api.settings import ServiceSettings
from service.store.blobs import BlobFolder
from service.store.database import Database, sqlite_url
from service.store.keys import MasterKey, master_key_file, parse_master_key
from service.store.library import Library

_ABOUT = (
    "Accounts, avatars and who may receive them.  Errors are application/problem+json (RFC 9457)."
)


def make_app(settings: ServiceSettings, clock: Callable[[], float] = time.time) -> FastAPI:
    """Opens the store, brings its tables up to date, and serves it.  clock: seconds since 1970.

    Raises InputError, StorageError and VersionError where the settings or the store do not hold.
    """
    context = _context(settings, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        context.database.close()

    app = FastAPI(
        title="Facewire",
        description=_ABOUT,
        version="1",
        docs_url=None,  # its pages load scripts from elsewhere; /openapi.json says the same
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.context = context
    app.add_middleware(Limits, settings=settings, clock=clock)
    add_handlers(app)
    app.get("/healthz", tags=["operation"])(health)
    for module in (accounts, avatars, grants):
        app.include_router(module.router)
    return app


def health(context: Shared) -> Response:
    """200 while the database answers."""
    try:
        context.database.check()
    except SQLAlchemyError:
        return problem(503, "The database does not answer.")
    return Response('{"status":"ok"}', media_type="application/json")


def _context(settings: ServiceSettings, clock: Callable[[], float]) -> Context:
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {settings.data} cannot be made ({error.strerror or error})",
            "Set FACEWIRE_DATA to a folder that may be written.",
        ) from error
    master = _master(settings)
    database = Database(settings.database or sqlite_url(settings.data / "facewire.db"))
    database.migrate()
    return Context(
        settings=settings,
        database=database,
        library=Library(master, BlobFolder(settings.data / "sealed")),
        passwords=Passwords(
            PasswordSettings(settings.password_passes, settings.password_memory, lanes=2)
        ),
        clock=clock,
        uploads=asyncio.Semaphore(settings.uploads),
    )


def _master(settings: ServiceSettings) -> MasterKey:
    if settings.master_key:
        return parse_master_key(settings.master_key)
    return master_key_file(Path(settings.master_key_file or settings.data / "master.key"))
