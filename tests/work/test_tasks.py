"""The long work: what it saves on its way, and what is left to do after a stop."""

import contextlib
import random

import numpy as np
import pytest

from core.clustering import ClusteringSettings
from core.clustering.edits import AttachDeals, ExcludeDeals, MoveDeals, NewCluster
from core.coverage import JOINED_LATER, clusters_to_ask, deal_states
from core.errors import (
    Cancelled,
    ClusteringError,
    EncodingFailed,
    PackageError,
    WorkspaceError,
)
from core.packages import Approve, Reject, Rename
from core.proposals import Limits
from core.reading.reading import parse_deals
from core.storage import CHANGED_DEAL, NEW_DEAL
from core.work import JobContext, JobRegistry, build_clusters, measure_clusters, place_deals, propose_packages
from core.work.tasks import MAP, OUTLINE, VECTORS
from tests.fakes.embeddings import FakeEncoder
from tests.fakes.proposers import ScriptedProposer
from tests.work.test_job_registry import ended
from tests.workspaces import clustering_of

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


def homes(workspace, run_id):
    """Return for each deal the id of its own cluster, or why it is in none."""
    deals, clustering = workspace.deals(run_id), workspace.clustering(run_id)
    found = {item.index: item.reason for item in clustering.left_over}
    found |= {index: clustering.clusters[place].id for index, place in clustering.own_cluster().items()}
    return {deal.deal_id: found[index] for index, deal in enumerate(deals)}


def spots(workspace, run_id):
    """Return the place of each deal on the map."""
    places = workspace.array(run_id, MAP)
    return {deal.deal_id: tuple(row) for deal, row in zip(workspace.deals(run_id), places, strict=True)}


# --- building clusters ------------------------------------------------------------------------


@pytest.mark.both_databases
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
    assert workspace.array(loaded, OUTLINE).shape == (15, 5)
    quality = workspace.quality(loaded)
    assert [item.cluster_id for item in quality.clusters] == [cluster.id for cluster in clustering.clusters]
    assert {item.terms[0].split()[0] for item in quality.clusters} == set(TOPICS)
    assert report.stages[:3] == ["Loading the embedding model", "Embedding", "Clustering"]
    assert "Measuring the clusters" in report.stages
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


def test_other_settings_encode_nothing_again(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    vectors, chart = workspace.array(loaded, VECTORS), workspace.array(loaded, MAP)
    asked = len(encoder.texts)
    assert asked == 15

    encoder.failure = AssertionError("no text is new")
    other = ClusteringSettings(method="kmeans", max_deals=8, min_size=2)
    report = Report()
    build_clusters(workspace, loaded, other, lambda: encoder, report.job)
    assert len(encoder.texts) == asked
    assert workspace.clustering(loaded).settings == other
    assert "Drawing the map" not in report.stages
    assert np.array_equal(workspace.array(loaded, VECTORS), vectors)
    assert np.array_equal(workspace.array(loaded, MAP), chart)


def test_second_opening_of_the_file_uses_the_saved_vectors(open_workspace, workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    first = workspace.clustering(loaded)
    again, fresh = open_workspace(), FakeEncoder()
    build(again, loaded, fresh)
    assert again.clustering(loaded) == first
    assert fresh.texts == []


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


def test_decisions_about_single_deals_hold_in_the_next_build(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    workspace.edit_clusters(loaded, ExcludeDeals(("news-0",)))
    workspace.edit_clusters(loaded, NewCluster(("sports-0", "travel-0", "travel-1")))
    build(workspace, loaded, encoder, ClusteringSettings(max_deals=8, min_size=2))
    where = homes(workspace, loaded)
    assert where["news-0"] == "Excluded by the analyst."
    assert where["sports-0"] == where["travel-0"] == where["travel-1"]
    assert where["sports-0"] != where["sports-1"]


def test_an_edit_during_the_build_is_not_lost(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    report = Report()

    def edit_meanwhile(**changes):
        if changes.get("stage") == "Clustering":
            workspace.edit_clusters(loaded, ExcludeDeals(("news-0",)))

    report.update = edit_meanwhile
    report.job = JobContext(edit_meanwhile)
    with pytest.raises(WorkspaceError, match="changed meanwhile"):
        build(workspace, loaded, encoder, report=report)
    assert homes(workspace, loaded)["news-0"] == "Excluded by the analyst."


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
    registry = JobRegistry(workspace)
    registry.start(
        loaded,
        "Build clusters",
        lambda job: build_clusters(workspace, loaded, SETTINGS, lambda: encoder, job),
    )
    job = ended(registry, loaded)
    assert (job.state, job.note) == ("done", "3 clusters from 15 deals, 0 left over.")


# --- a newer file -----------------------------------------------------------------------------


def record(topic, number, **more):
    return {**RECORDS[TOPICS.index(topic) * 5], "deal_id": f"{topic}-{number}", **more}


def add(workspace, run_id, *records, replace=False):
    workspace.update_deals(run_id, parse_deals(list(records)), "newer.json", replace=replace)


def propose(workspace, run_id, cluster_ids):
    propose_packages(
        workspace, run_id, cluster_ids, ScriptedProposer(), Limits(workers=1, attempts=2), Report().job
    )


def place_new(workspace, run_id, encoder, report=None):
    return place_deals(workspace, run_id, lambda: encoder, (report or Report()).job)


CHANGED = record("travel", 4, deal_name="travel travel other place")
MORE = (record("sports", 5, deal_name="sports sports place 5"), CHANGED)


@pytest.fixture
def grown(workspace, loaded, encoder):
    """A clustered run into which a file came with one new and one changed deal."""
    build(workspace, loaded, encoder)
    encoder.history.clear()
    add(workspace, loaded, *MORE)
    return loaded


def test_new_deals_join_their_clusters_and_no_other_deal_moves(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    before, ids = homes(workspace, loaded), [item.id for item in workspace.clustering(loaded).clusters]
    add(workspace, loaded, *MORE)
    waiting = homes(workspace, loaded)
    assert (waiting["sports-5"], waiting["travel-4"]) == (NEW_DEAL, CHANGED_DEAL)

    note = place_new(workspace, loaded, encoder)
    after = homes(workspace, loaded)
    assert note.startswith("2 of 2 new deals are in clusters")
    assert after == {**before, "sports-5": before["sports-0"]}
    assert [item.id for item in workspace.clustering(loaded).clusters] == ids
    assert workspace.clusterings(loaded)[0].what == "Place 2 new deals"
    assert len(workspace.quality(loaded).clusters) == 3


@pytest.mark.parametrize("work", [place_new, build])
def test_only_new_and_changed_deals_are_embedded_and_the_others_stay_on_the_map(
    workspace, loaded, encoder, work
):
    build(workspace, loaded, encoder)
    encoder.history.clear()
    before, vectors = spots(workspace, loaded), workspace.array(loaded, VECTORS)
    add(workspace, loaded, *MORE)
    work(workspace, loaded, encoder)

    assert len(encoder.texts) == 2
    after = spots(workspace, loaded)
    assert len(after) == 16
    assert np.isfinite(list(after.values())).all()
    assert {deal_id: after[deal_id] for deal_id in before if deal_id != "travel-4"} == {
        deal_id: spot for deal_id, spot in before.items() if deal_id != "travel-4"
    }
    assert np.array_equal(workspace.array(loaded, VECTORS)[:14], vectors[:14])
    work(workspace, loaded, encoder)
    assert len(encoder.texts) == 2


def test_when_nothing_waits_placing_says_so_and_changes_nothing(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    history = workspace.clusterings(loaded)
    assert place_new(workspace, loaded, encoder) == "No new deals wait to be placed."
    assert workspace.clusterings(loaded) == history


def test_cancelled_placing_leaves_the_deals_waiting(workspace, grown, encoder):
    before = workspace.clustering(grown)
    with pytest.raises(Cancelled):
        place_new(workspace, grown, encoder, Report(cancel_at="Drawing the map"))
    assert workspace.clustering(grown) == before
    place_new(workspace, grown, encoder)
    assert len(encoder.texts) == 2, "the vectors were kept"


def test_new_model_with_vectors_of_another_length_embeds_all_deals_again(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    add(workspace, loaded, CHANGED)
    other = FakeEncoder(dimensions=32)
    place_new(workspace, loaded, other)
    assert len(other.texts) == 15
    assert workspace.array(loaded, VECTORS).shape == (15, 32)


def test_another_model_of_the_same_length_embeds_all_deals_again_and_draws_a_new_map(
    workspace, loaded, encoder
):
    build(workspace, loaded, encoder)
    before = {kind: workspace.array(loaded, kind) for kind in (VECTORS, MAP, OUTLINE)}
    assert workspace.made_by(loaded) == encoder.name
    other = FakeEncoder(noise=0.9)
    build(workspace, loaded, other)
    assert len(other.texts) == 15
    assert workspace.made_by(loaded) == other.name
    for kind, rows in before.items():
        assert not np.array_equal(rows, workspace.array(loaded, kind)), kind


def test_a_file_that_replaces_every_deal_gets_a_map_of_its_own(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    add(workspace, loaded, *(record("news", 10 + n) for n in range(4)), replace=True)
    build(workspace, loaded, encoder)
    places = workspace.array(loaded, MAP)
    assert len(np.unique(places, axis=0)) == 4


def test_measuring_again_gives_every_cluster_figures_and_changes_nothing_else(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    workspace.edit_clusters(loaded, ExcludeDeals(("news-0",)))
    add(workspace, loaded, record("news", 9), replace=False)
    before, history = workspace.clustering(loaded), workspace.clusterings(loaded)
    assert len(workspace.quality(loaded).clusters) == 2

    assert measure_clusters(workspace, loaded, Report().job) == "3 clusters measured."

    assert workspace.clustering(loaded) == before
    assert len(workspace.clusterings(loaded)) == len(history)
    for item, cluster in zip(workspace.quality(loaded).clusters, before.clusters, strict=True):
        assert item.cluster_id == cluster.id
        assert set(item.typical) <= set(cluster.members)


def test_typical_deals_are_right_when_unread_deals_stand_before_them(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    add(workspace, loaded, record("sports", 0, deal_name="sports changed"))
    measure_clusters(workspace, loaded, Report().job)
    clustering = workspace.clustering(loaded)
    for item, cluster in zip(workspace.quality(loaded).clusters, clustering.clusters, strict=True):
        assert set(item.typical) <= set(cluster.members)


@pytest.mark.parametrize(
    "work",
    [
        lambda store, run_id: place_deals(store, run_id, FakeEncoder, Report().job),
        lambda store, run_id: measure_clusters(store, run_id, Report().job),
    ],
)
def test_placing_and_measuring_need_clusters(workspace, loaded, work):
    with pytest.raises(WorkspaceError, match="no clusters yet: build them first"):
        work(workspace, loaded)


def test_measuring_needs_vectors(workspace, loaded):
    workspace.save_clustering(loaded, clustering_of({"a": (0, 1)}))
    with pytest.raises(WorkspaceError, match="no vectors yet"):
        measure_clusters(workspace, loaded, Report().job)


def test_a_cluster_with_deals_that_joined_later_can_be_asked_again(workspace, loaded, encoder):
    build(workspace, loaded, encoder)
    ids = [cluster.id for cluster in workspace.clustering(loaded).clusters]
    propose(workspace, loaded, ids)
    add(workspace, loaded, MORE[0])
    place_new(workspace, loaded, encoder)
    (ask,) = clusters_to_ask(
        workspace.deals(loaded), workspace.clustering(loaded), workspace.outcomes(loaded)
    )
    assert ask == homes(workspace, loaded)["sports-0"]
    assert states(workspace, loaded)["sports-5"] == ("not_sent", JOINED_LATER)

    propose(workspace, loaded, [ask])
    assert states(workspace, loaded)["sports-5"][0] in {"packaged", "unpackaged"}
    assert len([item for item in workspace.packages(loaded) if item.cluster_id == ask]) == 1


def states(workspace, run_id):
    found = deal_states(
        workspace.deals(run_id),
        workspace.clustering(run_id),
        workspace.outcomes(run_id),
        workspace.packages(run_id),
    )
    assert [item.deal_id for item in found] == [deal.deal_id for deal in workspace.deals(run_id)]
    return {item.deal_id: (item.state, item.reason) for item in found}


def decisions(workspace, run_id):
    """Return what an analyst decided or wrote, by the id of its package."""
    return {
        item.id: (item.name, item.status)
        for item in workspace.packages(run_id)
        if item.edited or item.status != "pending"
    }


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 6))]
)
def test_whatever_happens_every_deal_stands_somewhere_and_no_decision_is_lost(
    workspace, loaded, encoder, seed
):
    rng = random.Random(seed)
    build(workspace, loaded, encoder)

    def a_deal():
        return rng.choice([deal.deal_id for deal in workspace.deals(loaded)])

    def edit(kind):
        with contextlib.suppress(ClusteringError, WorkspaceError):  # a refused edit changes nothing
            workspace.edit_clusters(loaded, kind)

    def grow():
        add(
            workspace,
            loaded,
            *(record(rng.choice(TOPICS), rng.randrange(9), deal_name=f"x {n}") for n in range(3)),
        )

    def replace_deals():
        kept = rng.sample(
            [deal.to_dict() for deal in workspace.deals(loaded)], k=len(workspace.deals(loaded)) - 2
        )
        add(workspace, loaded, *kept, record(rng.choice(TOPICS), rng.randrange(20)), replace=True)

    def ask():
        ids = clusters_to_ask(
            workspace.deals(loaded), workspace.clustering(loaded), workspace.outcomes(loaded)
        )
        propose(workspace, loaded, ids)

    def decide():
        for package in rng.sample(workspace.packages(loaded), k=min(2, len(workspace.packages(loaded)))):
            choice = rng.choice([Approve(), Reject(), Rename("Mine")])
            with contextlib.suppress(PackageError):
                workspace.edit_packages(loaded, {package.id: package.version}, [choice])

    steps = [
        grow,
        replace_deals,
        ask,
        ask,
        decide,
        lambda: place_new(workspace, loaded, encoder),
        lambda: build(
            workspace, loaded, encoder, ClusteringSettings(max_deals=rng.choice([5, 8]), min_size=2)
        ),
        lambda: edit(ExcludeDeals((a_deal(),))),
        lambda: edit(NewCluster((a_deal(), a_deal()))),
        lambda: edit(AttachDeals((a_deal(),))),
        lambda: edit(MoveDeals((a_deal(),), workspace.clustering(loaded).clusters[0].id)),
        lambda: workspace.restore_clustering(loaded, rng.choice(workspace.clusterings(loaded)).id),
    ]
    for _ in range(12):
        decided, step = decisions(workspace, loaded), rng.choice(steps)
        step()
        states(workspace, loaded)
        deals, clustering = workspace.deals(loaded), workspace.clustering(loaded)
        assert homes(workspace, loaded).keys() == {deal.deal_id for deal in deals}
        assert workspace.clustering_version(loaded, workspace.newest_clustering(loaded)) == clustering
        assert decided.keys() <= {item.id for item in workspace.packages(loaded)}
        if step not in (grow, replace_deals, decide):  # a newer file takes decisions on its deals back
            assert decided.items() <= decisions(workspace, loaded).items()
