"""Clusters: the job and its settings, the tables, and packages made from picked deals."""

from __future__ import annotations

import threading

import pytest

import core.embeddings
from core.embeddings import EmbeddingCache
from core.errors import EncoderUnavailable
from core.reading import read_deals
from core.storage import Workspace
from core.work.tasks import MAP, VECTORS
from pages._shared import services
from tests.fakes.embeddings import FakeEncoder
from tests.pages.conftest import (
    PICTURE,
    assert_healthy,
    assert_no_live_markdown,
    click,
    job_end,
    ledger,
    links,
    open_page,
    said,
    small_clustering,
    small_deals,
    table,
    watch_job,
    words,
)


def test_without_deals_the_page_leads_to_deals() -> None:
    app = open_page("clusters")
    assert_healthy(app)
    assert said(app, "info") == ["Load deals first: the sample, or your own file."]
    assert links(app) == [""]


def test_before_the_first_clustering_one_button_says_what_comes(loaded: str) -> None:
    app = open_page("clusters", loaded)
    assert_healthy(app)
    assert [(button.label, button.proto.type) for button in app.button] == [("Build clusters", "primary")]
    assert said(app, "info")[0].startswith("60 deals wait to be clustered.")


def test_building_saves_clusters_and_says_how_many(loaded: str, store: Workspace) -> None:
    app = watch_job(click(open_page("clusters", loaded), "Build clusters"), loaded)
    clustering = store.clustering(loaded)
    assert clustering is not None
    assert said(app, "success") == [
        f"Build clusters: {len(clustering.clusters)} clusters from 60 deals, "
        f"{len(clustering.left_over)} left over."
    ]
    assert len(table(app, "Cluster").value) == len(clustering.clusters)
    total, states = ledger(app)
    assert total == sum(states.values()) == 60
    app.run()
    assert not said(app, "success")  # good news goes away by itself


def test_the_settings_on_the_screen_are_the_ones_used(loaded: str, store: Workspace) -> None:
    app = open_page("clusters", loaded)
    app.selectbox(key="method").set_value("kmeans")
    app.number_input(key="max_deals").set_value(9)
    app.number_input(key="min_size").set_value(3)
    app.selectbox(key="small_clusters").set_value("leave_out")
    click(app, "Build clusters")
    job_end(loaded)
    clustering = store.clustering(loaded)
    assert clustering is not None
    used = clustering.settings
    assert (used.method, used.max_deals, used.min_size, used.small_clusters) == ("kmeans", 9, 3, "leave_out")
    assert all(3 <= len(cluster.members) <= 9 for cluster in clustering.clusters)


def test_the_first_build_embeds_and_keeps_the_vectors(
    store: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = FakeEncoder()
    monkeypatch.setattr(core.embeddings, "open_encoder", lambda *_: encoder)
    data = "deal_id,deal_name\n" + "".join(f"A-{n},Auto Place {n}\n" for n in range(12))
    run_id = store.create_run(read_deals(data.encode(), "auto.csv"), "auto.csv")
    app = watch_job(click(open_page("clusters", run_id), "Build clusters"), run_id)
    assert said(app, "success")
    vectors, places = store.array(run_id, VECTORS), store.array(run_id, MAP)
    assert vectors is not None
    assert places is not None
    assert (len(vectors), places.shape) == (12, (12, 2))
    assert len(encoder.texts) == 12


def test_settings_that_cannot_work_are_refused_in_one_sentence(loaded: str, store: Workspace) -> None:
    app = open_page("clusters", loaded)
    app.number_input(key="max_deals").set_value(4)
    app.number_input(key="min_size").set_value(9)
    click(app, "Build clusters")
    assert_healthy(app)
    assert said(app, "error") == [
        "The largest cluster size (4) is under the smallest (9): raise the one or lower the other."
    ]
    assert services.jobs().job(loaded) is None
    assert store.clustering(loaded) is None


def test_too_few_deals_are_all_left_over_with_the_reason(store: Workspace, loaded: str) -> None:
    few = read_deals(b"deal_id,deal_name\nA-1,Auto\nA-2,News\n", "few.csv")
    run_id = store.create_run(few, "few.csv")
    vectors = store.array(loaded, VECTORS)
    assert vectors is not None
    store.save_array(run_id, VECTORS, vectors[:2])
    app = watch_job(click(open_page("clusters", run_id), "Build clusters"), run_id)
    assert said(app, "success")
    left = table(app, "Deal id").value
    assert list(left["Deal id"]) == ["A-1", "A-2"]
    assert all("5" in why for why in left["Why"])  # the minimum is named


def test_an_embedding_model_that_is_missing_fails_with_a_sentence_that_stays(
    store: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(model: str, _: EmbeddingCache) -> FakeEncoder:
        raise EncoderUnavailable(f"The embedding model {model} is not there: install it.")

    monkeypatch.setattr(core.embeddings, "open_encoder", load)
    run_id = store.create_run(small_deals(), "small.json")
    app = watch_job(click(open_page("clusters", run_id), "Build clusters"), run_id)
    for _ in range(2):
        app.run()
        assert_healthy(app)
        assert said(app, "error") == [
            "Build clusters: The embedding model all-MiniLM-L6-v2 is not there: install it."
        ]
    click(app, "Dismiss")
    app.run()
    assert not said(app, "error")


def test_while_a_job_runs_no_second_one_starts_and_cancel_stops_it(loaded: str) -> None:
    started, go_on = threading.Event(), threading.Event()

    def work(job: object) -> str:
        job.stage("Embedding", 480)
        job.progress(120, 480)
        started.set()
        go_on.wait(30)
        job.progress(121, 480)
        return "never said"

    services.jobs().start(loaded, "Build clusters", work)
    assert started.wait(30)
    app = open_page("clusters", loaded)
    assert_healthy(app)
    assert next(button for button in app.button if button.label == "Build clusters").disabled
    (bar,) = app.get("progress")
    assert bar.text.startswith("Build clusters: Embedding 120 of 480")
    click(app, "Cancel")
    go_on.set()
    job = job_end(loaded)
    assert job is not None
    assert job.state == "cancelled"
    app.run()
    assert any("was cancelled" in text for text in said(app, "warning"))


def test_the_tables_hold_every_deal_once(clustered: str) -> None:
    app = open_page("clusters", clustered)
    assert_healthy(app)
    clustering = small_clustering()
    sizes = table(app, "Cluster").value["Deals"]
    assert list(sizes) == [len(cluster.members) for cluster in clustering.clusters]
    assert sizes.sum() + len(clustering.left_over) == 60
    assert len(table(app, "Deal id").value) == len(clustering.left_over)
    assert ledger(app) == (
        60, {"not proposed yet": int(sizes.sum()), "outside every cluster": len(clustering.left_over)}
    )  # fmt: skip
    assert "packages" in links(app)


def test_every_colouring_of_the_map_draws(clustered: str) -> None:
    app = open_page("clusters", clustered)
    for name in ("Format", "SSP", "Quality", "GARM risk", "Category", "Cluster"):
        app.segmented_control(key="colour_by").set_value(name)
        app.run()
        assert_healthy(app)


def test_selected_deals_become_a_package_that_is_saved(clustered: str, store: Workspace) -> None:
    app = open_page("clusters", clustered)
    ids = [deal.deal_id for deal in small_deals().deals[:4]]
    app.session_state["selected_deals"] = ids
    app.run()
    assert "4 deals selected" in words(app)
    app.text_input(key="new_package_name").set_value(f"Hand made {PICTURE}")
    click(app, "Make a package")
    assert_healthy(app)
    assert_no_live_markdown(app)
    (package,) = store.packages(clustered)
    assert (package.name, list(package.deal_ids)) == (f"Hand made {PICTURE}", ids)
    assert (package.source, package.status) == ("Analyst", "pending")
    assert said(app, "success")[0].startswith(f"{package.name!r} with 4 deals is saved")
    assert "deals selected" not in words(app)


def test_a_package_without_a_name_is_refused_and_the_selection_stays(
    clustered: str, store: Workspace
) -> None:
    app = open_page("clusters", clustered)
    app.session_state["selected_deals"] = [small_deals().deals[0].deal_id]
    app.run()
    click(app, "Make a package")
    assert_healthy(app)
    assert said(app, "error") == ["A package needs a name and at least one deal."]
    assert "1 deal selected" in words(app)
    assert store.packages(clustered) == ()
    click(app, "Clear")
    assert "deal selected" not in words(app)


def test_selected_deals_of_one_run_are_not_taken_into_another(clustered: str, store: Workspace) -> None:
    other = store.create_run(small_deals(), "other.json")
    store.save_clustering(other, small_clustering())
    app = open_page("clusters", clustered)
    app.session_state["selected_deals"] = [small_deals().deals[0].deal_id]
    app.run()
    app.selectbox(key="run_picker").set_value(other)
    app.run()
    assert_healthy(app)
    assert app.query_params["run"] == other
    assert "deal selected" not in words(app)


def test_clustering_again_with_one_deal_per_cluster_is_possible(loaded: str, store: Workspace) -> None:
    app = open_page("clusters", loaded)
    app.number_input(key="max_deals").set_value(1)
    app.number_input(key="min_size").set_value(1)
    click(app, "Build clusters")
    job_end(loaded)
    app.run()
    assert_healthy(app)
    clustering = store.clustering(loaded)
    assert clustering is not None
    assert len(clustering.clusters) == 60
