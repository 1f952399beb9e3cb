"""The long work of a workspace: each task reads its input from the store and saves as it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from core.arrays import FloatArray
from core.clustering import Clustering, ClusteringSettings, Links, cluster_deals
from core.clustering.forecast import build_outline
from core.clustering.incremental import join_deals
from core.clustering.quality import Quality, measure_quality
from core.deals import Deal
from core.embeddings import Encoder, embed_deals
from core.errors import WorkspaceError
from core.projection import place, project
from core.storage.clusterings import MAP, OUTLINE, VECTORS, WAITING, Moves, known_rows, with_typical
from core.storage.workspace import Workspace
from core.work.job_registry import JobContext

__all__ = [
    "MAP",
    "OUTLINE",
    "VECTORS",
    "build_clusters",
    "embed_run",
    "measure_clusters",
    "place_deals",
]


_NO_CLUSTERS = "There are no clusters yet: build them first."


def build_clusters(
    workspace: Workspace,
    run_id: str,
    settings: ClusteringSettings,
    load_encoder: Callable[[], Encoder],
    job: JobContext,
) -> str:
    """Embed what is not embedded yet, cluster, measure, and lay out the map; return a sentence about it.

    Vectors and map are kept with the run: other settings reuse them, and places on the map stay.
    What the analyst decided about single deals is kept to. Raises WorkspaceError when another file
    came into the run, or the clusters were changed, meanwhile.
    """
    loads, since = workspace.run(run_id).loads, workspace.newest_clustering(run_id)
    deals, before = workspace.deals(run_id), workspace.clustering(run_id)
    vectors = _vectors(workspace, run_id, deals, loads, load_encoder, job)
    job.stage("Clustering")
    clustering = cluster_deals(
        deals,
        vectors,
        settings,
        lambda step: job.stage(f"Clustering: {step}"),
        links=before.links if before else Links(),
    )
    quality = _measure(deals, vectors, clustering, job)
    _prepare_screen(workspace, run_id, deals, vectors, loads, job)
    job.check()
    workspace.save_clustering(run_id, clustering, loads=loads, quality=quality, since=since)
    left = len(clustering.left_over)
    return f"{len(clustering.clusters)} clusters from {len(deals)} deals, {left} left over."


def embed_run(workspace: Workspace, run_id: str, load_encoder: Callable[[], Encoder], job: JobContext) -> str:
    """Embed the deals of a run that have no vector yet, and nothing else; return a sentence about it.

    Clusters and map stay as they are. Raises WorkspaceError when another file came into the run meanwhile.
    """
    loads, deals = workspace.run(run_id).loads, workspace.deals(run_id)
    _vectors(workspace, run_id, deals, loads, load_encoder, job)
    return f"All {len(deals)} deals are embedded."


def place_deals(
    workspace: Workspace, run_id: str, load_encoder: Callable[[], Encoder], job: JobContext
) -> str:
    """Put the deals of a newer file into the clusters there are; return a sentence about it.

    No other deal moves, and clusters keep their ids, so that packages stay with them. Raises
    WorkspaceError without clusters, or when file or clusters were changed meanwhile.
    """
    loads, since = workspace.run(run_id).loads, workspace.newest_clustering(run_id)
    deals, before = workspace.deals(run_id), workspace.clustering(run_id)
    if before is None:
        raise WorkspaceError(_NO_CLUSTERS)
    new = [item.index for item in before.left_over if item.reason in WAITING]
    if not new:
        return "No new deals wait to be placed."
    vectors = _vectors(workspace, run_id, deals, loads, load_encoder, job)
    job.stage("Placing new deals")
    after = join_deals(deals, vectors, before, new)
    quality = _measure(deals, vectors, after, job)
    _prepare_screen(workspace, run_id, deals, vectors, loads, job)
    job.check()
    what = f"Place {len(new)} new {'deal' if len(new) == 1 else 'deals'}"
    workspace.save_clustering(run_id, after, loads=loads, quality=quality, what=what, since=since)
    left = len({item.index for item in after.left_over} & set(new))
    unusual = len(set(after.novel) & set(new))
    return (
        f"{len(new) - left} of {len(new)} new deals are in clusters ({unusual} unusual for theirs), "
        f"{left} left over."
    )


def measure_clusters(workspace: Workspace, run_id: str, job: JobContext) -> str:
    """Measure the run's clusters again; return a sentence about it.

    Deals that wait to be placed take no part. Raises WorkspaceError without clusters or vectors,
    or when file or clusters were changed meanwhile.
    """
    loads, since = workspace.run(run_id).loads, workspace.newest_clustering(run_id)
    deals, clustering = workspace.deals(run_id), workspace.clustering(run_id)
    vectors = workspace.array(run_id, VECTORS)
    if clustering is None:
        raise WorkspaceError(_NO_CLUSTERS)
    if vectors is None:
        raise WorkspaceError("The deals have no vectors yet: build the clusters again.")
    rows = np.flatnonzero(known_rows(vectors, len(deals))).tolist()
    places = {index: row for row, index in enumerate(rows)}
    seen = Moves(places, (), len(deals), len(rows)).of_clustering(clustering)
    quality = _measure([deals[index] for index in rows], vectors[rows], seen, job)
    job.check()
    workspace.save_quality(run_id, with_typical(quality, dict(enumerate(rows))), loads=loads, since=since)
    return f"{len(quality.clusters)} clusters measured."


def _vectors(
    workspace: Workspace,
    run_id: str,
    deals: Sequence[Deal],
    loads: int,
    load_encoder: Callable[[], Encoder],
    job: JobContext,
) -> FloatArray:
    """Return the vectors of all deals; those that are missing, or of another model, are made and kept."""
    kept, made_by = workspace.array(run_id, VECTORS), workspace.made_by(run_id)
    known = known_rows(kept, len(deals))
    if kept is not None and known.all() and made_by is None:  # older than the names of models
        return kept
    job.stage("Loading the embedding model")
    encoder = load_encoder()
    if made_by not in {None, encoder.name}:
        known[:] = False
    if kept is not None and known.all():
        return kept
    job.stage("Embedding", len(deals) - int(known.sum()))
    missing = [deal for deal, has in zip(deals, known, strict=True) if not has]
    fresh = embed_deals(missing, encoder, job.progress)
    if kept is not None and known.any() and kept.shape[1] != fresh.shape[1]:
        known[:] = False
        fresh = embed_deals(deals, encoder, job.progress)
    vectors = np.empty((len(deals), fresh.shape[1]), dtype=np.float32)
    vectors[~known] = fresh
    if kept is not None and known.any():
        vectors[known] = kept[known]
    workspace.save_array(run_id, VECTORS, vectors, loads=loads, made_by=encoder.name)
    return vectors


def _measure(deals: Sequence[Deal], vectors: FloatArray, clustering: Clustering, job: JobContext) -> Quality:
    job.stage("Measuring the clusters")
    return measure_quality(
        deals, vectors, clustering, on_progress=lambda step: job.stage(f"Measuring: {step}")
    )


def _prepare_screen(
    workspace: Workspace,
    run_id: str,
    deals: Sequence[Deal],
    vectors: FloatArray,
    loads: int,
    job: JobContext,
) -> None:
    """Keep what the screen shows of the vectors: the outline for forecasts, and the map."""
    if workspace.array(run_id, OUTLINE) is None:
        job.stage("Preparing forecasts")
        workspace.save_array(run_id, OUTLINE, build_outline(deals, vectors).to_array(), loads=loads)
    kept = workspace.array(run_id, MAP)
    known = known_rows(kept, len(deals))
    if kept is not None and known.all():
        return
    job.stage("Drawing the map")
    if kept is None or not known.any():
        places = project(vectors)
    else:
        places = kept.copy()
        places[~known] = place(vectors[known], kept[known], vectors[~known])
    workspace.save_array(run_id, MAP, places, loads=loads)
