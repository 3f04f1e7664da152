"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.String(32)


def _id() -> sa.Column[str]:
    return sa.Column("id", _ID, primary_key=True)


def _link(name: str, target: str) -> sa.Column[str]:
    return sa.Column(name, _ID, sa.ForeignKey(target), nullable=False, index=True)


def _time(name: str, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=nullable)


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def upgrade() -> None:
    op.create_table(
        "users",
        _id(),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        _text("password", 255),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        _time("created"),
    )
    op.create_table(
        "tokens",
        _id(),
        _link("user_id", "users.id"),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        _text("label", 64),
        _text("scopes", 255),
        _time("created"),
        _time("expires"),
        _time("revoked", nullable=True),
    )
    op.create_table(
        "avatars",
        _id(),
        _link("owner_id", "users.id"),
        _text("name", 120),
        _text("digest", 64),
        sa.Column("size", sa.BigInteger(), nullable=False),
        _text("blob", 32),
        _time("created"),
    )
    op.create_table(
        "grants",
        _id(),
        _link("avatar_id", "avatars.id"),
        _link("holder_id", "users.id"),
        _time("created"),
        _time("expires"),
        _time("revoked", nullable=True),
    )
    op.create_table(
        "leases",
        _id(),
        _link("grant_id", "grants.id"),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        _time("created"),
        _time("expires"),
    )
    op.create_table(
        "jobs",
        _id(),
        _link("owner_id", "users.id"),
        _text("kind", 32),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("inputs", _ID),
        _text("state", 16),
        sa.Column("fence", sa.Integer(), nullable=False),
        _time("lease_until"),
        _time("progress"),
        _text("note", 255),
        sa.Column("checkpoint", _ID),
        sa.Column("result", _ID),
        sa.Column("error", sa.Text(), nullable=False),
        _time("created"),
        _time("updated"),
    )
    op.create_index("ix_jobs_state_lease", "jobs", ["state", "lease_until"])
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "events",
        sa.Column("id", whole, primary_key=True, autoincrement=True),
        _time("time"),
        sa.Column("actor_id", _ID, nullable=False, index=True),
        sa.Column("owner_id", _ID, nullable=False, index=True),
        _text("action", 32),
        _text("subject", 32),
    )


def downgrade() -> None:
    for table in ("events", "jobs", "leases", "grants", "avatars", "tokens", "users"):
        op.drop_table(table)
