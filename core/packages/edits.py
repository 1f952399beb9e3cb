"""What an analyst can do to a package: each edit checks itself, names itself, and makes a new version.

An approval holds for the content it was given for: an edit of an approved package makes it
pending again. What the words of a package claim is compared with its deals as they are now,
whoever wrote the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from core.deals import Deal
from core.errors import PackageError
from core.packages.model import Package, Status
from core.proposals import Claim
from core.proposals.claims import check_claims
from core.proposals.rules import counted_reasoning

_NAME_LIMIT = 255
_MOST_NAMED_IDS = 5


@dataclass(frozen=True, slots=True)
class Rename:
    """Give the package another name."""

    name: str

    def __str__(self) -> str:
        return f"Rename to {self.name!r}"

    def apply(self, package: Package) -> Package:
        """Rename. Raises PackageError for a blank or overlong name."""
        name = " ".join(self.name.split())
        if not name:
            raise PackageError("A package needs a name: write one before you save.")
        if len(name) > _NAME_LIMIT:
            raise PackageError(f"The name has {len(name)} characters: shorten it to {_NAME_LIMIT}.")
        return replace(package, name=name)


@dataclass(frozen=True, slots=True)
class SetReasoning:
    """Replace the reasoning."""

    reasoning: str

    def __str__(self) -> str:
        return "Change the reasoning"

    def apply(self, package: Package) -> Package:
        """Replace the reasoning."""
        return replace(package, reasoning=self.reasoning.strip())


@dataclass(frozen=True, slots=True)
class AddDeals:
    """Add deals at the end; those already there stay where they are."""

    deal_ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"Add {', '.join(self.deal_ids)}"

    def apply(self, package: Package) -> Package:
        """Add the deals."""
        return replace(package, deal_ids=tuple(dict.fromkeys(package.deal_ids + self.deal_ids)))


@dataclass(frozen=True, slots=True)
class RemoveDeals:
    """Take deals out; at least one must stay."""

    deal_ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"Remove {', '.join(self.deal_ids)}"

    def apply(self, package: Package) -> Package:
        """Take the deals out. Raises PackageError when one is not there, or none would stay."""
        missing = set(self.deal_ids) - set(package.deal_ids)
        if missing:
            raise PackageError(
                f"{package.name!r} does not hold {', '.join(sorted(missing))}: reload the page."
            )
        kept = tuple(deal_id for deal_id in package.deal_ids if deal_id not in self.deal_ids)
        if not kept:
            raise PackageError(f"{package.name!r} would hold no deal: reject it instead.")
        return replace(package, deal_ids=kept)


@dataclass(frozen=True, slots=True)
class Approve:
    """Release the package for export, as it is now.

    despite_claims: the analyst has seen that deals contradict the words, and releases it as it is.
    """

    despite_claims: bool = False

    def __str__(self) -> str:
        return "Approve despite what its words claim" if self.despite_claims else "Approve"


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


ContentEdit = Rename | SetReasoning | AddDeals | RemoveDeals
Edit = ContentEdit | Approve | Reject | Reopen


def apply_edit(package: Package, edit: Edit, *, deals: Mapping[str, Deal], who: str) -> Package:
    """Return the next version of the package; the same package when the edit changes nothing.

    deals: deal id -> deal, at least those of the package and of the edit that the run has.
    Raises PackageError when the edit is not allowed.
    """
    if isinstance(edit, Approve):
        package = _checked_for_approval(package, edit, deals)
    if isinstance(edit, (Approve, Reject, Reopen)):
        return _decide(package, edit, who)
    if isinstance(edit, AddDeals):
        unknown = [deal_id for deal_id in edit.deal_ids if deal_id not in deals]
        if unknown:
            raise PackageError(f"No deal of this workspace has the id {', '.join(unknown)}: check the ids.")
    changed = edit.apply(package)
    if changed == package:
        return package
    return replace(
        recounted(package, changed, deals, deals),
        version=package.version + 1,
        edited=True,
        status="pending",
        decided_by=None,
        decided_at=None,
    )


def recounted(
    before: Package, after: Package, former: Mapping[str, Deal], deals: Mapping[str, Deal]
) -> Package:
    """Let a reasoning that only counts the deals, as rules write it, count those there are now.

    before: the package as it was, of the deals `former`. after: as it is, of `deals`. A reasoning in
    other words stays. Its claims are checked again.
    """
    then, now = (
        [known[deal_id] for deal_id in package.deal_ids if deal_id in known]
        for package, known in ((before, former), (after, deals))
    )
    if now and after.reasoning == before.reasoning == counted_reasoning(then):
        after = replace(after, reasoning=counted_reasoning(now))
    return with_claims(after, deals)


def with_claims(package: Package, deals: Mapping[str, Deal]) -> Package:
    """Return the package with its words compared with its deals, those that are in `deals`."""
    members = [deals[deal_id] for deal_id in package.deal_ids if deal_id in deals]
    return replace(package, claims=check_claims(package.name, package.reasoning, members))


def _checked_for_approval(package: Package, edit: Approve, deals: Mapping[str, Deal]) -> Package:
    """Return the package with its claims as they are now. Raises PackageError when it cannot be released."""
    if gone := [deal_id for deal_id in package.deal_ids if deal_id not in deals]:
        raise PackageError(
            f"{package.name!r} holds deals that are not in the run any more ({', '.join(gone)}): remove them."
        )
    if package.status == "approved":
        return package
    package = with_claims(package, deals)
    if package.contradicted and not edit.despite_claims:
        wrong = next(claim for claim in package.claims if claim.contradicted)
        raise PackageError(
            f"{package.name!r} says {wrong.said!r}, and its deals contradict it ({_against(wrong)}): "
            "change its words or its deals, or approve it despite that."
        )
    return package


def _against(claim: Claim) -> str:
    if not claim.against:
        return "the count is wrong"
    more = len(claim.against) - _MOST_NAMED_IDS
    return ", ".join(claim.against[:_MOST_NAMED_IDS]) + (f" and {more} more" if more > 0 else "")


def _decide(package: Package, edit: Approve | Reject | Reopen, who: str) -> Package:
    status: Status = _DECISIONS[type(edit)]
    if status == package.status:
        return package
    decided = status != "pending"
    return replace(
        package,
        version=package.version + 1,
        status=status,
        decided_by=who if decided else None,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds") if decided else None,
    )


_DECISIONS: dict[type[Edit], Status] = {Approve: "approved", Reject: "rejected", Reopen: "pending"}
