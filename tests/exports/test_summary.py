"""One page for a buyer: facts that were counted, nothing that runs, nothing from elsewhere."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from core.deals import Deal
from core.exports import summaries_html, summaries_markdown, summary_html, summary_markdown
from core.wording.findings import Finding
from tests.exports.sheets import ABOUT, APPROVED, PACKAGE, sheet_of_deals, sheets, usd

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "![i](https://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "https://evil.example",
    "www.evil.example",
    "<style>*{display:none}</style>",
    "a | b\n# heading\n- item",
    "`code` **bold** $x$ &lt;",
    "\u202eevil",
]


class Tags(HTMLParser):
    """Notes the tags of a document with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


def tags_of(html):
    parser = Tags()
    parser.feed(html)
    return parser


def hostile_sheet(text):
    deal = Deal(text, deal_name=text, ssp_name=text, publishers=(text,), geos=(text,), commercial=usd("5"))
    made = sheet_of_deals(deal, name=text, reasoning=text, decided_by=text)
    return replace(made, findings=(Finding("X", "warning", text),))


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_files_and_models_are_no_markup_in_html(text):
    plain = summary_html(sheet_of_deals(Deal("1", ssp_name="S", commercial=usd("5"))), ABOUT)
    found = tags_of(summary_html(hostile_sheet(text), replace(ABOUT, run=text, file=text)))
    assert {tag for tag, _ in found.seen} == {tag for tag, _ in tags_of(plain).seen}
    assert not [name for _, attributes in found.seen for name in attributes if name.startswith("on")]
    assert " ".join(text.replace("\u202e", " ").split()) in "".join(found.texts)


def test_the_page_runs_nothing_and_loads_nothing():
    page = summary_html(*sheets(APPROVED), ABOUT)
    found = tags_of(page)
    assert not {tag for tag, _ in found.seen} & {"script", "link", "img", "iframe", "a", "object", "form"}
    assert not {name for _, attributes in found.seen for name in attributes} & {"href", "src", "action"}
    assert "url(" not in page
    assert "default-src 'none'" in page.replace("&#x27;", "'")


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_are_no_markup_in_markdown(text):
    lines = summary_markdown(hostile_sheet(text), ABOUT).splitlines()
    plain = summary_markdown(hostile_sheet("x"), ABOUT).splitlines()
    assert len(lines) == len(plain)
    for line, expected in zip(lines, plain, strict=True):
        bare = re.sub(r"\\.", "", line)
        assert "](" not in bare
        assert "://" not in bare
        assert not re.search(r"www\.", bare, re.IGNORECASE)
        assert bare.count("|") == expected.count("|")
        assert bare.count("<") == 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- one", "\\- one"),
        ("+ one", "\\+ one"),
        ("---", "\\---"),
        ("12. one", "12\\. one"),
        ("1) one", "1\\) one"),
        ("12 deals, 5.50", "12 deals, 5.50"),
    ],
)
def test_a_reasoning_that_begins_like_a_list_stays_a_sentence_in_markdown(text, line):
    (sheet,) = sheets(replace(APPROVED, reasoning=text))
    assert line in summary_markdown(sheet, ABOUT).splitlines()


def test_facts_are_those_that_were_counted_and_unknown_is_counted():
    page = summary_markdown(*sheets(APPROVED), ABOUT)
    for line in (
        "# Sports Package",
        "2 deals, pkg-1, version 3, approved by Ada on 2026-03-01T10\\:00\\:00+00\\:00",
        "- **Flight**: 2026-01-01T00\\:00\\:00Z to open; start unknown 1, end unknown 2",
        "- **Floors**: USD 5.50 to 5.50 CPM over 1 of 2 deals, 5.50 clears all; 1 unknown",
        "- **Worst GARM risk**: Low; 1 unknown",
        "- **Family-safe**: unknown (1 of 2 deals say yes)",
        "- **SSPs**: BidSwitch (1); 1 deal id needed for a curated deal",
        "| 999888777666555444 |  | unknown | unknown | unknown | unknown |",
    ):
        assert line in page.splitlines()
    assert "sum of member forecasts, overlap not removed" in page
    assert "below the brand-safety floor" in page


def test_nothing_known_is_told_as_unknown_and_not_as_zero():
    page = summary_markdown(sheet_of_deals(Deal("1")), ABOUT)
    assert "- **Floors**: 1 unknown" in page
    assert "- **Scale**: 1 unknown" in page
    assert "- **Formats**: unknown" in page


def test_warnings_are_listed_and_their_absence_is_said():
    (made,) = sheets(PACKAGE)
    told = replace(made, findings=(Finding("X", "error", "Not good."), Finding("Y", "info", "By the way.")))
    assert "- Not good." in summary_markdown(told, ABOUT)
    assert "By the way" not in summary_markdown(told, ABOUT)
    assert "## Warnings\n\nNone." in summary_markdown(replace(made, findings=()), ABOUT)
    assert "<li>Not good.</li>" in summary_html(told, ABOUT)


def test_the_chart_is_a_drawing_with_a_bar_for_each_format_ssp_and_range_of_floors():
    deals = (
        Deal("1", formats=("video",), ssp_name="A", commercial=usd("2")),
        Deal("2", formats=("video", "audio"), ssp_name="B", commercial=usd("8")),
        Deal("3", ssp_name="A", commercial=usd("3", "EUR")),
    )
    page = summary_html(sheet_of_deals(*deals), ABOUT)
    drawing = ElementTree.fromstring(re.search("<svg.*?</svg>", page)[0])  # noqa: S314  (our own)
    labels = [text.text for text in drawing.iter("text")]
    assert labels == [
        "Format video", "2 of 3", "Format audio", "1 of 3", "SSP A", "2 of 3", "SSP B", "1 of 3",
        "Floors EUR", "3-3", "Floors USD", "2-8",
    ]  # fmt: skip
    widths = [float(bar.get("width")) for bar in drawing.iter("rect") if bar.get("fill") == "#2f6db5"]
    assert widths == [253.3, 126.7, 253.3, 126.7, 3.0, 285.0]


def test_a_package_without_anything_to_draw_has_no_chart():
    assert "<svg" not in summary_html(sheet_of_deals(Deal("1")), ABOUT)


def test_all_packages_make_one_file_with_a_page_each():
    made = sheets(APPROVED, replace(APPROVED, id="pkg-2", name="Other"))
    html = summaries_html(made, ABOUT).decode()
    assert html.count("<section>") == 2
    assert html.count("</html>") == 1
    assert summaries_markdown(made, ABOUT).decode().count("\n---\n") == 1


def test_many_deals_are_counted_not_dropped_in_silence():
    page = summary_markdown(sheet_of_deals(*(Deal(f"d{n}") for n in range(45))), ABOUT)
    assert "And 5 more deals." in page
