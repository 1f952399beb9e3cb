"""Tests of what a deal is and how a file becomes deals."""

from hypothesis import strategies as st

from core.deals.vocabulary import FIELDS

# Words that files hold where a value should be, next to plain ones.
CELLS = (
    "", " ", "-", "N/A", "NA", "unknown", "null", "NaN", "0", "00", "1e5", "12E34567", "true", "No", "video",
    "CTV, olv", "Display|Audio", "$1,234.56", "1,234", "2,50 EUR", "$15-25", "150MM", "3.4e11", '["a", "b"]',
    "[broken", "a;b", "a|b|a", "US, NA", "2026-11-30", "30.11.2026", "High Risk", "\ud800", "\x00", "=1+1",
)  # fmt: skip
KEYS = tuple(name for field in FIELDS for name in (field.name, *field.aliases[:1]))
NESTED = ("taxonomy", "safety", "audience", "commercial", "volume_metrics")
INNER = (
    "tier1", "tier2", "garm_risk_rating", "family_safe", "inferred_audience", "quality_tier", "floor_price",
    "odd",
)  # fmt: skip

scalars = (
    st.sampled_from(CELLS)
    | st.text(max_size=12)
    | st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
)
values = scalars | st.lists(scalars, max_size=4) | st.dictionaries(st.text(max_size=4), scalars, max_size=2)


# Built once: to build and check them anew in every draw takes longer than drawing.
_fields = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), values, max_size=6)
_groups = st.lists(st.sampled_from(NESTED), max_size=3, unique=True)
_inside = st.none() | st.dictionaries(st.sampled_from(INNER), values, max_size=4) | scalars
_has_id = st.integers(0, 5)
_ids = st.sampled_from(("A1", "A2", "007", "NA", " ", 12))


@st.composite
def records(draw: st.DrawFn) -> dict[str, object]:
    """Draw records as files hold them: mostly an id from a small set, any value in any field."""
    record: dict[str, object] = draw(_fields)
    for name in draw(_groups):
        record[name] = draw(_inside)
    if draw(_has_id):
        record["deal_id"] = draw(_ids)
    return record
