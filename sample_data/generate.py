"""Make the sample deal files: seeded, planted themes, byte-identical on every run.

A deal is drawn from one theme (content category x environment x audience), from two (a bridge) or from
none (noise). Which one it was is returned beside the deals and never written into them or to disk.
Run `python -m sample_data.generate` to rewrite the files next to this module.
"""

from __future__ import annotations

import csv
import io
import json
import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sample_data.themes import (
    DESCRIPTIONS,
    ENVIRONMENTS,
    GENERIC_NAMES,
    MARKETS,
    NAME_TEMPLATES,
    NEVER_WITH_KIDS,
    PROVENANCE,
    RISK_RATINGS,
    SAFETY,
    SCALE_UNITS,
    SOURCES,
    SSPS,
    STRAY_CONCEPTS,
    STRAY_PUBLISHERS,
    THEMES,
    VOLUME_SCALE,
    Environment,
    Market,
    Ssp,
    Theme,
)

Deal = dict[str, Any]
Path3 = tuple[str, str | None, str | None]

HERE = Path(__file__).resolve().parent
TAXONOMY_FILE = HERE.parent / "core" / "deals" / "data" / "content_taxonomy_3.1.tsv"

TODAY = date(2026, 11, 22)
MADE_FOR_FILE = "made_for.txt"
FIRST_DAY = date(2026, 9, 1)
LAST_DAY = date(2027, 6, 30)

BRIDGE_SHARE = 0.12
NOISE_SHARE = 0.05
SMALLEST_THEME = 5
SIZE_DECAY = 0.89  # each theme's share of the deals beyond SMALLEST_THEME against the next larger one

LIST_SEPARATOR = " | "
LIST_COLUMNS = frozenset(
    {"concepts", "publishers", "device", "geos", "safety_safe_for_verticals", "audience_inferred_audience"}
)
COLUMNS: tuple[str, ...] = (
    "deal_id",
    "deal_name",
    "ssp_name",
    "format",
    "taxonomy_tier1",
    "taxonomy_tier2",
    "taxonomy_tier3",
    "concepts",
    "safety_garm_risk_rating",
    "safety_family_safe",
    "safety_safe_for_verticals",
    "audience_inferred_audience",
    "audience_demographic_hint",
    "audience_audience_provenance",
    "commercial_quality_tier",
    "commercial_volume_tier",
    "commercial_floor_price",
    "publishers",
    "device",
    "geos",
    "currency",
    "price_type",
    "start_time",
    "end_time",
    "status",
    "description",
    "source",
    "scale",
    "scale_unit",
    "period",
)


@dataclass(frozen=True, slots=True)
class GeneratedDeals:
    """Deals and, index by index, the theme names each was drawn from.

    truth[i]: () = noise, one name = core deal, two names = bridge.
    """

    deals: list[Deal]
    truth: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SampleFile:
    """One draw and the file names it is written to."""

    stem: str
    seed: int
    themes: int
    deals: int
    with_csv: bool


SAMPLE_FILES = (
    SampleFile("deals", seed=20261122, themes=36, deals=800, with_csv=True),
    SampleFile("deals_small", seed=19710, themes=6, deals=60, with_csv=False),
)


GENERIC_NAME_SHARE = 0.08
FORMAT_VARIANT_SHARE = 0.12
EXTRA_SPACE_SHARE = 0.02
STALE_YEAR_SHARE = 0.06  # of the names that carry a year
EVERGREEN_SHARE = 0.2
EXPIRED_SHARE = 0.04
ZERO_FLOOR_SHARE = 0.01
TWO_FORMATS_SHARE = 0.3  # of the bridges whose themes differ in format
PAUSED_SHARE = 0.06
NULL_WRITER_SHARE = 0.5  # of the deals: write null for what is missing; the others leave the key out


@dataclass(frozen=True, slots=True)
class Gap:
    """Values that real files lack together: dotted paths and the share of deals without them."""

    paths: tuple[str, ...]
    share: float


GAPS: tuple[Gap, ...] = (
    Gap(("taxonomy",), 0.03),
    Gap(("taxonomy.tier2", "taxonomy.tier3"), 0.06),
    Gap(("taxonomy.tier3",), 0.15),
    Gap(("concepts",), 0.03),
    Gap(("safety",), 0.04),
    Gap(("safety.garm_risk_rating",), 0.03),
    Gap(("safety.family_safe",), 0.08),
    Gap(("safety.safe_for_verticals",), 0.4),
    Gap(("audience",), 0.05),
    Gap(("audience.demographic_hint",), 0.15),
    Gap(("audience.audience_provenance",), 0.3),
    Gap(("commercial.floor_price",), 0.1),
    Gap(("commercial.quality_tier",), 0.03),
    Gap(("commercial.volume_tier",), 0.05),
    Gap(("publishers",), 0.04),
    Gap(("device",), 0.2),
    Gap(("geos",), 0.1),
    Gap(("currency",), 0.1),
    Gap(("price_type",), 0.12),
    Gap(("start_time",), 0.05),
    Gap(("status",), 0.06),
    Gap(("description",), 0.5),
    Gap(("source",), 0.35),
    Gap(("scale", "scale_unit", "period"), 0.4),
    Gap(("period",), 0.2),
)


# --- taxonomy -----------------------------------------------------------------------------------------


@cache
def read_category_paths() -> frozenset[Path3]:
    """Return every (tier1, tier2, tier3) path of the IAB Content Taxonomy 3.1; None = no such tier.

    The file has a title line above its header and no quoting.
    """
    with TAXONOMY_FILE.open(encoding="utf-8", newline="") as file:
        next(file)
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return frozenset((row["Tier 1"], row["Tier 2"] or None, row["Tier 3"] or None) for row in rows)


def _category_path(category: str) -> Path3:
    """Look a " > " path up in the taxonomy. Raises ValueError when IAB has no such path."""
    tiers: list[str | None] = [*category.split(" > "), None, None]
    path = (str(tiers[0]), tiers[1], tiers[2])
    if path not in read_category_paths():
        message = f"{category!r} is not a path of {TAXONOMY_FILE.name}; correct the THEMES table"
        raise ValueError(message)
    return path


def _stray_categories() -> list[str]:
    """List the paths whose tier 1 no theme uses: the categories of noise deals."""
    taken = {_category_path(category)[0] for theme in THEMES for category in theme.categories}
    taken |= {"Sensitive Topics"}
    return sorted(" > ".join(filter(None, path)) for path in read_category_paths() if path[0] not in taken)


# --- drawing one deal ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draw:
    """The choices behind one deal that several of its fields have to agree on."""

    parts: tuple[Theme, ...]
    lead: Theme
    environment: Environment
    ssp: Ssp
    market: Market
    label: str
    audiences: list[str]
    publishers: list[str]
    quality: str
    start: date
    end: date | None


def _draw_from_each(
    rng: random.Random, parts: Sequence[Theme], pool: Callable[[Theme], tuple[str, ...]], low: int, high: int
) -> list[str]:
    """Draw low..high values, shared evenly between the parts, without repeats."""
    count = rng.randint(low, high)
    drawn: list[str] = []
    for part in parts:
        values = pool(part)
        drawn += rng.sample(values, min(len(values), -(-count // len(parts))))
    rng.shuffle(drawn)
    return list(dict.fromkeys(drawn))


def _draw_flight(rng: random.Random) -> tuple[date, date | None]:
    """Draw start and end; end None = evergreen. Expired flights end before TODAY, the others after it."""
    roll = rng.random()
    if roll < EXPIRED_SHARE:
        end = TODAY - timedelta(days=rng.randint(3, 40))
        return FIRST_DAY + timedelta(days=rng.randint(0, 20)), end
    start = FIRST_DAY + timedelta(days=rng.randint(0, 150))
    if roll < EXPIRED_SHARE + EVERGREEN_SHARE:
        return start, None
    soonest = max(start, TODAY)
    return start, min(soonest + timedelta(days=rng.randint(14, 160)), LAST_DAY)


def _draw_choices(rng: random.Random, parts: tuple[Theme, ...]) -> Draw:
    lead = rng.choice(parts)
    environment = ENVIRONMENTS[lead.environment]
    start, end = _draw_flight(rng)
    ssps = [ssp for ssp in SSPS for name in ssp.environments.split() if name == lead.environment]
    return Draw(
        parts=parts,
        lead=lead,
        environment=environment,
        ssp=rng.choice(ssps),
        market=MARKETS[rng.choice(lead.markets)],
        label=" & ".join(rng.choice(part.labels) for part in parts),
        audiences=_draw_from_each(rng, parts, lambda part: part.audiences, 2, 3),
        publishers=_draw_from_each(rng, parts, lambda part: part.publishers, 2, 5),
        quality=rng.choices(("Premium", "Mid-tier", "RON"), environment.quality)[0],
        start=start,
        end=end,
    )


def _draw_id(rng: random.Random, pattern: str, used: set[str]) -> str:
    """Fill the pattern of an SSP until the id is new, and remember it in `used`."""
    alphabets = {"#": string.digits, "?": string.ascii_uppercase + string.digits}
    while True:
        deal_id = "".join(rng.choice(alphabets.get(mark, mark)) for mark in pattern)
        if deal_id not in used:
            used.add(deal_id)
            return deal_id


def _name_fields(rng: random.Random, draw: Draw) -> dict[str, str]:
    env = rng.choice(draw.environment.name_words)
    stale = rng.random() < STALE_YEAR_SHARE
    return {
        "quality": draw.quality,
        "env": env,
        "env_": env.replace(" ", ""),
        "label": draw.label,
        "label_": draw.label.replace(" & ", "_").replace(" ", ""),
        "ssp": draw.ssp.name,
        "code": draw.ssp.code,
        "geo": draw.market.label,
        "quarter": str((draw.start.month + 2) // 3),
        "year": str(draw.start.year - rng.randint(1, 2) if stale else draw.start.year),
        "audience": rng.choice(draw.audiences),
        "publisher": rng.choice(draw.publishers),
        "number": str(rng.randint(1000, 99999)),
        "small": str(rng.randint(2, 40)),
    }


def _draw_name(rng: random.Random, draw: Draw) -> str:
    templates = GENERIC_NAMES if rng.random() < GENERIC_NAME_SHARE else NAME_TEMPLATES
    name = rng.choice(templates).format(**_name_fields(rng, draw))
    if rng.random() < EXTRA_SPACE_SHARE:
        return rng.choice((f" {name}", f"{name} ", name.replace(" ", "  ", 1)))
    return name


def _draw_format(rng: random.Random, draw: Draw) -> str:
    formats = sorted({ENVIRONMENTS[part.environment].format for part in draw.parts})
    if len(formats) > 1 and rng.random() < TWO_FORMATS_SHARE:
        return ", ".join(formats)
    if rng.random() < FORMAT_VARIANT_SHARE:
        return rng.choice(draw.environment.format_variants)
    return draw.environment.format


def _draw_safety(rng: random.Random, draw: Draw) -> Deal:
    """Rate the deal by the strictest of its parts; what is below the floor is never family-safe."""
    profile = max((SAFETY[part.safety] for part in draw.parts), key=lambda candidate: candidate.rank)
    risk = rng.choices(RISK_RATINGS, profile.risk)[0]
    return {
        "garm_risk_rating": risk,
        "family_safe": risk != "Floor" and rng.random() < profile.family_safe_share,
        "safe_for_verticals": rng.sample(profile.verticals, rng.randint(2, min(5, len(profile.verticals)))),
    }


def _draw_commercial(rng: random.Random, draw: Draw) -> Deal:
    """Price the deal inside its environment's range: the better the tier, the higher in the range."""
    low, high, step = draw.environment.floor
    position = {"Premium": (0.35, 1.0), "Mid-tier": (0.15, 0.6), "RON": (0.0, 0.25)}[draw.quality]
    floor = round(round((low + (high - low) * rng.uniform(*position)) / step) * step, 2)
    return {
        "quality_tier": draw.quality,
        "volume_tier": rng.choices(("High", "Medium", "Low"), (35, 45, 20))[0],
        "floor_price": 0.0 if rng.random() < ZERO_FLOOR_SHARE else floor,
    }


def _draw_status(rng: random.Random, draw: Draw) -> str:
    if draw.end is not None and draw.end < TODAY:
        return rng.choice(("expired", "expired", "active"))
    return "paused" if rng.random() < PAUSED_SHARE else "active"


def _draw_scale(rng: random.Random, volume_tier: str) -> int:
    """Draw a forecast of two significant digits whose size fits the volume tier."""
    low, high = VOLUME_SCALE[volume_tier]
    magnitude: int = 10 ** (rng.randint(low, high) - 1)
    return rng.randint(10, 99) * magnitude


def _draw_description(rng: random.Random, draw: Draw, concepts: list[str]) -> str:
    return rng.choice(DESCRIPTIONS).format(
        env=rng.choice(draw.environment.name_words),
        label=draw.label,
        ssp=draw.ssp.name,
        geo=draw.market.label,
        publishers=" and ".join(draw.publishers[:2]),
        audience=" and ".join(draw.audiences[:2]),
        concepts=", ".join(concepts[:3]),
    )


def _instant(day: date | None, clock: str) -> str | None:
    return None if day is None else f"{day.isoformat()}T{clock}Z"


def _draw_complete_deal(rng: random.Random, parts: tuple[Theme, ...], used_ids: set[str]) -> Deal:
    """Draw a deal with every field filled."""
    draw = _draw_choices(rng, parts)
    # A bridge is filed under either of its categories, whatever environment leads.
    tier1, tier2, tier3 = _category_path(rng.choice(rng.choice(parts).categories))
    deal: Deal = {
        "deal_id": _draw_id(rng, draw.ssp.id_pattern, used_ids),
        "deal_name": _draw_name(rng, draw),
        "ssp_name": draw.ssp.name,
        "format": _draw_format(rng, draw),
        "taxonomy": {"tier1": tier1, "tier2": tier2, "tier3": tier3},
        "concepts": _draw_from_each(rng, parts, lambda part: part.concepts, 4, 8),
        "safety": _draw_safety(rng, draw),
        "audience": {
            "inferred_audience": draw.audiences,
            "demographic_hint": rng.choice(draw.lead.demographics),
            "audience_provenance": rng.choice(PROVENANCE),
        },
        "commercial": _draw_commercial(rng, draw),
        "publishers": draw.publishers,
        "device": list(rng.choice(draw.environment.devices)),
        "geos": list(draw.market.geos),
        "currency": draw.market.currency,
        "price_type": rng.choices(("auction", "fixed"), (70, 30))[0],
        "start_time": _instant(draw.start, "00:00:00"),
        "end_time": _instant(draw.end, "23:59:59"),
        "status": _draw_status(rng, draw),
    }
    deal["description"] = _draw_description(rng, draw, deal["concepts"])
    deal["source"] = rng.choice(SOURCES)
    deal["scale"] = _draw_scale(rng, deal["commercial"]["volume_tier"])
    deal["scale_unit"], deal["period"] = rng.choice(SCALE_UNITS)
    return deal


def _open_gaps(rng: random.Random, deal: Deal) -> Deal:
    """Blank values at the rates of GAPS: some deals write null, the others leave the key out."""
    writes_null = rng.random() < NULL_WRITER_SHARE
    missing = [path for gap in GAPS if rng.random() < gap.share for path in gap.paths]
    for path in missing:
        *parents, key = path.split(".")
        target: Deal | None = deal.get(parents[0]) if parents else deal
        if target is not None:
            target[key] = None
    return deal if writes_null else _without_nulls(deal)


def _without_nulls(deal: Deal) -> Deal:
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in deal.items()
        if value is not None
    }


# --- drawing all deals --------------------------------------------------------------------------------


def _theme_sizes(rng: random.Random, themes: int, deals: int) -> list[int]:
    """Share the core deals out with a long tail: a few large themes, many near SMALLEST_THEME."""
    smallest = min(SMALLEST_THEME, deals // themes)
    if smallest == 0:
        message = f"{deals} core deals cannot fill {themes} themes: ask for more deals or fewer themes"
        raise ValueError(message)
    spare = deals - smallest * themes
    weights = [SIZE_DECAY**rank for rank in range(themes)]
    shares = [spare * weight / sum(weights) for weight in weights]
    sizes = [smallest + int(share) for share in shares]
    for rank in range(deals - sum(sizes)):
        sizes[rank % themes] += 1
    rng.shuffle(sizes)
    return sizes


def _can_bridge(one: Theme, other: Theme) -> bool:
    """Refuse pairs no seller would bundle: kids' content with content for adults."""
    profiles = {one.safety, other.safety}
    return one is not other and not ("kids" in profiles and profiles & NEVER_WITH_KIDS)


def _draw_bridge(rng: random.Random, themes: Sequence[Theme]) -> tuple[Theme, ...]:
    """Draw two themes. Pairs of one environment are likelier: a deal id usually serves one."""
    one = rng.choice(themes)
    others = [theme for theme in themes if _can_bridge(one, theme)]
    if not others:
        return (one,)
    weights = [5 if theme.environment == one.environment else 1 for theme in others]
    return one, rng.choices(others, weights)[0]


def _draw_stray(rng: random.Random, categories: Sequence[str]) -> Theme:
    """Draw the one-off subject of a noise deal: stray category, borrowed audience, mixed supply."""
    category = rng.choice(categories)
    subject = category.split(" > ")[-1]
    safe = [theme for theme in THEMES if theme.safety == "general"]
    donor = rng.choice(safe)
    return Theme(
        name="",
        environment=rng.choice(tuple(ENVIRONMENTS)),
        labels=(subject.replace(",", ""), "Run of Network", "Long Tail", "Audience Extension"),
        categories=(category,),
        concepts=(subject.lower().replace(",", ""), *rng.sample(STRAY_CONCEPTS, 5)),
        audiences=tuple(rng.choice(theme.audiences) for theme in rng.sample(safe, 4)),
        demographics=donor.demographics,
        publishers=STRAY_PUBLISHERS,
        safety="unmoderated",
    )


def _draw_subjects(rng: random.Random, themes: int, deals: int) -> list[tuple[Theme, ...]]:
    """Decide what each deal is about, in random order."""
    chosen = rng.sample(THEMES, themes)
    bridges, noise = round(deals * BRIDGE_SHARE), round(deals * NOISE_SHARE)
    sizes = _theme_sizes(rng, themes, deals - bridges - noise)
    subjects: list[tuple[Theme, ...]] = []
    for theme, size in zip(chosen, sizes, strict=True):
        subjects += [(theme,)] * size
    subjects += [_draw_bridge(rng, chosen) for _ in range(bridges)]
    categories = _stray_categories()
    subjects += [(_draw_stray(rng, categories),) for _ in range(noise)]
    rng.shuffle(subjects)
    return subjects


def generate(seed: int, themes: int, deals: int) -> GeneratedDeals:
    """Draw `deals` deals over `themes` themes of THEMES; the same arguments give the same deals.

    BRIDGE_SHARE of them are bridges (with one theme nothing can bridge), NOISE_SHARE noise.
    Raises ValueError when THEMES has too few themes or the deals cannot fill them.
    """
    if not 1 <= themes <= len(THEMES):
        message = f"themes is {themes}; choose 1 to {len(THEMES)}"
        raise ValueError(message)
    rng = random.Random(seed)
    used_ids: set[str] = set()
    subjects = _draw_subjects(rng, themes, deals)
    return GeneratedDeals(
        deals=[_open_gaps(rng, _draw_complete_deal(rng, parts, used_ids)) for parts in subjects],
        truth=[tuple(part.name for part in parts if part.name) for parts in subjects],
    )


# --- files --------------------------------------------------------------------------------------------


def deals_as_json(deals: Sequence[Deal]) -> str:
    """Write a JSON list with one deal per line, so that a changed deal is one changed line."""
    lines = ",\n".join(json.dumps(deal, ensure_ascii=False) for deal in deals)
    return f"[\n{lines}\n]\n"


def _cell(value: object) -> str:
    """Write one value as an SSP console does; unknown is an empty cell."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list():
            return LIST_SEPARATOR.join(value)
        case _:
            return str(value)


def flatten_deal(deal: Deal) -> dict[str, str]:
    """Return the CSV row of a deal: column = path joined by "_". Raises ValueError on an unknown field."""
    row = dict.fromkeys(COLUMNS, "")
    for key, value in deal.items():
        nested = value.items() if isinstance(value, dict) else ((None, value),)
        for inner, item in nested:
            if item is None:
                continue
            row[key if inner is None else f"{key}_{inner}"] = _cell(item)
    if len(row) > len(COLUMNS):
        message = f"no CSV column for {sorted(set(row) - set(COLUMNS))}; add it to COLUMNS"
        raise ValueError(message)
    return row


def deals_as_csv(deals: Sequence[Deal]) -> str:
    """Write the flattened deals as CSV with LF line ends."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flatten_deal(deal) for deal in deals)
    return text.getvalue()


def render_files() -> dict[str, str]:
    """Return the content of every sample file by file name."""
    content: dict[str, str] = {MADE_FOR_FILE: f"{TODAY.isoformat()}\n"}
    for file in SAMPLE_FILES:
        deals = generate(file.seed, file.themes, file.deals).deals
        content[f"{file.stem}.json"] = deals_as_json(deals)
        if file.with_csv:
            content[f"{file.stem}.csv"] = deals_as_csv(deals)
    return content


def main() -> None:
    """Rewrite the sample files next to this module."""
    for name, text in render_files().items():
        (HERE / name).write_bytes(text.encode("utf-8"))


if __name__ == "__main__":
    main()
