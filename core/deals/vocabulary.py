"""The words of deal files: fields with their other names, value sets and their order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "text", "list", "countries", "boolean", "money", "count", "formats", "devices", "time"]


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


FIELDS: tuple[Field, ...] = (
    Field("deal_id", "id", ("deal_code", "seller_deal_id", "curated_deal_id", "id")),
    Field("deal_name", "text", ("display_name", "name")),
    Field("ssp_name", "text", ("ssp", "exchange", "ssp_id")),
    Field(
        "format", "formats", ("formats", "media_type", "channel", "ad_formats", "creative_type", "adtypes")
    ),
    Field(
        "taxonomy_tier1",
        "text",
        ("tier1", "category", "categories", "content_categories", "cat", "primary_category", "iab_category"),
    ),
    Field("taxonomy_tier2", "text", ("tier2",)),
    Field("taxonomy_tier3", "text", ("tier3",)),
    Field("concepts", "list", ("keywords",)),
    Field("safety_garm_risk_rating", "text", ("garm_risk_rating", "garm_risk", "risk_rating")),
    Field("safety_family_safe", "boolean", ("family_safe",)),
    Field("safety_safe_for_verticals", "list", ("safe_for_verticals",)),
    Field("audience_inferred_audience", "list", ("inferred_audience", "audience_segments", "audience")),
    Field("audience_demographic_hint", "text", ("demographic_hint",)),
    Field("audience_audience_provenance", "text", ("audience_provenance",)),
    Field("commercial_quality_tier", "text", ("quality_tier",)),
    Field("commercial_volume_tier", "text", ("volume_tier",)),
    Field(
        "commercial_floor_price",
        "money",
        (
            "floor_price",
            "floor",
            "bid_floor",
            "bid_floor_cpm",
            "floor_cpm",
            "floor_price_cpm",
            "floor_price_usd",
            "dealfloor",
            "ask_price",
            "min_cpm",
        ),
    ),
    Field(
        "publishers", "list", ("publisher", "seller", "publisher_name", "publisher_domain", "domain", "sites")
    ),
    Field("device", "devices", ("devices", "device_type")),
    Field("geos", "countries", ("geo", "geography", "geo_targets", "countries")),
    Field("currency", "text", ("cur",)),
    Field("price_type", "text", ()),
    Field("start_time", "time", ("flight_start", "start_date")),
    Field("end_time", "time", ("flight_end", "end_date")),
    Field("status", "text", ()),
    Field("source", "text", ()),
    Field("description", "text", ("desc",)),
    Field("inventory_type", "text", ()),
    Field("buyer", "text", ("advertiser",)),
    Field("seat", "text", ("seat_id",)),
    Field("scale", "count", ("inventory_scale",)),
    Field("scale_unit", "text", ("inventory_scale_type",)),
    Field("period", "text", ()),
)

# Huge or technical columns of known exports that say nothing about the deal.
IGNORED_COLUMNS = frozenset({"rawdealdata", "schemaversion"})

# Cells that mean "nobody said"; never applied to ids (an id may be "NA") or countries (Namibia).
UNKNOWN_WORDS = frozenset({"", "-", "n/a", "na", "unknown", "null", "none", "nan"})

FORMATS = ("display", "video", "audio", "native")
FORMAT_ALIASES: dict[str, tuple[str, str | None]] = {
    # word in the file -> (format, device it implies)
    "display": ("display", None),
    "banner": ("display", None),
    "video": ("video", None),
    "olv": ("video", None),
    "online video": ("video", None),
    "instream": ("video", None),
    "in-stream": ("video", None),
    "outstream": ("video", None),
    "ctv": ("video", "ctv"),
    "ott": ("video", "ctv"),
    "connected tv": ("video", "ctv"),
    "ctv video": ("video", "ctv"),
    "audio": ("audio", None),
    "podcast": ("audio", None),
    "native": ("native", None),
}

DEVICES = ("ctv", "desktop", "phone", "tablet", "mobile", "connected", "stb", "ooh")

# GARM risk, best to worst; "Floor" is content below the brand-safety floor, which must not be monetised.
GARM_RISKS = ("Low", "Medium", "High", "Floor")
QUALITY_TIERS = ("Premium", "Mid-tier", "RON")
VOLUME_TIERS = ("High", "Medium", "Low")

CURRENCY_SYMBOLS = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}


def column_key(name: str) -> str:
    """Return the form in which column names are compared: no case, no separators."""
    return re.sub(r"[\s./_()\-]+", "", name.casefold())


def garm_risk(rating: str | None) -> str | None:
    """Return the rating as one of GARM_RISKS ("high", "HIGH" and "High Risk" are "High"), else None."""
    words = (rating or "").casefold().replace("risk", "").strip()
    return next((risk for risk in GARM_RISKS if risk.casefold() == words), None)


def _exact_names() -> dict[str, Field]:
    return {column_key(field.name): field for field in FIELDS}


def _alias_names() -> dict[str, Field]:
    return {column_key(alias): field for field in FIELDS for alias in field.aliases}


_EXACT = _exact_names()
_ALIASES = _alias_names()
_RANKS = {
    column_key(name): rank for field in FIELDS for rank, name in enumerate((field.name, *field.aliases))
}


def field_for_column(column: str) -> Field | None:
    """Return the field that a source column fills; exact names win over aliases, None when unknown."""
    key = column_key(column)
    return _EXACT.get(key) or _ALIASES.get(key)


def name_rank(column: str) -> int:
    """Return how directly a known column names its field: 0 for the exact name, then by alias."""
    return _RANKS.get(column_key(column), 0)
