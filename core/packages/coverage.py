"""Where every deal stands: each deal is in exactly one state, and the counts add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.clustering import Clustering
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

    outcomes: newest outcome of each cluster. The first state that fits counts: a deal in a
    pending or approved package is packaged, whatever else happened to it.
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
    known = {cluster.id: outcomes.get(cluster.id) for cluster in clustering.clusters}
    answered = [outcome for outcome in known.values() if outcome and outcome.status == "done"]
    note("unpackaged", ((item.deal_id, item.reason) for outcome in answered for item in outcome.unpackaged))
    note(
        "removed",
        ((deal_id, "Taken out of its package.") for outcome in answered for deal_id in outcome.deal_ids),
    )
    failed = [outcome for outcome in known.values() if outcome and outcome.status == "failed"]
    note(
        "cluster_failed",
        ((deal_id, outcome.error or "") for outcome in failed for deal_id in outcome.deal_ids),
    )
    note("left_out", ((deals[item.index].deal_id, item.reason) for item in clustering.left_over))
    note("not_sent", ((deal.deal_id, "Its cluster has not been proposed for yet.") for deal in deals))


def count_states(states: Iterable[DealState]) -> dict[State, int]:
    """Count deals per state, in the order of STATE_WORDS, without the states no deal has."""
    counts = Counter(item.state for item in states)
    return {state: counts[state] for state in STATE_WORDS if counts[state]}
