"""A Parquet file becomes a table of text cells; its own metadata is checked before anything is unfolded."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from core.errors import ImportRefused
from core.reading.grid import Grid, Source, Table
from core.reading.header import shape
from core.settings import MAX_CELL_CHARS, MAX_COLUMNS, MAX_PARQUET_MB, MAX_ROWS, MAX_TABLE_CHARS

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH_ROWS = 4_096
_MAGIC = b"PAR1"
# Two magic words and the length of the index.
_SMALLEST = 12
_MAX_EXACT_FLOAT = 2**53


def read_parquet(data: bytes, filename: str) -> Table:
    """Read a flat or nested Parquet file; lists and records become JSON text, null becomes "".

    Raises ImportRefused for a damaged file and one that would unfold beyond the limits.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not data.endswith(_MAGIC) or len(data) < _SMALLEST:
        raise ImportRefused(filename, "is a Parquet file that was cut off: export it again.")
    if data.find(_MAGIC + _MAGIC) >= 0:
        raise ImportRefused(filename, "is several Parquet files in one: load them one by one.")
    try:
        file = pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True)
        _check_metadata(file.metadata, filename)
        names = [field.name for field in file.schema_arrow]
        # Text stays dictionary-encoded: 100 KB may stand for gigabytes of repeated text.
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        file = pq.ParquetFile(
            io.BytesIO(data), read_dictionary=texts, page_checksum_verification=True, pre_buffer=False
        )
        records = _records(file, filename)
    except (pa.ArrowException, OSError, ValueError, OverflowError, KeyError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ImportRefused(filename, f"is a damaged Parquet file ({reason}): export it again.") from None
    # Numbered as in a sheet: the names are line 1.
    grid = Grid([names, *records], list(range(1, len(records) + 2)))
    return shape(grid, Source("parquet"), filename, header_line=1)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check_metadata(metadata: pq.FileMetaData, filename: str) -> None:
    if metadata.num_rows > MAX_ROWS:
        raise ImportRefused(
            filename, f"has {metadata.num_rows:,} rows, more than the {MAX_ROWS:,} allowed: split it."
        )
    if metadata.num_columns > MAX_COLUMNS:
        raise ImportRefused(
            filename, f"has {metadata.num_columns:,} columns, more than the {MAX_COLUMNS} that can be read."
        )
    if not metadata.num_rows or not metadata.num_columns:
        raise ImportRefused(filename, "holds no rows: choose a file with one deal per row.")
    unfolded = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if unfolded > MAX_PARQUET_MB * 1_000_000:
        raise ImportRefused(
            filename,
            f"unfolds to {unfolded / 1e6:,.0f} MB, more than the {MAX_PARQUET_MB} MB allowed: split it.",
        )


def _records(file: pq.ParquetFile, filename: str) -> list[list[str]]:
    records: list[list[str]] = []
    chars = 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
        # A flipped byte may point outside of a dictionary, or break a character.
        batch.validate(full=True)
        columns = [list(_texts(column)) for column in batch.columns]
        for column in columns:
            chars += sum(map(len, column))
            _check_size(chars, max(map(len, column), default=0), filename)
        records.extend(map(list, zip(*columns, strict=True)))
    return records


def _check_size(chars: int, longest: int, filename: str) -> None:
    if chars > MAX_TABLE_CHARS:
        raise ImportRefused(
            filename,
            f"unfolds to more than {MAX_TABLE_CHARS / 1e6:,.0f} million characters of text: split it.",
        )
    if longest > MAX_CELL_CHARS:
        raise ImportRefused(
            filename,
            f"has a cell of {longest:,} characters, more than {MAX_CELL_CHARS:,}: leave that column out.",
        )


def _texts(column: pa.Array) -> Iterator[str]:
    """Yield every value of a column as text; equal texts are one object in memory."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        words = [_text(value) for value in column.dictionary.to_pylist()]
        return ("" if index is None else words[index] for index in column.indices.to_pylist())
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        # Python's datetime ends at microseconds, and conversion would need pandas.
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    return map(_text, column.to_pylist())


def _text(value: Any) -> str:  # noqa: ANN401, PLR0911  (one return per type of Parquet)
    """Return one value as text: whole numbers with every digit, times in ISO 8601, nested values as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, ensure_ascii=False, default=_text)
    return str(value)


def _float_text(value: float) -> str:
    if math.isnan(value):  # how pandas writes a missing number
        return ""
    if value.is_integer() and abs(value) <= _MAX_EXACT_FLOAT:
        return str(int(value))
    return format(Decimal(repr(value)), "f") if math.isfinite(value) else str(value)
