"""Settings: the key's state, the model, the prompt, the runs of this workspace."""

from __future__ import annotations

import platform
from importlib.metadata import version

import streamlit as st

from core.deals import read_deals
from core.errors import PromptError
from core.proposals import (
    DEFAULT_TEMPLATE,
    DealGroup,
    GeminiProposer,
    Limits,
    PromptTemplate,
    build_prompt,
    run_proposals,
)
from core.settings import GEMINI_MODEL, get_settings
from pages._shared import shell, state
from pages._shared.preferences import MODEL, PROMPT
from pages._shared.services import workspace

shell.ensure_shell("pages/settings.py")

# Five invented deals that show what a prompt looks like when no run is open.
_EXAMPLE = b"""deal_id,deal_name,ssp_name,format,taxonomy_tier1,commercial_quality_tier
E-1,Auto CTV East,Magnite,ctv,Automotive,Premium
E-2,Auto CTV West,PubMatic,ctv,Automotive,Premium
E-3,Auto Buyers Video,OpenX,video,Automotive,Mid-tier
E-4,Car Care Display,Index Exchange,display,Automotive,RON
E-5,Motor News Display,TripleLift,display,Automotive,RON
"""


def _group(run_id: str | None) -> DealGroup:
    clustering = workspace().clustering(run_id) if run_id else None
    if run_id and clustering and clustering.clusters:
        deals = state.deals_of(run_id)
        first = clustering.clusters[0]
        return DealGroup(first.id, tuple(deals[index] for index in first.members))
    return DealGroup("example", read_deals(_EXAMPLE, "example").deals)


@state.guarded
def _test_key() -> None:
    settings = get_settings()
    assert settings.gemini_api_key is not None  # noqa: S101  (the button is off without a key)
    proposer = GeminiProposer(
        settings.gemini_api_key,
        PromptTemplate(),
        model=workspace().preference(MODEL, settings.model or GEMINI_MODEL),
        base_url=settings.gemini_base_url,
        timeout_s=20,
    )
    outcome = run_proposals([_group(None)], proposer, Limits(attempts=1, call_timeout_s=20)).outcomes[0]
    if outcome.status == "done":
        state.tell(f"The key works: {outcome.model} answered.")
    else:
        state.complain(f"The test call failed: {outcome.error}")


def _key() -> None:
    st.subheader("Gemini")
    settings = get_settings()
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        if settings.has_key:
            st.markdown(":material/check_circle: A key is set. It is never shown, stored or exported.")
        else:
            st.markdown(
                ":material/info: No key is set: packages are proposed by rules. To use Gemini, set "
                "`GEMINI_API_KEY` in the environment or in `.streamlit/secrets.toml` and restart."
            )
    right.button("Test the key", on_click=_test_key, disabled=not settings.has_key)


@state.guarded
def _save_model() -> None:
    name = st.session_state["model_name"].strip()
    workspace().set_preference(MODEL, name or None)
    state.tell(f"Saved: model {name or get_settings().model or GEMINI_MODEL}.")


def _model() -> None:
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.text_input(
        "Model",
        workspace().preference(MODEL, get_settings().model or GEMINI_MODEL),
        key="model_name",
        help="The temperature of 0.5 is sent to 2.5 models only; newer ones do not take one.",
    )
    right.button("Save model", on_click=_save_model)


@state.guarded
def _save_prompt() -> None:
    text = st.session_state["prompt_text"]
    try:
        PromptTemplate(text)
    except PromptError as error:
        state.complain(f"Not saved. {error}")
        return
    workspace().set_preference(PROMPT, text)
    state.tell("Saved: the prompt.")


@state.guarded
def _reset_prompt() -> None:
    workspace().set_preference(PROMPT, None)
    st.session_state["prompt_text"] = DEFAULT_TEMPLATE
    state.tell("The prompt is the original one again.")


def _prompt(run_id: str | None) -> None:
    st.subheader("Prompt")
    st.text_area(
        "Text sent with each cluster; {enriched_deals} stands for its deals",
        workspace().preference(PROMPT, DEFAULT_TEMPLATE),
        key="prompt_text",
        height=260,
    )
    row = st.container(horizontal=True)
    row.button("Save prompt", type="primary", on_click=_save_prompt)
    row.button("Reset to the original", on_click=_reset_prompt)
    with st.expander("Preview on one cluster", icon=":material/preview:"):
        try:
            prompt = build_prompt(_group(run_id), PromptTemplate(st.session_state["prompt_text"]))
        except PromptError as error:
            st.error(str(error))
        else:
            st.caption(f"{len(prompt.system) + len(prompt.human):,} characters")
            st.code(f"{prompt.system}\n\n{prompt.human}", language=None, wrap_lines=True)


@state.guarded
def _rename(run_id: str) -> None:
    workspace().rename_run(run_id, st.session_state[f"run_name_{run_id}"])
    state.tell("Saved: the run's name.")


@state.guarded
def _delete(run_id: str) -> None:
    workspace().delete_run(run_id)
    state.leave_run()
    state.tell("The run is deleted.")


@st.dialog("Delete this run?")
def _confirm_delete(run_id: str, name: str) -> None:
    st.write("Its deals, clusters, packages and decisions go with it. This cannot be undone.")
    st.text(name)
    if st.button(
        "Delete for good", type="primary", on_click=_delete, args=(run_id,), icon=":material/delete:"
    ):
        st.rerun()


def _runs() -> None:
    run = state.current_run()
    if run is None:
        return
    st.subheader("This run")
    left, middle, right = st.columns([3, 1, 1], vertical_alignment="bottom")
    left.text_input("Name of the run", run.name, key=f"run_name_{run.id}")
    middle.button("Save name", on_click=_rename, args=(run.id,))
    if right.button("Delete run", icon=":material/delete:", disabled=shell.job_running(run.id)):
        _confirm_delete(run.id, run.name)


st.title("Settings")
st.write("Everything here is kept in this workspace; secrets are not.")
current = state.current_run()
_key()
_model()
_prompt(current.id if current else None)
_runs()
st.subheader("About")
st.caption(
    f"Dealweaver {version('dealweaver')} · Python {platform.python_version()} · "
    f"Streamlit {st.__version__} · embeddings {get_settings().embedding_model} · "
    f"{get_settings().workers} calls at a time"
)
st.caption("IAB Tech Lab Content Taxonomy, (c) IAB Technology Laboratory, CC BY 3.0.")
