"""Tokens: what a program shows instead of a password.

A token is 32 random bytes in base64 behind "fw_".  Only its SHA-256 is stored: of 256 random
bits there is nothing to guess, so no slow hash is needed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select, true, update
from sqlalchemy.orm import Session

from avatar.errors import AccessError, InputError
from service.store import bounds
from service.store.models import Token

# What each scope allows.
SCOPES = {
    "account": "tokens, the audit log and erasure",
    "avatars:read": "seeing, fetching and rendering avatars",
    "avatars:write": "adding and deleting avatars, enrolling",
    "grants": "letting others have an avatar",
    "calls": "making rooms and joining calls",
}
LONGEST = 366 * 86_400.0  # seconds
# One message, whatever was wrong with a token.
_UNSOUND = (
    "the token is not known, has expired or was revoked",
    "Sign in again: POST /v1/sessions.",
)


@dataclass(frozen=True)
class Bearer:
    """Who showed a sound token."""

    user: str
    token: str  # its id
    scopes: frozenset[str]
    expires: float


def issue(
    session: Session, user: str, scopes: Iterable[str], span: float, label: str, now: float
) -> tuple[str, Token]:
    """A token for `span` seconds; its text is told this once.  Raises InputError."""
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise InputError("a token needs one scope or more", f"Choose of: {', '.join(SCOPES)}.")
    if not 0 < span <= LONGEST:
        raise InputError("a token lasts a year at most", "Give a shorter time.")
    text = "fw_" + secrets.token_urlsafe(32)
    token = Token(
        user_id=user,
        digest=_digest(text),
        label=label,
        scopes=" ".join(wanted),
        created=now,
        expires=now + span,
        revoked=None,
    )
    session.add(token)
    session.flush()
    return text, token


def make_room(session: Session, user: str, most: int, now: float, surely: bool = False) -> None:
    """For one more token of the user's: lets go of those that have ended.  surely: else of those
    that end next.  Raises TakenError."""
    bounds.hold(session, user)
    mine = Token.user_id == user
    ended = (Token.expires <= now) | Token.revoked.is_not(None)
    for choice in (ended, true())[: 1 + surely]:
        for token in bounds.spare(session, Token, mine, choice, most, Token.expires):
            session.delete(token)
        session.flush()
    bounds.check(session, select(Token.id).where(mine), most, "tokens", "Revoke one first.")


def bearer_of(session: Session, text: str, now: float) -> Bearer:
    """Whose token it is.  Raises AccessError, with one message whatever was wrong."""
    token = session.scalar(select(Token).where(Token.digest == _digest(text)))
    if token is None or not _holds(token, now):
        raise AccessError(*_UNSOUND)
    return Bearer(token.user_id, token.id, frozenset(token.scopes.split()), token.expires)


def check_still(session: Session, bearer: Bearer, now: float) -> None:
    """For what goes on for long.  Raises AccessError once the bearer's token is sound no more, as
    when they were erased."""
    if not stands(session, bearer, now):
        raise AccessError(*_UNSOUND)


def stands(session: Session, bearer: Bearer, now: float) -> bool:
    """Whether the token that was shown would still do."""
    token = session.get(Token, bearer.token)
    return token is not None and _holds(token, now)


def _holds(token: Token, now: float) -> bool:
    return token.revoked is None and now < token.expires


def revoke(session: Session, token: Token, now: float) -> None:
    """Stops it from now on; again is no fault."""
    session.execute(
        update(Token).where(Token.id == token.id, Token.revoked.is_(None)).values(revoked=now)
    )


def revoke_others(session: Session, bearer: Bearer, now: float) -> list[str]:
    """Stops every token of the bearer's but their own, whoever issued it; gives the ids."""
    others = select(Token).where(
        Token.user_id == bearer.user, Token.id != bearer.token, Token.revoked.is_(None),
        Token.expires > now,
    )  # fmt: skip
    stopped = [token.id for token in session.scalars(others.with_for_update())]
    session.execute(
        update(Token).where(Token.id.in_(stopped), Token.revoked.is_(None)).values(revoked=now)
    )
    return stopped


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
