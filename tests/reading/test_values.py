from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.deals import Money
from core.deals.vocabulary import Kind
from core.reading.values import convention_of, read_cell, storable
from tests.deals import CELLS, values

UNKNOWN_CELLS = ["", " ", "-", "N/A", "n/a", "NA", "unknown", "UNKNOWN", "null", "None", "nan", None]


def money(amount, currency=None):
    return Money(Decimal(amount), currency)


def value_of(kind, cell):
    """The value of a cell that leaves no doubt."""
    reading = read_cell(kind, cell)
    assert reading.doubt is None
    return reading.value


# --- ids and countries: text, word for word ---


@pytest.mark.parametrize(
    "text",
    [
        "549644398148090651",
        "0012345",
        "1e5",
        "1E5",
        "12E34567",
        "NA",
        "unknown",
        "PM|1;2,3",
        "٣",
    ],
)
def test_id_stays_the_text_that_stood_in_the_file(text):
    assert value_of("id", text) == text
    assert value_of("id", f"  {text}\t") == text


@pytest.mark.parametrize(
    "text", ["-", "--", "\u2013", "n/a", "N/A", "#N/A", "(not set)", "null", "NULL", "None"]
)
def test_word_for_nothing_is_no_id(text):
    reading = read_cell("id", f" {text} ")
    assert reading.value is None
    assert reading.doubt == f"{text!r} stands for no id"


def test_whole_number_id_keeps_every_digit():
    assert value_of("id", 9_007_199_254_740_993) == "9007199254740993"
    assert value_of("id", 2**80) == str(2**80)


@pytest.mark.parametrize("cell", ["5.49644E+17", "5,49644E+17"])
def test_id_rounded_by_excel_is_kept_and_doubted(cell):
    reading = read_cell("id", cell)
    assert reading.value == cell
    assert "rounded by Excel" in reading.doubt


def test_id_written_to_be_safe_in_excel_is_the_id_inside():
    assert value_of("id", '="549644398148090651"') == "549644398148090651"


def test_endless_id_is_no_id():
    assert read_cell("id", "9" * 5_000).value is None


@given(st.text(min_size=1, max_size=40))
def test_any_text_is_an_id_letter_for_letter(text):
    wanted = text.strip()
    reading = read_cell("id", text)
    if reading.value is not None and not wanted.startswith('="'):
        assert reading.value == wanted


@pytest.mark.parametrize("cell", ["", "  ", None])
def test_blank_id_is_unknown(cell):
    assert value_of("id", cell) is None


@pytest.mark.parametrize("cell", [True, ["1"], {"id": 1}, float("nan"), 5.496443981480906e17])
def test_id_that_is_no_text_or_has_lost_digits_is_doubted(cell):
    reading = read_cell("id", cell)
    assert reading.value is None
    assert "is no deal id; give ids as text" in reading.doubt


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("NA", ("NA",)),
        ("US, NA,US", ("US", "NA")),
        (["NA", None, ""], ("NA",)),
        ("-", ()),
        ("N/A", ()),
        ("unknown|DE|null|None", ("DE",)),
        (["--", "nan", "na"], ("na",)),
        ("", ()),
        (None, ()),
    ],
)
def test_country_na_is_namibia_and_not_unknown(cell, expected):
    assert value_of("countries", cell) == expected


# --- unknown ---


@pytest.mark.parametrize("cell", UNKNOWN_CELLS)
@pytest.mark.parametrize("kind", ["text", "boolean", "money", "count", "time"])
def test_word_for_unknown_gives_none_without_doubt(kind, cell):
    assert value_of(kind, cell) is None


@pytest.mark.parametrize("cell", UNKNOWN_CELLS)
@pytest.mark.parametrize(("kind", "nothing"), [("list", ()), ("devices", ()), ("formats", ((), ()))])
def test_word_for_unknown_gives_an_empty_list_without_doubt(kind, nothing, cell):
    assert value_of(kind, cell) == nothing


# --- text and lists ---


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (" Index ", "Index"),
        (150, "150"),
        (["News", None, "N/A", "Sports"], "News, Sports"),
        ([], None),
        ("Unknown Pleasures", "Unknown Pleasures"),
    ],
)
def test_text_is_trimmed_and_lists_of_text_are_joined(cell, expected):
    assert value_of("text", cell) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('["auto", "luxury, premium"]', ("auto", "luxury, premium")),
        ("auto | luxury, premium", ("auto", "luxury, premium")),
        ("auto; luxury, premium", ("auto", "luxury, premium")),
        ("auto, luxury", ("auto", "luxury")),
        ("auto", ("auto",)),
        ("auto,,auto, ,N/A,luxury", ("auto", "luxury")),
        ("[1, 2]", ("1", "2")),
        ("['auto', \"it's\", None, 3]", ("auto", "it's", "3")),
        ([{"id": 1, "name": "auto"}, {"domain": "x.com"}], ("auto", "x.com")),
        (["auto", None, "-", "auto"], ("auto",)),
        (("auto",), ("auto",)),
        ([], ()),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_list_comes_as_json_or_with_any_separator(cell, expected):
    assert value_of("list", cell) == expected


@pytest.mark.parametrize("cell", ["[not json", "[" * 100_000, "['a' 'b']"], ids=lambda cell: cell[:9])
def test_list_that_cannot_be_read_stays_text_and_is_doubted(cell):
    reading = read_cell("list", cell)
    assert reading.value == (cell,)
    assert reading.doubt.endswith("looks like a list but is none; kept as text")


# --- booleans ---


@pytest.mark.parametrize("cell", [True, "true", "TRUE", " Yes ", "y", "1", 1])
def test_yes_is_true(cell):
    assert value_of("boolean", cell) is True


@pytest.mark.parametrize("cell", [False, "false", "False", "NO", "n", "0", 0])
def test_no_is_false(cell):
    assert value_of("boolean", cell) is False


@pytest.mark.parametrize("cell", ["maybe", "2", "safe", ["true"], "0.0"])
def test_other_words_stay_unknown_and_are_doubted(cell):
    reading = read_cell("boolean", cell)
    assert reading.value is None
    assert reading.doubt.endswith("is neither yes nor no; kept as unknown")


# --- money ---


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("5", money("5")),
        ("5.50", money("5.50")),
        (5.5, money("5.5")),
        (0, money("0")),
        ("$0.00", money("0.00", "USD")),
        ("$1,234.56", money("1234.56", "USD")),
        ("1.234,56 €", money("1234.56", "EUR")),
        ("12,34,567.00", money("1234567.00")),
        ("1 234,50", money("1234.50")),
        ("2,5", money("2.5")),
        ("2,50 EUR", money("2.50", "EUR")),
        ("EUR 2.50", money("2.50", "EUR")),
        ("usd 5", money("5", "USD")),
        ("US$ 5", money("5", "USD")),
        ("£5", money("5", "GBP")),
        ("¥500", money("500", "JPY")),
        ("$5 CPM", money("5", "USD")),
        ("5 CPM", money("5")),
        ("C$5", money("5", "CAD")),
        ("A$ 5", money("5", "AUD")),
        ("R$ 5,00", money("5.00", "BRL")),
        ("5 ₹", money("5", "INR")),
        ("1'234.50 CHF", money("1234.50", "CHF")),
        ("12,345,678", money("12345678")),
        ("0,125", money("0.125")),
    ],
    ids=str,
)
def test_amount_is_read_with_its_currency_and_either_decimal_mark(cell, expected):
    assert value_of("money", cell) == expected


@pytest.mark.parametrize(
    "cell",
    ["1,5,5", "1.2.3", "1.5,2", "10 15", "5 6", "5/6", "5e3", "-5", "+5", "15-"],
)
def test_amount_that_could_mean_something_else_stays_unknown(cell):
    reading = read_cell("money", cell)
    assert reading.value is None
    assert reading.doubt == f"{cell!r} is not an amount; the price stays unknown"


@pytest.mark.parametrize(
    "cell",
    ["free", "$", "inf", True, ["5"], "5 apples", "5%", "5k", "<5", "(5)", "5" + " " * 100_000 + "x"],
    ids=lambda cell: str(cell)[:8],
)
def test_cell_without_an_amount_stays_unknown_and_is_doubted(cell):
    reading = read_cell("money", cell)
    assert reading.value is None
    assert "the price stays unknown" in reading.doubt


@pytest.mark.parametrize(
    ("cell", "floor"),
    [
        ("$15-25", money("15", "USD")),
        ("$15-$25", money("15", "USD")),
        ("15 - 25 EUR", money("15", "EUR")),
        ("15 to 25", money("15")),
        ("12\u201315 CPM", money("12")),
    ],
)
def test_range_gives_its_lower_end_and_says_so(cell, floor):
    reading = read_cell("money", cell)
    assert reading.value == floor
    assert reading.doubt == f"{cell!r} is a range; its lower end is used as the floor"


@pytest.mark.parametrize("cell", ["5 NET", "kr 5", "5 kr", "XYZ 5", "5 ¤"])
def test_mark_that_is_no_currency_leaves_the_currency_unknown_and_is_doubted(cell):
    reading = read_cell("money", cell)
    assert reading.value == money("5")
    assert reading.doubt.endswith("is no known currency; the currency stays unknown")


@given(
    st.decimals(min_value=0, max_value=10**6, places=2, allow_nan=False),
    st.sampled_from(["", "USD", "EUR", "GBP", "BRL"]),
    st.sampled_from(["plain", "us", "de", "swiss", "space"]),
)
def test_amount_in_any_national_form_keeps_its_value_when_the_column_proves_the_form(amount, code, form):
    plain = f"{amount:,.2f}"
    swap = str.maketrans(",.", {"de": ".,", "swiss": "'.", "space": " ,"}.get(form, ",."))
    text = f"{amount:.2f}" if form == "plain" else plain.translate(swap)
    reading = read_cell("money", f"{code} {text}".strip())
    assert reading == type(reading)(Money(amount.quantize(Decimal("0.01")), code or None))


@given(st.text(alphabet="0123456789.,' -$€kMtoCPM", max_size=14))
def test_no_cell_is_read_as_an_amount_that_its_digits_do_not_hold(cell):
    amount = read_cell("money", cell).value
    if amount is not None:
        digits = "".join(str(digit) for digit in amount.amount.as_tuple().digits).strip("0")
        assert digits in "".join(character for character in cell if character.isdigit())


# --- words of a set ---


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        ("risk", "HIGH", "High"), ("risk", "medium risk", "Medium"), ("risk", "bsr001", "Floor"),
        ("status", "Live", "active"), ("status", "on hold", "paused"), ("status", "ENDED", "expired"),
        ("price_type", "Fixed Price", "fixed"), ("price_type", "second_price", "auction"),
        ("price_type", "3", "fixed"), ("quality", "premium", "Premium"), ("quality", "mid tier", "Mid-tier"),
        ("quality", "Essential", "Essential"), ("volume", "HIGH", "High"), ("inventory", "1", "apps"),
        ("inventory", "4", "dooh"), ("inventory", "Websites, CTV", "websites, ctv"),
        ("currency", "usd", "USD"), ("currency", "€", "EUR"), ("currency", "Euro", "EUR"),
    ],
)  # fmt: skip
def test_word_of_a_set_is_read_in_any_usual_spelling(kind, cell, expected):
    assert value_of(kind, cell) == expected


@pytest.mark.parametrize("kind", ["risk", "status", "price_type", "volume", "inventory", "currency"])
def test_word_outside_a_set_stays_unknown_and_is_doubted(kind):
    reading = read_cell(kind, "odd")
    assert reading.value is None
    assert reading.doubt.startswith("'odd' is no ")
    assert reading.doubt.endswith("kept as unknown")


@pytest.mark.parametrize(
    ("cell", "paths"),
    [
        ("Food & Drink", (("Food & Drink",),)),
        ("Automotive > Auto Repair", (("Automotive", "Auto Repair"),)),
        ("A > B > C > D", (("A", "B", "C > D"),)),
        ('["IAB1-3", "IAB2"]', (("IAB1-3",), ("IAB2",))),
        ("IAB1|IAB2", (("IAB1",), ("IAB2",))),
        ("Death, Injury, or Military Conflict", (("Death, Injury, or Military Conflict",),)),
        ("N/A", ()),
        (">", ((">",),)),
    ],
)
def test_categories_are_paths_and_commas_belong_to_their_names(cell, paths):
    assert value_of("category", cell) == paths


# --- counts ---


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("0", 0),
        ("1000", 1_000),
        (1_000_000.0, 1_000_000),
        ("1,234,567", 1_234_567),
        ("340K", 340_000),
        ("1.2 M", 1_200_000),
        ("150MM", 150_000_000),
        ("340B", 340_000_000_000),
        ("1.2b", 1_200_000_000),
        ("1.0000000001B", 1_000_000_000),
        ("000000000000000000000000000012", 12),
        (str(2**63 - 1), 2**63 - 1),
        ("3.4e11", 340_000_000_000),
        ("3.4E+11", 340_000_000_000),
        ("1.234.567", 1_234_567),
        ("1,5M", 1_500_000),
        ("2 million", 2_000_000),
    ],
)
def test_count_is_read_with_its_multiple(cell, expected):
    assert value_of("count", cell) == expected


@pytest.mark.parametrize(
    "cell",
    [
        "many",
        "-5",
        "1.234",
        "1.5",
        "1e99",
        "12,34",
        "1.2.3",
        "5T",
        True,
        str(2**63),
        "9" * 30,
        "9" * 1_000_001,
        "9223372036855B",
    ],
    ids=lambda cell: str(cell)[:12],
)
def test_count_that_is_none_or_exceeds_64_bits_stays_unknown(cell):
    reading = read_cell("count", cell)
    assert reading.value is None
    assert reading.doubt.endswith("is not a count; it stays unknown")
    assert len(reading.doubt) < 100


# --- formats and devices ---


@pytest.mark.parametrize(
    ("cell", "formats", "devices"),
    [
        ("video", ("video",), ()),
        ("OLV", ("video",), ()),
        ("Banner", ("display",), ()),
        ("CTV", ("video",), ("ctv",)),
        ("OTT", ("video",), ("ctv",)),
        ("Display, video", ("display", "video"), ()),
        ("CTV | banner | olv", ("video", "display"), ("ctv",)),
        (["audio", "native"], ("audio", "native"), ()),
        ("podcast", ("audio",), ()),
    ],
)
def test_every_format_of_a_cell_is_kept_and_only_some_imply_a_device(cell, formats, devices):
    assert value_of("formats", cell) == (formats, devices)


@pytest.mark.parametrize(
    ("cell", "formats", "named"),
    [("hologram", (), "'hologram'"), ("video; smell; touch", ("video",), "'smell', 'touch'")],
)
def test_unknown_format_is_doubted_and_never_becomes_display(cell, formats, named):
    reading = read_cell("formats", cell)
    assert reading.value == (formats, ())
    assert reading.doubt == f"{named} is no known format; kept as unknown"


def test_devices_are_known_words_each_once():
    assert value_of("devices", "CTV, ctv, Desktop") == ("ctv", "desktop")
    reading = read_cell("devices", "phone|fridge")
    assert reading.value == ("phone",)
    assert reading.doubt == "'fridge' is no known device; kept as unknown"


# --- times ---


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-11-30", "2026-11-30"),
        ("20261130", "2026-11-30"),
        ("2026-11-30T12:00:00Z", "2026-11-30T12:00:00Z"),
        ("2026-11-30 12:00+02:00", "2026-11-30T10:00:00Z"),
        ("2026-11-30 12:00", "2026-11-30T12:00:00"),
        ("2026/11/30", "2026-11-30"),
        ("30.11.2026", "2026-11-30"),
        ("03.04.2026", "2026-04-03"),
        ("11/30/2026", "2026-11-30"),
        ("30/11/2026", "2026-11-30"),
        ("04/04/2026", "2026-04-04"),
        ("11/30/26", "2026-11-30"),
        ("11/30/2026 1:05 PM", "2026-11-30T13:05:00"),
        ("11/30/2026 12:05 am", "2026-11-30T00:05:00"),
        ("30.11.2026 12:00 UTC", "2026-11-30T12:00:00Z"),
        ("30 Nov 2026", "2026-11-30"),
        ("30-Nov-26", "2026-11-30"),
        ("Nov 30, 2026", "2026-11-30"),
        ("November 30th 2026", "2026-11-30"),
        ("1st Sept 2026", "2026-09-01"),
    ],
)
def test_usual_dates_become_iso_text_and_those_with_a_time_zone_utc(cell, expected):
    assert value_of("time", f" {cell} ") == expected
    assert value_of("time", expected) == expected


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        (["13/04/2026"], "03/04/2026", "2026-04-03"),
        (["04/13/2026"], "03/04/2026", "2026-03-04"),
        (["13-04-2026"], "03-04-2026 10:00", "2026-04-03T10:00:00"),
        (["04/04/2026", "03.04.2026"], "03/04/2026", None),
        (["13/04/2026", "04/13/2026"], "03/04/2026", None),
        ([], "03/04/2026", None),
    ],
)
def test_day_and_month_are_told_apart_by_the_column_or_not_at_all(column, cell, expected):
    reading = read_cell("time", cell, convention_of("time", [*column, cell]))
    assert reading.value == expected
    assert (reading.doubt is None) == (expected is not None)


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        (["2.50"], "1,234", "1234"),
        (["1,234.50"], "1,234", "1234"),
        (["1,234,567"], "1,234", "1234"),
        (["2,50"], "1,234", "1.234"),
        (["2,50"], "1.234", "1234"),
        (["0,125"], "1,234", "1.234"),
        (["2.50"], "1.234", "1.234"),
        (["2.50", "2,50"], "1,234", None),
        (["2.50", "2,50"], "1.234", None),
        (["7", "8,888"], "1,234", None),
        ([], "1,234", None),
    ],
)
def test_mark_of_an_amount_is_read_as_the_column_proves_or_not_at_all(column, cell, expected):
    reading = read_cell("money", cell, convention_of("money", [*column, cell]))
    assert reading.value == (Money(Decimal(expected)) if expected else None)
    assert (reading.doubt is None) == (expected is not None)


@pytest.mark.parametrize(
    "cell",
    [
        "soon",
        1_764_547_200_000,
        "46356",
        "2026-13-01",
        "31/02/2026",
        "26-11-30",
        "11/30/2026 25:00",
        "30 Foo 2026",
        "12:00",
        "\ud800",
    ],
)
def test_other_time_stays_unknown_and_is_doubted(cell):
    reading = read_cell("time", cell)
    assert reading.value is None
    assert reading.doubt.endswith("is no date such as 2026-11-30; it stays unknown")


# --- every kind ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", "plain"), ("a\ud83d", "a\ufffd"), ("\udc00b", "\ufffdb"), ("\U0001f697", "\U0001f697")],
)
def test_half_of_a_character_becomes_the_replacement_character(text, expected):
    assert storable(text) == expected
    assert value_of("text", text) == expected
    assert value_of("list", [text]) == (expected,)


@given(st.sampled_from(get_args(Kind)), values | st.sampled_from(CELLS))
def test_no_content_raises_and_a_doubt_is_one_sentence_part(kind, cell):
    reading = read_cell(kind, cell)
    assert reading.doubt is None or (reading.doubt and not reading.doubt.endswith("."))
