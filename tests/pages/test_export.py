"""Export: only what is approved, in the bytes that the core writes."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.exports import PRESETS, export
from core.packages import AddDeals, Approve, Package, Rename
from core.storage import Workspace
from core.work.export_jobs import export_job, keep_option
from pages._export import export_file
from tests.pages.conftest import (
    PICTURE,
    assert_healthy,
    assert_no_live_markdown,
    click,
    go,
    ledger,
    links,
    open_page,
    said,
    select_rows,
    small_deals,
    table,
    words,
)

Downloads = list[dict[str, Any]]


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> Downloads:
    """What each download button was given, newest last: AppTest does not keep its bytes."""
    given: Downloads = []
    draw = st.download_button

    def note(label: str, data: object, **rest: Any) -> bool:
        given.append({"label": label, "data": data, **rest})
        return draw(label, data, **rest)

    monkeypatch.setattr(st, "download_button", note)
    return given


@pytest.fixture
def approved(proposed: str, store: Workspace) -> str:
    """A run with two approved packages, a rejected-by-nobody rest, and a deal that two share."""
    first, second = store.packages(proposed)[:2]
    store.edit_packages(
        proposed, {first.id: 1}, [Rename('=HYPERLINK("http://x")'), Approve("Checked by hand.")]
    )
    store.edit_packages(proposed, {second.id: 1}, [AddDeals(first.deal_ids[:1]), Approve("Of the test.")])
    return proposed


def going(store: Workspace, run_id: str) -> list[Package]:
    return [package for package in store.packages(run_id) if package.status == "approved"]


def choose(app: AppTest, preset: str, platform: str | None = None) -> AppTest:
    """Choose a kind of file, and a platform to check it for."""
    app.selectbox(key="preset").set_value(preset)
    if platform:
        app.selectbox(key="platform").set_value(platform)
    app.run()
    assert_healthy(app)
    return app


def view(app: AppTest, name: str) -> AppTest:
    app.segmented_control(key="export_view").set_value(name).run()
    assert_healthy(app)
    return app


def test_without_deals_the_page_leads_to_deals() -> None:
    app = open_page("export")
    assert_healthy(app)
    assert links(app) == [""]


@pytest.mark.parametrize("stage", ["loaded", "clustered", "proposed"])
def test_with_nothing_approved_the_page_leads_to_packages(stage: str, request: pytest.FixtureRequest) -> None:
    app = open_page("export", request.getfixturevalue(stage))
    assert_healthy(app)
    assert said(app, "info") == ["No package is approved yet, so there is nothing to export."]
    assert links(app) == ["packages"]
    assert not app.download_button


def test_the_page_counts_what_goes_out(approved: str, store: Workspace) -> None:
    app = open_page("export", approved)
    assert_healthy(app)
    distinct = {deal_id for package in going(store, approved) for deal_id in package.deal_ids}
    assert f"2 approved packages, {len(distinct)} different deals." in words(app)
    total, states = ledger(app)
    assert total == sum(states.values()) == 60


def test_each_file_holds_the_bytes_of_the_core(approved: str, store: Workspace, downloads: Downloads) -> None:
    app = open_page("export", approved)
    assert app.selectbox(key="preset").options == [preset.label for preset in PRESETS.values()]
    job = export_job(store, approved)
    for key, preset in PRESETS.items():
        choose(app, key)
        if said(app, "error"):  # what a platform refuses has tests of its own
            assert key in {"deals_api", "dv360"}
            continue
        data = export(key, job)
        assert downloads[-1]["data"] == data
        assert downloads[-1]["file_name"] == f"Small-sample-{preset.filename}"
        assert app.download_button[0].label == f"Download {preset.filename}"
        assert f"{len(data):,} bytes" in words(app)
        assert hashlib.sha256(data).hexdigest() in words(app)


def test_the_file_says_where_it_comes_from(approved: str, store: Workspace, downloads: Downloads) -> None:
    choose(open_page("export", approved), "json")
    about = json.loads(downloads[-1]["data"])["about"]
    assert about["model"] == "Rules (no AI)"
    assert about["prompt_hash"] is None
    assert about["settings"]["clustering"]["max_deals"] == 25
    assert sum(about["coverage"].values()) == about["deals_loaded"] == 60
    assert about["when"] == store.events(approved)[-1]["at"]


def test_options_of_cells_are_kept_in_the_workspace(approved: str, downloads: Downloads) -> None:
    app = open_page("export", approved)
    assert not downloads[-1]["data"].startswith(b"\xef\xbb\xbf")
    app.toggle(key="export_cells_bom").set_value(True)
    app.toggle(key="export_cells_excel_safe_ids").set_value(True)
    app.run()
    assert_healthy(app)
    assert downloads[-1]["data"].startswith(b"\xef\xbb\xbf")
    assert b'"=""' in downloads[-1]["data"]
    assert table(app, "package_id").value.columns[0] == "package_id"  # the preview does without the mark
    again = open_page("export", approved)
    assert again.toggle(key="export_cells_bom").value
    assert downloads[-1]["data"].startswith(b"\xef\xbb\xbf")


def test_the_preview_shows_the_file_as_text(approved: str, downloads: Downloads) -> None:
    app = open_page("export", approved)
    rows = list(csv.DictReader(io.StringIO(downloads[-1]["data"].decode())))
    shown = table(app, "package_id").value
    assert shown["deal_id"].tolist() == [row["deal_id"] for row in rows[: len(shown)]]
    assert shown["package_name"][0] == '\'=HYPERLINK("http://x")'


def test_only_approved_packages_leave(approved: str, store: Workspace, downloads: Downloads) -> None:
    choose(open_page("export", approved), "json")
    document = json.loads(downloads[-1]["data"])
    assert {item["status"] for item in document["packages"]} == {"approved"}
    kept = {package.id for package in going(store, approved)}
    assert {item["package_id"] for item in document["packages"]} == kept


def test_fewer_packages_can_be_chosen(approved: str, store: Workspace, downloads: Downloads) -> None:
    app = open_page("export", approved)
    second = going(store, approved)[1]
    app.multiselect[0].set_value([second.id]).run()
    assert_healthy(app)
    assert f"1 approved package, {len(second.deal_ids)} different deals." in words(app)
    rows = list(csv.DictReader(io.StringIO(downloads[-1]["data"].decode())))
    assert {row["package_id"] for row in rows} == {second.id}
    app.download_button[0].click().run()
    assert store.exports(approved)[0].packages == 1


def test_a_download_is_written_into_the_history(
    approved: str, store: Workspace, downloads: Downloads
) -> None:
    app = open_page("export", approved)
    assert not store.run(approved).exported
    app.download_button[0].click().run()
    assert_healthy(app)
    assert store.run(approved).exported
    (event,) = store.exports(approved)
    assert (event.packages, event.filename) == (2, "Small-sample-packages_deals.csv")
    assert event.checksum == hashlib.sha256(downloads[-1]["data"]).hexdigest()
    view(app, "History")
    shown = table(app, "Exported at (UTC)").value
    assert shown["SHA-256"].tolist() == [event.checksum]
    assert shown["Kind"].tolist() == ["Deals of packages (CSV)"]
    assert "Small-sample-packages_deals.csv" in table(app, "When (UTC)").value["What"].iloc[0]


@pytest.mark.parametrize("key", ["json", "workbook"])
def test_a_download_changes_no_file(key: str, approved: str, downloads: Downloads) -> None:
    app = choose(open_page("export", approved), key)
    before = downloads[-1]["data"]
    app.download_button[0].click().run()
    assert_healthy(app)
    assert downloads[-1]["data"] == before


def test_a_large_workbook_is_written_when_it_is_downloaded(
    approved: str, store: Workspace, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_file, "_DEALS_AT_ONCE", 1)
    app = choose(open_page("export", approved), "workbook")
    assert callable(downloads[-1]["data"])
    assert "It is written when you download it" in words(app)
    assert len(table(app, "package_id").value) == 2  # the preview does without the file
    data = downloads[-1]["data"]()
    assert data == export("workbook", export_job(store, approved))
    app.download_button[0].click().run()
    assert_healthy(app)
    assert store.exports(approved)[0].checksum == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("key", ["workbook", "summary_html", "summary_markdown", "deals_api", "packages"])
def test_a_name_with_markup_stays_text(key: str, approved: str, store: Workspace) -> None:
    first = going(store, approved)[0]
    edits = [Rename(f"{PICTURE} <script>alert(1)</script>"), Approve("Of the test.")]
    store.edit_packages(approved, {first.id: first.version}, edits)
    app = choose(open_page("export", approved), key)
    assert_no_live_markdown(app)
    assert not [item for item in app.markdown if item.allow_html]


# --- what waits for another approval ------------------------------------------------------------


def change_a_deal(store: Workspace, run_id: str) -> Package:
    """Bring in a file in which a deal of the first approved package alone is another one; return that."""
    package, result = going(store, run_id)[0], small_deals()
    deals = tuple(
        dataclasses.replace(deal, deal_name="Renewed") if deal.deal_id == package.deal_ids[1] else deal
        for deal in result.deals
    )
    store.update_deals(run_id, dataclasses.replace(result, deals=deals), "newer.json", replace=False)
    return package


def test_a_package_edited_after_its_approval_does_not_leave(approved: str, store: Workspace) -> None:
    app = open_page("export", approved)
    first = store.packages(approved)[0]
    store.edit_packages(approved, {first.id: first.version}, [Rename("Changed")])
    go(app, "export")
    assert_healthy(app)
    assert "1 approved package, " in words(app)


def test_packages_that_a_newer_file_changed_are_named_and_stay_out(
    approved: str, store: Workspace, downloads: Downloads
) -> None:
    amber = change_a_deal(store, approved)
    app = open_page("export", approved)
    assert_healthy(app)
    assert said(app, "warning")[0].startswith("1 package was approved and changed since")
    assert f"{amber.name}: {amber.deal_ids[1]} changed" in words(app)
    assert amber.id.encode() not in downloads[-1]["data"]


def test_the_way_from_a_changed_package_leads_to_it(approved: str, store: Workspace) -> None:
    amber = change_a_deal(store, approved)
    app = click(open_page("export", approved), "Open")
    assert_healthy(app)
    assert [item.value for item in app.title] == ["Packages"]
    assert amber.name in [box.value for box in app.text_input]


# --- pre-flight ---------------------------------------------------------------------------------


def test_an_error_keeps_the_file_from_being_written(approved: str) -> None:
    app = choose(open_page("export", approved), "deals_api")
    assert "no file is written" in said(app, "error")[0]
    assert not app.download_button
    assert next(button for button in app.button if button.label == "Download").disabled
    shown = table(app, "Severity").value
    assert shown["What"][0].startswith("The origin is not set")
    assert shown["Severity"][0] == "✕ error"


def test_what_a_platform_asks_for_is_asked_and_checked(approved: str, store: Workspace) -> None:
    app = choose(open_page("export", approved), "packages_deals", "pubmatic")
    assert said(app, "error") == []
    buyers = app.text_input(key="export_platform_buyers")
    buyers.set_value(", ".join(f"b{number}" for number in range(11))).run()
    assert_healthy(app)
    assert "11 buyers are set" in table(app, "Severity").value["What"][0]
    assert not app.download_button
    app.text_input(key="export_platform_buyers").set_value("b1, b2").run()
    assert app.download_button
    assert store.preference("export_platform", "") == '{"buyers":["b1","b2"]}'


def test_warnings_do_not_keep_a_file_back(approved: str, store: Workspace) -> None:
    app = choose(open_page("export", approved), "packages_deals", "index_exchange")
    app.multiselect[0].set_value([going(store, approved)[0].id]).run()
    assert said(app, "error") == []
    assert "warning" in said(app, "warning")[0]
    assert app.download_button


def test_packages_with_errors_can_be_left_out(approved: str, store: Workspace) -> None:
    first, second = going(store, approved)
    same = [Rename(second.name), Approve("Of the test.")]
    store.edit_packages(approved, {first.id: first.version}, same)
    third = next(package for package in store.packages(approved) if package.status == "pending")
    store.edit_packages(approved, {third.id: third.version}, [Approve("Of the test.")])
    app = choose(open_page("export", approved), "packages_deals", "index_exchange")
    assert not app.download_button
    click(app, "Leave out the 2 packages with errors")
    assert_healthy(app)
    assert "1 approved package, " in words(app)
    assert app.download_button


def test_a_line_leads_to_its_package(approved: str) -> None:
    app = choose(open_page("export", approved), "deals_api")
    shown = table(app, "Severity").value
    line = next(row for row in range(len(shown)) if isinstance(shown["Package"][row], str))
    select_rows(app, "issues_", [line])
    click(app, "Open its package")
    assert_healthy(app)
    assert [item.value for item in app.title] == ["Packages"]
    assert shown["Package"][line] in [box.value for box in app.text_input]


def test_the_deals_api_is_written_once_its_questions_are_answered(
    approved: str, downloads: Downloads
) -> None:
    app = choose(open_page("export", approved), "deals_api")
    app.text_input(key="export_deals_api_origin").set_value("ssp.example.com").run()
    app.text_input(key="export_deals_api_currency").set_value("USD").run()
    app.text_input(key="export_deals_api_wseat").set_value("seat-1, seat-2").run()
    assert_healthy(app)
    assert app.text_input(key="export_deals_api_bseat").disabled
    if not app.download_button:
        click(app, "Leave out the")
    objects = json.loads(downloads[-1]["data"])
    assert objects
    for item in objects:
        assert item["origin"] == "ssp.example.com"
        assert item["wseat"] == ["seat-1", "seat-2"]


def test_options_that_were_kept_are_shown(approved: str, store: Workspace) -> None:
    keep_option(store, "deals_api", "origin", "ssp.example.com")
    app = choose(open_page("export", approved), "deals_api")
    assert app.text_input(key="export_deals_api_origin").value == "ssp.example.com"
