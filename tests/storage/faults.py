"""Making the N-th thing of a kind fail: what a program tells the database or the disk."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP")
_BEGIN_READING = ("BEGIN", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
# All that core.exports.write_file and core.storage.backup ask of the system to have a file whole.
_FILE_OPERATIONS = ("fsync", "replace", "link")


class Fault:
    """Counts what happens, and is due at the N-th; hit: it came about."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.hit = False

    def due(self) -> bool:
        self.left -= 1
        self.hit |= self.left == 0
        return self.left == 0


def _broken(statement: str) -> OperationalError:
    return OperationalError(statement, None, sqlite3.OperationalError("disk I/O error"))


def _fail_statement(fault: Fault, stack: ExitStack, wanted: Callable[[str], bool]) -> None:
    def before(_connection, _cursor, statement, *_):
        if wanted(statement) and fault.due():
            raise _broken(statement)

    _listen(stack, Engine, "before_cursor_execute", before)


def _fail_write(fault: Fault, stack: ExitStack) -> None:
    _fail_statement(fault, stack, lambda statement: statement.lstrip().startswith(_WRITES))


def _fail_read(fault: Fault, stack: ExitStack) -> None:
    """Without the beginning of a reading transaction: it comes with the first statement of one.

    Whoever asks for that statement meets the same error in the same place, whichever of the two fails.
    """

    def wanted(statement: str) -> bool:
        words = statement.lstrip()
        return words not in _BEGIN_READING and not words.startswith(_WRITES)

    _fail_statement(fault, stack, wanted)


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("writer"))


def _fail_commit(fault: Fault, stack: ExitStack) -> None:
    def before(connection):
        if _writes(connection) and fault.due():
            raise _broken("COMMIT")

    _listen(stack, Engine, "commit", before)


def _lose_answer(fault: Fault, stack: ExitStack) -> None:
    """Fail after the commit: it is saved, and nobody is told."""

    def instead(connection):
        if _writes(connection) and fault.due():
            connection.connection.dbapi_connection.commit()
            raise _broken("COMMIT")

    _listen(stack, Engine, "commit", instead)


def _fail_file(fault: Fault, stack: ExitStack) -> None:
    for name in _FILE_OPERATIONS:
        done = getattr(os, name)

        def operation(*args, _done=done, **options):
            if fault.due():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return _done(*args, **options)

        setattr(os, name, operation)
        stack.callback(setattr, os, name, done)


def _listen(stack: ExitStack, target: type, name: str, listener: Callable[..., None]) -> None:
    event.listen(target, name, listener)
    stack.callback(event.remove, target, name, listener)


FAULTS: dict[str, Callable[[Fault, ExitStack], None]] = {
    "write": _fail_write,
    "read": _fail_read,
    "commit": _fail_commit,
    "answer": _lose_answer,
    "file": _fail_file,
}


@contextmanager
def failing(kind: str, number: int) -> Iterator[Fault]:
    """Let the N-th thing of a kind fail, once, as long as the block lasts."""
    fault = Fault(number)
    with ExitStack() as stack:
        FAULTS[kind](fault, stack)
        yield fault
