"""Settings of a clustering: presets, what is on the screen is what is used, and what it comes to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.clustering import ClusteringSettings
from core.clustering.forecast import build_outline
from core.reading import read_deals
from core.storage import Workspace
from core.storage.clusterings import OUTLINE
from pages._clusters.settings_panel import CUSTOM, PRESETS, START, preset_of
from pages._shared import services
from tests.pages.conftest import (
    assert_healthy,
    click,
    go,
    job_end,
    open_page,
    said,
    small_clustering,
    small_deals,
    small_vectors,
    words,
)


def estimate(app: AppTest) -> str:
    """Return the what-if line."""
    (line,) = [text for text in words(app).splitlines() if "If you build now" in text]
    return line


def preset(app: AppTest) -> str:
    return app.segmented_control(key="preset").value


# --- presets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_recognised_by_its_values(name: str) -> None:
    assert preset_of(replace(START, **PRESETS[name])) == name


@pytest.mark.parametrize(
    "change", [{"max_deals": 24}, {"min_size": 4}, {"pack": True}, {"components": 9}, {"max_deals": 40}]
)
def test_any_other_value_is_custom(change: dict[str, object]) -> None:
    assert preset_of(replace(START, **change)) == CUSTOM


@pytest.mark.parametrize("change", [{"method": "hdbscan"}, {"overlap": True}, {"keep_apart": ("ssp",)}])
def test_what_a_preset_does_not_set_does_not_change_it(change: dict[str, object]) -> None:
    assert preset_of(replace(START, **change)) == "Balanced"


def test_the_screen_starts_balanced(loaded: str) -> None:
    app = open_page("clusters", loaded)
    assert preset(app) == "Balanced"
    assert app.number_input(key="max_deals").value == START.max_deals
    assert app.selectbox(key="small_clusters").value == "attach"


def test_choosing_a_preset_sets_its_values_and_leaves_the_others(loaded: str) -> None:
    app = open_page("clusters", loaded)
    app.selectbox(key="method").set_value("kmeans").run()
    for name, values in PRESETS.items():
        app.segmented_control(key="preset").set_value(name).run()
        assert_healthy(app)
        assert preset(app) == name
        assert app.number_input(key="max_deals").value == values["max_deals"]
        assert app.number_input(key="min_size").value == values["min_size"]
        assert app.toggle(key="pack").value == values["pack"]
        assert app.selectbox(key="method").value == "kmeans"


def test_changing_a_value_shows_custom_and_changing_it_back_the_preset(loaded: str) -> None:
    app = open_page("clusters", loaded)
    app.number_input(key="max_deals").set_value(17).run()
    assert preset(app) == CUSTOM
    app.number_input(key="max_deals").set_value(START.max_deals).run()
    assert preset(app) == "Balanced"


# --- what is used -----------------------------------------------------------------------------


def test_every_setting_of_the_screen_reaches_the_clustering(loaded: str, store: Workspace) -> None:
    app = open_page("clusters", loaded)
    app.number_input(key="max_deals").set_value(14)
    app.number_input(key="min_size").set_value(3)
    app.selectbox(key="small_clusters").set_value("leave_out")
    app.toggle(key="overlap").set_value(True)
    app.run()
    app.slider(key="threshold").set_value(0.5)
    app.number_input(key="components").set_value(6)
    app.selectbox(key="covariance").set_value("diag")
    app.number_input(key="max_memberships").set_value(3)
    app.multiselect(key="keep_apart").set_value(["format", "safety"])
    app.toggle(key="pack").set_value(True)
    click(app, "Build clusters")
    job_end(loaded)
    clustering = store.clustering(loaded)
    assert clustering is not None
    assert clustering.settings == ClusteringSettings(
        method="gmm", max_deals=14, min_size=3, small_clusters="leave_out", overlap=True, threshold=0.5,
        components=6, covariance="diag", max_memberships=3, keep_apart=("format", "safety"), pack=True,
    )  # fmt: skip


def test_a_method_that_finds_its_own_number_takes_none(loaded: str, store: Workspace) -> None:
    app = open_page("clusters", loaded)
    app.number_input(key="components").set_value(6).run()
    app.selectbox(key="method").set_value("hdbscan").run()
    assert app.number_input(key="components").disabled
    assert app.selectbox(key="covariance").disabled
    click(app, "Build clusters")
    job_end(loaded)
    clustering = store.clustering(loaded)
    assert clustering is not None
    assert (clustering.settings.method, clustering.settings.components) == ("hdbscan", None)
    app.selectbox(key="method").set_value("kmeans").run()
    assert app.number_input(key="components").value == 6  # it waited


def test_settings_without_effect_are_off(loaded: str) -> None:
    app = open_page("clusters", loaded)
    assert app.slider(key="threshold").disabled
    assert app.number_input(key="max_memberships").disabled
    app.toggle(key="overlap").set_value(True).run()
    assert not app.slider(key="threshold").disabled
    assert not app.number_input(key="max_memberships").disabled


def test_columns_of_the_file_can_keep_deals_apart(store: Workspace) -> None:
    rows = "".join(f"A-{n},Auto {n},{'north' if n % 2 else 'south'}\n" for n in range(12))
    data = f"deal_id,deal_name,Sales team\n{rows}".encode()
    run_id = store.create_run(read_deals(data, "teams.csv"), "teams.csv")
    app = open_page("clusters", run_id)
    assert_healthy(app)
    assert app.multiselect(key="keep_apart").options == [
        "Format", "Family-safe or not", "Currency", "SSP", "Sales team",
    ]  # fmt: skip


def test_a_rule_about_a_column_that_is_gone_stays_visible(loaded: str, store: Workspace) -> None:
    settings = replace(small_clustering().settings, keep_apart=("Sales team",))
    store.save_clustering(loaded, replace(small_clustering(), settings=settings))
    app = open_page("clusters", loaded)
    assert_healthy(app)
    assert app.multiselect(key="keep_apart").value == ["Sales team"]


def test_a_run_opens_with_the_settings_it_was_built_with(clustered: str, store: Workspace) -> None:
    other = store.create_run(small_deals(), "other.json")
    settings = replace(small_clustering().settings, max_deals=33, method="kmeans", overlap=True)
    store.save_clustering(other, replace(small_clustering(), settings=settings))
    app = open_page("clusters", clustered)
    assert app.selectbox(key="small_clusters").value == "leave_out"
    app.number_input(key="max_deals").set_value(11).run()
    app.selectbox(key="run_picker").set_value(other).run()
    assert app.number_input(key="max_deals").value == 33
    assert app.selectbox(key="method").value == "kmeans"
    assert app.toggle(key="overlap").value


def test_settings_wait_while_another_page_is_open(clustered: str) -> None:
    app = open_page("clusters", clustered)
    app.number_input(key="max_deals").set_value(11)
    app.number_input(key="components").set_value(4).run()
    app = go(go(app, "packages"), "clusters")
    assert_healthy(app)
    assert app.number_input(key="max_deals").value == 11
    assert app.number_input(key="components").value == 4


# --- what it comes to -------------------------------------------------------------------------


def test_before_the_first_build_the_estimate_says_it_is_a_rule_of_thumb(loaded: str) -> None:
    app = open_page("clusters", loaded)
    assert "model calls." in estimate(app)
    assert "A rule of thumb" in estimate(app)


def test_after_a_build_the_estimate_of_the_same_groups_is_what_came_out(clustered: str) -> None:
    clusters, left = len(small_clustering().clusters), len(small_clustering().left_over)
    app = open_page("clusters", clustered)
    assert f"About {clusters} clusters of" in estimate(app)
    assert f"{left} left over, {clusters} model calls." in estimate(app)
    assert "From the groups the last build found" in estimate(app)


def test_a_change_changes_the_estimate_and_nothing_that_is_saved(clustered: str, store: Workspace) -> None:
    store.save_array(clustered, OUTLINE, build_outline(small_deals().deals, small_vectors()).to_array())
    app = open_page("clusters", clustered)
    seen = {estimate(app)}
    app.number_input(key="max_deals").set_value(6).run()
    seen.add(estimate(app))
    assert "From the groups the last build found" in estimate(app)
    app.selectbox(key="method").set_value("kmeans").run()
    seen.add(estimate(app))
    assert "From a tree of similar deals" in estimate(app)
    assert len(seen) == 3
    assert store.clustering(clustered) == small_clustering()
    assert services.jobs().job(clustered) is None


def test_settings_that_cannot_work_say_so_where_the_estimate_was(loaded: str) -> None:
    app = open_page("clusters", loaded)
    app.number_input(key="max_deals").set_value(4)
    app.number_input(key="min_size").set_value(9).run()
    assert_healthy(app)
    assert said(app, "warning") == [
        "The largest cluster size (4) is under the smallest (9): raise the one or lower the other."
    ]
    assert "If you build now" not in words(app)
    assert preset(app) == CUSTOM
