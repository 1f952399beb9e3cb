"""What an analyst can do to a package: each edit checks itself, names itself, and makes a new version.

An approval holds for the content it was given for: an edit of an approved package makes it
pending again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from core.errors import PackageError
from core.packages.model import Package, Status

_NAME_LIMIT = 255


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
    """Release the package for export, as it is now."""

    def __str__(self) -> str:
        return "Approve"


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


def apply_edit(package: Package, edit: Edit, *, known_ids: Collection[str], who: str) -> Package:
    """Return the next version of the package; the same package when the edit changes nothing.

    known_ids: the deals of the workspace. Raises PackageError when the edit is not allowed.
    """
    if isinstance(edit, Approve) and (gone := [item for item in package.deal_ids if item not in known_ids]):
        raise PackageError(
            f"{package.name!r} holds deals that are not in the run any more ({', '.join(gone)}): remove them."
        )
    if isinstance(edit, (Approve, Reject, Reopen)):
        return _decide(package, edit, who)
    if isinstance(edit, AddDeals):
        unknown = [deal_id for deal_id in edit.deal_ids if deal_id not in known_ids]
        if unknown:
            raise PackageError(f"No deal of this workspace has the id {', '.join(unknown)}: check the ids.")
    changed = edit.apply(package)
    if changed == package:
        return package
    return replace(
        changed, version=package.version + 1, edited=True, status="pending", decided_by=None, decided_at=None
    )


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
