"""Where every deal stands: each deal is in exactly one state, and the counts add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.clustering import Cluster, Clustering
from core.deals import Deal
from core.packages.package import Package
from core.proposals import Outcome
from core.proposals.proposal import Unpackaged
from core.settings import MIN_PACKAGE_DEALS

State = Literal[
    "packaged",
    "needs_review",
    "removed_by_analyst",
    "excluded_by_model",
    "omitted_by_model",
    "cluster_failed",
    "left_out_by_filter",
    "not_sent",
]

# In the words of the screen; the order is the one in which a deal's state is decided.
STATE_WORDS: dict[State, str] = {
    "packaged": "in packages",
    "needs_review": "need review",
    "removed_by_analyst": "taken out by the analyst",
    "excluded_by_model": "left out by the proposer, with a reason",
    "omitted_by_model": "not mentioned by the proposer",
    "cluster_failed": "in failed clusters",
    "left_out_by_filter": "outside every cluster",
    "not_sent": "not proposed yet",
}

JOINED_LATER = "It joined its cluster after packages were proposed for it: propose for the cluster again."

_Reasons = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class DealState:
    """The state of one deal, and why in one sentence (of a packaged one, the name of its package)."""

    deal_id: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """A package that was proposed but not made, such as one of fewer than three deals.

    deal_ids: those of its deals that are in no package since, rejected ones included. reason: why it was
    not made.
    """

    cluster_id: str
    name: str
    deal_ids: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What became of everything that was proposed or made by hand.

    needs_review: pending packages of fewer than three deals of the run, and proposals that were not made.
    pending: the other pending packages.
    """

    proposed: int
    approved: int
    rejected: int
    pending: int
    needs_review: int

    @property
    def balanced(self) -> bool:
        """Whether nothing that was proposed is lost or counted twice."""
        return self.proposed == self.approved + self.rejected + self.pending + self.needs_review


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
    packages, loaded = tuple(packages), {deal.deal_id for deal in deals}
    found: dict[str, DealState] = {}

    def note(state: State, reasons: _Reasons) -> None:
        for deal_id, reason in reasons:
            if deal_id not in found:
                found[deal_id] = DealState(deal_id, state, reason)

    small = [package for package in packages if _needs_review(package, loaded)]
    small_ids = {package.id for package in small}
    live = [item for item in packages if item.status != "rejected" and item.id not in small_ids]
    note("packaged", ((deal_id, package.name) for package in live for deal_id in package.deal_ids))
    note("needs_review", _of_small(small))
    note("removed_by_analyst", _of_rejected(packages))
    if clustering is None:
        note("not_sent", ((deal.deal_id, "Not clustered yet.") for deal in deals))
    else:
        _note_clusters(deals, clustering, outcomes, note)
    return tuple(found[deal.deal_id] for deal in deals)


def _needs_review(package: Package, loaded: Collection[str]) -> bool:
    """Whether a package is too small for a proposal, and nobody decided on it yet."""
    valid = sum(deal_id in loaded for deal_id in package.deal_ids)
    return package.status == "pending" and valid < MIN_PACKAGE_DEALS


def _of_small(packages: Iterable[Package]) -> Iterator[tuple[str, str]]:
    for package in packages:
        reason = f"Only in {package.name!r}, which has fewer than {MIN_PACKAGE_DEALS} deals."
        yield from ((deal_id, reason) for deal_id in package.deal_ids)


def _of_rejected(packages: Iterable[Package]) -> Iterator[tuple[str, str]]:
    for package in packages:
        if package.status == "rejected":
            yield from ((deal_id, f"Only in rejected {package.name!r}.") for deal_id in package.deal_ids)


# --- what became of the clusters --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """An outcome, the deals of its cluster that it is about, and those that joined it afterwards.

    Deals that left the cluster since are in neither: the answer says nothing about them any more.
    """

    outcome: Outcome
    asked: tuple[str, ...]
    later: tuple[str, ...]

    @property
    def answered(self) -> bool:
        return self.outcome.status == "done" or bool(self.outcome.proposals)

    def unpackaged(self) -> Iterator[Unpackaged]:
        """Yield what the answer left out, of the deals it is still about."""
        listed = {item.deal_id: item for item in self.outcome.unpackaged}
        yield from (listed[deal_id] for deal_id in self.asked if deal_id in listed)

    def proposed(self) -> set[str]:
        """Return the deals that the answer put into packages."""
        return {deal_id for proposal in self.outcome.proposals for deal_id in proposal.deal_ids}


def _known(deals: Sequence[Deal], clustering: Clustering, outcomes: Mapping[str, Outcome]) -> list[_Known]:
    return [
        _about(deals, cluster, outcome)
        for cluster in clustering.clusters
        if (outcome := outcomes.get(cluster.id))
    ]


def _about(deals: Sequence[Deal], cluster: Cluster, outcome: Outcome) -> _Known:
    asked = set(outcome.deal_ids)
    inside = [deals[index].deal_id for index in cluster.members]
    return _Known(
        outcome,
        tuple(deal_id for deal_id in inside if deal_id in asked),
        tuple(deal_id for deal_id in inside if deal_id not in asked),
    )


def _note_clusters(
    deals: Sequence[Deal],
    clustering: Clustering,
    outcomes: Mapping[str, Outcome],
    note: Callable[[State, _Reasons], None],
) -> None:
    known = _known(deals, clustering, outcomes)
    answered = [item for item in known if item.answered]
    left = [one for item in answered for one in item.unpackaged()]
    for item in answered:  # before those to review: what was in a package is not only in smaller ones
        taken = item.proposed()
        note("removed_by_analyst", ((one, "Taken out of its package.") for one in item.asked if one in taken))
    note("needs_review", ((one.deal_id, one.reason) for one in left if one.proposed))
    note("excluded_by_model", ((one.deal_id, one.reason) for one in left if not one.omitted))
    note("omitted_by_model", ((one.deal_id, one.reason) for one in left))
    for item in answered:
        note(
            "omitted_by_model",
            ((one, "The answer about its cluster does not name it.") for one in item.asked),
        )
    for item in known:
        if item.outcome.status == "failed":
            note("cluster_failed", ((one, item.outcome.error or "No reason is known.") for one in item.asked))
    note("left_out_by_filter", ((deals[one.index].deal_id, one.reason) for one in clustering.left_over))
    for item in answered:
        note("not_sent", ((one, JOINED_LATER) for one in item.later))
    for item in known:  # a run that stopped before this cluster says why
        error = item.outcome.error
        note("not_sent", ((deal_id, error) for deal_id in item.asked if error))
    note("not_sent", ((deal.deal_id, "Its cluster has not been proposed for yet.") for deal in deals))


def open_proposals(
    deals: Sequence[Deal],
    clustering: Clustering | None,
    outcomes: Mapping[str, Outcome],
    packages: Iterable[Package],
) -> tuple[OpenProposal, ...]:
    """Return the proposals that were not made, without the deals that packages hold since."""
    if clustering is None:
        return ()
    packaged = {deal_id for package in packages for deal_id in package.deal_ids}
    found: dict[tuple[str, str], list[Unpackaged]] = {}
    for item in _known(deals, clustering, outcomes):
        for one in item.unpackaged() if item.answered else ():
            if one.proposed and one.deal_id not in packaged:
                found.setdefault((item.outcome.cluster_id, one.proposed), []).append(one)
    return tuple(
        OpenProposal(cluster_id, name, tuple(one.deal_id for one in listed), listed[0].reason)
        for (cluster_id, name), listed in found.items()
    )


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
        or (outcome.status == "done" and _about(deals, cluster, outcome).later)
    )


# --- counts -----------------------------------------------------------------------------------


def count_states(states: Iterable[DealState]) -> dict[State, int]:
    """Count deals per state, in the order of STATE_WORDS, without the states no deal has."""
    counts = Counter(item.state for item in states)
    return {state: counts[state] for state in STATE_WORDS if counts[state]}


def reconcile(
    packages: Iterable[Package], deals: Iterable[Deal], unmade: Sequence[OpenProposal] = ()
) -> Reconciliation:
    """Count what became of all packages, and of the proposals that were not made (`open_proposals`)."""
    packages, loaded = tuple(packages), {deal.deal_id for deal in deals}
    small = {package.id for package in packages if _needs_review(package, loaded)}
    counts = Counter(package.status for package in packages if package.id not in small)
    return Reconciliation(
        proposed=len(packages) + len(unmade),
        approved=counts["approved"],
        rejected=counts["rejected"],
        pending=counts["pending"],
        needs_review=len(small) + len(unmade),
    )
