"""What a name and a reasoning claim is counted over the deals; unknown is neither true nor false."""

from typing import Any

import pytest

from core.deals import Audience, Commercial, Deal, Safety, Taxonomy
from core.proposals import DealGroup, RulesProposer
from core.wording import Claim
from core.wording.claims import check_claims


def deal(number: int, **fields: Any) -> Deal:
    return Deal(f"d{number}", **fields)


def counted(claim: Claim) -> tuple[int, int, int, tuple[str, ...]]:
    return claim.true_of, claim.unknown, claim.of, claim.against


# Four deals: each fact is true of d1 and d2, false of d3, unknown of d4.
MIXED = [
    deal(
        n,
        formats=("video",),
        devices=("ctv",),
        ssp_name="Magnite",
        taxonomy=Taxonomy("Sports", "Soccer"),
        safety=Safety("Low", True),
        audience=Audience(("Sports Fans",)),
        commercial=Commercial("Premium"),
    )
    for n in (1, 2)
] + [
    deal(
        3,
        formats=("display",),
        devices=("phone",),
        ssp_name="OpenX",
        taxonomy=Taxonomy("Travel"),
        safety=Safety("High", False),
        audience=Audience(("Homeowners",)),
        commercial=Commercial("RON"),
    ),
    deal(4),
]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Family-Safe Package", "family-safe"),
        ("family safe package", "family-safe"),
        ("Family\u2011Safe Package", "family-safe"),  # a dash of another kind
        ("Family\u2013friendly Package", "family-safe"),
        ("Fam\u200bily-Safe Package", "family-safe"),  # a character nobody sees
        ("Kid-Friendly Package", "family-safe"),
        ("Suitable for Children Package", "family-safe"),
        ("Brand-Safe Package", "brand-safe"),
        ("Low-Risk Package", "risk"),
        ("Low Risk Package", "risk"),
        ("Low to Medium Risk Package", "risk"),
        ("Up to Medium Risk Package", "risk"),
        ("Premium Package", "quality"),
        ("Premium and Mid-tier Package", "quality"),
        ("CTV Package", "format"),
        ("Connected TV Package", "format"),
        ("CTV Video Package", "format"),
        ("Video & Audio Package", "format"),
        ("Sports Fans Package", "audience"),
        ("Sports Fan Package", "audience"),
    ],
)
def test_claim_of_a_name_is_counted_over_all_deals(name: str, kind: str) -> None:
    (claim,) = [claim for claim in check_claims(name, "", MIXED) if claim.kind == kind]
    assert counted(claim) == (2, 1, 4, ("d3",))
    assert claim.contradicted


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Non-Family Package", "family-safe"),
        ("Non-Family-Safe Package", "family-safe"),
        ("High-Risk Package", "risk"),
        ("RON Package", "quality"),
        ("Run of Network Package", "quality"),
        ("Non-Premium Package", "quality"),
        ("Banner Package", "format"),
        ("Homeowners Package", "audience"),
    ],
)
def test_the_opposite_is_true_of_the_other_deals(name: str, kind: str) -> None:
    (claim,) = [claim for claim in check_claims(name, "", MIXED) if claim.kind == kind]
    assert counted(claim) == (1, 1, 4, ("d1", "d2"))


def test_unknown_alone_contradicts_nothing_and_proves_nothing() -> None:
    claims = check_claims("Family-Safe Premium Low-Risk CTV Package", "", [deal(1), deal(2)])
    assert {claim.kind for claim in claims} == {"family-safe", "quality", "risk", "format"}
    assert {counted(claim) for claim in claims} == {(0, 2, 2, ())}
    assert not any(claim.contradicted for claim in claims)


@pytest.mark.parametrize(
    "name", ["Low-Risk Package", "Medium Risk Package", "Brand-Safe", "No High-Risk Package"]
)
def test_below_the_safety_floor_is_worse_than_high(name: str) -> None:
    (claim,) = check_claims(name, "", [deal(1, safety=Safety("Floor"))])
    assert claim.against == ("d1",)


def test_display_deal_is_no_ctv_even_when_its_device_is_unknown() -> None:
    deals = [deal(1, formats=("display",)), deal(2, formats=("video",)), deal(3, devices=("ctv",))]
    (claim,) = check_claims("CTV Package", "", deals)
    assert counted(claim) == (1, 1, 3, ("d1",))


def test_joined_formats_are_a_choice_and_neighbours_are_not() -> None:
    deals = [deal(1, formats=("video",)), deal(2, formats=("display",)), deal(3, formats=("audio",))]
    for name in ("Video/Display Package", "Video and Display Package", "Display & Video Package"):
        assert counted(check_claims(name, "", deals)[0]) == (2, 0, 3, ("d3",))
    assert counted(check_claims("Video Display Package", "", deals)[0]) == (0, 0, 3, ("d1", "d2", "d3"))


@pytest.mark.parametrize(
    ("vertical", "name"),
    [
        ("Video Gaming", "Video Gaming Display Package"),
        ("Music and Audio", "Music and Audio Display Package"),
        ("Hobbies", "Podcast Listeners Display Package"),
    ],
)
def test_words_of_a_vertical_or_audience_are_no_format(vertical: str, name: str) -> None:
    deals = [deal(n, formats=("display",), taxonomy=Taxonomy(vertical)) for n in (1, 2)]
    assert not any(claim.contradicted for claim in check_claims(name, "", deals))


def test_no_word_of_the_deals_hides_a_claim_of_safety() -> None:
    deals = [deal(1, taxonomy=Taxonomy("Family-Safe Premium"), safety=Safety("High", False))]
    assert check_claims("Family-Safe Premium Package", "", deals)[0].against == ("d1",)


# --- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "2 of 4 are premium.",
        "Two of the four deals are premium.",
        "3 of 4 are premium.",  # d4 does not say
        "2 premium deals lead.",
        "50% are premium.",
        "1 of 4 is RON.",
        "none of 4 are native.",
        "All 4 deals share a buyer.",
        "These four deals share a buyer.",
        "4 deals from 2 SSPs.",
        "4 deals from 3 SSPs.",  # one deal does not name its SSP
        "2 of 4 are Sports (vertical).",
        "2 of 4 are Soccer.",
        "2 of 4 are Sports Fans (audience).",
        "1 of 4 from OpenX.",
        "Worst known risk High.",
        "2 deals from Magnite and one from OpenX.",
        "The 2 deals from Magnite stand out.",
        "About 3 of 4 are premium, at least 1 of 4 is RON.",
        "CPM 2.5 in 4 deals.",
    ],
)
def test_number_that_may_be_right_stands(said: str) -> None:
    assert not any(claim.contradicted for claim in check_claims("Package", said, MIXED)), said


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("4 of 4 are premium.", "4 of 4 are premium"),
        ("1 of 4 is premium.", "1 of 4 is premium"),
        ("4 premium deals lead.", "4 premium deals"),
        ("80% are premium.", "80% are premium"),
        ("All 5 deals share a buyer.", "All 5 deals"),
        ("These twelve deals share a buyer.", "These twelve deals"),
        ("2 of 9 are premium.", "2 of 9"),
        ("9 deals from 2 SSPs.", "9 deals"),
        ("4 deals from 5 SSPs.", "from 5 SSPs"),
        ("3 of 4 are Sports (vertical).", "3 of 4 are Sports"),
        ("4 of 4 from OpenX.", "4 of 4 from OpenX"),
        ("Worst known risk Low.", "Worst known risk Low"),
    ],
)
def test_wrong_number_contradicts(said: str, words: str) -> None:
    wrong = [claim for claim in check_claims("Package", said, MIXED) if claim.contradicted]
    assert [claim.said for claim in wrong] == [words]
    assert counted(wrong[0]) == (0, 0, 1, ())


# --- "all", hedges and denials ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "words", "found"),
    [
        ("All deals come from Magnite.", "All Magnite", (2, 1, 4, ("d3",))),
        ("Every deal is Sports.", "Every Sports", (2, 1, 4, ("d3",))),
        ("Exclusively Sports or Travel.", "Exclusively Sports or Travel", (3, 1, 4, ())),
        ("Each deal reaches Sports Fans.", "Each Sports Fans", (2, 1, 4, ("d3",))),
    ],
)
def test_all_with_a_value_of_the_deals_is_counted(said: str, words: str, found: tuple[Any, ...]) -> None:
    assert counted(next(c for c in check_claims("x", said, MIXED) if c.said == words)) == found


@pytest.mark.parametrize(
    "said",
    [
        "Mostly premium video.",
        "Some of it is family-safe.",
        "Not all deals are premium.",
        "Works well alongside display.",
        "A better choice than others, unlike premium CTV.",
        "Not all come from Magnite.",
        "All deals come from Magnite except one.",
        "Good for people who like all things.",
        "",
    ],
)
def test_hedge_claims_nothing(said: str) -> None:
    assert check_claims("Package", said, MIXED) == ()


@pytest.mark.parametrize(
    ("said", "against"),
    [
        ("None of it is certain, but the deals are family-safe.", ("d3",)),
        ("Advertisers can rely on family-safe deals.", ("d3",)),
        ("The deals are not premium.", ("d1", "d2")),
        ("No high-risk content.", ("d3",)),
        ("Free of high risk.", ("d3",)),
        ("Not only premium but more.", ("d3",)),
        ("GARM risk is low.", ("d3",)),
    ],
)
def test_claim_in_a_sentence_is_checked(said: str, against: tuple[str, ...]) -> None:
    (claim,) = check_claims("Package", said, MIXED)
    assert claim.against == against


@pytest.mark.parametrize(
    "name",
    ["Acme-DV360-Family_Safe-112326", "Kids_Family_Safe_CTV", "family  safe Package", "Family \u00a0Safe"],
)
def test_claim_in_a_name_is_found_however_its_words_are_parted(name: str) -> None:
    (claim,) = (claim for claim in check_claims(name, "", MIXED) if claim.kind == "family-safe")
    assert claim.against == ("d3",)


def test_same_claim_is_counted_once() -> None:
    claims = check_claims("Premium Package", "Premium deals. They are premium.", MIXED)
    assert [claim.said for claim in claims] == ["Premium"]


# --- audiences --------------------------------------------------------------------------------


def test_related_audience_is_unknown_and_another_contradicts() -> None:
    listed = (("Auto Intenders",), ("Auto Parts Buyers",), ("Pet Owners",), ())
    deals = [deal(n, audience=Audience(names)) for n, names in enumerate(listed, start=1)]
    (claim,) = check_claims("Auto Intender Display Package", "", deals)[:1]
    assert (claim.kind, claim.said) == ("audience", "Auto Intenders")
    assert counted(claim) == (1, 2, 4, ("d3",))


def test_audience_that_no_deal_lists_is_a_claim() -> None:
    deals = [deal(n, audience=Audience(("Homeowners",))) for n in (1, 2)]
    (claim,) = check_claims("Golf Fans Package", "", deals)
    assert (claim.kind, claim.said, claim.true_of, claim.against) == (
        "audience",
        "Golf Fans",
        0,
        ("d1", "d2"),
    )


def test_audience_in_a_reasoning_is_advice_and_no_claim() -> None:
    assert check_claims("Package", "Sell it to golf fans and homeowners.", MIXED) == ()


# --- who wrote it does not matter -------------------------------------------------------------


def test_package_without_deals_claims_nothing() -> None:
    assert check_claims("Family-Safe Package", "All 3 deals.", []) == ()


def test_reasoning_of_the_rules_is_never_contradicted(coherent_groups: list[DealGroup]) -> None:
    checked = 0
    for group in coherent_groups:
        by_id = {item.deal_id: item for item in group.deals}
        for proposal in RulesProposer().propose(group).proposals:
            claims = check_claims("", proposal.reasoning, [by_id[deal_id] for deal_id in proposal.deal_ids])
            checked += len(claims)
            assert [claim.said for claim in claims if claim.contradicted] == [], proposal.reasoning
    assert checked > 300


@pytest.mark.parametrize("word", ["premium ", "all. ", "9 of 9 are ", "CTV/", "not ", "low to ", "(((("])
def test_long_text_is_checked_in_good_time(word: str) -> None:
    deals = [
        deal(n, taxonomy=Taxonomy(f"Vertical {n}"), audience=Audience((f"Fans of {n}",))) for n in range(25)
    ]
    assert len(check_claims(word * 10, (word * 2_000)[:2_000], deals)) <= 2_000
