"""Sheets: a package with its deals, facts and findings, all of the same moment."""

from dataclasses import replace
from datetime import date

import pytest

from core.deals import Deal, Safety
from core.errors import PackageError
from core.packages import Package
from core.packages.checks import Others, check_package
from core.packages.fact_sheet import package_facts
from core.packages.sheet import sheet_of, sheets_of
from core.wording.findings import CheckRules, OverlapPolicy

RULES = CheckRules(date(2026, 11, 23), overlap=OverlapPolicy("forbid"))
DEALS = {deal_id: Deal(deal_id, f"Deal {deal_id}", ssp_name="Magnite") for deal_id in ("c", "a", "b", "d")}
DEALS["d"] = Deal("d", "Floor deal", safety=Safety("Floor"))


def package(package_id, *deal_ids, status="pending"):
    return Package(package_id, f"Sports {package_id} Package", deal_ids, "", "rules", status=status)


def test_sheet_holds_members_in_package_order_with_their_facts_and_findings():
    own = package("p1", "c", "a", "b")
    sheet = sheet_of(own, DEALS, RULES)
    assert sheet.package == own
    assert [deal.deal_id for deal in sheet.members] == ["c", "a", "b"]
    assert sheet.facts == package_facts(sheet.members)
    assert sheet.findings == check_package(own, sheet.members, RULES)


def test_sheet_follows_the_deals_on_every_edit():
    before = sheet_of(package("p1", "a", "b"), DEALS, RULES)
    after = sheet_of(package("p1", "a", "b", "c"), DEALS, RULES)
    assert (before.facts.counts.deals, after.facts.counts.deals) == (2, 3)
    assert [item.code for item in before.findings] == ["FEW_DEALS"]
    assert after.findings == ()


@pytest.mark.parametrize(("switch", "worst"), [(False, "Floor"), (True, "Low")])
def test_facts_and_findings_read_floor_alike(switch, worst):
    sheet = sheet_of(package("p1", "a", "b", "d"), DEALS, replace(RULES, floor_is_lowest_risk=switch))
    assert sheet.facts.counts.worst_risk == worst
    assert ("FLOOR_CONTENT" in [item.code for item in sheet.findings]) == (not switch)


def test_missing_deal_is_named_with_what_to_do():
    with pytest.raises(PackageError, match=r"'Sports p1 Package'.*gone, lost.*remove them"):
        sheet_of(package("p1", "a", "gone", "lost"), DEALS, RULES)


def test_sheets_compare_packages_with_those_that_are_not_rejected():
    packages = [package("p1", "a", "b", "c"), package("p2", "a"), package("p3", "b", status="rejected")]
    sheets = sheets_of(packages, DEALS, RULES)
    assert [sheet.package.id for sheet in sheets] == ["p1", "p2", "p3"]
    shared = {
        sheet.package.id: item.deal_ids
        for sheet in sheets
        for item in sheet.findings
        if item.code == "OVERLAP"
    }
    assert shared == {"p1": ("a",), "p2": ("a",), "p3": ("b",)}
    assert sheets[0] == sheet_of(packages[0], DEALS, RULES, Others.of(packages))


def test_packages_of_one_name_keep_their_own_sheets():
    twins = [replace(package("p1", "a", "b", "c"), name="Sports Package"),
             replace(package("p2", "d"), name="Sports Package")]  # fmt: skip
    sheets = sheets_of(twins, DEALS, RULES)
    assert [len(sheet.members) for sheet in sheets] == [3, 1]
    assert all("NAME_DUPLICATE" in [item.code for item in sheet.findings] for sheet in sheets)


def test_no_packages_have_no_sheets():
    assert sheets_of([], DEALS, RULES) == ()
