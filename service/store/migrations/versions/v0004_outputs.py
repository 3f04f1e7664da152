"""What a job makes for its owner to fetch."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("output", sa.String(32)))
    op.create_index("ix_jobs_output", "jobs", ["output"])


def downgrade() -> None:
    op.drop_index("ix_jobs_output", "jobs")
    op.drop_column("jobs", "output")
