"""The brief search: what was understood, deals found and refused, twins, and a package of the selection."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.reading import ImportResult
from core.storage import Workspace
from core.work.tasks import VECTORS
from tests.pages.conftest import (
    PATIENCE_S,
    SMALL,
    assert_healthy,
    assert_no_live_markdown,
    click,
    plain,
    said,
    select_rows,
    small_deals,
    small_vectors,
    table,
    watch_job,
    words,
)


def page() -> None:
    """Draw the panel as a page does, with the fake model; its source runs on its own."""
    from pages._packages.brief_search import brief_search_panel
    from pages._shared import shell, state
    from tests.fakes.embeddings import FakeEncoder

    shell.header()
    run = state.current_run()
    assert run is not None
    brief_search_panel(run, state.deals_of(run.id), FakeEncoder)


def searched(run_id: str, brief: str) -> AppTest:
    app = AppTest.from_function(page, default_timeout=PATIENCE_S)
    app.query_params["run"] = run_id
    app.run()
    box = next(item for item in app.text_input if item.label == "Brief")
    app = box.set_value(brief).run()
    assert_healthy(app)
    return app


@pytest.fixture
def fresh(store: Workspace) -> str:
    """A run whose deals were never embedded."""
    return store.create_run(small_deals(), SMALL.name, "Small sample")


def badges(app: AppTest) -> str:
    return plain("\n".join(element.value for element in app.markdown if ":blue-badge" in element.value))


def names_of_hits(app: AppTest) -> list[str]:
    return list(table(app, "Deal id").value["Deal id"])


def test_without_a_brief_the_panel_says_what_to_write(loaded: str) -> None:
    app = searched(loaded, "")
    assert "Write what a campaign needs" in words(app)
    assert not app.dataframe


def test_filters_meaning_and_joining_words_are_shown(loaded: str) -> None:
    app = searched(loaded, "family-safe video for auto intenders, under $15")
    for rule in ("family-safe", "video", "floor under 15 USD"):
        assert rule in badges(app)
    shown = words(app)
    assert "auto intenders" in shown
    assert "Joining words set aside: for" in shown


def test_counts_add_up_to_the_deals_of_the_run(loaded: str) -> None:
    app = searched(loaded, "family-safe, low risk, US")
    found, refused = said_counts(app)
    assert found + refused == len(small_deals().deals)
    unsafe = sum(deal.safety.family_safe is False for deal in small_deals().deals)
    assert f"Refused: {unsafe} not family-safe" in words(app)


def said_counts(app: AppTest) -> tuple[int, int]:
    match = re.search(r"([\d,]+) of 60 deals fit: .*?([\d,]+) refused\.", words(app))
    assert match, words(app)
    return int(match[1]), int(match[2])


def test_certain_deals_stand_apart_from_doubtful_ones(loaded: str) -> None:
    app = searched(loaded, "family-safe")
    deals = {deal.deal_id: deal for deal in small_deals().deals}
    assert all(deals[deal_id].safety.family_safe for deal_id in names_of_hits(app))
    part = next(group for group in app.button_group if group.label == "Deals found")
    app = part.set_value("doubtful").run()
    assert_healthy(app)
    doubtful = names_of_hits(app)
    assert doubtful
    assert all(deals[deal_id].safety.family_safe is None for deal_id in doubtful)


def test_selected_deals_become_a_package(loaded: str, store: Workspace) -> None:
    app = searched(loaded, "family-safe")
    chosen = [names_of_hits(app)[row] for row in (0, 2)]
    app = select_rows(app, "brief_hits_", [0, 2])
    next(item for item in app.text_input if item.label == "Name of the package").set_value("Safe CTV")
    app = click(app, "Make a package of 2 deals")
    assert said(app, "success") == ["'Safe CTV' with 2 deals is saved; it waits for review."]
    (package,) = store.packages(loaded)
    assert (package.name, list(package.deal_ids), package.source) == ("Safe CTV", chosen, "Analyst")


def test_package_needs_a_selection_and_a_name(loaded: str, store: Workspace) -> None:
    app = searched(loaded, "family-safe")
    assert next(button for button in app.button if button.label.startswith("Make a package")).disabled
    app = select_rows(app, "brief_hits_", [0])
    app = click(app, "Make a package of 1 deal")
    (complaint,) = said(app, "error")
    assert complaint.startswith("A package needs a name")
    assert store.packages(loaded) == ()


def test_brief_nobody_meets_says_what_to_do(loaded: str) -> None:
    one, other, *_ = sorted({deal.ssp_name for deal in small_deals().deals if deal.ssp_name})
    app = searched(loaded, f"on {one} for {other}")
    assert said(app, "info") == ["No deal meets the brief: take out the filter that refuses most."]


def test_deals_without_vectors_are_compared_by_words_and_can_be_embedded(
    fresh: str, store: Workspace
) -> None:
    app = searched(fresh, "auto intenders")
    assert "The deals are not embedded yet" in words(app)
    app = watch_job(click(app, "Embed the deals"), fresh)
    vectors = store.array(fresh, VECTORS)
    assert vectors is not None
    assert np.isfinite(vectors).all()
    assert store.clustering(fresh) is None
    assert "not embedded yet" not in words(app.run())


def test_filters_alone_need_no_vectors(fresh: str) -> None:
    app = searched(fresh, "family-safe")
    assert "not embedded" not in words(app)
    assert names_of_hits(app)


def test_vectors_of_another_model_are_not_compared(store: Workspace) -> None:
    run_id = store.create_run(small_deals(), SMALL.name, "Small sample")
    store.save_array(run_id, VECTORS, small_vectors(), made_by="another model")
    app = searched(run_id, "auto intenders")
    (warning,) = said(app, "warning")
    assert warning.startswith("The deals were embedded by another model")
    assert names_of_hits(app)


@pytest.fixture
def twins(store: Workspace) -> tuple[str, str, str]:
    """A run with one deal that a second SSP sells for more; its id, the cheap deal's and the dear one's."""
    first = next(
        deal
        for deal in small_deals().deals
        if deal.publishers and deal.ssp_name and deal.commercial.floor_price and deal.currency
    )
    floor = first.commercial.floor_price
    assert floor is not None
    dearer = replace(floor, amount=floor.amount + 5)
    copy = replace(
        first,
        deal_id="TWIN",
        ssp_name="Another SSP",
        commercial=replace(first.commercial, floor_price=dearer),
    )
    deals = (*small_deals().deals, copy)
    result = ImportResult(deals, small_deals().problems, small_deals().ledger)
    run_id = store.create_run(result, SMALL.name, "Twins")
    row = small_deals().deals.index(first)
    store.save_array(run_id, VECTORS, np.vstack([small_vectors(), small_vectors()[row]]))
    return run_id, first.deal_id, "TWIN"


def test_near_duplicates_are_listed_and_the_dearer_can_be_left_out(twins: tuple[str, str, str]) -> None:
    run_id, cheap, dear = twins
    name = next(deal.ssp_name for deal in small_deals().deals if deal.deal_id == cheap)
    app = searched(run_id, f"on {name} or Another SSP")
    groups = table(app, "Group").value
    standing = dict(zip(groups["Deal id"], groups["Standing"], strict=True))
    assert (standing[cheap], standing[dear]) == ("cheapest", "dearer")
    assert {cheap, dear} <= set(names_of_hits(app))
    app = (
        next(item for item in app.toggle if item.label.startswith("Keep the cheapest")).set_value(True).run()
    )
    assert cheap in names_of_hits(app)
    assert dear not in names_of_hits(app)
    assert "dearer near-duplicate" in words(app)


def test_words_of_the_brief_are_no_markdown(loaded: str) -> None:
    app = searched(loaded, "![x](http://198.51.100.7/x.png) auto, no ![x](http://198.51.100.7/x.png)")
    assert_no_live_markdown(app)
