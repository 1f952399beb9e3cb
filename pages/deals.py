"""Deals: load a file, see what was read and what was refused, look at the deals."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.deals import Deal
from core.deals.facts import mix
from core.reading import read_sample
from core.settings import get_settings
from pages._deals import import_panel
from pages._shared import shell, state, tables
from pages._shared.services import workspace
from pages._shared.texts import literal

shell.ensure_shell("pages/deals.py")

FILE_TYPES = ["csv", "tsv", "txt", "json", "jsonl", "ndjson", "xlsx", "parquet"]


@state.guarded
def _read_upload() -> None:
    uploaded = st.session_state["upload"]
    if uploaded is None:
        st.session_state.pop(state.DRAFT, None)
    else:
        import_panel.read_into_draft(uploaded.getvalue(), uploaded.name)


@state.guarded
def _read_paste() -> None:
    text = st.session_state["paste"]
    if text.strip():
        import_panel.read_into_draft(text.encode(), "pasted text")


@state.guarded
def _use_sample() -> None:
    import_panel.use(read_sample().result, "Sample deals")


def _sources(*, first: bool) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Upload your deals")
        st.file_uploader(
            f"CSV, TSV, Excel, Parquet, JSON or JSON Lines, up to {get_settings().upload_mb} MB",
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
            "800 made-up deals from ten SSPs: about 36 themes, some overlap, some noise, real-life gaps. "
            "Flights, and quarters and years in names, are moved by whole weeks to today."
        )
        st.button(
            "Try the sample",
            type="primary" if first else "secondary",
            on_click=_use_sample,
            icon=":material/play_arrow:",
        )


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
    import_panel.show_report(workspace().import_report(run_id), "run")
    shell.ledger_line(run_id)
    import_panel.show_quality(deals)
    shown = _filtered(deals)
    st.caption(f"{len(shown):,} of {len(deals):,} deals")
    tables.show_deals(shown, "deals_table", height=420)
    st.page_link("pages/clusters.py", label="Next: build clusters", icon=":material/arrow_forward:")


st.title("Deals")
run = state.current_run()
if run is None:
    st.write("Load enriched deals from your SSPs; everything after this page works on them.")
    _sources(first=state.DRAFT not in st.session_state)
    import_panel.show_draft(None)
else:
    st.write(f"What **{run.deals:,}** deals say, and what was noticed while they were read.")
    import_panel.show_draft(run)
    _loaded(run.id)
    with st.expander("Load another file", icon=":material/upload:"):
        _sources(first=False)
