"""Packages: let a model or the rules propose, check what they say, then edit, approve or reject."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.deals import Deal
from core.deals.facts import facts_of
from core.errors import WorkspaceError
from core.packages import (
    AddDeals,
    Approve,
    Edit,
    Package,
    Reject,
    RemoveDeals,
    Rename,
    Reopen,
    SetReasoning,
    with_claims,
)
from core.packages.model import STATUSES
from core.proposals.injection import unusual_deals
from core.workspace import RunSummary
from pages._shared import shell, state, tables
from pages._shared.answers import answers_panel
from pages._shared.package_checks import check_chips, check_words, claim_lines, ids_in_words
from pages._shared.proposing import ProposalView, incoming, proposing_panel, troubles
from pages._shared.services import workspace
from pages._shared.texts import counted, literal

shell.ensure_shell("pages/packages.py")

ALL = "all"
REVIEW, ANSWERS = "Review packages", "Answers by cluster"


# --- reviewing --------------------------------------------------------------------------------


def _save(run_id: str, packages: Sequence[Package], *edits: Edit) -> None:
    """Save edits and say so; a refused edit changes nothing and raises why."""
    versions = {package.id: package.version for package in packages}
    workspace().edit_packages(run_id, versions, edits)
    subject = repr(packages[0].name) if len(packages) == 1 else f"{len(packages)} packages"
    done = ", ".join(f"{str(edit)[:1].lower()}{str(edit)[1:]}" for edit in edits)
    state.tell(f"Saved: {done} ({subject}).")


_edit = state.guarded(_save)


@state.guarded
def _approve_sound(run_id: str, packages: Sequence[Package]) -> None:
    """Approve those that nothing contradicts; the others need a look each."""
    skipped = [item for item in packages if item.contradicted and item.status != "approved"]
    sound = [item for item in packages if item not in skipped]
    if sound:
        _save(run_id, sound, Approve())
    if skipped:
        done = f"{counted(len(sound), 'package')} approved." if sound else "Nothing was approved."
        names = ", ".join(repr(package.name) for package in skipped)
        state.complain(
            f"{done} Not approved, because deals contradict the words: {names}. Open each of them to decide."
        )


def _words_key(field: str, package: Package) -> str:
    return f"{field}_{package.id}_{package.version}"


@state.guarded
def _save_words(run_id: str, package: Package) -> None:
    edits: dict[str, Edit] = {}
    if (name := st.session_state[_words_key("name", package)]) != package.name:
        edits["name"] = Rename(name)
    if (reasoning := st.session_state[_words_key("reasoning", package)]) != package.reasoning:
        edits["reasoning"] = SetReasoning(reasoning)
    if not edits:
        state.tell("Nothing to save: name and reasoning are as they were.")
        return
    try:
        _save(run_id, [package], *edits.values())
    except WorkspaceError:
        # Somebody else saved meanwhile: their words come into the boxes, except where these were typed.
        for saved in workspace().packages(run_id):
            for field in edits if saved.id == package.id else ():
                st.session_state[_words_key(field, saved)] = st.session_state[_words_key(field, package)]
        raise


@state.guarded
def _remove(run_id: str, package: Package, key: str, shown: Sequence[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    deal_ids = tuple(shown[row] for row in rows)
    if deal_ids:
        _edit(run_id, [package], RemoveDeals(deal_ids))


@state.guarded
def _add(run_id: str, package: Package, key: str) -> None:
    deal_ids = tuple(st.session_state[key])
    if deal_ids:
        _edit(run_id, [package], AddDeals(deal_ids))


def _approval(row: DeltaGenerator, run_id: str, package: Package) -> None:
    approved = package.status == "approved"
    wrong = sum(claim.contradicted for claim in package.claims)
    _approve_button(row, "Approve", _edit, (run_id, [package], Approve()), approved or wrong > 0)
    if wrong:
        row.button(
            f"Approve despite {counted(wrong, 'contradiction')}",
            key="approve_despite",
            icon=":material/warning:",
            on_click=_edit,
            args=(run_id, [package], Approve(despite_claims=True)),
            disabled=approved,
            help="The deals contradict what name or reasoning say: change either, or release it as it is.",
        )


def _approve_button(
    row: DeltaGenerator, label: str, action: Callable[..., None], arguments: tuple[object, ...], off: bool
) -> None:
    row.button(
        label,
        key="approve",
        type="primary",
        icon=":material/check:",
        shortcut="a",
        on_click=action,
        args=arguments,
        disabled=off,
    )


def _decisions(run_id: str, packages: Sequence[Package]) -> None:
    """Draw the decisions on packages, whose claims are checked as of now."""
    count = f" {len(packages)}" if len(packages) > 1 else ""
    statuses = {package.status for package in packages}
    row = st.container(horizontal=True)
    if len(packages) == 1:
        _approval(row, run_id, packages[0])
    else:
        _approve_button(row, f"Approve{count}", _approve_sound, (run_id, packages), statuses == {"approved"})
    row.button(
        f"Reject{count}",
        key="reject",
        icon=":material/close:",
        shortcut="x",
        on_click=_edit,
        args=(run_id, packages, Reject()),
        disabled=statuses == {"rejected"},
    )
    row.button(
        f"Reopen{count}",
        key="reopen",
        icon=":material/undo:",
        on_click=_edit,
        args=(run_id, packages, Reopen()),
        disabled=statuses == {"pending"},
    )


def _card(run_id: str, package: Package, deals: Mapping[str, Deal], others: Sequence[Package]) -> None:
    """Draw one package; widget keys carry its version, so that an edit starts from what is saved."""
    members = [deals[deal_id] for deal_id in package.deal_ids if deal_id in deals]
    if len(members) < len(package.deal_ids):
        gone = counted(len(package.deal_ids) - len(members), "deal")
        st.warning(f"{gone} of this package are no longer in the run: a newer file lacks them.")
    package = with_claims(package, deals)
    _decisions(run_id, [package])
    check_chips(package)
    claim_lines(package.claims, len(members))
    if odd := unusual_deals(members):
        st.caption(
            f":material/report: Unusual deal names, which may be instructions to a model: "
            f"{literal(ids_in_words(odd))}."
        )
    for field in ("name", "reasoning"):
        st.session_state.setdefault(_words_key(field, package), getattr(package, field))
    st.text_input("Name", key=_words_key("name", package), max_chars=255)
    st.text_area("Reasoning", key=_words_key("reasoning", package), height=110)
    st.button("Save name and reasoning", on_click=_save_words, args=(run_id, package))
    author = f"{package.source}, edited by analyst" if package.edited else package.source
    decided = (
        f" · {package.status} by {package.decided_by} at {package.decided_at}" if package.decided_by else ""
    )
    st.caption(literal(f"Suggested by: {author}{decided}"))
    _facts(members)
    shared = [other.name for other in others if set(other.deal_ids) & set(package.deal_ids)]
    if shared:
        st.caption(f"Shares deals with: {literal(', '.join(shared[:5]))}")
    _members(run_id, package, members, deals)


def _facts(members: Sequence[Deal]) -> None:
    facts = facts_of(members)
    lines = {
        "Formats": tables.first(facts.formats),
        "SSPs": tables.first(facts.ssps),
        "Categories": tables.first(facts.tier1),
        "Quality": tables.first(facts.quality),
        "Floors CPM": tables.floors_text(facts),
        "Worst risk": (facts.worst_risk or "-")
        + (f", {facts.risk_unknown} unknown" if facts.risk_unknown else ""),
        "Family-safe": f"{facts.family_safe} ({facts.family_safe_deals} of {facts.deals} say so)",
    }
    st.dataframe(
        {"Fact": list(lines), "Counted over the deals": [value or "-" for value in lines.values()]},
        hide_index=True,
        placeholder="-",
        alt="Facts counted over the deals of the package",
    )


def _members(run_id: str, package: Package, members: Sequence[Deal], deals: Mapping[str, Deal]) -> None:
    key = f"members_{package.id}_{package.version}"
    st.dataframe(
        tables.deals_frame(members),
        key=key,
        hide_index=True,
        placeholder="-",
        on_select="rerun",
        selection_mode="multi-row",
        column_config=tables.DEAL_COLUMNS,
        alt=f"Deals of the package {package.name}",
    )
    rows = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    st.button(
        f"Remove {counted(len(rows), 'selected deal')}" if rows else "Remove selected deals",
        on_click=_remove,
        args=(run_id, package, key, [deal.deal_id for deal in members]),
        disabled=not rows,
        icon=":material/remove:",
    )
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    add_key = f"add_{package.id}_{package.version}"
    left.multiselect(
        "Add deals",
        [deal_id for deal_id in deals if deal_id not in package.deal_ids],
        key=add_key,
        format_func=lambda deal_id: f"{deal_id} · {deals[deal_id].deal_name or 'no name'}",
    )
    right.button("Add", on_click=_add, args=(run_id, package, add_key), icon=":material/add:")


def _list(packages: Sequence[Package]) -> list[Package]:
    """Draw the list and return the selected packages; selections are positions, so the key names the rows."""
    rows_hash = hashlib.sha256("".join(package.id for package in packages).encode()).hexdigest()[:8]
    key = f"packages_{rows_hash}"
    frame = tables.packages_frame(packages)
    checks = [check_words(package) for package in packages]
    if any(checks):
        frame.insert(1, "Check", checks)
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        placeholder="-",
        height=640,
        column_config={"Package": st.column_config.TextColumn(width=300)},
        on_select="rerun",
        selection_mode="multi-row",
        alt="List of packages",
    )
    rows = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    return [packages[row] for row in rows if row < len(packages)]


def _review(view: ProposalView) -> None:
    run_id, packages = view.run.id, view.packages
    counts = {status: sum(package.status == status for package in packages) for status in STATUSES}
    chosen = st.segmented_control(
        "Status",
        [*STATUSES, ALL],
        key="package_status",
        default="pending",
        required=True,
        format_func=lambda name: f"{name.capitalize()} {counts.get(name, len(packages))}",
        label_visibility="collapsed",
        persist_state="session",
    )
    shown = [package for package in packages if chosen in (ALL, package.status)]
    if not shown:
        done = "Every package is decided on." if chosen == "pending" else f"No package is {chosen}."
        st.info(done)
        st.page_link(
            "pages/export.py", label="Next: export approved packages", icon=":material/arrow_forward:"
        )
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        selected = _list(shown)
        st.caption("Select one to edit it, several to decide on them together.")
    with right:
        deals = {deal.deal_id: deal for deal in view.deals}
        if len(selected) > 1:
            st.subheader(f"{len(selected)} packages selected")
            checked = [with_claims(package, deals) for package in selected]
            _decisions(run_id, checked)
            if wrong := [package for package in checked if package.contradicted]:
                st.caption(
                    f":material/warning: Deals contradict the words of {counted(len(wrong), 'package')}: "
                    "approving leaves them out; open them one by one."
                )
            st.write(f"{len({deal for package in selected for deal in package.deal_ids}):,} different deals.")
        else:
            package = selected[0] if selected else shown[0]
            _card(run_id, package, deals, [other for other in packages if other.id != package.id])


def _unpackaged(view: ProposalView) -> None:
    states = state.states_of(view.run.id, view.clustering, dict(view.outcomes), view.packages)
    deals = {deal.deal_id: deal for deal in view.deals}
    left = [item for item in states if item.state != "packaged"]
    if not left:
        return
    with st.expander(f"{counted(len(left), 'deal')} in no package", icon=":material/inbox:"):
        st.dataframe(
            {
                "Deal id": [item.deal_id for item in left],
                "Name": [deals[item.deal_id].deal_name for item in left],
                "Where it stands": [shell.STATE_WORDS[item.state] for item in left],
                "Why": [item.reason for item in left],
            },
            hide_index=True,
            placeholder="-",
            alt="Table of deals that are in no package",
        )


def _page(view: ProposalView) -> None:
    proposing_panel(view)
    troubles(view)
    shell.ledger_line(view.run.id)
    incoming(view)
    if not view.outcomes and not view.packages:
        return
    part = st.segmented_control(
        "View",
        [REVIEW, ANSWERS],
        default=REVIEW,
        required=True,
        key="packages_view",
        label_visibility="collapsed",
        persist_state="session",
    )
    if part == ANSWERS:
        answers_panel(view)
        return
    if view.packages:
        _review(view)
    _unpackaged(view)


def _view(run: RunSummary) -> ProposalView | None:
    """Return what the page draws, None without clusters."""
    clustering = workspace().clustering(run.id)
    if clustering is None:
        return None
    store = workspace()
    return ProposalView(
        run,
        state.deals_of(run.id),
        clustering,
        store.quality(run.id),
        store.outcomes(run.id),
        store.packages(run.id),
    )


st.title("Packages")
st.write("A proposal is a suggestion: check it against the counted facts, then approve or reject it.")
run = state.current_run()
if run is None:
    shell.no_run_yet()
else:
    view = _view(run)
    if view is None:
        st.info("There are no clusters yet: packages are proposed cluster by cluster.")
        st.page_link("pages/clusters.py", label="Build clusters first", icon=":material/bubble_chart:")
    elif not view.clustering.clusters:
        st.info("Every deal is outside the clusters: lower the fewest deals of a cluster, then build again.")
        st.page_link("pages/clusters.py", label="Back to Clusters", icon=":material/bubble_chart:")
    else:
        _page(view)
