import datetime as dt
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ImportRefused
from core.reading import parquet
from core.reading.tables import read_table
from tests.reading import bombs, golden

SOUND = golden.write_parquet(golden.COLUMNS, golden.deal_rows())


def written(**columns) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([549644398148090651, None]), ("549644398148090651", "")),
        (pa.array([2**64 - 1], pa.uint64()), ("18446744073709551615",)),
        (pa.array([1.5, float("nan"), 3.0, 1e-7, float("inf")]), ("1.5", "", "3", "0.0000001", "inf")),
        (pa.array([True, False, None]), ("true", "false", "")),
        (pa.array(["0012", "NA", "", None]), ("0012", "NA", "", "")),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ("a", "b", "a")),
        (pa.array([dt.date(2026, 11, 30)]), ("2026-11-30",)),
        (pa.array([dt.datetime(2026, 11, 30, 1)], pa.timestamp("ns", "UTC")), ("2026-11-30T01:00:00+00:00",)),
        (pa.array([Decimal("12.50")]), ("12.50",)),
        (pa.array([b"caf\xc3\xa9"]), ("café",)),
        (pa.array([["a", "é"], None]), ('["a", "é"]', "")),
        (
            pa.array([{"tier1": "Sports", "id": 2**63 - 1}]),
            ('{"tier1": "Sports", "id": 9223372036854775807}',),
        ),
        (pa.array([[dt.date(2026, 1, 1)]]), ('["2026-01-01"]',)),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_value_becomes_exact_text(values, texts):
    ids = [f"A{number}" for number in range(len(values))]
    found = read_table(written(deal_id=ids, other=values), "f")
    assert found.columns == ("deal_id", "other")
    assert tuple(row[1] for row in found.rows) == texts
    assert found.source.format == "parquet"


def test_rows_with_nothing_but_null_are_still_records():
    assert len(read_table(written(deal_id=pa.array(["A", None, "B"])), "f").rows) == 3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bombs.parquet_truncated(), "is a Parquet file that was cut off: export it again."),
        (bombs.parquet_repeated(), "is several Parquet files in one: load them one by one."),
        (bombs.parquet_flipped_footer(), "is a damaged Parquet file ("),
        (bombs.parquet_flipped_length(), "is a damaged Parquet file ("),
        (bombs.parquet_without_middle(), "is a damaged Parquet file ("),
        (bombs.parquet_dictionary(), "unfolds to more than 300 million characters of text: split it."),
        (bombs.parquet_many_rows(), "has 10,000,000 rows, more than the 200,000 allowed: split it."),
        (written(deal_id=pa.array([], pa.string())), "holds no rows: choose a file with one deal per row."),
        (
            written(**{f"c{n}": [1] for n in range(513)}),
            "has 513 columns, more than the 512 that can be read.",
        ),
    ],
    ids=["cut", "repeated", "index", "length", "middle", "dictionary", "rows", "empty", "columns"],
)
def test_file_that_cannot_be_read_is_refused_with_a_reason(data, reason):
    with pytest.raises(ImportRefused) as caught:
        read_table(data, "f.parquet")
    assert caught.value.reason.startswith(reason)


def test_limits_on_unfolding_hold(monkeypatch):
    monkeypatch.setattr(parquet, "MAX_PARQUET_MB", 0)
    with pytest.raises(ImportRefused, match="more than the 0 MB allowed"):
        read_table(SOUND, "f")
    monkeypatch.setattr(parquet, "MAX_PARQUET_MB", 1)
    monkeypatch.setattr(parquet, "MAX_CELL_CHARS", 3)
    with pytest.raises(ImportRefused, match=r"has a cell of .* leave that column out"):
        read_table(SOUND, "f")


@settings(max_examples=60)
@given(st.integers(4, len(SOUND) - 5), st.integers(1, 255))
def test_flipped_byte_gives_a_table_or_a_refusal(place, flip):
    damaged = SOUND[:place] + bytes([SOUND[place] ^ flip]) + SOUND[place + 1 :]
    try:
        found = read_table(damaged, "f")
    except ImportRefused:
        return
    assert all(len(row) == len(found.columns) for row in found.rows)
