"""The HTTP API.  `make_app(settings)` is an ASGI application; uvicorn runs it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from service.accounts.passwords import Passwords, PasswordSettings
from service.api import accounts, avatars, capture, enrolments, grants, mirror, renderings, rooms
from service.api.context import Context, Shared
from service.api.documented import document, refused
from service.api.guesses import Guesses
from service.api.limits import Limits
from service.api.observed import Observed, Observer
from service.api.opening import store_of
from service.api.problems import add_handlers, problem
from service.api.purge import Kept, purge
from service.api.settings import ServiceSettings
from service.api.shares import Shares
from service.calls.rooms import Rooms
from service.log import log_request

_log = logging.getLogger("facewire.api")
_GREETINGS = 256  # sockets that have not yet said who they are; a sixteenth for an address
_PURGE = 3600.0  # seconds between two looks at what has ended
_TIDY = 60.0  # and at videos that have outlived their time

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
        tasks = [
            asyncio.create_task(_again(_TIDY, partial(renderings.tidy, context))),
            asyncio.create_task(_again(_TIDY, context.database.scrub_again)),
            asyncio.create_task(_again(_PURGE, partial(_purge, context))),
        ]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await context.rooms.close()
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
    observers: list[Observer] = [log_request]
    if settings.metrics:
        observers.append(_measured(app, context))
    app.add_middleware(Observed, observers=observers)
    add_handlers(app)
    app.get("/healthz", tags=["operation"], responses=refused(503))(health)
    for module in (accounts, avatars, grants, enrolments, renderings, capture, mirror, rooms):
        app.include_router(module.router)
    document(app)
    return app


def _measured(app: FastAPI, context: Context) -> Observer:
    from service.api.metrics import TYPE, Metrics

    metrics = Metrics(context)

    @app.get("/metrics", include_in_schema=False)
    def figures() -> Response:
        return Response(metrics.text(), media_type=TYPE)

    return metrics.observe


def _purge(context: Context) -> None:
    limits = context.settings
    kept = Kept(limits.ended_days * 86_400, limits.event_days * 86_400)
    purge(context.store, kept, context.clock())


async def _again(seconds: float, work: Callable[[], None]) -> None:
    """Does it now and whenever so many seconds have gone, until it is cancelled."""
    while True:
        try:
            await run_in_threadpool(work)
        except Exception as error:  # the next time, then
            _log.error("nothing was tidied: %s", type(error).__name__)
        await asyncio.sleep(seconds)


def health(context: Shared) -> Response:
    """200 while the database answers."""
    try:
        context.database.check()
    except SQLAlchemyError:
        return problem(503, "The database does not answer.")
    return Response('{"status":"ok"}', media_type="application/json")


def _context(settings: ServiceSettings, clock: Callable[[], float]) -> Context:
    return Context(
        settings=settings,
        store=store_of(settings),
        guesses=Guesses(
            Passwords(
                PasswordSettings(settings.password_passes, settings.password_memory, lanes=2)
            ),
            settings.sign_in_rate,
        ),
        clock=clock,
        uploads=Shares(settings.uploads, settings.user_uploads, "sending files"),
        streams=Shares(settings.streams, settings.user_streams, "following progress", 30),
        visits=Shares(settings.visits, settings.user_visits, "before a camera"),
        greetings=Shares(_GREETINGS, _GREETINGS // 16, "connecting"),
        rooms=Rooms(
            settings.rooms,
            shard=settings.shard,
            each=settings.user_rooms,
            browsers=settings.browsers,
            user_browsers=settings.user_browsers,
        ),
    )
