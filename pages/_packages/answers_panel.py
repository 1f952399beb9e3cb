"""What was asked about one cluster and what came back: answers, prompt, calls; ask again, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from core.counting import counted
from core.errors import PromptError
from core.proposals import DEFAULT_TEMPLATE, Outcome, PromptTemplate, build_prompt
from core.proposals.cost import tokens_in
from core.proposals.providers import PROVIDERS
from core.proposals.rules import SOURCE as RULES
from core.proposals.templates import TemplateVersion, template_id
from core.storage import AnswerVersion, CallRecord
from core.work import make_names_unique, proposal_groups
from pages._shared import state
from pages._shared.finding_words import check_chips, claim_lines
from pages._shared.preferences import PROMPT, chosen_model, proposers
from pages._shared.proposing_panel import (
    ProposalView,
    Wish,
    ask,
    before_the_first_call,
    expected_cost,
    proposer_box,
)
from pages._shared.services import workspace
from pages._shared.texts import literal

# A reply may be a megabyte; so much of it is drawn.
_SHOWN_CHARS = 20_000
# Shorter replies need no window that scrolls.
_SHORT = 1_500
_FIRST_WORDS = 40
OWN_TEXT = "own"

_STATUS = {"done": "answered", "failed": "failed", "not_sent": "not asked"}


def answers_panel(view: ProposalView) -> None:
    """Draw everything about one cluster, which the analyst chooses."""
    cluster_id = st.selectbox(
        "Cluster",
        view.cluster_ids,
        key=f"answers_of_{view.run.id}",
        format_func=lambda one: f"{view.labels[one]} · {_state_in_words(view.outcomes.get(one))}",
        persist_state="session",
    )
    if cluster_id not in view.cluster_ids:
        return
    kept = _different(workspace().answers(view.run.id, cluster_id))
    parts = {
        "Answer": lambda: _answer(view, cluster_id),
        f"Compare {len(kept)} answers": lambda: _compare(view, kept),
        "Prompt": lambda: _prompt(view, cluster_id, kept),
        "Calls and replies": lambda: _calls(view, cluster_id),
        "Ask again": lambda: _ask_again(view, cluster_id),
    }
    shown = {name: draw for name, draw in parts.items() if not name.startswith("Compare") or len(kept) > 1}
    part = st.segmented_control(
        "Part",
        list(shown),
        default="Answer",
        required=True,
        key=f"answer_part_{len(kept)}",
        label_visibility="collapsed",
        persist_state="session",
    )
    shown[part or "Answer"]()


def _state_in_words(outcome: Outcome | None) -> str:
    if outcome is None:
        return "not asked"
    if outcome.status == "done":
        return outcome.proposal_source
    return f"{_STATUS[outcome.status]}, {outcome.stand_in}" if outcome.stand_in else _STATUS[outcome.status]


def _different(versions: Sequence[AnswerVersion]) -> list[AnswerVersion]:
    """Leave out repeats: an answer that was kept again is in the list twice."""
    seen: dict[object, AnswerVersion] = {}
    for version in versions:
        seen.setdefault((version.asking or version.id, version.outcome), version)
    return list(seen.values())


# --- the answer that counts -------------------------------------------------------------------


def _answer(view: ProposalView, cluster_id: str) -> None:
    outcome = view.outcomes.get(cluster_id)
    if outcome is None:
        st.info("Nobody was asked about this cluster yet.")
        return
    if outcome.error:
        st.warning(literal(outcome.error), icon=":material/error:")
    _facts(outcome)
    _packages(outcome)
    if outcome.unpackaged:
        with st.expander(f"{counted(len(outcome.unpackaged), 'deal')} left out", icon=":material/inbox:"):
            st.dataframe(
                {
                    "Deal id": [item.deal_id for item in outcome.unpackaged],
                    "Why": [item.reason for item in outcome.unpackaged],
                },
                hide_index=True,
                alt="Deals of the cluster that the answer left out",
            )


def _facts(outcome: Outcome) -> None:
    st.caption(literal(facts_in_words(outcome)))
    for issue in outcome.issues:
        st.caption(f":material/build: {literal(issue)}")


def facts_in_words(outcome: Outcome) -> str:
    """Return who answered, with how many calls and tokens, and how long it took."""
    parts = [f"Packages by {outcome.proposal_source}" if outcome.proposals else "No packages"]
    if outcome.requested_model and outcome.model and outcome.model != outcome.requested_model:
        parts.append(f"{outcome.requested_model} was asked, {outcome.model} answered")
    if outcome.cached:
        parts.append("a kept answer, no call")
    elif outcome.attempts:
        read, written = outcome.usage.input_tokens, outcome.usage.output_tokens
        tokens = [
            "tokens unknown" if count is None else f"{count:,} tokens {what}"
            for count, what in ((read, "read"), (written, "written"))
        ]
        parts += [counted(outcome.attempts, "call"), *dict.fromkeys(tokens)]
    if outcome.latency_s is not None and not outcome.cached:
        parts.append(f"answered in {outcome.latency_s:.1f} s")
    return " · ".join(parts)


def _packages(outcome: Outcome) -> None:
    for proposal in outcome.proposals:
        with st.container(border=True):
            st.markdown(f"**{literal(proposal.name)}** · {counted(len(proposal.deal_ids), 'deal')}")
            check_chips(proposal)
            st.caption(literal(proposal.reasoning))
            claim_lines([claim for claim in proposal.claims if claim.contradicted], len(proposal.deal_ids))
            if proposal.source:
                st.caption(f"Suggested by: {literal(proposal.source)}")


# --- two answers side by side -----------------------------------------------------------------


def _compare(view: ProposalView, kept: Sequence[AnswerVersion]) -> None:
    versions = {version.id: version for version in kept}
    ids, prompts = list(versions), _prompt_numbers(workspace().templates())
    sides: list[AnswerVersion] = []
    for place, column in enumerate(st.columns(2, gap="medium")):
        chosen = column.selectbox(
            "Answer" if place == 0 else "Compared with",
            ids,
            index=place,
            key=f"side_{place}_{ids[0]}",
            format_func=lambda one: _version_in_words(versions[one], prompts, ids[0]),
        )
        sides.append(versions[chosen])
    st.markdown(literal(difference_in_words(sides[0].outcome, sides[1].outcome)))
    for place, column in enumerate(st.columns(2, gap="medium")):
        version = sides[place]
        with column:
            _facts(version.outcome)
            st.button(
                "Keep this one",
                key=f"keep_{place}",
                on_click=_keep,
                args=(view.run.id, version.id),
                disabled=view.busy or version.id == ids[0],
                icon=":material/check:",
                help="Its packages take the place of the suggestions nobody touched.",
            )
            _packages(version.outcome)


def _version_in_words(version: AnswerVersion, prompts: Mapping[str, int], newest: int) -> str:
    prompt = prompts.get(version.template_id or "")
    parts = [
        f"{version.created_at[:10]} {version.created_at[11:19]} UTC",
        version.outcome.proposal_source,
        f"prompt {prompt}" if prompt else "",
        counted(len(version.outcome.proposals), "package"),
        "in use" if version.id == newest else "",
    ]
    return " · ".join(filter(None, parts))


def difference_in_words(one: Outcome, other: Outcome) -> str:
    """Say how two answers about a cluster differ in the deals they package and in their packages."""
    packaged = [{deal_id for item in side.proposals for deal_id in item.deal_ids} for side in (one, other)]
    groups = [{frozenset(item.deal_ids) for item in side.proposals} for side in (one, other)]
    parts = [
        f"{counted(len(groups[0] & groups[1]), 'package')} with the same deals",
        f"{counted(len(packaged[0] & packaged[1]), 'deal')} packaged by both",
        f"{len(packaged[0] - packaged[1]):,} only on the left",
        f"{len(packaged[1] - packaged[0]):,} only on the right",
    ]
    return ", ".join(parts) + "."


@state.guarded
def _keep(run_id: str, answer_id: int) -> None:
    workspace().keep_answer(run_id, answer_id)
    make_names_unique(workspace(), run_id)
    state.tell("Saved: this answer counts; packages you edited or decided on stay as they are.")


# --- prompt and calls -------------------------------------------------------------------------


def _prompt_numbers(templates: Sequence[TemplateVersion]) -> dict[str, int]:
    """Return the number of each version by its id; the oldest is 1."""
    return {version.id: number for number, version in enumerate(templates[::-1], start=1)}


def _prompt(view: ProposalView, cluster_id: str, kept: Sequence[AnswerVersion]) -> None:
    versions = {version.id: version for version in workspace().templates()}
    used = next((one.template_id for one in kept if one.template_id in versions), None)
    text = versions[used].text if used else workspace().preference(PROMPT, DEFAULT_TEMPLATE)
    (group,) = proposal_groups(workspace(), view.run.id, [cluster_id])
    prompt = build_prompt(group, PromptTemplate(text))
    sent = {call.prompt_hash for call in workspace().calls(view.run.id, cluster_id)}
    if prompt.hash in sent:
        words = "This is the text that was sent."
    elif used:
        words = "Deals or neighbours of the cluster have changed since: this is what would be sent now."
    else:
        words = "No model was asked yet: this is what would be sent."
    whole = f"{prompt.system}\n\n{prompt.human}"
    st.caption(f"{words} {len(whole):,} characters, about {tokens_in(whole):,} tokens.")
    st.code(whole, language=None, wrap_lines=True, height=460)


def _calls(view: ProposalView, cluster_id: str) -> None:
    calls = workspace().calls(view.run.id, cluster_id)
    if not calls:
        st.info("No model was called about this cluster.")
        return
    st.dataframe(calls_frame(calls), hide_index=True, placeholder="-", alt="Calls about the cluster")
    replies = [number for number, call in enumerate(calls) if call.raw]
    if not replies:
        st.caption("None of them brought a reply.")
        return
    chosen = st.selectbox(
        "Reply as it came",
        replies[::-1],
        key=f"reply_{cluster_id}_{len(replies)}",
        format_func=lambda number: f"Call {number + 1} · {calls[number].answered_model or 'model unknown'}",
    )
    raw = calls[chosen].raw
    st.code(
        raw[:_SHOWN_CHARS], language=None, wrap_lines=True, height="content" if len(raw) < _SHORT else 360
    )
    if len(raw) > _SHOWN_CHARS:
        st.caption(f"The first {_SHOWN_CHARS:,} of {len(raw):,} characters.")


def calls_frame(calls: Sequence[CallRecord]) -> pd.DataFrame:
    """One row for each call; what is not known is empty."""
    return pd.DataFrame(
        [
            {
                "Call": number,
                "Started (UTC)": call.started_at[:19].replace("T", " "),
                "State": call.state,
                "Asked": call.requested_model,
                "Answered": call.answered_model,
                "Ended by": call.finish_reason,
                "Tokens read": call.usage.input_tokens,
                "Tokens written": call.usage.output_tokens,
                "Seconds": None if call.latency_s is None else round(call.latency_s, 1),
                "Problem": call.error,
            }
            for number, call in enumerate(calls, start=1)
        ]
    ).astype({"Tokens read": "Int64", "Tokens written": "Int64", "Seconds": "float64"})


# --- ask again --------------------------------------------------------------------------------


def _ask_again(view: ProposalView, cluster_id: str) -> None:
    left, right = st.columns(2)
    who = proposer_box(left, proposers(), "again_proposer")
    model, template = None, None
    if who != RULES:
        model = (
            right.text_input("Model", chosen_model(PROVIDERS[who]), key=f"again_model_{who}").strip() or None
        )
        template = _template_box()
    wish = Wish(who, (cluster_id,), model, template, fresh=True)
    try:
        expected = expected_cost(view, wish)
    except PromptError as error:
        st.error(str(error))
        return
    st.button(
        "Ask again about this cluster",
        type="primary",
        on_click=ask,
        args=(view.run.id, wish, expected),
        disabled=view.busy,
        icon=":material/refresh:",
    )
    before_the_first_call(wish, expected)
    st.caption("The answer before stays: compare both, and keep the better one.")


def _template_box() -> str:
    versions = workspace().templates()
    texts = {version.id: version.text for version in versions}
    numbers = _prompt_numbers(versions)
    of_settings = workspace().preference(PROMPT, DEFAULT_TEMPLATE)
    current = template_id(of_settings)
    texts = {current: of_settings} | texts
    chosen = st.selectbox(
        "Prompt",
        [*texts, OWN_TEXT],
        key="again_prompt",
        format_func=lambda one: (
            "Another text"
            if one == OWN_TEXT
            else _prompt_in_words(texts[one], numbers.get(one), one == current)
        ),
    )
    if chosen in texts:
        return texts[chosen]
    return st.text_area("Text with {enriched_deals}", of_settings, key="again_text", height=200)


def _prompt_in_words(text: str, number: int | None, of_settings: bool) -> str:
    first = text.split("\n", 1)[0]
    short = first if len(first) <= _FIRST_WORDS else f"{first[:_FIRST_WORDS]}..."
    words = [f"Prompt {number}" if number else "Prompt", "of Settings" if of_settings else "", f"· {short}"]
    return " ".join(filter(None, words))
