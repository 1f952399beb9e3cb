"""Deals: every way in, what was refused and why, and a filter whose counts add up."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from core import clock
from core.reading import read_deals
from core.storage import Workspace
from tests.fakes.clock import RunningClock
from tests.pages.conftest import (
    PICTURE,
    SMALL,
    assert_healthy,
    assert_no_live_markdown,
    click,
    job_end,
    ledger,
    links,
    open_page,
    said,
    screen,
    small_deals,
    table,
    words,
)

UGLY = (
    "Deal ID;Deal Name;Format;Floor Price;Currency\n"
    "0012;Première Auto;ctv;5,5O;EUR\n"
    ";Nameless;display;1,00;EUR\n"
    "0012;Première Auto;ctv;;EUR\n"
    "0047;News;video;7,25;EUR\n"
).encode("cp1252")
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00" * 40


def upload(app: AppTest, name: str, data: bytes) -> AppTest:
    app.file_uploader[0].set_value((name, data, "application/octet-stream"))
    return app.run()


def metrics(app: AppTest) -> dict[str, int]:
    return {metric.label: int(metric.value.replace(",", "")) for metric in app.metric}


def test_first_visit_offers_the_sample_and_an_upload() -> None:
    app = open_page("deals")
    assert_healthy(app)
    assert "No deals loaded yet." in words(app)
    primary = [button.label for button in app.button if button.proto.type == "primary"]
    assert primary == ["Try the sample"]
    assert "CSV" in app.file_uploader[0].label


def test_the_sample_is_saved_before_the_page_says_so(store: Workspace) -> None:
    app = click(open_page("deals"), "Try the sample")
    assert_healthy(app)
    (run,) = store.runs()
    assert app.query_params["run"] == run.id
    assert said(app, "success") == [f"{run.deals:,} deals from Sample deals are saved. Next: build clusters."]
    assert run.deals == 800
    assert "/clusters" in " ".join(links(app)) or "clusters" in links(app)


def test_the_page_says_how_far_the_sample_was_moved_to_today(store: Workspace) -> None:
    with clock.using(RunningClock(datetime(2027, 2, 28, 9, tzinfo=UTC))):
        app = click(open_page("deals"), "Try the sample")
        assert_healthy(app)
        assert "made for 22 November 2026: all flights, and the quarters and years in names" in words(app)
        assert "moved by whole weeks (14) to today" in words(app)
        (run,) = store.runs()
        starts = [deal.start_time for deal in store.deals(run.id) if deal.start_time]
    assert min(starts) >= "2026-12-08"  # 14 weeks after the first of the file


def test_an_upload_is_shown_before_it_is_used_and_saved_when_it_is(store: Workspace) -> None:
    app = upload(open_page("deals"), SMALL.name, SMALL.read_bytes())
    assert metrics(app) == {"Records read": 60, "Loaded": 60, "Merged": 0, "Refused": 0}
    assert store.runs() == []
    click(app, "Use these 60 deals")
    assert_healthy(app)
    (run,) = store.runs()
    assert store.deals(run.id) == small_deals().deals
    assert said(app, "success")


def test_an_ugly_file_shows_its_problems_and_the_counts_add_up(store: Workspace) -> None:
    app = upload(open_page("deals"), "console export.csv", UGLY)
    assert_healthy(app)
    counts = metrics(app)
    assert counts["Records read"] == counts["Loaded"] + counts["Merged"] + counts["Refused"] == 4
    problems = table(app, "Row").value
    assert set(problems["What happened"]) == {"warning", "merged", "refused"}
    assert "5,5O" in " ".join(problems["Detail"])
    click(app, "Use these 2 deals")
    (run,) = store.runs()
    assert [deal.deal_id for deal in store.deals(run.id)] == ["0012", "0047"]
    assert store.deals(run.id)[0].deal_name == "Première Auto"
    assert metrics(app) == counts


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.csv", b""),
        ("blank.csv", b" \n \n"),
        ("logo.csv", PNG),
        ("workbook.csv", b"PK\x03\x04" + b"\x00" * 200),
        ("about.json", b'{"name": "not deals", "version": 3}'),
        ("numbers.json", b"[1, 2, 3]"),
        ("broken.json", b'[{"deal_id": "A-1", '),
        ("header only.csv", b"deal_id,deal_name\n"),
        ("no ids.csv", b"name,colour\nAuto,red\n"),
        ("prose.txt", b"Dear team,\nplease find attached our deals.\n"),
    ],
)
def test_a_file_that_holds_no_deals_gives_one_sentence_and_nothing_to_use(
    name: str, data: bytes, store: Workspace
) -> None:
    app = upload(open_page("deals"), name, data)
    assert_healthy(app)
    (sentence,) = said(app, "error")
    assert sentence.startswith(name)
    assert len(sentence) < 300
    assert "Traceback" not in sentence
    assert not [button for button in app.button if button.label.startswith("Use these")]
    assert store.runs() == []


def test_a_row_without_an_id_is_refused_by_its_line_and_the_others_stay() -> None:
    app = upload(open_page("deals"), "deals.csv", b"deal_id,deal_name\nA-1,Auto\n,Nobody\nA-3,News\n")
    assert_healthy(app)
    problems = table(app, "Row").value
    assert list(problems["Row"]) == [3]
    assert list(problems["What happened"]) == ["refused"]
    assert metrics(app)["Loaded"] == 2


def test_a_file_of_nothing_but_refused_rows_cannot_be_used() -> None:
    app = upload(open_page("deals"), "deals.csv", b"deal_id,deal_name\n,Nobody\n,No one\n")
    assert_healthy(app)
    # Refused as a whole, or shown with its problems: either way there is nothing to click.
    assert len(said(app, "error")) == 1 or table(app, "Row").value["Row"].tolist() == [2, 3]
    assert all(button.disabled for button in app.button if button.label.startswith("Use these"))


def test_another_file_replaces_the_refused_one() -> None:
    app = upload(open_page("deals"), "empty.csv", b"")
    assert said(app, "error")
    upload(app, SMALL.name, SMALL.read_bytes())
    assert not said(app, "error")
    assert metrics(app)["Loaded"] == 60
    app.file_uploader[0].set_value(None)
    app.run()
    assert not app.metric


@pytest.mark.parametrize(
    "text",
    [
        "deal_id\tdeal_name\n0012\tAuto\nA-2\tNews\n",
        json.dumps([{"deal_id": "0012", "deal_name": "Auto"}, {"deal_id": "A-2", "deal_name": "News"}]),
    ],
    ids=["rows", "json"],
)
def test_a_paste_is_read_like_a_file(text: str, store: Workspace) -> None:
    app = open_page("deals")
    app.text_area(key="paste").set_value(text)
    click(app, "Read the paste")
    click(app, "Use these 2 deals")
    assert_healthy(app)
    (run,) = store.runs()
    assert [deal.deal_id for deal in store.deals(run.id)] == ["0012", "A-2"]


def test_an_empty_paste_does_nothing() -> None:
    app = open_page("deals")
    app.text_area(key="paste").set_value("  \n")
    click(app, "Read the paste")
    assert_healthy(app)
    assert not said(app, "error")


def test_every_deal_is_counted_once(loaded: str) -> None:
    app = open_page("deals", loaded)
    total, states = ledger(app)
    assert total == sum(states.values()) == 60
    assert metrics(app) == {"Records read": 60, "Loaded": 60, "Merged": 0, "Refused": 0}


def test_filters_narrow_the_table_and_say_by_how_much(loaded: str) -> None:
    app = open_page("deals", loaded)
    formats = Counter(name for deal in small_deals().deals for name in deal.formats)
    assert {option.content for option in app.pills(key="deal_formats").proto.options} == {
        f"{name} {count}" for name, count in formats.items()
    }
    name, count = formats.most_common(1)[0]
    app.pills(key="deal_formats").set_value([name])
    app.run()
    assert f"{count} of 60 deals" in words(app)
    assert len(table(app, "Deal id").value) == count
    ssp = next(deal.ssp_name for deal in small_deals().deals if name in deal.formats)
    app.multiselect(key="deal_ssps").set_value([ssp])
    app.run()
    both = [deal for deal in small_deals().deals if name in deal.formats and deal.ssp_name == ssp]
    assert list(table(app, "Deal id").value["Deal id"]) == [deal.deal_id for deal in both]


def test_the_search_finds_ids_names_and_publishers_without_case(loaded: str) -> None:
    app = open_page("deals", loaded)
    app.text_input(key="deal_search").set_value("fw-2796933")
    app.run()
    assert list(table(app, "Deal id").value["Deal id"]) == ["FW-2796933"]
    app.text_input(key="deal_search").set_value("no such words")
    app.run()
    assert_healthy(app)
    assert "0 of 60 deals" in words(app)


def test_filters_of_one_run_do_not_break_another(loaded: str, store: Workspace) -> None:
    other = store.create_run(
        read_deals(b"deal_id,format,ssp_name\nB-1,audio,Triton\nB-2,audio,Triton\n", "audio.csv"), "audio.csv"
    )
    app = open_page("deals", loaded)
    app.pills(key="deal_formats").set_value(["native"])
    app.multiselect(key="deal_ssps").set_value(["FreeWheel"])
    app.run()
    app.selectbox(key="run_picker").set_value(other)
    app.run()
    assert_healthy(app)
    assert "2 of 2 deals" in words(app)


def test_ids_stay_text_and_unknown_stays_empty(store: Workspace) -> None:
    data = b"deal_id,deal_name,floor_price,family_safe\n003001,A,,\n12E34567,B,0.0,false\n"
    run_id = store.create_run(read_deals(data, "ids.csv"), "ids.csv")
    frame = table(open_page("deals", run_id), "Deal id").value
    assert list(frame["Deal id"]) == ["003001", "12E34567"]
    assert frame["Floor CPM"].isna().tolist() == [True, False]
    assert [None if value is None or value != value else value for value in frame["Family-safe"]] == [  # noqa: PLR0124  (NaN)
        None,
        "no",
    ]


def test_words_of_a_file_are_shown_not_run(store: Workspace) -> None:
    data = f"deal_id,deal_name,format,ssp_name\n{PICTURE},{PICTURE},{PICTURE},{PICTURE}\n".encode()
    app = upload(open_page("deals"), f"{PICTURE}.csv", data)
    assert_no_live_markdown(app)
    click(app, "Use these")
    assert_healthy(app)
    assert_no_live_markdown(app)
    assert len(store.runs()) == 1


def test_words_of_a_refused_file_are_shown_not_run() -> None:
    app = upload(open_page("deals"), f"{PICTURE}.csv", b"")
    assert said(app, "error")[0].startswith(PICTURE)
    assert_no_live_markdown(app)


def test_the_page_of_a_loaded_run_starts_no_job(loaded: str) -> None:
    app = open_page("deals", loaded)
    assert job_end(loaded) is None
    assert "Traceback" not in screen(app)


# --- the import doctor ------------------------------------------------------------------------

FOREIGN = (
    b"Deal Code;Exchange;Bid Floor (EUR);Media Type;Sites;IAB Category\n"
    b"0012;Magnite;5,50;video;cnn.com;Sports\n"
    b"0013;OpenX;7,25;banner;bbc.com;News\n"
)
NO_ID = b"Campaign;Exchange\nSpring;Magnite\nAutumn;OpenX\n"


def test_columns_in_other_words_are_read_and_shown(store: Workspace) -> None:
    app = upload(open_page("deals"), "console.csv", FOREIGN)
    assert_healthy(app)
    result = app.session_state["draft"].outcome
    assert {result.mapping[column] for column in ("Deal Code", "Exchange", "Bid Floor (EUR)")} == {
        "deal_id",
        "ssp_name",
        "commercial_floor_price",
    }
    app = click(app, "Use these 2 deals")
    (run,) = store.runs()
    floor = store.deals(run.id)[0].commercial.floor_price
    assert (str(floor.amount), floor.currency) == ("5.50", "EUR")


def test_a_file_without_an_id_column_asks_for_one() -> None:
    app = upload(open_page("deals"), "campaigns.csv", NO_ID)
    assert_healthy(app)
    assert len(said(app, "error")) == 1
    assert "id" in said(app, "error")[0]
    assert any("Read the file again with these columns" in button.label for button in app.button)


def test_a_second_file_shows_what_differs_and_can_be_added(store: Workspace, loaded: str) -> None:
    known = store.deals(loaded)[0]
    data = json.dumps([{**known.to_dict(), "deal_name": "Renamed"}, {"deal_id": "NEW-1"}]).encode()
    app = upload(open_page("deals", loaded), "second.json", data)
    assert_healthy(app)
    assert "1 new, 1 changed" in words(app).replace("**", "")
    app = click(app, "Add to this run")
    assert_healthy(app)
    assert len(store.deals(loaded)) == 61
    assert store.deals(loaded)[0].deal_name == "Renamed"
    assert ledger(app)[0] == 61


def test_a_second_file_can_replace_the_deals(store: Workspace, loaded: str) -> None:
    data = json.dumps([deal.to_dict() for deal in store.deals(loaded)[:7]]).encode()
    app = upload(open_page("deals", loaded), "second.json", data)
    app = click(app, "Replace this run's deals")
    assert_healthy(app)
    assert len(store.deals(loaded)) == 7
    assert "53 gone" in said(app, "success")[0]


@pytest.mark.parametrize(
    ("records", "button", "next_step"),
    [
        ([{"deal_id": "NEW-1"}], "Add to this run", "place the new deals or build the clusters again."),
        (None, "Replace this run's deals", "look at Packages."),
    ],
)
def test_after_a_second_file_the_next_step_is_told(
    store: Workspace, clustered: str, records: list[dict[str, str]] | None, button: str, next_step: str
) -> None:
    found = records or [deal.to_dict() for deal in store.deals(clustered)[:50]]
    app = upload(open_page("deals", clustered), "second.json", json.dumps(found).encode())
    app = click(app, button)
    assert_healthy(app)
    assert said(app, "success")[0].endswith(next_step)


def test_a_workbook_is_read(store: Workspace, tmp_path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for row in (("Deal ID", "Deal Name", "Floor Price"), ("0012", "One", 5.5), ("0013", "Two", None)):
        book.active.append(row)
    book.save(tmp_path / "deals.xlsx")
    app = upload(open_page("deals"), "deals.xlsx", (tmp_path / "deals.xlsx").read_bytes())
    assert_healthy(app)
    click(app, "Use these 2 deals")
    assert [deal.deal_id for deal in store.deals(store.runs()[0].id)] == ["0012", "0013"]


def test_refused_rows_can_be_downloaded() -> None:
    app = upload(open_page("deals"), "console.csv", UGLY)
    labels = [block.proto.label for block in app.get("download_button")]
    assert labels == ["Download 1 refused row"]


def test_hundreds_of_source_columns_do_not_break_the_page() -> None:
    names = ",".join(f"Column {n}" for n in range(1, 241))
    cells = ",".join("x" for _ in range(240))
    app = upload(open_page("deals"), "wide.csv", f"deal_id,{names}\n0012,{cells}\n".encode())
    assert_healthy(app)
    assert metrics(app)["Loaded"] == 1


def test_the_floor_switch_reads_the_file_again() -> None:
    app = upload(open_page("deals"), "floor.csv", b"deal_id,garm_risk_rating\n0012,Floor\n0013,Low\n")
    switch = next(toggle for toggle in app.toggle if "Floor" in toggle.label)
    switch.set_value(True).run()
    assert_healthy(app)
    assert app.session_state["draft"].outcome.deals[0].safety.garm_risk_rating == "Low"


def test_reading_again_keeps_what_was_chosen_before() -> None:
    app = upload(open_page("deals"), "floor.csv", b"deal_id,Impressions,garm_risk_rating\n0012,500,Floor\n")
    draft = app.session_state["draft"]
    chosen = {**draft.outcome.mapping, "Impressions": None}
    app.session_state["draft"] = dataclasses.replace(draft, mapping=chosen)
    app.run()
    switch = next(toggle for toggle in app.toggle if "Floor" in toggle.label)
    switch.set_value(True).run()
    assert_healthy(app)
    (deal,) = app.session_state["draft"].outcome.deals
    assert deal.scale is None
    assert deal.safety.garm_risk_rating == "Low"
