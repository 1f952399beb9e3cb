"""Deals in, package proposals out: embeddings, clusters and proposals in one call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.clustering import Clustering, ClusteringSettings, cluster_deals
from core.clustering.cluster import Method, SmallClusters
from core.deals import Deal
from core.embeddings import Encoder, embed_deals, load_encoder
from core.proposals import (
    DealGroup,
    GeminiProposer,
    Limits,
    Outcome,
    PromptTemplate,
    ProposalRun,
    Proposer,
    run_proposals,
)
from core.proposals.cost import Spent, actual, price_of
from core.reading import Problem
from core.reading.reading import parse_deals
from core.settings import (
    APP_CALL_TIMEOUT_S,
    CLUSTER_DEADLINE_S,
    CONTENT_ATTEMPTS,
    EMBEDDING_DIMENSIONS,
    EMBEDDING_MODEL,
    GEMINI_MODEL,
    MEMBERSHIP_THRESHOLD,
    MIN_CLUSTER_SIZE,
    PROPOSAL_MAX_DEALS,
    TEMPERATURE,
    TRANSPORT_ATTEMPTS,
    Settings,
    get_settings,
)
from core.wording.unique_names import unique_names

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CreationResult:
    """Everything `create_packages` found out; each deal is in exactly one of the three lists.

    refused: records that were no deals.
    packaged: ids of deals in at least one proposal.
    left_over: deal id -> why no proposal has it.
    failed: deal id -> why its cluster has no proposals; where rules stood in, it has some.
    """

    deals: tuple[Deal, ...]
    refused: tuple[Problem, ...]
    clustering: Clustering
    run: ProposalRun

    @property
    def packaged(self) -> set[str]:
        """Ids of the deals that are in at least one proposal."""
        return {
            deal_id
            for outcome in self.run.outcomes
            for proposal in outcome.proposals
            for deal_id in proposal.deal_ids
        }

    @property
    def failed(self) -> dict[str, str]:
        """Deals whose cluster got no proposals, with the reason."""
        packaged = self.packaged
        return {
            deal_id: outcome.error or ""
            for outcome in self.run.with_status("failed", "not_sent")
            if not outcome.proposals
            for deal_id in outcome.deal_ids
            if deal_id not in packaged
        }

    @property
    def spent(self) -> Spent:
        """What the calls to a model took."""
        return actual(self.run.outcomes)

    @property
    def left_over(self) -> dict[str, str]:
        """Deals outside every cluster, or that no proposal of their cluster took, with the reason."""
        reasons = {self.deals[item.index].deal_id: item.reason for item in self.clustering.left_over}
        for outcome in self.run.outcomes:
            reasons |= {item.deal_id: item.reason for item in outcome.unpackaged}
        elsewhere = self.packaged | set(self.failed)
        return {deal_id: reason for deal_id, reason in reasons.items() if deal_id not in elsewhere}


class PackageCreator:
    """Proposes packages for a list of deals.

    llm_api_key: Gemini key; not needed when `proposer` is given.
    prompt_template: text with the placeholder {enriched_deals}.
    proposer, encoder: stand-ins for Gemini and the embedding model.
    workers: clusters under way at once; default from DEALWEAVER_WORKERS.
    limits: how hard to try and what the run may use, in place of `workers` and the promise of
        one call and two more.
    fallback: proposes for clusters that failed, or that a fatal error kept from being asked
        about; they keep their status. Without it they get no packages.
    keep_apart: rules and columns as in `ClusteringSettings`.

    Raises PromptError, ClusteringError or FatalProposalError at once when a setting cannot work.
    """

    def __init__(
        self,
        llm_api_key: str,
        prompt_template: str,
        model_name: str = GEMINI_MODEL,
        temperature: float = TEMPERATURE,
        embedding_model: str = EMBEDDING_MODEL,
        max_deals_per_cluster: int = PROPOSAL_MAX_DEALS,
        min_cluster_size: int = MIN_CLUSTER_SIZE,
        clustering_method: Method = "gmm",
        use_soft_assignments: bool = False,
        *,
        probability_threshold: float = MEMBERSHIP_THRESHOLD,
        small_clusters: SmallClusters = "leave_out",
        proposer: Proposer | None = None,
        encoder: Encoder | None = None,
        workers: int | None = None,
        limits: Limits | None = None,
        fallback: Proposer | None = None,
        keep_apart: Sequence[str] = (),
    ) -> None:
        settings = get_settings()
        self._proposer = proposer or GeminiProposer(
            llm_api_key,
            PromptTemplate(prompt_template),
            model=model_name,
            temperature=temperature,
            base_url=settings.gemini_base_url,
        )
        self._fallback = fallback
        self._encoder = encoder
        self._embedding_model = embedding_model
        self._clustering = ClusteringSettings(
            method=clustering_method,
            max_deals=max_deals_per_cluster,
            min_size=min_cluster_size,
            overlap=use_soft_assignments,
            threshold=probability_threshold,
            small_clusters=small_clusters,
            keep_apart=tuple(keep_apart),
        )
        self._limits = limits or Limits(
            workers=workers or settings.workers, requests_per_minute=settings.requests_per_minute
        )
        self.result: CreationResult | None = None

    def create_packages(
        self,
        deals: Sequence[Mapping[str, Any] | Deal],
        progress_callback: Callable[[str], None] | None = None,
    ) -> list[dict[str, Any]]:
        """Return packages as dicts with package_name, deal_ids and reasoning.

        Fewer deals than the smallest cluster give []. A cluster without a usable answer is
        logged and left out of the list; `self.result` holds it, with every other deal's state.
        progress_callback gets one sentence at a time, in the caller's thread.
        Raises EmbeddingError or ClusteringError when no cluster can be made at all.
        """
        report = progress_callback or (lambda _: None)
        read = parse_deals(deals)
        refused = tuple(problem for problem in read.problems if problem.severity == "refused")
        for problem in refused:
            _log.error("Deal record %d: %s", problem.row, problem.message)
        clustering = self._cluster(read.deals, report)
        groups = deal_groups(read.deals, clustering)
        self.result = CreationResult(read.deals, refused, clustering, self._propose(groups, report))
        for outcome in self.result.run.with_status("failed", "not_sent"):
            what = "was proposed for by rules" if outcome.proposals else "got no packages"
            _log.error("Cluster %s %s: %s", outcome.cluster_id, what, outcome.error)
        return [package for outcome in self.result.run.outcomes for package in _as_dicts(outcome)]

    def _cluster(self, deals: Sequence[Deal], report: Callable[[str], None]) -> Clustering:
        if len(deals) < self._clustering.min_size:  # every deal is left over: spare loading the model
            vectors = np.zeros((len(deals), EMBEDDING_DIMENSIONS), dtype=np.float32)
        else:
            report(f"Embedding {len(deals)} deals")
            encoder = self._encoder or load_encoder(self._embedding_model)
            vectors = embed_deals(
                deals, encoder, lambda done, total: report(f"Embedding {done} of {total} texts")
            )
            report(f"Clustering {len(deals)} deals")
        return cluster_deals(deals, vectors, self._clustering)

    def _propose(self, groups: Sequence[DealGroup], report: Callable[[str], None]) -> ProposalRun:
        ended = 0

        def count(outcome: Outcome) -> None:
            nonlocal ended
            ended += 1
            what = f"{len(outcome.proposals)} packages" if outcome.status == "done" else outcome.error
            report(f"Cluster {ended} of {len(groups)}: {what}")

        price = price_of(self._proposer.source)
        run = run_proposals(
            groups,
            self._proposer,
            self._limits,
            on_outcome=count,
            fallback=self._fallback,
            price=price.of if price else None,
        )
        return _uniquely_named(run, groups)

    def _propose_packages_for_cluster(
        self, cluster_deals: Sequence[Mapping[str, Any] | Deal]
    ) -> list[dict[str, Any]]:
        """Ask for packages of one cluster; [] and a logged error when there is no usable answer."""
        deals = parse_deals(cluster_deals).deals
        run = run_proposals([DealGroup("cluster", deals)], self._proposer, self._limits)
        for outcome in run.with_status("failed", "not_sent"):
            _log.error("The cluster got no packages: %s", outcome.error)
        return [package for outcome in run.outcomes for package in _as_dicts(outcome)]


def patient_limits(settings: Settings) -> Limits:
    """Return how hard the app and the command line try: more often, but for a shorter time each."""
    return Limits(
        workers=settings.workers,
        transport_attempts=TRANSPORT_ATTEMPTS,
        content_attempts=CONTENT_ATTEMPTS,
        call_timeout_s=APP_CALL_TIMEOUT_S,
        cluster_deadline_s=CLUSTER_DEADLINE_S,
        requests_per_minute=settings.requests_per_minute,
        max_calls=settings.max_calls,
        max_tokens=settings.max_tokens,
        max_usd=settings.max_usd,
    )


def deal_groups(deals: Sequence[Deal], clustering: Clustering) -> list[DealGroup]:
    """Return the clusters with their deals, as proposers take them."""
    return [
        DealGroup(cluster.id, tuple(deals[index] for index in cluster.members))
        for cluster in clustering.clusters
    ]


def _uniquely_named(run: ProposalRun, groups: Sequence[DealGroup]) -> ProposalRun:
    """Tell packages of different clusters apart by name: each was named without sight of the others."""
    deals = {deal.deal_id: deal for group in groups for deal in group.deals}
    proposals = [proposal for outcome in run.outcomes for proposal in outcome.proposals]
    names = iter(unique_names([(item.name, [deals[one] for one in item.deal_ids]) for item in proposals]))
    outcomes = (
        replace(outcome, proposals=tuple(replace(item, name=next(names)) for item in outcome.proposals))
        for outcome in run.outcomes
    )
    return replace(run, outcomes=tuple(outcomes))


def _as_dicts(outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {"package_name": item.name, "deal_ids": list(item.deal_ids), "reasoning": item.reasoning}
        for item in outcome.proposals
    ]
