"""The database: SQLite in a file by default, PostgreSQL by its URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from avatar.errors import InputError, StorageError, VersionError

_MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATING = 0x46574D31  # PostgreSQL's advisory lock while tables change
_BUSY_MS = 30_000  # how long SQLite waits for another writer


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


class Database:
    """Sessions on a database.  Raises InputError for a URL that is none."""

    def __init__(self, url: str) -> None:
        try:
            self._engine = create_engine(make_url(url), pool_pre_ping=True, pool_size=20)
        except ArgumentError:
            raise InputError(  # the URL may hold a password, so it is not shown
                "the database's URL cannot be read",
                "Give one such as postgresql+psycopg://user:password@host/name.",
            ) from None
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        if self.is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        writing = self._engine.execution_options(writes=True)
        self._reading = sessionmaker(self._engine, expire_on_commit=False)
        self._writing = sessionmaker(writing, expire_on_commit=False)
        self._writing_engine = writing
        self._to_scrub = self.is_sqlite
        self._scrubbing = Lock()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One consistent view; what is changed in it is not kept."""
        with self._reading() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction, kept when the block ends without an error."""
        with self._writing() as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Brings the tables to this version's, from any older one or from nothing.

        Raises VersionError for tables of a newer Facewire, StorageError where there is no database.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        try:
            with self._writing_engine.begin() as connection:
                if not self.is_sqlite:  # SQLite's BEGIN IMMEDIATE is a lock already
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATING})"))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except CommandError as error:
            raise VersionError(
                f"the database was written by a newer Facewire ({error})", "Update Facewire."
            ) from error
        except OperationalError as error:
            raise StorageError(
                f"the database cannot be opened ({type(error.orig).__name__})",
                "Check that its folder or its server is there and may be written.",
            ) from error

    def check(self) -> None:
        """Raises what the database raises when it does not answer."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def scrub(self) -> None:
        """Takes deleted bytes out of SQLite's journal, which else keeps them for a while.  Where a
        reader keeps it from that for long, `scrub_again` has to do it."""
        if not self.is_sqlite:
            return
        self._to_scrub = True
        with self._scrubbing:
            self._to_scrub = False  # what is deleted from here on asks for another
            done = False
            try:
                done = self._truncated()
            finally:
                if not done:
                    self._to_scrub = True

    def _truncated(self) -> bool:
        connection = self._engine.raw_connection()
        try:
            asked = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            ((busy, _, _),) = asked.fetchall()
            return not busy
        finally:
            connection.close()

    def scrub_again(self) -> None:
        """Scrubs where that is still to be done; also what a process left that was killed."""
        if self._to_scrub:
            self.scrub()

    def close(self) -> None:
        self._engine.dispose()


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={_BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",  # a destroyed key is overwritten in the file
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer that begins as a reader can fail half way; it takes the lock at once instead.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
