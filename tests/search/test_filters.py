"""Each filter says yes, no, or that the deal does not say; unknown is never yes."""

from dataclasses import replace

import pytest

from core.deals import Deal
from core.search import parse_brief
from core.search.filters import Filter
from tests.search.deals import make_deal


def only_filter(brief: str) -> Filter:
    (found,) = parse_brief(brief, ssps=("Magnite", "OpenX")).filters
    return found


CTV = make_deal(formats=("video",), devices=("ctv",))
CASES: list[tuple[str, Deal, bool | None]] = [
    ("CTV", CTV, True),
    ("CTV", make_deal(formats=("video",)), None),  # video alone is not CTV
    ("CTV", make_deal(formats=("video",), inventory_type="apps, ctv"), True),
    ("CTV", make_deal(formats=("video",), devices=("desktop",)), False),
    ("CTV", make_deal(formats=("display",)), False),
    ("video", make_deal(formats=("display", "video")), True),
    ("video", make_deal(), None),
    ("no video", make_deal(), None),
    ("no video", make_deal(formats=("display",)), True),
    ("mobile", make_deal(devices=("phone",)), True),
    ("smartphones", make_deal(devices=("mobile",)), None),  # phone or tablet
    ("tablets", make_deal(devices=("phone",)), False),
    ("mobile video", make_deal(formats=("video",), devices=("ctv",)), False),
    ("mobile video", make_deal(formats=("video",)), None),
    ("CTV or display", make_deal(formats=("display",)), True),
    ("family-safe", make_deal(safe=True), True),
    ("family-safe", make_deal(safe=False), False),
    ("family-safe", make_deal(), None),
    ("not family-safe", make_deal(), None),
    ("low risk", make_deal(risk="Low"), True),
    ("low risk", make_deal(risk="HIGH"), False),
    ("medium risk", make_deal(risk="Low"), True),
    ("high risk", make_deal(risk="Floor"), False),
    ("low risk", make_deal(), None),
    ("US", make_deal(geos=("USA", "CA")), True),
    ("US", make_deal(geos=("United States",)), True),
    ("US", make_deal(geos=("GB",)), False),
    ("US", make_deal(geos=("Worldwide",)), True),
    ("US", make_deal(geos=("Region 7",)), None),
    ("US", make_deal(), None),
    ("Namibia", make_deal(geos=("NA",)), True),
    ("under $15", make_deal(floor=("14.99", "USD")), True),
    ("under $15", make_deal(floor=("15", "USD")), False),
    ("up to $15", make_deal(floor=("15", "USD")), True),
    ("at least $15", make_deal(floor=("15", "USD")), True),
    ("over $15", make_deal(floor=("15", "USD")), False),
    ("$5-10", make_deal(floor=("4.99", "USD")), False),
    ("under $15", make_deal(floor=("9", "EUR")), None),  # EUR is not USD
    ("under $15", make_deal(floor=("9", None)), None),
    ("under $15", make_deal(), None),
    ("under $15", make_deal(floor=("0", "EUR")), True),  # no floor is below every limit
    ("at least $5", make_deal(floor=("0", None)), False),
    ("floor under 15", make_deal(floor=("9", "USD")), None),  # the brief names no currency
    ("premium", make_deal(quality="Premium"), True),
    ("premium", make_deal(quality="Essential"), False),
    ("premium", make_deal(), None),
    ("high volume", make_deal(volume="Low"), False),
    ("on Magnite", make_deal(ssp_name="Magnite"), True),
    ("on Magnite", make_deal(ssp_name="OpenX"), False),
    ("not Magnite", make_deal(ssp_name="OpenX"), True),
    ("fixed price", make_deal(price_type="auction"), False),
    ("fixed price", make_deal(), None),
    ("active deals", make_deal(status="paused"), False),
    ("December 2026", make_deal(start_time="2026-11-01T00:00:00Z", end_time="2027-01-31"), True),
    ("December 2026", make_deal(start_time="2026-11-01"), True),  # no end: it runs on
    ("December 2026", make_deal(start_time="2026-12-05", end_time="2027-01-31"), None),  # a part of it
    ("December 2026", make_deal(start_time="2026-01-01", end_time="2026-11-30"), False),
    ("December 2026", make_deal(start_time="2027-01-01"), False),
    ("December 2026", make_deal(end_time="2027-01-31"), None),  # nobody said since when
    ("December 2026", make_deal(end_time="2026-11-30"), False),
    ("December 2026", make_deal(), None),
    ("no gambling", make_deal(deal_name="PM_CasinoGames_US"), False),
    ("no gambling", make_deal(tiers=("Attractions", "Casinos & Gambling")), False),
    ("no gambling", make_deal(tiers=("Sports",), concepts=("poker night",)), False),
    ("no gambling", make_deal(tiers=("Sports",), deal_name="Better homes"), True),
    ("no gambling", make_deal(tiers=("Sports",), deal_name="Sports, gambling excluded"), True),
    ("no gambling", make_deal(deal_name="Deal 7"), None),  # it names no content
    ("no politics", make_deal(tiers=("Sports",), deal_name="Non-political sports"), True),
    ("no politics", make_deal(tiers=("Politics", "Elections")), False),
    ("without news", make_deal(tiers=("Sports",), publishers=("Fox News",)), False),
    ("no travel", make_deal(tiers=("Beach Travel",)), False),  # below Travel in the taxonomy
    ("no sports betting", make_deal(concepts=("sports", "betting tips")), True),  # not one phrase
    ("no video games", make_deal(concepts=("video game reviews",)), False),
]


@pytest.mark.parametrize(
    ("brief", "deal", "verdict"), CASES, ids=[f"{number} {case[0]}" for number, case in enumerate(CASES)]
)
def test_verdict(brief: str, deal: Deal, verdict: bool | None):
    assert only_filter(brief).judge(deal) is verdict


@pytest.mark.parametrize(("brief", "deal", "verdict"), [case for case in CASES if case[2] is not False])
def test_what_is_met_or_in_doubt_is_said_in_words(brief: str, deal: Deal, verdict: bool | None):
    rule = only_filter(brief)
    assert rule.fact(deal) if verdict else rule.doubt(deal)


FACTS = [
    ("under $15", make_deal(floor=("12.5", "USD")), "floor 12.50 USD"),
    ("under $15", make_deal(floor=("0", "USD")), "no floor"),
    ("CTV or display", CTV, "CTV"),
    ("US or UK", make_deal(geos=("United Kingdom",)), "GB"),
    ("medium risk", make_deal(risk="low"), "Low risk"),
    ("Q4 2026", make_deal(start_time="2026-09-01T08:00:00Z"), "runs 2026-09-01 to open end"),
]
DOUBTS = [
    ("under $15", make_deal(), "floor unknown"),
    ("under $15", make_deal(floor=("9", "EUR")), "floor 9.00 EUR, not in USD"),
    ("under $15", make_deal(floor=("9", None)), "floor 9.00 of unknown currency"),
    ("US", make_deal(geos=("Region 7",)), "geo 'Region 7' is no known country"),
    ("Q4 2026", make_deal(start_time="2026-11-01"), "runs only 2026-11-01 to open end"),
]


@pytest.mark.parametrize(("brief", "deal", "words"), FACTS)
def test_fact_is_what_the_deal_says(brief: str, deal: Deal, words: str):
    assert only_filter(brief).fact(deal) == words


@pytest.mark.parametrize(("brief", "deal", "words"), DOUBTS)
def test_doubt_names_what_is_missing(brief: str, deal: Deal, words: str):
    assert only_filter(brief).doubt(deal) == words


def test_floor_may_mean_the_lowest_risk_of_a_file():
    deal = make_deal(risk="Floor")
    (strict,) = parse_brief("low risk").filters
    (lenient,) = parse_brief("low risk", floor_is_lowest_risk=True).filters
    assert (strict.judge(deal), lenient.judge(deal)) == (False, True)
    assert replace(lenient, floor_is_lowest_risk=False).judge(deal) is False
