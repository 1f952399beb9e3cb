"""Packages: let a model or the rules propose, check what they say, then edit, approve or reject."""

from __future__ import annotations

import streamlit as st

from pages._packages.answers_panel import answers_panel
from pages._packages.brief_search import brief_search_panel
from pages._packages.overlap_panel import overlap_panel
from pages._packages.package_list import review_panel
from pages._packages.standing_panel import standing_panel
from pages._shared import shell, state
from pages._shared.history import history_list
from pages._shared.package_view import PackageView, package_view
from pages._shared.proposing_panel import ProposalView, incoming, proposing_panel, troubles
from pages._shared.services import workspace

shell.ensure_shell("pages/packages.py")

REVIEW, BRIEF, OVERLAP, STANDING, ANSWERS = (
    "Review",
    "Find deals by a brief",
    "Overlap",
    "Where every deal stands",
    "Answers by cluster",
)


def _propose(view: ProposalView) -> None:
    """Draw what asks for packages: folded away once every cluster was asked about."""
    with st.expander(
        "Propose packages",
        expanded=bool(view.open),
        key=f"propose_{view.run.id}_{bool(view.open)}",
        icon=":material/auto_awesome_motion:",
    ):
        proposing_panel(view)
    troubles(view)


def _no_clusters(run_id: str) -> None:
    """Say what comes before proposals."""
    if workspace().clustering(run_id) is None:
        st.info("There are no clusters yet: packages are proposed cluster by cluster.")
        label = "Build clusters first"
    else:
        st.info("Every deal is outside the clusters: lower the fewest deals of a cluster, then build again.")
        label = "Back to Clusters"
    st.page_link("pages/clusters.py", label=label, icon=":material/bubble_chart:")


def _page(view: PackageView) -> None:
    proposing = view.proposing
    if proposing is None:
        _no_clusters(view.run.id)
    else:
        _propose(proposing)
    shell.ledger_line(view.run.id, view.states)
    if proposing is not None:
        incoming(proposing)
    parts = {
        REVIEW: lambda: review_panel(view),
        BRIEF: lambda: brief_search_panel(view.run, list(view.deals.values())),
        OVERLAP: lambda: overlap_panel(view),
        STANDING: lambda: standing_panel(view),
    }
    if not view.packages:
        parts = {name: parts[name] for name in (BRIEF, STANDING)}
    if proposing is not None and proposing.outcomes:
        parts[ANSWERS] = lambda: answers_panel(proposing)
    # With a key of its own before there are packages: the first ones are shown when they come.
    key = "packages_view" if view.packages else "packages_view_before"
    if st.session_state.get(key) not in parts:
        st.session_state[key] = next(iter(parts))
    chosen = st.segmented_control(
        "View",
        list(parts),
        key=key,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    parts[chosen]()
    history_list(workspace().steps(view.run.id))


st.title("Packages")
st.write("A proposal is a suggestion: check it against the counted facts, then approve or reject it.")
run = state.current_run()
if run is None:
    shell.no_run_yet()
else:
    _page(package_view(run))
