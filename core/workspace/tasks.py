"""The long work of a workspace: each task reads its input from the store and saves as it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.clustering import ClusteringSettings, cluster_deals
from core.creator import deal_groups
from core.embeddings import Encoder, embed_deals
from core.errors import WorkspaceError
from core.projection import project
from core.proposals import Limits, Outcome, Proposer, run_proposals
from core.workspace.jobs import JobContext
from core.workspace.store import Workspace

VECTORS = "vectors"
MAP = "map"


def build_clusters(
    workspace: Workspace,
    run_id: str,
    settings: ClusteringSettings,
    load_encoder: Callable[[], Encoder],
    job: JobContext,
) -> str:
    """Embed what is not embedded yet, cluster, and lay out the map; return a sentence about it.

    Vectors and map are kept with the run: other settings reuse them. Raises WorkspaceError when
    another file came into the run meanwhile.
    """
    loads = workspace.run(run_id).loads
    deals = workspace.deals(run_id)
    vectors = workspace.array(run_id, VECTORS)
    if vectors is None:
        job.stage("Loading the embedding model")
        encoder = load_encoder()
        job.stage("Embedding", len(deals))
        vectors = embed_deals(deals, encoder, job.progress)
        workspace.save_array(run_id, VECTORS, vectors, loads=loads)
    job.stage("Clustering")
    clustering = cluster_deals(deals, vectors, settings, lambda step: job.stage(f"Clustering: {step}"))
    if workspace.array(run_id, MAP) is None:
        job.stage("Drawing the map")
        workspace.save_array(run_id, MAP, project(vectors), loads=loads)
    job.check()
    workspace.save_clustering(run_id, clustering, loads=loads)
    left = len(clustering.left_over)
    return f"{len(clustering.clusters)} clusters from {len(deals)} deals, {left} left over."


def propose_packages(
    workspace: Workspace,
    run_id: str,
    cluster_ids: Sequence[str],
    proposer: Proposer,
    limits: Limits,
    job: JobContext,
) -> str:
    """Ask for packages of these clusters, saving each answer as it comes; return a sentence about it.

    Raises WorkspaceError when the run has no clusters, or the run was stopped by a fatal error.
    """
    loads = workspace.run(run_id).loads
    clustering = workspace.clustering(run_id)
    deals = workspace.deals(run_id)
    if clustering is None:
        raise WorkspaceError("There are no clusters yet: build them first.")
    if workspace.run(run_id).loads != loads:  # the clusters hold positions among the former deals
        raise WorkspaceError("Another file came into the run meanwhile: build the clusters again.")
    wanted = set(cluster_ids)
    groups = [group for group in deal_groups(deals, clustering) if group.id in wanted]
    job.stage("Proposing", len(groups))
    ended = 0

    def save(outcome: Outcome) -> None:
        nonlocal ended
        ended += 1
        workspace.save_outcome(run_id, outcome, loads=loads)
        if not job.cancelled.is_set():
            job.progress(ended, len(groups))

    run = run_proposals(groups, proposer, limits, on_outcome=save, cancelled=job.cancelled)
    if run.stopped:
        raise WorkspaceError(run.stopped)
    packages = sum(len(outcome.proposals) for outcome in run.outcomes)
    failed = len(run.with_status("failed"))
    unsent = len(run.with_status("not_sent"))
    parts = [f"{packages} packages from {len(groups) - failed - unsent} clusters"]
    parts += [f"{failed} clusters failed"] if failed else []
    parts += [f"{unsent} not sent"] if unsent else []
    return ", ".join(parts) + "."
