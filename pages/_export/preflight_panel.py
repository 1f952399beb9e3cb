"""What stands against a file, before it is written: errors keep it from being written, warnings do not."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.counting import counted
from core.exports import PLATFORMS, Issue, PlatformOptions, preflight
from pages._export.export_scope import Scope, choose, open_package
from pages._shared import state
from pages._shared.cluster_view import digest
from pages._shared.finding_words import ids_in_words
from pages._shared.texts import literal

# The platform without rules of its own.
ANY = "generic"
_SEVERITY_WORDS = {"error": "✕ error", "warning": "! warning"}
_MOST_HEIGHT, _ROW = 320, 35


def issues_of(scope: Scope, platforms: Sequence[str], options: PlatformOptions) -> tuple[Issue, ...]:
    """Return what stands against the chosen packages on these platforms, each once, errors first."""
    found = state.remembered(
        "preflight",
        (scope.key, tuple(platforms), options),
        lambda: tuple(
            dict.fromkeys(
                issue for platform in platforms for issue in preflight(scope.chosen, platform, options)
            )
        ),
    )
    return tuple(sorted(found, key=lambda issue: issue.severity != "error"))


def issues_panel(scope: Scope, issues: Sequence[Issue], platforms: Sequence[str]) -> None:
    """Draw the result: a sentence, the list, and the way to the package of a line."""
    names = " and ".join(PLATFORMS[platform].label for platform in platforms if platform != ANY)
    place = f" for {names}" if names else ""
    errors = sum(issue.severity == "error" for issue in issues)
    warnings = len(issues) - errors
    if errors:
        st.error(
            f"{counted(errors, 'error')}{place}: no file is written before they are mended.",
            icon=":material/error:",
        )
    elif warnings:
        st.warning(
            f"{counted(warnings, 'warning')}{place}: look at them; the file can be written.",
            icon=":material/warning:",
        )
    else:
        st.success(f"Nothing stands against this file{place}.", icon=":material/check_circle:")
    for platform in platforms:
        if note := PLATFORMS[platform].note:
            st.caption(note)
    if issues:
        _list(scope, issues)


def _list(scope: Scope, issues: Sequence[Issue]) -> None:
    by_id = {sheet.package.id: sheet.package for sheet in scope.chosen}
    # Positions are what a table keeps: the key names its rows.
    key = f"issues_{digest(f'{issue.severity}{issue.sentence}' for issue in issues)}"
    st.dataframe(
        pd.DataFrame(
            {
                "Severity": [_SEVERITY_WORDS[issue.severity] for issue in issues],
                "Package": [by_id[issue.package_id].name if issue.package_id else None for issue in issues],
                "What": [
                    _sentence(issue, by_id[issue.package_id].name if issue.package_id else "")
                    for issue in issues
                ],
                "Deals": [ids_in_words(issue.deal_ids) or None for issue in issues],
            }
        ),
        key=key,
        hide_index=True,
        placeholder="-",
        height=min(_MOST_HEIGHT, _ROW * (len(issues) + 1) + 3),
        column_config={
            "Severity": st.column_config.TextColumn(width="small"),
            "Package": st.column_config.TextColumn(width="medium"),
            "What": st.column_config.TextColumn(width=560),
        },
        on_select="rerun",
        selection_mode="single-row",
        alt="What stands against the file",
    )
    rows = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    issue = issues[rows[0]] if rows and rows[0] < len(issues) else None
    package = by_id.get(issue.package_id or "") if issue else None
    if issue:
        st.caption(literal(issue.sentence))
    row = st.container(horizontal=True)
    if row.button(
        "Open its package",
        disabled=package is None,
        icon=":material/open_in_new:",
        help="Select a line first." if package is None else None,
    ):
        assert package is not None  # noqa: S101  (the button is off without one)
        open_package(package)
    wrong = {issue.package_id for issue in issues if issue.severity == "error" and issue.package_id}
    rest = [package_id for package_id in by_id if package_id not in wrong]
    if wrong and rest:
        row.button(
            f"Leave out the {counted(len(wrong), 'package')} with errors",
            icon=":material/remove:",
            on_click=choose,
            args=(scope, rest),
        )


def _sentence(issue: Issue, name: str) -> str:
    """Return the sentence without the name of its package, which has a column of its own."""
    sentence = issue.sentence.removeprefix(f"{name!r}: ")
    return f"{sentence[:1].upper()}{sentence[1:]}"
