"""Checks of packages: every rule fires on what breaks it, on nothing else, and offers what mends it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.deals import Commercial, Deal, Money, Safety, Taxonomy
from core.packages import Package
from core.packages.checks import RULES, Others, check_package
from core.reading import parse_deal
from core.wording.findings import SEVERITIES, CheckRules, OverlapPolicy, Override, open_errors
from core.wording.name_rules import NAME_RULES
from tests.deals import records

TODAY = date(2026, 11, 23)
RULES_NOW = CheckRules(TODAY)


def deal(number, name=None, **values):
    return Deal(str(number), name, **values)


def rated(number, risk=None, safe=None, name=None):
    return Deal(str(number), name, safety=Safety(risk, safe))


def priced(number, currency, amount="5"):
    return Deal(str(number), commercial=Commercial(floor_price=Money(Decimal(amount), currency)))


def package_of(members, name="Sports Video Package", reasoning="", package_id="pkg-1", **values):
    return Package(package_id, name, tuple(one.deal_id for one in members), reasoning, "rules", **values)


def findings(members, rules=RULES_NOW, others=None, **values):
    return check_package(package_of(members, **values), members, rules, others)


def found(members, code, **values):
    return [item for item in findings(members, **values) if item.code == code]


def one(members, code, **values):
    (finding,) = found(members, code, **values)
    return finding


def fixes(finding):
    return {fix.kind: fix.parts for fix in finding.fixes}


def mended(members, fix):
    """Return the packages that a fix leaves."""
    by_id = {item.deal_id: item for item in members}
    if fix.kind == "remove":
        return [[item for item in members if item.deal_id not in fix.parts[0]]]
    return [[by_id[deal_id] for deal_id in part] for part in fix.parts]


KIDS = "Kids TV"
PLAIN = "Sports"

# code, severity, names or deals that break the rule, the deals it is about, those a fix takes out
NAMES_TOGETHER = [
    ("KIDS_POLITICAL", "error", (KIDS, "Politics Daily", KIDS, PLAIN), ("0", "1", "2"), ("1",)),
    ("KIDS_POLITICAL", "error", ("Election Night", KIDS, "Political"), ("0", "1", "2"), ("1",)),
    ("KIDS_POLITICAL", "error", ("Election Night", "Children", PLAIN), ("0", "1"), ("0",)),
    ("KIDS_POLITICAL", "warning", (KIDS, "World News", KIDS), ("0", "1", "2"), ("1",)),
    ("KIDS_POLITICAL", "error", (KIDS, "World News", "Politics", KIDS), ("0", "2", "3"), ("2",)),
    ("KIDS_RESTRICTED", "error", (KIDS, KIDS, "Alcohol Lovers"), ("0", "1", "2"), ("2",)),
    ("KIDS_RESTRICTED", "error", (KIDS, KIDS, "Cannabis"), ("0", "1", "2"), ("2",)),
    ("KIDS_RESTRICTED", "error", (KIDS, KIDS, "Pharma"), ("0", "1", "2"), ("2",)),
    ("KIDS_RESTRICTED", "error", ("Casino", KIDS, KIDS), ("0", "1", "2"), ("0",)),
]


@pytest.mark.parametrize(("code", "severity", "names", "about", "out"), NAMES_TOGETHER)
def test_topics_that_must_not_meet(code, severity, names, about, out):
    finding = one([deal(n, name) for n, name in enumerate(names)], code)
    assert (finding.severity, finding.deal_ids) == (severity, about)
    assert fixes(finding) == {"remove": (out,)}


@pytest.mark.parametrize(
    "names",
    [
        (KIDS, KIDS, PLAIN),
        ("Politics", "News", "Casino", "Alcohol"),
        (KIDS, "Non-political talk", "Sports, political excluded"),
        ("Family-safe sports", "Politics"),
        ("Family and Relationships", "Poker"),
    ],
)
def test_topics_that_may_meet(names):
    codes = {item.code for item in findings([deal(n, name) for n, name in enumerate(names)])}
    assert not codes & {"KIDS_POLITICAL", "KIDS_RESTRICTED"}


def test_topics_are_counted_in_words():
    members = [deal(n, name) for n, name in enumerate((KIDS, KIDS, "Politics"))]
    assert "2 kids, 1 political" in one(members, "KIDS_POLITICAL").sentence


def test_categories_count_like_words():
    members = [deal(1, taxonomy=Taxonomy("Genres", "645")), deal(2, taxonomy=Taxonomy("387"))]
    assert one(members, "KIDS_POLITICAL").deal_ids == ("1", "2")


def test_no_fix_empties_a_package():
    both = [deal(1, "Kids Election Special")]
    assert one(both, "KIDS_POLITICAL").fixes == ()


# --- gambling and family safety -----------------------------------------------------------------

POKER = rated(1, name="Poker Nights")
POKER_TOO = deal(2, "Casino Two")


@pytest.mark.parametrize(
    ("members", "name", "reasoning", "about", "out"),
    [
        ([POKER, rated(2, safe=True), rated(3, safe=True)], "Fun Package", "", ("1", "2", "3"), ("1",)),
        ([POKER, rated(2), rated(3)], "Family-Safe Fun Package", "", ("1",), ("1",)),
        ([POKER, rated(2), rated(3)], "Fun Package", "All are suitable for children.", ("1",), ("1",)),
    ],
)
def test_gambling_meets_nothing_that_is_called_safe_for_families(members, name, reasoning, about, out):
    finding = one(members, "GAMBLING_FAMILY", name=name, reasoning=reasoning)
    assert (finding.severity, finding.deal_ids) == ("error", about)
    assert fixes(finding) == {"remove": (out,)}


def test_sentence_is_right_of_one_deal_and_of_two():
    for members, words in (([POKER], "gambling in 1 deal"), ([POKER, POKER_TOO], "gambling in 2 deals")):
        finding = one([*members, rated(3)], "GAMBLING_FAMILY", name="Family-Safe Fun Package")
        assert words in finding.sentence


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ([POKER, rated(2), rated(3, safe=False)], "Fun Package"),
        ([POKER, rated(2), rated(3, safe=False)], "Non-Family Fun Package"),
        ([rated(2, safe=True)], "Family-Safe Fun Package"),
    ],
)
def test_gambling_may_meet_what_nobody_calls_safe(members, name):
    assert found(members, "GAMBLING_FAMILY", name=name) == []


# --- risk ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rating", ["Floor", "floor", "bsr001", "Floor Risk"])
def test_content_below_the_safety_floor_is_an_error(rating):
    members = [rated(1, "Medium"), rated(2, rating), rated(3)]
    finding = one(members, "FLOOR_CONTENT")
    assert (finding.severity, finding.deal_ids, fixes(finding)) == ("error", ("2",), {"remove": (("2",),)})
    assert "1 of unknown risk" in finding.sentence


def test_with_the_switch_of_the_file_floor_is_the_lowest_risk():
    rules = replace(RULES_NOW, floor_is_lowest_risk=True)
    members = [rated(1, "Floor"), rated(2, "Floor"), rated(3, "High")]
    assert found(members, "FLOOR_CONTENT", rules=rules) == []
    assert one(members, "RISK_MIX", rules=rules).deal_ids == ("1", "2", "3")
    claim = {"name": "Low-Risk Sports Package"}
    assert found(members[:2], "CLAIM", rules=rules, **claim) == []
    assert one(members[:2], "CLAIM", **claim).deal_ids == ("1", "2")


@pytest.mark.parametrize(
    ("ratings", "about", "out"),
    [
        (("Low", "HIGH", "low", None), ("0", "1", "2"), ("1",)),
        (("High Risk", "Low", "Floor"), ("0", "1", "2"), ("1",)),
        (("Low", "Floor", "Medium"), ("0", "1"), ("1",)),
    ],
)
def test_low_risk_with_high_or_floor_is_a_warning(ratings, about, out):
    finding = one([rated(n, risk) for n, risk in enumerate(ratings)], "RISK_MIX")
    assert (finding.severity, finding.deal_ids, fixes(finding)) == ("warning", about, {"remove": (out,)})


@pytest.mark.parametrize(
    "ratings", [("Low", "Medium"), ("Medium", "High"), ("High", "Floor"), ("Low", None, "odd")]
)
def test_neighbouring_and_unknown_risks_may_meet(ratings):
    assert found([rated(n, risk) for n, risk in enumerate(ratings)], "RISK_MIX") == []


# --- family claim -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "severity", "about", "words"),
    [
        ((True, True, True), None, (), ""),
        ((True, False, None), "error", ("1",), "1 of 3 family-safe; 1 contradicts: 1; 1 does not say"),
        ((True, None, None), "warning", ("1", "2"), "1 of 3 family-safe; 2 do not say"),
        ((None, None, None), "warning", ("0", "1", "2"), "0 of 3 family-safe"),
        ((False, False, True), "error", ("0", "1"), "1 of 3 family-safe; 2 contradict: 0, 1"),
    ],
)
@pytest.mark.parametrize(
    "said",
    [
        {"name": "Family-Safe Sports Package"},
        {"name": "Kid Friendly Sports Package"},
        {"reasoning": "Every deal is safe for families."},
        {"reasoning": "3 of 3 are family-safe."},
        {"reasoning": "100% family-safe inventory."},
    ],
)
def test_family_safe_claim_needs_the_word_of_every_deal(said, answers, severity, about, words):
    members = [rated(n, safe=answer) for n, answer in enumerate(answers)]
    claimed = found(members, "FAMILY_CLAIM", **said)
    assert [item.severity for item in claimed] == ([severity] if severity else [])
    assert found(members, "CLAIM", **said) == []
    for item in claimed:
        assert item.deal_ids == about
        assert words in item.sentence
        expected = {} if len(about) == len(members) else {"remove": (about,)}
        assert fixes(item) == expected


def test_claim_names_how_many_bear_it_out_and_who_contradicts():
    members = [rated(n, safe=n not in {4, 9}) for n in range(30)]
    sentence = one(members, "FAMILY_CLAIM", name="Family-Safe Sports Package").sentence
    assert "28 of 30 family-safe; 2 contradict: 4, 9" in sentence


@pytest.mark.parametrize(
    "said",
    [
        {"name": "Non-Family Sports Package"},
        {"reasoning": "Not family-safe."},
        {"reasoning": "1 of 3 are family-safe; 1 does not say."},
        {"reasoning": "Mostly family-safe."},
    ],
)
def test_what_does_not_call_all_deals_safe_is_no_family_claim(said):
    members = [rated(1, safe=True), rated(2, safe=False), rated(3)]
    assert found(members, "FAMILY_CLAIM", **said) == []


def test_model_words_never_overrule_counted_safety():
    members = [rated(1, safe=True), rated(2, safe=False), rated(3, safe=True)]
    assert one(members, "FAMILY_CLAIM", reasoning="All deals are family-safe.").severity == "error"
    assert one(members, "CLAIM", reasoning="1 of 3 are family-safe.").severity == "error"


# --- other claims -------------------------------------------------------------------------------


def tiered(*tiers):
    return [Deal(str(n), commercial=Commercial(tier)) for n, tier in enumerate(tiers)]


def test_contradicted_claim_is_an_error_with_the_deals_that_contradict():
    finding = one(tiered("Premium", "RON", None), "CLAIM", name="Premium Sports Package")
    assert (finding.severity, finding.deal_ids, finding.said) == ("error", ("1",), "Premium")
    assert "true of 1 of 3; 1 contradicts: 1; 1 does not say" in finding.sentence
    assert fixes(finding) == {"remove": (("1",),)}


def test_wrong_count_is_a_claim_about_no_single_deal():
    finding = one(tiered("Premium", "RON"), "CLAIM", reasoning="2 of 2 are premium.")
    assert (finding.severity, finding.deal_ids, finding.fixes) == ("error", (), ())
    assert "2 of 2 are premium" in finding.sentence


def test_claim_that_deals_do_not_answer_is_no_finding():
    assert found(tiered("Premium", None), "CLAIM", name="Premium Sports Package") == []


def test_override_of_one_claim_does_not_hold_for_another():
    members = tiered("Premium", "RON")
    first, second = (one(members, "CLAIM", reasoning=f"{n} of 2 are premium.") for n in (0, 2))
    override = Override(first.code, first.key, "checked by phone", "Ada", "2026-11-23T00:00:00Z")
    assert open_errors([first, second], [override]) == (second,)


def test_what_name_and_claim_say_alike_is_shown_once():
    members = [deal(1, formats=("video",)), deal(2, formats=("display",))]
    words = {"name": "Sports Video Package", "reasoning": "Video only."}
    assert len(found(members, "CLAIM", **words)) == 1


# --- mixes --------------------------------------------------------------------------------------


def test_premium_with_run_of_network_is_a_warning():
    finding = one(tiered("Premium", "RON", "Premium", None, "Mid-tier"), "QUALITY_MIX")
    assert (finding.severity, finding.deal_ids) == ("warning", ("0", "1", "2"))
    assert fixes(finding) == {"remove": (("1",),)}
    assert "2 Premium, 1 RON; 1 of unknown quality" in finding.sentence


@pytest.mark.parametrize(
    "tiers", [("Premium", "Mid-tier"), ("Mid-tier", "RON"), ("Premium", None, "Verified")]
)
def test_other_tiers_may_meet(tiers):
    assert found(tiered(*tiers), "QUALITY_MIX") == []


MIXES = [
    (
        "FORMAT_MIX",
        [deal(1, formats=("video",)), deal(2, formats=("display",)), deal(3), deal(4, formats=("video",))],
        ("1", "2", "4"),
        {"split": (("1", "4"), ("2",), ("3",)), "remove": (("2",),)},
        "2 video, 1 display; 1 of unknown format",
    ),
    (
        "FORMAT_MIX",
        [
            deal(1, devices=("ctv",)),
            deal(2, devices=("phone", "desktop")),
            deal(3),
            deal(4, devices=("ctv", "stb")),
        ],
        ("1", "2", "4"),
        {"split": (("1", "4"), ("2",), ("3",)), "remove": (("2",),)},
        "2 CTV, 1 non-CTV; 1 of unknown device",
    ),
    (
        "CURRENCY_MIX",
        [priced(1, "USD"), priced(2, "EUR"), deal(3, currency="EUR"), priced(4, None), deal(5)],
        ("1", "2", "3"),
        {"split": (("2", "3"), ("1",), ("4", "5")), "remove": (("1",),)},
        "2 EUR, 1 USD; 2 of unknown currency",
    ),
    (
        "PRICE_MIX",
        [deal(1, price_type="fixed"), deal(2, price_type="auction"), deal(3), deal(4, price_type="auction")],
        ("1", "2", "4"),
        {"split": (("2", "4"), ("1",), ("3",)), "remove": (("1",),)},
        "2 auction, 1 fixed; 1 of unknown price type",
    ),
    (
        "NO_COMMON_GEO",
        [deal(1, geos=("US", "CA")), deal(2, geos=("GB",)), deal(3), deal(4, geos=("CA",))],
        ("1", "2", "4"),
        {"split": (("1", "4"), ("2",), ("3",)), "remove": (("2",),)},
        "2 CA, 1 GB, 1 US; 1 of unknown geo",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "members", "about", "offered", "words"), MIXES)
def test_mix_is_a_warning_with_a_split_by_what_differs(code, members, about, offered, words):
    finding = one(members, code)
    assert (finding.severity, finding.deal_ids) == ("warning", about)
    assert fixes(finding) == offered
    assert words in finding.sentence


@pytest.mark.parametrize(("code", "members"), [row[:2] for row in MIXES])
def test_every_fix_of_a_mix_mends_it(code, members):
    for fix in one(members, code).fixes:
        for rest in mended(members, fix):
            assert found(rest, code) == []


@pytest.mark.parametrize(
    ("code", "members"),
    [
        ("FORMAT_MIX", [deal(1, formats=("video",)), deal(2, formats=("video",)), deal(3)]),
        ("FORMAT_MIX", [deal(1, devices=("ctv",)), deal(2, devices=("ctv", "phone")), deal(3)]),
        ("FORMAT_MIX", [deal(1, devices=("phone",)), deal(2, devices=("desktop",)), deal(3)]),
        # Video alone is not called CTV, and what nobody says is not display.
        ("FORMAT_MIX", [deal(1, formats=("video",), devices=("ctv",)), deal(2, formats=("video",)), deal(3)]),
        ("CURRENCY_MIX", [priced(1, "USD"), priced(2, "USD"), priced(3, None), deal(4)]),
        ("PRICE_MIX", [deal(1, price_type="fixed"), deal(2)]),
        ("NO_COMMON_GEO", [deal(1, geos=("US", "CA")), deal(2, geos=("US",)), deal(3)]),
        ("NO_COMMON_GEO", [deal(1), deal(2)]),
    ],
)
def test_unknown_and_equal_values_are_no_mix(code, members):
    assert found(members, code) == []


def test_deals_of_several_formats_are_a_mix_that_no_removal_mends():
    members = [deal(n, formats=("display", "video")) for n in (1, 2)]
    assert one([*members, deal(3, formats=("video",))], "FORMAT_MIX").deal_ids == ("1", "2", "3")
    assert one(members, "FORMAT_MIX").fixes == ()


def test_ctv_and_formats_that_differ_are_one_finding_with_both_splits():
    members = [deal(1, formats=("video",), devices=("ctv",)), deal(2, formats=("audio",), devices=("phone",))]
    labels = [fix.label for fix in one(members, "FORMAT_MIX").fixes]
    assert [label.split("(")[0] for label in labels] == ["Split by format ", "Split by device "]


def test_equally_large_sides_offer_no_removal():
    assert "remove" not in fixes(one([priced(1, "USD"), priced(2, "EUR")], "CURRENCY_MIX"))


# --- time ---------------------------------------------------------------------------------------


def running(*times):
    return [Deal(str(n), start_time=start, end_time=end) for n, (start, end) in enumerate(times)]


@pytest.mark.parametrize(
    ("times", "about", "out"),
    [
        (
            [("2026-01-01", "2026-12-31"), ("2026-02-01", "2026-12-31"), ("2027-01-01", None)],
            ("0", "1", "2"),
            ("2",),
        ),
        (
            [(None, "2026-11-25"), ("2026-12-01", None), ("2026-01-01", None), (None, None)],
            ("0", "1"),
            ("0",),
        ),
        ([("2026-12-01", "2026-11-01"), (None, None)], ("0",), ("0",)),
    ],
)
def test_package_without_a_common_time_is_an_error(times, about, out):
    members = running(*times)
    finding = one(members, "NO_COMMON_FLIGHT")
    assert (finding.severity, finding.deal_ids) == ("error", about)
    assert fixes(finding) == {"remove": (out,)}
    assert found(mended(members, finding.fixes[0])[0], "NO_COMMON_FLIGHT") == []


@pytest.mark.parametrize(
    "times",
    [
        [("2026-01-01", "2026-12-31"), ("2026-12-31", None), (None, None)],
        [("2026-12-01", None), (None, "bad"), ("worse", "2026-12-01")],
        [],
    ],
)
def test_open_or_unreadable_dates_are_no_conflict(times):
    assert found(running(*times), "NO_COMMON_FLIGHT") == []


# code, values of a deal that breaks the rule
LATE = [
    ("EXPIRED", {"end_time": "2026-11-22"}),
    ("EXPIRED", {"end_time": "2026-11-22T23:59:59Z"}),
    ("EXPIRED", {"end_time": "2026-11-23T00:30:00+01:00"}),
    ("EXPIRED", {"status": "expired"}),
    ("NOT_STARTED", {"start_time": "2026-11-24"}),
    ("NOT_STARTED", {"start_time": "2026-11-24T00:00:00"}),
    ("INACTIVE", {"status": "paused"}),
    ("INACTIVE", {"status": "draft"}),
    ("STALE_NAME", {"deal_name": "WorldCup_2022", "status": "active"}),
    ("STALE_NAME", {"deal_name": "WorldCup_2022", "start_time": "2026-06-01", "end_time": "2026-07-31"}),
    ("STALE_NAME", {"deal_name": "Cup 2022", "start_time": "2022-01-01"}),
    ("STALE_NAME", {"deal_name": "Cup 2022", "end_time": "2026-12-31"}),
    ("STALE_NAME", {"deal_name": "Cup 2027", "end_time": "2026-12-31"}),
    ("STALE_NAME", {"deal_name": "Cup 2024-2025", "status": "active"}),
]
ON_TIME = [
    ("EXPIRED", {"end_time": "2026-11-23"}),
    ("EXPIRED", {"end_time": "2026-11-23T00:00:00Z"}),
    ("EXPIRED", {"end_time": "yesterday"}),
    ("EXPIRED", {"status": "active"}),
    ("NOT_STARTED", {"start_time": "2026-11-23T23:59:00Z"}),
    ("NOT_STARTED", {"start_time": "tomorrow"}),
    ("INACTIVE", {"status": "active"}),
    ("INACTIVE", {"status": "expired"}),  # that is EXPIRED, and said once
    ("STALE_NAME", {"deal_name": "WorldCup_2022"}),
    ("STALE_NAME", {"deal_name": "WorldCup_2022", "status": "paused"}),
    ("STALE_NAME", {"deal_name": "Cup 2022", "start_time": "2022-01-01", "end_time": "2022-12-31"}),
    ("STALE_NAME", {"deal_name": "WorldCup_2026", "status": "active"}),
    ("STALE_NAME", {"deal_name": "Cup 2025-2026", "start_time": "2025-06-01"}),
    ("STALE_NAME", {"deal_name": "Cup 2027", "end_time": "2027-06-30"}),
    ("STALE_NAME", {"deal_name": "Banner 2048x1536 id20221 A2022", "status": "active"}),
    ("STALE_NAME", {"deal_name": "Cyberpunk 2077", "end_time": "2026-12-31"}),
]


def late(code, values):
    members = [deal(1), Deal("2", **values), deal(3)]
    return found(members, code)


@pytest.mark.parametrize(("code", "values"), LATE)
def test_deal_at_the_wrong_time_is_a_warning_and_can_be_removed(code, values):
    (finding,) = late(code, values)
    assert (finding.severity, finding.deal_ids, fixes(finding)) == ("warning", ("2",), {"remove": (("2",),)})
    assert "1 of 3" in finding.sentence


@pytest.mark.parametrize(("code", "values"), ON_TIME)
def test_deal_at_its_time_or_of_unknown_time_is_no_finding(code, values):
    assert late(code, values) == []


# --- the same deal twice ------------------------------------------------------------------------

ESPN = {"publishers": ("ESPN",), "formats": ("video",), "ssp_name": "Magnite"}


@pytest.mark.parametrize(
    ("members", "about", "out"),
    [
        ([deal(1, **ESPN), deal(2), deal(3, **{**ESPN, "publishers": ("espn",)})], ("1", "3"), ("3",)),
        ([deal(1, "Auto CTV Fans"), deal(2, "fans, AUTO: ctv!"), deal(3, "Golf")], ("1", "2"), ("2",)),
        (
            [
                deal(1, "OpenX | Auto CTV", ssp_name="OpenX"),
                deal(2, "Magnite | Auto CTV", ssp_name="Magnite"),
                deal(3, "CTV Auto 3"),
            ],
            ("1", "2", "3"),
            ("2", "3"),
        ),
        (
            [
                deal(1, "a b c d e f g h i j k l m n o p q r s t"),
                deal(2, "a b c d e f g h i j k l m n o p q r s z"),
                deal(3, "a b c d e f g h i j"),
            ],
            ("1", "2"),
            ("2",),
        ),
    ],
)
def test_deal_that_is_there_twice_is_a_warning_and_the_first_is_kept(members, about, out):
    finding = one(members, "DUP_MEMBER")
    assert (finding.severity, finding.deal_ids, fixes(finding)) == ("warning", about, {"remove": (out,)})


@pytest.mark.parametrize(
    "other",
    [
        {"publishers": ("Fox",)},
        {"publishers": ("ESPN", "Fox")},
        {"formats": ("display",)},
        {"ssp_name": "OpenX"},
        {"publishers": ()},
        {"formats": ()},
        {"ssp_name": None},
    ],
)
def test_deals_that_differ_in_publisher_format_or_ssp_are_two(other):
    assert found([deal(1, **ESPN), deal(2, **{**ESPN, **other})], "DUP_MEMBER") == []
    unsaid = {**ESPN, **other}
    assert found([deal(1), deal(2)], "DUP_MEMBER") == []
    known = all(unsaid[name] for name in ("publishers", "formats", "ssp_name"))
    assert len(found([deal(1, **unsaid), deal(2, **unsaid)], "DUP_MEMBER")) == int(known)


@pytest.mark.parametrize(
    ("one_text", "other_text"),
    [
        ("Auto 18-34", "Auto 35-54"),
        ("Sports CTV US", "Sports CTV UK"),
        ("Deal 1", "Deal 2"),
        ("", ""),
        ("a b c d e f g h i x", "a b c d e f g h i y"),
    ],
)
def test_texts_that_differ_in_a_word_are_two(one_text, other_text):
    assert found([deal(1, one_text), deal(2, other_text)], "DUP_MEMBER") == []


def test_two_pairs_of_twins_are_one_finding_in_package_order():
    names = ("Golf Fans", "Auto Fans", "golf fans", "auto fans")
    finding = one([deal(n, name) for n, name in enumerate(names)], "DUP_MEMBER")
    assert finding.deal_ids == ("0", "1", "2", "3")
    assert fixes(finding) == {"remove": (("2", "3"),)}


# --- size, SSPs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("deals", "fires"), [(0, True), (1, True), (2, True), (3, False), (30, False)])
def test_less_than_three_deals_are_a_warning(deals, fires):
    few = found([deal(n) for n in range(deals)], "FEW_DEALS")
    assert [item.severity for item in few] == ["warning"] * fires


def test_several_ssps_are_a_note_with_a_split():
    members = [deal(1, ssp_name="A"), deal(2, ssp_name="B"), deal(3), deal(4, ssp_name="B")]
    finding = one(members, "MULTI_SSP")
    assert (finding.severity, finding.deal_ids) == ("info", ("1", "2", "4"))
    assert fixes(finding) == {"split": (("2", "4"), ("1",), ("3",))}
    assert "2 SSPs" in finding.sentence
    assert found([deal(1, ssp_name="A"), deal(2), deal(3, ssp_name="A")], "MULTI_SSP") == []


# --- overlap ------------------------------------------------------------------------------------

MEMBERS = [deal(n) for n in range(4)]


def overlap(policy, *others, own="pending"):
    packages = [package_of(MEMBERS, name="Own Package", status=own)]
    packages += [
        Package(f"pkg-{n}", f"Other {n} Package", ids, "", "rules", status=status)
        for n, (ids, status) in enumerate(others, start=2)
    ]
    rules = replace(RULES_NOW, overlap=policy)
    checked = check_package(packages[0], MEMBERS, rules, Others.of(packages))
    return [item for item in checked if item.code == "OVERLAP"]


SHARING = (("0", "9"), "pending")
SHARING_MORE = (("2", "1"), "approved")
REJECTED = (("0", "1", "2", "3"), "rejected")


@pytest.mark.parametrize(
    ("policy", "others", "severity", "about"),
    [
        (OverlapPolicy("allow"), [SHARING, SHARING_MORE], None, ()),
        (OverlapPolicy("warn", 0.5), [SHARING], None, ()),
        (OverlapPolicy("warn", 0.5), [SHARING_MORE], None, ()),
        (OverlapPolicy("warn", 0.5), [SHARING, SHARING_MORE], "warning", ("0", "1", "2")),
        (OverlapPolicy("warn", 0.0), [SHARING], "warning", ("0",)),
        (OverlapPolicy("warn", 0.0), [REJECTED], None, ()),
        (OverlapPolicy("forbid"), [SHARING], "error", ("0",)),
        (OverlapPolicy("forbid", 1.0), [SHARING], "error", ("0",)),
        (OverlapPolicy("forbid"), [REJECTED], None, ()),
        (OverlapPolicy("forbid"), [], None, ()),
    ],
)
def test_shared_deals_are_judged_by_the_policy(policy, others, severity, about):
    shared = overlap(policy, *others)
    assert [item.severity for item in shared] == ([severity] if severity else [])
    for item in shared:
        assert item.deal_ids == about
        assert fixes(item) == {"remove": (about,)}
        assert "'Other 2 Package'" in item.sentence
        assert f"{len(about)} of 4 also in" in item.sentence


def test_package_that_is_wholly_shared_offers_no_removal():
    (finding,) = overlap(OverlapPolicy("forbid"), (("0", "1", "2", "3"), "pending"))
    assert finding.fixes == ()


def test_without_other_packages_nothing_is_shared():
    rules = replace(RULES_NOW, overlap=OverlapPolicy("forbid"))
    assert found(MEMBERS, "OVERLAP", rules=rules) == []


# --- all rules ----------------------------------------------------------------------------------

SPECIFIED = {
    "error": {
        "KIDS_POLITICAL", "KIDS_RESTRICTED", "GAMBLING_FAMILY", "FLOOR_CONTENT", "FAMILY_CLAIM", "CLAIM",
        "NO_COMMON_FLIGHT", "OVERLAP",
    },
    "warning": {
        "RISK_MIX", "QUALITY_MIX", "FORMAT_MIX", "CURRENCY_MIX", "PRICE_MIX", "NO_COMMON_GEO", "EXPIRED",
        "NOT_STARTED", "INACTIVE", "STALE_NAME", "DUP_MEMBER", "FEW_DEALS",
    },
    "info": {"MULTI_SSP"},
}  # fmt: skip


def test_table_of_rules_holds_every_code_with_its_severity_and_words():
    severities = {code: severity for severity, codes in SPECIFIED.items() for code in codes}
    of_names = {code: rule.severity for code, rule in NAME_RULES.items() if code.startswith("NAME_")}
    assert {code: rule.severity for code, rule in RULES.items()} == severities | of_names
    assert len({rule.words for rule in RULES.values()}) == len(RULES)


def test_deals_that_say_nothing_break_no_rule():
    assert findings([deal(n) for n in range(4)], name="Sports Package", reasoning="Sports.") == ()


def test_only_a_family_claim_fires_on_deals_that_say_nothing():
    codes = {item.code for item in findings([deal(n) for n in range(4)], name="Family-Safe Sports Package")}
    assert codes == {"FAMILY_CLAIM"}


def test_findings_come_worst_first_and_in_the_order_of_the_rules():
    members = [
        Deal("1", KIDS, ssp_name="A", end_time="2026-01-01", price_type="fixed"),
        Deal("2", "Politics", ssp_name="B", start_time="2026-12-01", price_type="auction"),
    ]
    codes = [item.code for item in findings(members, reasoning="x" * 300)]
    assert codes == [
        "KIDS_POLITICAL", "NO_COMMON_FLIGHT", "PRICE_MIX", "EXPIRED", "NOT_STARTED", "FEW_DEALS", "MULTI_SSP",
        "NAME_DESCRIPTION",
    ]  # fmt: skip


def test_deals_are_named_in_the_order_of_the_package_whatever_order_they_are_given_in():
    members = [deal("b", KIDS), deal("a", "Politics"), deal("c", KIDS)]
    package = package_of(members)
    for given_order in (members, members[::-1]):
        checked = check_package(package, given_order, RULES_NOW)
        assert [item.deal_ids for item in checked if item.code == "KIDS_POLITICAL"] == [("b", "a", "c")]


def test_record_with_empty_nested_objects_is_checked_without_a_crash():
    record = {"deal_id": "1", "safety": None, "taxonomy": None, "audience": None, "commercial": None}
    parsed = parse_deal(record)[0]
    assert [item.code for item in findings([parsed], name="Sports Package")] == ["FEW_DEALS"]


@settings(max_examples=50)
@given(
    st.lists(
        records().map(lambda record: parse_deal(record)[0]).filter(bool),
        max_size=6,
        unique_by=lambda item: item.deal_id,
    ),
    st.text(max_size=40),
)
def test_any_package_gets_findings_about_its_own_deals_and_fixes_that_leave_some(members, words):
    for item in findings(members, name=words, reasoning=words):
        ids = [one.deal_id for one in members]
        assert list(item.deal_ids) == [deal_id for deal_id in ids if deal_id in item.deal_ids]
        assert item.severity in SEVERITIES
        assert SEVERITIES.index(item.severity) >= SEVERITIES.index(RULES[item.code].severity)
        for fix in item.fixes:
            parts = [deal_id for part in fix.parts for deal_id in part]
            assert all(fix.parts)
            assert len(parts) == len(set(parts))
            assert set(parts) <= set(ids) if fix.kind == "remove" else set(parts) == set(ids)
            assert fix.kind == "split" or len(parts) < len(ids)
