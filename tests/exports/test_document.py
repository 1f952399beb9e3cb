"""Packages as one JSON document that another program can open, and that comes back byte by byte."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.deals import Deal
from core.errors import ImportRefused
from core.exports import packages_json, read_document
from core.reading import read_deals
from core.wording.findings import Override
from tests.exports.sheets import ABOUT, APPROVED, BARE, DEAL, PACKAGE, sheet_of_deals, sheets

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def reopened(made, about=ABOUT):
    return json.loads(packages_json(made, about))


def test_document_says_where_it_comes_from_even_without_packages():
    document = reopened([])
    assert (document["packages"], document["deals"]) == ([], [])
    assert document["about"] == {
        "run": "Autumn",
        "file": "deals.csv",
        "when": "2026-03-01T10:00:00+00:00",
        "settings": {"method": "gmm", "max_deals": 25, "keep_apart": ["ssp"]},
        "model": "gemini-2.5-flash",
        "prompt_hash": "0123456789abcdef",
        "deals_loaded": 3,
        "coverage": {"packaged": 2, "not_sent": 1},
        "floor_is_lowest_risk": False,
        "floor_reading": 'GARM "Floor" means below the brand-safety floor',
    }


def test_package_carries_its_decision_source_overrides_and_history_of_members():
    override = Override("KIDS_POLITICAL", "00ff", "The client asked for it.", "Ada", "2026-03-01T10:00:00Z")
    package = replace(
        APPROVED, overrides=(override,), by_hand={"0042": "Added"}, approved_content="abc", locked=True
    )
    (entry,) = reopened(sheets(package))["packages"]
    expected = {
        "package_id": "pkg-1",
        "package_name": "Sports Package",
        "status": "approved",
        "version": 3,
        "decided_by": "Ada",
        "decided_at": "2026-03-01T10:00:00+00:00",
        "proposal_source": "gemini-2.5-flash",
        "edited_by_analyst": False,
        "reasoning": "Live sports.",
        "deal_ids": ["0042", "999888777666555444"],
        "locked": True,
        "by_hand": {"0042": "Added"},
        "approved_content": "abc",
    }
    assert expected.items() <= entry.items()
    assert entry["overrides"][0]["reason"] == "The client asked for it."
    assert entry["facts"]["counts"]["floor_unknown"] == 1
    assert {finding["code"] for finding in entry["findings"]} >= {"FORMAT_MIX"}


def test_each_deal_stands_once_however_many_packages_hold_it():
    document = reopened(sheets(PACKAGE, replace(PACKAGE, id="pkg-2")))
    assert document["deals"] == [DEAL.to_dict(), BARE.to_dict()]
    assert tuple(map(Deal.from_dict, document["deals"])) == (DEAL, BARE)


def test_the_document_can_be_loaded_as_a_deal_file():
    again = read_deals(packages_json(sheets(PACKAGE), ABOUT), "packages.json")
    assert again.deals == (DEAL, BARE)


def test_caller_chooses_which_packages_are_written():
    rejected = replace(PACKAGE, id="pkg-2", status="rejected", edited=True)
    entries = reopened(sheets(rejected, APPROVED))["packages"]
    assert [(entry["package_id"], entry["edited_by_analyst"]) for entry in entries] == [
        ("pkg-2", True),
        ("pkg-1", False),
    ]


def test_text_is_written_as_it_is_and_is_no_formula_in_json():
    odd = replace(PACKAGE, name="=1+1", reasoning="Größe\n\u200bΩ")
    data = packages_json(sheets(odd), ABOUT)
    assert "Größe".encode() in data
    (entry,) = json.loads(data)["packages"]
    assert (entry["package_name"], entry["reasoning"]) == (odd.name, odd.reasoning)


# --- and back -----------------------------------------------------------------------------------


def test_an_untouched_document_gives_the_same_bytes_again():
    override = Override("X", "00ff", "Why.", "Ada", "2026-03-01T10:00:00Z")
    made = sheets(
        replace(APPROVED, overrides=(override,), by_hand={"0042": "Added"}), replace(PACKAGE, id="p2")
    )
    data = packages_json(made, ABOUT)
    again, about = read_document(data, "packages.json")
    assert again == made
    assert about == ABOUT
    assert packages_json(again, about) == data


@settings(max_examples=40)
@given(TEXT, TEXT, st.lists(TEXT.map(lambda text: f"id{text}"), min_size=1, max_size=4, unique=True))
def test_any_text_gives_the_same_bytes_again(name, reasoning, ids):
    made = sheet_of_deals(*(Deal(deal_id, deal_name=name or None) for deal_id in ids))
    made = replace(made, package=replace(made.package, name=name, reasoning=reasoning))
    data = packages_json([made], ABOUT)
    assert packages_json(*read_document(data, "packages.json")) == data


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("dealweaver packages", "other"), "is no export of packages"),
        (lambda text: text.replace('"version": 1,', '"version": 9,', 1), "is no export of packages"),
        (lambda text: text.replace('"deal_id": "0042"', '"deal_id": "43"'), "lacks something"),
        (lambda text: text.replace('"run": "Autumn",', ""), "lacks something"),
        (lambda text: text[:-3], "is no valid JSON"),
        (lambda text: text.replace('"about"', '"packages": [], "about"', 1), "is no valid JSON"),
        (lambda _: "[]", "has no list of"),
    ],
)
def test_an_edited_document_is_refused_with_the_reason(change, reason):
    text = packages_json(sheets(PACKAGE), ABOUT).decode()
    assert change(text) != text
    with pytest.raises(ImportRefused, match=f"packages.json: {reason}"):
        read_document(change(text).encode(), "packages.json")
