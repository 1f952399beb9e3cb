"""Names and writing of exported files: harmless on every system, whole or not there at all."""

from __future__ import annotations

import os
import re
import uuid
from contextlib import suppress
from pathlib import Path

from core.errors import ExportError

_LONGEST_NAME = 80
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")
# Names of devices on Windows, whatever their suffix.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)


def safe_name(text: str, suffix: str = "", default: str = "export") -> str:
    """Return a file name of [A-Za-z0-9._-], at most 80 characters, that is no path and no device.

    suffix: end of the name that is kept whole, such as "-packages.csv"; itself such a name.
    """
    room = _LONGEST_NAME - len(suffix)
    stem = _FOREIGN.sub("-", text).strip("-.")[:room].rstrip("-.") or default
    return f"_{stem[: room - 1]}{suffix}" if _RESERVED.match(stem + suffix) else stem + suffix


def write_file(path: Path, data: bytes) -> None:
    """Write beside the target, to the disk, and move into place: a full disk leaves the old file whole.

    Raises ExportError when the folder or the disk refuses.
    """
    part = path.with_name(f".{path.name[:_LONGEST_NAME]}.{uuid.uuid4().hex[:8]}.part")
    try:
        with part.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise ExportError(
            f"{path} cannot be written ({error.strerror}): choose another folder or free some space."
        ) from None


def sync(path: Path) -> None:
    """Have a file or folder written to the disk itself, so that it is there after a power cut."""
    if os.name == "nt" and path.is_dir():  # Windows cannot, and need not
        return
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
