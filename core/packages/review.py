"""What an analyst does to the packages of a run: commands, about several packages at once.

A command becomes changes: for each package what it was and what it is; `history` keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from core.deals import Deal
from core.deals.countries import places_of
from core.deals.text_normalisation import has_words
from core.errors import PackageError
from core.packages.checks import Others
from core.packages.edits import (
    Approve,
    Edit,
    Rename,
    SetReasoning,
    apply_edit,
    only_counts,
    recounted,
    refuse_locked,
    refuse_unknown,
    with_claims,
    with_content,
    without,
)
from core.packages.fact_sheet import currency_of
from core.packages.history import Change, Review, replay
from core.packages.package import Package, new_package_id
from core.settings import NAME_LIMIT
from core.wording.findings import CheckRules
from core.wording.generated_text import counted_reasoning

BY_HAND = "Analyst"
SplitBy = Literal["ssp", "currency", "device", "geo", "format"]

_COPY = " (copy)"
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command has at hand besides the packages it is about.

    deals: deal id -> deal, at least those that packages and command name. others: what the checks
        before an approval compare with. new_id: names new packages.
    """

    deals: Mapping[str, Deal]
    who: str
    rules: CheckRules
    others: Others | None = None
    new_id: Callable[[], str] = new_package_id


class Command(Protocol):
    """Something an analyst does to packages."""

    @property
    def package_ids(self) -> tuple[str, ...]:
        """The packages it reads or changes."""
        ...

    @property
    def deal_ids(self) -> tuple[str, ...]:
        """The deals it names besides those of the packages."""
        ...

    def words(self, names: Mapping[str, str]) -> str:
        """Say what it does; names: package id -> name."""
        ...

    def changes(self, review: Review, desk: Desk) -> Iterator[Change]:
        """Yield what becomes of each package. Raises PackageError when it is not allowed."""
        ...


def perform(
    review: Review,
    command: Command,
    deals: Mapping[str, Deal],
    who: str,
    rules: CheckRules,
    *,
    others: Others | None = None,
    new_id: Callable[[], str] = new_package_id,
) -> tuple[Review, tuple[Change, ...]]:
    """Carry a command out, all of it or nothing; no changes when it changes nothing.

    deals: deal id -> deal, at least those that packages and command name. others: an index over the
    standing packages for the checks, when the review does not hold all of them.
    Raises PackageError when the command is not allowed.
    """
    if others is None and approves(command):
        others = Others.of(review.packages)
    changes = tuple(command.changes(review, Desk(deals, who, rules, others, new_id)))
    return replay(changes, review), changes


def approves(command: Command) -> bool:
    """Whether a command approves packages, which needs the checks."""
    return isinstance(command, EditPackages) and any(isinstance(edit, Approve) for edit in command.edits)


# --- commands ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EditPackages:
    """Apply the same edits to one package or several."""

    ids: tuple[str, ...]
    edits: tuple[Edit, ...]

    def __str__(self) -> str:
        return self.words({})

    @property
    def package_ids(self) -> tuple[str, ...]:
        """The packages it edits."""
        return self.ids

    @property
    def deal_ids(self) -> tuple[str, ...]:
        """The deals its edits name."""
        return tuple(deal_id for edit in self.edits for deal_id in getattr(edit, "deal_ids", ()))

    def words(self, names: Mapping[str, str]) -> str:
        """Say "Rename to 'B', approve ('A')"."""
        done = ", ".join(str(edit) if not place else _lower(edit) for place, edit in enumerate(self.edits))
        subject = _name(self.ids[0], names) if len(self.ids) == 1 else f"{len(self.ids)} packages"
        return f"{done} ({subject})"

    def changes(self, review: Review, desk: Desk) -> Iterator[Change]:
        """Yield a change for each edit that changes something."""
        places = dict(zip((item.id for item in review.packages), review.places, strict=True))
        packages = {item.id: item for item in review.packages}
        for package_id in dict.fromkeys(self.ids):
            if package_id not in packages:
                review.found(package_id)
            after = packages[package_id]
            for edit in self.edits:
                before = after
                after = apply_edit(
                    before, edit, deals=desk.deals, who=desk.who, rules=desk.rules, others=desk.others
                )
                if after != before:
                    yield Change(package_id, before, after, places[package_id], str(edit))


@dataclass(frozen=True, slots=True)
class MakePackage:
    """Make a package by hand."""

    name: str
    deal_ids: tuple[str, ...]
    reasoning: str = ""

    def __str__(self) -> str:
        return self.words({})

    @property
    def package_ids(self) -> tuple[str, ...]:
        """None: the package is new."""
        return ()

    def words(self, names: Mapping[str, str]) -> str:  # noqa: ARG002  (no package has a name yet)
        """Say "Make 'A' by hand"."""
        return f"Make {' '.join(self.name.split())!r} by hand"

    def changes(self, review: Review, desk: Desk) -> Iterator[Change]:
        """Yield the new package. Raises PackageError without a name or deals, and for unknown deals."""
        if not has_words(self.name) or not self.deal_ids:
            raise PackageError("A package needs a name and at least one deal.")
        refuse_unknown(self.deal_ids, desk.deals)
        ids = tuple(dict.fromkeys(self.deal_ids))
        blank = Package(
            id=desk.new_id(),
            name="",
            deal_ids=ids,
            reasoning="",
            source=BY_HAND,
            edited=True,
            by_hand=dict.fromkeys(ids, f"Put into a package by {desk.who}."),
        )
        named = Rename(self.name).apply(SetReasoning(self.reasoning).apply(blank))
        made = with_claims(named, desk.deals)
        yield Change(made.id, None, made, review.end, str(self))


@dataclass(frozen=True, slots=True)
class MoveDeals:
    """Take deals out of one package and put them into another."""

    source: str
    target: str
    deal_ids: tuple[str, ...]

    def __str__(self) -> str:
        return self.words({})

    @property
    def package_ids(self) -> tuple[str, ...]:
        """The two packages."""
        return (self.source, self.target)

    def words(self, names: Mapping[str, str]) -> str:
        """Say "Move 3 deals from 'A' to 'B'"."""
        count = _deals(len(set(self.deal_ids)))
        return f"Move {count} from {_name(self.source, names)} to {_name(self.target, names)}"

    def changes(self, review: Review, desk: Desk) -> Iterator[Change]:
        """Yield both packages. Raises PackageError when the first would hold no deal, or lacks one."""
        (place, source), (goal, target) = review.found(self.source), review.found(self.target)
        if source.id == target.id:
            raise PackageError(f"The deals are in {source.name!r} already: choose another package for them.")
        refuse_locked(source)
        refuse_locked(target)
        if not self.deal_ids:
            raise PackageError(f"No deal to move out of {source.name!r}: choose some.")
        kept = without(source, self.deal_ids)
        if not kept:
            raise PackageError(f"{source.name!r} would hold no deal: merge it with {target.name!r} instead.")
        refuse_unknown(set(self.deal_ids) - set(target.deal_ids), desk.deals)
        words = self.words({source.id: source.name, target.id: target.name})
        smaller = replace(source, deal_ids=kept)
        yield Change(source.id, source, with_content(source, smaller, desk.deals, ""), place, words)
        moved = (deal_id for deal_id in source.deal_ids if deal_id in set(self.deal_ids))
        grown = replace(target, deal_ids=tuple(dict.fromkeys((*target.deal_ids, *moved))))
        if grown != target:
            how = f"Moved from {source.name!r} by {desk.who}."
            yield Change(target.id, target, with_content(target, grown, desk.deals, how), goal, words)


@dataclass(frozen=True, slots=True)
class Merge:
    """Put the deals of several packages into the first of them; the others go."""

    ids: tuple[str, ...]
    name: str

    def __str__(self) -> str:
        return self.words({})

    @property
    def package_ids(self) -> tuple[str, ...]:
        """The packages it merges."""
        return self.ids

    @property
    def deal_ids(self) -> tuple[str, ...]:
        """None but those of the packages."""
        return ()

    def words(self, names: Mapping[str, str]) -> str:
        """Say "Merge 'A' and 'B' into 'C'"."""
        ids = list(dict.fromkeys(self.ids))
        listed = [_name(one, names) for one in ids]
        if len(ids) > _MOST_NAMED:
            listed = [*listed[: _MOST_NAMED - 1], f"{len(ids) - _MOST_NAMED + 1} more"]
        return f"Merge {' and '.join(listed)} into {' '.join(self.name.split())!r}"

    def changes(self, review: Review, desk: Desk) -> Iterator[Change]:
        """Yield the merged package and those that go. Raises PackageError for fewer than two packages."""
        found = [review.found(one) for one in dict.fromkeys(self.ids)]
        if len(found) < 2:  # noqa: PLR2004  (one package cannot be merged)
            raise PackageError("To merge takes two packages: select another one.")
        for _, package in found:
            refuse_locked(package)
        words = self.words({package.id: package.name for _, package in found})
        place, base = found[0]
        others = [package for _, package in found[1:]]
        merged = replace(
            Rename(self.name).apply(base),
            deal_ids=tuple(dict.fromkeys(deal_id for _, item in found for deal_id in item.deal_ids)),
            reasoning=_joined_reasoning([package for _, package in found], desk.deals),
            source=" and ".join(dict.fromkeys(package.source for _, package in found)),
        )
        after = with_content(base, merged, desk.deals, "")
        after = replace(after, by_hand={**after.by_hand, **_origins(base, others, desk.who)})
        yield Change(base.id, base, after, place, words)
        for gone, package in found[1:]:
            yield Change(package.id, package, None, gone, words)


@dataclass(frozen=True, slots=True)
class Split:
    """Make several packages of one; it keeps its id and one part.

    by: the deals that have the same value go together. Or parts: the deals of each package; what no part
        names stays where it is, else the first part does.
    """

    id: str
    parts: tuple[tuple[str, ...], ...] = ()
    by: SplitBy | None = None

    def __str__(self) -> str:
        return self.words({})

    @property
    def package_ids(self) -> tuple[str, ...]:
        """The package it splits."""
        return (self.id,)

    @property
    def deal_ids(self) -> tuple[str, ...]:
        """None but those of the package."""
        return ()

    def words(self, names: Mapping[str, str]) -> str:
        """Say "Split 'A' by SSP"."""
        how = f"by {_VALUES[self.by][0]}" if self.by else f"off {_deals(sum(map(len, self.parts)))}"
        return f"Split {_name(self.id, names)} {how}"

    def changes(self, review: Review, desk: Desk) -> Iterator[Change]:
        """Yield the package with what it keeps, then the new ones. Raises PackageError for a single part."""
        place, package = review.found(self.id)
        refuse_locked(package)
        words = self.words({package.id: package.name})
        (own_name, own), *parts = self._parts_by(package, desk.deals) if self.by else self._parts(package)
        kept = replace(package, name=own_name, deal_ids=own)
        yield Change(package.id, package, with_content(package, kept, desk.deals, ""), place, words)
        how = f"Split from {package.name!r} by {desk.who}."
        for number, (name, deal_ids) in enumerate(parts):
            fresh = _fresh(package, desk.new_id(), name, deal_ids)
            fresh = recounted(package, fresh, desk.deals, desk.deals)
            fresh = replace(fresh, by_hand=dict.fromkeys(deal_ids, how))
            yield Change(fresh.id, None, fresh, review.end + number, words)

    def _parts(self, package: Package) -> list[tuple[str, tuple[str, ...]]]:
        named = [deal_id for part in self.parts for deal_id in part]
        rest = without(package, named)
        if len(set(named)) < len(named):
            twice = next(deal_id for deal_id in named if named.count(deal_id) > 1)
            raise PackageError(f"{twice} is in two parts: put it into one of them.")
        wanted = [tuple(item for item in package.deal_ids if item in set(part)) for part in self.parts]
        parts = list(filter(None, ([rest, *wanted])))
        if len(parts) < 2:  # noqa: PLR2004  (one part is no split)
            raise PackageError(f"All deals of {package.name!r} would stay together: choose some of them.")
        names = [package.name, *(_suffixed(package.name, f" ({n})") for n in range(2, len(parts) + 1))]
        return list(zip(names, parts, strict=True))

    def _parts_by(self, package: Package, deals: Mapping[str, Deal]) -> list[tuple[str, tuple[str, ...]]]:
        word, values_of = _VALUES[self.by or "ssp"]
        groups: dict[str, list[str]] = {}
        for deal_id in package.deal_ids:
            deal = deals.get(deal_id)
            values = tuple(filter(None, values_of(deal))) if deal else ()
            groups.setdefault(", ".join(sorted(values)) or f"{word} unknown", []).append(deal_id)
        if len(groups) < 2:  # noqa: PLR2004  (one part is no split)
            raise PackageError(
                f"All deals of {package.name!r} have the same {word}: split it by another value."
            )
        return [(_suffixed(package.name, f" ({_cut(label)})"), tuple(ids)) for label, ids in groups.items()]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Make a pending copy of a package."""

    id: str

    def __str__(self) -> str:
        return self.words({})

    @property
    def package_ids(self) -> tuple[str, ...]:
        """The package it copies."""
        return (self.id,)

    @property
    def deal_ids(self) -> tuple[str, ...]:
        """None but those of the package."""
        return ()

    def words(self, names: Mapping[str, str]) -> str:
        """Say "Duplicate 'A'"."""
        return f"Duplicate {_name(self.id, names)}"

    def changes(self, review: Review, desk: Desk) -> Iterator[Change]:
        """Yield the copy."""
        _, package = review.found(self.id)
        name = _suffixed(package.name, _COPY)
        copy = with_claims(_fresh(package, desk.new_id(), name, package.deal_ids), desk.deals)
        yield Change(copy.id, None, copy, review.end, self.words({package.id: package.name}))


# What a package can be split by: the word for it, and the values of a deal; none = unknown.
_VALUES: dict[SplitBy, tuple[str, Callable[[Deal], Iterable[str | None]]]] = {
    "ssp": ("SSP", lambda deal: (deal.ssp_name,)),
    "currency": ("currency", lambda deal: (currency_of(deal),)),
    "device": ("device", lambda deal: deal.devices),
    "geo": ("geo", lambda deal: places_of(deal.geos)),
    "format": ("format", lambda deal: deal.formats),
}
# Enough for three values of any kind; a package may run in a hundred countries.
_LABEL_LIMIT = 60


def _fresh(package: Package, package_id: str, name: str, deal_ids: tuple[str, ...]) -> Package:
    """Return a pending package of its own, with the words of another one."""
    return replace(
        package,
        id=package_id,
        name=name,
        deal_ids=deal_ids,
        version=1,
        status="pending",
        edited=True,
        decided_by=None,
        decided_at=None,
        locked=False,
        overrides=(),
        approved_content=None,
        changed=(),
    )


def _joined_reasoning(packages: Sequence[Package], deals: Mapping[str, Deal]) -> str:
    """Return the reasons of all packages; where all only count their deals, those of all are counted."""
    if all(only_counts(package, deals) for package in packages):
        ids = dict.fromkeys(deal_id for package in packages for deal_id in package.deal_ids)
        return counted_reasoning([deals[deal_id] for deal_id in ids if deal_id in deals])
    return "\n\n".join(dict.fromkeys(package.reasoning for package in packages if package.reasoning))


def _origins(base: Package, others: Iterable[Package], who: str) -> dict[str, str]:
    """Return for each deal that came into `base` from where it did, in words."""
    found: dict[str, str] = {}
    for other in others:
        new = [deal_id for deal_id in other.deal_ids if deal_id not in base.deal_ids]
        for deal_id in new:
            found.setdefault(deal_id, other.by_hand.get(deal_id, f"Merged from {other.name!r} by {who}."))
    return found


def _suffixed(name: str, suffix: str) -> str:
    return name[: NAME_LIMIT - len(suffix)].rstrip() + suffix


def _cut(label: str) -> str:
    return label if len(label) <= _LABEL_LIMIT else label[: _LABEL_LIMIT - 1].rstrip(", ") + "…"


def _name(package_id: str, names: Mapping[str, str]) -> str:
    return repr(names.get(package_id, package_id))


def _lower(edit: Edit) -> str:
    return f"{str(edit)[:1].lower()}{str(edit)[1:]}"


def _deals(count: int) -> str:
    return "1 deal" if count == 1 else f"{count} deals"
