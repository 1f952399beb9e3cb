"""Where every deal stands: counts that add up, reasons, and the way on that fits each state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.coverage import STATE_WORDS, Reconciliation
from core.packages import Approve, Reject
from core.proposals.proposal import Unpackaged
from core.storage import Workspace
from pages._packages.standing_panel import reconciled_words
from tests.pages.conftest import (
    assert_healthy,
    click,
    job_end,
    ledger,
    links,
    open_page,
    said,
    select_rows,
    small_clustering,
    small_outcomes,
    words,
)
from tests.pages.reviewing import view

STANDING = "Where every deal stands"


def standing(run_id: str) -> AppTest:
    app = view(open_page("packages", run_id), STANDING)
    assert_healthy(app)
    return app


def counts(app: AppTest) -> dict[str, int]:
    frame = next(item.value for item in app.table if item.value.columns[0] == "Where it stands")
    return {name.strip("*"): int(count.strip("*")) for name, count in frame.itertuples(index=False)}


def listed(app: AppTest) -> list[str]:
    frame = next(item.value for item in app.dataframe if (item.key or "").startswith("standing_"))
    return list(frame["Deal id"])


def choose(app: AppTest, state: str) -> AppTest:
    pills = next(item for item in app.button_group if item.key == "deal_state")
    return pills.set_value(state).run()


def test_the_sum_is_a_sentence() -> None:
    figures = Reconciliation(12, approved=3, rejected=1, pending=7, needs_review=1)
    assert reconciled_words(figures) == (
        "Packages: 12 proposed = 3 approved + 1 rejected + 7 pending + 1 need review."
    )
    assert " is not " in reconciled_words(replace(figures, pending=6))


def test_all_eight_states_are_counted_and_add_up(proposed: str, store: Workspace) -> None:
    first, second = store.packages(proposed)[:2]
    store.edit_packages(proposed, {first.id: 1}, [Approve("Of the test.")])
    store.edit_packages(proposed, {second.id: 1}, [Reject()])
    app = standing(proposed)
    found = counts(app)
    assert list(found) == [*STATE_WORDS.values(), "all deals loaded"]
    assert sum(count for name, count in found.items() if name != "all deals loaded") == 60
    assert found["all deals loaded"] == 60
    _, states = ledger(app)
    assert {name: count for name, count in found.items() if count and name != "all deals loaded"} == states
    assert "Packages: 11 proposed = 1 approved + 1 rejected + 9 pending + 0 need review." in words(app)


def test_every_state_lists_its_deals_with_a_reason(proposed: str) -> None:
    app = standing(proposed)
    seen: list[str] = []
    for state, name in STATE_WORDS.items():
        if counts(app)[name]:
            choose(app, state)
            assert_healthy(app)
            assert len(listed(app)) == counts(app)[name]
            frame = next(item.value for item in app.dataframe if (item.key or "").startswith("standing_"))
            assert frame["Why"].astype(bool).all()
            seen += listed(app)
    assert len(seen) == len(set(seen)) == 60


def test_left_out_deals_become_a_package_by_hand(proposed: str, store: Workspace) -> None:
    app = choose(standing(proposed), "left_out_by_filter")
    ids = listed(app)
    select_rows(app, "standing_", [0, 1, 2])
    app.text_input(key="standing_name").set_value("By Hand Package")
    click(app, "Make a package of 3 deals")
    assert_healthy(app)
    made = store.packages(proposed)[-1]
    assert (made.name, made.deal_ids, made.source) == ("By Hand Package", tuple(ids[:3]), "Analyst")
    assert said(app, "success") == ["Saved: make 'By Hand Package' by hand."]
    assert not set(ids[:3]) & set(listed(app))
    total, states = ledger(app)
    assert total == sum(states.values()) == 60


def test_deals_outside_every_cluster_lead_to_clusters(proposed: str) -> None:
    assert "clusters" in links(choose(standing(proposed), "left_out_by_filter"))


def test_deals_nobody_was_asked_about_can_be_asked_about(clustered: str, store: Workspace) -> None:
    store.save_outcome(clustered, small_outcomes()[0])
    app = choose(standing(clustered), "not_sent")
    click(app, "Ask about 5 clusters not asked yet")
    job_end(clustered)
    assert len(store.outcomes(clustered)) == len(small_clustering().clusters)


def test_failed_clusters_can_be_tried_again(clustered: str, store: Workspace) -> None:
    outcome = replace(small_outcomes()[1], status="failed", error="It broke.", proposals=(), unpackaged=())
    store.save_outcome(clustered, outcome)
    app = choose(standing(clustered), "cluster_failed")
    assert counts(app)["in failed clusters"] == len(outcome.deal_ids)
    click(app, "Retry failed clusters (1)")
    job_end(clustered)
    assert store.outcomes(clustered)[outcome.cluster_id].status == "done"


def test_too_small_proposals_are_offered_to_be_made(clustered: str, store: Workspace) -> None:
    outcome = small_outcomes()[0]
    first, *rest = outcome.proposals
    few = tuple(
        Unpackaged(one, "It names fewer than 3 deals.", proposed="Tiny") for one in first.deal_ids[:2]
    )
    store.save_outcome(clustered, replace(outcome, proposals=tuple(rest), unpackaged=few))
    app = choose(standing(clustered), "needs_review")
    assert len(listed(app)) == 2
    click(app, "Make it by hand")
    assert_healthy(app)
    assert store.packages(clustered)[-1].name == "Tiny"


@pytest.mark.parametrize("run", ["loaded", "clustered", "proposed"])
def test_all_deals_can_be_downloaded_at_every_step(run: str, request: pytest.FixtureRequest) -> None:
    app = standing(request.getfixturevalue(run))
    (button,) = app.get("download_button")
    assert button.proto.label == "Download all 60 deals (CSV)"
    assert counts(app)["all deals loaded"] == 60
