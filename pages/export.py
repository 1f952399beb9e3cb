"""Export: what goes out, a last look at it, the files, and the way back for edited ones."""

from __future__ import annotations

import streamlit as st

from core.exports import PLATFORMS, PRESETS, ExportJob, Preset
from core.exports.preflight import blocks
from core.work.export_jobs import ChosenOptions, chosen_options
from pages._export.export_file import File, download, preview
from pages._export.export_scope import Scope, amber_list, choice_box, scope_of
from pages._export.history_panel import history_panel
from pages._export.options_form import options_form
from pages._export.preflight_panel import ANY, issues_of, issues_panel
from pages._export.return_panel import return_panel
from pages._shared import shell, state
from pages._shared.package_view import PackageView, package_view
from pages._shared.services import workspace

shell.ensure_shell("pages/export.py")

SEND, RETURN, HISTORY = "Send out", "Bring back", "History"


def _send(scope: Scope) -> None:
    amber_list(scope)
    if not scope.leaving:
        st.info("No package is approved yet, so there is nothing to export.")
        st.page_link("pages/packages.py", label="Review packages", icon=":material/inventory_2:")
        return
    choice_box(scope)
    left, right = st.columns(2)
    preset = PRESETS[
        left.selectbox(
            "File",
            list(PRESETS),
            key="preset",
            format_func=lambda key: PRESETS[key].label,
            persist_state="session",
        )
    ]
    target = right.selectbox(
        "Check it for",
        list(PLATFORMS),
        key="platform",
        format_func=lambda key: PLATFORMS[key].label,
        persist_state="session",
        help="What the platform would refuse, as far as its rules are published.",
    )
    st.caption(preset.sentence)
    if preset.note:
        st.caption(f":material/info: {preset.note}")
    # The rules of a file and those of the platform it is for; "any platform" adds none of its own.
    platforms = tuple(dict.fromkeys((preset.platform, target)))
    platforms = tuple(key for key in platforms if key != ANY) or platforms
    chosen = chosen_options(workspace())
    needs = {name for key in platforms for name in PLATFORMS[key].needs}
    options_form((*preset.needs, *needs), chosen)
    issues = issues_of(scope, platforms, chosen.platform)
    issues_panel(scope, issues, platforms)
    file = None if blocks(issues) else _file(scope, preset, chosen)
    download(scope.view.run, file)
    if file:
        preview(file)


def _file(scope: Scope, preset: Preset, chosen: ChosenOptions) -> File:
    job = ExportJob(scope.chosen, scope.about, chosen.cells, chosen.deals_api, chosen.dv360, scope.log)
    content = (scope.key, preset.key, chosen)
    return state.remembered("export_file", content, lambda: File(preset, job))


def _page(view: PackageView) -> None:
    shell.ledger_line(view.run.id, view.states)
    part = st.segmented_control(
        "View",
        [SEND, RETURN, HISTORY],
        default=SEND,
        required=True,
        key="export_view",
        label_visibility="collapsed",
        persist_state="session",
    )
    if part == HISTORY:
        history_panel(view.run.id)
    elif part == RETURN:
        return_panel(view)
    else:
        _send(scope_of(view))


st.title("Export")
st.write("Only approved packages leave this workspace.")
run = state.current_run()
if run is None:
    shell.no_run_yet()
else:
    _page(package_view(run))
