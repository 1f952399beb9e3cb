"""Names of packages: the convention, what the live checker says, and names that collide."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.deals import Audience, Commercial, Deal, Safety, Taxonomy
from core.errors import PackageError
from core.packages import Package
from core.packages.checks import Others, check_package
from core.wording.findings import CheckRules
from core.wording.name_rules import (
    NAME_RULES,
    NameIndex,
    check_name,
    suggest_name,
    trafficking_name,
    years_in,
)
from core.wording.unique_names import unique_names

TODAY = date(2026, 11, 23)
RULES = CheckRules(TODAY)
GOOD = "Premium Auto Intender CTV Package"


def codes(name, members=(), **values):
    return [item.code for item in check_name(name, members, RULES, **values)]


def found(name, code, members=(), **values):
    return [item for item in check_name(name, members, RULES, **values) if item.code == code]


def running(*times):
    return [Deal(str(n), start_time=start, end_time=end) for n, (start, end) in enumerate(times)]


def tiered(*tiers):
    return [Deal(str(n), commercial=Commercial(tier)) for n, tier in enumerate(tiers)]


# --- convention ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        GOOD,
        "Sports Package",
        "Mixed Package",
        "RON Sports Package",
        "Mid-tier Sports Fans Display/Video Package",
        "Essential News Audio Package",
        "Family-Safe Sports Package",
        "High-Risk Premium Sports Package",
        "Video Gaming Display Package",
        "Sports Connected TV Package",
        "Sports Video Package 2",
        "Sports Video Package (GB, mostly Auction) 3",
        "premium auto video package",
        "Acme-DV360-AutoIntenderCTV-112326",
    ],
)
def test_name_by_the_convention_is_fine(name):
    assert codes(name) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Premium Auto CTV", "does not end"),
        ("Package of Autos", "does not end"),
        ("Premium CTV Package", "no vertical"),
        ("Package", "no vertical"),
        ("CTV Auto Package", "another order"),
        ("Auto Premium CTV Package", "another order"),
        ("Acme-DV360-Auto-1123", "does not end"),
        ("Acme-DV360-112326", "does not end"),
    ],
)
def test_name_against_the_convention_is_a_note(name, why):
    (finding,) = found(name, "NAME_CONVENTION")
    assert finding.severity == "info"
    assert why in finding.sentence
    assert "[Quality] [Vertical/Audience] [Format] Package" in finding.sentence


@pytest.mark.parametrize("name", ["", "  \n", "\u200b", "\u3164", "-"])
def test_package_needs_a_name(name):
    (finding,) = check_name(name, [], RULES)
    assert (finding.code, finding.severity) == ("NAME_EMPTY", "error")


# --- lengths ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "fires"), [(255, False), (256, True)])
def test_name_of_more_than_255_characters_is_an_error(length, fires):
    name = "x" * (length - len(" Package")) + " Package"
    assert [item.severity for item in found(name, "NAME_LENGTH")] == ["error"] * fires


@pytest.mark.parametrize(("length", "fires"), [(250, False), (251, True)])
def test_description_of_more_than_250_characters_is_a_note(length, fires):
    notes = found(GOOD, "NAME_DESCRIPTION", description="x" * length)
    assert [item.severity for item in notes] == ["info"] * fires
    package = Package("p", "Sports Package", (), "x" * length, "rules")
    checked = [item.code for item in check_package(package, [], RULES)]
    assert ("NAME_DESCRIPTION" in checked) == fires


# --- claims of a name ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "members", "said", "against"),
    [
        ("Premium Sports Package", tiered("Premium", "RON", "Mid-tier", None), "Premium", ("1", "2")),
        (
            "Sports CTV Package",
            [Deal("1", devices=("ctv",)), Deal("2", devices=("phone",)), Deal("3", formats=("video",))],
            "CTV",
            ("2",),
        ),
        (
            "Sports Video Package",
            [Deal("1", formats=("video",)), Deal("2", formats=("display",)), Deal("3")],
            "Video",
            ("2",),
        ),
        ("Sports Audio Package", [Deal("1", formats=("native",))], "Audio", ("1",)),
    ],
)
def test_word_that_a_member_contradicts_is_an_error(name, members, said, against):
    (finding,) = found(name, "CLAIM", members)
    assert (finding.severity, finding.said, finding.deal_ids) == ("error", said, against)


def test_word_that_no_member_contradicts_is_fine():
    members = [Deal("1", formats=("video",), devices=("ctv",), commercial=Commercial("Premium")), Deal("2")]
    assert codes("Premium Sports CTV Package", members) == []


@pytest.mark.parametrize(("answer", "severity"), [(False, "error"), (None, "warning"), (True, None)])
def test_family_safe_name_is_checked_while_it_is_typed(answer, severity):
    claimed = found(
        "Family-Safe Sports Package", "FAMILY_CLAIM", [Deal("1", safety=Safety(family_safe=answer))]
    )
    assert [item.severity for item in claimed] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("name", "tiers", "against"),
    [
        ("Performance Sports Package", ("Mid-tier", "Premium", "RON"), ("1",)),
        ("Performance Sports Package", ("Mid-tier", None, "RON", "Performance"), None),
        ("Essential News Package", ("Mid-tier", "Premium", "RON"), ("1", "2")),
        ("Essential News Package", ("Mid-tier", None, "Essential"), None),
        ("Acme-DV360-Essential_News-112326", ("Mid-tier", "Premium", "RON"), ("1", "2")),
        ("Sports Package", ("Premium", "RON"), None),
    ],
)
def test_other_quality_words_must_fit_the_tiers(name, tiers, against):
    warnings = found(name, "NAME_QUALITY", tiered(*tiers))
    assert [(item.severity, item.deal_ids) for item in warnings] == (
        [("warning", against)] if against else []
    )


@pytest.mark.parametrize(
    "name", ["Verified Sports Package", "Sports verified Package", "Acme-DV360-Verified_Sports-112326"]
)
def test_verified_cannot_be_proved(name):
    assert [item.severity for item in found(name, "NAME_VERIFIED")] == ["warning"]
    assert found("Unverified Sports Package", "NAME_VERIFIED") == []


# --- verticals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("IAB2 Video Package", "IAB2"),
        ("Premium IAB2-3 Package", "IAB2-3"),
        ("Sports (iab17) fans Package", "iab17"),
        ("386 Video Package", "386"),
        ("2026 CTV Package", "2026"),
        ("SPSHQ5 Package", "SPSHQ5"),
        ("Premium JLBCU7 CTV Package", "JLBCU7"),
    ],
)
def test_code_or_number_as_vertical_is_a_warning(name, code):
    (finding,) = found(name, "NAME_VERTICAL")
    assert finding.severity == "warning"
    assert code in finding.sentence


@pytest.mark.parametrize(
    "name",
    [
        "Adults 18-34 Video Package",
        "Sports 2026 Video Package",
        "Formula 1 Video Package",
        "Sports Video Package 2",
        "Acme-DV360-Autos-112326",
        "Video Package",
    ],
)
def test_number_beside_words_is_no_vertical(name):
    assert found(name, "NAME_VERTICAL") == []


# --- years and seasons --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "times", "against"),
    [
        ("Sports 2026 Package", [("2026-01-01", "2026-12-31"), (None, None)], None),
        ("Sports 2025 Package", [("2026-01-01", None), ("2025-01-01", "2025-12-31")], ("0",)),
        ("Sports 2027 Package", [(None, "2026-12-31"), ("2026-01-01", None)], ("0",)),
        ("Sports_2022 Package", [("2022-01-01", None)], ("0",)),
        ("Sports 2022 Package", [("2022-01-01", "2022-12-31"), (None, None), ("x", "y")], None),
        ("Sports 2025-2026 Package", [("2026-06-01", None)], None),
    ],
)
def test_year_in_the_name_must_fit_the_flights(name, times, against):
    years = found(name, "NAME_YEAR", running(*times))
    assert [(item.severity, item.deal_ids) for item in years] == ([("warning", against)] if against else [])
    assert all("against the flight of 1 deal: 0" in item.sentence for item in years)


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("WorldCup_2022", (2022, 2022)),
        ("Cups 2024 to 2026", (2024, 2026)),
        ("2025/2026", (2025, 2026)),
        ("Cyberpunk 2077", None),
        ("1920x1080 20261123 A2026 2026b", None),
        ("", None),
    ],
)
def test_years_are_whole_words_of_this_century(text, years):
    assert years_in(text, TODAY) == years


# season words, a day before, its first day, its last day, a day after
SEASONS = [
    (("BFCM", "Black Friday", "cyber monday", "Sports_BFCM_2026"), "11-23", "11-24", "11-27", "11-28"),
    (("Holiday", "Holidays", "HOLIDAY"), "11-14", "11-15", "12-25", "12-26"),
    (("Back-to-School", "back to school"), "07-31", "08-01", "09-15", "09-16"),
]


@pytest.mark.parametrize(
    ("word", "before", "first", "last", "after"),
    [(word, *days) for words, *days in SEASONS for word in words],
)
def test_season_in_the_name_must_meet_every_flight(word, before, first, last, after):
    members = running(
        (f"2026-{first}", f"2026-{first}"),
        (f"2026-{last}", f"2026-{last}"),
        ("2026-01-01", f"2026-{before}"),
        (f"2026-{after}", "2026-12-31"),
        (None, None),
        ("2026-01-01", "2026-12-31"),
    )
    (finding,) = found(f"{word} Video Package", "NAME_SEASON", members)
    assert (finding.severity, finding.deal_ids) == ("warning", ("2", "3"))
    assert "never in the flight of 2 deals: 2, 3" in finding.sentence
    assert found("Sports Video Package", "NAME_SEASON", members) == []


@pytest.mark.parametrize(
    ("name", "times", "fires"),
    [
        ("Holiday Package", [("2026-12-27", "2027-11-20")], False),
        ("Holiday 2026 Package", [("2026-12-27", "2027-11-20")], True),
        ("Holiday 2026 Package", [("2026-12-01", "2027-11-20")], False),
        ("Holiday Package", [("2026-12-27", None)], False),
        ("Holiday 2026 Package", [("2026-12-27", None)], True),
        ("Holiday Package", [(None, "2026-06-30")], False),
        ("Holiday 2026 Package", [(None, "2026-06-30")], True),
        ("Holiday Package", [("soon", "later")], False),
        ("Unholidaylike Package", [("2026-01-01", "2026-02-01")], False),
    ],
)
def test_season_is_that_of_the_year_named_or_of_any(name, times, fires):
    assert bool(found(name, "NAME_SEASON", running(*times))) == fires


# --- collisions ---------------------------------------------------------------------------------

TAKEN = NameIndex.of([("p1", "Sports Video Package"), ("p2", "Auto Fans Package"), ("p3", "auto fan deals")])


@pytest.mark.parametrize(
    ("name", "package_id", "expected"),
    [
        ("Sports Video Package", None, ["NAME_DUPLICATE"]),
        (" sports  VIDEO package", "p9", ["NAME_DUPLICATE"]),
        ("Sports Video Package", "p1", []),
        ("Video Sports Package", "p9", ["NAME_NEAR_DUPLICATE"]),
        ("Sport, Videos Package", "p9", ["NAME_NEAR_DUPLICATE"]),
        ("Auto Fans Package", "p9", ["NAME_DUPLICATE", "NAME_NEAR_DUPLICATE"]),
        ("Auto Fans Package", "p2", ["NAME_NEAR_DUPLICATE"]),
        ("Sports Video Package 2", "p9", []),
        ("Sports Package", "p9", []),
        ("Sports Audio Package", "p9", []),
    ],
)
def test_name_that_others_have_is_a_warning(name, package_id, expected):
    collisions = [
        item
        for item in check_name(name, [], RULES, names=TAKEN, package_id=package_id)
        if item.code in {"NAME_DUPLICATE", "NAME_NEAR_DUPLICATE"}
    ]
    assert [item.code for item in collisions] == expected
    assert {item.severity for item in collisions} <= {"warning"}


@pytest.mark.parametrize("other", ["Sport Video Package", "Video for Sports", "SPORTS VIDEO PACKAGE"])
def test_names_that_were_told_apart_are_not_flagged_as_near(other):
    names = unique_names([("Sports Video Package", tiered("RON")), (other, tiered("RON"))])
    index = NameIndex.of((str(number), name) for number, name in enumerate(names))
    assert [index.collisions(name, str(number)) for number, name in enumerate(names)] == [((), ()), ((), ())]


def test_near_name_is_quoted():
    (finding,) = found("Video Sports Package", "NAME_NEAR_DUPLICATE", names=TAKEN)
    assert "'Sports Video Package'" in finding.sentence


@pytest.mark.parametrize(("status", "fires"), [("pending", True), ("approved", True), ("rejected", False)])
def test_names_of_rejected_packages_are_free(status, fires):
    own = Package("a", "Sports Package", (), "", "rules")
    other = Package("b", "Sports Package", (), "", "rules", status=status)
    checked = check_package(own, [], RULES, Others.of([own, other]))
    assert ("NAME_DUPLICATE" in [item.code for item in checked]) == fires


# --- suggestions --------------------------------------------------------------------------------


def inventory(number, tier, **values):
    volume = values.pop("volume", None)
    fields = {"formats": ("video",), "taxonomy": Taxonomy("Automotive"), **values}
    return Deal(str(number), commercial=Commercial(tier, volume), **fields)


CTV = {"devices": ("ctv",)}


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ([inventory(n, "Premium", **CTV) for n in range(3)], "Premium Automotive CTV Package"),
        (
            [inventory(n, "Premium", publishers=("Sky Television",)) for n in range(3)],
            "Premium Automotive Video Package",
        ),
        ([inventory(n, "Premium", devices=("phone",)) for n in range(3)], "Automotive Video Package"),
        ([inventory(n, "RON" if n else "Premium", **CTV) for n in range(3)], "Automotive CTV Package"),
        ([inventory(n, "Premium" if n else None, **CTV) for n in range(3)], "Automotive CTV Package"),
        ([inventory(n, "RON", volume="High") for n in range(3)], "Performance Automotive Video Package"),
        (
            [inventory(1, "RON", volume="High"), inventory(2, "Mid-tier", volume="High")],
            "Performance Automotive Video Package",
        ),
        ([inventory(n, "RON", volume="Low") for n in range(3)], "Automotive Video Package"),
        (
            [inventory(n, "Mid-tier", taxonomy=Taxonomy("Shopping")) for n in range(3)],
            "Performance Shopping Video Package",
        ),
        (
            [inventory(n, "RON", concepts=("e-commerce",)) for n in range(3)],
            "Performance Automotive Video Package",
        ),
        (
            [inventory(n, "Mid-tier", taxonomy=Taxonomy("News")) for n in range(3)],
            "Essential News Video Package",
        ),
        (
            [inventory(n, "Mid-tier", taxonomy=Taxonomy("Entertainment")) for n in range(3)],
            "Essential Entertainment Video Package",
        ),
        ([inventory(n, "RON", taxonomy=Taxonomy("News")) for n in range(3)], "News Video Package"),
        ([inventory(n, "Verified") for n in range(3)], "Automotive Video Package"),
        (
            [inventory(n, None, audience=Audience(("Auto Intenders",))) for n in range(3)],
            "Auto Intenders Video Package",
        ),
        ([inventory(n, None, taxonomy=Taxonomy("IAB17")) for n in range(3)], "Sports Video Package"),
        ([inventory(n, None, taxonomy=Taxonomy("386")) for n in range(3)], "Politics Video Package"),
        ([inventory(n, None, taxonomy=Taxonomy("IAB99")) for n in range(3)], "Video Package"),
        (
            [inventory(n, None, safety=Safety("Low", family_safe=True)) for n in range(3)],
            "Automotive Video Package",
        ),
        ([Deal("1"), Deal("2")], "Mixed Package"),
        ([], "Mixed Package"),
    ],
)  # fmt: skip
def test_suggested_name_says_only_what_the_deals_bear_out(members, name):
    assert suggest_name(members) == name
    assert not [item for item in check_name(name, members, RULES) if item.code != "NAME_CONVENTION"]


@pytest.mark.parametrize("fields", [{"devices": ("ctv",)}, {"publishers": ("Broadcaster A",)}])
def test_suggested_name_follows_the_convention(fields):
    members = [inventory(n, "Premium", **fields) for n in range(3)]
    assert codes(suggest_name(members), members) == []


# --- trafficking --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("Acme", "DV360", "auto intender CTV"), "Acme-DV360-AutoIntenderCTV-112326"),
        ((" acme & co ", "The Trade Desk", "Auto-Fans"), "AcmeCo-TheTradeDesk-AutoFans-112326"),
    ],
)
def test_trafficking_name_follows_the_pattern(parts, name):
    assert trafficking_name(*parts, TODAY) == name
    assert codes(name) == []


def test_date_of_a_trafficking_name_has_two_digits_each():
    assert trafficking_name("A", "B", "C", date(2027, 1, 5)).endswith("-010527")


@pytest.mark.parametrize("parts", [("", "DSP", "Autos"), ("Acme", " - ", "Autos"), ("Acme", "DSP", "")])
def test_trafficking_name_lacks_no_part(parts):
    with pytest.raises(PackageError, match="write one"):
        trafficking_name(*parts, TODAY)


@given(st.text(max_size=300), st.text(max_size=30))
def test_any_name_is_checked_with_known_codes(name, other):
    found_codes = codes(name, [Deal("1", other)], names=NameIndex.of([("p", other)]))
    assert set(found_codes) <= set(NAME_RULES)
