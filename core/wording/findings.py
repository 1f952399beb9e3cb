"""What a check of a package finds: a code, how bad it is, a sentence, the deals it is about, and fixes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from core import clock
from core.deals.deal import Deal, content_hash

Severity = Literal["error", "warning", "info"]
OverlapMode = Literal["allow", "warn", "forbid"]

# Worst first: the order in which findings are shown.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the checks: how bad it is at worst to break it, and what it says in words."""

    severity: Severity
    words: str


@dataclass(frozen=True, slots=True)
class Fix:
    """What would mend a finding in one click.

    label: what the button says. parts: one part = the deals to take out; several = the deals of
        each package that a split makes.
    """

    kind: Literal["remove", "split"]
    label: str
    parts: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a package breaks.

    code: name of the rule, one of `checks.RULES`. sentence: the rule and what breaks it, in words.
    deal_ids: the deals it is about, in the order of the package; empty when it is about the words
        or about all deals alike. said: the words it is about, when it is about some.
    """

    code: str
    severity: Severity
    sentence: str
    deal_ids: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    said: str = ""

    @property
    def key(self) -> str:
        """Names the finding by rule, deals and words: an override does not hold for others."""
        return content_hash([self.code, sorted(self.deal_ids), self.said])


@dataclass(frozen=True, slots=True)
class Override:
    """Why an analyst releases a package although a check calls it an error.

    key: the finding it holds for, see `Finding.key`. at: UTC, ISO 8601.
    """

    code: str
    key: str
    reason: str
    who: str
    at: str


@dataclass(frozen=True, slots=True)
class OverlapPolicy:
    """What is said of deals that several packages share.

    most_shared: with "warn", the largest share of a package's deals that may be in other packages too.
    """

    mode: OverlapMode = "warn"
    most_shared: float = 0.5


@dataclass(frozen=True, slots=True)
class CheckRules:
    """What the checks depend on besides the package and its deals.

    today: UTC date against which flights and names are judged.
    floor_is_lowest_risk: the GARM rating "Floor" means the safest level in this file.
    """

    today: date
    floor_is_lowest_risk: bool = False
    overlap: OverlapPolicy = OverlapPolicy()

    @classmethod
    def now(cls) -> CheckRules:
        """Return the default rules as of today."""
        return cls(clock.today())


def open_errors(findings: Iterable[Finding], overrides: Iterable[Override]) -> tuple[Finding, ...]:
    """Return the errors that no override holds for: they keep a package from being approved."""
    released = {override.key for override in overrides}
    return tuple(item for item in findings if item.severity == "error" and item.key not in released)


# --- deals of a finding -------------------------------------------------------------------------

_MOST_NAMED = 5


def ids_of(deals: Iterable[Deal]) -> tuple[str, ...]:
    """Return the ids of deals."""
    return tuple(deal.deal_id for deal in deals)


def named(names: Sequence[str]) -> str:
    """Write out the first names and count the rest."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def removal(members: Sequence[Deal], out: Sequence[Deal], kind: str = "", which: str = "") -> tuple[Fix, ...]:
    """Return the fix that takes deals out, () when none is to go or none would stay.

    kind, which: what stands before and after the word "deals" on its button.
    """
    if not out or len(out) >= len(members):
        return ()
    words = ("Remove", str(len(out)), kind, "deal" if len(out) == 1 else "deals", which)
    return (Fix("remove", " ".join(filter(None, words)), (ids_of(out),)),)
