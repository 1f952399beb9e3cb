"""Asking for packages: who, about which clusters, at what cost; what comes in, and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.clustering import Clustering
from core.clustering.quality import Quality
from core.counting import counted
from core.coverage import clusters_to_ask
from core.deals import Deal
from core.packages import Package
from core.proposals import Limits, Outcome, PromptTemplate, Proposer
from core.proposals.cost import Estimate, estimate
from core.proposals.providers import PROVIDERS
from core.proposals.rules import SOURCE as RULES
from core.proposals.templates import template_id
from core.settings import get_settings
from core.storage import RunSummary, Workspace
from core.wording.injection import unusual_deals
from core.work import JobContext, proposal_groups, propose_packages, unanswered
from pages._shared import shell, state, tables
from pages._shared.cluster_view import cluster_labels, digest
from pages._shared.finding_words import ids_in_words
from pages._shared.preferences import (
    chosen_limits,
    chosen_model,
    chosen_provider,
    chosen_template,
    proposer_named,
    proposers,
)
from pages._shared.services import jobs, workspace
from pages._shared.texts import literal

TITLE = "Propose packages with"
PROPOSE = "propose"  # kind of the job, for `resume`
OPEN, EVERY, CHOSEN = "open", "every", "chosen"
_LISTED_REASONS = 5
_LISTED_NEW = 50

# Provider -> who gets the deals, for the line before the first call. Ollama's depends on its address.
_RECEIVERS = {
    "gemini": "go to Google; on a free plan Google may use them to improve its products.",
    "openai": "go to OpenAI.",
    "anthropic": "go to Anthropic.",
}


@dataclass(frozen=True, slots=True)
class ProposalView:
    """What the parts of the page draw from: one snapshot of a run with clusters."""

    run: RunSummary
    deals: tuple[Deal, ...]
    clustering: Clustering
    quality: Quality | None
    outcomes: Mapping[str, Outcome]
    packages: tuple[Package, ...]

    @property
    def cluster_ids(self) -> list[str]:
        """The clusters in their order; the first has number 1."""
        return [cluster.id for cluster in self.clustering.clusters]

    @property
    def labels(self) -> dict[str, str]:
        """Cluster id -> "4 · auto, suv (25 deals)"."""
        labels = cluster_labels(self.clustering, self.quality)
        return {
            cluster.id: f"{label} ({counted(len(cluster.members), 'deal')})"
            for cluster, label in zip(self.clustering.clusters, labels, strict=True)
        }

    @property
    def open(self) -> tuple[str, ...]:
        """Clusters with deals nobody was asked about."""
        return clusters_to_ask(self.deals, self.clustering, self.outcomes)

    @property
    def failed(self) -> list[str]:
        """Clusters that failed, whoever stands in."""
        return [one for one in self.cluster_ids if self._status(one) == "failed"]

    def numbers(self, cluster_ids: Sequence[str]) -> str:
        """Return the numbers of clusters, as on the map."""
        return ", ".join(str(self.cluster_ids.index(one) + 1) for one in cluster_ids)

    def _status(self, cluster_id: str) -> str | None:
        known = self.outcomes.get(cluster_id)
        return known.status if known else None

    @property
    def busy(self) -> bool:
        """Whether a job of the run is under way."""
        return shell.job_running(self.run.id)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the analyst wants to ask: of whom, about which clusters, with which words.

    model, template: None = the chosen ones. fresh: ask even where there is a kept answer.
    """

    who: str
    cluster_ids: tuple[str, ...]
    model: str | None = None
    template: str | None = None
    fresh: bool = False

    def template_used(self) -> PromptTemplate | None:
        """Return the prompt, None for the rules. Raises PromptError when the text is none."""
        if self.who == RULES:
            return None
        return chosen_template() if self.template is None else PromptTemplate(self.template)

    def proposer(self) -> Proposer:
        """Return who is asked. Raises DealweaverError when that cannot work."""
        return proposer_named(self.who, self.template_used() or PromptTemplate(), self.model)


# --- the job ----------------------------------------------------------------------------------


@state.guarded
def ask(run_id: str, wish: Wish, expected: Estimate | None = None) -> None:
    """Start asking; what cannot work is said at once."""
    work = partial(
        _work, workspace(), run_id, wish, wish.proposer(), wish.template_used(), chosen_limits(), expected
    )
    jobs().start(run_id, f"{TITLE} {wish.proposer().source}", work, kind=PROPOSE, params=asdict(wish))


def ask_the_rest(run_id: str, wish: Wish, since_s: float) -> None:
    """Ask about the clusters of a wish that got no answer since; `since_s`: seconds since the epoch."""
    since = datetime.fromtimestamp(since_s, UTC).isoformat(timespec="seconds")
    answered = workspace().answered_since(run_id, since)
    ask(run_id, replace(wish, cluster_ids=tuple(one for one in wish.cluster_ids if one not in answered)))


def _work(
    store: Workspace,
    run_id: str,
    wish: Wish,
    proposer: Proposer,
    template: PromptTemplate | None,
    limits: Limits,
    expected: Estimate | None,
    job: JobContext,
) -> str:
    return propose_packages(
        store,
        run_id,
        wish.cluster_ids,
        proposer,
        limits,
        job,
        template=template,
        fresh=wish.fresh,
        expected=expected,
    )


# --- who and what -----------------------------------------------------------------------------


def proposing_panel(view: ProposalView) -> None:
    """Draw the choice of proposer and clusters, what it will take, and the button that starts it."""
    names = proposers()
    columns = st.columns([1.6, 2.4, 2], vertical_alignment="bottom")
    who = proposer_box(columns[0], names, "proposer")
    wanted, again = _clusters_wanted(view, columns[1])
    wish = Wish(who, wanted)
    kept = _kept(view, wish)
    if kept:
        wish = Wish(who, wanted, fresh=_ask_anyway(kept))
    expected = expected_cost(view, wish)
    columns[2].button(
        f"Propose {'again for' if again else 'for'} {counted(len(wanted), 'cluster')}",
        type="primary" if view.open else "secondary",
        on_click=ask,
        args=(view.run.id, wish, expected),
        disabled=view.busy or not wanted,
        icon=":material/auto_awesome_motion:",
    )
    before_the_first_call(wish, expected)
    if expected and expected.calls:
        _unusual_names(view)
    _how_to_get_a_model(names)


def proposer_box(place: DeltaGenerator, names: Mapping[str, str], key: str) -> str:
    """Draw the choice of who proposes; one that is not ready any more falls back to the first."""
    if st.session_state.get(key) not in names:
        st.session_state[key] = next(iter(names))
    who: str = place.selectbox(
        "Propose with", list(names), key=key, format_func=names.__getitem__, persist_state="session"
    )
    return who


def _clusters_wanted(view: ProposalView, place: DeltaGenerator) -> tuple[tuple[str, ...], bool]:
    """Return the clusters to ask about, and whether all of them have been asked about before."""
    counts = {OPEN: len(view.open), EVERY: len(view.cluster_ids)}
    words = {OPEN: "Not asked yet", EVERY: "All", CHOSEN: "Choose"}
    options = [name for name in words if counts.get(name, 1)]
    key = f"scope_{view.run.id}_{bool(view.open)}"
    scope = place.segmented_control(
        "Clusters",
        options,
        key=key,
        default=options[0],
        required=True,
        format_func=lambda name: f"{words[name]} {counts[name]}" if name in counts else words[name],
        persist_state="session",
    )
    if scope == CHOSEN:
        chosen = st.multiselect(
            "Clusters to ask about",
            view.cluster_ids,
            key=f"chosen_{digest(view.cluster_ids)}",
            format_func=view.labels.__getitem__,
            placeholder="Choose one or more",
            persist_state="session",
        )
        wanted = tuple(one for one in view.cluster_ids if one in chosen)
    else:
        wanted = view.open if scope == OPEN else tuple(view.cluster_ids)
    return wanted, bool(wanted) and not set(wanted) & set(view.open)


def _ask_anyway(kept: int) -> bool:
    return st.checkbox(
        f"Ask again even where the same question has a kept answer ({counted(kept, 'cluster')})",
        key="fresh",
        help="Otherwise kept answers are used: they cost nothing, and are the same as before.",
    )


def _how_to_get_a_model(names: Mapping[str, str]) -> None:
    """Say what the chosen provider lacks, when only the rules can propose."""
    provider = chosen_provider()
    if provider.name in names:
        return
    lacks = "a key" if provider.installed else "its library"
    st.caption(f"{provider.title} lacks {lacks}: Settings says what to do.")


# --- what it takes ----------------------------------------------------------------------------


def _kept(view: ProposalView, wish: Wish) -> int:
    """Return how many of the wanted clusters have a kept answer to the same question."""
    expected = expected_cost(view, wish)
    return len(wish.cluster_ids) - expected.calls if expected else 0


def expected_cost(view: ProposalView, wish: Wish) -> Estimate | None:
    """Return what the wish will take, None for the rules; worked out again only when something changed.

    Raises PromptError when the wish's own prompt is none.
    """
    template = wish.template_used()
    if template is None:
        return None
    limits = chosen_limits()
    model = wish.model or chosen_model(PROVIDERS[wish.who])
    question = (
        view.run.id,
        view.run.loads,
        workspace().newest_clustering(view.run.id),
        wish,
        model,
        template_id(template.text),
        limits,
        hash(tuple(view.outcomes.items())),
    )

    def work_out() -> Estimate:
        groups = proposal_groups(workspace(), view.run.id, wish.cluster_ids)
        asked = groups if wish.fresh else unanswered(workspace(), groups, model, template)
        return estimate(asked, template, model, limits)

    name = f"estimate_{wish.fresh}_{wish.template is None}"
    return state.remembered(name, question, work_out)


def before_the_first_call(wish: Wish, expected: Estimate | None) -> None:
    """Say what asking will take and which data leave this machine."""
    if expected is None:
        st.caption(
            "Rules group deals by vertical, audience, format and quality tier. No data leaves this machine."
        )
        return
    if not expected.calls:
        st.caption("No call is needed: every cluster has a kept answer to the same question.")
        return
    st.caption(literal(f"{expected.sentence()} {privacy(wish.who, expected.deals)}"))


def _unusual_names(view: ProposalView) -> None:
    odd = state.remembered("unusual", (view.run.id, view.run.loads), lambda: unusual_deals(view.deals))
    if odd:
        st.caption(
            f":material/report: {counted(len(odd), 'unusual deal name')} that may be an instruction to a "
            f"model: {literal(ids_in_words(odd))}. It is sent as data; look twice at packages with it."
        )


def privacy(who: str, deals: int) -> str:
    """Return which data go where when this provider is asked."""
    what = f"Names and attributes of {counted(deals, 'deal')}"
    if who in _RECEIVERS:
        return f"{what} {_RECEIVERS[who]}"
    host = urlsplit(get_settings().ollama_base_url).hostname or ""
    if host in {"127.0.0.1", "localhost", "::1"}:
        return f"{what} go to the Ollama server of this machine, and no further."
    return f"{what} go to the Ollama server at {host}."


# --- while it runs ----------------------------------------------------------------------------


def incoming(view: ProposalView) -> None:
    """Draw the packages that have come in since the page was drawn, while a job proposes."""
    job = jobs().job(view.run.id)
    if job and job.running and job.kind == PROPOSE:
        _incoming(view.run.id, frozenset(package.id for package in view.packages))


@st.fragment(run_every=1.0)
def _incoming(run_id: str, shown: frozenset[str]) -> None:
    new = [package for package in workspace().packages(run_id) if package.id not in shown]
    with st.container(border=True):
        left, right = st.columns([5, 1], vertical_alignment="center")
        left.markdown(f":material/move_to_inbox: **{counted(len(new), 'new package')}** so far")
        if right.button("Show in the list", disabled=not new, width="stretch"):
            st.rerun()
        if new:
            st.dataframe(
                tables.packages_frame(new[::-1][:_LISTED_NEW]),
                hide_index=True,
                placeholder="-",
                column_order=("Package", "Deals", "Source"),
                column_config={"Source": st.column_config.TextColumn(width="large")},
                height=min(38 * (len(new) + 1), 260),
                alt="Packages that have come in, newest first",
            )


# --- what is left to do -----------------------------------------------------------------------


def troubles(view: ProposalView) -> None:
    """Draw clusters that failed, with the reason and what to do, and those a stopped run left open."""
    if view.busy:
        return
    who = st.session_state["proposer"]
    if view.failed:
        _failures(view, who)
    left = [one for one in workspace().unfinished(view.run.id) if one in view.labels]
    if left:
        row = st.container(horizontal=True, vertical_alignment="center", border=True)
        row.markdown(
            f":material/hourglass_empty: A run ended while it asked about {counted(len(left), 'cluster')}. "
            "Answers that had come are used without another call."
        )
        row.button(f"Continue ({len(left)})", on_click=ask, args=(view.run.id, Wish(who, tuple(left))))


def _failures(view: ProposalView, who: str) -> None:
    reasons: dict[str, list[str]] = {}
    for cluster_id in view.failed:
        reasons.setdefault(view.outcomes[cluster_id].error or "", []).append(cluster_id)
    stood_in = sum(bool(view.outcomes[one].proposals) for one in view.failed)
    with st.container(border=True):
        instead = f" Rules or an earlier answer stand in for {stood_in} of them." if stood_in else ""
        st.markdown(
            f":material/error: **{counted(len(view.failed), 'cluster')} failed.** No deal is lost.{instead}"
        )
        for reason, cluster_ids in list(reasons.items())[:_LISTED_REASONS]:
            st.text(
                f"{'Cluster' if len(cluster_ids) == 1 else 'Clusters'} {view.numbers(cluster_ids)}: {reason}"
            )
        if len(reasons) > _LISTED_REASONS:
            st.caption(f"{len(reasons) - _LISTED_REASONS} more reasons: see Answers by cluster.")
        row = st.container(horizontal=True)
        failed = tuple(view.failed)
        row.button(
            f"Retry failed ({len(failed)})",
            on_click=ask,
            args=(view.run.id, Wish(who, failed)),
            icon=":material/refresh:",
        )
        if who != RULES:
            row.button("Settle them by rules", on_click=ask, args=(view.run.id, Wish(RULES, failed)))
