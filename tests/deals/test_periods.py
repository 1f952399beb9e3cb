import pytest

from core.deals.periods import without_periods


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("MSFT_ANZ_WebDisplay_FrequentFlyers_Q1_2027", "MSFT_ANZ_WebDisplay_FrequentFlyers"),
        ("Magnite Sports Radio Q3 2026", "Magnite Sports Radio"),
        ("2026 Q4 Sports", "Sports"),
        ("2026_H1_Sports", "_Sports"),
        ("Q4 PMP", "PMP"),
        ("Olympics 2028 CTV", "Olympics CTV"),
        ("Deal 120268", "Deal 120268"),
        ("QM4 Video", "QM4 Video"),
        ("FAQ4U", "FAQ4U"),
        ("Q4 2026", ""),
    ],
)
def test_quarters_and_years_leave_a_name(name: str, left: str):
    assert without_periods(name) == left
