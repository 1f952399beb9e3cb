"""The clusterings of a run: the current one, those before it, and what a newer file leaves of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.arrays import FloatArray
from core.clustering import Clustering, ClusteringSettings, LeftOver
from core.clustering.cluster import Cluster
from core.clustering.quality import Quality
from core.errors import WorkspaceError
from core.storage.schema import ArrayRow, ClusteringRow, RunRow

# Kinds of arrays. The first two have a row for each deal, NaN for a deal that has none yet.
VECTORS = "vectors"
MAP = "map"
OUTLINE = "outline"
_ROWS_OF_DEALS = (VECTORS, MAP)

NEW_DEAL = "New since the clusters were built: place it, or build the clusters again."
CHANGED_DEAL = "Changed since the clusters were built: place it, or build the clusters again."
# Reasons of left-over deals that no clustering has looked at yet.
WAITING = (NEW_DEAL, CHANGED_DEAL)

BUILD = "Build"
# Clusterings kept for each run: a day of trying settings, and a few megabytes at 10,000 deals.
_KEPT = 20


@dataclass(frozen=True, slots=True)
class ClusteringVersion:
    """A clustering the run has or had, without its members.

    created_at: UTC, ISO 8601. what: the words of what made it. clusters, left_over: how many.
    """

    id: int
    created_at: str
    what: str
    clusters: int
    left_over: int
    settings: ClusteringSettings
    quality: Quality | None


# --- reading and keeping ----------------------------------------------------------------------


def current(row: RunRow) -> Clustering | None:
    """Return the run's clustering, None before the first."""
    return None if row.clustering is None else Clustering.from_dict(row.clustering)


def needed(row: RunRow) -> Clustering:
    """Return the run's clustering. Raises WorkspaceError before the first."""
    found = current(row)
    if found is None:
        raise WorkspaceError("There are no clusters yet: build them first.")
    return found


def measured(row: RunRow) -> Quality | None:
    """Return the figures of the run's clustering as they were measured."""
    saved = (row.clustering or {}).get("quality")
    return None if saved is None else Quality.from_dict(saved)


def for_display(quality: Quality | None, clusters: int) -> Quality | None:
    """Say in the notes how many of the clusters lack figures."""
    if quality is None or len(quality.clusters) >= clusters:
        return quality
    missing = clusters - len(quality.clusters)
    note = f"Clusters without figures, because they changed since: {missing}. Measure again."
    return replace(quality, notes=(*quality.notes, note))


def newest(session: Session, run_id: str) -> int:
    """Return the id of the newest clustering in the history, 0 for none."""
    found = select(func.max(ClusteringRow.id)).where(ClusteringRow.run_id == run_id)
    return session.scalar(found) or 0


def count(session: Session, row: RunRow) -> int | None:
    """Return how many clusters the run has, None before the first clustering."""
    kept = select(ClusteringRow.clusters).where(ClusteringRow.run_id == row.id)
    found = session.scalar(kept.order_by(ClusteringRow.id.desc()).limit(1))
    if found is None and row.clustering is not None:  # of a version without a history
        found = len(row.clustering["clusters"])
    return found


def put(
    session: Session, row: RunRow, clustering: Clustering, quality: Quality | None, what: str, at: str
) -> None:
    """Make a clustering the run's current one, and add it to the history."""
    if row.clustering is not None and not newest(session, row.id):
        # The database is of a version without a history: the way back must stay open.
        _add(session, row, needed(row), measured(row), BUILD, row.saved_at)
    _add(session, row, clustering, quality, what, at)
    row.clustering = {**clustering.to_dict(), "quality": quality.to_dict() if quality else None}
    ids = select(ClusteringRow.id).where(ClusteringRow.run_id == row.id).order_by(ClusteringRow.id.desc())
    session.execute(delete(ClusteringRow).where(ClusteringRow.id.in_(session.scalars(ids).all()[_KEPT:])))


def put_quality(session: Session, row: RunRow, quality: Quality) -> None:
    """Keep figures of the current clustering, which is the newest of the history."""
    row.clustering = {**(row.clustering or {}), "quality": quality.to_dict()}
    kept = session.get(ClusteringRow, newest(session, row.id))
    if kept is not None:
        kept.quality = quality.to_dict()


def versions(session: Session, row: RunRow) -> tuple[ClusteringVersion, ...]:
    """Return the history, newest first, without the members of clusters: they take long to read."""
    found = session.execute(
        select(
            ClusteringRow.id,
            ClusteringRow.created_at,
            ClusteringRow.what,
            ClusteringRow.clusters,
            ClusteringRow.left_over,
            ClusteringRow.settings,
            ClusteringRow.quality,
        )
        .where(ClusteringRow.run_id == row.id, ClusteringRow.loads == loads_of(row))
        .order_by(ClusteringRow.id.desc())
    )
    return tuple(
        ClusteringVersion(
            id=item.id,
            created_at=item.created_at,
            what=item.what,
            clusters=item.clusters,
            left_over=item.left_over,
            settings=ClusteringSettings.from_dict(item.settings),
            quality=for_display(Quality.from_dict(item.quality), item.clusters) if item.quality else None,
        )
        for item in found
    )


def version(session: Session, row: RunRow, version_id: int) -> ClusteringRow:
    """Return one clustering of the history. Raises WorkspaceError when it is not there (any more)."""
    kept = session.get(ClusteringRow, version_id)
    if kept is None or kept.run_id != row.id or kept.loads != loads_of(row):
        raise WorkspaceError(
            "These earlier clusters are not kept any more: reload the page and choose other ones."
        )
    return kept


def loads_of(row: RunRow) -> int:
    """Return how many files were brought into the run."""
    loads: int = row.report.get("loads", 1)
    return loads


def _add(
    session: Session, row: RunRow, clustering: Clustering, quality: Quality | None, what: str, at: str
) -> None:
    session.add(
        ClusteringRow(
            run_id=row.id,
            created_at=at,
            what=what,
            loads=loads_of(row),
            clusters=len(clustering.clusters),
            left_over=len(clustering.left_over),
            settings=clustering.settings.to_dict(),
            quality=quality.to_dict() if quality else None,
            clustering=clustering.to_dict(),
        )
    )
    session.flush()


# --- another file -----------------------------------------------------------------------------


def bring_over(session: Session, row: RunRow, moves: Moves, what: str, at: str) -> None:
    """Keep of clusters, vectors and map what is about deals that stay as they are.

    The history goes: its indices count among the former deals.
    """
    for array in session.scalars(select(ArrayRow).where(ArrayRow.run_id == row.id)):
        rows = rows_of(array)
        if array.kind in _ROWS_OF_DEALS and len(rows) == moves.deals_before:
            array.data = moves.of_rows(rows).tobytes()
        else:
            session.delete(array)
    before, quality = current(row), measured(row)
    session.execute(delete(ClusteringRow).where(ClusteringRow.run_id == row.id))
    row.clustering = None
    if before is not None:
        after = moves.of_clustering(before)
        put(session, row, after, keep_quality(quality, before, after, moves.position), what, at)


@dataclass(frozen=True, slots=True)
class Moves:
    """Where the deals of a run are after another file.

    position: former index -> index now, ascending, of the deals that stay as they are. changed:
    indices now of deals with other values than before. deals_before, deals: how many there were
    and are; those neither in `position` nor in `changed` are new.
    """

    position: Mapping[int, int]
    changed: Collection[int]
    deals_before: int
    deals: int

    @classmethod
    def between(cls, before: Iterable[str], after: Iterable[str], changed: Collection[str]) -> Moves:
        """Follow deals by their ids; changed: ids of those with other values."""
        former = {deal_id: index for index, deal_id in enumerate(before)}
        ids = list(after)
        return cls(
            position={
                former[deal_id]: index
                for index, deal_id in enumerate(ids)
                if deal_id in former and deal_id not in changed
            },
            changed=frozenset(index for index, deal_id in enumerate(ids) if deal_id in changed),
            deals_before=len(former),
            deals=len(ids),
        )

    def of_rows(self, rows: FloatArray) -> FloatArray:
        """Return the rows where their deals are now, NaN for deals that have none."""
        moved = np.full((self.deals, rows.shape[1]), np.nan, dtype=np.float32)
        moved[list(self.position.values())] = rows[list(self.position)]
        return moved

    def of_clustering(self, clustering: Clustering) -> Clustering:
        """Return the clustering about the deals now: gone ones leave it, others wait outside.

        Clusters keep their ids whoever leaves them. One in which no deal belongs first disappears;
        the others of its deals are in clusters of their own.
        """
        clusters = [self._of_cluster(cluster) for cluster in clustering.clusters]
        left_over = {
            self.position[item.index]: item.reason
            for item in clustering.left_over
            if item.index in self.position
        }
        for index in set(range(self.deals)) - set(self.position.values()):
            left_over[index] = CHANGED_DEAL if index in self.changed else NEW_DEAL
        return replace(
            clustering,
            clusters=tuple(cluster for cluster in clusters if max(cluster.strengths, default=0) >= 1),
            left_over=tuple(LeftOver(index, left_over[index]) for index in sorted(left_over)),
            novel=tuple(self.position[index] for index in clustering.novel if index in self.position),
        )

    def _of_cluster(self, cluster: Cluster) -> Cluster:
        kept = [
            (self.position[index], strength)
            for index, strength in zip(cluster.members, cluster.strengths, strict=True)
            if index in self.position
        ]
        return Cluster(cluster.id, tuple(index for index, _ in kept), tuple(strength for _, strength in kept))


def rows_of(array: ArrayRow) -> FloatArray:
    """Return the rows of a kept array."""
    return np.frombuffer(array.data, dtype=np.float32).reshape(-1, array.columns)


def known_rows(rows: FloatArray | None, deals: int) -> npt.NDArray[np.bool_]:
    """Return which deals (n,) have a row; none has when the rows are of another number of deals."""
    if rows is None or len(rows) != deals:
        return np.zeros(deals, dtype=bool)
    return np.asarray(np.isfinite(rows).all(axis=1))


# --- figures ----------------------------------------------------------------------------------


def keep_quality(
    quality: Quality | None, before: Clustering, after: Clustering, position: Mapping[int, int]
) -> Quality | None:
    """Return the figures of the clusters that hold the same deals as before, None when there are none.

    position: index before -> index after, of the deals there are still. The means are over the
    clusters that keep their figures.
    """
    if quality is None:
        return None
    former = {
        cluster.id: (tuple(position.get(index) for index in cluster.members), cluster.strengths)
        for cluster in before.clusters
    }
    sizes = {
        cluster.id: sum(strength >= 1 for strength in cluster.strengths)
        for cluster in after.clusters
        if former.get(cluster.id) == (cluster.members, cluster.strengths)
    }
    there = {cluster.id for cluster in after.clusters}
    kept = tuple(
        replace(item, nearest=tuple(other for other in item.nearest if other in there))
        for item in quality.clusters
        if item.cluster_id in sizes
    )
    if not kept:
        return None
    means = Quality(
        kept,
        cohesion=_mean([(item.cohesion, sizes[item.cluster_id]) for item in kept]),
        separation=_mean([(item.separation, sizes[item.cluster_id]) for item in kept]),
        silhouette=_mean([(item.silhouette, sizes[item.cluster_id]) for item in kept]),
        stability=_mean([(item.stability, sizes[item.cluster_id]) for item in kept]),
        notes=quality.notes,
    )
    return with_typical(means, position)


def with_typical(quality: Quality, position: Mapping[int, int]) -> Quality:
    """Return the figures with the typical deals where they are now."""
    return replace(
        quality,
        clusters=tuple(
            replace(item, typical=tuple(position[index] for index in item.typical))
            for item in quality.clusters
        ),
    )


def _mean(figures: Iterable[tuple[float | None, int]]) -> float | None:
    """Return the mean of known figures, each with its number of deals; None when none is known."""
    known = [(value, deals) for value, deals in figures if value is not None]
    total = sum(deals for _, deals in known)
    return sum(value * deals for value, deals in known) / total if total else None
