"""Where every deal stands: eight states whose counts add up, what became of every proposal, and ways on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.counting import counted
from core.coverage import STATE_WORDS, DealState, Reconciliation, State
from core.exports import safe_name, table_csv
from core.settings import MIN_PACKAGE_DEALS
from pages._packages import package_actions as act
from pages._shared.package_view import PackageView
from pages._shared.proposing_panel import Wish, ask
from pages._shared.texts import literal

_COLUMNS = ("Deal id", "Name", "SSP", "Where it stands", "Why")


def standing_panel(view: PackageView) -> None:
    """Draw the counts, the sum, and the deals of one state with what can be done for them."""
    counts = Counter(item.state for item in view.states)
    st.markdown(literal(reconciled_words(view.reconciliation)))
    left, right = st.columns([2, 3], gap="medium", vertical_alignment="center")
    with left:
        st.table(
            {
                "Where it stands": [*STATE_WORDS.values(), "**all deals loaded**"],
                "Deals": [*(f"{counts[name]:,}" for name in STATE_WORDS), f"**{len(view.states):,}**"],
            },
            hide_index=True,
            border="horizontal",
            alt="Table of the eight states with the number of deals in each",
        )
    with right:
        st.caption(
            "Every deal is in exactly one state, and the first that fits counts: a deal in a pending or "
            "approved package is in packages, whatever else happened to it."
        )
        _download(view)
    _one_state(view, counts)


def reconciled_words(figures: Reconciliation) -> str:
    """Return the sum as a sentence: what was proposed is all there."""
    parts = (
        f"{figures.approved:,} approved",
        f"{figures.rejected:,} rejected",
        f"{figures.pending:,} pending",
        f"{figures.needs_review:,} need review",
    )
    sign = "=" if figures.balanced else "is not"
    return f"Packages: {figures.proposed:,} proposed {sign} {' + '.join(parts)}."


def _download(view: PackageView) -> None:
    rows = [
        (
            item.deal_id,
            view.deals[item.deal_id].deal_name,
            view.deals[item.deal_id].ssp_name,
            STATE_WORDS[item.state],
            item.reason,
        )
        for item in view.states
    ]
    st.download_button(
        f"Download all {counted(len(rows), 'deal')} (CSV)",
        data=lambda: table_csv(_COLUMNS, rows),
        file_name=safe_name(f"{view.run.name}-where-deals-stand.csv"),
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
    )


# --- the deals of one state ---------------------------------------------------------------------


def _one_state(view: PackageView, counts: Counter[State]) -> None:
    offered = [name for name in STATE_WORDS if counts[name]]
    rest = [name for name in offered if name != "packaged"]
    if st.session_state.get("deal_state") not in offered:
        st.session_state["deal_state"] = (rest or offered)[0]
    chosen: State = st.pills(
        "Deals that are",
        offered,
        key="deal_state",
        required=True,
        format_func=lambda name: f"{STATE_WORDS[name]} {counts[name]:,}",
        persist_state="session",
    )
    listed = [item for item in view.states if item.state == chosen]
    _OFFERS.get(chosen, _no_offer)(view)
    key = f"standing_{chosen}_{hash(tuple(item.deal_id for item in listed))}"
    st.dataframe(
        states_frame(view, listed),
        key=key,
        hide_index=True,
        placeholder="-",
        on_select="rerun",
        selection_mode="multi-row",
        column_config={"Why": st.column_config.TextColumn(width="large")},
        alt=f"Table of {counted(len(listed), 'deal')}: {STATE_WORDS[chosen]}",
    )
    rows = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    if chosen != "packaged":
        _make(view, [listed[row].deal_id for row in rows if row < len(listed)])


def states_frame(view: PackageView, listed: Sequence[DealState]) -> pd.DataFrame:
    """One row for each deal, with the reason why it stands there."""
    deals = [view.deals[item.deal_id] for item in listed]
    return pd.DataFrame(
        {
            "Deal id": [deal.deal_id for deal in deals],
            "Name": [deal.deal_name for deal in deals],
            "SSP": [deal.ssp_name for deal in deals],
            "Why": [item.reason for item in listed],
        }
    )


def _make(view: PackageView, deal_ids: Sequence[str]) -> None:
    left, right = st.columns([3, 1.2], vertical_alignment="bottom")
    left.text_input("Name of the package", key="standing_name", placeholder="Premium Auto CTV Package")
    count = f" of {counted(len(deal_ids), 'deal')}" if deal_ids else ""
    right.button(
        f"Make a package{count}",
        on_click=act.make,
        args=(view.run.id, tuple(deal_ids), "standing_name"),
        disabled=not deal_ids,
        icon=":material/handyman:",
        help="Select rows of the table first.",
        width="stretch",
    )


# --- what fits each state -----------------------------------------------------------------------


def _no_offer(view: PackageView) -> None:  # noqa: ARG001  (same form as the others)
    return


def _make_proposed(view: PackageView) -> None:
    """Offer to make the proposals that became no package."""
    st.caption(
        f"Proposals of fewer than {MIN_PACKAGE_DEALS} deals became no package: make one by hand, "
        "or leave its deals out."
    )
    unmade_proposals(view)


def unmade_proposals(view: PackageView) -> None:
    """Draw the proposals that became no package, each with a button that makes it."""
    for number, proposal in enumerate(view.unmade):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.text(f"{proposal.name}: {', '.join(proposal.deal_ids)}. {proposal.reason}")
            st.button(
                "Make it by hand",
                key=f"make_{number}_{proposal.cluster_id}",
                on_click=act.make_proposed,
                args=(view.run.id, proposal.name, proposal.deal_ids, proposal.reason),
                icon=":material/handyman:",
            )


def _retry(view: PackageView) -> None:
    failed = tuple(view.proposing.failed) if view.proposing else ()
    _ask(view, failed, f"Retry failed clusters ({len(failed)})", ":material/refresh:")


def _propose(view: PackageView) -> None:
    if view.proposing is None:
        st.page_link("pages/clusters.py", label="Build clusters first", icon=":material/bubble_chart:")
        return
    asked = view.proposing.open
    label = f"Ask about {counted(len(asked), 'cluster')} not asked yet"
    _ask(view, asked, label, ":material/auto_awesome_motion:")


def _ask(view: PackageView, cluster_ids: Sequence[str], label: str, icon: str) -> None:
    if view.proposing is None or not cluster_ids:
        return
    wish = Wish(st.session_state["proposer"], tuple(cluster_ids))
    st.button(
        label, on_click=ask, args=(view.run.id, wish), disabled=view.proposing.busy, icon=icon, key="ask_here"
    )


def _place(view: PackageView) -> None:  # noqa: ARG001  (same form as the others)
    st.page_link(
        "pages/clusters.py",
        label="Put them into the nearest clusters, or let small clusters stand, on Clusters",
        icon=":material/bubble_chart:",
    )


_OFFERS = {
    "needs_review": _make_proposed,
    "cluster_failed": _retry,
    "left_out_by_filter": _place,
    "not_sent": _propose,
}
