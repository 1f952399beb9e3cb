"""A PostgreSQL server for tests: of Debian's package, on a free port of this machine, gone afterwards."""

import fcntl
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg
from sqlalchemy import make_url

from core.storage import Workspace

_START_S = 30.0

# Runs the server until it ends, or until nobody holds the other end of its input any more: so it goes
# with the process that started it, however that one ends.
_WITH_ITS_STARTER = """
exec 3<&0
"$@" 3<&- &
server=$!
{ cat <&3 >/dev/null; kill -INT $server; } &
wait $server
"""


def find_programs() -> Path | None:
    """Return the folder of the newest server there is, None without one."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in found), key=lambda path: float(path.parent.name), default=None)


@contextmanager
def running_server(programs: Path) -> Iterator[str]:
    """Start a server in a folder of its own and give the address of its database."""
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        rights = _rights()
        if rights:
            shutil.chown(folder, rights["user"], rights["group"])
        data = folder / "data"
        make = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "tester",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        subprocess.run(make, check=True, capture_output=True, cwd=folder, **rights)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            # Nothing here must survive a power cut.
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
        }
        words = [word for option, value in options.items() for word in ("-c", f"{option}={value}")]
        command = ["sh", "-c", _WITH_ITS_STARTER, "sh", programs / "postgres", "-D", data, *words]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=folder, **rights
            ) as server,
        ):
            address = f"postgresql://tester@127.0.0.1:{port}/postgres"
            _wait_for(address, server)
            yield address


def _rights() -> dict[str, Any]:
    """Return what makes a program run as somebody else than root, for whom the server refuses to run."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")  # made by the package of the server
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


# --- one for all workers of a run -------------------------------------------------------------


@contextmanager
def shared_server(programs: Path, folder: Path) -> Iterator[str]:
    """Give the address of the server that all who name this folder share; the first of them starts it.

    Whoever uses it holds a lock together with the others; whoever started it ends it once it has that
    lock alone. A process that dies gives its locks back, so nobody waits for one that is gone.
    """
    told = folder / "postgres.address"
    with ExitStack() as stack:
        users = stack.enter_context((folder / "postgres.users").open("w"))
        with (folder / "postgres.door").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)  # one after the other
            fcntl.flock(users, fcntl.LOCK_SH)
            if not told.exists():
                told.write_text(stack.enter_context(running_server(programs)))
                stack.callback(told.unlink)
                stack.callback(fcntl.flock, users, fcntl.LOCK_EX)
        yield told.read_text()


# --- a database for one test after the other --------------------------------------------------


_SHAPE = """
SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_trigger), version_num FROM alembic_version
"""
_DISCONNECT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_EMPTY = """
DELETE FROM runs; DELETE FROM templates; DELETE FROM preferences;
SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'
"""


class SharedDatabase:
    """A database with the tables of a workspace, which is emptied before each test that uses it.

    To empty one takes milliseconds, to make one 0.2 s; one whose tables were changed is made again.
    """

    def __init__(self, server: str, name: str) -> None:
        self._server = server
        self._name = name
        self._address = make_url(server).set(database=name).render_as_string(hide_password=False)
        self._shape: tuple[Any, ...] | None = None
        self._inside: psycopg.Connection[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def emptied(self) -> str:
        """Return its address, without what the test before left in it, connections included."""
        if self._inside is None or self._looked_at(self._inside) != self._shape:
            self._make()
        return self._address

    def _looked_at(self, inside: psycopg.Connection[Any]) -> tuple[Any, ...] | None:
        """Empty it as far as it is as it was made; return its shape, None when it has none of ours."""
        inside.execute(_DISCONNECT)
        try:
            shape = inside.execute(_SHAPE).fetchone()
        except psycopg.errors.UndefinedTable:
            return None
        if shape == self._shape:
            inside.execute(_EMPTY)
        return shape

    def _make(self) -> None:
        self._leave()
        with psycopg.connect(self._server, autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)")
            server.execute(f"CREATE DATABASE {self._name}")
        Workspace(self._address).close()
        self._inside = psycopg.connect(self._address, autocommit=True)
        self._shape = self._inside.execute(_SHAPE).fetchone()

    def _leave(self) -> None:
        if self._inside is not None:
            self._inside.close()
            self._inside = None
