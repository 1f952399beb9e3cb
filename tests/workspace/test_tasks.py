"""The long work: what it saves on its way, and what is left to do after a stop."""

import threading
import time

import numpy as np
import pytest

from core.clustering import ClusteringSettings
from core.deals.reading import parse_deals
from core.errors import Cancelled, ClusteringError, EncodingFailed, FatalProposalError, WorkspaceError
from core.proposals import Limits
from core.workspace import JobContext, JobRegistry, build_clusters, propose_packages
from core.workspace.tasks import MAP, VECTORS
from tests.fakes.embeddings import FakeEncoder
from tests.fakes.proposers import ScriptedProposer, one_package
from tests.workspace.conftest import clustering_of
from tests.workspace.test_jobs import ended

SETTINGS = ClusteringSettings(max_deals=6, min_size=3)
TOPICS = ("sports", "news", "travel")
RECORDS = [
    {
        "deal_id": f"{topic}-{n}",
        "deal_name": f"{topic} {topic} place {n}",
        "concepts": [topic, f"{topic} fans"],
    }
    for topic in TOPICS
    for n in range(5)
]


class Report:
    """A job's context that keeps what was reported, and can stop the job at a stage."""

    def __init__(self, cancel_at=None):
        self.updates = []
        self.cancel_at = cancel_at
        self.job = JobContext(self.update)

    def update(self, **changes):
        changes.pop("progressed_s", None)  # the time of a step differs in every run
        self.updates.append(changes)
        if self.cancel_at and str(changes.get("stage", "")).startswith(self.cancel_at):
            self.job.cancelled.set()

    @property
    def stages(self):
        return [changes["stage"] for changes in self.updates if "stage" in changes]


@pytest.fixture
def encoder():
    return FakeEncoder()


@pytest.fixture
def loaded(workspace):
    """A run of fifteen deals on three topics, not clustered yet."""
    return workspace.create_run(parse_deals(RECORDS), "deals.json")


def build(workspace, run_id, encoder, settings=SETTINGS, report=None):
    return build_clusters(workspace, run_id, settings, lambda: encoder, (report or Report()).job)


# --- building clusters ------------------------------------------------------------------------


def test_vectors_map_and_clusters_are_saved_with_the_run(workspace, loaded, encoder):
    report = Report()
    note = build(workspace, loaded, encoder, report=report)
    clustering = workspace.clustering(loaded)
    assert (
        note == f"{len(clustering.clusters)} clusters from 15 deals, {len(clustering.left_over)} left over."
    )
    assert clustering.settings == SETTINGS
    members = {index for cluster in clustering.clusters for index in cluster.members}
    assert members | {item.index for item in clustering.left_over} == set(range(15))
    assert workspace.array(loaded, VECTORS).shape == (15, encoder.dimensions)
    assert workspace.array(loaded, MAP).shape == (15, 2)
    assert report.stages[:3] == ["Loading the embedding model", "Embedding", "Clustering"]
    assert report.stages[-1] == "Drawing the map"
    assert {"done": 15, "total": 15} in report.updates


def test_clusters_hold_deals_of_one_topic(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    deals = workspace.deals(loaded)
    found = [
        {deals[index].deal_id.split("-")[0] for index in cluster.members}
        for cluster in workspace.clustering(loaded).clusters
    ]
    assert sorted(found, key=min) == [{"news"}, {"sports"}, {"travel"}]


def test_other_settings_neither_load_the_model_nor_encode_again(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    vectors, chart = workspace.array(loaded, VECTORS), workspace.array(loaded, MAP)
    asked = len(encoder.texts)
    assert asked == 15

    def load_again():
        raise AssertionError("the model is not needed")

    other = ClusteringSettings(method="kmeans", max_deals=8, min_size=2)
    report = Report()
    build_clusters(workspace, loaded, other, load_again, report.job)
    assert len(encoder.texts) == asked
    assert workspace.clustering(loaded).settings == other
    assert "Drawing the map" not in report.stages
    assert np.array_equal(workspace.array(loaded, VECTORS), vectors)
    assert np.array_equal(workspace.array(loaded, MAP), chart)


def test_second_opening_of_the_file_uses_the_saved_vectors(open_workspace, workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    first = workspace.clustering(loaded)
    again = open_workspace()
    build(again, loaded, FakeEncoder(dimensions=8))
    assert again.clustering(loaded) == first


def test_cancel_while_embedding_saves_nothing_and_a_new_start_does_everything(workspace, loaded, encoder):
    report = Report(cancel_at="Embedding")
    with pytest.raises(Cancelled):
        build(workspace, loaded, encoder, report=report)
    assert workspace.array(loaded, VECTORS) is None
    assert workspace.clustering(loaded) is None
    build(workspace, loaded, encoder)
    assert workspace.clustering(loaded) is not None


def test_cancel_while_clustering_keeps_the_vectors_and_the_clusters_of_before(workspace, loaded, encoder):
    old = clustering_of({"old": (0, 1)})
    workspace.save_clustering(loaded, old)
    with pytest.raises(Cancelled):
        build(workspace, loaded, encoder, report=Report(cancel_at="Clustering: "))
    assert workspace.array(loaded, VECTORS) is not None
    assert workspace.clustering(loaded) == old
    build(workspace, loaded, encoder)
    assert len(encoder.texts) == 15, "the vectors were kept"


def test_cancel_at_the_last_stage_does_not_change_the_clusters(workspace, loaded, encoder):
    with pytest.raises(Cancelled):
        build(workspace, loaded, encoder, report=Report(cancel_at="Drawing the map"))
    assert workspace.clustering(loaded) is None


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (
            lambda encoder: setattr(encoder, "failure", EncodingFailed("Out of memory: try fewer.")),
            EncodingFailed,
        ),
        (lambda encoder: setattr(encoder, "dimensions", 0), ClusteringError),
    ],
)
def test_model_that_fails_leaves_the_clusters_of_before(workspace, loaded, encoder, damage, error):
    old = clustering_of({"old": (0, 1)})
    workspace.save_clustering(loaded, old)
    damage(encoder)
    with pytest.raises(error):
        build(workspace, loaded, encoder)
    assert workspace.clustering(loaded) == old


def test_as_a_job_it_ends_with_its_note(workspace, loaded, encoder):
    registry = JobRegistry()
    registry.start(
        loaded,
        "Build clusters",
        lambda job: build_clusters(workspace, loaded, SETTINGS, lambda: encoder, job),
    )
    job = ended(registry, loaded)
    assert (job.state, job.note) == ("done", "3 clusters from 15 deals, 0 left over.")


# --- proposing packages -----------------------------------------------------------------------

CLUSTERS = {f"c{n}": (3 * n, 3 * n + 1, 3 * n + 2) for n in range(5)}
ONE_AT_A_TIME = Limits(workers=1, attempts=2)


@pytest.fixture
def clustered(workspace, loaded):
    """The run with five clusters of three deals, "c0" to "c4"."""
    workspace.save_clustering(loaded, clustering_of(CLUSTERS))
    return loaded


def propose(workspace, run_id, proposer, cluster_ids=tuple(CLUSTERS), limits=ONE_AT_A_TIME, report=None):
    return propose_packages(workspace, run_id, cluster_ids, proposer, limits, (report or Report()).job)


def statuses(workspace, run_id):
    return {cluster_id: outcome.status for cluster_id, outcome in workspace.outcomes(run_id).items()}


def test_every_cluster_asked_for_gets_its_packages(workspace, clustered):
    report, proposer = Report(), ScriptedProposer()
    note = propose(workspace, clustered, proposer, limits=Limits(workers=4), report=report)
    assert note == "5 packages from 5 clusters."
    assert statuses(workspace, clustered) == dict.fromkeys(CLUSTERS, "done")
    assert {package.cluster_id for package in workspace.packages(clustered)} == set(CLUSTERS)
    assert report.stages == ["Proposing"]
    assert report.updates[-1] == {"done": 5, "total": 5}
    assert [changes["done"] for changes in report.updates[1:]] == [1, 2, 3, 4, 5]


def test_only_the_clusters_asked_for_are_sent(workspace, clustered):
    proposer = ScriptedProposer()
    note = propose(workspace, clustered, proposer, ["c3", "c1", "no such cluster"])
    assert note == "2 packages from 2 clusters."
    assert sorted(attempt.cluster_id for attempt in proposer.history) == ["c1", "c3"]


def test_answers_are_saved_as_they_come(workspace, clustered):
    saved_before = {}

    def answer(group):
        ends = time.monotonic() + 5
        while len(statuses(workspace, clustered)) < len(saved_before) and time.monotonic() < ends:
            time.sleep(0.005)
        saved_before[group.id] = len(statuses(workspace, clustered))
        return one_package(group)

    propose(workspace, clustered, ScriptedProposer(always=answer))
    assert list(saved_before.values()) == [0, 1, 2, 3, 4]


def test_failed_cluster_is_counted_and_costs_no_other(workspace, clustered):
    proposer = ScriptedProposer()
    proposer.enqueue("c1", ValueError("a bug"))
    note = propose(workspace, clustered, proposer)
    assert note == "4 packages from 4 clusters, 1 clusters failed."
    assert statuses(workspace, clustered) == dict.fromkeys(CLUSTERS, "done") | {"c1": "failed"}
    assert "ValueError" in workspace.outcomes(clustered)["c1"].error


def test_after_a_cancel_only_the_rest_is_asked_for(workspace, clustered):
    report, proposer = Report(), ScriptedProposer()

    def answer_and_cancel(group):
        report.job.cancelled.set()
        return one_package(group)

    proposer.enqueue("c1", answer_and_cancel)
    note = propose(workspace, clustered, proposer, report=report)
    assert "3 not sent" in note
    before = statuses(workspace, clustered)
    assert before == {"c0": "done", "c1": "done", "c2": "not_sent", "c3": "not_sent", "c4": "not_sent"}
    packages = workspace.packages(clustered)

    rest = [cluster_id for cluster_id, status in before.items() if status != "done"]
    propose(workspace, clustered, proposer, rest)
    assert statuses(workspace, clustered) == dict.fromkeys(CLUSTERS, "done")
    assert sorted(attempt.cluster_id for attempt in proposer.history) == sorted(CLUSTERS)
    assert workspace.packages(clustered)[:2] == packages


def test_cancelled_job_says_what_was_finished(workspace, clustered):
    registry, proposer = JobRegistry(), ScriptedProposer()
    running = threading.Event()

    def answer_and_wait(group):
        running.set()
        time.sleep(0.1)
        return one_package(group)

    proposer.always = answer_and_wait
    registry.start(
        clustered,
        "Propose packages",
        lambda job: propose_packages(workspace, clustered, tuple(CLUSTERS), proposer, ONE_AT_A_TIME, job),
    )
    assert running.wait(5)
    registry.cancel(clustered)
    job = ended(registry, clustered)
    assert job.state == "cancelled"
    assert "not sent" in job.note
    assert sorted(statuses(workspace, clustered)) == sorted(CLUSTERS)


def test_fatal_error_keeps_what_was_finished_and_names_itself(workspace, clustered):
    proposer = ScriptedProposer()
    proposer.enqueue("c2", FatalProposalError("Gemini refused the key: check GEMINI_API_KEY."))
    with pytest.raises(WorkspaceError, match="refused the key"):
        propose(workspace, clustered, proposer)
    assert list(statuses(workspace, clustered).values()) == ["done", "done", "failed", "not_sent", "not_sent"]
    assert [package.cluster_id for package in workspace.packages(clustered)] == ["c0", "c1"]


def test_proposing_needs_clusters(workspace, loaded):
    with pytest.raises(WorkspaceError, match="no clusters yet: build them first"):
        propose(workspace, loaded, ScriptedProposer())
