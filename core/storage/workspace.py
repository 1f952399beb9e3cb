"""The one way in and out of the workspace database.

Every method is one transaction: when it returns, the change is on disk with its entry in
the audit trail, and the screen may say so.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core import clock
from core.arrays import FloatArray
from core.clustering import Clustering, Links
from core.clustering.edits import ClusterEdit, apply_cluster_edit
from core.clustering.quality import Quality
from core.deals import Deal, Delta, compare_deals
from core.errors import WorkspaceError
from core.packages.compare import RunComparison, RunContent, compare_runs
from core.reading import ImportResult
from core.storage import clusterings, copies, package_rows, run_files
from core.storage.answers import forget_outcomes
from core.storage.clusterings import ClusteringVersion
from core.storage.database import ANALYST, check_loads, get_run, log_event, read_deals
from core.storage.export_log import EXPORT, ExportBook
from core.storage.job_records import JobBook
from core.storage.reviews import ReviewBook
from core.storage.schema import ArrayRow, DealRow, EventRow, PreferenceRow, RunRow


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as the list of runs shows it; times are UTC, ISO 8601.

    filename: the newest file. loads: how many files were brought in, so that a cache of the
    deals knows when they changed.
    """

    id: str
    name: str
    filename: str
    created_at: str
    saved_at: str
    deals: int
    clusters: int | None
    packages: int
    approved: int
    pending: int
    loads: int
    exported: bool


@dataclass(frozen=True, slots=True)
class DealUpdate:
    """What a second file did to a run.

    affected: names of the packages that held changed or gone deals and must be looked at again.
    """

    delta: Delta
    affected: tuple[str, ...]


class Workspace(ReviewBook, JobBook, ExportBook):
    """Runs, deals, clusters, proposals, packages and decisions.

    url: SQLAlchemy URL; the folder of a SQLite file is made when it is missing.
    Raises WorkspaceError when the database cannot be opened or used.
    """

    # --- runs ---------------------------------------------------------------------------------

    def create_run(self, result: ImportResult, filename: str, name: str | None = None) -> str:
        """Save a loaded file as a new run and return the run's id."""
        run_id, at = uuid.uuid4().hex[:12], clock.timestamp()
        with self._saving() as session:
            session.add(
                RunRow(
                    id=run_id,
                    name=name or filename,
                    filename=filename,
                    created_at=at,
                    saved_at=at,
                    report=result.to_report(),
                )
            )
            session.flush()
            _put_deals(session, run_id, result.deals)
            log_event(session, run_id, f"Load {len(result.deals)} deals from {filename}")
        return run_id

    def update_deals(
        self, run_id: str, result: ImportResult, filename: str, *, replace: bool, who: str = ANALYST
    ) -> DealUpdate:
        """Bring a second file into a run: new and changed deals, and with `replace` no other ones.

        Deals that did not change keep their cluster, vector and place on the map; new and changed
        ones are left over until they are placed; gone ones leave their clusters, whose ids stay. A
        package that an analyst edited or decided on stays; when one of its deals changed or is
        gone, its decision is taken back, and gone deals leave it (a package of gone deals alone is
        rejected). One that was approved names those deals in `Package.changed`. The audit trail tells
        each. Raises WorkspaceError when there is no such run.
        """
        with self._saving() as session:
            row = get_run(session, run_id)
            old = read_deals(session, run_id)
            delta = compare_deals(old, result.deals)
            newer = {deal.deal_id: deal for deal in result.deals}
            gone = set(delta.gone) if replace else set()
            kept = [newer.pop(deal.deal_id, deal) for deal in old if deal.deal_id not in gone]
            changed = {change.deal_id for change in delta.changed}
            # A deal that comes back after it was gone is another one to a package that still names it.
            renewed = changed | set(delta.new)
            current = [*kept, *newer.values()]
            former, present = ({deal.deal_id: deal for deal in deals} for deals in (old, current))
            affected = package_rows.take_back(session, run_id, renewed, gone, former, present, who)
            forget_outcomes(session, run_id, renewed | gone)
            session.execute(delete(DealRow).where(DealRow.run_id == run_id))
            _put_deals(session, run_id, current)
            row.filename = filename
            row.report = {
                **result.to_report(),
                "loads": clusterings.loads_of(row) + 1,
                "has_floor_rating": result.has_floor_rating
                or (not replace and _has_floor_rating(row.report)),
                "floor_is_lowest_risk": _floor_switch(row.report, result, replace=replace),
            }
            what = f"{'Replace the deals by' if replace else 'Add'} {filename}"
            moves = clusterings.Moves.between(
                (deal.deal_id for deal in old), (deal.deal_id for deal in current), changed
            )
            clusterings.bring_over(session, row, moves, what, clock.timestamp())
            counts = f"{len(delta.new)} new, {len(changed)} changed, {len(gone)} gone"
            package_rows.log_file(session, run_id, f"{what}: {counts}", who)
        return DealUpdate(delta, affected)

    def runs(self) -> list[RunSummary]:
        """Return all runs, newest first."""
        with self._reading() as session:
            # By the event of loading: `created_at` does not tell apart runs of the same second.
            loaded = func.min(EventRow.id)
            events = select(EventRow.run_id, func.max(EventRow.id)).group_by(EventRow.run_id)
            return [
                self._summary(session, run_id, newest)
                for run_id, newest in session.execute(events.order_by(loaded.desc()))
            ]

    def run(self, run_id: str) -> RunSummary:
        """Return one run. Raises WorkspaceError when there is none of this id."""
        with self._reading() as session:
            newest = session.scalar(select(func.max(EventRow.id)).where(EventRow.run_id == run_id))
            return self._summary(session, run_id, newest or 0)

    def delete_run(self, run_id: str) -> None:
        """Delete a run with everything made from it. Raises WorkspaceError when there is none."""
        with self._saving() as session:
            get_run(session, run_id)
            session.execute(delete(RunRow).where(RunRow.id == run_id))
        self._summaries.pop(run_id, None)  # a run file can bring the id back

    def rename_run(self, run_id: str, name: str) -> None:
        """Give a run another name. Raises WorkspaceError for a blank one."""
        if not name.strip():
            raise WorkspaceError("A run needs a name: write one before you save.")
        with self._saving() as session:
            row = get_run(session, run_id)
            log_event(session, run_id, f"Rename the run to {name.strip()!r}")
            row.name = name.strip()

    @cached_property
    def _summaries(self) -> dict[str, tuple[int, RunSummary]]:
        return {}

    def _summary(self, session: Session, run_id: str, newest_event: int) -> RunSummary:
        """Return a run as it is after its newest event: whatever a summary tells, an event tells too."""
        known = self._summaries.get(run_id)
        if known is None or known[0] != newest_event:
            known = self._summaries[run_id] = (newest_event, self._count(session, run_id))
        return known[1]

    def _count(self, session: Session, run_id: str) -> RunSummary:
        row = get_run(session, run_id)
        deals = session.scalar(select(func.count()).where(DealRow.run_id == run_id)) or 0
        statuses = package_rows.count_current(session, run_id, self._clusters)
        exported = select(EventRow.id).where(EventRow.run_id == run_id, EventRow.what.startswith(EXPORT))
        return RunSummary(
            id=row.id,
            name=row.name,
            filename=row.filename,
            created_at=row.created_at,
            saved_at=row.saved_at,
            deals=deals,
            clusters=clusterings.count(session, row),
            packages=statuses.total(),
            approved=statuses["approved"],
            pending=statuses["pending"],
            loads=clusterings.loads_of(row),
            exported=session.scalar(exported.limit(1)) is not None,
        )

    # --- copies -------------------------------------------------------------------------------

    def duplicate_run(self, run_id: str, name: str, who: str = ANALYST) -> str:
        """Copy a run with everything made from it, and return the id of the copy.

        Only work under way is not copied. Raises WorkspaceError for a blank name.
        """
        if not name.strip():
            raise WorkspaceError("A run needs a name: write one before you duplicate.")
        with self._saving() as session:
            former = get_run(session, run_id).name
            copy_id = copies.copy_run(session, session, run_id)
            get_run(session, copy_id).name = name.strip()
            log_event(session, copy_id, f"Duplicate the run {former!r}", who=who)
        return copy_id

    def export_workspace(self, run_id: str, file: Path) -> None:
        """Write a run with everything made from it into a file that `import_workspace` opens elsewhere.

        It holds no preferences and no key. Raises WorkspaceError when the name does not end in
        `.dealweaver`, or the file cannot be written; one that was there before then stays.
        """
        with self._reading() as source, run_files.new_file(file) as target:
            copies.copy_run(source, target, run_id)

    def import_workspace(self, file: Path, filename: str | None = None) -> str:
        """Add the run of a file that `export_workspace` wrote, here or elsewhere, and return its id.

        filename: what to call the file in errors. Run and packages keep their ids where this workspace
        has no such ids. Raises WorkspaceError when the file is no sound workspace of one run, of this
        version or an older one; nothing was added then.
        """
        opened = run_files.opened_file(file, filename or file.name)
        with opened as (source, run_id), self._saving() as target:
            return copies.copy_run(source, target, run_id)

    def compare_runs(self, before_id: str, after_id: str) -> RunComparison:
        """Tell what differs between the deals and packages of two runs."""
        before, after = (
            RunContent(self.deals(run_id), self.packages(run_id)) for run_id in (before_id, after_id)
        )
        return compare_runs(before, after)

    # --- deals --------------------------------------------------------------------------------

    def deals(self, run_id: str) -> tuple[Deal, ...]:
        """Return the deals of a run in the order of the file."""
        with self._reading() as session:
            return read_deals(session, run_id)

    def import_report(self, run_id: str) -> ImportResult:
        """Return what was read, repaired and refused when the newest file was loaded."""
        with self._reading() as session:
            report = get_run(session, run_id).report
        return ImportResult.from_report(self.deals(run_id), report)

    # --- vectors and map ----------------------------------------------------------------------

    def save_array(
        self,
        run_id: str,
        kind: str,
        rows: FloatArray,
        *,
        loads: int | None = None,
        made_by: str | None = None,
    ) -> None:
        """Keep (n, d) float32; kind names what it is, one of those of `clusterings`.

        Vectors and map have one row for each deal, in deal order. made_by: name of the vectors' model;
        what was drawn from vectors of another one goes with them.
        loads: `RunSummary.loads` when the deals were read. Raises WorkspaceError when another file
        came into the run since: the rows would belong to other deals.
        """
        with self._saving() as session:
            check_loads(get_run(session, run_id), loads)
            if kind == clusterings.VECTORS:
                of_others = ArrayRow.made_by.is_not(None), ArrayRow.made_by.is_distinct_from(made_by)
                if session.scalar(select(ArrayRow.kind).where(ArrayRow.run_id == run_id, *of_others)):
                    session.execute(delete(ArrayRow).where(ArrayRow.run_id == run_id))
            session.merge(
                ArrayRow(
                    run_id=run_id,
                    kind=kind,
                    columns=rows.shape[1],
                    data=np.ascontiguousarray(rows, dtype=np.float32).tobytes(),
                    made_by=made_by,
                )
            )

    def array(self, run_id: str, kind: str) -> FloatArray | None:
        """Return what `save_array` kept, None when there is nothing yet.

        Rows of vectors and map are NaN for deals that came or changed with a newer file.
        """
        with self._reading() as session:
            return _read_array(session, run_id, kind)

    def made_by(self, run_id: str) -> str | None:
        """Return the name of the model that the run's vectors are of, None when nobody noted it."""
        with self._reading() as session:
            own = ArrayRow.run_id == run_id, ArrayRow.kind == clusterings.VECTORS
            return session.scalar(select(ArrayRow.made_by).where(*own))

    # --- clusters -----------------------------------------------------------------------------

    def save_clustering(
        self,
        run_id: str,
        clustering: Clustering,
        *,
        loads: int | None = None,
        quality: Quality | None = None,
        what: str = clusterings.BUILD,
        since: int | None = None,
    ) -> None:
        """Make this the run's clustering and add it to the history; `loads` as in `save_array`.

        what: how it came about, for history and audit trail. since: `newest_clustering` when the
        work on it began. Suggestions nobody touched go with the clusters they were made for, and
        come back with them; packages an analyst edited or decided on stay.
        Raises WorkspaceError when the clusters were changed since.
        """
        with self._saving() as session:
            row = get_run(session, run_id)
            check_loads(row, loads)
            _check_newest(session, run_id, since)
            words = f"Build {len(clustering.clusters)} clusters" if what == clusterings.BUILD else what
            self._put_clustering(session, row, clustering, quality, what, words=words)

    def save_quality(
        self, run_id: str, quality: Quality, *, loads: int | None = None, since: int | None = None
    ) -> None:
        """Keep figures of the run's clustering; `loads` and `since` as in `save_clustering`."""
        with self._saving() as session:
            row = get_run(session, run_id)
            check_loads(row, loads)
            _check_newest(session, run_id, since)
            clusterings.put_quality(session, row, quality)

    def clustering(self, run_id: str) -> Clustering | None:
        """Return the run's clustering, None before the first."""
        with self._reading() as session:
            return clusterings.current(get_run(session, run_id))

    def quality(self, run_id: str) -> Quality | None:
        """Return the figures of the run's clusters, None when none was measured.

        Clusters that changed since have no figures; a note says how many those are.
        """
        with self._reading() as session:
            row = get_run(session, run_id)
            clusters = len(row.clustering["clusters"]) if row.clustering else 0
            return clusterings.for_display(clusterings.measured(row), clusters)

    def newest_clustering(self, run_id: str) -> int:
        """Return the id of the newest clustering of the history, 0 for none."""
        with self._reading() as session:
            return clusterings.newest(session, run_id)

    def clusterings(self, run_id: str) -> tuple[ClusteringVersion, ...]:
        """Return the newest 20 clusterings of the run, newest first; the first is the current one.

        Another file begins the history anew, with what it left of the clusters.
        """
        with self._reading() as session:
            return clusterings.versions(session, get_run(session, run_id))

    def clustering_version(self, run_id: str, version_id: int) -> Clustering:
        """Return a clustering of the history. Raises WorkspaceError when it is not there any more."""
        with self._reading() as session:
            row = clusterings.version(session, get_run(session, run_id), version_id)
            return Clustering.from_dict(row.clustering)

    def restore_clustering(self, run_id: str, version_id: int, who: str = ANALYST) -> None:
        """Make a clustering of the history the run's own again, with the links it had.

        Raises WorkspaceError when it is not there any more.
        """
        with self._saving() as session:
            row = get_run(session, run_id)
            kept = clusterings.version(session, row, version_id)
            quality = Quality.from_dict(kept.quality) if kept.quality else None
            what = f"Go back to the {kept.clusters} clusters of {kept.created_at}"
            self._put_clustering(session, row, Clustering.from_dict(kept.clustering), quality, what, who=who)

    def edit_clusters(self, run_id: str, edit: ClusterEdit, who: str = ANALYST) -> Clustering:
        """Change the run's clusters by hand and return them; the next build keeps to it.

        Clusters the edit leaves as they are keep id and figures. Raises WorkspaceError when there
        are no clusters, or when deals are new and must be placed first, ClusteringError when the
        edit is not allowed.
        """
        with self._saving() as session:
            row = get_run(session, run_id)
            before, deals = clusterings.needed(row), read_deals(session, run_id)
            vectors = _vectors_for(session, run_id, deals, edit)
            after = apply_cluster_edit(before, deals, vectors, edit)
            if after is not before:
                same_places = {index: index for index in range(len(deals))}
                quality = clusterings.keep_quality(clusterings.measured(row), before, after, same_places)
                self._put_clustering(session, row, after, quality, str(edit), who=who)
            return after

    def forget_links(self, run_id: str, who: str = ANALYST) -> None:
        """Drop what the analyst decided about single deals; the clusters stay until the next build.

        Raises WorkspaceError when there are no clusters.
        """
        with self._saving() as session:
            row = get_run(session, run_id)
            before = clusterings.needed(row)
            if before.links:
                after = dataclasses.replace(before, links=Links())
                what = "Forget the decisions about single deals"
                self._put_clustering(session, row, after, clusterings.measured(row), what, who=who)

    def _put_clustering(
        self,
        session: Session,
        row: RunRow,
        clustering: Clustering,
        quality: Quality | None,
        what: str,
        *,
        words: str | None = None,
        who: str = ANALYST,
    ) -> None:
        clusterings.put(session, row, clustering, quality, what, clock.timestamp())
        log_event(session, row.id, words or what, who=who)

    # --- audit, preferences -------------------------------------------------------------------

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """Return the audit trail, oldest first."""
        # Without the packages before and after: a page reads the trail at every click.
        told = select(EventRow.at, EventRow.who, EventRow.what, EventRow.package_id)
        with self._reading() as session:
            rows = session.execute(told.where(EventRow.run_id == run_id).order_by(EventRow.id)).mappings()
            return [dict(row) for row in rows]

    def preference(self, name: str, default: str) -> str:
        """Return a setting that was changed on the screen, else the default."""
        with self._reading() as session:
            row = session.get(PreferenceRow, name)
            return row.value if row else default

    def set_preference(self, name: str, value: str | None) -> None:
        """Keep a setting; None forgets it."""
        with self._saving() as session:
            session.execute(delete(PreferenceRow).where(PreferenceRow.name == name))
            if value is not None:
                session.add(PreferenceRow(name=name, value=value))


def _has_floor_rating(report: Mapping[str, Any]) -> bool:
    return bool(report.get("has_floor_rating", False))


def _floor_switch(former: Mapping[str, Any], result: ImportResult, *, replace: bool) -> bool:
    """Return whether "Floor" means the lowest risk in the deals of a run after a newer file.

    Files that say nothing about Floor do not count; where two disagree, it keeps its usual meaning.
    """
    files = [(result.has_floor_rating, result.floor_is_lowest_risk)]
    if not replace:
        files.append((_has_floor_rating(former), former.get("floor_is_lowest_risk", False)))
    said = [switch for rated, switch in files if rated]
    return bool(said) and all(said)


def _check_newest(session: Session, run_id: str, since: int | None) -> None:
    if since is not None and clusterings.newest(session, run_id) != since:
        raise WorkspaceError("The clusters were changed meanwhile, and those changes stay: start again.")


def _read_array(session: Session, run_id: str, kind: str) -> FloatArray | None:
    row = session.get(ArrayRow, (run_id, kind))
    return None if row is None else clusterings.rows_of(row)


def _vectors_for(session: Session, run_id: str, deals: Sequence[Deal], edit: ClusterEdit) -> FloatArray:
    """Return the vectors of all deals. Raises WorkspaceError when a deal of the edit has none yet."""
    vectors = _read_array(session, run_id, clusterings.VECTORS)
    known = clusterings.known_rows(vectors, len(deals))
    if vectors is None or not known.any():
        raise WorkspaceError("The deals have no vectors yet: build the clusters again.")
    wanted = set(edit.deal_ids)
    unread = [
        deal.deal_id for deal, has in zip(deals, known, strict=True) if not has and deal.deal_id in wanted
    ]
    if unread:
        raise WorkspaceError(f"{unread[0]} came or changed with the newest file: place the new deals first.")
    return vectors


def _put_deals(session: Session, run_id: str, deals: Iterable[Deal]) -> None:
    session.add_all(
        DealRow(run_id=run_id, position=position, deal_id=deal.deal_id, record=deal.to_dict())
        for position, deal in enumerate(deals)
    )
