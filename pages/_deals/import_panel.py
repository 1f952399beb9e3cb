"""The import doctor: what a file says, how its columns are read, and what to do about the rest."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd
import streamlit as st

from core.counting import counted
from core.deals import Deal, Delta, compare_deals
from core.errors import ImportRefused, NeedsMapping
from core.exports import table_csv
from core.reading import FIELD_NAMES, ImportResult, ReadOptions, read_deals, refused_rows, suggest_fields
from core.storage import RunSummary
from core.storage.clusterings import WAITING
from pages._shared import shell, state, tables
from pages._shared.services import workspace
from pages._shared.texts import literal

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_KEPT_ASIDE = "(kept aside)"
_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that was read but not used yet.

    mapping: what the analyst chose for its columns, None while the names decide.
    outcome: what reading gave, or why it was refused.
    digest, reading: of the bytes, and of this one reading of them. The keys of all its widgets hold one of
    the two: what was set or clicked for another file, sheet or header line must never count for this one,
    and names and numbers of columns are often the same.
    """

    filename: str
    data: bytes
    options: ReadOptions
    mapping: Mapping[str, str | None] | None
    outcome: ImportResult | ImportRefused
    digest: str
    reading: str = field(default_factory=lambda: uuid.uuid4().hex)


def read_into_draft(data: bytes, filename: str) -> None:
    """Read a file; a refusal stays on the screen until the next file."""
    options, mapping = ReadOptions(), None
    outcome: ImportResult | ImportRefused
    try:
        outcome = read_deals(data, filename, options)
    except ImportRefused as refusal:
        outcome = refusal
    digest = hashlib.sha256(data).hexdigest()
    st.session_state[state.DRAFT] = Draft(filename, data, options, mapping, outcome, digest)


def _read_again(draft: Draft, options: ReadOptions, mapping: Mapping[str, str | None] | None) -> None:
    """Read the draft's file in another way; a way that does not work leaves the draft as it was."""
    if st.session_state.get(state.DRAFT) is not draft:
        return  # the click was meant for a draft that another file has replaced meanwhile
    try:
        outcome = _outcome(draft, options, mapping)
        if mapping and options != draft.options and _columns(outcome) != _columns(draft.outcome):
            # Chosen for the columns of another sheet or header line: a column that has a name in common
            # with one of them may hold something else.
            mapping = None
            outcome = _outcome(draft, options, mapping)
            state.tell("The columns are others now: what you chose for the former ones does not count here.")
    except ImportRefused as refusal:
        state.complain(str(refusal))
        return
    st.session_state[state.DRAFT] = Draft(draft.filename, draft.data, options, mapping, outcome, draft.digest)


def _outcome(
    draft: Draft, options: ReadOptions, mapping: Mapping[str, str | None] | None
) -> ImportResult | NeedsMapping:
    """Read the draft's file; without a column for the id the analyst goes on in the table of columns."""
    try:
        return read_deals(draft.data, draft.filename, options, mapping=mapping)
    except NeedsMapping as refusal:
        return refusal


def _columns(outcome: ImportResult | ImportRefused) -> set[str]:
    return set(outcome.samples) if isinstance(outcome, ImportResult | NeedsMapping) else set()


def show_draft(run: RunSummary | None) -> None:
    """Draw the file that waits to be used, if any."""
    draft: Draft | None = st.session_state.get(state.DRAFT)
    if draft is None:
        return
    if isinstance(draft.outcome, ImportRefused):
        st.error(literal(str(draft.outcome)), icon=":material/error:")
        if isinstance(draft.outcome, NeedsMapping):
            _mapping_editor(draft, draft.mapping or {}, draft.outcome.samples)
            if draft.options != ReadOptions():
                st.button(
                    "Read the file as at first",
                    key=f"start_again_{draft.reading}",
                    on_click=_start_again,
                    args=(draft,),
                )
        return
    result = draft.outcome
    with st.container(border=True):
        st.subheader(f"Read from {literal(draft.filename)}")
        show_report(result, draft.reading)
        _reading_options(draft, result)
        if result.samples:
            with st.expander("How the columns are read", icon=":material/table_convert:"):
                _mapping_editor(draft, result.mapping, result.samples)
        if result.deals:
            tables.show_deals(result.deals[:5], f"draft_preview_{draft.reading}", height=212)
        if run:
            _delta(compare_deals(state.deals_of(run.id), result.deals))
        _actions(draft, result, run)


# --- what to do with it -----------------------------------------------------------------------


@state.guarded
def use(result: ImportResult, filename: str) -> None:
    """Save the file as a new run and open it."""
    run_id = workspace().create_run(result, filename)
    st.session_state.pop(state.DRAFT, None)
    state.open_run(run_id)
    state.tell(f"{counted(len(result.deals), 'deal')} from {filename} are saved. Next: build clusters.")


@state.guarded
def _update(result: ImportResult, filename: str, run_id: str, replace_all: bool) -> None:
    if shell.job_running(run_id):  # started since the page was drawn, perhaps in another tab
        state.complain("A job of this run is under way: wait for it or cancel it, then try again.")
        return
    update = workspace().update_deals(run_id, result, filename, replace=replace_all)
    st.session_state.pop(state.DRAFT, None)
    gone = len(update.delta.gone) if replace_all else 0
    counts = f"{len(update.delta.new):,} new, {len(update.delta.changed):,} changed, {gone:,} gone"
    affected = f" Look again at: {', '.join(update.affected)}." if update.affected else ""
    state.tell(f"Saved: {filename} ({counts}). Next: {_next_step(run_id)}.{affected}")


def _next_step(run_id: str) -> str:
    clustering = workspace().clustering(run_id)
    if clustering is None:
        return "build clusters"
    if any(item.reason in WAITING for item in clustering.left_over):
        return "on Clusters, place the new deals or build the clusters again"
    return "look at Packages"


def _actions(draft: Draft, result: ImportResult, run: RunSummary | None) -> None:
    row = st.container(horizontal=True)
    row.button(
        f"Use these {counted(len(result.deals), 'deal')}" + (" as a new run" if run else ""),
        type="primary",
        key=f"use_{draft.reading}",
        on_click=use,
        args=(result, draft.filename),
        disabled=not result.deals,
        icon=":material/check:",
    )
    if run is None:
        return
    busy = shell.job_running(run.id) or not result.deals
    for label, replace_all in (("Add to this run", False), ("Replace this run's deals", True)):
        row.button(
            label,
            key=f"update_{replace_all}_{draft.reading}",
            on_click=_update,
            args=(result, draft.filename, run.id, replace_all),
            disabled=busy,
        )
    st.caption(
        "Clusters and packages stay. New and changed deals are outside every cluster until you place them "
        "or build the clusters again. Of suggestions with changed or gone deals, those nobody touched go; "
        "packages you edited or decided on wait for you again."
    )


def _delta(delta: Delta) -> None:
    st.markdown(
        f"Against this run: **{len(delta.new):,}** new, **{len(delta.changed):,}** changed, "
        f"**{len(delta.gone):,}** not in this file, **{len(delta.same):,}** the same."
    )
    rows = [{"Deal id": deal_id, "What": "new"} for deal_id in delta.new]
    rows += [
        {
            "Deal id": change.deal_id,
            "What": "changed",
            "Field": item.field,
            "Before": item.before,
            "Now": item.after,
        }
        for change in delta.changed
        for item in change.fields
    ]
    rows += [{"Deal id": deal_id, "What": "not in this file"} for deal_id in delta.gone]
    if rows:
        with st.expander("What differs", icon=":material/difference:"):
            st.dataframe(
                pd.DataFrame(rows, columns=["Deal id", "What", "Field", "Before", "Now"]),
                hide_index=True,
                placeholder="-",
                alt="Table of deals that are new, changed or not in this file",
            )


# --- how it is read ---------------------------------------------------------------------------


def _mapping_editor(
    draft: Draft, mapping: Mapping[str, str | None], samples: Mapping[str, Sequence[str]]
) -> None:
    """Let the analyst say which field each column fills; saved with one click, then read again."""
    rows = [
        {
            "Column": column,
            "Read as": mapping.get(column) or _KEPT_ASIDE,
            "Perhaps": "" if mapping.get(column) else ", ".join(suggest_fields(column)),
            "Examples": " · ".join(found),
        }
        for column, found in samples.items()
    ]
    with st.form(f"mapping_{draft.reading}", border=False):
        edited = st.data_editor(
            pd.DataFrame(rows, columns=["Column", "Read as", "Perhaps", "Examples"]),
            key=f"mapping_editor_{draft.reading}",
            num_rows="fixed",
            hide_index=True,
            disabled=["Column", "Perhaps", "Examples"],
            column_config={
                "Read as": st.column_config.SelectboxColumn(
                    options=[_KEPT_ASIDE, *FIELD_NAMES], required=True
                )
            },
            alt="Table of source columns and the fields they fill",
        )
        if st.form_submit_button("Read the file again with these columns", icon=":material/refresh:"):
            chosen = {
                str(column): None if field == _KEPT_ASIDE else str(field)
                for column, field in zip(edited["Column"], edited["Read as"], strict=True)
            }
            _read_again(draft, draft.options, chosen)
            st.rerun()


def _reading_options(draft: Draft, result: ImportResult) -> None:
    source = result.source
    if result.has_floor_rating:
        # Of the bytes, not of the reading: a switch that is made anew by its own click loses the focus. So
        # it is told how the file was read, which may be the same bytes loaded once more.
        key = f"floor_switch_{draft.digest}"
        st.session_state[key] = draft.options.floor_is_lowest_risk
        st.toggle(
            'In this file the GARM rating "Floor" means the lowest risk',
            key=key,
            on_change=_switch_floor,
            args=(draft, key),
            help="Usually Floor is content below the brand-safety floor, the worst level.",
        )
    if source is None or source.format not in {"csv", "tsv", "xlsx"}:
        return
    found = [source.format.upper(), source.encoding, _DELIMITERS.get(source.delimiter or ""), source.sheet]
    label = f"Read as {literal(', '.join(filter(None, found)))}"
    with (
        st.expander(label, icon=":material/tune:"),
        st.form(f"reading_options_{draft.reading}", border=False),
    ):
        row = st.columns(2)
        header = row[0].number_input("Line of the header", 1, value=source.header_line or 1)
        sheet, delimiter = source.sheet, source.delimiter
        if source.sheets:
            sheet = row[1].selectbox(
                "Sheet", source.sheets, index=source.sheets.index(source.sheet or source.sheets[0])
            )
        elif source.delimiter in _DELIMITERS:
            delimiter = row[1].selectbox(
                "Columns are separated by",
                list(_DELIMITERS),
                index=list(_DELIMITERS).index(source.delimiter),
                format_func=_DELIMITERS.__getitem__,
            )
        if st.form_submit_button("Read the file again"):
            options = replace(draft.options, header_line=int(header), sheet=sheet, delimiter=delimiter)
            _read_again(draft, options, draft.mapping)
            st.rerun()


@state.guarded
def _start_again(draft: Draft) -> None:
    if st.session_state.get(state.DRAFT) is draft:
        read_into_draft(draft.data, draft.filename)


@state.guarded
def _switch_floor(draft: Draft, key: str) -> None:
    options = replace(draft.options, floor_is_lowest_risk=st.session_state[key])
    _read_again(draft, options, draft.mapping)


# --- what was noticed -------------------------------------------------------------------------


def show_report(result: ImportResult, key: str) -> None:
    """Draw the counts that add up, what was mended, and the table of problems."""
    ledger = result.ledger
    counts = {
        "Records read": ledger.read,
        "Loaded": ledger.loaded,
        "Merged": ledger.merged,
        "Refused": ledger.refused,
    }
    for column, (label, count) in zip(st.columns(4), counts.items(), strict=True):
        column.metric(label, f"{count:,}")
    for repair in result.repairs[:10]:
        st.caption(literal(repair))
    if len(result.repairs) > 10:  # noqa: PLR2004  (as many as are shown)
        with st.expander(f"{len(result.repairs) - 10} more notes on the file"):
            st.dataframe({"Note": list(result.repairs[10:])}, hide_index=True, alt="Notes on the file")
    for name, columns in result.ambiguous.items():
        st.caption(literal(f"{', '.join(columns)} all say {name}; {columns[0]} is used first."))
    _problems(result, key)
    _categories(result)


def _problems(result: ImportResult, key: str) -> None:
    if not result.problems:
        return
    with st.expander(
        f"{counted(len(result.problems), 'thing')} to know", expanded=bool(result.ledger.refused)
    ):
        if len(result.problems) > _SHOWN:
            st.caption(f"The first {_SHOWN} of {len(result.problems):,}; `python -m core check` lists all.")
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "Row": problem.row,
                        "Deal id": problem.deal_id,
                        "Column": problem.column or None,
                        "What happened": problem.severity,
                        "Detail": problem.message,
                        "Found": problem.found[:200] or None,
                        "What to do": problem.to_do or None,
                    }
                    for problem in result.problems[:_SHOWN]
                ]
            ),
            hide_index=True,
            placeholder="-",
            alt="Table of problems found in the file",
        )
        if result.ledger.refused:
            header, rows = refused_rows(result)
            st.download_button(
                f"Download {counted(result.ledger.refused, 'refused row')}",
                table_csv(header, rows),
                file_name="refused-rows.csv",
                mime="text/csv",
                key=f"refused_{key}",
                on_click="ignore",
                icon=":material/download:",
            )


def _categories(result: ImportResult) -> None:
    if not result.categories:
        return
    with st.expander(
        f"{counted(len(result.categories), 'category wording')} not in IAB Content Taxonomy 3.1",
        icon=":material/category:",
    ):
        st.caption("The deals keep the words of the file; nothing is rewritten.")
        st.dataframe(
            {
                "In the file": list(result.categories),
                "Deals": [suggestion.deals for suggestion in result.categories.values()],
                "What the taxonomy has": [item.message for item in result.categories.values()],
            },
            hide_index=True,
            alt="Table of category words that the taxonomy lacks",
        )


def show_quality(deals: Sequence[Deal]) -> None:
    """Say how many deals lack what a package is judged by, and which currencies there are."""
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
    currencies: dict[str, int] = {}
    for deal in deals:
        if deal.currency:
            currencies[deal.currency] = currencies.get(deal.currency, 0) + 1
    money = " · ".join(f"{name} {count:,}" for name, count in sorted(currencies.items()))
    st.caption(literal(f"Missing: {gaps or 'nothing'}" + (f" | Currencies: {money}" if money else "")))
