"""A real PostgreSQL, started for the tests and thrown away."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    if program is None:
        pytest.skip("no PostgreSQL here: install Debian's postgresql to run this test")
    return Path(program).parent


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The URL of a server on a socket in a folder of its own.  It does not run as root."""
    programs = _programs()
    become = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("PostgreSQL does not run as root, and there is no setpriv here")
        become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        home = Path("/var/tmp") / folder.name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(mode=0o700)
        shutil.chown(home, "postgres", "postgres")
        folder = home
    data = folder / "data"

    def do(name, *arguments):
        subprocess.run(
            [*become, programs / name, *arguments], check=True, capture_output=True, cwd=folder
        )

    do("initdb", "-D", data, "-U", "facewire", "-A", "trust", "--no-sync", "-E", "UTF8")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    do("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql+psycopg://facewire@/postgres?host={folder}"
    finally:
        do("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
