"""What goes out: the approved packages that are still what was approved, and which of them were chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.counting import counted
from core.exports import About, RunLog
from core.packages import Package
from core.packages.sheet import PackageSheet
from core.work.export_jobs import about_run, last_change, log_of
from pages._shared import state
from pages._shared.cluster_view import digest
from pages._shared.finding_words import ids_in_words
from pages._shared.package_view import PackageView, look_at
from pages._shared.services import workspace
from pages._shared.texts import literal

_MOST_LISTED = 5


@dataclass(frozen=True, slots=True)
class Scope:
    """What a file may be written from.

    leaving: every package that can leave. chosen: those that shall. amber: approved once, and changed since.
    key: differs when anything differs that a file shows; options are not part of it.
    """

    view: PackageView
    leaving: tuple[PackageSheet, ...]
    chosen: tuple[PackageSheet, ...]
    amber: tuple[Package, ...]
    about: About
    log: RunLog
    key: tuple[object, ...]


def scope_of(view: PackageView) -> Scope:
    """Return what goes out of a run; the choice of packages is that of the box `choice_box` draws."""
    events = workspace().events(view.run.id)
    moment = (view.run.id, view.run.loads, last_change(events), view.rules)
    leaving = state.remembered("leaving", moment, lambda: _leaving(view))
    amber = tuple(
        package
        for package in view.packages
        if package.changed or (package.status == "approved" and package.id not in leaving)
    )
    ids = st.session_state.get(_choice_key(leaving)) or leaving
    return Scope(
        view,
        tuple(view.sheets[package_id] for package_id in leaving),
        tuple(view.sheets[package_id] for package_id in leaving if package_id in set(ids)),
        amber,
        state.remembered("export_about", moment, lambda: _about(view, events)),
        log_of(view.states, events),
        (*moment, tuple(ids)),
    )


def _leaving(view: PackageView) -> tuple[str, ...]:
    return tuple(package.id for package in view.packages if package.approval_holds(view.deals))


def _about(view: PackageView, events: Sequence[Mapping[str, Any]]) -> About:
    proposing = view.proposing
    return about_run(
        workspace(),
        view.run,
        clustering=proposing.clustering if proposing else None,
        outcomes=proposing.outcomes if proposing else {},
        states=view.states,
        rules=view.rules,
        events=events,
    )


# --- drawing ------------------------------------------------------------------------------------


def choice_box(scope: Scope) -> None:
    """Count what goes out, let the analyst take less of it, and name what waits for another approval."""
    deals = {deal_id for sheet in scope.chosen for deal_id in sheet.package.deal_ids}
    st.write(f"{counted(len(scope.chosen), 'approved package')}, {counted(len(deals), 'different deal')}.")
    ids = [sheet.package.id for sheet in scope.leaving]
    if len(ids) > 1:
        names = {sheet.package.id: sheet.package.name for sheet in scope.leaving}
        st.multiselect(
            "Only these packages",
            ids,
            key=_choice_key(ids),
            format_func=lambda package_id: names[package_id],
            placeholder=f"All {len(ids):,}; choose some to export less",
        )


def choose(scope: Scope, package_ids: Sequence[str]) -> None:
    """Choose these packages; for a callback."""
    st.session_state[_choice_key([sheet.package.id for sheet in scope.leaving])] = list(package_ids)


def _choice_key(ids: Sequence[str]) -> str:
    return f"export_only_{digest(ids)}"


def amber_list(scope: Scope) -> None:
    """Name the packages that stay out until they are approved again."""
    amber = scope.amber
    if not amber:
        return
    verb, they = ("was", "it stays") if len(amber) == 1 else ("were", "they stay")
    st.warning(
        f"{counted(len(amber), 'package')} {verb} approved and changed since: "
        f"{they} out until approved again.",
        icon=":material/published_with_changes:",
    )
    for package in amber[:_MOST_LISTED]:
        row = st.container(horizontal=True, vertical_alignment="center", gap="small")
        row.caption(literal(f"{package.name}: {_changed_words(package)}"), width="content")
        if row.button("Open", key=f"amber_{package.id}", icon=":material/open_in_new:"):
            open_package(package)
    if len(amber) > _MOST_LISTED:
        st.caption(f"And {len(amber) - _MOST_LISTED:,} more, in the queue of Packages.")


def _changed_words(package: Package) -> str:
    if not package.changed:
        return "its words or deals are not those that were approved"
    gone = [deal_id for deal_id in package.changed if deal_id not in package.deal_ids]
    changed = [deal_id for deal_id in package.changed if deal_id in package.deal_ids]
    parts = [f"{ids_in_words(changed)} changed"] if changed else []
    return ", ".join([*parts, f"{ids_in_words(gone)} went"] if gone else parts)


def open_package(package: Package) -> None:
    """Go to the Packages page, with this package open."""
    look_at(package.id)
    st.session_state["package_status"] = "again" if package.changed else "all"
    st.session_state.pop("packages_view", None)  # the page begins with its review
    st.switch_page("pages/packages.py")
