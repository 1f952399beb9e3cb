"""The table of options: everything an export can be told is on the screen, and comes back as it was."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest

from core.exports import PLATFORMS, PRESETS
from core.packages import Approve
from core.storage import Workspace
from core.work.export_jobs import ChosenOptions, chosen_options
from pages._export.options_form import FIELDS
from tests.pages.conftest import assert_healthy, open_page

PARTS = [item.name for item in fields(ChosenOptions)]


@pytest.mark.parametrize("part", PARTS)
def test_every_option_has_a_field(part: str) -> None:
    names = {item.name for item in fields(getattr(ChosenOptions(), part))} - {"deals_api"}
    assert {field.name for field in FIELDS if field.part == part} == names


def test_every_default_is_one_of_the_choices() -> None:
    for field in FIELDS:
        if field.choices is not None:
            assert getattr(getattr(ChosenOptions(), field.part), field.name) in field.choices


def test_everything_that_files_and_platforms_need_is_a_field_or_a_part() -> None:
    needed = {name for kind in (*PRESETS.values(), *PLATFORMS.values()) for name in kind.needs}
    assert needed <= {field.name for field in FIELDS} | {"deals_api", "dv360"}


@pytest.fixture
def approved(proposed: str, store: Workspace) -> str:
    package = store.packages(proposed)[0]
    store.edit_packages(proposed, {package.id: 1}, [Approve("Of the test.")])
    return proposed


@pytest.mark.parametrize(
    ("widget", "name", "typed", "kept"),
    [
        ("text_input", "seller", " seller.example.com ", "seller.example.com"),
        ("text_input", "wseat", "a, b ,,c", ("a", "b", "c")),
        ("selectbox", "sellerstatus", 0, 0),
        ("number_input", "units", 12, 12),
        ("number_input", "total_cost", 99.5, Decimal("99.5")),
    ],
)
def test_what_is_typed_is_kept_and_shown_again(
    widget: str, name: str, typed: Any, kept: Any, approved: str, store: Workspace
) -> None:
    key = f"export_deals_api_{name}"
    app = open_page("export", approved)
    app.selectbox(key="preset").set_value("deals_api").run()
    getattr(app, widget)(key=key).set_value(typed).run()
    assert_healthy(app)
    assert getattr(chosen_options(store).deals_api, name) == kept
    again = open_page("export", approved)
    again.selectbox(key="preset").set_value("deals_api").run()
    assert_healthy(again)
    shown = getattr(again, widget)(key=key).value
    assert shown == (", ".join(kept) if isinstance(kept, tuple) else kept)
