"""Deals, clusters and packages as tables, with the same columns in the same order everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import streamlit as st

from core.clustering import Clustering
from core.clustering.quality import Quality
from core.deals import Deal
from core.deals.facts import UNKNOWN_CURRENCY, Facts, facts_of
from core.packages import Package

_YES_NO = {True: "yes", False: "no", None: None}

DEAL_COLUMNS = {
    "Deal id": st.column_config.TextColumn(pinned=True),
    "Floor CPM": st.column_config.NumberColumn(format="%.2f", help="Empty means unknown, never zero."),
}


def deals_frame(deals: Iterable[Deal]) -> pd.DataFrame:
    """One row for each deal; ids are text, unknown is empty."""
    return pd.DataFrame(
        [
            {
                "Deal id": deal.deal_id,
                "Name": deal.deal_name,
                "SSP": deal.ssp_name,
                "Format": ", ".join(deal.formats) or None,
                "Device": ", ".join(deal.devices) or None,
                "Category": " > ".join(deal.taxonomy.path) or None,
                "Quality": deal.commercial.quality_tier,
                "Floor CPM": _floor_amount(deal),
                "Currency": deal.currency,
                "GARM risk": deal.safety.garm_risk_rating,
                "Family-safe": _YES_NO[deal.safety.family_safe],
                "Audience": ", ".join(deal.audience.inferred_audience) or None,
                "Publishers": ", ".join(deal.publishers) or None,
                "Concepts": ", ".join(deal.concepts) or None,
            }
            for deal in deals
        ],
        columns=_DEAL_FRAME_COLUMNS,
    )


_DEAL_FRAME_COLUMNS = [
    "Deal id", "Name", "SSP", "Format", "Device", "Category", "Quality", "Floor CPM", "Currency",
    "GARM risk", "Family-safe", "Audience", "Publishers", "Concepts",
]  # fmt: skip


def _floor_amount(deal: Deal) -> float | None:
    floor = deal.commercial.floor_price
    return float(floor.amount) if floor else None


def show_deals(deals: Sequence[Deal], key: str, *, height: int = 320) -> None:
    """Draw a read-only table of deals."""
    st.dataframe(
        deals_frame(deals),
        key=key,
        hide_index=True,
        placeholder="-",
        height=height,
        column_config=DEAL_COLUMNS,
        alt=f"Table of {len(deals)} deals",
    )


def clusters_frame(
    deals: Sequence[Deal], clustering: Clustering, quality: Quality | None = None
) -> pd.DataFrame:
    """One row for each cluster, numbered as on the map; a figure that was not measured is empty."""
    measured = {item.cluster_id: item for item in quality.clusters} if quality else {}
    rows = []
    for number, cluster in enumerate(clustering.clusters, start=1):
        facts = facts_of([deals[index] for index in cluster.members])
        figures = measured.get(cluster.id)
        rows.append(
            {
                "Cluster": number,
                "Deals": facts.deals,
                "Terms": ", ".join(figures.terms) or None if figures else None,
                **{
                    column: getattr(figures, column.lower()) if figures else None for column in FIGURE_COLUMNS
                },
                "Categories": first(facts.tier1),
                "Formats": first(facts.formats),
                "Floors CPM": floors_text(facts),
                "Worst risk": facts.worst_risk,
                "SSPs": len(facts.ssps),
                "Audiences": first(facts.audiences),
                "Shared": sum(strength < 1 for strength in cluster.strengths),
            }
        )
    # None in a column without any figure would make it a column of objects, which sorts by text.
    return pd.DataFrame(rows).astype(dict.fromkeys(FIGURE_COLUMNS, "float64") if rows else {})


# Figure -> its help, for people who never met it.
FIGURE_COLUMNS = {
    "Cohesion": "How alike the texts of its deals are: 1 = all the same, lower = a looser mix.",
    "Separation": "How far the nearest other cluster is: near 0 = it has a twin, higher = more on its own.",
    "Silhouette": "From -1 to 1: above 0 its deals sit nearer to each other than to the next cluster, "
    "below 0 many would fit the next one better.",
    "Stability": "How surely its deals stay together when half of all deals are clustered again: "
    "1 = always, 0 = no better than chance.",
}

CLUSTER_COLUMNS = {
    "Cluster": st.column_config.NumberColumn(pinned=True, help="The number on the map; 1 is the largest."),
    "Terms": st.column_config.TextColumn(
        help="Words its deals share and other clusters lack.", width="large"
    ),
    **{
        column: st.column_config.NumberColumn(format="%.2f", help=f"{words} Empty = not measured.")
        for column, words in FIGURE_COLUMNS.items()
    },
    "Shared": st.column_config.NumberColumn(help="How many of its deals belong to another cluster first."),
}


def packages_frame(packages: Sequence[Package]) -> pd.DataFrame:
    """One row for each package, with its status as icon and word."""
    return pd.DataFrame(
        [
            {
                "Package": package.name,
                "Deals": len(package.deal_ids),
                "Status": f"{STATUS_ICONS[package.status]} {package.status}",
                "Source": package.source + (" (edited)" if package.edited else ""),
            }
            for package in packages
        ],
        columns=["Package", "Deals", "Status", "Source"],
    )


STATUS_ICONS = {"pending": "○", "approved": "✓", "rejected": "✕"}


def first(mix: Mapping[str, int], most: int = 3) -> str | None:
    """Return the most frequent values with their counts."""
    shown = [f"{name} ({count})" for name, count in list(mix.items())[:most]]
    more = [f"{len(mix) - most} more"] if len(mix) > most else []
    return ", ".join(shown + more) or None


def floors_text(facts: Facts) -> str:
    """Return the floors per currency; amounts of different currencies never meet."""
    parts = []
    for floor in sorted(facts.floors, key=lambda floor: floor.currency == UNKNOWN_CURRENCY):
        currency = "currency unknown" if floor.currency == UNKNOWN_CURRENCY else floor.currency
        span = (
            f"{floor.lowest:.2f}"
            if floor.lowest == floor.highest
            else f"{floor.lowest:.2f}-{floor.highest:.2f}"
        )
        parts.append(f"{span} {currency} ({floor.deals})")
    if facts.floor_unknown:
        parts.append(f"unknown ({facts.floor_unknown})")
    return ", ".join(parts)
