"""A parsed answer becomes proposals, and nothing in it is believed.

What is accepted names only deals of the cluster, each package has at least three, and every
deal of the cluster ends in a proposal or in the list of unpackaged deals. What the words of
a package claim is compared with its deals; what looks odd is flagged for the analyst.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.deals import Deal
from core.deals.text_normalisation import clean_text
from core.errors import UnusableAnswer
from core.packages.package import Flag
from core.proposals.answer import parse_answer, part_of
from core.proposals.proposal import Answer, Proposal, Unpackaged
from core.settings import MIN_PACKAGE_DEALS, NAME_LIMIT
from core.wording.claims import check_claims
from core.wording.generated_text import name_of
from core.wording.injection import holds_markup, inert_text, reads_like_order, unusual_deals

# Part of the key of a kept answer: raise it when the same text would give other proposals.
VALIDATOR_VERSION = 2

_UNNAMED = "Unnamed package"
_REASONING_LIMIT = 2_000
_MAX_PACKAGES = 12
_MAX_ISSUES = 20
_ID_LIMIT = 120
_MAX_NAMED_IDS = 5
# Packages are nearly the same when they share more than this part of their deals (Jaccard).
_NEAR_SAME = 0.8
# A cluster that could make two packages, and came back as one, was perhaps not looked at.
_SPLITTABLE = 2 * MIN_PACKAGE_DEALS
_NO_PACKAGE = re.compile(
    r"\W*(?:the\s+)?(?:excluded|exclusions?|left[\s-]?(?:over|out)s?|unpackaged|unassigned|ungrouped|unused|omitted"
    r"|discarded|not\s+packaged)(?:\s+(?:deals?|items?|ids?|inventory|package))*\W*",
    re.IGNORECASE,
)


def validate_answer(text: str, aliases: Mapping[str, str], deals: Sequence[Deal]) -> Answer:
    """Turn a model's text into proposals over the deals behind `aliases` (alias -> deal id).

    deals: those deals, in any order. Unknown ids are dropped and counted, packages under three
    deals dissolve, doubles merge, at most twelve packages stay; every correction is an issue.
    A "package" that lists what was left out is no package: it gives those deals their reason.
    Raises UnusableAnswer when no package is left.
    """
    parsed = parse_answer(text)
    review = _Review(aliases, {deal.deal_id: deal for deal in deals}, list(parsed.issues))
    for package in parsed.packages:
        review.take(package)
    if not review.kept:
        raise UnusableAnswer("No package of the model's answer has three deals of this cluster.", raw=text)
    proposals = _flagged(review.kept, cluster_size=len(aliases), salvaged=parsed.salvaged)
    return Answer(proposals, review.unpackaged(), review.summed_up(), raw=text)


class _Review:
    """Takes the packages of one answer one by one, and notes what was corrected."""

    def __init__(self, aliases: Mapping[str, str], deals: Mapping[str, Deal], issues: list[str]) -> None:
        self._resolve = _Resolver(aliases)
        self._deals = deals
        self._deal_ids = tuple(aliases.values())
        self._left: dict[str, Unpackaged] = {}
        self._sets: set[frozenset[str]] = set()
        self._issues = issues
        self.kept: list[Proposal] = []
        if unusual := unusual_deals(deals[deal_id] for deal_id in self._deal_ids):
            issues.append(_unusual_sentence(unusual))

    def take(self, package: Mapping[str, Any]) -> None:
        """Keep a package as a proposal, or drop it with a reason for its deals."""
        deal_ids, unknown = self._resolve.all(part_of(package, "deals"))
        said = inert_text(part_of(package, "name"), NAME_LIMIT)
        title = repr(said or _UNNAMED)
        if unknown:
            ids = "id" if unknown == 1 else "ids"
            self._issues.append(f"{title} named {unknown} {ids} outside this cluster, now dropped.")
        if _NO_PACKAGE.fullmatch(said):
            self._exclude(deal_ids, inert_text(part_of(package, "reasoning"), _REASONING_LIMIT), title)
        elif len(deal_ids) < MIN_PACKAGE_DEALS:
            reason = (
                f"The model put it in {title}, a package of {len(deal_ids)}, under {MIN_PACKAGE_DEALS} deals."
            )
            issue = f"{title} has fewer than {MIN_PACKAGE_DEALS} valid deals and was dropped."
            self._drop(deal_ids, said or _UNNAMED, reason, issue)
        elif frozenset(deal_ids) in self._sets:
            self._issues.append(f"{title} repeats another package's deals and was dropped.")
        elif len(self.kept) == _MAX_PACKAGES:
            reason = f"The model put it in {title}, and gave more than {_MAX_PACKAGES} packages."
            issue = f"{title} is over the {_MAX_PACKAGES} packages of a cluster and was dropped."
            self._drop(deal_ids, said or _UNNAMED, reason, issue)
        else:
            self._sets.add(frozenset(deal_ids))
            self.kept.append(self._proposal(package, said, deal_ids))

    def _drop(self, deal_ids: Iterable[str], name: str, reason: str, issue: str) -> None:
        self._left |= {deal_id: Unpackaged(deal_id, reason, proposed=name) for deal_id in deal_ids}
        self._issues.append(issue)

    def _exclude(self, deal_ids: Iterable[str], said: str, title: str) -> None:
        """Take what a package of left-out deals says as their reason; another package may still hold them."""
        reason = f"The model left it out: {said}" if said else f"The model listed it under {title}."
        for deal_id in deal_ids:
            self._left.setdefault(deal_id, Unpackaged(deal_id, reason))
        self._issues.append(f"{title} lists deals that were left out; it is no package.")

    def _proposal(self, package: Mapping[str, Any], said: str, deal_ids: tuple[str, ...]) -> Proposal:
        members = [self._deals[deal_id] for deal_id in deal_ids]
        name, flags = self._name(said, members)
        reasoning = inert_text(part_of(package, "reasoning"), _REASONING_LIMIT) or "None given."
        if reads_like_order(reasoning):
            self._issues.append(f"The reasoning of {name!r} reads like an instruction: read it with care.")
        if holds_markup(part_of(package, "name"), NAME_LIMIT) or holds_markup(
            part_of(package, "reasoning"), _REASONING_LIMIT
        ):
            self._issues.append(f"{name!r} held links or markup; they were removed.")
        return Proposal(name, deal_ids, reasoning, flags, check_claims(name, reasoning, members))

    def _name(self, said: str, members: Sequence[Deal]) -> tuple[str, tuple[Flag, ...]]:
        """Return the model's name, or one from counted facts when it gave none, or an order for one."""
        if said and not reads_like_order(said):
            return said, ()
        name = _name_from(members)
        why = "came with an instruction for a name" if said else "came without a name"
        self._issues.append(f"A package {why}: it was named {name!r} after its deals.")
        return name, ("unnamed",)

    def unpackaged(self) -> tuple[Unpackaged, ...]:
        """Return the deals of the cluster that are in no kept package, each with its reason."""
        packaged = {deal_id for proposal in self.kept for deal_id in proposal.deal_ids}
        return tuple(
            self._left.get(
                deal_id, Unpackaged(deal_id, "The model left it out of every package.", omitted=True)
            )
            for deal_id in self._deal_ids
            if deal_id not in packaged
        )

    def summed_up(self) -> tuple[str, ...]:
        """Return the issues; those over the limit are counted in one sentence."""
        more = len(self._issues) - _MAX_ISSUES
        if more <= 0:
            return tuple(self._issues)
        corrections = "correction" if more == 1 else "corrections"
        return (*self._issues[:_MAX_ISSUES], f"{more} more {corrections} of the same kinds.")


def _name_from(members: Sequence[Deal]) -> str:
    """Name a package after its deals, unless their own words are what a name must not hold."""
    name = inert_text(name_of(members), NAME_LIMIT)
    return _UNNAMED if reads_like_order(name) else name


def _unusual_sentence(deal_ids: Sequence[str]) -> str:
    named = ", ".join(clean_text(deal_id, _ID_LIMIT) for deal_id in deal_ids[:_MAX_NAMED_IDS])
    more = f" and {len(deal_ids) - _MAX_NAMED_IDS} more" if len(deal_ids) > _MAX_NAMED_IDS else ""
    return (
        f"Unusual deal name: text of {named}{more} reads like an instruction; "
        "look at the packages before you approve them."
    )


def _flagged(proposals: Sequence[Proposal], *, cluster_size: int, salvaged: bool) -> tuple[Proposal, ...]:
    """Add the flags that only show when all packages of the answer stand side by side."""
    sets = [frozenset(proposal.deal_ids) for proposal in proposals]
    flagged = []
    for own, proposal in zip(sets, proposals, strict=True):
        signs: dict[Flag, bool] = {
            "near_same": any(
                own != other and len(own & other) > _NEAR_SAME * len(own | other) for other in sets
            ),
            "all_in_one": len(own) == cluster_size >= _SPLITTABLE,
            "salvaged": salvaged,
        }
        found = (flag for flag, shows in signs.items() if shows)
        flagged.append(replace(proposal, flags=(*proposal.flags, *found)))
    return tuple(flagged)


class _Resolver:
    """Finds the deal that an id of an answer means: an alias, the number of an alias, or a real id.

    What could mean two deals means none: a real id "2" beside an alias "D2", or ids that differ
    in case when the answer has neither spelling.
    """

    def __init__(self, aliases: Mapping[str, str]) -> None:
        meant = [
            (word, deal_id)
            for alias, deal_id in aliases.items()
            for word in (alias, re.sub(r"^\D+", "", alias), deal_id)
        ]
        self._exact = _unambiguous(meant)
        self._folded = _unambiguous((_folded(word), deal_id) for word, deal_id in meant)

    def all(self, ids: object) -> tuple[tuple[str, ...], int]:
        """Return the deals meant, each once, and how many ids meant none."""
        found: dict[str, None] = {}
        unknown = 0
        for item in _flat(ids):
            deal_id = self._exact.get(item) or self._folded.get(_folded(item))
            if deal_id is None:
                unknown += 1
            else:
                found[deal_id] = None
        return tuple(found), unknown


def _unambiguous(meant: Iterable[tuple[str, str]]) -> dict[str, str]:
    deals: dict[str, set[str]] = {}
    for word, deal_id in meant:
        deals.setdefault(word, set()).add(deal_id)
    return {word: next(iter(ids)) for word, ids in deals.items() if len(ids) == 1}


def _folded(text: str) -> str:
    return re.sub(r"\s+", "", text).casefold()


def _flat(ids: object) -> Iterable[str]:
    """Yield ids as text from a list, a number, or "D1, D2"."""
    items: Sequence[object] = ids if isinstance(ids, list) else [ids]
    for item in items:
        if isinstance(item, bool) or item is None:
            continue
        if isinstance(item, float):
            yield str(int(item)) if item.is_integer() else str(item)
        elif isinstance(item, int):
            yield str(item)
        elif isinstance(item, str):
            yield from (part.strip() for part in re.split(r"[,;]", item) if part.strip())
