"""How a parsed file travels from the child process: JSON in frames of bounded size, never pickle.

A frame is a length (8 bytes, big-endian) and a JSON list [kind, content]. Rows travel in parts, so that
neither side ever holds a second copy of a whole table as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, Literal

import orjson

from core.reading.grid import Refusal, Source, Table, TableOptions
from core.reading.json_text import JsonText

Task = Literal["table", "json"]
Read = Callable[[int], bytes]

_ROWS_PER_FRAME = 4_000
_LENGTH_BYTES = 8
# Different cells that are remembered, to be shared by the rows that follow.
_SHARED_CELLS = 1_000_000
# No frame of ours comes near; a longer one was not written by us.
_MAX_FRAME = 1 << 31


class ChildDied(Exception):
    """The stream ended before the answer did. status: exit status of the child where it is known."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__(status)
        self.status = status


def exact_reader(receive: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Return a function that reads exactly so many bytes, or raises EOFError."""

    def read(size: int) -> bytes:
        parts: list[bytes] = []
        missing = size
        while missing:
            part = receive(min(missing, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    return read


def pack(kind: str, content: object) -> bytes:
    """Return one frame. Half characters (lone surrogates) stay what they are, as ASCII escapes."""
    try:
        body = orjson.dumps([kind, content])
    except orjson.JSONEncodeError:
        body = json.dumps([kind, content]).encode()
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def unpack(read: Read) -> tuple[str, Any]:
    """Return the next frame. Raises ChildDied when the stream ends or holds something else."""
    length = int.from_bytes(read(_LENGTH_BYTES), "big")
    if length > _MAX_FRAME:
        raise ChildDied
    body = read(length)
    try:
        kind, content = orjson.loads(body)
    except ValueError:
        try:
            kind, content = json.loads(body)  # the reader that accepts half characters
        except (ValueError, TypeError):
            raise ChildDied from None
    return kind, content


# --- request --------------------------------------------------------------------------------


def request_frame(task: Task, filename: str, options: TableOptions, size: int) -> bytes:
    """Return what the child is told before the `size` bytes of the file."""
    return pack("request", {"task": task, "filename": filename, "options": asdict(options), "size": size})


def read_request(read: Read) -> tuple[Task, str, TableOptions, bytes]:
    """Return task, filename, options and the bytes of the file."""
    _, asked = unpack(read)
    return asked["task"], asked["filename"], TableOptions(**asked["options"]), read(asked["size"])


# --- answer ---------------------------------------------------------------------------------


def answer_frames(answer: Table | JsonText) -> Iterator[bytes]:
    """Yield the frames of a parsed file."""
    head = {
        "repairs": answer.repairs,
        "refusals": [asdict(refusal) for refusal in answer.refusals],
        "source": asdict(answer.source),
    }
    if isinstance(answer, Table):
        yield pack("table", {**head, "columns": answer.columns})
        for start in range(0, len(answer.rows), _ROWS_PER_FRAME):
            end = start + _ROWS_PER_FRAME
            yield pack("rows", [answer.lines[start:end], answer.rows[start:end]])
    else:
        yield pack("json", {**head, "is_lines": answer.is_lines})
        for start in range(0, len(answer.values), _ROWS_PER_FRAME):
            yield pack("values", answer.values[start : start + _ROWS_PER_FRAME])
    yield pack("end", None)


def read_answer(read: Read) -> Table | JsonText | str:
    """Return the parsed file, or the reason why it was refused. Raises ChildDied."""
    kind, head = unpack(read)
    if kind == "refused":
        return str(head)
    if kind == "exit":
        raise ChildDied(head)
    repairs = tuple(head["repairs"])
    refusals = tuple(Refusal(**refusal) for refusal in head["refusals"])
    source = Source(**{**head["source"], "sheets": tuple(head["source"]["sheets"])})
    if kind == "table":
        lines, rows = _read_rows(read)
        return Table(tuple(head["columns"]), rows, lines, repairs, refusals, source)
    return JsonText(_read_values(read), head["is_lines"], repairs, refusals, source)


def _parts(read: Read, expected: str) -> Iterator[Any]:
    while True:
        kind, content = unpack(read)
        if kind == "end":
            return
        if kind != expected:
            raise ChildDied(content if kind == "exit" else None)
        yield content


def _read_rows(read: Read) -> tuple[tuple[int, ...], tuple[tuple[str, ...], ...]]:
    lines: list[int] = []
    rows: list[tuple[str, ...]] = []
    # Equal cells become one object: columns of deal files repeat few values, and 8 million short strings
    # would take half a gigabyte.
    seen: dict[str, str] = {}
    share = seen.setdefault
    for numbers, part in _parts(read, "rows"):
        lines += numbers
        rows += (tuple(map(share, cells, cells)) for cells in part)
        if len(seen) > _SHARED_CELLS:
            seen.clear()
    return tuple(lines), tuple(rows)


def _read_values(read: Read) -> tuple[tuple[int, Any], ...]:
    return tuple((line, value) for part in _parts(read, "values") for line, value in part)
