"""What a brief asks of a deal: each filter says yes, no, or that the deal does not say.

Unknown is never yes: a deal that does not name its safety is not family-safe, and a floor in
another currency than the brief's is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from core.deals.countries import country_codes, runs_everywhere
from core.deals.deal import Deal
from core.deals.vocabulary import GARM_RISKS, garm_risk
from core.search.topics import is_about


class Filter(Protocol):
    """One requirement. `str()` of it is the rule in words: "floor under 15 USD"."""

    @property
    def said(self) -> str:
        """The words of the brief that ask for it."""
        ...

    @property
    def refusal(self) -> str:
        """What is true of the deals it refuses: "not family-safe"."""
        ...

    def judge(self, deal: Deal) -> bool | None:
        """Whether the deal meets it; None when the deal does not say."""
        ...

    def fact(self, deal: Deal) -> str:
        """Return how a deal meets it: "floor 12.50 USD"."""
        ...

    def doubt(self, deal: Deal) -> str:
        """Return what is not known of a deal on which there is no verdict: "floor unknown"."""
        ...


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a filter; what a deal does not say stays unknown."""

    said: str
    inner: Filter

    def __str__(self) -> str:
        return f"not {self.inner}"

    @property
    def refusal(self) -> str:
        """What is true of the deals it refuses."""
        return str(self.inner)

    def judge(self, deal: Deal) -> bool | None:
        """Whether the inner filter refuses the deal."""
        found = self.inner.judge(deal)
        return None if found is None else not found

    def fact(self, deal: Deal) -> str:
        """Return the rule: there is nothing to show of what a deal is not."""
        del deal
        return str(self)

    def doubt(self, deal: Deal) -> str:
        """Return what the inner filter doubts."""
        return self.inner.doubt(deal)


# --- format and device --------------------------------------------------------------------------

_Judge = Callable[[Deal], bool | None]


def _format(name: str) -> _Judge:
    return lambda deal: name in deal.formats if deal.formats else None


def _ctv(deal: Deal) -> bool | None:
    """Video alone never makes a deal CTV."""
    if deal.formats and "video" not in deal.formats:
        return False
    if deal.devices:
        return "ctv" in deal.devices
    return True if "ctv" in _inventory(deal) else None


def _device(*names: str, perhaps: str = "") -> _Judge:
    """Judge by devices; perhaps: a wider device of which nobody can tell."""

    def verdict(deal: Deal) -> bool | None:
        if not deal.devices or (perhaps in deal.devices and not {*names} & {*deal.devices}):
            return None
        return not {*names}.isdisjoint(deal.devices)

    return verdict


def _inventory(deal: Deal) -> list[str]:
    return (deal.inventory_type or "").split(", ")


def _sold_in(name: str) -> _Judge:
    return lambda deal: name in _inventory(deal) if deal.inventory_type else None


# What a brief may call the inventory -> (in words, judge).
_KINDS: Mapping[str, tuple[str, _Judge]] = {
    "ctv": ("CTV", _ctv),
    "display": ("display", _format("display")),
    "video": ("video", _format("video")),
    "audio": ("audio", _format("audio")),
    "native": ("native", _format("native")),
    "desktop": ("desktop", _device("desktop")),
    "mobile": ("mobile", _device("mobile", "phone", "tablet")),
    "phone": ("phone", _device("phone", perhaps="mobile")),
    "tablet": ("tablet", _device("tablet", perhaps="mobile")),
    "stb": ("set-top box", _device("stb")),
    "ooh": ("out of home", _device("ooh")),
    "apps": ("in apps", _sold_in("apps")),
}


@dataclass(frozen=True, slots=True)
class Formats:
    """Formats and devices: one of the groups must fit, and of a group every name.

    groups: names of `_KINDS`; "mobile video or CTV" is (("mobile", "video"), ("ctv",)).
    """

    said: str
    groups: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        return _or(map(_words_of_group, self.groups))

    @property
    def refusal(self) -> str:
        """What is true of the deals it refuses."""
        return f"not {self}"

    def judge(self, deal: Deal) -> bool | None:
        """Whether a group fits."""
        return _any(_fits(group, deal) for group in self.groups)

    def fact(self, deal: Deal) -> str:
        """Return the first group that fits."""
        return next(_words_of_group(group) for group in self.groups if _fits(group, deal))

    def doubt(self, deal: Deal) -> str:
        """Return the rule that cannot be told."""
        del deal
        return f"{self}: unknown"


def _words_of_group(group: Iterable[str]) -> str:
    return " ".join(_KINDS[name][0] for name in group)


def _fits(group: Iterable[str], deal: Deal) -> bool | None:
    verdicts = {_KINDS[name][1](deal) for name in group}
    return False if False in verdicts else None if None in verdicts else True


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    known = set(verdicts)
    return True if True in known else None if None in known else False


# --- safety -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FamilySafe:
    """Deals that say they are family-safe."""

    said: str

    def __str__(self) -> str:
        return "family-safe"

    @property
    def refusal(self) -> str:
        """What is true of the deals it refuses."""
        return "not family-safe"

    def judge(self, deal: Deal) -> bool | None:
        """Return what the deal says."""
        return deal.safety.family_safe

    def fact(self, deal: Deal) -> str:
        """Return the rule."""
        del deal
        return "family-safe"

    def doubt(self, deal: Deal) -> str:
        """Return that nobody said it."""
        del deal
        return "family-safe: unknown"


@dataclass(frozen=True, slots=True)
class RiskAtMost:
    """GARM risk no worse than a level; "Floor" is the worst unless the file means it as the best."""

    said: str
    worst: str
    floor_is_lowest_risk: bool = False

    def __str__(self) -> str:
        return f"risk at most {self.worst}"

    @property
    def refusal(self) -> str:
        """What is true of the deals it refuses."""
        return f"risk worse than {self.worst}"

    def judge(self, deal: Deal) -> bool | None:
        """Whether the rating is good enough."""
        risk = self._risk(deal)
        return None if risk is None else GARM_RISKS.index(risk) <= GARM_RISKS.index(self.worst)

    def fact(self, deal: Deal) -> str:
        """Return the rating."""
        return f"{self._risk(deal)} risk"

    def doubt(self, deal: Deal) -> str:
        """Return that there is no rating."""
        del deal
        return "risk unknown"

    def _risk(self, deal: Deal) -> str | None:
        return garm_risk(deal.safety.garm_risk_rating, floor_is_lowest_risk=self.floor_is_lowest_risk)


@dataclass(frozen=True, slots=True)
class Without:
    """Deals that are not about a topic."""

    said: str
    topic: str

    def __str__(self) -> str:
        return f"no {self.topic}"

    @property
    def refusal(self) -> str:
        """What is true of the deals it refuses."""
        return f"about {self.topic}"

    def judge(self, deal: Deal) -> bool | None:
        """Whether the deal is not about the topic."""
        found = is_about(deal, self.topic)
        return None if found is None else not found

    def fact(self, deal: Deal) -> str:
        """Return the rule."""
        del deal
        return str(self)

    def doubt(self, deal: Deal) -> str:
        """Return that the deal does not say its content."""
        del deal
        return f"{self}: content unknown"


# --- where, when, how much ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Places:
    """Deals that run in one of these countries.

    countries: ISO 3166-1 alpha-2 codes, sorted. Geos nobody can lead to a country stay unknown.
    """

    said: str
    countries: tuple[str, ...]

    def __str__(self) -> str:
        return _or(self.countries)

    @property
    def refusal(self) -> str:
        """What is true of the deals it refuses."""
        return f"not in {self}"

    def judge(self, deal: Deal) -> bool | None:
        """Whether one of the deal's countries is wanted."""
        if not deal.geos:
            return None
        known = [country_codes(geo) for geo in deal.geos]
        if runs_everywhere(deal.geos) or not frozenset().union(*known).isdisjoint(self.countries):
            return True
        return False if all(known) else None

    def fact(self, deal: Deal) -> str:
        """Return the wanted countries the deal runs in."""
        found = frozenset().union(*map(country_codes, deal.geos))
        return ", ".join(code for code in self.countries if code in found) or "worldwide"

    def doubt(self, deal: Deal) -> str:
        """Return which geo is not known."""
        return f"geo {', '.join(deal.geos)!r} is no known country" if deal.geos else "geo unknown"


@dataclass(frozen=True, slots=True)
class FloorPrice:
    """Floor prices within limits, CPM in one currency.

    currency: None when the brief names none; then no amount can be compared. An explicit 0 is
    "no floor": below every limit, whatever the currency.
    below, above: the limit itself is out ("under $15").
    """

    said: str
    currency: str | None
    lowest: Decimal | None = None
    highest: Decimal | None = None
    above: bool = False
    below: bool = False

    def __str__(self) -> str:
        unit = self.currency or "(no currency)"
        if self.lowest is not None and self.highest is not None:
            return f"floor {self.lowest:f} to {self.highest:f} {unit}"
        if self.highest is not None:
            return f"floor {'under' if self.below else 'at most'} {self.highest:f} {unit}"
        return f"floor {'over' if self.above else 'at least'} {self.lowest or 0:f} {unit}"

    @property
    def refusal(self) -> str:
        """What is true of the deals it refuses."""
        return f"not with a {self}"

    def judge(self, deal: Deal) -> bool | None:
        """Whether the floor is within the limits."""
        floor = deal.commercial.floor_price
        if floor is None:
            return None
        if floor.amount != 0 and (self.currency is None or floor.currency != self.currency):
            return None
        return self._low_enough(floor.amount) and self._high_enough(floor.amount)

    def _low_enough(self, amount: Decimal) -> bool:
        if self.highest is None:
            return True
        return amount < self.highest if self.below else amount <= self.highest

    def _high_enough(self, amount: Decimal) -> bool:
        if self.lowest is None:
            return True
        return amount > self.lowest if self.above else amount >= self.lowest

    def fact(self, deal: Deal) -> str:
        """Return the floor."""
        floor = deal.commercial.floor_price
        if floor is None or floor.amount == 0:
            return "no floor"
        return f"floor {floor.amount:.2f} {floor.currency}"

    def doubt(self, deal: Deal) -> str:
        """Return why the floor is not compared."""
        floor = deal.commercial.floor_price
        if floor is None:
            return "floor unknown"
        if floor.currency is None:
            return f"floor {floor.amount:.2f} of unknown currency"
        why = f"not in {self.currency}" if self.currency else "the brief names no currency"
        return f"floor {floor.amount:.2f} {floor.currency}, {why}"


@dataclass(frozen=True, slots=True)
class Flight:
    """Deals that run from the first to the last day; None is open.

    A deal that runs only a part of them is doubtful, not refused. Without an end it runs on;
    without a start nobody said since when.
    """

    said: str
    first: date | None
    last: date | None

    def __str__(self) -> str:
        return (
            "runs" + (f" from {self.first}" if self.first else "") + (f" to {self.last}" if self.last else "")
        )

    @property
    def refusal(self) -> str:
        """What is true of the deals it refuses."""
        return f"not running {str(self).removeprefix('runs ')}"

    def judge(self, deal: Deal) -> bool | None:
        """Whether the deal runs on all these days; None for some of them."""
        start, end = _day(deal.start_time), _day(deal.end_time)
        if (start and self.last and start > str(self.last)) or (end and self.first and end < str(self.first)):
            return False
        if start is None:
            return None
        begins = self.first is None or start <= str(self.first)
        lasts = self.last is None or end is None or end >= str(self.last)
        return True if begins and lasts else None

    def fact(self, deal: Deal) -> str:
        """Return the days it runs."""
        return f"runs {_day(deal.start_time)} to {_day(deal.end_time) or 'open end'}"

    def doubt(self, deal: Deal) -> str:
        """Return what is missing."""
        if deal.start_time is None:
            return "start unknown"
        return f"runs only {_day(deal.start_time)} to {_day(deal.end_time) or 'open end'}"


def _day(moment: str | None) -> str | None:
    return moment[:10] if moment else None


# --- values a deal carries ----------------------------------------------------------------------

# Kind of value -> (how to read it, what it is called when it is not known).
_VALUES: Mapping[str, tuple[Callable[[Deal], str | None], str]] = {
    "quality": (lambda deal: deal.commercial.quality_tier, "quality"),
    "volume": (lambda deal: deal.commercial.volume_tier, "volume"),
    "ssp": (lambda deal: deal.ssp_name, "SSP"),
    "price": (lambda deal: deal.price_type, "price type"),
    "status": (lambda deal: deal.status, "status"),
}


@dataclass(frozen=True, slots=True)
class OneOf:
    """Deals that carry one of some values.

    kind: quality, volume, ssp, price or status. values: as deals write them.
    """

    said: str
    kind: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return _or(self._in_words(value) for value in self.values)

    @property
    def refusal(self) -> str:
        """What is true of the deals it refuses."""
        return f"not {self}"

    def judge(self, deal: Deal) -> bool | None:
        """Whether the deal's value is wanted."""
        value = _VALUES[self.kind][0](deal)
        return None if value is None else value in self.values

    def fact(self, deal: Deal) -> str:
        """Return the value."""
        return self._in_words(_VALUES[self.kind][0](deal) or "")

    def doubt(self, deal: Deal) -> str:
        """Return what is not known."""
        del deal
        return f"{_VALUES[self.kind][1]} unknown"

    def _in_words(self, value: str) -> str:
        return {"volume": f"{value} volume", "price": f"{value} price"}.get(self.kind, value)


def _or(words: Iterable[str]) -> str:
    return " or ".join(words)
