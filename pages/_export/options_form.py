"""What only the analyst can say about a file: forms made from tables, kept in the workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.exports.deals_api import (
    AUXILIARY_DATA,
    CURATION_FEE,
    DYNAMIC_INVENTORY,
    GUARANTEED,
    PRICE_TYPE,
    SELLER_STATUS,
)
from core.exports.preflight import SEAT_DSPS
from core.work.export_jobs import ChosenOptions, keep_option
from pages._shared import state
from pages._shared.services import workspace

Kind = Literal["flag", "text", "texts", "choice", "whole", "amount"]
_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Field:
    """One option on the screen.

    part, name: where it is in ChosenOptions. kind: what draws it. choices: value -> its words.
    other: an option of the same part that must be blank for this one to be written.
    rare: whether it is folded away, because its default serves nearly everybody.
    """

    part: str
    name: str
    label: str
    kind: Kind = "text"
    help: str | None = None
    choices: Mapping[Any, str] | None = None
    other: str | None = None
    rare: bool = False

    @property
    def key(self) -> str:
        """The key of its widget."""
        return f"export_{self.part}_{self.name}"


def _numbered(choices: Mapping[int, str]) -> dict[int, str]:
    return {number: f"{number} {words}" for number, words in choices.items()}


_COMMAS = "Several with commas between them."
_CELLS = (
    Field("cells", "bom", "Byte order mark", "flag", "Excel needs it to see accents."),
    Field(
        "cells",
        "excel_safe_ids",
        "Excel-safe ids",
        "flag",
        'Ids as ="549644398148090651": Excel keeps 15 digits of a bare number, and no zeros in front.',
    ),
)
_DEALS_API = (
    Field("deals_api", "origin", "Origin (required)", help="Domain of the SSP that will receive the bids."),
    Field("deals_api", "seller", "Seller", help="Domain of who sold the deals; blank = left out."),
    Field("deals_api", "curator", "Curator", help="Domain of who curated them; blank = no curation part."),
    Field("deals_api", "wseat", "Only these seats may bid", "texts", _COMMAS, other="bseat"),
    Field("deals_api", "bseat", "All but these seats may bid", "texts", _COMMAS, other="wseat"),
    Field("deals_api", "sellerstatus", "Seller status", "choice", choices=_numbered(SELLER_STATUS)),
    Field("deals_api", "pricetype", "Price type", "choice", choices=_numbered(PRICE_TYPE)),
    Field(
        "deals_api", "currency", "Currency of floors without one", help="ISO 4217, such as USD; blank = none."
    ),
    Field("deals_api", "auxdata", "Auxiliary data", "choice", choices=_numbered(AUXILIARY_DATA), rare=True),
    Field(
        "deals_api",
        "dinventory",
        "Inventory",
        "choice",
        "Static writes devices, domains and categories of the deals.",
        _numbered(DYNAMIC_INVENTORY),
        rare=True,
    ),
    Field("deals_api", "curfeetype", "Curation fee", "choice", choices=_numbered(CURATION_FEE), rare=True),
    Field(
        "deals_api",
        "created",
        "Created",
        help="ISO 8601, such as 2026-11-30T12:00:00Z; blank = left out.",
        rare=True,
    ),
    Field("deals_api", "guar", "Guaranteed", "choice", choices=_numbered(GUARANTEED), rare=True),
    Field("deals_api", "units", "Units", "whole", "Guaranteed deals only.", rare=True),
    Field(
        "deals_api",
        "total_cost",
        "Total cost",
        "amount",
        "Guaranteed deals only, in its currency.",
        rare=True,
    ),
)
_DV360 = (
    Field(
        "dv360",
        "commitment",
        "Commitment type",
        "choice",
        choices={name: name for name in ("Nonguaranteed", "Guaranteed")},
    ),
    Field(
        "dv360",
        "delivery",
        "Delivery method",
        "choice",
        choices={name: name for name in ("Programmatic", "Tag")},
    ),
)
_PLATFORM = (
    Field(
        "platform",
        "dsp",
        "Platform of the buyer",
        "choice",
        choices={"": "not said", **{name: name for name in SEAT_DSPS}, "another": "another"},
    ),
    Field("platform", "seats", "Buyer seats", "texts", _COMMAS),
    Field("platform", "buyers", "Buyers", "texts", _COMMAS),
    Field("platform", "seller", "Seller"),
    Field("platform", "deal_type", "Deal type", help="In the words of the platform."),
    Field("platform", "auction_type", "Auction type", help="In the words of the platform."),
    Field("platform", "sizes", "Creative sizes", "texts", _COMMAS),
    Field(
        "platform",
        "floor_kind",
        "Pricing of the curated deal",
        "choice",
        choices={"": "not said", **{name: name for name in ("fixed", "standard floor", "dynamic")}},
    ),
    Field("platform", "margin", "Margin (percent)", "amount"),
    Field("platform", "media_planners", "Who may plan with it", "texts", _COMMAS),
)
FIELDS = (*_CELLS, *_DEALS_API, *_DV360, *_PLATFORM)


def options_form(needs: Sequence[str], chosen: ChosenOptions) -> None:
    """Draw the options that a kind of file or a platform needs; every change is kept at once.

    needs: names of fields, or "deals_api" and "dv360" for all of theirs.
    """
    fields = [field for field in FIELDS if _needed(field, needs)]
    _grid([field for field in fields if not field.rare], chosen)
    if rare := [field for field in fields if field.rare]:
        with st.expander("More options", icon=":material/tune:"):
            _grid(rare, chosen)


def _grid(fields: Sequence[Field], chosen: ChosenOptions) -> None:
    for start in range(0, len(fields), _COLUMNS):
        columns = st.columns(_COLUMNS, vertical_alignment="bottom")
        for place, field in zip(columns, fields[start : start + _COLUMNS], strict=False):
            _draw(place, field, chosen)


def _needed(field: Field, needs: Iterable[str]) -> bool:
    return (field.part if field.part in {"deals_api", "dv360"} else field.name) in needs


def _draw(place: DeltaGenerator, field: Field, chosen: ChosenOptions) -> None:
    options = getattr(chosen, field.part)
    st.session_state.setdefault(field.key, _SHOWN.get(field.kind, _as_it_is)(getattr(options, field.name)))
    common: dict[str, Any] = {
        "key": field.key,
        "help": field.help,
        "on_change": _keep,
        "args": (field,),
        "disabled": bool(field.other and getattr(options, field.other)),
    }
    if field.kind == "flag":
        place.toggle(field.label, **common)
    elif field.choices is not None:
        place.selectbox(field.label, list(field.choices), format_func=field.choices.__getitem__, **common)
    elif field.kind in {"whole", "amount"}:
        step, minimum = (1, 0) if field.kind == "whole" else (0.01, 0.0)
        place.number_input(field.label, min_value=minimum, step=step, placeholder="not said", **common)
    else:
        place.text_input(field.label, placeholder="not said", **common)


@state.guarded
def _keep(field: Field) -> None:
    value = _READ.get(field.kind, _as_it_is)(st.session_state[field.key])
    keep_option(workspace(), field.part, field.name, value)


def _as_it_is(value: Any) -> Any:  # noqa: ANN401  (the value of any widget)
    return value


# Kind -> what its widget shows of an option, and what it gives.
_SHOWN: Mapping[str, Callable[[Any], Any]] = {
    "texts": ", ".join,
    "amount": lambda value: None if value is None else float(value),
}
_READ: Mapping[str, Callable[[Any], Any]] = {
    "text": str.strip,
    "texts": lambda text: tuple(filter(None, (part.strip() for part in text.split(",")))),
    "amount": lambda value: None if value is None else Decimal(str(value)),
}
