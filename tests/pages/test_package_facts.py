"""The fact sheet in words: money with its currency, unknown counted, ties and labels said."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.deals import Commercial, Deal, Money, Safety, Taxonomy
from core.packages.fact_sheet import package_facts
from core.storage import Workspace
from pages._packages.package_facts import fact_lines
from tests.pages.conftest import open_page, plain
from tests.pages.reviewing import sheet


def floor(amount: str, currency: str | None = "USD") -> Commercial:
    return Commercial(floor_price=Money(Decimal(amount), currency))


def facts(*deals: Deal, floor_is_lowest_risk: bool = False) -> dict[str, str]:
    counted = package_facts(deals, floor_is_lowest_risk=floor_is_lowest_risk)
    return dict(fact_lines(counted, floor_is_lowest_risk=floor_is_lowest_risk))


@pytest.mark.parametrize(
    ("deals", "fact", "words"),
    [
        ([Deal("A")] * 2, "Deals", "2: fewer than 3"),
        ([Deal("A")] * 3, "Deals", "3"),
        ([Deal("A")] * 16, "Deals", "16: more than the usual 15"),
        ([Deal("A")], "Flight", "open: no deal has dates"),
        ([Deal("A", start_time="2026-01-02", end_time="2026-03-04"), Deal("B")], "Flight",
         "2026-01-02 to 2026-03-04 UTC; 1 without start; 1 without end"),
        ([Deal("A", start_time="2026-01-02T10:30:00+02:00")], "Flight",
         "2026-01-02 08:30 to open UTC; 1 without end"),
        ([Deal("A", start_time="2026-05-01"), Deal("B", end_time="2026-03-04")], "Flight",
         "none: the last starts 2026-05-01, the first ends 2026-03-04 UTC; 1 without start; 1 without end"),
        ([Deal("A", geos=("US", "CA")), Deal("B", geos=("US",)), Deal("C")],
         "Countries of any deal (deal list)", "CA, US; 1 unknown"),
        ([Deal("A", geos=("US", "CA")), Deal("B", geos=("US",)), Deal("C")],
         "Countries of every deal that says (curated deal)", "US"),
        ([Deal("A")], "Countries of any deal (deal list)", "-; 1 unknown"),
        ([Deal("A", commercial=floor("2")), Deal("B", commercial=floor("1005.5")), Deal("C")], "Floors USD",
         "2.00 to 1,005.50 USD CPM over 2 of 3; 1,005.50 clears all"),
        ([Deal("A", commercial=floor("2")), Deal("B", commercial=floor("3", "EUR"))], "Floors EUR",
         "3.00 EUR CPM over 1 of 2; 3.00 clears all"),
        ([Deal("A", commercial=floor("2", None))], "Floors of unknown currency",
         "2.00 of unknown currency CPM over 1 of 1; 2.00 clears all"),
        ([Deal("A", commercial=floor("0")), Deal("B")], "Floors unknown or 0",
         "1 unknown; 1 say 0, which is no floor"),
        ([Deal("A")], "Scale", "-"),
        ([Deal("A", scale=1_200_000, scale_unit="bid_requests", period="week"), Deal("B")],
         "Scale, bid requests per week",
         "1,200,000 bid requests per week over 1 of 2: sum of member forecasts, overlap not removed"),
        ([Deal("A", scale=1, scale_unit="avails"), Deal("B")], "Scale unknown", "1 deal"),
        ([Deal("A", safety=Safety(garm_risk_rating="High")), Deal("B")], "Worst risk", "High; 1 unknown"),
        ([Deal("A")], "Worst risk", "-; 1 unknown"),
        ([Deal("A", safety=Safety(garm_risk_rating="Floor"))], "Worst risk",
         "Floor: below the brand-safety floor"),
        ([Deal("A", safety=Safety(family_safe=True)), Deal("B")], "Family-safe", "unknown: 1 of 2 say so"),
        ([Deal("A", safety=Safety(safe_for_verticals=("auto", "retail"))),
          Deal("B", safety=Safety(safe_for_verticals=("retail",))), Deal("C")],
         "Safe for verticals", "retail (2 of 3 say)"),
        ([Deal("A", taxonomy=Taxonomy(tier1="Auto")), Deal("B", taxonomy=Taxonomy(tier1="News"))],
         "Categories", "Auto (1), News (1); tie: Auto, News"),
        ([Deal("A", commercial=Commercial(quality_tier="RON")), Deal("B")], "Quality", "RON (1)"),
        ([Deal("A", ssp_name="X"), Deal("B", ssp_name="Y")], "SSPs",
         "X (1), Y (1); a curated deal needs 2 deal ids"),
    ],
)  # fmt: skip
def test_a_fact_in_words(deals: list[Deal], fact: str, words: str) -> None:
    assert facts(*deals)[fact] == words


def test_the_lowest_risk_says_what_the_file_calls_it() -> None:
    deal = Deal("A", safety=Safety(garm_risk_rating="Floor"))
    assert facts(deal, floor_is_lowest_risk=True)["Worst risk"] == 'Low (this file calls it "Floor", too)'


def test_the_page_shows_the_whole_sheet_of_the_package_in_focus(proposed: str, store: Workspace) -> None:
    app = open_page("packages", proposed)
    (title,) = [plain(item.value) for item in app.markdown if item.value.startswith("**Facts of")]
    package = next(item for item in store.packages(proposed) if f"**Facts of {item.name}**" == title)
    shown = {name: plain(value) for name, value in app.table[0].value.itertuples(index=False)}
    assert shown == dict(fact_lines(sheet(store, proposed, package).facts))
