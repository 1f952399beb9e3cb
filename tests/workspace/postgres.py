"""A PostgreSQL server for tests: of Debian's package, on a free port of this machine, gone afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

_START_S = 30.0


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
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(
                [programs / "postgres", "-D", data, *words], stdout=log, stderr=log, cwd=folder, **rights
            ) as server,
        ):
            try:
                address = f"postgresql://tester@127.0.0.1:{port}/postgres"
                _wait_for(address, server)
                yield address
            finally:
                server.send_signal(signal.SIGINT)  # ends connections that are left open


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
