"""What an analyst can do to a package: each edit checks itself, names itself, and makes a new version.

An approval holds for the content it was given for: an edit of an approved package makes it
pending again. What the words of a package claim is compared with its deals as they are now,
whoever wrote the words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from core import clock
from core.deals import Deal
from core.deals.text_normalisation import has_words, without_controls
from core.errors import PackageError
from core.packages.checks import Others, check_package
from core.packages.package import Package, Status
from core.settings import NAME_LIMIT
from core.wording.claims import check_claims
from core.wording.findings import CheckRules, Finding, Override, named, open_errors
from core.wording.generated_text import counted_reasoning


@dataclass(frozen=True, slots=True)
class Rename:
    """Give the package another name."""

    name: str

    def __str__(self) -> str:
        return f"Rename to {self.name!r}"

    def apply(self, package: Package) -> Package:
        """Rename. Raises PackageError for an overlong name, and for one without a letter or number."""
        name = " ".join(without_controls(self.name).split())
        if not has_words(name):
            raise PackageError("A package needs a name: write one before you save.")
        if len(name) > NAME_LIMIT:
            raise PackageError(f"The name has {len(name)} characters: shorten it to {NAME_LIMIT}.")
        return replace(package, name=name)


@dataclass(frozen=True, slots=True)
class SetReasoning:
    """Replace the reasoning."""

    reasoning: str

    def __str__(self) -> str:
        return "Change the reasoning"

    def apply(self, package: Package) -> Package:
        """Replace the reasoning."""
        return replace(package, reasoning=without_controls(self.reasoning).strip())


@dataclass(frozen=True, slots=True)
class AddDeals:
    """Add deals at the end; those already there stay where they are."""

    deal_ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"Add {named(self.deal_ids)}"

    def apply(self, package: Package) -> Package:
        """Add the deals."""
        return replace(package, deal_ids=tuple(dict.fromkeys(package.deal_ids + self.deal_ids)))


@dataclass(frozen=True, slots=True)
class RemoveDeals:
    """Take deals out; at least one must stay."""

    deal_ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"Remove {named(self.deal_ids)}"

    def apply(self, package: Package) -> Package:
        """Take the deals out. Raises PackageError when one is not there, or none would stay."""
        kept = without(package, self.deal_ids)
        if not kept:
            raise PackageError(f"{package.name!r} would hold no deal: reject it instead.")
        return replace(package, deal_ids=kept)


@dataclass(frozen=True, slots=True)
class Approve:
    """Release the package for export, as it is now.

    reason: why it is released although checks found errors; it is kept with each of them.
    """

    reason: str | None = None

    def __str__(self) -> str:
        return f"Approve with the reason {self.reason!r}" if self.reason else "Approve"


@dataclass(frozen=True, slots=True)
class Reject:
    """Keep the package out of every export."""

    def __str__(self) -> str:
        return "Reject"


@dataclass(frozen=True, slots=True)
class Reopen:
    """Take a decision back."""

    def __str__(self) -> str:
        return "Reopen"


@dataclass(frozen=True, slots=True)
class Lock:
    """Protect the package from every edit but Unlock."""

    def __str__(self) -> str:
        return "Lock"


@dataclass(frozen=True, slots=True)
class Unlock:
    """Let the package be edited again."""

    def __str__(self) -> str:
        return "Unlock"


ContentEdit = Rename | SetReasoning | AddDeals | RemoveDeals
Edit = ContentEdit | Approve | Reject | Reopen | Lock | Unlock


def apply_edit(
    package: Package,
    edit: Edit,
    *,
    deals: Mapping[str, Deal],
    who: str,
    rules: CheckRules,
    others: Others | None = None,
) -> Package:
    """Return the next version of the package; the same package when the edit changes nothing.

    deals: deal id -> deal, at least those of the package and of the edit that the run has.
    rules, others: what the checks before an approval go by.
    Raises PackageError when the edit is not allowed.
    """
    if isinstance(edit, (Lock, Unlock)):
        return _with_lock(package, locked=isinstance(edit, Lock))
    refuse_locked(package)
    if isinstance(edit, Approve):
        return _approved(package, edit, deals, who, rules, others)
    if isinstance(edit, (Reject, Reopen)):
        return _decided(package, "rejected" if isinstance(edit, Reject) else "pending", who)
    if isinstance(edit, AddDeals):
        refuse_unknown(edit.deal_ids, deals)
    changed = edit.apply(package)
    if changed == package:
        return package
    return with_content(package, changed, deals, f"Added by {who}.")


# --- what every change of content shares ------------------------------------------------------


def refuse_locked(package: Package) -> None:
    """Raise PackageError when the package is locked."""
    if package.locked:
        raise PackageError(f"{package.name!r} is locked: unlock it before you change it.")


def refuse_unknown(deal_ids: Collection[str], deals: Mapping[str, Deal]) -> None:
    """Raise PackageError that names the deals the run does not have."""
    unknown = sorted(set(deal_ids) - deals.keys())
    if unknown:
        raise PackageError(f"No deal of this workspace has the id {', '.join(unknown)}: check the ids.")


def without(package: Package, deal_ids: Collection[str]) -> tuple[str, ...]:
    """Return the deals of the package but these. Raises PackageError when it does not hold one of them."""
    taken = frozenset(deal_ids)
    if missing := taken - set(package.deal_ids):
        raise PackageError(f"{package.name!r} does not hold {', '.join(sorted(missing))}: reload the page.")
    return tuple(deal_id for deal_id in package.deal_ids if deal_id not in taken)


def with_content(before: Package, after: Package, deals: Mapping[str, Deal], how: str) -> Package:
    """Return the next version of `before`, with the name, reasoning and deals of `after`.

    It is pending: no decision holds for other content. One that a newer file took the approval from
    keeps saying so until it is decided on. how: how deals came in that were not there, in words.
    """
    undecided = after if before.changed else replace(after, decided_by=None, decided_at=None)
    return replace(
        recounted(before, undecided, deals, deals),
        version=before.version + 1,
        edited=True,
        status="pending",
        by_hand=by_hand(before, after.deal_ids, how),
        overrides=(),
        approved_content=None,
    )


def by_hand(before: Package, deal_ids: Collection[str], how: str) -> dict[str, str]:
    """Return how deals were put into a package by hand, when it held those of `before` until now."""
    proposed = set(before.deal_ids) - before.by_hand.keys()
    return {deal_id: before.by_hand.get(deal_id, how) for deal_id in deal_ids if deal_id not in proposed}


def with_newer_deals(
    package: Package,
    renewed: Collection[str],
    gone: Collection[str],
    former: Mapping[str, Deal],
    deals: Mapping[str, Deal],
    who: str,
) -> Package:
    """Return what a newer file makes of a package, also of a locked one; the same one when it holds none.

    renewed, gone: ids of deals with other values, and of those the file lacks. former, deals: the deals by
    id, before and now. Gone deals leave it, and its decision is taken back; one of gone deals alone is
    rejected, and still names them. An approved one says in `changed` why it must be approved again.
    """
    touched = tuple(deal_id for deal_id in package.deal_ids if deal_id in renewed or deal_id in gone)
    kept = tuple(deal_id for deal_id in package.deal_ids if deal_id not in gone)
    if not touched:
        return package
    if not kept:
        return replace(_decided(package, "rejected", who), version=package.version + 1)
    approved = package.status == "approved" or bool(package.changed)
    after = replace(
        package,
        deal_ids=kept,
        version=package.version + 1,
        status="pending",
        decided_by=package.decided_by if approved else None,
        decided_at=package.decided_at if approved else None,
        by_hand={deal_id: how for deal_id, how in package.by_hand.items() if deal_id in kept},
        overrides=(),
        approved_content=None,
        changed=tuple(dict.fromkeys((*package.changed, *touched))) if approved else (),
    )
    return recounted(package, after, former, deals)


def recounted(
    before: Package, after: Package, former: Mapping[str, Deal], deals: Mapping[str, Deal]
) -> Package:
    """Let a reasoning that only counts the deals, as rules write it, count those there are now.

    before: the package as it was, of the deals `former`. after: as it is, of `deals`. A reasoning in
    other words stays. Its claims are checked again.
    """
    now = _members(after, deals)
    if now and after.reasoning == before.reasoning and only_counts(before, former):
        after = replace(after, reasoning=counted_reasoning(now))
    return with_claims(after, deals)


def only_counts(package: Package, deals: Mapping[str, Deal]) -> bool:
    """Whether the reasoning is the one that rules write for these deals."""
    return package.reasoning == counted_reasoning(_members(package, deals))


def with_claims(package: Package, deals: Mapping[str, Deal]) -> Package:
    """Return the package with its words compared with its deals, those that are in `deals`."""
    claims = check_claims(package.name, package.reasoning, _members(package, deals))
    return replace(package, claims=claims)


def _members(package: Package, deals: Mapping[str, Deal]) -> list[Deal]:
    return [deals[deal_id] for deal_id in package.deal_ids if deal_id in deals]


# --- decisions --------------------------------------------------------------------------------


def _approved(
    package: Package,
    edit: Approve,
    deals: Mapping[str, Deal],
    who: str,
    rules: CheckRules,
    others: Others | None,
) -> Package:
    """Return the package, approved. Raises PackageError when it cannot be released."""
    if gone := [deal_id for deal_id in package.deal_ids if deal_id not in deals]:
        raise PackageError(
            f"{package.name!r} holds deals that are not in the run any more ({', '.join(gone)}): remove them."
        )
    findings = check_package(package, _members(package, deals), rules, others)
    reason = " ".join(without_controls(edit.reason or "").split())
    # What is approved already is only approved again when the reason releases it from an error that is new.
    if package.approval_holds(deals) and not (reason and open_errors(findings, package.overrides)):
        return package
    package = with_claims(package, deals)
    found = open_errors(findings, ())
    if found and not has_words(reason):
        raise PackageError(_not_released(package, found))
    at = clock.timestamp()
    return replace(
        package,
        version=package.version + 1,
        status="approved",
        decided_by=who,
        decided_at=at,
        overrides=tuple(Override(item.code, item.key, reason, who, at) for item in found),
        approved_content=package.content(deals),
        changed=(),
    )


def _not_released(package: Package, found: tuple[Finding, ...]) -> str:
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (
        f"{package.name!r} is not approved, because a check found an error{more}: "
        f"{found[0].sentence.rstrip('.')}; mend it, or approve it with a reason."
    )


def _decided(package: Package, status: Status, who: str) -> Package:
    if status == package.status:
        return package
    decided = status != "pending"
    return replace(
        package,
        version=package.version + 1,
        status=status,
        decided_by=who if decided else None,
        decided_at=clock.timestamp() if decided else None,
        overrides=(),
        approved_content=None,
        changed=(),
    )


def _with_lock(package: Package, *, locked: bool) -> Package:
    if package.locked == locked:
        return package
    return replace(package, version=package.version + 1, locked=locked)
