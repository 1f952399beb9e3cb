"""The runs of the workspace on the Settings page: they are named, copied, compared, and taken elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.deals import Deal
from core.errors import WorkspaceError
from core.packages import Approve, RemoveDeals, Rename
from core.reading.reading import parse_deals
from core.storage import Workspace
from pages._settings.runs_panel import SUFFIX
from tests.pages.conftest import (
    PICTURE,
    assert_healthy,
    assert_no_live_markdown,
    click,
    open_page,
    said,
    select_rows,
    small_deals,
    table,
    words,
)


def test_a_run_is_renamed(loaded: str, store: Workspace) -> None:
    app = open_page("settings", loaded)
    name_box(app).set_value("  Autumn deals ")
    click(app, "Save name")
    assert_healthy(app)
    assert store.run(loaded).name == "Autumn deals"
    assert app.selectbox(key="run_picker").options[0].startswith("Autumn deals")


def test_a_run_keeps_its_name_when_the_new_one_is_blank(loaded: str, store: Workspace) -> None:
    app = open_page("settings", loaded)
    name_box(app).set_value(" ")
    click(app, "Save name")
    assert_healthy(app)
    assert said(app, "error") == ["A run needs a name: write one before you save."]
    assert store.run(loaded).name == "Small sample"


def test_the_name_box_follows_the_run(loaded: str, store: Workspace) -> None:
    other = store.create_run(small_deals(), "other.json", "The other")
    app = open_page("settings", loaded)
    app.selectbox(key="run_picker").set_value(other)
    app.run()
    assert name_box(app).value == "The other"
    click(app, "Save name")
    assert (store.run(other).name, store.run(loaded).name) == ("The other", "Small sample")


def test_a_run_is_deleted_only_after_a_second_click(proposed: str, store: Workspace) -> None:
    first = store.packages(proposed)[0]
    store.edit_packages(proposed, {first.id: 1}, [Approve()])
    app = click(open_page("settings", proposed), "Delete run")
    assert [run.id for run in store.runs()] == [proposed]
    click(app, "Delete for good")
    assert_healthy(app)
    assert store.runs() == []
    assert said(app, "success") == ["The run is deleted."]
    assert "run" not in app.query_params
    assert not said(app, "warning")
    assert "No deals loaded yet." in words(app)


def test_a_run_that_cannot_be_deleted_says_why(
    loaded: str, store: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Workspace, run_id: str) -> None:  # noqa: ARG001
        raise WorkspaceError("The workspace could not be saved, nothing was changed (disk full): try again.")

    app = click(open_page("settings", loaded), "Delete run")
    monkeypatch.setattr(Workspace, "delete_run", refuse)
    click(app, "Delete for good")
    assert_healthy(app)
    assert "disk full" in said(app, "error")[0]
    assert [run.id for run in store.runs()] == [loaded]


def test_without_a_run_there_is_none_to_rename_or_delete() -> None:
    app = open_page("settings")
    assert not [button for button in app.button if button.label in {"Delete run", "Save name"}]
    assert "Dealweaver" in words(app)


def name_box(app: AppTest):
    return next(item for item in app.text_input if item.label == "Name of the run")


# --- the list ---------------------------------------------------------------------------------


def tick(app: AppTest, store: Workspace, *run_ids: str) -> AppTest:
    """Tick runs in the list."""
    order = [run.id for run in store.runs()]
    return select_rows(app, "runs_", [order.index(run_id) for run_id in run_ids])


def test_the_list_says_how_far_each_run_is(proposed: str, store: Workspace) -> None:
    other = store.create_run(small_deals(), "other.json", PICTURE)
    first = store.packages(proposed)[0]
    store.edit_packages(proposed, {first.id: 1}, [Approve()])
    app = open_page("settings", proposed)
    assert_healthy(app)
    assert_no_live_markdown(app)
    rows = table(app, "Run").value
    assert rows["Run"].tolist() == [PICTURE, "▶ Small sample"]
    run = store.run(proposed)
    assert rows.iloc[1][["Deals", "Clusters", "Packages", "Approved"]].tolist() == [
        60, run.clusters, run.packages, 1
    ]  # fmt: skip
    assert store.run(other).clusters is None


def test_a_ticked_run_is_the_one_that_is_worked_on(loaded: str, store: Workspace) -> None:
    other = store.create_run(small_deals(), "other.json", "The other")
    app = tick(open_page("settings", loaded), store, other)
    assert name_box(app).value == "The other"
    click(app, "Open run")
    assert_healthy(app)
    assert app.query_params["run"] == other
    assert said(app, "success") == ["Open now: The other."]


def test_deleting_another_run_leaves_the_open_one_open(loaded: str, store: Workspace) -> None:
    other = store.create_run(small_deals(), "other.json", "The other")
    app = tick(open_page("settings", loaded), store, other)
    click(click(app, "Delete run"), "Delete for good")
    assert_healthy(app)
    assert [run.id for run in store.runs()] == [loaded]
    assert app.query_params["run"] == loaded


def test_three_ticked_runs_say_what_to_do(loaded: str, store: Workspace) -> None:
    others = [store.duplicate_run(loaded, f"Copy {number}") for number in range(2)]
    app = tick(open_page("settings", loaded), store, loaded, *others)
    assert_healthy(app)
    assert "Tick one run to work on it, or two to compare them." in said(app, "info")


# --- copies -----------------------------------------------------------------------------------


def test_a_duplicate_is_opened_and_changes_alone(proposed: str, store: Workspace) -> None:
    app = click(open_page("settings", proposed), "Duplicate")
    assert_healthy(app)
    newest, former = store.runs()
    assert app.query_params["run"] == newest.id
    assert (newest.name, newest.packages) == ("Small sample (copy)", former.packages)
    package = store.packages(newest.id)[0]
    store.edit_packages(newest.id, {package.id: 1}, [Approve()])
    assert store.run(proposed).approved == 0


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each download button was given, newest last: AppTest does not keep its bytes."""
    given: list[dict[str, Any]] = []
    draw = st.delta_generator.DeltaGenerator.download_button

    def note(self: Any, label: str, data: object, **rest: Any) -> bool:
        given.append({"label": label, "data": data, **rest})
        return bool(draw(self, label, data, **rest))

    monkeypatch.setattr(st, "download_button", lambda *args, **rest: note(st._main, *args, **rest))
    return given


def test_a_downloaded_file_opens_as_another_run_with_the_same_content(
    proposed: str, store: Workspace, downloads: list[dict[str, Any]]
) -> None:
    store.rename_run(proposed, "../Autumn: sale")
    app = open_page("settings", proposed)
    assert_healthy(app)
    given = downloads[-1]
    assert given["file_name"] == f"Autumn-sale{SUFFIX}"
    data = given["data"]()
    app.file_uploader(key="workspace_file_0").set_value((f"mine{SUFFIX}", data, "")).run()
    assert_healthy(app)
    newest, former = store.runs()
    assert app.query_params["run"] == newest.id != former.id
    assert said(app, "success") == ["Saved in this workspace, and open now: ../Autumn: sale, with 60 deals."]
    assert [package.name for package in store.packages(newest.id)] == [
        package.name for package in store.packages(proposed)
    ]
    app.run()
    assert len(store.runs()) == 2, "it is opened once"


def test_a_file_that_is_none_is_refused_in_one_sentence(store: Workspace) -> None:
    app = open_page("settings")
    app.file_uploader(key="workspace_file_0").set_value((f"{PICTURE}{SUFFIX}", b"deal_id", "")).run()
    assert_healthy(app)
    assert_no_live_markdown(app)
    (sentence,) = said(app, "error")
    assert sentence == (
        f"{PICTURE}{SUFFIX} cannot be opened (file is not a database): choose a file that Dealweaver saved."
    )
    assert store.runs() == []


# --- two runs ---------------------------------------------------------------------------------


def renamed(deals: tuple[Deal, ...]) -> list[dict[str, object]]:
    return [{**deals[0].to_dict(), "deal_name": "Another name"}, {"deal_id": "new", "deal_name": "New"}]


def test_two_runs_are_compared_by_deals_packages_and_decisions(proposed: str, store: Workspace) -> None:
    copy = store.duplicate_run(proposed, "Second try")
    first, second, third = store.packages(copy)[:3]
    store.edit_packages(copy, {first.id: 1}, [Rename("Renamed")])
    store.edit_packages(copy, {second.id: 1}, [RemoveDeals(second.deal_ids[:1])])
    store.edit_packages(copy, {third.id: 1}, [Approve()])
    store.add_package(copy, "By hand", [deal.deal_id for deal in store.deals(copy)[:3]])
    free = next(deal for deal in store.deals(copy) if not held(store, copy, deal.deal_id))
    store.update_deals(copy, parse_deals(renamed((free,))), "newer.json", replace=False)
    app = tick(open_page("settings", proposed), store, proposed, copy)
    assert_healthy(app)
    count = len(store.packages(proposed))
    assert "Deals: 59 the same · 1 new · 1 changed · 0 gone." in words(app)
    assert (
        f"Packages: {count - 2} the same · 2 renamed or with other deals · 1 only in the newer run."
        in words(app)
    )
    packages = table(app, "What").value
    assert packages["What"].value_counts().to_dict() == {
        "= the same": count - 2, "✎ renamed": 1, "± other deals": 1, "+ only in the newer": 1
    }  # fmt: skip
    statuses = next(item.value for item in app.dataframe if "✓ approved" in item.value.columns)
    assert statuses["Run"].tolist() == ["Small sample", "Second try"]
    assert statuses["✓ approved"].tolist() == [0, 1]
    assert table(app, "Deal id").value["What"].tolist() == ["+ new", "± changed"]


def held(store: Workspace, run_id: str, deal_id: str) -> bool:
    return any(deal_id in package.deal_ids for package in store.packages(run_id))
