"""Registering and signing in."""

from __future__ import annotations

import re

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from avatar.errors import AccessError, InputError, TakenError
from service.accounts.passwords import Passwords
from service.store.library import Library
from service.store.models import User

# Plain enough that no two names look alike, and that a name is safe wherever it is shown.
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?")


def plain_name(text: str) -> str:
    """A user's name as it is kept.  Raises InputError."""
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise InputError(
            "this is no user name",
            "Use 1 to 40 of a-z, 0-9, dot, dash and underscore, a letter or digit at both ends.",
        )
    return name


def register(session: Session, library: Library, name: str, hashed: str, now: float) -> User:
    """A new user.  hashed: the password's hash, made before the transaction, since it is slow.

    Raises InputError, TakenError.
    """
    plain = plain_name(name)
    try:
        with session.begin_nested():
            return library.new_user(session, plain, hashed, now)
    except IntegrityError:
        raise TakenError("this user name is taken", "Choose another.") from None


def find(session: Session, name: str) -> User | None:
    """None also for what is no user's name: the database is asked for none that it may refuse."""
    try:
        plain = plain_name(name)
    except InputError:
        return None
    return session.scalar(select(User).where(User.name == plain))


def check(passwords: Passwords, user: User | None, password: str) -> User:
    """The user whose password it is.  Raises AccessError, the same for an unknown name."""
    if not passwords.fits(password, user.password if user else None) or user is None:
        raise AccessError("name and password do not fit", "Type both again.")
    return user
