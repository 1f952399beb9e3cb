"""The snapshot behind the page: what nothing touched is not worked out again."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from core.packages import Rename
from core.packages.sheet import PackageSheet
from core.storage import Workspace
from tests.pages.conftest import open_page, small_deals


def sheets(app: AppTest) -> dict[str, PackageSheet]:
    return {package_id: sheet for package_id, (_, sheet) in app.session_state["package_sheets"].items()}


def test_a_rerun_checks_only_packages_that_changed_or_meet_others(proposed: str, store: Workspace) -> None:
    app = open_page("packages", proposed)
    first = sheets(app)
    app.run()
    assert all(sheet is first[package_id] for package_id, sheet in sheets(app).items())
    one, other = store.packages(proposed)[:2]
    store.edit_packages(proposed, {one.id: 1}, [Rename(other.name)])
    app.run()
    again = {package_id for package_id, sheet in sheets(app).items() if sheet is not first[package_id]}
    assert again == {one.id, other.id}  # the other one's name is taken now
    assert "NAME_DUPLICATE" in {finding.code for finding in sheets(app)[other.id].findings}


def test_sheets_of_another_run_are_not_shown(proposed: str, store: Workspace) -> None:
    app = open_page("packages", proposed)
    assert len(sheets(app)) == len(store.packages(proposed))
    other = store.create_run(small_deals(), "other.json")
    app.run()
    app.selectbox(key="run_picker").set_value(other)
    app.run()
    assert sheets(app) == {}
