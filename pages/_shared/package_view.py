"""One snapshot of a run's packages: what is true of each, which queue it waits in, where deals stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from core.clustering import Clustering
from core.coverage import (
    DealState,
    OpenProposal,
    Reconciliation,
    open_proposals,
    reconcile,
)
from core.deals import Deal
from core.packages import Package
from core.packages.checks import RULES, Others, check_package
from core.packages.fact_sheet import package_facts
from core.packages.sheet import PackageSheet
from core.proposals import Outcome
from core.settings import MIN_PACKAGE_DEALS
from core.storage import RunSummary
from core.wording.findings import SEVERITIES, CheckRules, Finding, open_errors
from pages._shared import state
from pages._shared.proposing_panel import ProposalView
from pages._shared.services import workspace

Queue = Literal["pending", "needs_review", "again", "approved", "rejected", "all"]

# Queue -> its word. The first is where a review begins.
QUEUE_WORDS: dict[Queue, str] = {
    "pending": "Pending",
    "needs_review": "Needs review",
    "again": "Approve again",
    "approved": "Approved",
    "rejected": "Rejected",
    "all": "All",
}
# Queues that are there only when something waits in them.
RARE_QUEUES: frozenset[Queue] = frozenset({"needs_review", "again"})

_PLACES = {code: place for place, code in enumerate(RULES)}
_SHEETS = "package_sheets"
_FOCUS = "package_in_focus"


@dataclass(frozen=True, slots=True)
class PackageView:
    """What the parts of the page draw from.

    deals: deal id -> deal of the run. sheets: package id -> sheet, of deals that the run has.
    others: the standing packages, for checks. unmade: proposals that became no package.
    by_id: package id -> package. proposing: the clusters and what came of them; None without clusters.
    """

    run: RunSummary
    deals: Mapping[str, Deal]
    packages: tuple[Package, ...]
    sheets: Mapping[str, PackageSheet]
    others: Others
    rules: CheckRules
    states: tuple[DealState, ...]
    unmade: tuple[OpenProposal, ...]
    reconciliation: Reconciliation
    proposing: ProposalView | None
    by_id: Mapping[str, Package]

    def errors(self, package: Package) -> tuple[Finding, ...]:
        """Return the errors that keep a package from being approved, () when it is approved."""
        if package.status == "approved":
            return ()
        return open_errors(self.sheets[package.id].findings, package.overrides)

    def is_small(self, package: Package) -> bool:
        """Whether a pending package has fewer deals than a package takes."""
        return package.status == "pending" and len(self.sheets[package.id].members) < MIN_PACKAGE_DEALS

    def queue(self, name: Queue) -> list[Package]:
        """Return the packages of a queue, worst first.

        By the worst rule that is broken, in the order of the rules, then by errors, warnings and size.
        """
        return sorted(filter(lambda package: self._waits(package, name), self.packages), key=self._badness)

    def _waits(self, package: Package, name: Queue) -> bool:
        if name == "all":
            return True
        if name == "again":
            return bool(package.changed)
        if name == "needs_review":
            return self.is_small(package)
        return package.status == name and not self.is_small(package)

    def _badness(self, package: Package) -> tuple[int, int, int, int]:
        findings = self.sheets[package.id].findings
        severities = [finding.severity for finding in findings]
        errors, warnings = (severities.count(severity) for severity in SEVERITIES[:2])
        worst = _PLACES[findings[0].code] if errors else len(_PLACES)
        return worst, -errors, -warnings, -len(package.deal_ids)

    def count(self, name: Queue) -> int:
        """Return how many wait in a queue; proposals that became no package need review as well."""
        waiting = sum(self._waits(package, name) for package in self.packages)
        return waiting + (len(self.unmade) if name == "needs_review" else 0)


def package_view(run: RunSummary) -> PackageView:
    """Read the run, and work out only what changed since the session read it last."""
    store = workspace()
    clustering, outcomes = store.clustering(run.id), store.outcomes(run.id)
    packages, rules = store.packages(run.id), store.check_rules(run.id)
    listed = state.deals_of(run.id)
    deals = state.remembered(
        "deals_by_id", (run.id, run.loads), lambda: {deal.deal_id: deal for deal in listed}
    )
    versions = tuple((package.id, package.version) for package in packages)
    standing = (run.id, run.loads, store.newest_clustering(run.id), hash(tuple(outcomes.items())), versions)
    others = state.remembered("others", (run.id, versions), lambda: Others.of(packages))
    unmade = state.remembered(
        "unmade", standing, lambda: open_proposals(listed, clustering, outcomes, packages)
    )
    return PackageView(
        run=run,
        deals=deals,
        packages=packages,
        sheets=_sheets(run, packages, deals, rules, others),
        others=others,
        rules=rules,
        states=state.remembered(
            "states", standing, lambda: state.states_of(run.id, clustering, outcomes, packages)
        ),
        unmade=unmade,
        reconciliation=reconcile(packages, listed, unmade),
        proposing=_proposing(run, listed, clustering, outcomes, packages),
        by_id={package.id: package for package in packages},
    )


def _proposing(
    run: RunSummary,
    deals: tuple[Deal, ...],
    clustering: Clustering | None,
    outcomes: Mapping[str, Outcome],
    packages: tuple[Package, ...],
) -> ProposalView | None:
    if clustering is None or not clustering.clusters:
        return None
    return ProposalView(run, deals, clustering, workspace().quality(run.id), outcomes, packages)


def _sheets(
    run: RunSummary,
    packages: Sequence[Package],
    deals: Mapping[str, Deal],
    rules: CheckRules,
    others: Others,
) -> dict[str, PackageSheet]:
    """Return the sheets; one that nothing touched since the last rerun is not worked out again."""
    known: dict[str, tuple[object, PackageSheet]] = st.session_state.get(_SHEETS, {})
    fresh = {}
    for package in packages:
        question = (run.id, run.loads, rules, package.version, _company(package, others))
        entry = known.get(package.id)
        if entry is None or entry[0] != question:
            entry = (question, _sheet(package, deals, rules, others))
        fresh[package.id] = entry
    st.session_state[_SHEETS] = fresh
    return {package_id: sheet for package_id, (_, sheet) in fresh.items()}


def _company(package: Package, others: Others) -> object:
    """Return what the checks of a package depend on beside itself: names like its own, and shared deals."""
    alike = [one for ids in others.names.collisions(package.name, package.id) for one in ids]
    sharing = others.sharing(package)
    names = {one: others.names.names[one] for ids in (alike, *sharing.values()) for one in ids}
    return alike, sharing, names


def _sheet(package: Package, deals: Mapping[str, Deal], rules: CheckRules, others: Others) -> PackageSheet:
    """Return the sheet over the deals that are there: a newer file may have taken those of a rejected one."""
    members = tuple(deals[deal_id] for deal_id in package.deal_ids if deal_id in deals)
    facts = package_facts(members, floor_is_lowest_risk=rules.floor_is_lowest_risk)
    return PackageSheet(package, members, facts, check_package(package, members, rules, others))


# --- the package in focus -----------------------------------------------------------------------


def look_at(package_id: str) -> None:
    """Show this package from now on."""
    st.session_state[_FOCUS] = (package_id, 0)


def in_focus(shown: Sequence[Package]) -> int:
    """Return the place of the package to show; where it is gone, the one that came into its place."""
    package_id, place = st.session_state.get(_FOCUS, (None, 0))
    places = [package.id for package in shown]
    place = places.index(package_id) if package_id in places else min(place, len(shown) - 1)
    st.session_state[_FOCUS] = (places[place], place)
    return place


def stepper(shown: Sequence[Package], place: int) -> Callable[[], None]:
    """Return the callback that shows the package at a place."""

    def step() -> None:
        st.session_state[_FOCUS] = (shown[place].id, place)

    return step
