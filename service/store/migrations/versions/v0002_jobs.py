"""What a job shows while it runs, and how often it was lost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("preview", sa.String(32)))
    op.add_column("jobs", sa.Column("report", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("jobs", sa.Column("losses", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    for column in ("preview", "report", "losses"):
        op.drop_column("jobs", column)
