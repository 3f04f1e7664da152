"""So much of each user and no more, counted where nothing of theirs can be added meanwhile."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from avatar.errors import TakenError
from service.store.models import Base, StoredAvatar, User

Row = TypeVar("Row", bound=Base)


def hold(session: Session, user: str) -> None:
    """Until this transaction ends, others that hold the same user wait: what is counted after it
    is still so when something is added."""
    # Weaker than FOR UPDATE, for which all would wait that add a row with the user's id.
    session.execute(select(User.id).where(User.id == user).with_for_update(key_share=True))


def count(session: Session, rows: Select[Any]) -> int:
    return session.scalar(select(func.count()).select_from(rows.subquery())) or 0


def check(session: Session, rows: Select[Any], most: int, what: str, cure: str) -> None:
    """Raises TakenError where there are `most` rows already.  what: they are."""
    if count(session, rows) >= most:
        raise TakenError(f"you have as many {what} as you may", cure)


def check_avatars(session: Session, user: str, most: int) -> None:
    """Raises TakenError where the user keeps `most` already."""
    mine = select(StoredAvatar.id).where(StoredAvatar.owner_id == user)
    check(session, mine, most, "avatars", "Delete one first.")


def spare(
    session: Session,
    table: type[Row],
    mine: ColumnElement[bool],
    ended: ColumnElement[bool],
    most: int,
    by: InstrumentedAttribute[float],
) -> list[Row]:
    """Rows that have ended, the first by `by`, as many as have to go before one more makes
    `most`; fewer where there are not so many."""
    over = count(session, select(table).where(mine)) + 1 - most
    return list(session.scalars(select(table).where(mine, ended).order_by(by).limit(max(0, over))))
