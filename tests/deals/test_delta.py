from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from core.deals import Commercial, Deal, Money, Safety, Taxonomy, compare_deals
from core.deals.delta import Change, FieldChange
from core.reading.reading import parse_deals
from tests.deals import records

OLD = Deal(
    "A", deal_name="x", formats=("video",), publishers=("a.com", "b.com"), taxonomy=Taxonomy("News"),
    commercial=Commercial(floor_price=Money(Decimal("5"), "USD")), currency="USD", extra={"Note": "1"},
)  # fmt: skip


def test_every_deal_is_new_changed_gone_or_the_same():
    new = [Deal("D"), replace(OLD, deal_name="y"), Deal("C")]
    delta = compare_deals([OLD, Deal("B"), Deal("C")], new)
    assert (delta.new, delta.gone, delta.same) == (("D",), ("B",), ("C",))
    assert delta.changed == (Change("A", (FieldChange("deal_name", "x", "y"),)),)


def test_changed_fields_are_named_with_both_values():
    new = replace(
        OLD,
        formats=("video", "audio"),
        commercial=Commercial("Premium", floor_price=Money(Decimal("7.50"), "USD")),
        safety=Safety(family_safe=False),
        taxonomy=Taxonomy(),
        extra={"Note": "2"},
    )
    (change,) = compare_deals([OLD], [new]).changed
    assert {item.field: (item.before, item.after) for item in change.fields} == {
        "format": ("video", "video | audio"),
        "commercial_quality_tier": (None, "Premium"),
        "commercial_floor_price": ("5", "7.50"),
        "safety_family_safe": (None, "no"),
        "taxonomy_tier1": ("News", None),
        "extra: Note": ("1", "2"),
    }


def test_order_of_lists_and_zeros_of_amounts_are_no_change():
    new = replace(
        OLD, publishers=("b.com", "a.com"), commercial=Commercial(floor_price=Money(Decimal("5.00"), "USD"))
    )
    assert compare_deals([OLD], [new]).same == ("A",)


deals = st.lists(records(), max_size=5).map(lambda found: parse_deals(found).deals)


@settings(max_examples=40)
@given(deals, deals)
def test_parts_hold_every_deal_once_and_a_file_equals_itself(old, new):
    delta = compare_deals(old, new)
    changed = [change.deal_id for change in delta.changed]
    assert sorted([*delta.new, *changed, *delta.same]) == sorted(deal.deal_id for deal in new)
    assert sorted([*delta.gone, *changed, *delta.same]) == sorted(deal.deal_id for deal in old)
    assert compare_deals(old, old[::-1]).same == tuple(deal.deal_id for deal in old[::-1])
