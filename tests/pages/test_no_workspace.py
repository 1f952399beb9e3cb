"""A workspace that cannot be opened: one calm page on every address, and the way back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.settings import get_settings
from core.storage import Workspace
from core.storage.backup import backup, backups
from tests.pages.conftest import PATIENCE_S, ROOT, assert_healthy, click, said, small_deals, table
from tests.pages.test_shell import PAGES


def file() -> Path:
    return Path(get_settings().workspace_url.removeprefix("sqlite:///"))


def cut() -> None:
    file().write_bytes(file().read_bytes()[:40_000])


def empty() -> None:
    file().write_bytes(b"")


def make_newer() -> None:
    with closing(sqlite3.connect(file())) as opened, opened:
        opened.execute("UPDATE alembic_version SET version_num = '9999'")


@pytest.fixture
def run_id() -> Iterator[str]:
    """A run in a workspace that nobody has open; what a test makes of the file is taken away again."""
    store = Workspace(get_settings().workspace_url)
    run_id = store.create_run(small_deals(), "deals.json", "Small sample")
    store.close()
    yield run_id
    file().unlink()


def open_app(run_id: str, page: str | None = None) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.query_params["run"] = run_id
    app.run()
    return app.switch_page(f"pages/{page}.py").run() if page else app


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_workspace_gives_the_same_calm_page_everywhere(run_id: str, page: str) -> None:
    made = backup(get_settings().workspace_url)
    cut()
    before = file().read_bytes()
    app = open_app(run_id, page)
    assert_healthy(app)
    assert [title.value for title in app.title] == ["The workspace cannot be opened"]
    (sentence,) = said(app, "error")
    assert "is damaged" in sentence
    assert "was left as it is" in sentence
    assert table(app, "Made (UTC)").value["File"].tolist() == [made.name]
    assert [code.value for code in app.code] == [f'python -m core restore "{made}"']
    assert file().read_bytes() == before, "nothing was made in its place"
    assert app.query_params["run"] == run_id


@pytest.mark.parametrize("spoil", [cut, empty])
def test_a_click_puts_a_backup_back_and_the_run_is_there_again(
    run_id: str, spoil: Callable[[], None]
) -> None:
    backup(get_settings().workspace_url)
    spoil()
    damaged = file().read_bytes()
    app = click(open_app(run_id), "Restore this backup")
    assert_healthy(app)
    (sentence,) = said(app, "success")
    assert sentence.startswith("The workspace is that of the backup again. The damaged file is kept as ")
    assert app.selectbox(key="run_picker").value == run_id
    (aside,) = file().parent.glob("*set-aside*.db")
    assert aside.read_bytes() == damaged


def test_an_older_backup_can_be_chosen_when_the_newest_is_damaged_too(run_id: str) -> None:
    older, newer = (backup(get_settings().workspace_url) for _ in range(2))
    newer.write_bytes(newer.read_bytes()[:40_000])
    cut()
    app = click(open_app(run_id), "Restore this backup")
    assert_healthy(app)
    assert "choose an older one" in said(app, "error")[0]
    assert app.title[0].value == "The workspace cannot be opened"
    app.selectbox(key="backup_to_restore").select_index(1).run()
    assert [code.value for code in app.code] == [f'python -m core restore "{older}"']
    click(app, "Restore this backup")
    assert app.selectbox(key="run_picker").value == run_id


def test_a_second_tab_does_not_restore_over_the_first(run_id: str) -> None:
    backup(get_settings().workspace_url)
    cut()
    first, second = open_app(run_id), open_app(run_id)
    click(first, "Restore this backup")
    with closing(sqlite3.connect(file())) as opened, opened:
        opened.execute("UPDATE runs SET name = 'Changed since'")
    click(second, "Restore this backup")
    assert_healthy(second)
    with closing(sqlite3.connect(file())) as opened:
        assert opened.execute("SELECT name FROM runs").fetchall() == [("Changed since",)]
    assert len(list(file().parent.glob("*set-aside*.db"))) == 1


def test_a_workspace_of_a_newer_version_names_its_backups_and_replaces_nothing(run_id: str) -> None:
    made = backup(get_settings().workspace_url)
    make_newer()
    app = open_app(run_id)
    assert_healthy(app)
    assert "newer version of Dealweaver" in said(app, "error")[0]
    assert [code.value for code in app.code] == [f'python -m core restore "{made}"']
    assert [button.label for button in app.button] == ["Try again"]


def test_without_a_backup_there_is_the_sentence_alone(run_id: str) -> None:
    cut()
    app = open_app(run_id)
    assert_healthy(app)
    assert backups(get_settings().workspace_url) == ()
    assert "there is no backup beside it" in said(app, "error")[0]
    assert not app.dataframe
    assert not app.code


def test_it_goes_on_once_the_workspace_can_be_opened(run_id: str) -> None:
    sound = file().read_bytes()
    cut()
    app = open_app(run_id)
    file().write_bytes(sound)
    click(app, "Try again")
    assert_healthy(app)
    assert app.title[0].value == "Deals"
    assert app.selectbox(key="run_picker").value == run_id


def test_a_setting_that_cannot_work_is_said_on_the_same_page(
    run_id: str, configure: Callable[..., None]
) -> None:
    configure(DEALWEAVER_WORKERS="many")
    app = open_app(run_id)
    assert_healthy(app)
    assert "DEALWEAVER_WORKERS" in said(app, "error")[0]
    configure(DEALWEAVER_WORKERS="1")
