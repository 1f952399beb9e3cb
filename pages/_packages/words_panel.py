"""Name and reasoning of a package: typed, checked while typing, saved, and kept when somebody else saves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from core import clock
from core.deals.flight import start_of
from core.errors import PackageError, WorkspaceError
from core.packages import Edit, Package, Rename, SetReasoning
from core.packages.sheet import PackageSheet
from core.settings import NAME_LIMIT
from core.wording.name_rules import check_name, suggest_name, trafficking_name
from pages._packages.package_actions import NOTHING, save
from pages._shared import state
from pages._shared.finding_words import finding_line
from pages._shared.package_view import PackageView, look_at
from pages._shared.texts import literal

_DRAFTS = "typed_words"
_FIELDS: Mapping[str, type[Rename] | type[SetReasoning]] = {"name": Rename, "reasoning": SetReasoning}
_SIDES = ("Before", "Mine", "Theirs")


@dataclass(frozen=True, slots=True)
class Words:
    """What an analyst can write about a package."""

    name: str
    reasoning: str

    @classmethod
    def of(cls, package: Package) -> Words:
        """Return the words as they are saved."""
        return cls(package.name, package.reasoning)


@dataclass(frozen=True, slots=True)
class Draft:
    """Words that are not saved yet, and those they were typed over."""

    base: Words
    mine: Words

    def over(self, saved: Words) -> tuple[Words, tuple[str, ...]]:
        """Put what was typed on the words that are saved now.

        Return the words, and the fields that somebody else changed too: there, the typed words stand.
        """
        merged, disputed = {}, []
        for field in _FIELDS:
            base, mine, theirs = (getattr(words, field) for words in (self.base, self.mine, saved))
            typed = mine != base
            merged[field] = mine if typed else theirs
            if typed and theirs not in (base, mine):
                disputed.append(field)
        return Words(**merged), tuple(disputed)


def words_panel(view: PackageView, package: Package) -> None:
    """Draw the boxes for name and reasoning, or both sides when somebody else changed the same words."""
    saved = Words.of(package)
    draft = _drafts().get(package.id, Draft(saved, saved))
    words, disputed = draft.over(saved)
    if disputed:
        _dispute(view.run.id, package, draft, disputed)
        return
    if words == saved:
        _drafts().pop(package.id, None)
    else:  # nothing is disputed: what was typed goes on from what is saved now
        _drafts()[package.id] = Draft(saved, words)
    for field in _FIELDS:
        key, text = _key(field, package), getattr(words, field)
        # Setting what is there already would take letters back that come while the page is drawn.
        if st.session_state.get(key) != text:
            st.session_state[key] = text
    typed = {"on_change": _typed, "args": (package,), "disabled": package.locked}
    st.text_input("Name", key=_key("name", package), max_chars=NAME_LIMIT, live="0.5s", **typed)
    _name_check(view, package, words)
    st.text_area("Reasoning", key=_key("reasoning", package), height=110, **typed)
    row = st.container(horizontal=True, vertical_alignment="center")
    row.button(
        "Save name and reasoning",
        on_click=_save,
        args=(view.run.id, package),
        disabled=package.locked,
        icon=":material/save:",
    )
    if words != saved:
        row.button("Undo typing", on_click=_forget, args=(package,), icon=":material/backspace:")
        row.caption("Typed, not saved yet.")


def _key(field: str, package: Package) -> str:
    return f"{field}_{package.id}_{package.version}"


def _drafts() -> dict[str, Draft]:
    drafts: dict[str, Draft] = st.session_state.setdefault(_DRAFTS, {})
    return drafts


def _typed(package: Package) -> None:
    """Keep what stands in the boxes: they go with the version of the package they were drawn for."""
    saved = Words.of(package)
    mine = Words(
        **{field: st.session_state.get(_key(field, package), getattr(saved, field)) for field in _FIELDS}
    )
    base = _drafts()[package.id].base if package.id in _drafts() else saved
    _drafts()[package.id] = Draft(base, mine)


def _forget(package: Package) -> None:
    _drafts().pop(package.id, None)


@state.guarded
def _save(run_id: str, package: Package) -> None:
    _typed(package)
    draft = _drafts()[package.id]
    _store(run_id, package, draft)


def _store(run_id: str, package: Package, draft: Draft) -> None:
    """Save the typed words; when they are refused, they stay typed."""
    edits: list[Edit] = [
        edit(getattr(draft.mine, field))
        for field, edit in _FIELDS.items()
        if getattr(draft.mine, field) != getattr(package, field)
    ]
    if not edits:
        state.tell(NOTHING)
        return
    look_at(package.id)
    save(run_id, [package], *edits)
    _forget(package)


# --- somebody else wrote too --------------------------------------------------------------------


def _dispute(run_id: str, package: Package, draft: Draft, disputed: tuple[str, ...]) -> None:
    """Draw the three versions side by side; nothing that was typed is lost until one is taken."""
    with st.container(border=True):
        st.markdown(
            f":orange[:material/call_split:] **These words were changed while you wrote** "
            f"(version {package.version} now)."
        )
        for field in disputed:
            st.caption(field.capitalize())
            versions = (draft.base, draft.mine, Words.of(package))
            for column, side, words in zip(st.columns(3), _SIDES, versions, strict=True):
                column.markdown(f"**{side}**")
                column.text(getattr(words, field) or "-")
        row = st.container(horizontal=True)
        row.button(
            "Keep mine", type="primary", on_click=_keep_mine, args=(run_id, package), icon=":material/edit:"
        )
        row.button("Take theirs", on_click=_forget, args=(package,), icon=":material/person:")
        row.caption("Keep mine saves your words on top of their other changes.")


@state.guarded
def _keep_mine(run_id: str, package: Package) -> None:
    """Save what was typed over the version that was shown as theirs."""
    saved = Words.of(package)
    words, _ = _drafts()[package.id].over(saved)
    try:
        _store(run_id, package, Draft(saved, words))
    except WorkspaceError:  # changed once more: both sides are shown again
        _drafts()[package.id] = Draft(saved, words)
        raise


# --- the name -----------------------------------------------------------------------------------


def _name_check(view: PackageView, package: Package, words: Words) -> None:
    """Say what is wrong with the name as it stands in the box, and offer others."""
    sheet = view.sheets[package.id]
    found = check_name(
        words.name,
        sheet.members,
        view.rules,
        description=words.reasoning,
        names=view.others.names,
        package_id=package.id,
    )
    # What the saved words claim stands among the findings of the package already.
    shown = [item for item in found if words.name != package.name or item.code.startswith("NAME_")]
    for finding in shown:
        st.caption(finding_line(finding))
    if not shown:
        st.caption(":green[:material/check:] The name fits its deals and the convention.")
    row = st.container(horizontal=True, vertical_alignment="center")
    suggested = suggest_name(sheet.members)
    if suggested != words.name:
        row.button(
            f"Use {literal(repr(suggested))}",
            key=f"use_name_{package.id}",
            on_click=_use_name,
            args=(package, suggested),
            disabled=package.locked,
            icon=":material/lightbulb:",
            help="A name by the convention, of words that the deals bear out. It is saved with Save.",
        )
    with row.popover("Trafficking name", icon=":material/label:"):
        _trafficking(package, sheet)


def _use_name(package: Package, name: str) -> None:
    st.session_state[_key("name", package)] = name
    _typed(package)


def _trafficking(package: Package, sheet: PackageSheet) -> None:
    """Draw the boxes for "Buyer-DSP-InventoryDescription-MMDDYY"; the day is the first of the flight."""
    st.caption("Buyer-DSP-InventoryDescription-MMDDYY, with the day the package starts, or today.")
    parts = {"buyer": "Buyer", "dsp": "DSP"}
    typed = {
        part: st.text_input(label, key=f"trafficking_{part}", persist_state="session")
        for part, label in parts.items()
    }
    description = st.text_input("Inventory description", package.name, key=f"trafficking_{package.id}")
    begins = start_of(sheet.facts.flight.start) or clock.now()
    try:
        name = trafficking_name(typed["buyer"], typed["dsp"], description, begins.date())
    except PackageError as error:
        st.caption(literal(str(error)))
        return
    st.code(name, language=None)
    st.button(
        "Use this name",
        key=f"use_trafficking_{package.id}",
        on_click=_use_name,
        args=(package, name),
        disabled=package.locked,
    )
