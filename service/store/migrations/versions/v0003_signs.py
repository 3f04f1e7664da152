"""The sealed sign of an avatar's face, for its owner alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("avatars", sa.Column("sign", sa.String(32)))


def downgrade() -> None:
    op.drop_column("avatars", "sign")
