"""Countries as briefs and deal files write them, led to one code each (ISO 3166-1).

What is no country is reported, never guessed. Regions are only those whose members nobody disputes:
"EMEA" or "LATAM" is no set of countries.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Country:
    """One country: its ISO 3166-1 codes (two and three letters) and its English names."""

    code: str
    long_code: str
    names: tuple[str, ...]


# Other usual names and codes, without case and points.
_OTHER_NAMES = {
    "usa": "US", "united states of america": "US", "the states": "US", "uk": "GB", "great britain": "GB",
    "britain": "GB", "uae": "AE", "emirates": "AE", "holland": "NL", "the netherlands": "NL",
    "turkey": "TR", "czech republic": "CZ", "ivory coast": "CI",
    "viet nam": "VN", "burma": "MM", "macau": "MO", "cape verde": "CV", "swaziland": "SZ",
    "russian federation": "RU", "brunei darussalam": "BN", "macedonia": "MK", "east timor": "TL",
}  # fmt: skip
_REGIONS = {
    "anz": ("AU", "NZ"),
    "benelux": ("BE", "NL", "LU"),
    "dach": ("DE", "AT", "CH"),
    "nordics": ("DK", "FI", "IS", "NO", "SE"),
    "uk and i": ("GB", "IE"),
    "uki": ("GB", "IE"),
    "european union": (
        "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV", "LT",
        "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE",
    ),
}  # fmt: skip
_REGIONS["eu"] = _REGIONS["european union"]
# What a deal says that runs everywhere.
_EVERYWHERE = frozenset({"global", "worldwide", "all countries", "international", "ww"})
# "NAM" is Namibia to ISO and North America to sellers: nobody can tell.
_DOUBTFUL = frozenset({"nam"})


@lru_cache(maxsize=1)
def countries() -> dict[str, Country]:
    """Return the 249 countries of ISO 3166-1 by their two letters."""
    text = files("core.deals").joinpath("data", "countries.tsv").read_text(encoding="utf-8")
    rows = csv.reader(text.splitlines()[1:], delimiter="\t", quoting=csv.QUOTE_NONE)
    return {code: Country(code, long_code, tuple(names.split("|"))) for code, long_code, names in rows}


@lru_cache(maxsize=4_096)
def country_codes(word: str) -> frozenset[str]:
    """Return the two-letter codes that a code, name or region stands for ("usa", "DACH"); else empty."""
    return _places().get(place_key(word), frozenset())


def alpha3(word: str) -> str | None:
    """Return the three-letter code of one country ("us", "USA", "United States"); None for other words."""
    codes = country_codes(word)
    return countries()[next(iter(codes))].long_code if len(codes) == 1 else None


def place_key(word: str) -> str:
    """Return the form in which places are compared: no case, points, accents, "the" or doubled blanks."""
    plain = unicodedata.normalize("NFKD", word.casefold().replace("&", " and "))
    kept = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(re.sub(r"[.,()]", "", kept).replace("\u2019", "'").split()).removeprefix("the ")


WORLDWIDE = "Worldwide"


@lru_cache(maxsize=20_000)
def places_of(geos: tuple[str, ...]) -> tuple[str, ...]:
    """Return where a deal runs, sorted: two-letter codes, "Worldwide", and words nobody knows as they are."""
    if runs_everywhere(geos):
        return (WORLDWIDE,)
    return tuple(sorted({place for geo in geos for place in country_codes(geo) or {geo}}))


def common_places(all_geos: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the places that every deal of those with geos runs in, sorted; worldwide is in every place."""
    places = [places_of(geos) for geos in all_geos if geos]
    somewhere = [set(found) for found in places if found != (WORLDWIDE,)]
    if somewhere:
        return tuple(sorted(set.intersection(*somewhere)))
    return (WORLDWIDE,) if places else ()


def runs_everywhere(words: Iterable[str]) -> bool:
    """Whether one of a deal's geos means every country ("Global", "Worldwide")."""
    return any(place_key(word) in _EVERYWHERE for word in words)


@lru_cache(maxsize=1)
def _places() -> dict[str, frozenset[str]]:
    found = {
        place_key(word): frozenset({country.code})
        for country in countries().values()
        for word in (country.code, country.long_code, *country.names)
    }
    found |= {word: frozenset({code}) for word, code in _OTHER_NAMES.items()}
    found |= {word: frozenset(codes) for word, codes in _REGIONS.items()}
    return {word: codes for word, codes in found.items() if word not in _DOUBTFUL}


def place_names() -> tuple[str, ...]:
    """Return the names (no codes) of countries and regions as keys, longest first."""
    codes = {
        word.casefold() for country in countries().values() for word in (country.code, country.long_code)
    }
    return tuple(sorted(_places().keys() - codes, key=lambda name: (-len(name), name)))
