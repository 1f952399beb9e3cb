"""A brief becomes ranked deals, and the selected ones a package; deals sold twice are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from core.counting import counted
from core.deals import Deal
from core.embeddings import Encoder
from core.errors import EmbeddingError
from core.search import Brief, Duplicates, Hit, Ranking, find_duplicates, keep_cheapest, parse_brief, search
from core.storage import RunSummary
from core.storage.clusterings import VECTORS, known_rows
from core.work.tasks import embed_run
from pages._shared import shell, state, tables
from pages._shared.cluster_view import digest
from pages._shared.services import encoder, jobs, workspace
from pages._shared.texts import literal

EXAMPLE = "family-safe CTV for auto intenders, US, under $15"
EMBED = "embed"  # kind of the job, for `resume`
CERTAIN, DOUBTFUL = "certain", "doubtful"
_LONGEST_BRIEF = 500
_MOST_SHOWN = 100
_Loader = Callable[[], Encoder]
_Vectors = npt.NDArray[np.float32]


def brief_search_panel(run: RunSummary, deals: Sequence[Deal], load: _Loader = encoder) -> None:
    """Draw the search: brief, what was understood, deals found, package of the selected.

    load: gives the embedding model that made the vectors of the run.
    """
    text = st.text_input(
        "Brief",
        key="brief_text",
        max_chars=_LONGEST_BRIEF,
        placeholder=EXAMPLE,
        persist_state="session",
        help="Formats, devices, safety, risk, countries, floors, quality, SSPs, dates, fixed or auction, "
        "and what to leave out are filters. All other words are searched by meaning.",
    )
    if not text.strip():
        st.caption("Write what a campaign needs: deals that fit are ranked, and none is left out in silence.")
        return
    brief = parse_brief(text, ssps={deal.ssp_name for deal in deals if deal.ssp_name})
    _understood(brief)
    vectors = workspace().array(run.id, VECTORS)
    known = known_rows(vectors, len(deals))
    if brief.meaning and not known.all():
        _offer_to_embed(run.id, int((~known).sum()), len(deals), load)
    if not known.any():  # none yet, or of another file
        vectors = None
    made_by = workspace().made_by(run.id)
    question = (run.id, run.loads, text, int(known.sum()), made_by)
    ranking = state.remembered("brief", question, lambda: _ranked(brief, deals, vectors, made_by, load))
    _refused(ranking, len(deals))
    if not ranking.hits:
        st.info("No deal meets the brief: take out the filter that refuses most.")
        return
    groups = state.remembered("brief_twins", question, lambda: _twins(ranking.hits, deals, vectors))
    dropped = _near_duplicates(groups, deals)
    if dropped:
        st.caption(f"{counted(len(dropped), 'dearer near-duplicate')} left out below.")
    _hits(run.id, [hit for hit in ranking.hits if hit.deal_id not in dropped], deals)


# --- what was understood ------------------------------------------------------------------------


def _understood(brief: Brief) -> None:
    row = st.container(horizontal=True, gap="small", vertical_alignment="center")
    row.caption("Filters", width="content")
    for item in brief.filters:
        row.badge(
            literal(str(item)), icon=":material/filter_alt:", color="blue", help=f"From {literal(item.said)}"
        )
    if not brief.filters:
        row.caption("none: no words of the brief name a fact.", width="content")
    if brief.meaning:
        row.caption("Searched by meaning", width="content")
        row.badge(literal(brief.meaning), icon=":material/search:", color="gray")
    if brief.set_aside:
        st.caption(f"Joining words set aside: {literal(', '.join(brief.set_aside))}")


def _refused(ranking: Ranking, deals: int) -> None:
    found, certain = len(ranking.hits), ranking.certain
    words = f"{found:,} of {counted(deals, 'deal')} fit: {certain:,} for certain"
    if found > certain:
        words += f", {found - certain:,} with something unknown"
    st.write(f"{words}. {ranking.refused_deals:,} refused.")
    if ranking.refused:
        reasons = (f"{item.deals:,} {item.filter.refusal}" for item in ranking.refused)
        st.caption(literal(f"Refused: {' · '.join(reasons)}"))


# --- searching ----------------------------------------------------------------------------------


def _ranked(
    brief: Brief, deals: Sequence[Deal], vectors: _Vectors | None, made_by: str | None, load: _Loader
) -> Ranking:
    """Search by meaning where that is possible, else by words, and say why."""
    if not brief.meaning or vectors is None:
        return search(brief, deals, None, None)
    try:
        with st.spinner("Comparing the brief with the deals; the first time loads the embedding model."):
            model = load()
            if made_by not in {None, model.name}:
                raise EmbeddingError(
                    "The deals were embedded by another model than the one that is set: "
                    "build the clusters again."
                )
            return search(brief, deals, vectors, model)
    except EmbeddingError as error:
        st.warning(f"{literal(str(error))} Deals are ranked by the words they share with the brief.")
        return search(brief, deals, None, None)


def _offer_to_embed(run_id: str, missing: int, deals: int, load: _Loader) -> None:
    row = st.container(horizontal=True, vertical_alignment="center")
    which = "The deals are" if missing == deals else f"{missing:,} of {counted(deals, 'deal')} are"
    row.caption(
        f":material/info: {which} not embedded yet, so they are compared by the words they share "
        "with the brief, not by meaning."
    )
    row.button(
        "Embed the deals",
        on_click=_embed,
        args=(run_id, load),
        disabled=shell.job_running(run_id),
        icon=":material/memory:",
        help="Clusters and packages stay as they are.",
    )


@state.guarded
def _embed(run_id: str, load: _Loader) -> None:
    start_embedding(run_id, load)


def start_embedding(run_id: str, load: _Loader = encoder) -> None:
    """Embed the deals as a job. Raises WorkspaceError when it cannot start."""
    jobs().start(run_id, "Embed the deals", partial(embed_run, workspace(), run_id, load), kind=EMBED)


# --- near-duplicates ----------------------------------------------------------------------------


def _twins(hits: Sequence[Hit], deals: Sequence[Deal], vectors: _Vectors | None) -> tuple[Duplicates, ...]:
    if vectors is None:
        return ()
    found = {hit.deal_id for hit in hits}
    rows = [row for row, deal in enumerate(deals) if deal.deal_id in found]
    return find_duplicates([deals[row] for row in rows], vectors[rows])


def _near_duplicates(groups: Sequence[Duplicates], deals: Sequence[Deal]) -> set[str]:
    """Draw the groups, and return the deals that the analyst drops."""
    if not groups:
        return set()
    drops = {deal_id for group in groups for deal_id in keep_cheapest(group)}
    with st.expander(
        f"{counted(len(groups), 'group')} of near-duplicates across SSPs", icon=":material/content_copy:"
    ):
        st.caption(
            "Same formats, countries and publishers, and alike in meaning: probably the same inventory. "
            "Floors of different currencies are not compared; an unknown floor is never the cheapest."
        )
        kept = st.toggle(
            "Keep the cheapest of each group", key="brief_keep_cheapest", persist_state="session"
        )
        st.dataframe(
            _groups_frame(groups, {deal.deal_id: deal for deal in deals}),
            hide_index=True,
            placeholder="-",
            column_config=tables.DEAL_COLUMNS,
            alt=f"Table of {counted(len(groups), 'group')} of near-duplicate deals",
        )
    return drops if kept else set()


def _groups_frame(groups: Sequence[Duplicates], deals: dict[str, Deal]) -> pd.DataFrame:
    ids = [deal_id for group in groups for deal_id in group.deal_ids]
    frame = tables.deals_frame([deals[deal_id] for deal_id in ids])[
        ["Deal id", "Name", "SSP", "Floor CPM", "Currency", "Publishers"]
    ]
    frame.insert(0, "Group", [number for number, group in enumerate(groups, 1) for _ in group.deal_ids])
    frame.insert(2, "Standing", [_standing(group, deal_id) for group in groups for deal_id in group.deal_ids])
    return frame


def _standing(group: Duplicates, deal_id: str) -> str:
    floor = ", no floor" if deal_id in group.no_floor else ""
    if deal_id in group.floor_unknown:
        return "floor unknown"
    return ("cheapest" if deal_id in group.cheapest.values() else "dearer") + floor


# --- deals found --------------------------------------------------------------------------------


def _hits(run_id: str, hits: Sequence[Hit], deals: Sequence[Deal]) -> None:
    parts = {
        CERTAIN: [hit for hit in hits if not hit.unknown],
        DOUBTFUL: [hit for hit in hits if hit.unknown],
    }
    part = CERTAIN
    if parts[DOUBTFUL]:
        names = {CERTAIN: "Meets all filters", DOUBTFUL: "Something unknown"}
        part = st.segmented_control(
            "Deals found",
            list(parts),
            default=CERTAIN if parts[CERTAIN] else DOUBTFUL,
            required=True,
            key="brief_part",
            label_visibility="collapsed",
            format_func=lambda name: f"{names[name]} {len(parts[name]):,}",
        )
    shown = parts[part][:_MOST_SHOWN]
    if not shown:
        st.caption("No deal meets every filter for certain.")
        return
    if len(parts[part]) > len(shown):
        st.caption(f"The first {len(shown):,} of {len(parts[part]):,}.")
    key = f"brief_hits_{digest(hit.deal_id for hit in shown)}"
    by_id = {deal.deal_id: deal for deal in deals}
    st.dataframe(
        _hits_frame(shown, by_id),
        key=key,
        hide_index=True,
        placeholder="-",
        height=min(420, 38 + 35 * len(shown)),
        on_select="rerun",
        selection_mode="multi-row",
        column_config=tables.DEAL_COLUMNS | _HIT_COLUMNS,
        alt=f"Table of {counted(len(shown), 'deal')} that fit the brief",
    )
    rows = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    _package(run_id, [shown[row].deal_id for row in rows if row < len(shown)])


_HIT_COLUMNS = {
    "Why": st.column_config.TextColumn(width=560),
    "Score": st.column_config.NumberColumn(
        format="%.2f", help="Nearness to the brief, at most 1. Empty: the brief holds filters only."
    ),
}


def _hits_frame(hits: Sequence[Hit], deals: dict[str, Deal]) -> pd.DataFrame:
    frame = tables.deals_frame([deals[hit.deal_id] for hit in hits])
    frame.insert(1, "Score", pd.Series([hit.score for hit in hits], dtype="float64"))
    frame.insert(3, "Why", [hit.why for hit in hits])
    return frame


def _package(run_id: str, deal_ids: Sequence[str]) -> None:
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.text_input("Name of the package", key="brief_package_name", placeholder="Premium Auto CTV Package")
    count = f" of {counted(len(deal_ids), 'deal')}" if deal_ids else ""
    right.button(
        f"Make a package{count}",
        type="primary",
        on_click=_make_package,
        args=(run_id, tuple(deal_ids)),
        disabled=not deal_ids,
        icon=":material/inventory_2:",
        help=None if deal_ids else "Select rows of the table first.",
        width="stretch",
    )


@state.guarded
def _make_package(run_id: str, deal_ids: Sequence[str]) -> None:
    package = workspace().add_package(run_id, st.session_state["brief_package_name"], deal_ids)
    st.session_state["brief_package_name"] = ""
    state.tell(
        f"{package.name!r} with {counted(len(package.deal_ids), 'deal')} is saved; it waits for review."
    )
