"""The golden set: 40 deals, written in every format and with every pollution that deal files show.

Everything is seeded. Every case says which cells must come out, so that reading is scored by content,
not by "it loaded".
"""

import csv
import io
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from _pytest.mark import ParameterSet

SEED = 20_260_101
DEALS = 40
COLUMNS = (
    "deal_id", "deal_name", "ssp_name", "format", "floor_price", "currency", "publishers", "geos",
    "start_time", "end_time", "taxonomy_tier1", "safety_family_safe", "description",
)  # fmt: skip
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
# Ids and texts that typed readers damage, all within cp1252.
_IDS = ("549644398148090651", "0012345", "1E5", "NA-77", "9007199254740993", "12E34567", "00", "A-1/x")
_NAMES = (
    'Premium "CTV" Fußball, live', "Señal de fútbol; España", "Été | Crème", "News & Politics",
    "O'Brien, Inc", "Bébé, enfants", "15\" spots", "Two\nlines", "50 % off", "-", "Käse €", "C:\\deals\\new",
)  # fmt: skip
_TIERS = ("Automotive", "Sports", "News and Politics", "Travel", "Food & Drink")


@dataclass(frozen=True)
class Case:
    """One file and the cells that must come out: `rows` of `columns`, in the order of the file.

    columns: None where the file names no columns.
    """

    name: str
    data: bytes
    columns: tuple[str, ...] | None
    rows: tuple[tuple[str, ...], ...]


def deal_rows(seed: int = SEED, count: int = DEALS) -> list[list[str]]:
    """Return the canonical cells, one list per deal."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        deal_id = _IDS[number] if number < len(_IDS) else f"D{chance.randrange(10**9):09d}"
        name = _NAMES[number % len(_NAMES)]
        month, day = chance.randint(1, 12), chance.randint(1, 28)
        rows.append(
            [
                deal_id,
                f"{name} {number}",
                chance.choice(("Magnite", "PubMatic", "Index Exchange")),
                chance.choice(("video", "display", "audio")),
                chance.choice(("", "0", "2.5", "12.75", "0.35")),
                chance.choice(("USD", "EUR")),
                "|".join(
                    chance.sample(("espn.com", "cnn.com", "bbc.co.uk", "lemonde.fr"), chance.randint(1, 3))
                ),
                chance.choice(("US", "US|CA", "NA", "")),
                f"2026-{month:02d}-{day:02d}",
                f"2027-{month:02d}-{day:02d}",
                chance.choice(_TIERS),
                chance.choice(("true", "false", "")),
                chance.choice(("", "plain words", "a, b; c | d", 'said "yes", twice')),
            ]
        )
    return rows


def write_delimited(
    rows: Sequence[Sequence[str]],
    delimiter: str = ",",
    *,
    quote: str = '"',
    quoting: int = csv.QUOTE_MINIMAL,
    escape: bool = False,
    end: str = "\r\n",
) -> str:
    """Write rows as text; escape: mark quotes by a backslash instead of doubling them."""
    stream = io.StringIO(newline="")
    writer = csv.writer(
        stream,
        delimiter=delimiter,
        quotechar=quote,
        quoting=quoting,
        doublequote=not escape,
        escapechar="\\" if escape else None,
        lineterminator=end,
    )
    writer.writerows(rows)
    return stream.getvalue()


# --- pollutions of delimited text: (canonical rows, delimiter) -> (bytes, columns, rows) ---

Rows = list[list[str]]
Polluted = tuple[bytes, tuple[str, ...] | None, Rows]
Pollution = Callable[[Rows, str], Polluted]


def _file(rows: Rows, mark: str, **style: object) -> str:
    return write_delimited([COLUMNS, *rows], mark, **style)  # type: ignore[arg-type]


def _styled(**style: object) -> Pollution:
    return lambda rows, mark: (_file(rows, mark, **style).encode(), COLUMNS, rows)


def _encoded(encoding: str, mark_bytes: bytes = b"") -> Pollution:
    return lambda rows, mark: (mark_bytes + _file(rows, mark).encode(encoding), COLUMNS, rows)


def _text_change(change: Callable[[str, str], str]) -> Pollution:
    """Pollute the text of a clean file, of which no cell may change."""
    return lambda rows, mark: (change(_file(rows, mark), mark).encode(), COLUMNS, rows)


def _open_quote(column: int) -> Pollution:
    """Put one quote before a value in the middle of the file, which nothing closes."""

    def pollute(rows: Rows, mark: str) -> Polluted:
        clean = [[cell.replace("\n", " ") for cell in row] for row in rows]
        lines = _file(clean, mark).split("\r\n")
        # A row that needs no quotes shows the stray one alone.
        place = next(
            number for number in range(1, 40) if '"' not in lines[number] and clean[number - 1][column]
        )
        cells = lines[place].split(mark)
        cells[column] = f'"{cells[column]}'
        lines[place] = mark.join(cells)
        return "\r\n".join(lines).encode(), COLUMNS, clean

    return pollute


def _preamble(*lines: str) -> Pollution:
    return _text_change(
        lambda text, mark: "\r\n".join(line.replace(",", mark) for line in lines) + "\r\n" + text
    )


def _padded_preamble(rows: Rows, mark: str) -> Polluted:
    pad = mark * (len(COLUMNS) - 1)
    return (
        (f"Deal report{pad}\r\nCreated{mark}2026-08-01{pad[1:]}\r\n" + _file(rows, mark)).encode(),
        COLUMNS,
        rows,
    )


def _repeated_header(rows: Rows, mark: str) -> Polluted:
    table = [list(COLUMNS), *rows[:10], list(COLUMNS), *rows[10:30], list(COLUMNS), *rows[30:]]
    return write_delimited(table, mark).encode(), COLUMNS, rows


def _two_header_rows(rows: Rows, mark: str) -> Polluted:
    groups = ["Deal", "", "", "", "Price", "", "Reach", "", "Flight", "", "Content", "", ""]
    return write_delimited([groups, COLUMNS, *rows], mark).encode(), COLUMNS, rows


def _no_header(rows: Rows, mark: str) -> Polluted:
    return write_delimited(rows, mark).encode(), None, rows


def _short_rows(rows: Rows, mark: str) -> Polluted:
    cut = [row[:-1] if not row[-1] else row for row in rows]
    return write_delimited([COLUMNS, *cut], mark).encode(), COLUMNS, rows


def _extra_value(column: int) -> Pollution:
    """Give every seventh row one empty value too many."""

    def pollute(rows: Rows, mark: str) -> Polluted:
        table = [
            [*row[:column], "", *row[column:]] if number % 7 == 3 else row for number, row in enumerate(rows)
        ]
        return write_delimited([COLUMNS, *table], mark).encode(), COLUMNS, rows

    return pollute


def _trailing_delimiters(rows: Rows, mark: str) -> Polluted:
    table = [[*row, "", ""] for row in [list(COLUMNS), *rows]]
    return write_delimited(table, mark).encode(), COLUMNS, rows


def _trailing_delimiter_in_rows(rows: Rows, mark: str) -> Polluted:
    return write_delimited([COLUMNS, *([*row, ""] for row in rows)], mark).encode(), COLUMNS, rows


def _other_delimiter_in_a_row(rows: Rows, mark: str) -> Polluted:
    plain = [[cell.replace("\n", " ") for cell in row] for row in rows]
    other = ";" if mark != ";" else ","
    lines = [write_delimited([row], mark) for row in [list(COLUMNS), *plain]]
    lines[21] = write_delimited([plain[20]], other)
    return "".join(lines).encode(), COLUMNS, plain


def _reordered(rows: Rows, mark: str) -> Polluted:
    order = list(range(len(COLUMNS)))[::-1]
    table = [[row[place] for place in order] for row in [list(COLUMNS), *rows]]
    return write_delimited(table, mark).encode(), COLUMNS, rows


def _extra_columns(rows: Rows, mark: str) -> Polluted:
    table = [["Row", *COLUMNS, "Owner"], *([str(number), *row, "Ann"] for number, row in enumerate(rows))]
    return write_delimited(table, mark).encode(), COLUMNS, rows


def _duplicate_column(rows: Rows, mark: str) -> Polluted:
    table = [[*COLUMNS, "deal_id", ""], *([*row, row[0], "x"] for row in rows)]
    return write_delimited(table, mark).encode(), COLUMNS, rows


def _decimal_comma(rows: Rows, mark: str) -> Polluted:
    place = COLUMNS.index("floor_price")
    comma = [[*row[:place], row[place].replace(".", ","), *row[place + 1 :]] for row in rows]
    return write_delimited([COLUMNS, *comma], mark).encode(), COLUMNS, comma


def _spaced(rows: Rows, mark: str) -> Polluted:
    plain = [[cell.replace("\n", " ") for cell in row] for row in rows]
    lines = []
    for row in [list(COLUMNS), *plain]:
        cells = (write_delimited([[cell]], mark, end="") if cell else "" for cell in row)
        lines.append(f"{mark} ".join(cells))
    return "\r\n".join(lines).encode(), COLUMNS, plain


def _huge_cell(rows: Rows, mark: str) -> Polluted:
    raw = json.dumps({"raw": "x, y; " * 50_000})
    table = [[*COLUMNS, "raw_deal_data"], *([*row, raw] for row in rows[:3])]
    return write_delimited(table, mark).encode(), COLUMNS, rows[:3]


def _second_table(rows: Rows, mark: str) -> Polluted:
    """Put a smaller table with the same columns below, after a blank line."""
    text = (
        write_delimited([COLUMNS, *rows[:25]], mark) + "\r\n" + write_delimited([COLUMNS, *rows[25:]], mark)
    )
    return text.encode(), COLUMNS, rows


def _wrong_bytes(rows: Rows, mark: str) -> Polluted:
    """UTF-8 with one name that was pasted from a cp1252 file."""
    foreign = [row[:] for row in rows]
    data = _file(foreign, mark).encode().replace("Käse €".encode(), "Käse €".encode("cp1252"), 1)
    return data, COLUMNS, foreign


POLLUTIONS: dict[str, Pollution] = {
    "clean": _styled(),
    "utf-8 with mark": _encoded("utf-8-sig"),
    "utf-16 with mark": _encoded("utf-16"),
    "utf-16 big-endian with mark": _encoded("utf-16-be", b"\xfe\xff"),
    "utf-16 without mark": _encoded("utf-16-le"),
    "utf-32 with mark": _encoded("utf-32"),
    "cp1252": _encoded("cp1252"),
    "utf-8 with foreign bytes": _wrong_bytes,
    "line end lf": _styled(end="\n"),
    "line end cr": _styled(end="\r"),
    "no line end at the end": _text_change(lambda text, _: text.removesuffix("\r\n")),
    "two line ends at the end": _text_change(lambda text, _: text + "\r\n"),
    "blank lines": _text_change(lambda text, _: "\r\n\r\n" + text.replace("\r\n", "\r\n\r\n")),
    "end-of-file mark": _text_change(lambda text, _: text + "\x1a"),
    "all quoted": _styled(quoting=csv.QUOTE_ALL),
    "text quoted": _styled(quoting=csv.QUOTE_NONNUMERIC),
    "single quotes": _styled(quote="'"),
    "all in single quotes": _styled(quote="'", quoting=csv.QUOTE_ALL),
    "backslash escapes": _styled(escape=True, quoting=csv.QUOTE_ALL),
    "backslash escapes where needed": _styled(escape=True),
    "open quote in the first column": _open_quote(0),
    "open quote in the middle": _open_quote(5),
    "open quote in the last column": _open_quote(10),
    "hint of the delimiter": _text_change(lambda text, mark: f"sep={mark}\r\n{text}"),
    "Query row above": _preamble('Query,"Exchange = ""AdX"" AND Status = Active"'),
    "lines above": _preamble("Deal export", "Created 2026-08-01", ""),
    "padded lines above": _padded_preamble,
    "repeated header": _repeated_header,
    "two header rows": _two_header_rows,
    "no header": _no_header,
    "short rows": _short_rows,
    "value too many at the start": _extra_value(1),
    "value too many in the middle": _extra_value(6),
    "value too many at the end": _extra_value(13),
    "empty columns at the end": _trailing_delimiters,
    "delimiter at the end of rows": _trailing_delimiter_in_rows,
    "other delimiter in one row": _other_delimiter_in_a_row,
    "reordered columns": _reordered,
    "extra columns": _extra_columns,
    "duplicate column": _duplicate_column,
    "decimal comma": _decimal_comma,
    "space after the delimiter": _spaced,
    "huge cell": _huge_cell,
    "second table": _second_table,
}


# Kept: several files of tests and of figures take their cases from here, and each would write them anew.
@cache
def delimited_cases() -> tuple[Case, ...]:
    """Return every pollution with every delimiter."""
    return tuple(_delimited())


def _delimited() -> Iterator[Case]:
    for pollution, pollute in POLLUTIONS.items():
        for name, mark in DELIMITERS.items():
            if pollution == "space after the delimiter" and mark == "\t":
                continue
            data, columns, rows = pollute(deal_rows(), mark)
            yield Case(f"{pollution}, {name}", data, columns, tuple(map(tuple, rows)))


# --- workbooks and Parquet ---


def write_workbook(
    rows: Sequence[Sequence[object]], *before: Sequence[object], title: str = "Deals"
) -> bytes:
    """Write rows as text cells of a workbook whose first sheet is something else."""
    book = openpyxl.Workbook()
    book.active.title = "Read me"
    book.active.append(["Written for a test"])
    sheet = book.create_sheet(title)
    for row in [*before, *rows]:
        sheet.append([cell if cell != "" else None for cell in row])
    for line in sheet.iter_rows():
        for cell in line:
            if isinstance(cell.value, str):
                cell.data_type = "s"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def write_parquet(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Write rows as text columns, "" as null."""
    table = pa.table({name: [row[place] or None for row in rows] for place, name in enumerate(columns)})
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


@cache
def binary_cases() -> tuple[Case, ...]:
    """Return workbooks and Parquet files."""
    return tuple(_binary())


def _binary() -> Iterator[Case]:
    rows = deal_rows()
    expected = tuple(map(tuple, rows))
    table = [list(COLUMNS), *rows]
    yield Case("xlsx, clean", write_workbook(table), COLUMNS, expected)
    yield Case(
        "xlsx, lines above", write_workbook(table, ["Deal report"], [], ["Query", "x"]), COLUMNS, expected
    )
    repeated = [*table[:11], list(COLUMNS), *table[11:]]
    yield Case("xlsx, repeated header", write_workbook(repeated), COLUMNS, expected)
    yield Case("xlsx, reordered", write_workbook([row[::-1] for row in table]), COLUMNS, expected)
    yield Case("parquet, clean", write_parquet(COLUMNS, rows), COLUMNS, expected)
    reordered = write_parquet(COLUMNS[::-1], [row[::-1] for row in rows])
    yield Case("parquet, reordered", reordered, COLUMNS, expected)


def table_cases() -> tuple[Case, ...]:
    """Return every case that is a table."""
    return delimited_cases() + binary_cases()


def table_parameters() -> list[ParameterSet]:
    """Return every table by its name: a pollution with one delimiter, by turns; with the others it is slow.

    For what does not depend on how the two meet: `test_tables` reads the cells of every pair.
    """
    parameters = []
    turns = itertools.cycle(DELIMITERS)
    pollutions = itertools.groupby(delimited_cases(), key=lambda case: case.name.rsplit(", ", 1)[0])
    for _, group in pollutions:
        cases = list(group)
        turn = next(turns)
        quick = next((case for case in cases if case.name.endswith(turn)), cases[0])
        for case in cases:
            marks = () if case is quick else pytest.mark.slow
            parameters.append(pytest.param(case, id=case.name, marks=marks))
    return parameters + [pytest.param(case, id=case.name) for case in binary_cases()]


# --- JSON: the same deals ---


def nested(row: Sequence[str]) -> dict[str, object]:
    """Return one deal as the nested record of the consoles; unknown values are null."""
    flat = {name: cell or None for name, cell in zip(COLUMNS, row, strict=True)}
    record: dict[str, object] = {
        name: value for name, value in flat.items() if not name.startswith(("taxonomy_", "safety_"))
    }
    family_safe = flat["safety_family_safe"]
    record["publishers"] = str(flat["publishers"]).split("|")
    record["taxonomy"] = {"tier1": flat["taxonomy_tier1"]}
    record["safety"] = {"family_safe": family_safe == "true"} if family_safe else None
    return record


def json_files() -> Iterator[tuple[str, bytes]]:
    """Yield (name, file) of the same deals in every shape of JSON, and with JSON in the cells of a table."""
    rows = deal_rows()
    deals = [nested(row) for row in rows]
    flat = [{name: cell for name, cell in zip(COLUMNS, row, strict=True) if cell} for row in rows]
    shapes: dict[str, object] = {
        "list": deals,
        "flat list": flat,
        "wrapped in deals": {"deals": deals},
        "wrapped in data.deals": {"data": {"deals": deals}},
        "wrapped in response.deals": {"response": {"deals": deals}, "status": "ok"},
        "by vendor": {"Magnite": deals[:20], "Other": deals[20:]},
    }
    for name, document in shapes.items():
        yield name, json.dumps(document, ensure_ascii=False).encode()
    yield "list with mark", b"\xef\xbb\xbf" + json.dumps(deals).encode()
    yield "indented", json.dumps(deals, indent=2).encode()
    for name, end in (("lines", "\n"), ("lines with crlf", "\r\n")):
        yield name, "".join(json.dumps(deal) + end for deal in deals).encode()
    cells = [
        [
            *(
                json.dumps(record[name]) if isinstance(record[name], dict | list) else record[name] or ""
                for name in deals[0]
            )
        ]
        for record in deals
    ]
    yield "JSON in cells", write_delimited([list(deals[0]), *cells]).encode()


# --- score ---


def cells_right(case: Case, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Return (right cells, expected cells): of each row the cells under the right column name.

    Surplus rows count against the file, so that inventing rows does not pay.
    """
    expected = len(case.rows) * len(case.rows[0])
    places = _places(case, columns)
    found = Counter(tuple(row[place] if place is not None else "" for place in places) for row in rows)
    right = 0
    left: list[tuple[str, ...]] = []
    for row in case.rows:
        if found[row]:
            found[row] -= 1
            right += len(row)
        else:
            left.append(row)
    rest = list(found.elements())
    for row in left:
        if not rest:
            break
        scores = [sum(a == b for a, b in zip(row, other, strict=True)) for other in rest]
        right += max(scores)
        rest.pop(scores.index(max(scores)))
    surplus = max(0, len(rows) - len(case.rows)) * len(case.rows[0])
    return right, expected + surplus


def _places(case: Case, columns: Sequence[str]) -> list[int | None]:
    if case.columns is None:
        return list(range(len(case.rows[0])))
    return [columns.index(name) if name in columns else None for name in case.columns]
