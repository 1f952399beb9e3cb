"""Packages as one JSON document that another program can open."""

import json
from dataclasses import replace

import pytest

from core.deals import Deal, read_deals
from core.errors import ExportError
from core.exports import packages_json
from tests.exports.test_tabular import APPROVED, BARE, DEAL, DEALS, PACKAGE

ABOUT = {"run": "Autumn", "settings": {"method": "gmm", "max_deals": 25}, "counts": {"deals": 2}}


def reopened(packages, deals=DEALS, about=ABOUT):
    return json.loads(packages_json(packages, deals, about=about))


def test_document_says_where_it_comes_from_even_without_packages():
    assert reopened([]) == {"about": ABOUT, "packages": []}


def test_package_carries_its_decision_source_and_deals():
    (package,) = reopened([APPROVED])["packages"]
    assert package == {
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
        "deals": [DEAL.to_dict(), BARE.to_dict()],
    }


def test_deals_come_back_as_they_were_from_the_document():
    (package,) = reopened([APPROVED])["packages"]
    assert tuple(Deal.from_dict(record) for record in package["deals"]) == (DEAL, BARE)


def test_deals_of_the_document_can_be_loaded_as_a_deal_file():
    (package,) = reopened([APPROVED])["packages"]
    again = read_deals(json.dumps(package["deals"]).encode(), "deals.json")
    assert again.deals == (DEAL, BARE)


def test_caller_chooses_which_packages_are_written():
    rejected = replace(PACKAGE, id="pkg-2", status="rejected", edited=True)
    packages = reopened([rejected, APPROVED])["packages"]
    assert [(item["package_id"], item["edited_by_analyst"]) for item in packages] == [
        ("pkg-2", True),
        ("pkg-1", False),
    ]


def test_text_is_written_as_it_is_and_is_no_formula_in_json():
    odd = replace(PACKAGE, name="=1+1", reasoning="Größe\n\u200bΩ")
    data = packages_json([odd], DEALS, about={})
    assert "Größe".encode() in data
    (package,) = json.loads(data)["packages"]
    assert (package["package_name"], package["reasoning"]) == (odd.name, odd.reasoning)


def test_missing_deals_are_named():
    with pytest.raises(ExportError, match="gone"):
        packages_json([replace(PACKAGE, deal_ids=("gone",))], DEALS, about={})
