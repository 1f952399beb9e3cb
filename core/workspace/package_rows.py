"""The packages of a run in the database: which of them count, and what takes their place."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core.deals import Deal
from core.packages import Edit, Package, Reject, RemoveDeals, Reopen, apply_edit, package_from_proposal
from core.packages.edits import recounted
from core.proposals import Outcome
from core.workspace.database import log_event
from core.workspace.schema import DealRow, PackageRow, RunRow


def package_of(row: PackageRow) -> Package:
    """Return the package of a row."""
    return Package.from_dict(row.package)


def standing(session: Session, run_id: str) -> list[PackageRow]:
    """Return the packages that nothing replaced, in order."""
    return list(session.scalars(_standing(run_id)))


def _standing(run_id: str) -> Select[PackageRow]:
    return (
        select(PackageRow)
        .where(PackageRow.run_id == run_id, PackageRow.replaced.is_(False))
        .order_by(PackageRow.position)
    )


def current(session: Session, run_id: str) -> list[PackageRow]:
    """Return the packages that count, in order: no replaced ones, no untouched ones of other clusters.

    A cluster that deals joined later keeps its id, and so does what is left when they leave it again:
    a suggestion that names deals its cluster does not hold now was made for another cluster.
    """
    rows = standing(session, run_id)
    members = _members(session, run_id)
    return [
        row
        for row in rows
        if not is_untouched(row)
        or members.get(row.package["cluster_id"], frozenset()).issuperset(row.package["deal_ids"])
    ]


def _members(session: Session, run_id: str) -> dict[str, frozenset[str]]:
    """Return the deal ids of each cluster of the run, by cluster id."""
    clustering = session.scalar(select(RunRow.clustering).where(RunRow.id == run_id))
    if not clustering:
        return {}
    ids = dict(
        session.execute(select(DealRow.position, DealRow.deal_id).where(DealRow.run_id == run_id)).all()
    )
    return {
        cluster["id"]: frozenset(ids[index] for index in cluster["members"])
        for cluster in clustering["clusters"]
    }


def is_untouched(row: PackageRow) -> bool:
    """Whether a package is as it was suggested."""
    return package_of(row).untouched


def add(session: Session, run_id: str, package: Package, position: int | None = None) -> None:
    """Add a package; position: its place in the order, None = after all others."""
    if position is None:
        last = session.scalar(select(func.max(PackageRow.position)).where(PackageRow.run_id == run_id))
        position = 0 if last is None else last + 1
    session.add(
        PackageRow(
            id=package.id,
            run_id=run_id,
            position=position,
            version=package.version,
            package=package.to_dict(),
        )
    )
    session.flush()


def of_cluster(session: Session, run_id: str, cluster_id: str) -> list[PackageRow]:
    """Return the standing packages that were proposed for a cluster."""
    own = PackageRow.package["cluster_id"].as_string() == cluster_id
    return list(session.scalars(_standing(run_id).where(own)))


def suggest(session: Session, run_id: str, outcome: Outcome) -> None:
    """Make the proposals of an outcome packages; they replace the untouched ones of their cluster."""
    for row in of_cluster(session, run_id, outcome.cluster_id):
        row.replaced = row.replaced or is_untouched(row)
    for proposal in outcome.proposals:
        source = proposal.source or outcome.proposal_source
        add(session, run_id, package_from_proposal(proposal, source=source, cluster_id=outcome.cluster_id))


def take_back(
    session: Session,
    row: PackageRow,
    renewed: Collection[str],
    gone: Collection[str],
    former: Mapping[str, Deal],
    deals: Mapping[str, Deal],
    who: str,
) -> str | None:
    """Take back the decision on a package whose deals changed or are gone; return its name if it had any.

    renewed, gone: ids of those deals. former, deals: the deals by id, before and now. A suggestion
    nobody touched goes: its words were about the former deals. In every other case the package gets a
    new version, so that a page drawn before cannot decide on what it does not show.
    """
    package = package_of(row)
    lost = tuple(deal_id for deal_id in package.deal_ids if deal_id in gone)
    if not (lost or not set(package.deal_ids).isdisjoint(renewed)):
        return None
    if is_untouched(row):
        row.replaced = True
        return None
    edit: Edit = Reopen()
    if lost:
        edit = RemoveDeals(lost) if len(lost) < len(package.deal_ids) else Reject()
    after = apply_edit(package, edit, deals=deals, who=who)
    after = recounted(package, dataclasses.replace(after, reasoning=package.reasoning), former, deals)
    after = dataclasses.replace(after, version=package.version + 1)
    row.package, row.version = after.to_dict(), after.version
    what = f"{edit}: a newer file {'lacks' if lost else 'changed'} deals of it"
    log_event(session, row.run_id, what, who=who, before=package, after=after)
    return package.name
