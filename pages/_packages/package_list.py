"""The review queue: which packages wait, worst first, and decisions on several of them together."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.counting import counted
from core.packages import Package, Reject, Reopen
from pages._packages import package_actions as act
from pages._packages.package_card import package_card
from pages._packages.package_facts import facts_table
from pages._packages.standing_panel import unmade_proposals
from pages._shared import tables
from pages._shared.cluster_view import digest
from pages._shared.finding_words import FLAG_WORDS, worst_words
from pages._shared.package_view import QUEUE_WORDS, RARE_QUEUES, PackageView, Queue, in_focus, look_at
from pages._shared.texts import literal

_AMBER = ":orange[:material/published_with_changes:] "


def review_panel(view: PackageView) -> None:
    """Draw the queues, the list of the chosen one, and the package in focus or those selected."""
    queue = _queue_box(view)
    shown = view.queue(queue)
    if queue == "needs_review":
        unmade_proposals(view)
    if not shown:
        _nothing_waits(queue, bool(view.unmade))
        return
    left, right = st.columns([9, 11], gap="medium")
    with left:
        place = in_focus(shown)
        selected, place = _list(view, shown, place)
        st.caption("Click a name to open it; tick boxes to decide on several together.")
        if len(selected) <= 1:
            _facts(view, shown[place])
    with right:
        if len(selected) > 1:
            _several(view, selected)
        else:
            package_card(view, shown[place], shown, place)


def _queue_box(view: PackageView) -> Queue:
    counts = {name: view.count(name) for name in QUEUE_WORDS}
    offered = [name for name in QUEUE_WORDS if counts[name] or name not in RARE_QUEUES]
    if st.session_state.get("package_status") not in offered:
        st.session_state["package_status"] = offered[0]
    chosen: Queue = st.segmented_control(
        "Status",
        offered,
        key="package_status",
        required=True,
        format_func=lambda name: f"{_AMBER if name == 'again' else ''}{QUEUE_WORDS[name]} {counts[name]:,}",
        label_visibility="collapsed",
        persist_state="session",
    )
    return chosen


def _nothing_waits(queue: Queue, unmade: bool) -> None:
    if queue == "needs_review" and unmade:
        return
    if queue == "pending":
        st.info("Every package is decided on.")
        st.page_link(
            "pages/export.py", label="Next: export approved packages", icon=":material/arrow_forward:"
        )
    else:
        st.info(f"No package is {QUEUE_WORDS[queue].lower()}.")


def packages_frame(view: PackageView, packages: Sequence[Package], place: int) -> pd.DataFrame:
    """One row for each package, with the worst that is wrong with it; place: the row in focus."""
    sheets = [view.sheets[package.id] for package in packages]
    frame = pd.DataFrame(
        {
            "Package": [
                f"{'▶ ' if row == place else ''}{package.name}" for row, package in enumerate(packages)
            ],
            "Worst finding": [worst_words(sheet.findings) for sheet in sheets],
            "Deals": [len(package.deal_ids) for package in packages],
            "Floors CPM": [tables.floors_text(sheet.facts.counts) or None for sheet in sheets],
            "Status": [_status_words(package) for package in packages],
            "Source": [package.source + (" (edited)" if package.edited else "") for package in packages],
        }
    )
    flags = [", ".join(FLAG_WORDS[flag][0].lower() for flag in package.flags) or None for package in packages]
    if any(flags):
        frame["Flags"] = flags
    return frame


def _status_words(package: Package) -> str:
    words = f"{tables.STATUS_ICONS[package.status]} {package.status}"
    return words + (", approve again" if package.changed else "") + (", locked" if package.locked else "")


def _list(view: PackageView, shown: Sequence[Package], place: int) -> tuple[list[Package], int]:
    """Draw the list; return the packages ticked and the place of the one in focus.

    Selections are positions, so the key names the rows; ticks of other rows never come back.
    """
    key = f"packages_{digest(package.id for package in shown)}"
    chosen = st.session_state.get(key, {}).get("selection", {})
    rows = [row for row in chosen.get("rows", []) if row < len(shown)]
    opened = [row for row, *_ in chosen.get("cells", []) if row < len(shown)] or (
        rows if len(rows) == 1 else []
    )
    seen = f"{key}_opened"
    if opened and st.session_state.get(seen) != opened:  # else the keys J and K have gone on since
        look_at(shown[opened[0]].id)
        place = in_focus(shown)
    st.session_state[seen] = opened
    st.dataframe(
        packages_frame(view, shown, place),
        key=key,
        hide_index=True,
        placeholder="-",
        height=_height(len(shown)),
        column_config={
            "Package": st.column_config.TextColumn(width=205, pinned=True),
            "Worst finding": st.column_config.TextColumn(width=185),
            "Deals": st.column_config.NumberColumn(width=60),
        },
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        alt="List of packages, those with the worst findings first",
    )
    return [shown[row] for row in rows], place


def _height(rows: int) -> int:
    """Return the height of the list in pixels, header included: thirteen rows, or fewer without a gap."""
    return 38 + 35 * min(rows, 13)


def _facts(view: PackageView, package: Package) -> None:
    st.markdown(f"**Facts of {literal(package.name)}**")
    facts_table(view.sheets[package.id].facts, floor_is_lowest_risk=view.rules.floor_is_lowest_risk)


# --- several together ---------------------------------------------------------------------------


def _several(view: PackageView, packages: Sequence[Package]) -> None:
    run_id, count = view.run.id, len(packages)
    st.subheader(f"{count:,} packages selected")
    wrong = [package for package in packages if view.errors(package)]
    sound = [package for package in packages if package not in wrong]
    statuses = {package.status for package in packages}
    row = st.container(horizontal=True)
    row.button(
        f"Approve {count:,}",
        key="approve",
        type="primary",
        icon=":material/check:",
        shortcut="a",
        on_click=act.approve_sound,
        args=(run_id, sound, wrong),
        disabled=statuses == {"approved"},
    )
    for label, edit, icon, shortcut, status in (
        ("Reject", Reject(), ":material/close:", "x", "rejected"),
        ("Reopen", Reopen(), ":material/undo:", None, "pending"),
    ):
        row.button(
            f"{label} {count:,}",
            key=label.lower(),
            icon=icon,
            shortcut=shortcut,
            on_click=act.decide,
            args=(run_id, packages, edit),
            disabled=statuses == {status},
        )
    if wrong:
        names = ", ".join(repr(package.name) for package in wrong)
        st.caption(
            f":material/warning: Checks found errors in {counted(len(wrong), 'package')}, "
            f"approving leaves them out: {literal(names)}."
        )
    deals = len({deal_id for package in packages for deal_id in package.deal_ids})
    held = sum(len(package.deal_ids) for package in packages)
    st.write(f"{counted(deals, 'different deal')} in {held:,} places.")
    _merge(run_id, packages)


def _merge(run_id: str, packages: Sequence[Package]) -> None:
    key = f"merge_name_{digest(package.id for package in packages)}"
    st.session_state.setdefault(key, packages[0].name)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.text_input("Name of the merged package", key=key)
    right.button(
        f"Merge {len(packages):,}",
        on_click=act.merge_named,
        args=(run_id, packages, key),
        icon=":material/merge:",
        width="stretch",
        help="All deals go into the first of them; the others go. It can be undone.",
    )
