"""An exported file comes back: what differs is listed, and what is accepted becomes a step."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from streamlit.testing.v1 import AppTest

from core.exports import ExportJob, export
from core.packages import Approve, Lock, Package, Rename
from core.storage import Workspace
from core.work.export_jobs import export_job
from tests.pages.conftest import (
    PICTURE,
    assert_healthy,
    assert_no_live_markdown,
    click,
    go,
    open_page,
    said,
    select_rows,
    small_deals,
    table,
    words,
)

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def approved(proposed: str, store: Workspace) -> str:
    """A run with three approved packages."""
    for package in store.packages(proposed)[:3]:
        store.edit_packages(proposed, {package.id: 1}, [Approve("Of the test.")])
    return proposed


def named(store: Workspace, run_id: str, package_id: str) -> Package:
    return next(package for package in store.packages(run_id) if package.id == package_id)


def edited(job: ExportJob, change: Change) -> bytes:
    """Return the JSON export after somebody edited it."""
    document = json.loads(export("json", job))
    change(document)
    return json.dumps(document).encode()


def bring(run_id: str, data: bytes, name: str = "packages.json") -> AppTest:
    """Open the page and bring a file back."""
    app = open_page("export", run_id)
    app.segmented_control(key="export_view").set_value("Bring back").run()
    app.file_uploader[0].set_value((name, data, "application/octet-stream")).run()
    assert_healthy(app)
    return app


def listed(app: AppTest) -> list[tuple[str, str]]:
    shown = table(app, "What").value
    return list(zip(shown["What"], shown["Change"], strict=True))


@pytest.mark.parametrize(
    ("key", "name"),
    [("json", "packages.json"), ("packages_deals", "packages_deals.csv"), ("workbook", "packages.xlsx")],
)
def test_an_untouched_file_has_no_difference(key: str, name: str, approved: str, store: Workspace) -> None:
    app = bring(approved, export(key, export_job(store, approved)), name)
    assert said(app, "success") == ["No difference: 3 packages of the file are as they are here."]
    assert not app.dataframe


def test_an_untouched_file_of_some_packages_has_no_difference(approved: str, store: Workspace) -> None:
    job = export_job(store, approved)
    app = bring(approved, export("json", ExportJob(job.sheets[:2], job.about)))
    assert said(app, "success") == ["No difference: 2 packages of the file are as they are here."]
    assert "1 approved package is not in the file" in words(app)
    app.toggle(key="export_missing").set_value(True).run()
    (line,) = listed(app)
    assert line[0] == "not in the file"
    click(app, "Accept all 1")
    assert named(store, approved, job.sheets[2].package.id).status == "rejected"
    assert "not in the file" not in words(app)


def test_accepted_changes_are_steps_and_the_others_stay(approved: str, store: Workspace) -> None:
    first, second = store.packages(approved)[:2]
    gone = second.deal_ids[-1]

    def change(document: dict[str, Any]) -> None:
        document["packages"][0]["package_name"] = "Renamed elsewhere"
        document["packages"][0]["reasoning"] = "Said elsewhere."
        document["packages"][1]["deal_ids"].remove(gone)

    app = bring(approved, edited(export_job(store, approved), change))
    assert [kind for kind, _ in listed(app)] == ["name", "reasoning", "deals taken out"]
    select_rows(app, "differences_", [0, 2])
    click(app, "Accept 2 changes")
    assert_healthy(app)
    assert said(app, "success") == ["2 changes accepted from the file."]
    now = named(store, approved, first.id)
    assert (now.name, now.reasoning, now.status) == ("Renamed elsewhere", first.reasoning, "pending")
    assert gone not in named(store, approved, second.id).deal_ids
    assert [step.what for step in store.steps(approved)[:2]] == [
        f"Remove {gone} ({second.name!r})",
        f"Rename to 'Renamed elsewhere' ({first.name!r})",
    ]
    # What was accepted is no difference any more, and does not make the rest look stale.
    assert [kind for kind, _ in listed(app)] == ["reasoning"]
    assert said(app, "warning") == []


def test_two_changes_of_one_package_are_accepted_together(approved: str, store: Workspace) -> None:
    first = store.packages(approved)[0]

    def change(document: dict[str, Any]) -> None:
        document["packages"][0] |= {"package_name": "Renamed elsewhere", "reasoning": "Said elsewhere."}

    app = click(bring(approved, edited(export_job(store, approved), change)), "Accept all 2")
    assert_healthy(app)
    now = named(store, approved, first.id)
    assert (now.name, now.reasoning) == ("Renamed elsewhere", "Said elsewhere.")
    assert said(app, "success")[-1] == "No difference: 3 packages of the file are as they are here."


def test_a_package_that_is_new_in_the_file_is_made_once(approved: str, store: Workspace) -> None:
    ids = [deal.deal_id for deal in small_deals().deals[:3]]

    def change(document: dict[str, Any]) -> None:
        document["packages"].append({"package_name": "From elsewhere", "deal_ids": ids, "reasoning": "New."})

    app = click(bring(approved, edited(export_job(store, approved), change)), "Accept all 1")
    assert_healthy(app)
    made = store.packages(approved)[-1]
    assert (made.name, list(made.deal_ids), made.source) == ("From elsewhere", ids, "Analyst")
    assert said(app, "success")[-1].startswith("No difference")


def test_unknown_ids_are_refused_in_words(approved: str, store: Workspace) -> None:
    def change(document: dict[str, Any]) -> None:
        document["packages"][0]["deal_ids"].append("made-up-1")

    app = bring(approved, edited(export_job(store, approved), change))
    (sentence,) = said(app, "error")
    assert "no deal of this run has the id made-up-1" in sentence
    assert not app.dataframe


def test_a_change_that_is_not_allowed_keeps_none_of_the_others_back(approved: str, store: Workspace) -> None:
    first, second = store.packages(approved)[:2]
    store.edit_packages(approved, {first.id: first.version}, [Lock()])

    def change(document: dict[str, Any]) -> None:
        for entry in document["packages"][:2]:
            entry["package_name"] += " elsewhere"

    app = click(bring(approved, edited(export_job(store, approved), change)), "Accept all 2")
    assert said(app, "error")[0].startswith("1 change accepted. Refused: ")
    assert "is locked" in said(app, "error")[0]
    assert named(store, approved, first.id).name == first.name
    assert named(store, approved, second.id).name == f"{second.name} elsewhere"
    assert len(listed(app)) == 1


def test_a_change_of_somebody_else_meanwhile_stays(approved: str, store: Workspace) -> None:
    first = store.packages(approved)[0]

    def change(document: dict[str, Any]) -> None:
        document["packages"][0]["package_name"] = "Renamed elsewhere"

    app = bring(approved, edited(export_job(store, approved), change))
    store.edit_packages(approved, {first.id: first.version}, [Rename("Renamed meanwhile")])
    click(app, "Accept all 1")
    assert "was changed meanwhile" in said(app, "error")[0]
    assert named(store, approved, first.id).name == "Renamed meanwhile"
    assert said(app, "warning")[0].startswith("1 package was changed here after the file was written")


def test_a_file_that_is_none_is_refused_in_one_sentence(approved: str) -> None:
    app = bring(approved, b"deal_id,name\n1,One\n", "deals.csv")
    (sentence,) = said(app, "error")
    assert "lacks the columns package_id, package_name" in sentence


def test_the_file_survives_a_change_of_page_and_can_be_put_away(approved: str, store: Workspace) -> None:
    def change(document: dict[str, Any]) -> None:
        document["packages"][0]["package_name"] = "Renamed elsewhere"

    app = bring(approved, edited(export_job(store, approved), change))
    go(app, "packages")
    go(app, "export")
    assert_healthy(app)
    assert [kind for kind, _ in listed(app)] == ["name"]
    click(app, "Put the file away")
    assert_healthy(app)
    assert not app.dataframe


def test_a_workbook_that_was_edited_comes_back(approved: str, store: Workspace) -> None:
    first = store.packages(approved)[0]
    book = openpyxl.load_workbook(io.BytesIO(export("workbook", export_job(store, approved))))
    sheet = book["deals"]
    column = next(cell.column for cell in sheet[1] if cell.value == "package_name")
    for row in sheet.iter_rows(min_row=2):
        if row[0].value == first.id:
            sheet.cell(row[0].row, column, "Renamed in a spreadsheet")
    stream = io.BytesIO()
    book.save(stream)
    app = click(bring(approved, stream.getvalue(), "packages.xlsx"), "Accept all 1")
    assert_healthy(app)
    assert named(store, approved, first.id).name == "Renamed in a spreadsheet"


def test_markup_in_a_file_stays_text(approved: str, store: Workspace) -> None:
    def change(document: dict[str, Any]) -> None:
        document["packages"][0]["package_name"] = PICTURE
        document["packages"][1]["deal_ids"].append(PICTURE)

    app = bring(approved, edited(export_job(store, approved), change), f"{PICTURE}.json".replace("/", ""))
    assert_no_live_markdown(app)
    click(app, "Accept all 1")
    assert_no_live_markdown(app)
