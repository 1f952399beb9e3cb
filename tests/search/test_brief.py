"""A brief becomes filters that remember their words; what is not understood is searched by meaning."""

import re
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.search import Brief, parse_brief
from core.search.filters import FloorPrice, OneOf, Places, RiskAtMost

SSPS = ("Magnite", "Index Exchange", "PubMatic")


def read(text: str) -> Brief:
    return parse_brief(text, ssps=SSPS)


def rules(text: str) -> list[str]:
    return [str(item) for item in read(text).filters]


def test_the_brief_of_the_documentation_is_read_to_the_last_word():
    brief = read("family-safe CTV for auto intenders, US, under $15")
    assert [(str(item), item.said) for item in brief.filters] == [
        ("family-safe", "family-safe"),
        ("CTV", "CTV"),
        ("US", "US"),
        ("floor under 15 USD", "under $15"),
    ]
    assert brief.meaning == "auto intenders"
    assert brief.set_aside == ("for",)


# text -> (the rules in words, the words searched by meaning)
CASES = {
    # formats and devices
    "CTV video": (["CTV video"], ""),
    "OTT or mobile video": (["CTV or mobile video"], ""),
    "display, native": (["display or native"], ""),
    "online video on smartphones": (["video", "phone"], ""),
    "digital out-of-home": (["out of home"], ""),
    "in-app banners": (["in apps display"], ""),
    "premium podcasts for true crime fans": (["Premium", "audio"], "true crime fans, podcasts"),
    "video gamers": ([], "video gamers"),
    "mobile gamers, podcast listeners": ([], "mobile gamers, podcast listeners"),
    "no video": (["not video"], ""),
    # safety
    "kid-friendly cartoons": (["family-safe"], "cartoons"),
    "not family-safe": (["not family-safe"], ""),
    "families with children": ([], "families with children"),
    "brand-safe sports": (["risk at most Medium"], "sports"),
    "low risk": (["risk at most Low"], ""),
    "low or medium risk": (["risk at most Medium"], ""),
    "GARM risk: medium": (["risk at most Medium"], ""),
    "no high risk": (["risk at most Medium"], ""),
    "no medium or high risk": (["risk at most Low"], ""),
    "below high risk": (["risk at most Medium"], ""),
    # tiers, SSPs, price type, status
    "premium or mid-tier": (["Premium or Mid-tier"], ""),
    "non-premium": (["not Premium"], ""),
    "run of network": (["RON"], ""),
    "stories about Ron": ([], "stories about Ron"),
    "high-volume": (["High volume"], ""),
    "on magnite or Index Exchange": (["Magnite or Index Exchange"], ""),
    "excluding PubMatic": (["not PubMatic"], ""),
    "on Xandr": ([], "Xandr"),  # not among the deals, so nothing could be filtered
    "fixed price": (["fixed price"], ""),
    "private auction": (["auction price"], ""),
    "car auction buyers": ([], "car auction buyers"),
    "active deals": (["active"], ""),
    "active investors": ([], "active investors"),
    # places
    "US, UK and Germany": (["DE or GB or US"], ""),
    "in the U.S. only": (["US"], ""),
    "DACH": (["AT or CH or DE"], ""),
    "new zealand": (["NZ"], ""),
    "not in Canada": (["not CA"], ""),
    "US, IT": (["IT or US"], ""),
    "IT decision makers": ([], "IT decision makers"),
    "FAMILY-SAFE CTV IN US": (["family-safe", "CTV", "US"], ""),
    "show us trucks": ([], "us trucks"),
    "travel to Mexico": ([], "travel to Mexico"),
    "Mexico travel intenders": ([], "Mexico travel intenders"),
    "turkey recipes": ([], "turkey recipes"),
    # floors
    "$15": (["floor at most 15 USD"], ""),
    "up to 12,50 EUR": (["floor at most 12.50 EUR"], ""),
    "\u20ac5-10": (["floor 5 to 10 EUR"], ""),
    "between $5 and $10": (["floor 5 to 10 USD"], ""),
    "at least 5 GBP": (["floor at least 5 GBP"], ""),
    "over $5": (["floor over 5 USD"], ""),
    "$15 or less": (["floor at most 15 USD"], ""),
    "<$15": (["floor under 15 USD"], ""),
    "no more than $12 CPM": (["floor at most 12 USD"], ""),
    "floor under 15": (["floor under 15 (no currency)"], ""),
    "kids under 12": ([], "kids under 12"),
    "households with $100k+ income": ([], "households with $100k+ income"),
    "budget of $20,000": ([], "budget of $20,000"),
    "about $15": ([], "about $15"),
    "$5 to 10 EUR": ([], "$5 to 10 EUR"),
    # flights
    "Q4 2026": (["runs from 2026-10-01 to 2026-12-31"], ""),
    "in February 2028": (["runs from 2028-02-01 to 2028-02-29"], ""),
    "Nov 24-27, 2026": (["runs from 2026-11-24 to 2026-11-27"], ""),
    "from 2026-12-01 to 2027-01-31": (["runs from 2026-12-01 to 2027-01-31"], ""),
    "Dec 1 - Dec 24, 2026": (["runs from 2026-12-01 to 2026-12-24"], ""),
    "starting 1 Dec 2026": (["runs from 2026-12-01"], ""),
    "until 2027-01-31": (["runs to 2027-01-31"], ""),
    "in December": ([], "December"),  # of which year?
    "31 Nov 2026": ([], "31 Nov 2026"),
    # exclusions
    "no gambling": (["no gambling"], ""),
    "without news": (["no news"], ""),
    "no gambling, alcohol or politics, auto": (["no gambling", "no alcohol", "no politics"], "auto"),
    "no gambling, auto and travel": (["no gambling"], "auto and travel"),
    "no sports betting content for men": (["no sports betting"], "men"),
    "CTV, no news in the US": (["CTV", "no news", "US"], ""),
    "alcohol-free": (["no alcohol"], ""),
    "sugar-free recipes": ([], "sugar-free recipes"),
    "no floor": ([], "no floor"),
    # nothing
    "": ([], ""),
    " , for the ": ([], ""),
}


@pytest.mark.parametrize(("text", "expected"), CASES.items(), ids=CASES)
def test_brief_is_read_as(text: str, expected: tuple[list[str], str]):
    assert (rules(text), read(text).meaning) == expected


def test_amounts_are_decimals_with_the_limit_in_or_out():
    assert read("under \u00a312.50").filters == (
        FloorPrice("under \u00a312.50", "GBP", highest=Decimal("12.50"), below=True),
    )
    assert read("over $5").filters == (FloorPrice("over $5", "USD", lowest=Decimal(5), above=True),)


def test_filters_are_values_with_their_words():
    assert read("no high risk, premium, US").filters == (
        RiskAtMost("no high risk", "Medium"),
        OneOf("premium", "quality", ("Premium",)),
        Places("US", ("US",)),
    )


def test_the_switch_for_the_rating_floor_reaches_the_filter():
    (risk,) = parse_brief("low risk", floor_is_lowest_risk=True).filters
    assert risk == RiskAtMost("low risk", "Low", floor_is_lowest_risk=True)


def test_a_flight_keeps_its_days():
    (flight,) = read("H1 2027").filters
    assert (flight.first, flight.last) == (date(2027, 1, 1), date(2027, 6, 30))


WORDS = [word for text in CASES for word in re.findall(r"[^\s,]+", text)]


@given(st.lists(st.sampled_from([*WORDS, ",", "and", "or", ";"]), max_size=14).map(" ".join))
def test_no_word_is_lost(text: str):
    """Each word stands in a filter's words, in the meaning or among the words set aside."""
    brief = read(text)
    said = " ".join([*(item.said for item in brief.filters), brief.meaning, *brief.set_aside])
    kept = set(re.findall(r"\w+", said.casefold()))
    joining = {"and", "or", "nor", "no", "any"}  # between the items of a list of exclusions
    assert set(re.findall(r"\w+", text.casefold())) - kept - joining <= GENERIC


# What an exclusion may end with ("no gambling content") without naming anything.
GENERIC = {"content", "deals"}


@given(st.text(max_size=80))
def test_any_text_can_be_read(text: str):
    assert read(text).text == text
