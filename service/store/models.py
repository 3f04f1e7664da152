"""The service's tables.  Times are seconds since 1970, ids 32 random hex digits.

Nothing in them describes a face: pictures and avatars are sealed files, named here only.
"""

from __future__ import annotations

import re
import secrets
from typing import Any, TypeGuard

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import Integer

ID = String(32)


_ID = re.compile("[0-9a-f]{32}")


def new_id() -> str:
    return secrets.token_hex(16)


def is_id(given: object) -> TypeGuard[str]:
    """For what comes from outside: a database may refuse other text."""
    return isinstance(given, str) and _ID.fullmatch(given) is not None


class Base(DeclarativeBase):
    type_annotation_map = {float: Double(), bytes: LargeBinary(), dict[str, Any]: JSON()}


class User(Base):
    __tablename__ = "users"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password: Mapped[str] = mapped_column(String(255))  # argon2's encoded hash
    wrapped_key: Mapped[bytes]
    created: Mapped[float]


class Token(Base):
    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ID, ForeignKey("users.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of the token
    label: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[str] = mapped_column(String(255))  # with spaces between
    created: Mapped[float]
    expires: Mapped[float]
    revoked: Mapped[float | None]


class StoredAvatar(Base):
    """Its content never changes: a new fit is a new row."""

    __tablename__ = "avatars"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(ID, ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    digest: Mapped[str] = mapped_column(String(64))  # the archive's own
    size: Mapped[int] = mapped_column(BigInteger)
    blob: Mapped[str] = mapped_column(ID)
    sign: Mapped[str | None] = mapped_column(ID)  # a sealed descriptor of its owner's face
    created: Mapped[float]


class Grant(Base):
    """The holder may fetch the avatar until it expires or is revoked."""

    __tablename__ = "grants"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    avatar_id: Mapped[str] = mapped_column(ID, ForeignKey("avatars.id"), index=True)
    holder_id: Mapped[str] = mapped_column(ID, ForeignKey("users.id"), index=True)
    created: Mapped[float]
    expires: Mapped[float]
    revoked: Mapped[float | None]


class Lease(Base):
    """A key lent under a grant for one download; the key itself is derived, never stored."""

    __tablename__ = "leases"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    grant_id: Mapped[str] = mapped_column(ID, ForeignKey("grants.id"), index=True)
    salt: Mapped[bytes]
    created: Mapped[float]
    expires: Mapped[float]


class Job(Base):
    """A piece of long work.  `fence` rises with every claim: who holds an older one has lost it.
    `losses` counts workers that vanished with it since it last got on."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_state_lease", "state", "lease_until"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(ID, ForeignKey("users.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    settings: Mapped[dict[str, Any]]
    inputs: Mapped[str | None] = mapped_column(ID)  # a sealed file
    # empty (its inputs have not come yet), waiting, running, done, failed, cancelled
    state: Mapped[str] = mapped_column(String(16))
    fence: Mapped[int] = mapped_column(Integer)
    lease_until: Mapped[float]
    progress: Mapped[float]  # 0..1
    note: Mapped[str] = mapped_column(String(255))
    checkpoint: Mapped[str | None] = mapped_column(ID)  # a sealed file
    preview: Mapped[str | None] = mapped_column(ID)  # a sealed PNG
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    losses: Mapped[int] = mapped_column(Integer, default=0)
    result: Mapped[str | None] = mapped_column(ID)  # an avatar
    output: Mapped[str | None] = mapped_column(ID, index=True)  # a sealed file, kept for a while
    error: Mapped[str] = mapped_column(Text)
    created: Mapped[float]
    updated: Mapped[float]

    @property
    def blobs(self) -> list[str]:
        """Its sealed files."""
        return [b for b in (self.inputs, self.checkpoint, self.preview, self.output) if b]


class Event(Base):
    """One line of the audit log: who did what to whose thing."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    time: Mapped[float]
    actor_id: Mapped[str] = mapped_column(ID, index=True)
    owner_id: Mapped[str] = mapped_column(ID, index=True)  # whose thing it is
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(ID)  # id of the avatar, grant, token or job
