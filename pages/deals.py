"""Deals: load a file, see what was read and what was refused, look at the deals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from core.deals import Deal, ImportResult, read_deals
from core.deals.facts import mix
from core.errors import ImportRefused
from core.settings import get_settings
from pages._shared import shell, state, tables
from pages._shared.services import workspace
from pages._shared.texts import literal

shell.ensure_shell("pages/deals.py")

SAMPLE = Path(__file__).parents[1] / "sample_data" / "deals.json"
FILE_TYPES = ["csv", "tsv", "txt", "json", "jsonl", "ndjson"]


def _read(data: bytes, filename: str) -> None:
    """Read a file into the draft; a refusal stays on the screen until the next file."""
    try:
        st.session_state[state.DRAFT] = (filename, read_deals(data, filename))
    except ImportRefused as refusal:
        st.session_state[state.DRAFT] = (filename, refusal)


@state.guarded
def _read_upload() -> None:
    uploaded = st.session_state["upload"]
    if uploaded is None:
        st.session_state.pop(state.DRAFT, None)
    else:
        _read(uploaded.getvalue(), uploaded.name)


@state.guarded
def _read_paste() -> None:
    text = st.session_state["paste"]
    if text.strip():
        _read(text.encode(), "pasted text")


@state.guarded
def _use(result: ImportResult, filename: str) -> None:
    run_id = workspace().create_run(result, filename)
    st.session_state.pop(state.DRAFT, None)
    state.open_run(run_id)
    state.tell(f"{len(result.deals):,} deals from {filename} are saved. Next: build clusters.")


@state.guarded
def _use_sample() -> None:
    _use(read_deals(SAMPLE.read_bytes(), SAMPLE.name), "Sample deals")


def _sources(*, first: bool) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Upload your deals")
        st.file_uploader(
            f"CSV, TSV, JSON or JSON Lines, up to {get_settings().upload_mb} MB",
            type=FILE_TYPES,
            key="upload",
            on_change=_read_upload,
            max_upload_size=get_settings().upload_mb,
        )
        with st.expander("Paste from a spreadsheet or an SSP console", icon=":material/content_paste:"):
            st.text_area("Rows with a header line, or JSON", key="paste", height=120)
            st.button("Read the paste", on_click=_read_paste)
    with right:
        st.subheader("Or try the sample")
        st.write(
            "800 made-up deals from ten SSPs: about 36 themes, some overlap, some noise, real-life gaps."
        )
        st.button(
            "Try the sample",
            type="primary" if first else "secondary",
            on_click=_use_sample,
            icon=":material/play_arrow:",
        )


def _draft() -> None:
    draft = st.session_state.get(state.DRAFT)
    if draft is None:
        return
    filename, result = draft
    if isinstance(result, ImportRefused):
        st.error(literal(str(result)), icon=":material/error:")
        return
    with st.container(border=True):
        st.subheader(f"Read from {literal(filename)}")
        _report(result)
        if result.deals:
            tables.show_deals(result.deals[:5], "draft_preview", height=212)
        st.button(
            f"Use these {len(result.deals):,} deals",
            type="primary",
            on_click=_use,
            args=(result, filename),
            disabled=not result.deals,
            icon=":material/check:",
        )


def _report(result: ImportResult) -> None:
    ledger = result.ledger
    columns = st.columns(4)
    for column, (label, count) in zip(
        columns,
        (
            ("Records read", ledger.read),
            ("Loaded", ledger.loaded),
            ("Merged", ledger.merged),
            ("Refused", ledger.refused),
        ),
        strict=True,
    ):
        column.metric(label, f"{count:,}")
    for repair in result.repairs[:20]:
        st.caption(literal(repair))
    if not result.problems:
        return
    with st.expander(f"{len(result.problems):,} things to know", expanded=bool(ledger.refused)):
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "Row": problem.row,
                        "Deal id": problem.deal_id,
                        "Column": problem.column or None,
                        "What happened": problem.severity,
                        "Detail": problem.message,
                    }
                    for problem in result.problems
                ]
            ),
            hide_index=True,
            placeholder="-",
            alt="Table of problems found in the file",
        )


def _quality(deals: Sequence[Deal]) -> None:
    missing = {
        "name": sum(not deal.deal_name for deal in deals),
        "category": sum(not deal.taxonomy.tier1 for deal in deals),
        "format": sum(not deal.formats for deal in deals),
        "floor price": sum(deal.commercial.floor_price is None for deal in deals),
        "currency": sum(not deal.currency for deal in deals),
        "GARM risk": sum(not deal.safety.garm_risk_rating for deal in deals),
        "family-safe": sum(deal.safety.family_safe is None for deal in deals),
        "audience": sum(not deal.audience.inferred_audience for deal in deals),
    }
    gaps = " · ".join(f"{name} {count:,}" for name, count in missing.items() if count)
    st.caption(f"Missing: {gaps or 'nothing'}")


def _filtered(deals: Sequence[Deal]) -> list[Deal]:
    left, middle, right = st.columns([2, 2, 2])
    formats = mix(deals, lambda deal: deal.formats)
    ssps = mix(deals, lambda deal: (deal.ssp_name,))
    with left:
        words = st.text_input(
            "Search", key="deal_search", placeholder="id, name, category, publisher"
        ).casefold()
    with middle:
        wanted_formats = st.pills(
            "Format",
            list(formats),
            selection_mode="multi",
            key="deal_formats",
            format_func=lambda name: f"{literal(name)} {formats[name]:,}",
        )
    with right:
        wanted_ssps = st.multiselect(
            "SSP", list(ssps), key="deal_ssps", format_func=lambda name: f"{name} ({ssps[name]:,})"
        )
    return [
        deal
        for deal in deals
        if (not words or words in _searchable(deal))
        and (not wanted_formats or set(wanted_formats) & set(deal.formats))
        and (not wanted_ssps or deal.ssp_name in wanted_ssps)
    ]


def _searchable(deal: Deal) -> str:
    parts = (deal.deal_id, deal.deal_name or "", *deal.taxonomy.path, *deal.publishers, *deal.concepts)
    return " ".join(parts).casefold()


def _loaded(run_id: str) -> None:
    deals = state.deals_of(run_id)
    _report(workspace().import_report(run_id))
    shell.ledger_line(run_id)
    _quality(deals)
    shown = _filtered(deals)
    st.caption(f"{len(shown):,} of {len(deals):,} deals")
    tables.show_deals(shown, "deals_table", height=420)
    st.page_link("pages/clusters.py", label="Next: build clusters", icon=":material/arrow_forward:")


st.title("Deals")
run = state.current_run()
if run is None:
    st.write("Load enriched deals from your SSPs; everything after this page works on them.")
    _sources(first=state.DRAFT not in st.session_state)
    _draft()
else:
    st.write(f"What **{run.deals:,}** deals say, and what was noticed while they were read.")
    _draft()
    _loaded(run.id)
    with st.expander("Load another file (as a new run)", icon=":material/upload:"):
        _sources(first=False)
