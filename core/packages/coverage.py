"""Where every deal stands: each deal is in exactly one state, and the counts add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.clustering import Cluster, Clustering
from core.deals import Deal
from core.packages.model import Package
from core.proposals import Outcome

State = Literal["packaged", "removed", "unpackaged", "cluster_failed", "left_out", "not_sent"]

# In the words of the screen; the order is the one in which a deal's state is decided.
STATE_WORDS: dict[State, str] = {
    "packaged": "in packages",
    "removed": "taken out by the analyst",
    "unpackaged": "left out by the proposer",
    "cluster_failed": "in failed clusters",
    "left_out": "outside every cluster",
    "not_sent": "not proposed yet",
}

JOINED_LATER = "It joined its cluster after packages were proposed for it: propose for the cluster again."


@dataclass(frozen=True, slots=True)
class DealState:
    """The state of one deal, and why in one sentence."""

    deal_id: str
    state: State
    reason: str


def deal_states(
    deals: Sequence[Deal],
    clustering: Clustering | None,
    outcomes: Mapping[str, Outcome],
    packages: Iterable[Package],
) -> tuple[DealState, ...]:
    """Return the state of every deal, in deal order.

    outcomes: the one of each cluster that counts. The first state that fits counts: a deal in a
    pending or approved package is packaged, whatever else happened to it. A cluster that failed
    or was not asked, and has proposals all the same (of the rules, or of an answer before), is
    answered: its deals stand as those proposals left them.
    """
    packages = tuple(packages)
    found: dict[str, DealState] = {}

    def note(state: State, reasons: Iterable[tuple[str, str]]) -> None:
        for deal_id, reason in reasons:
            found.setdefault(deal_id, DealState(deal_id, state, reason))

    live = [package for package in packages if package.status != "rejected"]
    note("packaged", ((deal_id, package.name) for package in live for deal_id in package.deal_ids))
    rejected = (package for package in packages if package.status == "rejected")
    note(
        "removed",
        (
            (deal_id, f"Only in rejected {package.name!r}.")
            for package in rejected
            for deal_id in package.deal_ids
        ),
    )
    if clustering is None:
        note("not_sent", ((deal.deal_id, "Not clustered yet.") for deal in deals))
    else:
        _note_clusters(deals, clustering, outcomes, note)
    return tuple(found[deal.deal_id] for deal in deals)


def _note_clusters(
    deals: Sequence[Deal],
    clustering: Clustering,
    outcomes: Mapping[str, Outcome],
    note: Callable[[State, Iterable[tuple[str, str]]], None],
) -> None:
    known = [
        (outcome, *_asked_and_later(deals, cluster, outcome))
        for cluster in clustering.clusters
        if (outcome := outcomes.get(cluster.id))
    ]
    answered = [item for item in known if item[0].status == "done" or item[0].proposals]
    for outcome, asked, _ in answered:
        reasons = {item.deal_id: item.reason for item in outcome.unpackaged}
        note("unpackaged", ((deal_id, reasons[deal_id]) for deal_id in asked if deal_id in reasons))
    for _, asked, _ in answered:
        note("removed", ((deal_id, "Taken out of its package.") for deal_id in asked))
    for outcome, asked, _ in known:
        if outcome.status == "failed":
            note("cluster_failed", ((deal_id, outcome.error or "") for deal_id in asked))
    note("left_out", ((deals[item.index].deal_id, item.reason) for item in clustering.left_over))
    for _, _, later in answered:
        note("not_sent", ((deal_id, JOINED_LATER) for deal_id in later))
    note("not_sent", ((deal.deal_id, "Its cluster has not been proposed for yet.") for deal in deals))


def _asked_and_later(
    deals: Sequence[Deal], cluster: Cluster, outcome: Outcome
) -> tuple[list[str], list[str]]:
    """Return the deals of a cluster that its answer is about, and those that joined afterwards.

    Deals that left the cluster since are in neither: the answer says nothing about them any more.
    """
    asked = set(outcome.deal_ids)
    inside = [deals[index].deal_id for index in cluster.members]
    return [item for item in inside if item in asked], [item for item in inside if item not in asked]


def clusters_to_ask(
    deals: Sequence[Deal], clustering: Clustering, outcomes: Mapping[str, Outcome]
) -> tuple[str, ...]:
    """Return the ids of the clusters with deals nobody was asked about; failed ones are not among them.

    A cluster that was answered is among them when deals joined it afterwards.
    """
    return tuple(
        cluster.id
        for cluster in clustering.clusters
        if (outcome := outcomes.get(cluster.id)) is None
        or outcome.status == "not_sent"
        or (outcome.status == "done" and _asked_and_later(deals, cluster, outcome)[1])
    )


def count_states(states: Iterable[DealState]) -> dict[State, int]:
    """Count deals per state, in the order of STATE_WORDS, without the states no deal has."""
    counts = Counter(item.state for item in states)
    return {state: counts[state] for state in STATE_WORDS if counts[state]}
