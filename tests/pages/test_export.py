"""Export: only what is approved, in the bytes that the core writes."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
import streamlit as st

from core.exports import packages_csv, packages_deals_csv, packages_json
from core.packages import AddDeals, Approve, Rename
from core.workspace import Workspace
from tests.pages.conftest import (
    assert_healthy,
    go,
    ledger,
    links,
    open_page,
    said,
    small_deals,
    table,
    words,
)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each download button was given, newest last: AppTest does not keep its bytes."""
    given: list[dict[str, Any]] = []
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
    store.edit_packages(proposed, {first.id: 1}, [Rename('=HYPERLINK("http://x")'), Approve()])
    store.edit_packages(
        proposed, {second.id: 1}, [AddDeals(first.deal_ids[:1]), Approve(despite_claims=True)]
    )
    return proposed


def by_id() -> dict[str, Any]:
    return {deal.deal_id: deal for deal in small_deals().deals}


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
    going = [package for package in store.packages(approved) if package.status == "approved"]
    distinct = {deal_id for package in going for deal_id in package.deal_ids}
    assert f"2 approved packages, {len(distinct)} different deals." in words(app)
    total, states = ledger(app)
    assert total == sum(states.values()) == 60


def test_each_file_holds_the_bytes_of_the_core(
    approved: str, store: Workspace, downloads: list[dict[str, Any]]
) -> None:
    going = [package for package in store.packages(approved) if package.status == "approved"]
    about = {"run": "Small sample", "file": "deals_small.json", "deals_loaded": 60, "packages": 2}
    expected = {
        "Deals of packages (CSV)": ("packages_deals.csv", packages_deals_csv(going, by_id())),
        "Packages (CSV)": ("packages.csv", packages_csv(going, by_id())),
        "Everything (JSON)": ("packages.json", packages_json(going, by_id(), about=about)),
    }
    app = open_page("export", approved)
    assert list(app.segmented_control(key="preset").options) == list(expected)
    for preset, (name, data) in expected.items():
        app.segmented_control(key="preset").set_value(preset)
        app.run()
        assert_healthy(app)
        assert downloads[-1]["data"] == data
        assert downloads[-1]["file_name"] == f"Small-sample-{name}"
        assert app.download_button[0].label == f"Download {name}"


def test_the_byte_order_mark_comes_on_request(approved: str, downloads: list[dict[str, Any]]) -> None:
    app = open_page("export", approved)
    assert not downloads[-1]["data"].startswith(b"\xef\xbb\xbf")
    app.toggle(key="bom").set_value(True)
    app.run()
    assert_healthy(app)
    assert downloads[-1]["data"].startswith(b"\xef\xbb\xbf")
    assert table(app, "package_id").value.columns[0] == "package_id"  # the preview does without it


def test_the_preview_shows_the_file_as_text(approved: str, downloads: list[dict[str, Any]]) -> None:
    app = open_page("export", approved)
    rows = list(csv.DictReader(io.StringIO(downloads[-1]["data"].decode())))
    shown = table(app, "package_id").value
    assert shown["deal_id"].tolist() == [row["deal_id"] for row in rows[: len(shown)]]
    assert shown["package_name"][0] == '\'=HYPERLINK("http://x")'


def test_only_approved_packages_leave(
    approved: str, store: Workspace, downloads: list[dict[str, Any]]
) -> None:
    app = open_page("export", approved)
    app.segmented_control(key="preset").set_value("Everything (JSON)")
    app.run()
    document = json.loads(downloads[-1]["data"])
    assert {item["status"] for item in document["packages"]} == {"approved"}
    kept = {package.id for package in store.packages(approved) if package.status == "approved"}
    assert {item["package_id"] for item in document["packages"]} == kept


def test_a_download_is_written_into_the_history(approved: str, store: Workspace) -> None:
    app = open_page("export", approved)
    assert not store.run(approved).exported
    app.download_button[0].click().run()
    assert_healthy(app)
    assert store.run(approved).exported
    assert store.events(approved)[-1]["what"] == "Export 2 packages as packages_deals.csv"
    assert table(app, "When (UTC)").value["What"].iloc[0] == "Export 2 packages as packages_deals.csv"


def test_a_package_edited_after_its_approval_does_not_leave(approved: str, store: Workspace) -> None:
    app = open_page("export", approved)
    first = store.packages(approved)[0]
    store.edit_packages(approved, {first.id: first.version}, [Rename("Changed")])
    go(app, "export")
    assert_healthy(app)
    assert "1 approved package, " in words(app)
