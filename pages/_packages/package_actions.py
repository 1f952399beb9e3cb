"""What a click does to packages: one command through the workspace, and one sentence that names the step."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.counting import counted
from core.packages import (
    AddDeals,
    Approve,
    Command,
    Duplicate,
    Edit,
    EditPackages,
    MakePackage,
    Merge,
    MoveDeals,
    Package,
    RemoveDeals,
    Split,
)
from core.packages.review import SplitBy
from core.wording.findings import Fix
from pages._shared import state
from pages._shared.package_view import look_at
from pages._shared.services import workspace

NOTHING = "Nothing to save: everything is like that already."


def carry_out(run_id: str, packages: Sequence[Package], command: Command) -> bool:
    """Do it and say so; return whether it changed anything.

    packages: those that the command is about, as the analyst saw them. Raises DealweaverError when it
    is refused.
    """
    versions = {package.id: package.version for package in packages}
    changes = workspace().perform(run_id, versions, command)
    words = command.words({package.id: package.name for package in packages})
    state.tell(f"Saved: {words[:1].lower()}{words[1:]}." if changes else NOTHING)
    return bool(changes)


def save(run_id: str, packages: Sequence[Package], *edits: Edit) -> bool:
    """Apply edits to packages; see `carry_out`."""
    return carry_out(run_id, packages, EditPackages(tuple(package.id for package in packages), edits))


@state.guarded
def decide(run_id: str, packages: Sequence[Package], edit: Edit) -> None:
    """Apply one edit to all of these packages or to none."""
    save(run_id, packages, edit)


@state.guarded
def approve(run_id: str, package: Package) -> None:
    """Approve one package; refused when a check finds an error."""
    save(run_id, [package], Approve())


@state.guarded
def keep_looking(run_id: str, package: Package, edit: Edit) -> None:
    """Apply one edit to a package, and stay with it."""
    save(run_id, [package], edit)
    look_at(package.id)


@state.guarded
def approve_sound(run_id: str, packages: Sequence[Package], unsound: Sequence[Package]) -> None:
    """Approve the packages; those with open errors need a look each, and are named."""
    if packages:
        save(run_id, packages, Approve())
    if unsound:
        done = f"{counted(len(packages), 'package')} approved." if packages else "Nothing was approved."
        names = ", ".join(repr(package.name) for package in unsound)
        state.complain(
            f"{done} Not approved, because checks found errors: {names}. Open each of them to decide."
        )


@state.guarded
def approve_despite(run_id: str, package: Package, key: str) -> None:
    """Approve with the reason that stands in a box."""
    reason = st.session_state[key].strip()
    if not reason:
        state.complain("Nothing was approved: write the reason first, it is kept with the errors.")
        return
    save(run_id, [package], Approve(reason))
    st.session_state[key] = ""


@state.guarded
def mend(run_id: str, package: Package, fix: Fix) -> None:
    """Do what a finding offers: take its deals out, or make a package of each of its parts."""
    if fix.kind == "remove":
        save(run_id, [package], RemoveDeals(fix.parts[0]))
    else:
        # What no part names stays, so the first part keeps the id and the name.
        carry_out(run_id, [package], Split(package.id, fix.parts[1:]))
    look_at(package.id)


@state.guarded
def add(run_id: str, package: Package, key: str) -> None:
    """Add the deals that a box names."""
    if deal_ids := tuple(st.session_state[key]):
        save(run_id, [package], AddDeals(deal_ids))
        look_at(package.id)


@state.guarded
def remove(run_id: str, package: Package, deal_ids: Sequence[str]) -> None:
    """Take deals out."""
    save(run_id, [package], RemoveDeals(tuple(deal_ids)))
    look_at(package.id)


@state.guarded
def move(run_id: str, package: Package, deal_ids: Sequence[str], target: Package) -> None:
    """Put deals into another package."""
    carry_out(run_id, [package, target], MoveDeals(package.id, target.id, tuple(deal_ids)))
    look_at(package.id)


@state.guarded
def split_off(run_id: str, package: Package, deal_ids: Sequence[str]) -> None:
    """Make a package of its own of these deals."""
    carry_out(run_id, [package], Split(package.id, (tuple(deal_ids),)))
    look_at(package.id)


@state.guarded
def split_by(run_id: str, package: Package, by: SplitBy) -> None:
    """Make a package for each value."""
    carry_out(run_id, [package], Split(package.id, by=by))
    look_at(package.id)


@state.guarded
def duplicate(run_id: str, package: Package) -> None:
    """Make a pending copy."""
    carry_out(run_id, [package], Duplicate(package.id))


@state.guarded
def merge(run_id: str, packages: Sequence[Package], name: str) -> None:
    """Put all deals into the first of the packages."""
    carry_out(run_id, packages, Merge(tuple(package.id for package in packages), name))
    look_at(packages[0].id)


@state.guarded
def merge_named(run_id: str, packages: Sequence[Package], key: str) -> None:
    """Merge under the name that stands in a box."""
    carry_out(run_id, packages, Merge(tuple(package.id for package in packages), st.session_state[key]))
    look_at(packages[0].id)


@state.guarded
def make(run_id: str, deal_ids: Sequence[str], key: str, reasoning: str = "") -> None:
    """Make a package by hand under the name that stands in a box."""
    carry_out(run_id, [], MakePackage(st.session_state[key], tuple(deal_ids), reasoning))
    st.session_state[key] = ""


@state.guarded
def make_proposed(run_id: str, name: str, deal_ids: Sequence[str], reasoning: str) -> None:
    """Make the package of a proposal that became none."""
    carry_out(run_id, [], MakePackage(name, tuple(deal_ids), reasoning))
