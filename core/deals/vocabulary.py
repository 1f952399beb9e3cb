"""The words of deal files: fields with their other names, value sets and their order.

Which field a column name means is decided in `mapping`; how a cell is read, in `values`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal[
    "id", "text", "list", "countries", "category", "boolean", "money", "count", "currency", "formats",
    "devices", "time", "risk", "status", "price_type", "inventory", "quality", "volume",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a deal.

    name: path in the nested record, joined by "_" (the name in a flattened table).
    kind: how a cell of it is read.
    aliases: other names that SSP consoles use; compared without case and separators.
    """

    name: str
    kind: Kind
    aliases: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name as an analyst reads it: "Quality tier"."""
        words = re.sub(r"^(taxonomy|safety|audience|commercial)_", "", self.name).replace("_", " ")
        return {"ssp name": "SSP", "deal id": "Deal id", "garm risk rating": "GARM risk"}.get(
            words, words.capitalize()
        )


# The order of aliases is their rank: of two columns for one field the earlier name is used.
FIELDS: tuple[Field, ...] = (
    Field(
        "deal_id",
        "id",
        (
            "deal_code", "seller_deal_id", "curated_deal_id", "ssp_deal_id", "exchange_deal_id",
            "external_deal_id", "pmp_deal_id", "deal_number", "id",
        ),
    ),
    Field("deal_name", "text", ("display_name", "deal_title", "name")),
    Field("ssp_name", "text", ("ssp", "exchange", "exchange_name", "supply_partner", "ssp_id")),
    Field(
        "format",
        "formats",
        (
            "formats", "media_type", "media_types", "channel", "ad_formats", "ad_format", "creative_type",
            "creative_types", "creative_format", "adtypes",
        ),
    ),
    Field(
        "taxonomy_tier1",
        "category",
        (
            "tier1", "primary_category", "category", "categories", "content_categories", "content_category",
            "cat", "iab_category", "iab_categories", "iab_content_category", "iab_tier_1", "category_tier_1",
        ),
    ),
    Field("taxonomy_tier2", "text", ("tier2", "iab_tier_2", "category_tier_2")),
    Field("taxonomy_tier3", "text", ("tier3", "iab_tier_3", "category_tier_3")),
    Field("concepts", "list", ("keywords",)),
    Field("safety_garm_risk_rating", "risk", ("garm_risk_rating", "garm_risk", "garm_rating", "risk_rating")),
    Field("safety_family_safe", "boolean", ("family_safe", "is_family_safe")),
    Field("safety_safe_for_verticals", "list", ("safe_for_verticals",)),
    Field(
        "audience_inferred_audience",
        "list",
        ("inferred_audience", "audience_segments", "audience_segment", "audience", "audiences"),
    ),
    Field("audience_demographic_hint", "text", ("demographic_hint", "demographics")),
    Field("audience_audience_provenance", "text", ("audience_provenance",)),
    Field("commercial_quality_tier", "quality", ("quality_tier",)),
    Field("commercial_volume_tier", "volume", ("volume_tier",)),
    Field(
        "commercial_floor_price",
        "money",
        (
            "floor_price", "floor", "bid_floor", "bid_floor_cpm", "floor_cpm", "floor_price_cpm",
            "cpm_floor", "dealfloor", "deal_floor_price", "ask_price", "min_cpm", "minimum_cpm",
            "floor_rate", "price_floor",
        ),
    ),
    # A price is what the deal costs, a floor what a bid must reach: they meet only in a fixed-price deal.
    Field("price", "money", ("fixed_cpm", "fixed_price", "cpm", "rate", "cpm_rate", "price_cpm")),
    Field(
        "publishers",
        "list",
        (
            "publisher", "publisher_name", "publisher_names", "seller", "seller_name", "publisher_domain",
            "publisher_domains", "domain", "domains", "sites", "site",
        ),
    ),
    Field("device", "devices", ("devices", "device_type", "device_types")),
    Field(
        "geos",
        "countries",
        ("geo", "geography", "geographies", "geo_targets", "countries", "country", "country_code"),
    ),
    Field("currency", "currency", ("cur", "currency_code", "bidfloorcur", "floor_currency", "deal_currency")),
    Field("price_type", "price_type", ("pricing_type", "price_model", "pricing_model", "auction_type", "at")),
    Field(
        "start_time",
        "time",
        (
            "flight_start", "start_date", "flight_start_date", "start_datetime", "start", "starts",
            "valid_from",
        ),
    ),
    Field(
        "end_time",
        "time",
        (
            "flight_end", "end_date", "flight_end_date", "end_datetime", "end", "ends", "valid_to",
            "valid_until", "expiry_date", "expiration_date",
        ),
    ),
    Field("status", "status", ("deal_status",)),
    Field("source", "text"),
    Field("description", "text", ("desc", "deal_description")),
    Field("inventory_type", "inventory", ("inventory_types",)),
    Field("buyer", "text", ("buyer_name", "advertiser", "advertiser_name")),
    Field("seat", "text", ("seat_id", "buyer_seat", "buyer_seat_id", "wseat")),
    Field(
        "scale",
        "count",
        (
            "inventory_scale", "impressions", "volume_metrics_impressions", "estimated_impressions",
            "available_impressions", "avails", "estimated_avails", "weekly_total_avails", "weekly_avails",
            "bid_requests", "volume_metrics_bid_requests", "uniques", "volume_metrics_uniques",
            "estimated_volume", "volume",
        ),
    ),
    Field("scale_unit", "text", ("inventory_scale_type", "scale_type")),
    Field("period", "text", ("scale_period",)),
)  # fmt: skip

FIELD_BY_NAME = {field.name: field for field in FIELDS}

# What the header of a volume column says about its unit; bid requests are no impressions.
_SCALE_UNITS: tuple[tuple[str, str], ...] = (
    ("bid_requests", "bid_requests"),
    ("weekly_total_avails", "weekly_avails"),
    ("weekly_avails", "weekly_avails"),
    ("avails", "avails"),
    ("impressions", "impressions"),
    ("uniques", "uniques"),
)

# Huge or technical columns of known exports that say nothing about the deal.
IGNORED_COLUMNS = frozenset({"rawdealdata", "schemaversion"})

# Cells that mean "nobody said"; never applied to ids (an id may be "NA") or countries (Namibia).
UNKNOWN_WORDS = frozenset(
    {"", "-", "--", "\u2013", "\u2014", "n/a", "#n/a", "na", "unknown", "null", "none", "nan"}
)

FORMATS = ("display", "video", "audio", "native")
# word in the file, without case, spaces, "-" and "_" -> (format, device it implies)
FORMAT_ALIASES: dict[str, tuple[str, str | None]] = {
    "display": ("display", None),
    "banner": ("display", None),
    "banners": ("display", None),
    "displaybanner": ("display", None),
    "video": ("video", None),
    "olv": ("video", None),
    "onlinevideo": ("video", None),
    "instream": ("video", None),
    "instreamvideo": ("video", None),
    "outstream": ("video", None),
    "outstreamvideo": ("video", None),
    "ctv": ("video", "ctv"),
    "ott": ("video", "ctv"),
    "ctv/ott": ("video", "ctv"),
    "ott/ctv": ("video", "ctv"),
    "connectedtv": ("video", "ctv"),
    "ctvvideo": ("video", "ctv"),
    "audio": ("audio", None),
    "podcast": ("audio", None),
    "native": ("native", None),
}

DEVICES = ("ctv", "desktop", "phone", "tablet", "mobile", "connected", "stb", "ooh")
# Other words for a device, in the same form as those of FORMAT_ALIASES; each names exactly one.
DEVICE_ALIASES: dict[str, str] = {
    **{device: device for device in DEVICES},
    "connectedtv": "ctv",
    "pc": "desktop",
    "personalcomputer": "desktop",
    "smartphone": "phone",
    "phones": "phone",
    "tablets": "tablet",
    "mobile/tablet": "mobile",
    "mobiletablet": "mobile",
    "connecteddevice": "connected",
    "settopbox": "stb",
    "dooh": "ooh",
    "outofhome": "ooh",
}

INVENTORY_TYPES = ("apps", "websites", "ctv", "dooh")
INVENTORY_ALIASES: dict[str, str] = {
    **{word: word for word in INVENTORY_TYPES},
    **{str(number): word for number, word in enumerate(INVENTORY_TYPES, start=1)},
    "app": "apps",
    "mobileapp": "apps",
    "inapp": "apps",
    "website": "websites",
    "web": "websites",
    "site": "websites",
    "sites": "websites",
    "connectedtv": "ctv",
}

# GARM risk, best to worst; "Floor" is content below the brand-safety floor, which must not be monetised.
GARM_RISKS = ("Low", "Medium", "High", "Floor")
_GARM_CODES = {"bsr001": "Floor", "bsr002": "High", "bsr003": "Medium", "bsr004": "Low"}
QUALITY_TIERS = ("Premium", "Mid-tier", "RON")
QUALITY_ALIASES = {"premium": "Premium", "midtier": "Mid-tier", "ron": "RON", "runofnetwork": "RON"}
VOLUME_TIERS = ("High", "Medium", "Low")
VOLUME_ALIASES = {tier.casefold(): tier for tier in VOLUME_TIERS}

STATUSES = ("active", "paused", "expired")
STATUS_ALIASES = {
    "active": "active", "live": "active", "running": "active", "enabled": "active",
    "paused": "paused", "inactive": "paused", "disabled": "paused", "suspended": "paused", "onhold": "paused",
    "expired": "expired", "ended": "expired", "complete": "expired", "completed": "expired",
}  # fmt: skip

PRICE_TYPES = ("fixed", "auction")
# The numbers are those of OpenRTB's `at`: 1 first price, 2 second price, 3 the floor is the price.
PRICE_TYPE_ALIASES = {
    "fixed": "fixed", "fixedprice": "fixed", "fixedcpm": "fixed", "fixedrate": "fixed", "3": "fixed",
    "auction": "auction", "privateauction": "auction", "openauction": "auction", "dynamic": "auction",
    "firstprice": "auction", "firstpriceauction": "auction", "1stprice": "auction", "1": "auction",
    "secondprice": "auction", "secondpriceauction": "auction", "2ndprice": "auction", "2": "auction",
    "secondpriceplus": "auction",
}  # fmt: skip

# ISO 4217, the codes in use and those withdrawn since 2015 that older files still hold (HRK, VEF, ...).
CURRENCY_CODES = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BYR BZD
    CAD CDF CHF CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
    GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD
    KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRO MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO
    NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS
    SRD SSP STD STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VEF VES VND VUV
    WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG ZWL
    """.split()  # noqa: SIM905  (three letters each, better read as a block)
)
CURRENCY_SYMBOLS = {
    "$": "USD", "US$": "USD", "USD$": "USD", "\u20ac": "EUR", "\u00a3": "GBP", "\u00a5": "JPY",
    "C$": "CAD", "CA$": "CAD", "A$": "AUD", "AU$": "AUD", "R$": "BRL", "NZ$": "NZD", "HK$": "HKD",
    "S$": "SGD", "MX$": "MXN", "NT$": "TWD", "\u20b9": "INR", "\u20a9": "KRW", "\u20ba": "TRY",
    "\u20bd": "RUB", "\u20aa": "ILS", "\u20ab": "VND", "\u0e3f": "THB", "\u20b4": "UAH", "\u20b1": "PHP",
    "\u20a6": "NGN", "Z\u0141": "PLN", "K\u010c": "CZK",
}  # fmt: skip
_CURRENCY_WORDS = {
    "usdollar": "USD", "usdollars": "USD", "euro": "EUR", "euros": "EUR", "poundsterling": "GBP",
    "britishpound": "GBP", "japaneseyen": "JPY",
}  # fmt: skip

_SEPARATORS = re.compile("[\\s.,/_()\\[\\]\\-:#*\u200b\ufeff]+")


@lru_cache(maxsize=8_192)
def column_key(name: str) -> str:
    """Return the form in which column names are compared: no case, no separators."""
    return _SEPARATORS.sub("", name.casefold())


def word_key(word: str) -> str:
    """Return the form in which words of a value set are compared: no case, blanks, "-" or "_"."""
    return re.sub(r"[\s_\-]+", "", word.casefold())


def currency_code(mark: str) -> str | None:
    """Return the ISO 4217 code of a code, symbol or name ("usd", "C$", "Euro"); None for any other word."""
    mark = mark.strip()
    code = mark.upper()
    if code in CURRENCY_CODES:
        return code
    return CURRENCY_SYMBOLS.get(code) or _CURRENCY_WORDS.get(word_key(mark))


def garm_risk(rating: str | None, *, floor_is_lowest_risk: bool = False) -> str | None:
    """Return the rating as one of GARM_RISKS ("high", "HIGH" and "High Risk" are "High"), else None.

    floor_is_lowest_risk: some files use "Floor" for the safest level; then it is read as "Low".
    """
    words = (rating or "").casefold().replace("risk", "").strip(" -_")
    risk = _GARM_CODES.get(words) or next((risk for risk in GARM_RISKS if risk.casefold() == words), None)
    return "Low" if risk == "Floor" and floor_is_lowest_risk else risk


def scale_unit_of(column: str) -> str | None:
    """Return the unit that the name of a volume column states, None when it states none."""
    key = column_key(column)
    return next((unit for name, unit in _SCALE_UNITS if column_key(name) in key), None)


def _exact_names() -> dict[str, Field]:
    return {column_key(field.name): field for field in FIELDS}


def _alias_names() -> dict[str, Field]:
    return {column_key(alias): field for field in FIELDS for alias in field.aliases}


_EXACT = _exact_names()
_ALIASES = _alias_names()
_RANKS = {
    column_key(name): rank for field in FIELDS for rank, name in enumerate((field.name, *field.aliases))
}
# Ranks behind every alias: the column names its field only when a unit or currency is taken off.
_HINTED = 100


@dataclass(frozen=True, slots=True)
class ColumnMeaning:
    """What a column name says.

    rank: how directly it names the field: 0 the exact name, then by alias, then with a hint taken off.
    currency, unit, period: what the header adds, as in "Bid Floor (EUR)" or "Weekly Impressions".
    """

    field: Field
    rank: int = 0
    currency: str | None = None
    unit: str | None = None
    period: str | None = None


_PERIODS = {
    "daily": "day", "perday": "day", "day": "day", "weekly": "week", "perweek": "week", "week": "week",
    "monthly": "month", "permonth": "month", "month": "month",
}  # fmt: skip
_HEADER_WORD = re.compile("[^\\s.,/_()\\[\\]\\-:#*\u200b\ufeff]+")


@lru_cache(maxsize=8_192)
def meaning_of_column(column: str) -> ColumnMeaning | None:
    """Return which field a source column fills and what its header adds; None when it is not certain."""
    key = column_key(column)
    owner = _EXACT.get(key) or _ALIASES.get(key)
    if owner:
        rank = 0 if key in _EXACT else _RANKS[key]
        return ColumnMeaning(owner, rank, unit=_unit(owner, column), period=_fixed_period(owner, column))
    return _meaning_with_hint(column)


def _meaning_with_hint(column: str) -> ColumnMeaning | None:
    """Take the currency or the period off a header, and see whether the rest names a field of that kind."""
    words = _HEADER_WORD.findall(column)
    currencies = [word for word in words if len(word) <= 4 and _marks_currency(word, column)]  # noqa: PLR2004
    if len(currencies) == 1:
        owner, rank = _named(word for word in words if word != currencies[0])
        if owner and owner.kind == "money":
            return ColumnMeaning(owner, _HINTED + rank, currency=currency_code(currencies[0]))
    periods = [word for word in words if word.casefold() in _PERIODS]
    if len(periods) == 1:
        owner, rank = _named(word for word in words if word != periods[0])
        if owner and owner.kind == "count":
            period = _PERIODS[periods[0].casefold()]
            return ColumnMeaning(owner, _HINTED + rank, unit=_unit(owner, column), period=period)
    return None


# Codes that are words of headers too ("Top CPM"): only brackets make them currencies.
_CODES_LIKE_WORDS = frozenset({"ALL", "MOP", "TOP", "TRY"})


def _marks_currency(word: str, column: str) -> bool:
    """Whether a word of a header names a currency: "Floor USD", "floor_usd", "CPM (usd)", "CPM (TRY)"."""
    if word.upper() not in CURRENCY_CODES:
        return currency_code(word) is not None
    inner = re.findall(r"\(([^()]*)\)|\[([^\[\]]*)\]", column)
    if any(word in _HEADER_WORD.findall(part) for parts in inner for part in parts):
        return True
    # Without capitals a code is one only in a header written like a name in a program.
    is_code = word.isupper() or ("_" in column and column == column.lower())
    return is_code and word.upper() not in _CODES_LIKE_WORDS


def _named(words: Iterable[str]) -> tuple[Field | None, int]:
    key = column_key("".join(words))
    return _EXACT.get(key) or _ALIASES.get(key), _RANKS.get(key, 0)


def _unit(owner: Field, column: str) -> str | None:
    return scale_unit_of(column) if owner.kind == "count" else None


def _fixed_period(owner: Field, column: str) -> str | None:
    return "week" if owner.kind == "count" and "weekly" in column.casefold() else None


def field_for_column(column: str) -> Field | None:
    """Return the field that a source column fills; exact names win over aliases, None when unknown."""
    meaning = meaning_of_column(column)
    return meaning.field if meaning else None


def name_rank(column: str) -> int:
    """Return how directly a known column names its field: 0 for the exact name, then by alias."""
    meaning = meaning_of_column(column)
    return meaning.rank if meaning else 0
