"""Codes, names and regions lead to ISO 3166-1 codes; what is none of them leads nowhere."""

import csv
import re
from importlib.resources import files

import pytest

from core.deals.countries import (
    alpha3,
    common_places,
    countries,
    country_codes,
    place_names,
    places_of,
    runs_everywhere,
)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("US", "USA"),
        ("us", "USA"),
        ("USA", "USA"),
        ("United States", "USA"),
        ("united states of america", "USA"),
        ("U.S.", "USA"),
        ("UK", "GBR"),
        ("GB", "GBR"),
        ("NA", "NAM"),
        ("Namibia", "NAM"),
        ("Côte d'Ivoire", "CIV"),
        ("cote d\u2019ivoire", "CIV"),
        ("South Korea", "KOR"),
        ("The Netherlands", "NLD"),
        ("Trinidad and Tobago", "TTO"),
        ("Türkiye", "TUR"),
    ],
)
def test_codes_and_names_become_alpha_3(word, code):
    assert alpha3(word) == code


@pytest.mark.parametrize(
    "word", ["", "EU", "EMEA", "Global", "XX", "XK", "California", "England", "Korea", "840", "DACH", "NAM"]
)
def test_other_words_are_no_country(word):
    assert alpha3(word) is None


def test_the_table_has_every_country_once():
    lines = files("core.deals").joinpath("data", "countries.tsv").read_text("utf-8").splitlines()
    rows = list(csv.reader(lines, delimiter="\t"))[1:]
    assert len(rows) == 249
    assert len({row[0] for row in rows}) == len({row[1] for row in rows}) == 249
    for alpha2, code, names in rows:
        assert re.fullmatch("[A-Z]{2}", alpha2)
        assert re.fullmatch("[A-Z]{3}", code)
        for word in {alpha2, code, *names.split("|")} - {"NAM"}:  # no name stands for two countries
            assert alpha3(word) == code, word


@pytest.mark.parametrize(
    ("word", "codes"),
    [
        ("us", {"US"}),
        ("USA", {"US"}),
        ("U.S.", {"US"}),
        ("united states of america", {"US"}),
        ("UK", {"GB"}),
        ("GBR", {"GB"}),
        ("NA", {"NA"}),
        ("NAM", set()),  # Namibia to ISO, North America to sellers
        ("T\u00fcrkiye", {"TR"}),
        ("Turkey", {"TR"}),
        ("C\u00f4te d\u2019Ivoire", {"CI"}),
        ("DACH", {"DE", "AT", "CH"}),
        ("EMEA", set()),
        ("", set()),
    ],
)
def test_word_stands_for(word: str, codes: set[str]):
    assert country_codes(word) == codes


def test_every_code_is_there_once():
    assert len(countries()) == 249
    assert len({country.long_code for country in countries().values()}) == 249
    assert all(
        country_codes(name) == {code} for code, country in countries().items() for name in country.names
    )


def test_names_hold_no_codes():
    assert {"germany", "dach"} <= set(place_names())
    assert not {"de", "deu", "us"} & set(place_names())


def test_worldwide_is_everywhere():
    assert runs_everywhere(["US", "Worldwide"])
    assert not runs_everywhere(["US"])


@pytest.mark.parametrize(
    ("geos", "places"),
    [
        (("USA", "Germany"), ("DE", "US")),
        (("us", "US", "United States"), ("US",)),
        (("DACH",), ("AT", "CH", "DE")),
        (("California",), ("California",)),
        (("US", "Global"), ("Worldwide",)),
        ((), ()),
    ],
)
def test_one_country_in_several_spellings_is_one_place(geos, places):
    assert places_of(geos) == places


@pytest.mark.parametrize(
    ("all_geos", "common"),
    [
        ([("US",), ("USA", "CA")], ("US",)),
        ([("US",), ("Worldwide",)], ("US",)),
        ([("DE",), ("DACH",)], ("DE",)),
        ([("DE",), ("US",)], ()),
        ([("US",), ()], ("US",)),  # unknown is no place, and contradicts none
        ([("Global",)], ("Worldwide",)),
        ([()], ()),
    ],
)
def test_common_places_are_those_of_every_deal_that_names_some(all_geos, common):
    assert common_places(all_geos) == common
