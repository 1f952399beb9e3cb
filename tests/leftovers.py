"""What the tests of one process left open: counted when they are through, so that somebody closes it.

What is open is a thread, a child process, a file or socket, or a connection to a database. On systems
without /proc, files, sockets and processes are not counted.
"""

from __future__ import annotations

import gc
import os
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Pool, event
from tqdm import TMonitor

from core.reading import sandbox

Connection = sqlite3.Connection | psycopg.Connection

# A call that passed its deadline is left behind on purpose and ends by itself: it may take so long.
PATIENCE_S = 30.0

_PROC = Path("/proc/self")
# Devices, and files that libraries keep open, such as the weights of the model.
_NOBODYS = re.compile(r"^/dev/(null|u?random)$|/(site|dist)-packages/")


class Watch:
    """Knows what was open when it began; tells what was opened since and is open still.

    Connections are held, so that one which nobody closes is named here: the garbage collector would
    warn of it in whichever test it happens to run. Threads that end by themselves in `patience_s` do.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._threads = set(threading.enumerate())
        self._children = _children()
        self._files = _files()
        self._connections = _connections()
        self._opened: list[tuple[Connection, str]] = []
        self._noting = threading.Lock()
        event.listen(Pool, "connect", self._note)

    def _note(self, connection: Connection, _: object) -> None:
        with self._noting:
            still_open = [known for known in self._opened if _is_open(known[0])]
            self._opened = [*still_open, (connection, os.environ.get("PYTEST_CURRENT_TEST", "no test"))]

    def end(self) -> list[str]:
        """Stop watching; return a line for each thing that was opened and is open still."""
        event.remove(Pool, "connect", self._note)
        return [
            *self._left_threads(),
            *self._left_children(),
            *self._left_connections(),
            *self._left_files(),
        ]

    def _left_threads(self) -> Iterator[str]:
        ends_s = time.monotonic() + self._patience_s
        for thread in set(threading.enumerate()) - self._threads:
            thread.join(max(0.0, ends_s - time.monotonic()))
            if thread.is_alive():
                yield f"thread {thread.name!r}"

    def _left_children(self) -> Iterator[str]:
        for child in sorted(_children() - self._children):
            yield f"process {child}: {_command(child) or 'it ended, and nobody waited for it'}"

    def _left_connections(self) -> Iterator[str]:
        openers = {connection: opener for connection, opener in self._opened if _is_open(connection)}
        for connection in (_connections() | openers.keys()) - self._connections:
            yield f"{type(connection).__module__} connection, opened in {openers.get(connection, 'a test')}"

    def _left_files(self) -> Iterator[str]:
        sockets = {item.fileno(): item for item in gc.get_objects() if issubclass(type(item), socket.socket)}
        for number, name in _files() - self._files:
            if not _NOBODYS.search(name):
                yield f"file {sockets.get(number, name)}"


def _connections() -> set[Connection]:
    """Return the connections that are open; of one without SQLAlchemy only the garbage collector knows."""
    return {item for item in gc.get_objects() if issubclass(type(item), Connection) and _is_open(item)}


def _is_open(connection: Connection) -> bool:
    if not isinstance(connection, sqlite3.Connection):
        return not connection.closed
    try:
        return connection.total_changes >= 0
    except sqlite3.ProgrammingError:  # it was closed
        return False


def _children() -> set[int]:
    """Return the process ids of what this process started, ended ones that nobody waited for included."""
    lists = [path.read_text() for path in _PROC.glob("task/*/children")]
    return {int(number) for found in lists for number in found.split()}


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:  # it is gone
        return ""


def _files() -> set[tuple[int, str]]:
    """Return number and name of each file, socket and pipe that is open."""
    found = set()
    for link in _PROC.glob("fd/*"):
        with suppress(OSError):  # that of this listing itself
            found.add((int(link.name), str(link.readlink())))
    return found


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    """Fail the run when something is open after the last test.

    What lives as long as the process is closed here: the child that parses files, and the threads
    with which tqdm looks after its bars.
    """
    watch = Watch()
    yield
    sandbox.end_child()
    for thread in threading.enumerate():
        if isinstance(thread, TMonitor):  # a bar of a subclass has a thread of its own
            thread.exit()
    left = watch.end()
    assert not left, "left open by the tests:\n" + "\n".join(left)
