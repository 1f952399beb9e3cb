"""The packages of a run in the database: which of them count, what takes their place, and their trail.

Whatever makes, changes or retires a package is an event with the package before and after it: all
events in a row give the packages that stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.orm import Session

from core import clock
from core.deals import Deal
from core.packages import Change, Package
from core.packages.edits import with_newer_deals
from core.proposals import Outcome, package_from_proposal
from core.storage import clusterings
from core.storage.database import get_run
from core.storage.schema import DealRow, EventRow, PackageRow, RunRow

# What an event about a package tells: it was there when the trail began, it was suggested, or went for a
# newer suggestion; a command of an analyst, taken back or made again; a newer file.
Kind = Literal["begun", "suggested", "replaced", "command", "undo", "redo", "file"]

# Members of clusters are kept in memory for so many runs, about a megabyte each at 10,000 deals.
_RUNS_KEPT = 32


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
        .order_by(PackageRow.position, PackageRow.id)
    )


class ClusterMembers:
    """Which deals the clusters of a run hold, read once for each clustering of its history."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, dict[str, frozenset[str]]]] = {}

    def of(self, session: Session, run_id: str) -> dict[str, frozenset[str]]:
        """Return the deal ids of each cluster of the run, by cluster id.

        Not for a transaction that changed the clusters: it may yet be rolled back.
        """
        newest = clusterings.newest(session, run_id)
        known = self._known.get(run_id)
        if known is None or known[0] != newest:
            known = (newest, _members(session, run_id))
            self._known[run_id] = known
            for oldest in list(self._known)[:-_RUNS_KEPT]:
                self._known.pop(oldest, None)
        return known[1]


def _members(session: Session, run_id: str) -> dict[str, frozenset[str]]:
    clustering = session.scalar(select(RunRow.clustering).where(RunRow.id == run_id))
    if not clustering:
        return {}
    in_order = select(DealRow.deal_id).where(DealRow.run_id == run_id).order_by(DealRow.position)
    ids = session.scalars(in_order).all()  # positions count from 0 without a gap
    return {
        cluster["id"]: frozenset(ids[index] for index in cluster["members"])
        for cluster in clustering["clusters"]
    }


def current(session: Session, run_id: str, clusters: ClusterMembers) -> list[dict[str, Any]]:
    """Return the packages that count, as saved and in order: no untouched ones of other clusters.

    A cluster that deals joined later keeps its id, and so does what is left when they leave it again:
    a suggestion that names deals its cluster does not hold now was made for another cluster.
    """
    saved = _standing(run_id).with_only_columns(PackageRow.package)
    members = clusters.of(session, run_id)
    return [package for package in session.scalars(saved) if _counts(package, members)]


def count_current(session: Session, run_id: str, clusters: ClusterMembers) -> Counter[str]:
    """Count the packages that count by their status; those an analyst touched are counted in the database."""
    saved = PackageRow.package
    untouched = (PackageRow.version == 1) & saved["edited"].as_boolean().is_(False)
    status = saved["status"].as_string()
    settled = _standing(run_id).with_only_columns(status, func.count()).where(~untouched).order_by(None)
    counts: Counter[str] = Counter(dict(session.execute(settled.group_by(status)).all()))
    members: Mapping[str, frozenset[str]] = {}
    suggested = _standing(run_id).with_only_columns(status, saved["cluster_id"], saved["deal_ids"])
    for kind, cluster_id, deal_ids in session.execute(suggested.where(untouched)):
        members = members or clusters.of(session, run_id)
        counts[kind] += members.get(cluster_id, frozenset()).issuperset(deal_ids)
    return counts


def current_rows(
    session: Session, run_id: str, package_ids: Collection[str], clusters: ClusterMembers
) -> dict[str, PackageRow]:
    """Return those of these packages that count, by id."""
    rows = session.scalars(_standing(run_id).where(PackageRow.id.in_(package_ids))).all()
    members = clusters.of(session, run_id)
    return {row.id: row for row in rows if _counts(row.package, members)}


def _counts(package: Mapping[str, Any], members: Mapping[str, frozenset[str]]) -> bool:
    untouched = package["version"] == 1 and not package["edited"]
    return not untouched or members.get(package["cluster_id"], frozenset()).issuperset(package["deal_ids"])


def is_untouched(row: PackageRow) -> bool:
    """Whether a package is as it was suggested."""
    return package_of(row).untouched


def of_cluster(session: Session, run_id: str, cluster_id: str) -> list[PackageRow]:
    """Return the standing packages that were proposed for a cluster."""
    own = PackageRow.package["cluster_id"].as_string() == cluster_id
    return list(session.scalars(_standing(run_id).where(own)))


# --- changes ----------------------------------------------------------------------------------


def end_of(session: Session, run_id: str) -> int:
    """Return the place of the next new package."""
    last = session.scalar(select(func.max(PackageRow.position)).where(PackageRow.run_id == run_id))
    return 0 if last is None else last + 1


def keep_changes(
    session: Session,
    run_id: str,
    changes: Collection[Change],
    *,
    who: str,
    kind: Kind,
    step_id: int | None = None,
) -> None:
    """Make packages what the changes say, with an event for each change."""
    if not changes:
        return
    ids = {change.package_id for change in changes}
    rows = {row.id: row for row in session.scalars(select(PackageRow).where(PackageRow.id.in_(ids)))}
    for change in changes:
        _keep(session, run_id, rows, change)
    at = _touch(session, run_id)
    session.add_all(
        EventRow(
            run_id=run_id,
            at=at,
            who=who,
            what=change.what,
            package_id=change.package_id,
            before=change.before.to_dict() if change.before else None,
            after=change.after.to_dict() if change.after else None,
            step_id=step_id,
            kind=kind,
            position=change.position,
        )
        for change in changes
    )
    session.flush()


def _keep(session: Session, run_id: str, rows: dict[str, PackageRow], change: Change) -> None:
    row, package = rows.get(change.package_id), change.after
    if package is None:
        if row is not None:
            row.replaced = True
    elif row is None:
        row = PackageRow(
            id=package.id,
            run_id=run_id,
            position=change.position,
            version=package.version,
            replaced=False,
            package=package.to_dict(),
        )
        rows[package.id] = row
        session.add(row)
    else:
        row.package, row.version, row.replaced = package.to_dict(), package.version, False


def _touch(session: Session, run_id: str) -> str:
    """Note when the run was saved last, and return that time. Raises WorkspaceError without such a run."""
    at = clock.timestamp()
    # Not through the row: reading one takes milliseconds.
    saved = update(RunRow).where(RunRow.id == run_id).values(saved_at=at).returning(RunRow.id)
    if session.scalar(saved.execution_options(synchronize_session=False)) is None:
        get_run(session, run_id)
    return at


def change_of(event: EventRow | Row[Any]) -> Change:
    """Return what an event tells of its package."""
    before, after = (Package.from_dict(item) if item else None for item in (event.before, event.after))
    return Change(event.package_id or "", before, after, event.position or 0, event.what)


# --- suggestions ------------------------------------------------------------------------------


def suggest(session: Session, run_id: str, outcome: Outcome) -> None:
    """Make the proposals of an outcome packages; they replace the untouched ones of their cluster."""
    replaced = [
        _gone(row, f"Replace {row.package['name']!r} by a newer answer")
        for row in of_cluster(session, run_id, outcome.cluster_id)
        if is_untouched(row)
    ]
    keep_changes(session, run_id, replaced, who=outcome.source, kind="replaced")
    place = end_of(session, run_id)
    suggested: list[Change] = []
    for proposal in outcome.proposals:
        source = proposal.source or outcome.proposal_source
        package = package_from_proposal(proposal, source=source, cluster_id=outcome.cluster_id)
        what = f"Suggest {package.name!r}"
        suggested.append(Change(package.id, None, package, place + len(suggested), what))
    keep_changes(session, run_id, suggested, who=outcome.source, kind="suggested")


def renew(session: Session, run_id: str, row: PackageRow, fresh: Package) -> None:
    """Put another suggestion in the place of one."""
    what = f"Tell {fresh.name!r} from another package of its name"
    keep_changes(session, run_id, [_gone(row, what)], who=fresh.source, kind="replaced")
    made = Change(fresh.id, None, fresh, row.position, what)
    keep_changes(session, run_id, [made], who=fresh.source, kind="suggested")


def _gone(row: PackageRow, what: str) -> Change:
    return Change(row.id, package_of(row), None, row.position, what)


# --- a newer file -----------------------------------------------------------------------------


def take_back(
    session: Session,
    run_id: str,
    renewed: Collection[str],
    gone: Collection[str],
    former: Mapping[str, Deal],
    deals: Mapping[str, Deal],
    who: str,
) -> tuple[str, ...]:
    """Take back decisions on packages whose deals changed or are gone; return the names of those packages.

    renewed, gone: ids of those deals. former, deals: the deals by id, before and now. A suggestion
    nobody touched goes: its words were about the former deals. In every other case the package gets a
    new version, so that a page drawn before cannot decide on what it does not show.
    """
    touched = frozenset(renewed) | frozenset(gone)
    changes, affected = [], []
    for row in standing(session, run_id):
        if touched.isdisjoint(row.package["deal_ids"]):
            continue
        lacks = not frozenset(gone).isdisjoint(row.package["deal_ids"])
        why = f"a newer file {'lacks' if lacks else 'changed'} deals of it"
        package = package_of(row)
        if package.untouched:
            changes.append(_gone(row, f"Drop {package.name!r}: {why}"))
            continue
        after = with_newer_deals(package, renewed, gone, former, deals, who)
        done = "Reject" if after.status == "rejected" else "Take the decision back"
        changes.append(Change(row.id, package, after, row.position, f"{done}: {why}"))
        affected.append(package.name)
    keep_changes(session, run_id, changes, who=who, kind="file")
    return tuple(affected)


def log_file(session: Session, run_id: str, what: str, who: str) -> None:
    """Tell of a newer file in the trail, so that a step made before it knows of it."""
    session.add(EventRow(run_id=run_id, at=_touch(session, run_id), who=who, what=what, kind="file"))


def trail(session: Session, run_id: str, kinds: Iterable[Kind] | None = None) -> list[EventRow]:
    """Return the events about packages that begin a trail or continue it, oldest first."""
    wanted = EventRow.kind.is_not(None) if kinds is None else EventRow.kind.in_(tuple(kinds))
    return list(
        session.scalars(
            select(EventRow)
            .where(EventRow.run_id == run_id, EventRow.package_id.is_not(None), wanted)
            .order_by(EventRow.id)
        )
    )
