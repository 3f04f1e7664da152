"""Accounts, sign-in, tokens, the audit log, erasure."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from codec.signature import public_key
from service.accounts import tokens, users
from service.accounts.tokens import SCOPES, Bearer
from service.api.context import Counted, Shared, asking
from service.api.documented import refused
from service.api.problems import refuse
from service.api.shapes import (
    Account,
    Credentials,
    EventShown,
    Id,
    PasswordAgain,
    SigningKey,
    TokenIssued,
    TokenShown,
    TokenWanted,
    moment,
)
from service.signing import pem
from service.store import audit
from service.store.models import Token, User

router = APIRouter(prefix="/v1", tags=["accounts"])
Me = Annotated[Bearer, asking("account")]


@router.post("/accounts", status_code=201, responses=refused(403, 409))
def register(asked: Credentials, passwords: Counted, context: Shared) -> Account:
    """A new account, where the server is open for it."""
    if not context.settings.registration:
        raise refuse(403, "This server takes no new accounts.")
    users.plain_name(asked.name)
    hashed = passwords.hashed(asked.password)
    with context.database.write() as session:
        user = users.register(session, context.library, asked.name, hashed, context.clock())
        audit.note(session, user.id, "account.registered", user.id, user.id, user.created)
        return Account(id=user.id, name=user.name, created=moment(user.created))


@router.post("/sessions", status_code=201, responses=refused(401))
def sign_in(
    asked: Credentials, passwords: Counted, context: Shared, response: Response
) -> TokenIssued:
    """A token with every scope, for a person who is here."""
    with context.database.read() as session:
        user = users.find(session, asked.name)
    user = users.check(passwords, user, asked.password)
    response.headers["Cache-Control"] = "no-store"
    span = context.settings.session_hours * 3600
    with context.database.write() as session:
        now = context.clock()
        if session.get(User, user.id) is None:  # erased since
            users.check(passwords, None, "")
        tokens.make_room(session, user.id, context.settings.user_tokens, now, surely=True)
        text, token = tokens.issue(session, user.id, SCOPES, span, "signed in", now)
        audit.note(session, user.id, "token.issued", token.id, user.id, now)
        return TokenIssued(token=text, **TokenShown.of(token).model_dump())


@router.get("/account")
def account(me: Me, context: Shared) -> Account:
    with context.database.read() as session:
        user = session.get_one(User, me.user)
        return Account(id=user.id, name=user.name, created=moment(user.created))


@router.post("/account/erasure", status_code=204)
def erase(asked: PasswordAgain, me: Me, passwords: Counted, context: Shared) -> None:
    """Destroys the account: its key first, so that no file of it can be opened again."""
    with context.database.read() as session:
        user = session.get(User, me.user)
    users.check(passwords, user, asked.password)
    with context.database.write() as session:
        blobs = context.library.erase_user(session, me.user)
    context.database.scrub()
    for blob in blobs:
        context.library.blobs.remove(blob)


@router.post("/account/signing-key")
def signing_key(
    asked: PasswordAgain, me: Me, passwords: Counted, context: Shared, response: Response
) -> SigningKey:
    """The key that signs your calls, to put beside an avatar that you enrolled here, as NAME.key:
    `facewire call` then signs with it."""
    with context.database.read() as session:
        user = session.get(User, me.user)
    user = users.check(passwords, user, asked.password)
    response.headers["Cache-Control"] = "no-store"
    with context.database.write() as session:
        seed = context.library.signing_seed(session, user.id)
        audit.note(session, user.id, "key.fetched", user.id, user.id, context.clock())
    return SigningKey(public=public_key(seed), pem=pem(seed).decode())


@router.get("/tokens")
def list_tokens(me: Me, context: Shared) -> list[TokenShown]:
    with context.database.read() as session:
        query = select(Token).where(Token.user_id == me.user).order_by(Token.created.desc())
        return [TokenShown.of(token) for token in session.scalars(query.limit(200))]


@router.post("/tokens", status_code=201, responses=refused(409))
def issue_token(asked: TokenWanted, me: Me, context: Shared, response: Response) -> TokenIssued:
    """A token for a program; it can do no more than the one that asks."""
    beyond = sorted(set(asked.scopes) & set(SCOPES) - me.scopes)
    if beyond:
        raise refuse(403, f"Your own token does not have the scope {beyond[0]}.")
    now = context.clock()
    span = min(asked.days, context.settings.token_days) * 86_400
    response.headers["Cache-Control"] = "no-store"
    with context.database.write() as session:
        tokens.make_room(session, me.user, context.settings.user_tokens, now)
        text, token = tokens.issue(session, me.user, asked.scopes, span, asked.label, now)
        audit.note(session, me.user, "token.issued", token.id, me.user, now)
        return TokenIssued(token=text, **TokenShown.of(token).model_dump())


@router.delete("/tokens/{id}", status_code=204)
def revoke_token(id: Id, me: Me, context: Shared) -> None:
    with context.database.write() as session:
        token = session.get(Token, id)
        if token is None or token.user_id != me.user:
            raise refuse(404, "There is no such token of yours.")
        tokens.revoke(session, token, context.clock())
        audit.note(session, me.user, "token.revoked", id, me.user, context.clock())


@router.delete("/tokens", status_code=204)
def revoke_other_tokens(me: Me, context: Shared) -> None:
    """Signs out everywhere else: stops all your tokens but the one that asks, also those that a
    stolen one has issued."""
    with context.database.write() as session:
        for id in tokens.revoke_others(session, me, context.clock()):
            audit.note(session, me.user, "token.revoked", id, me.user, context.clock())


@router.get("/audit")
def audit_log(
    me: Me,
    context: Shared,
    before: Annotated[int | None, Query(ge=1, le=1 << 62)] = None,
    most: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[EventShown]:
    """What you did, and what others did with what is yours, newest first."""
    with context.database.read() as session:
        return [
            EventShown(
                number=e.number, time=moment(e.time), actor=e.actor, action=e.action,
                subject=e.subject,
            )
            for e in audit.entries(session, me.user, before, most)
        ]  # fmt: skip
