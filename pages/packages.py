"""Packages: let Gemini or the rules propose, then edit, approve or reject."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from core.clustering import Clustering
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
)
from core.packages.model import STATUSES
from core.proposals import (
    DEFAULT_TEMPLATE,
    GeminiProposer,
    Limits,
    Outcome,
    PromptTemplate,
    Proposer,
    RulesProposer,
)
from core.settings import GEMINI_MODEL, get_settings
from core.workspace import JobContext, propose_packages
from pages._shared import shell, state, tables
from pages._shared.preferences import MODEL, PROMPT
from pages._shared.services import jobs, workspace
from pages._shared.texts import counted, literal

shell.ensure_shell("pages/packages.py")

RULES, GEMINI = "Rules (no AI)", "Gemini"
ALL = "all"


# --- proposing --------------------------------------------------------------------------------


def _proposer(name: str) -> Proposer:
    settings = get_settings()
    if name == RULES or settings.gemini_api_key is None:
        return RulesProposer()
    return GeminiProposer(
        settings.gemini_api_key,
        PromptTemplate(workspace().preference(PROMPT, DEFAULT_TEMPLATE)),
        model=workspace().preference(MODEL, settings.model or GEMINI_MODEL),
        base_url=settings.gemini_base_url,
    )


@state.guarded
def _propose(run_id: str, cluster_ids: Sequence[str], proposer_name: str) -> None:
    settings = get_settings()
    limits = Limits(workers=settings.workers, requests_per_minute=settings.requests_per_minute)
    proposer = _proposer(proposer_name)
    work = partial(_work, workspace(), run_id, tuple(cluster_ids), proposer, limits)
    jobs().start(run_id, f"Propose packages with {proposer.source}", work)


def _work(
    store: Any,  # noqa: ANN401
    run_id: str,
    cluster_ids: tuple[str, ...],
    proposer: Proposer,
    limits: Limits,
    job: JobContext,
) -> str:
    return propose_packages(store, run_id, cluster_ids, proposer, limits, job)


def _propose_row(
    run_id: str, clustering: Clustering, outcomes: Mapping[str, Outcome], *, first: bool
) -> None:
    has_key = get_settings().has_key
    busy = shell.job_running(run_id)
    ids = [cluster.id for cluster in clustering.clusters]
    unsent = [
        cluster_id
        for cluster_id in ids
        if not (known := outcomes.get(cluster_id)) or known.status == "not_sent"
    ]
    failed = [
        cluster_id for cluster_id in ids if (known := outcomes.get(cluster_id)) and known.status == "failed"
    ]
    columns = st.columns([2, 1.8, 2, 1.6], vertical_alignment="bottom")
    proposer = columns[0].selectbox(
        "Propose with",
        [GEMINI, RULES] if has_key else [RULES],
        key="proposer",
        persist_state="session",
        help=None if has_key else "Set GEMINI_API_KEY and restart to use Gemini.",
    )
    wanted = unsent or ids
    columns[1].button(
        f"Propose {'for' if unsent else 'again for'} {counted(len(wanted), 'cluster')}",
        type="primary" if first else "secondary",
        on_click=_propose,
        args=(run_id, wanted, proposer),
        disabled=busy or not wanted,
        icon=":material/auto_awesome_motion:",
    )
    number = columns[2].selectbox(
        "Or one cluster",
        range(1, len(ids) + 1),
        key="one_cluster",
        format_func=lambda item: f"Cluster {item} ({len(clustering.clusters[item - 1].members)} deals)",
    )
    columns[3].button(
        "Propose for it",
        on_click=_propose,
        args=(run_id, ids[number - 1 : number] if number else [], proposer),
        disabled=busy or not number,
    )
    if proposer == GEMINI:
        deals = sum(len(cluster.members) for cluster in clustering.clusters if cluster.id in wanted)
        st.caption(
            f"About {len(wanted)} calls. Names and attributes of {deals:,} deals go to Google; "
            "on a free plan Google may use them to improve its products."
        )
    else:
        st.caption(
            "Rules group deals by vertical, audience, format and quality tier. No data leaves this machine."
        )
    if failed:
        _failures(run_id, clustering, outcomes, failed, busy=busy, proposer=proposer)


def _failures(
    run_id: str,
    clustering: Clustering,
    outcomes: Mapping[str, Outcome],
    failed: Sequence[str],
    *,
    busy: bool,
    proposer: str,
) -> None:
    numbers = {cluster.id: number for number, cluster in enumerate(clustering.clusters, start=1)}
    with st.container(border=True):
        st.markdown(f":material/error: **{counted(len(failed), 'cluster')} failed.** Their deals are kept.")
        for cluster_id in failed[:10]:
            outcome = outcomes[cluster_id]
            st.text(f"Cluster {numbers[cluster_id]}, {len(outcome.deal_ids)} deals: {outcome.error}")
            if outcome.raw:
                with st.expander("What the model answered"):
                    st.code(outcome.raw[:5_000], language=None)
        row = st.container(horizontal=True)
        row.button(
            f"Retry failed ({len(failed)})", on_click=_propose, args=(run_id, failed, proposer), disabled=busy
        )
        row.button("Use rules for them", on_click=_propose, args=(run_id, failed, RULES), disabled=busy)


# --- reviewing --------------------------------------------------------------------------------


def _save(run_id: str, packages: Sequence[Package], *edits: Edit) -> None:
    """Save edits and say so; a refused edit changes nothing and raises why."""
    versions = {package.id: package.version for package in packages}
    workspace().edit_packages(run_id, versions, edits)
    subject = repr(packages[0].name) if len(packages) == 1 else f"{len(packages)} packages"
    done = ", ".join(f"{str(edit)[:1].lower()}{str(edit)[1:]}" for edit in edits)
    state.tell(f"Saved: {done} ({subject}).")


_edit = state.guarded(_save)


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


def _decisions(run_id: str, packages: Sequence[Package]) -> None:
    count = f" {len(packages)}" if len(packages) > 1 else ""
    statuses = {package.status for package in packages}
    row = st.container(horizontal=True)
    row.button(
        f"Approve{count}",
        key="approve",
        type="primary",
        icon=":material/check:",
        shortcut="a",
        on_click=_edit,
        args=(run_id, packages, Approve()),
        disabled=statuses == {"approved"},
    )
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
    _decisions(run_id, [package])
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
    st.dataframe(
        tables.packages_frame(packages),
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


def _review(run_id: str, packages: Sequence[Package]) -> None:
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
        if len(selected) > 1:
            st.subheader(f"{len(selected)} packages selected")
            _decisions(run_id, selected)
            st.write(f"{len({deal for package in selected for deal in package.deal_ids}):,} different deals.")
        else:
            package = selected[0] if selected else shown[0]
            deals = {deal.deal_id: deal for deal in state.deals_of(run_id)}
            _card(run_id, package, deals, [other for other in packages if other.id != package.id])


def _unpackaged(run_id: str, clustering: Clustering, outcomes: Mapping[str, Outcome], packages: Any) -> None:  # noqa: ANN401
    states = state.states_of(run_id, clustering, dict(outcomes), packages)
    deals = {deal.deal_id: deal for deal in state.deals_of(run_id)}
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


st.title("Packages")
st.write("A proposal is a suggestion: check it against the counted facts, then approve or reject it.")
run = state.current_run()
if run is None:
    shell.no_run_yet()
else:
    clustering = workspace().clustering(run.id)
    packages = workspace().packages(run.id)
    if clustering is None:
        st.info("There are no clusters yet: packages are proposed cluster by cluster.")
        st.page_link("pages/clusters.py", label="Build clusters first", icon=":material/bubble_chart:")
    elif not clustering.clusters:
        st.info("Every deal is outside the clusters: lower the fewest deals of a cluster, then build again.")
        st.page_link("pages/clusters.py", label="Back to Clusters", icon=":material/bubble_chart:")
    else:
        outcomes = workspace().outcomes(run.id)
        _propose_row(run.id, clustering, outcomes, first=not packages)
        shell.ledger_line(run.id)
        if packages:
            _review(run.id, packages)
        _unpackaged(run.id, clustering, outcomes, packages)
