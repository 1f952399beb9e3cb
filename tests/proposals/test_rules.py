"""Packages by rules: complete, safe, named truly, and the same whatever the order of the deals."""

import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.rules import packageable
from core.deals import Audience, Commercial, Deal, Safety, Taxonomy
from core.deals.vocabulary import garm_risk
from core.proposals import Answer, DealGroup, Proposal, RulesProposer, is_rules_source, rules_label
from core.proposals.rules import propose_left_over
from core.settings import NAME_LIMIT
from core.wording.generated_text import name_of
from tests.fakes.proposers import deal_of, group_of

VERTICALS = ("Sports", "News", "Travel")
AUDIENCES = ("Sports Fans", "Parents", "Gamers")
FORMATS = {"Display": ("display",), "Video": ("video",), "Display/Video": ("display", "video")}
QUALITY = ("Premium", "Mid-tier", "RON")
RISKS = ("Low", "low risk", "Medium", "HIGH", "Floor", None)


def propose(deals: Sequence[Deal]) -> Answer:
    return RulesProposer().propose(DealGroup("c", tuple(deals)))


@st.composite
def clusters(draw: st.DrawFn) -> list[Deal]:
    """Return 0 to 25 deals with few values per fact, any of them unknown."""
    maybe = st.none() | st.sampled_from(VERTICALS)
    return [
        Deal(
            f"id-{n:02}",
            formats=draw(st.sampled_from([(), *FORMATS.values()])),
            devices=draw(st.sampled_from([(), ("ctv",), ("phone",)])),
            taxonomy=Taxonomy(draw(maybe)),
            safety=Safety(draw(st.sampled_from(RISKS)), draw(st.sampled_from([True, False, None]))),
            audience=Audience(tuple(draw(st.sets(st.sampled_from(AUDIENCES), max_size=2)))),
            commercial=Commercial(draw(st.none() | st.sampled_from(QUALITY))),
        )
        for n in range(draw(st.integers(0, 25)))
    ]


def members_of(proposal: Proposal, deals: Sequence[Deal]) -> list[Deal]:
    by_id = {deal.deal_id: deal for deal in deals}
    return [by_id[deal_id] for deal_id in proposal.deal_ids]


# --- promises that hold for every cluster -----------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(clusters(), st.randoms(use_true_random=False))
def test_any_cluster_is_packaged_whole_safely_truly_and_in_any_order_alike(
    deals: list[Deal], rng: random.Random
) -> None:
    answer = propose(deals)
    assert_every_deal_is_in_one_package_or_listed_with_a_reason(answer, deals)
    for proposal in answer.proposals:
        assert_brand_safety_levels_are_not_mixed(members_of(proposal, deals))
        assert_name_says_only_what_is_true(proposal.name, members_of(proposal, deals))
    shuffled = deals.copy()
    rng.shuffle(shuffled)
    assert propose(shuffled) == answer


def assert_every_deal_is_in_one_package_or_listed_with_a_reason(answer: Answer, deals: list[Deal]) -> None:
    packaged = [deal_id for p in answer.proposals for deal_id in p.deal_ids]
    left = [u.deal_id for u in answer.unpackaged]
    assert sorted(packaged + left) == [deal.deal_id for deal in deals]
    assert all(u.reason.endswith(".") for u in answer.unpackaged)
    assert all(len(p.deal_ids) >= 3 for p in answer.proposals)
    assert len(answer.proposals) <= 6
    for proposal in answer.proposals:
        assert proposal.reasoning.startswith(f"{len(proposal.deal_ids)} deals from ")
        assert proposal.reasoning.endswith(" No language model was used.")


def assert_brand_safety_levels_are_not_mixed(members: list[Deal]) -> None:
    risks = {garm_risk(deal.safety.garm_risk_rating) for deal in members}
    assert "Floor" not in risks
    assert not {"High", "Low"} <= risks
    assert not {True, False} <= {deal.safety.family_safe for deal in members}


def has_format(word: str) -> Callable[[Deal], bool]:
    return lambda deal: set(FORMATS[word]) <= set(deal.formats)


CLAIMS: dict[str, Callable[[Deal], bool]] = {
    **{word: lambda deal, word=word: deal.taxonomy.tier1 == word for word in VERTICALS},
    **{word: lambda deal, word=word: word in deal.audience.inferred_audience for word in AUDIENCES},
    **{word: lambda deal, word=word: deal.commercial.quality_tier == word for word in QUALITY},
    **{word: has_format(word) for word in FORMATS},
    "CTV": lambda deal: deal.formats == ("video",) and deal.devices == ("ctv",),
}
PROVEN: dict[str, Callable[[Deal], bool]] = {
    "Family-Safe": lambda deal: deal.safety.family_safe is True,
    "Non-Family": lambda deal: deal.safety.family_safe is False,
    "High-Risk": lambda deal: garm_risk(deal.safety.garm_risk_rating) == "High",
}
SOME: dict[str, Callable[[Deal], bool]] = {
    "Mixed-Risk": PROVEN["High-Risk"],
    "Mixed-Safety": PROVEN["Non-Family"],
}


WORDS = re.compile("|".join(sorted([*CLAIMS, *PROVEN, *SOME, "Package"], key=len, reverse=True)))


def assert_name_says_only_what_is_true(name: str, members: list[Deal]) -> None:
    said = WORDS.findall(name)
    assert " ".join(said) == name, "the name holds nothing else"
    assert said[-1] == "Package"
    assert len(said) > 1
    for word in said[:-1]:
        share = sum((CLAIMS | PROVEN | SOME)[word](deal) for deal in members) / len(members)
        assert 0 < share < 1 if word in SOME else share == 1 if word in PROVEN else share >= 0.8, word
    if not any(map(PROVEN["High-Risk"], members)):
        assert ("Family-Safe" in said) is all(map(PROVEN["Family-Safe"], members))
    assert ({"High-Risk", "Mixed-Risk"} & {*said} != set()) is any(map(PROVEN["High-Risk"], members))
    assert ({"Non-Family", "Mixed-Safety"} & {*said} != set()) is any(map(PROVEN["Non-Family"], members))


# --- single cases -----------------------------------------------------------------------------


@pytest.mark.parametrize("deals", [0, 1, 2])
def test_tiny_cluster_gives_no_package(deals: int) -> None:
    answer = propose(group_of("News", deals).deals)
    assert answer.proposals == ()
    assert len(answer.unpackaged) == deals


def test_three_alike_are_a_package() -> None:
    (proposal,) = propose(group_of("News", 3).deals).proposals
    assert proposal.name == "News Package"
    assert proposal.deal_ids == ("News-001", "News-002", "News-003")


def test_deals_without_facts_say_that_nothing_groups_them() -> None:
    answer = propose([Deal(f"bare-{n}") for n in range(12)])
    assert answer.proposals == ()
    assert {u.reason for u in answer.unpackaged} == {
        "It names no vertical, audience, format or quality tier to group it by."
    }


def test_deals_without_a_subject_are_grouped_by_format_and_quality_and_that_is_said() -> None:
    deals = [Deal(f"x{n}", formats=("video",), commercial=Commercial("Premium")) for n in range(9)]
    (proposal,) = propose(deals).proposals
    assert (proposal.name, len(proposal.deal_ids)) == ("Premium Video Package", 9)
    assert "No vertical and no audience is shared by most of them." in proposal.reasoning


def test_shared_subject_comes_before_a_shared_format() -> None:
    news = [deal_of("News", n, formats=(kind,)) for n, kind in enumerate(("audio", "native", "video"), 1)]
    others = [deal_of(topic, 1, formats=("video",)) for topic in ("Pets", "Cars", "Food")]
    names = {p.name: p for p in propose([*news, *others]).proposals}
    assert {name: len(p.deal_ids) for name, p in names.items()} == {"News Package": 3, "Video Package": 3}
    assert "No vertical" not in names["News Package"].reasoning


@pytest.mark.parametrize("verdict", [True, False])
def test_deals_too_few_borrow_alike_ones_that_do_not_say_whether_they_are_safe(verdict: bool) -> None:
    many = [deal_of("News", n, safety=Safety("Low", not verdict)) for n in range(1, 9)]
    silent = [deal_of("News", n, safety=Safety("Low")) for n in range(9, 12)]
    few = [deal_of("News", n, safety=Safety("Low", verdict)) for n in range(12, 14)]
    answer = propose([*many, *silent, *few])
    assert answer.unpackaged == ()
    assert sorted(len(p.deal_ids) for p in answer.proposals) == [3, 10]
    assert len({p.name for p in answer.proposals}) == 2


def test_borrowing_leaves_the_lender_a_package() -> None:
    lender = [deal_of("News", n, safety=Safety("Low", n < 3 or None)) for n in range(1, 4)]
    answer = propose([*lender, *(deal_of("News", n, safety=Safety("Low", False)) for n in (4, 5))])
    assert [p.deal_ids for p in answer.proposals] == [("News-001", "News-002", "News-003")]
    assert [u.deal_id for u in answer.unpackaged] == ["News-004", "News-005"]


def test_what_a_model_left_out_is_packaged_like_a_cluster() -> None:
    deals = [deal_of("News", n) for n in range(1, 5)]
    assert propose_left_over(deals) == propose(deals).proposals
    assert propose_left_over(deals[:2]) == ()


def test_below_the_safety_floor_is_never_packaged_and_says_so() -> None:
    floor = [deal_of("News", n, safety=Safety("Floor", False)) for n in range(1, 6)]
    answer = propose([*floor, *(deal_of("News", n) for n in range(6, 10))])
    assert answer.proposals[0].deal_ids == ("News-006", "News-007", "News-008", "News-009")
    assert {u.reason for u in answer.unpackaged} == {"It is rated below the brand-safety floor (GARM Floor)."}


def test_deal_that_cannot_join_without_mixing_levels_says_so() -> None:
    deals = [deal_of("News", n, safety=Safety("Low")) for n in range(1, 5)]
    answer = propose([*deals, deal_of("News", 5, safety=Safety("High"))])
    assert [u.deal_id for u in answer.unpackaged] == ["News-005"]
    assert "without mixing brand-safety levels" in answer.unpackaged[0].reason


def test_cluster_with_seven_subjects_keeps_six_packages_and_says_so() -> None:
    deals = [deal_of(topic, n) for topic in "ABCDEFG" for n in range(1, 4)]
    answer = propose(deals)
    assert len(answer.proposals) == 6
    assert {u.reason for u in answer.unpackaged} == {
        "It fits none of the 6 packages that a cluster gives at most."
    }


@pytest.mark.parametrize(("tier", "name"), [(None, "Premium News Package"), ("RON", "News Package")])
def test_quality_is_named_when_no_deal_says_otherwise(tier: str | None, name: str) -> None:
    premium = [deal_of("News", n, commercial=Commercial("Premium")) for n in range(1, 9)]
    (proposal,) = propose([*premium, deal_of("News", 9, commercial=Commercial(tier))]).proposals
    assert (proposal.name, len(proposal.deal_ids)) == (name, 9)


def test_four_of_five_name_the_vertical_even_when_the_fifth_has_another() -> None:
    fans = [deal_of("News", n, audience=Audience(("Fans",))) for n in range(1, 5)]
    odd = deal_of("Pets", 1, audience=Audience(("Fans",)))
    assert name_of([*fans, odd]) == "News Fans Package"
    assert name_of([*fans[1:], odd]) == "Fans Package"


def test_late_single_deal_does_not_cost_a_package_its_family_safe_label() -> None:
    safe = [deal_of("News", n, safety=Safety("Low", True)) for n in range(1, 9)]
    odd = deal_of("News", 9, safety=Safety("Low", False))
    answer = propose([*safe, odd])
    assert [p.name for p in answer.proposals] == ["Family-Safe News Package"]
    assert [u.deal_id for u in answer.unpackaged] == ["News-009"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"taxonomy": Taxonomy("Sports"), "audience": Audience(("Sports Fans",))}, "Sports Fans Package"),
        ({"taxonomy": Taxonomy("Travel"), "audience": Audience(("Eco Travelers",))}, "Eco Travelers Package"),
        (
            {"taxonomy": Taxonomy("Home & Garden"), "audience": Audience(("Home Buyers",))},
            "Home Buyers Package",
        ),
        ({"taxonomy": Taxonomy("Sports"), "audience": Audience(("Gamblers",))}, "Sports Gamblers Package"),
        ({"taxonomy": Taxonomy("Video Gaming"), "formats": ("video",)}, "Gaming Video Package"),
        ({"taxonomy": Taxonomy("Video Gaming"), "formats": ("display",)}, "Video Gaming Display Package"),
        ({"taxonomy": Taxonomy("food and drink"), "formats": ("audio",)}, "Food And Drink Audio Package"),
        ({"taxonomy": Taxonomy(), "audience": Audience(("Parents",))}, "Parents Package"),
        ({"formats": ("video",), "devices": ("ctv",)}, "News CTV Package"),
        ({"formats": ("video",), "devices": ("ctv", "phone")}, "News Video Package"),
        ({"formats": ("display", "video")}, "News Display/Video Package"),
        ({"commercial": Commercial("Premium")}, "Premium News Package"),
        ({"safety": Safety("High", True)}, "High-Risk News Package"),
        ({"safety": Safety("High", False)}, "High-Risk Non-Family News Package"),
        ({"taxonomy": Taxonomy("Genres"), "formats": ("video",)}, "Video Package"),
        ({"taxonomy": Taxonomy("Genres", "Comedy"), "formats": ("video",)}, "Comedy Video Package"),
        ({"safety": Safety("Low", False)}, "Non-Family News Package"),
        ({"safety": Safety("Low", True)}, "Family-Safe News Package"),
        ({"taxonomy": Taxonomy("News\n\u202e| <b>")}, "News | <b> Package"),
    ],
)
def test_name_of_a_uniform_package(fields: dict[str, object], name: str) -> None:
    (proposal,) = propose([deal_of("News", n, **fields) for n in range(1, 5)]).proposals
    assert proposal.name == name


def test_name_has_a_length_limit() -> None:
    (proposal,) = propose([deal_of("Long " * 200, n) for n in range(1, 5)]).proposals
    assert len(proposal.name) <= NAME_LIMIT


def test_format_shared_by_most_is_named_when_the_devices_differ() -> None:
    devices = (("ctv",), ("phone",))
    deals = [deal_of("News", n, formats=("video",), devices=devices[n % 2]) for n in range(1, 9)]
    names = {p.name for p in propose(deals).proposals}
    assert names <= {"News CTV Package", "News Video Package"}


def test_label_says_that_no_model_was_used() -> None:
    assert RulesProposer().source == "Rules (no AI)"
    assert propose(group_of("News", 5).deals).model is None


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        (
            "Gemini is in trouble: try again later.",
            "Rules (AI failed: Gemini is in trouble: try again later)",
        ),
        ("two\nlines", "Rules (AI failed: two lines)"),
    ],
)
def test_label_of_rules_in_place_of_a_model_says_why(reason: str, label: str) -> None:
    assert rules_label(reason) == label
    assert len(rules_label("long " * 500)) < 150


@pytest.mark.parametrize(
    ("source", "by_rules"),
    [
        ("Rules (no AI)", True),
        (rules_label("busy"), True),
        (rules_label(""), True),
        ("gemini-2.5-flash", False),
        ("Analyst", False),
        ("", False),
    ],
)
def test_labels_of_rules_are_told_from_others(source: str, by_rules: bool) -> None:
    assert is_rules_source(source) is by_rules


# --- the sample data --------------------------------------------------------------------------


def test_coherent_clusters_are_covered(coherent_groups: list[DealGroup]) -> None:
    packaged = possible = 0
    for group in coherent_groups:
        packaged += sum(len(p.deal_ids) for p in RulesProposer().propose(group).proposals)
        possible += packageable(group.deals)
    assert len(coherent_groups) > 30
    assert packaged >= 0.99 * possible


def test_clusters_thrown_together_are_covered_as_far_as_deals_are_alike(
    sample_deals: tuple[Deal, ...],
) -> None:
    deals = list(sample_deals)
    random.Random(1).shuffle(deals)
    answers = [propose(deals[start : start + 25]) for start in range(0, len(deals), 25)]
    assert sum(len(p.deal_ids) for answer in answers for p in answer.proposals) >= 0.8 * len(deals)


def test_names_read_well_on_the_sample(coherent_groups: list[DealGroup]) -> None:
    for group in coherent_groups:
        names = [p.name for p in RulesProposer().propose(group).proposals]
        assert len(set(names)) == len(names), names
        for name in names:
            words = [word.casefold() for word in name.split()]
            assert len(words) >= 2
            assert all(left != right for left, right in pairwise(words)), name
            assert sorted(set(words) - {"and", "&"}) == sorted(w for w in words if w not in {"and", "&"}), (
                name
            )
