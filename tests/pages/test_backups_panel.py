"""Backups and the check of the workspace on the Settings page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.settings import get_settings
from core.storage import Workspace
from core.storage.backup import backup, backups
from core.storage.migrations import HEAD
from pages._shared.backups_panel import listed
from tests.pages.conftest import assert_healthy, click, open_page, said, table, words
from tests.workspaces import run_sql


def url() -> str:
    return get_settings().workspace_url


def test_a_backup_is_made_and_listed_with_the_command_that_takes_it_back() -> None:
    app = open_page("settings")
    assert "There is no backup yet: make one now." in said(app, "info")
    click(app, "Back up now")
    assert_healthy(app)
    (made,) = backups(url())
    assert said(app, "success") == [f"Copied: {made.name}."]
    rows = table(app, "Made (UTC)").value
    assert rows["File"].tolist() == [made.name]
    assert rows["Size in MB"].tolist() == [made.stat().st_size / 1_000_000]
    assert f'python -m core restore "{made}"' in [code.value for code in app.code]


def test_a_backup_says_when_it_was_made_and_one_that_is_gone_is_not_listed(tmp_path: Path) -> None:
    made = tmp_path / "workspace-20261123-010203-000001-0123456789ab.db"
    made.write_bytes(b"x" * 1_500_000)
    (found,) = listed([made, tmp_path / "workspace-20261122-010203-000001-0123456789ab.db"])
    assert (found.path, found.made, found.size_mb) == (made, "2026-11-23 01:02:03", 1.5)


@pytest.mark.usefixtures("loaded")
def test_a_backup_that_fails_says_why() -> None:
    (Path(url().removeprefix("sqlite:///")).parent / "backups").write_text("in the way")
    app = click(open_page("settings"), "Back up now")
    assert_healthy(app)
    assert "could not be copied" in said(app, "error")[0]


def test_the_check_says_each_thing_in_icon_word_and_sentence(loaded: str, store: Workspace) -> None:
    backup(url())
    app = open_page("settings", loaded)
    assert not [item for item in app.dataframe if "State" in item.value.columns], "only on demand"
    click(app, "Check the workspace")
    assert_healthy(app)
    assert said(app, "success") == ["Checked: everything is in order."]
    rows = table(app, "State").value
    assert rows["What"].tolist() == ["file", "version", "records", "space", "backup"]
    assert set(rows["State"]) == {"✓ ok"}
    run_sql(url(), "UPDATE deals SET record = substr(record, 2) WHERE position = 1")
    click(app, "Check the workspace")
    assert said(app, "error") == ["Checked: 1 thing to see to, listed below."]
    assert table(app, "State").value["State"].tolist() == ["✓ ok", "✓ ok", "✕ wrong", "✓ ok", "✓ ok"]
    assert any("Records are damaged" in text for text in said(app, "warning"))
    assert store.run(loaded).deals == 60


def test_versions_of_app_and_tables_are_told() -> None:
    assert f"tables {HEAD}" in words(open_page("settings"))


@pytest.mark.parametrize("label", ["Back up now", "How to go back to a backup"])
def test_on_a_server_its_own_tools_are_named(label: str, configure: Callable[..., None]) -> None:
    app = open_page("settings")
    configure(DEALWEAVER_DATABASE_URL="postgresql://user:secret@127.0.0.1:1/workspace")
    app.run()
    assert_healthy(app)
    assert "pg_dump" in words(app)
    assert label not in [item.label for item in (*app.button, *app.expander)]
    click(app, "Check the workspace")
    assert "cannot be looked at" in said(app, "error")[0]
    assert "secret" not in said(app, "error")[0]
    configure(DEALWEAVER_DATABASE_URL="")
