"""The prompt on the screen: edit it, see what a cluster would send, compare and bring back versions."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.errors import PromptError
from core.proposals import DEFAULT_TEMPLATE, DealGroup, PromptTemplate, build_prompt
from core.proposals.cost import tokens_in
from core.proposals.templates import TemplateVersion, template_diff, template_id
from core.reading import read_deals
from core.storage import RunSummary
from core.work import proposal_groups
from pages._shared import state
from pages._shared.cluster_view import cluster_labels, digest
from pages._shared.preferences import PROMPT
from pages._shared.services import workspace
from pages._shared.texts import literal

TEXT = "prompt_text"
ORIGINAL = "original"

# Five invented deals that show what a prompt looks like when no run is open.
_EXAMPLE = b"""deal_id,deal_name,ssp_name,format,taxonomy_tier1,commercial_quality_tier
E-1,Auto CTV East,Magnite,ctv,Automotive,Premium
E-2,Auto CTV West,PubMatic,ctv,Automotive,Premium
E-3,Auto Buyers Video,OpenX,video,Automotive,Mid-tier
E-4,Car Care Display,Index Exchange,display,Automotive,RON
E-5,Motor News Display,TripleLift,display,Automotive,RON
"""


def example_group() -> DealGroup:
    """Return a small cluster of invented deals."""
    return DealGroup("example", read_deals(_EXAMPLE, "example").deals)


def prompt_editor(run: RunSummary | None) -> None:
    """Draw the prompt's text with its checks, preview, difference and versions."""
    saved = workspace().preference(PROMPT, DEFAULT_TEMPLATE)
    st.session_state.setdefault(TEXT, saved)
    st.text_area("Text sent with each cluster; {enriched_deals} stands for its deals", key=TEXT, height=260)
    text: str = st.session_state[TEXT]
    row = st.container(horizontal=True, vertical_alignment="center")
    row.button("Save prompt", type="primary", on_click=_save, icon=":material/save:")
    row.button("Reset to the original", on_click=_reset, icon=":material/restart_alt:")
    template = _checked(text)
    if template_id(text) != template_id(saved):
        row.badge("Not saved", icon=":material/edit:", color="orange")
        with st.expander("What differs from the saved prompt", icon=":material/difference:", expanded=True):
            _difference(saved, text)
    if template:
        _preview(run, template)
    _versions(text, saved)


def _checked(text: str) -> PromptTemplate | None:
    try:
        return PromptTemplate(text)
    except PromptError as error:
        st.error(literal(str(error)), icon=":material/error:")
        return None


def _preview(run: RunSummary | None, template: PromptTemplate) -> None:
    with st.expander("Preview on one cluster", icon=":material/preview:"):
        prompt = build_prompt(_chosen_group(run), template)
        whole = f"{prompt.system}\n\n{prompt.human}"
        st.caption(
            f"{len(whole):,} characters, about {tokens_in(whole):,} tokens; "
            f"{tokens_in(template.text):,} of them are your text."
        )
        st.code(whole, language=None, wrap_lines=True, height=460)


def _chosen_group(run: RunSummary | None) -> DealGroup:
    clustering = workspace().clustering(run.id) if run else None
    if run is None or clustering is None or not clustering.clusters:
        st.caption("Five invented deals stand in for a cluster.")
        return example_group()
    ids = [cluster.id for cluster in clustering.clusters]
    labels = dict(zip(ids, cluster_labels(clustering, workspace().quality(run.id)), strict=True))
    chosen = st.selectbox(
        "Cluster", ids, key=f"preview_{digest(ids)}", format_func=lambda one: f"Cluster {labels[one]}"
    )
    (group,) = proposal_groups(workspace(), run.id, [chosen])
    return group


def _difference(before: str, after: str) -> None:
    lines = template_diff(before, after)
    if lines:
        st.code(lines, language="diff", wrap_lines=True)
    else:
        st.caption("Both are the same text.")


# --- versions ---------------------------------------------------------------------------------


def _versions(text: str, saved: str) -> None:
    versions = workspace().templates()
    numbers = {version.id: number for number, version in enumerate(versions[::-1], start=1)}
    known: dict[str, TemplateVersion] = {version.id: version for version in versions}
    texts: Mapping[str, str] = {name: version.text for name, version in known.items()} | {
        ORIGINAL: DEFAULT_TEMPLATE
    }

    def in_words(name: str) -> str:
        if name == ORIGINAL:
            return "The original"
        version = known[name]
        made = f"{version.made_at[:10]} {version.made_at[11:19]} UTC"
        in_use = " · in use" if name == template_id(saved) else ""
        return f"Prompt {numbers[name]} · {made}{in_use}"

    with st.expander(f"Versions ({len(versions)})", icon=":material/history:"):
        chosen = st.selectbox("Version", list(texts), key=f"version_{digest(texts)}", format_func=in_words)
        st.caption("What the text above changes in it:")
        _difference(texts[chosen], text)
        st.button(
            "Put it into the box above",
            on_click=_take,
            args=(texts[chosen],),
            disabled=template_id(texts[chosen]) == template_id(text),
            icon=":material/north:",
        )
        st.caption("Every prompt that was saved, or that packages were asked for with, stays here.")


def _take(text: str) -> None:
    st.session_state[TEXT] = text


@state.guarded
def _save() -> None:
    text = st.session_state[TEXT]
    try:
        workspace().save_template(text)
    except PromptError as error:
        state.complain(f"Not saved. {error}")
        return
    workspace().set_preference(PROMPT, text)
    state.tell("Saved: the prompt.")


@state.guarded
def _reset() -> None:
    workspace().set_preference(PROMPT, None)
    st.session_state[TEXT] = DEFAULT_TEMPLATE
    state.tell("The prompt is the original one again.")
