"""One package to decide on: findings with their fixes, words, facts, deals, and who decided what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from core.counting import counted
from core.deals import Deal
from core.packages import Lock, Package, Reject, Reopen, Unlock, with_claims
from core.packages.review import BY_HAND, SplitBy
from core.wording.findings import Finding, Fix
from core.wording.injection import unusual_deals
from pages._packages import package_actions as act
from pages._packages.words_panel import words_panel
from pages._shared import tables
from pages._shared.finding_words import (
    FINDING_WORDS,
    check_chips,
    claim_lines,
    finding_line,
    ids_in_words,
)
from pages._shared.package_view import PackageView, stepper
from pages._shared.texts import literal

# What a package can be split by.
_SPLITS: dict[SplitBy, str] = {
    "ssp": "SSP",
    "currency": "Currency",
    "device": "Device",
    "geo": "Geo",
    "format": "Format",
}
# Among more deals than this a search comes before the choice of those to add.
_MOST_OFFERED = 500
_MOST_SHARING = 5


def package_card(view: PackageView, package: Package, shown: Sequence[Package], place: int) -> None:
    """Draw a package. shown, place: the list it stands in, for the way to the next."""
    _title(package, shown, place)
    _decisions(view, package)
    _findings(view, package)
    words_panel(view, package)
    _history(view, package)
    _members(view, package)


def _title(package: Package, shown: Sequence[Package], place: int) -> None:
    row = st.container(horizontal=True, vertical_alignment="center")
    row.badge(
        f"{tables.STATUS_ICONS[package.status]} {package.status}", color=_STATUS_COLOURS[package.status]
    )
    if package.changed:
        row.badge("Approve again", icon=":material/published_with_changes:", color="orange")
    if package.locked:
        row.badge("Locked", icon=":material/lock:", color="gray")
    row.caption(f"{place + 1:,} of {len(shown):,}")
    row.button(
        "Previous",
        key="previous_package",
        shortcut="k",
        on_click=stepper(shown, place - 1),
        disabled=place == 0,
        icon=":material/arrow_upward:",
    )
    row.button(
        "Next",
        key="next_package",
        shortcut="j",
        on_click=stepper(shown, min(place + 1, len(shown) - 1)),
        disabled=place == len(shown) - 1,
        icon=":material/arrow_downward:",
    )


_STATUS_COLOURS = {"pending": "gray", "approved": "green", "rejected": "red"}


# --- decisions ----------------------------------------------------------------------------------


def _decisions(view: PackageView, package: Package) -> None:
    run_id, errors = view.run.id, view.errors(package)
    row = st.container(horizontal=True)
    row.button(
        "Approve again" if package.changed else "Approve",
        key="approve",
        type="primary",
        icon=":material/check:",
        shortcut="a",
        on_click=act.approve,
        args=(run_id, package),
        disabled=package.status == "approved" or bool(errors) or package.locked,
        help="A check found an error: mend it, or approve it with a reason." if errors else None,
    )
    decisions = (
        ("Reject", "reject", ":material/close:", Reject(), "x", package.status == "rejected"),
        ("Reopen", "reopen", ":material/undo:", Reopen(), None, package.status == "pending"),
    )
    for label, key, icon, edit, shortcut, done in decisions:
        row.button(
            label,
            key=key,
            icon=icon,
            shortcut=shortcut,
            on_click=act.decide,
            args=(run_id, [package], edit),
            disabled=done or package.locked,
        )
    row.button(
        "Unlock" if package.locked else "Lock",
        key="lock",
        icon=":material/lock_open:" if package.locked else ":material/lock:",
        on_click=act.keep_looking,
        args=(run_id, package, Unlock() if package.locked else Lock()),
        help="A locked package refuses every change until it is unlocked.",
    )
    if errors and not package.locked:
        _approve_with_a_reason(run_id, package, errors)


def _approve_with_a_reason(run_id: str, package: Package, errors: Sequence[Finding]) -> None:
    # Without the version: a reason is no edit of anything, and must outlive an edit by somebody else.
    key = f"reason_{package.id}"
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    left.text_input("Reason to approve it all the same", key=key, placeholder="Kept with the errors")
    right.button(
        "Approve with a reason",
        key="approve_despite",
        icon=":material/gavel:",
        on_click=act.approve_despite,
        args=(run_id, package, key),
        help=f"Releases it although checks found {counted(len(errors), 'error')}; the reason stays in the "
        "audit trail.",
        width="stretch",
    )


# --- findings -----------------------------------------------------------------------------------


def _findings(view: PackageView, package: Package) -> None:
    """Draw what the checks found, worst first; notes stay folded, and the name has a check of its own."""
    sheet = view.sheets[package.id]
    gone = len(package.deal_ids) - len(sheet.members)
    if gone:
        st.warning(
            f"{counted(gone, 'deal')} of this package are no longer in the run: a newer file lacks them."
        )
    check_chips(package)
    findings = [item for item in sheet.findings if not item.code.startswith("NAME_")]
    notes = [item for item in findings if item.severity == "info"]
    for number, finding in enumerate(findings[: len(findings) - len(notes)]):
        with st.container(border=True):
            _finding(view.run.id, package, finding, str(number))
    if not findings:
        st.markdown(":green[:material/verified_user:] No check found anything.")
    if notes:
        with st.expander(counted(len(notes), "note"), icon=":material/info:"):
            for number, finding in enumerate(notes):
                _finding(view.run.id, package, finding, f"note_{number}")
    claims = with_claims(package, view.deals).claims
    claim_lines([claim for claim in claims if not claim.contradicted], len(sheet.members))
    if odd := unusual_deals(sheet.members):
        st.caption(
            f":material/report: Unusual deal names, which may be instructions to a model: "
            f"{literal(ids_in_words(odd))}."
        )


def _finding(run_id: str, package: Package, finding: Finding, place: str) -> None:
    st.markdown(finding_line(finding))
    if not finding.fixes:
        return
    row = st.container(horizontal=True)
    for number, fix in enumerate(finding.fixes):
        row.button(
            literal(fix.label),
            key=f"fix_{package.id}_{package.version}_{place}_{number}",
            icon=":material/call_split:" if fix.kind == "split" else ":material/remove_circle:",
            on_click=act.mend,
            args=(run_id, package, fix),
            disabled=package.locked,
            help=_fix_help(fix),
        )


def _fix_help(fix: Fix) -> str:
    if fix.kind == "split":
        return f"Makes {len(fix.parts)} packages of this one; it can be undone."
    return f"Takes out {literal(ids_in_words(fix.parts[0]))}; it can be undone."


# --- who wrote it and who decided ---------------------------------------------------------------


def _history(view: PackageView, package: Package) -> None:
    by_somebody_else = package.edited and package.source != BY_HAND
    author = f"{package.source}, edited by analyst" if by_somebody_else else package.source
    st.caption(literal(f"Suggested by: {author} · version {package.version}{_decided_words(package)}"))
    for override in package.overrides:
        st.caption(
            f":material/gavel: {literal(FINDING_WORDS.get(override.code, override.code))} is overridden by "
            f"{literal(override.who)} at {moment(override.at)}: {literal(override.reason)}"
        )
    sharing = view.others.sharing(package)
    counts = Counter(one for others in sharing.values() for one in others)
    if counts:
        names = [
            f"{view.others.names.names[one]!r} ({count:,})"
            for one, count in counts.most_common(_MOST_SHARING)
        ]
        more = f" and {len(counts) - _MOST_SHARING:,} more" if len(counts) > _MOST_SHARING else ""
        st.caption(
            f":material/join_inner: Shares {counted(len(sharing), 'deal')} with: "
            f"{literal(', '.join(names))}{more}"
        )


def moment(at: str) -> str:
    """Return an ISO moment as "2026-11-23 00:38:46 UTC"."""
    return f"{at[:10]} {at[11:19]} UTC"


def _decided_words(package: Package) -> str:
    if not package.decided_by:
        return ""
    by = f"by {package.decided_by} at {moment(package.decided_at or '')}"
    if package.changed:
        return f" · was approved {by}; since then {ids_in_words(package.changed)} changed: approve it again"
    return f" · {package.status} {by}"


# --- deals --------------------------------------------------------------------------------------


def _members(view: PackageView, package: Package) -> None:
    members = view.sheets[package.id].members
    key = f"members_{package.id}_{package.version}"
    frame = tables.deals_frame(members)
    frame["Put in"] = [package.by_hand.get(deal.deal_id, "Proposed") for deal in members]
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        placeholder="-",
        on_select="rerun",
        selection_mode="multi-row",
        column_config=tables.DEAL_COLUMNS,
        alt=f"Deals of the package {package.name}",
    )
    rows = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    chosen = [members[row].deal_id for row in rows if row < len(members)]
    _with_chosen(view, package, chosen)
    _add(view, package)
    _whole(view, package)


def _with_chosen(view: PackageView, package: Package, chosen: Sequence[str]) -> None:
    """Draw what can be done with selected deals of the package."""
    run_id, off = view.run.id, package.locked or not chosen
    row = st.container(horizontal=True, vertical_alignment="bottom")
    row.button(
        f"Remove {counted(len(chosen), 'selected deal')}" if chosen else "Remove selected deals",
        on_click=act.remove,
        args=(run_id, package, chosen),
        disabled=off,
        icon=":material/remove:",
    )
    row.button(
        "Split them off",
        on_click=act.split_off,
        args=(run_id, package, chosen),
        disabled=off,
        icon=":material/call_split:",
        help="The selected deals become a package of their own.",
    )
    if not chosen:
        row.caption("Select rows to remove, move or split off.")
        return
    names = {other.id: other.name for other in view.packages if other.id != package.id}
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    goal = left.selectbox(
        "Move them to",
        list(names),
        index=None,
        key=f"move_{package.id}_{package.version}",
        format_func=lambda one: f"{names[one]} ({len(view.by_id[one].deal_ids):,})",
        placeholder="Another package",
    )
    right.button(
        "Move",
        on_click=act.move,
        args=(run_id, package, chosen, view.by_id[goal] if goal else package),
        disabled=package.locked or goal is None,
        icon=":material/drive_file_move:",
        width="stretch",
    )


def _add(view: PackageView, package: Package) -> None:
    held = set(package.deal_ids)
    offered = [deal for deal_id, deal in view.deals.items() if deal_id not in held]
    if len(offered) > _MOST_OFFERED:
        offered = _searched(package, offered)
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    key = f"add_{package.id}_{package.version}"
    left.multiselect(
        "Add deals",
        [deal.deal_id for deal in offered],
        key=key,
        format_func=lambda deal_id: f"{deal_id} · {view.deals[deal_id].deal_name or 'no name'}",
        disabled=package.locked,
    )
    right.button(
        "Add",
        on_click=act.add,
        args=(view.run.id, package, key),
        icon=":material/add:",
        disabled=package.locked,
        width="stretch",
    )


def _searched(package: Package, deals: Sequence[Deal]) -> list[Deal]:
    """Return the first deals whose id or name holds what was typed."""
    typed = st.text_input(
        "Find deals to add", key=f"find_{package.id}", placeholder="Part of an id or a name"
    ).casefold()
    found = [deal for deal in deals if typed in f"{deal.deal_id} {deal.deal_name or ''}".casefold()]
    if len(found) > _MOST_OFFERED:
        st.caption(f"The first {_MOST_OFFERED:,} of {counted(len(found), 'deal')} are offered.")
    return found[:_MOST_OFFERED]


def _whole(view: PackageView, package: Package) -> None:
    """Draw what can be done with the package as a whole."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    by = row.selectbox(
        "Split by", list(_SPLITS), key="split_by", format_func=_SPLITS.__getitem__, persist_state="session"
    )
    row.button(
        "Split the package",
        on_click=act.split_by,
        args=(view.run.id, package, by),
        disabled=package.locked,
        icon=":material/call_split:",
    )
    row.button(
        "Duplicate",
        on_click=act.duplicate,
        args=(view.run.id, package),
        icon=":material/content_copy:",
        help="A pending copy with the same deals.",
    )
