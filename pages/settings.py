"""Settings: the runs, who is asked and with which key, limits, the prompt, backups."""

from __future__ import annotations

import platform
from importlib.metadata import version

import streamlit as st

from core.proposals import Limits, PromptTemplate, run_proposals
from core.proposals.providers import PROVIDERS, Provider, make_proposer
from core.settings import get_settings
from core.storage.migrations import HEAD
from pages._settings.prompt_editor import example_group, prompt_editor
from pages._settings.runs_panel import runs_panel
from pages._shared import shell, state
from pages._shared.backups_panel import backups_panel
from pages._shared.preferences import (
    CAPS,
    PROVIDER,
    chosen_limits,
    chosen_model,
    chosen_provider,
    model_name,
    save_caps,
)
from pages._shared.services import workspace
from pages._shared.texts import literal

shell.ensure_shell("pages/settings.py")

_TEST_S = 20.0
# Provider -> the environment name of its key.
_KEY_NAMES = {"gemini": "GEMINI_API_KEY", "openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


# --- who is asked -----------------------------------------------------------------------------


@state.guarded
def _save_provider() -> None:
    name = st.session_state["provider"]
    workspace().set_preference(PROVIDER, None if name == get_settings().provider else name)
    state.tell(f"Saved: {PROVIDERS[name].title} is asked from now on.")


@state.guarded
def _test() -> None:
    provider = chosen_provider()
    proposer = make_proposer(
        provider.name, get_settings(), PromptTemplate(), chosen_model(provider), timeout_s=_TEST_S
    )
    limits = Limits(attempts=1, call_timeout_s=_TEST_S)
    outcome = run_proposals([example_group()], proposer, limits).outcomes[0]
    what = "The key" if provider.api_key else provider.title
    if outcome.status == "done":
        state.tell(f"{what} works: {outcome.model} answered.")
    else:
        state.complain(f"The test call failed: {outcome.error}")


@state.guarded
def _save_model(provider: Provider) -> None:
    name = st.session_state[_model_key(provider)].strip()
    workspace().set_preference(model_name(provider.name), name or None)
    st.session_state[_model_key(provider)] = chosen_model(provider)
    state.tell(f"Saved: model {chosen_model(provider)}.")


def _model_key(provider: Provider) -> str:
    return f"model_name_{provider.name}"


def _service() -> None:
    st.subheader("Who is asked")
    provider = chosen_provider()
    st.session_state["provider"] = provider.name
    left, right = st.columns(2, vertical_alignment="bottom")
    left.selectbox(
        "Provider",
        list(PROVIDERS),
        key="provider",
        format_func=lambda name: f"{PROVIDERS[name].title} · {_lacks(PROVIDERS[name]) or 'ready'}",
        on_change=_save_provider,
        help="Without one that is ready, packages are proposed by rules.",
    )
    with right.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state.setdefault(_model_key(provider), chosen_model(provider))
        st.text_input(
            "Model",
            key=_model_key(provider),
            help=f"Empty: {provider.default_model}. The temperature of 0.5 is sent to models that take one.",
        )
        st.button("Save model", on_click=_save_model, args=(provider,))
    _state_of(provider)


def _lacks(provider: Provider) -> str | None:
    if not provider.installed:
        return "library not installed"
    return None if provider.ready(get_settings()) else "no key"


def _state_of(provider: Provider) -> None:
    ready = provider.ready(get_settings())
    if not provider.installed:
        st.markdown(f":material/info: {provider.title} needs a library. Install it and restart:")
        st.code(provider.install, language="sh")
    elif provider.api_key is None:
        address = literal(provider.base_url(get_settings()))
        st.markdown(f":material/check_circle: {provider.title} needs no key; it is asked at {address}.")
    elif ready:
        st.markdown(":material/check_circle: A key is set. It is never shown, stored or exported.")
    else:
        st.markdown(
            f":material/info: No key is set: packages are proposed by rules. To use {provider.title}, set "
            f"`{_KEY_NAMES[provider.name]}` in the environment or in `.streamlit/secrets.toml` and restart."
        )
    st.button(
        "Test the key" if provider.api_key else "Test the connection",
        on_click=_test,
        disabled=not ready,
        help="Asks once about five invented deals.",
        icon=":material/network_check:",
    )


# --- limits -----------------------------------------------------------------------------------


@state.guarded
def _save_limits() -> None:
    save_caps({name: st.session_state[f"cap_{name}"] for name in CAPS})
    state.tell("Saved: the limits.")


def _limits() -> None:
    st.subheader("Limits of proposing")
    limits = chosen_limits()
    columns = st.columns(len(CAPS))
    for column, (name, cap) in zip(columns, CAPS.items(), strict=True):
        column.number_input(
            cap.label,
            min_value=cap.read(str(cap.least)),
            max_value=cap.read(str(cap.most)),
            value=cap.read(str(getattr(limits, name) or 0)),
            step=cap.step,
            key=f"cap_{name}",
            help=cap.help,
        )
    st.button("Save limits", on_click=_save_limits)
    st.caption(
        "A run that meets a limit keeps what it has; rules propose for the rest. A cluster is tried up to "
        f"{limits.transport_attempts} times when calls fail on the way, {limits.content_attempts} times when "
        f"answers cannot be used, {limits.call_timeout_s:g} s a call."
    )


st.title("Settings")
st.write("Everything here is kept in this workspace; secrets are not.")
current = state.current_run()
runs_panel(current)
_service()
_limits()
st.subheader("Prompt")
prompt_editor(current)
backups_panel()
st.subheader("About")
st.caption(
    f"Dealweaver {version('dealweaver')} · Python {platform.python_version()} · "
    f"Streamlit {st.__version__} · embeddings {get_settings().embedding_model} · tables {HEAD}"
)
st.caption("IAB Tech Lab Content Taxonomy, (c) IAB Technology Laboratory, CC BY 3.0.")
