"""What routes share, and who is asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from service.accounts import tokens
from service.accounts.passwords import Passwords
from service.accounts.tokens import Bearer
from service.api.guesses import Guesses
from service.api.problems import refuse
from service.api.rate import address_of
from service.api.settings import ServiceSettings
from service.api.shares import Shares
from service.calls.rooms import Rooms
from service.store.database import Database
from service.store.library import Library
from service.store.models import StoredAvatar
from service.store.opened import Store


@dataclass(frozen=True)
class Context:
    """clock: seconds since 1970."""

    settings: ServiceSettings
    store: Store
    guesses: Guesses
    clock: Callable[[], float]
    uploads: Shares  # by users, as those below
    streams: Shares
    visits: Shares
    greetings: Shares  # by addresses: sockets that have not yet said who they are
    rooms: Rooms

    @property
    def database(self) -> Database:
        return self.store.database

    @property
    def library(self) -> Library:
        return self.store.library


def context_of(request: Request) -> Context:
    context = request.app.state.context
    assert isinstance(context, Context)
    return context


Shared = Annotated[Context, Depends(context_of)]


def _counted(request: Request, context: Shared) -> Passwords:
    return context.guesses.counted(address_of(request.scope), context.clock())


# Asked for by every route that looks at a password: there is no other way to them.
Counted = Annotated[Passwords, Depends(_counted)]


_scheme = HTTPBearer(
    auto_error=False, scheme_name="token", description="POST /v1/sessions or /v1/tokens gives one."
)
_Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]


def asking(scope: str) -> Any:
    """A dependency: the bearer of a token with this scope.  401 without one, 403 without it."""

    def bearer(shown: _Shown, context: Shared) -> Bearer:
        if shown is None or not shown.credentials:
            raise refuse(401, "Send the header Authorization: Bearer TOKEN.", _BEARER)
        with context.database.read() as session:
            found = tokens.bearer_of(session, shown.credentials.strip(), context.clock())
        if scope not in found.scopes:
            raise refuse(403, f"The token does not have the scope {scope}.", _BEARER)
        return found

    return Depends(bearer)


_BEARER = {"WWW-Authenticate": "Bearer"}


def check_still(context: Context, bearer: Bearer) -> None:
    """Raises AccessError where the token that was shown has ended since."""
    with context.database.read() as session:
        tokens.check_still(session, bearer, context.clock())


def own_avatar(session: Session, avatar: str, user: str) -> StoredAvatar:
    """The avatar if it is the user's; 404 for another's as for none, so that ids tell nothing."""
    found = session.get(StoredAvatar, avatar)
    if found is None or found.owner_id != user:
        raise refuse(404, NO_AVATAR)
    return found


NO_AVATAR = "There is no such avatar, or it is not for you."
