"""Deals that packages share: the rule about them, packages to merge, pairs, and what each has alone."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.counting import counted
from core.packages.shared_deals import NEAR_SAME, Overlap, SharedDeals, overlap_of
from core.wording.findings import OverlapMode, OverlapPolicy
from pages._packages import package_actions as act
from pages._shared import state
from pages._shared.package_view import PackageView
from pages._shared.services import workspace
from pages._shared.texts import literal

_MODES: dict[OverlapMode, str] = {
    "allow": "Allow shared deals",
    "warn": "Warn above a share",
    "forbid": "Forbid shared deals",
}
_MODE, _SHARE = "overlap_mode", "overlap_share"
_MOST_OFFERED = 20


def overlap_panel(view: PackageView) -> None:
    """Draw how the packages that are not rejected overlap."""
    _policy(view.rules.overlap)
    versions = tuple((package.id, package.version) for package in view.packages)
    overlap = state.remembered("overlap", (view.run.id, versions), lambda: overlap_of(view.packages))
    if not overlap.shared:
        st.info("No two packages share a deal; rejected ones do not count.")
        return
    _to_merge(view, overlap)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader(f"{counted(len(overlap.shared), 'pair')} with shared deals")
        st.dataframe(
            pairs_frame(view, overlap),
            hide_index=True,
            column_config=_PAIR_COLUMNS,
            alt="Table of pairs of packages that share deals, most shared deals first",
        )
    with right:
        st.subheader("What each has alone")
        st.dataframe(
            exclusive_frame(view, overlap),
            hide_index=True,
            column_config=_EXCLUSIVE_COLUMNS,
            alt="Table of packages with the share of their deals that no other package holds",
        )


# --- the rule -----------------------------------------------------------------------------------


def _policy(policy: OverlapPolicy) -> None:
    wanted = {_MODE: policy.mode, _SHARE: round(policy.most_shared * 100)}
    for key, value in wanted.items():
        if st.session_state.get(key) != value:
            st.session_state[key] = value
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.segmented_control(
        "Deals in several packages",
        list(_MODES),
        key=_MODE,
        required=True,
        format_func=_MODES.__getitem__,
        on_change=_set_policy,
        help="Allow says nothing, warn adds a warning to packages above the share, forbid makes it an error "
        "that needs a reason. It holds for every run of this workspace.",
    )
    right.number_input(
        "Most shared deals, %",
        0,
        100,
        step=5,
        key=_SHARE,
        on_change=_set_policy,
        disabled=policy.mode != "warn",
    )


@state.guarded
def _set_policy() -> None:
    policy = OverlapPolicy(st.session_state[_MODE], st.session_state[_SHARE] / 100)
    workspace().set_overlap_policy(policy)
    above = f" above {policy.most_shared:.0%}" if policy.mode == "warn" else ""
    state.tell(f"Saved: {_MODES[policy.mode].lower().removesuffix(' above a share')}{above}.")


# --- pairs to merge -----------------------------------------------------------------------------


def _to_merge(view: PackageView, overlap: Overlap) -> None:
    """Draw the pairs of which one may be too much, with a button each."""
    pairs = mergeable(overlap)
    if not pairs:
        return
    st.subheader(f"{counted(len(pairs), 'pair')} to look at")
    for number, (keep, drop, why) in enumerate(pairs[:_MOST_OFFERED]):
        one, other = view.by_id[keep], view.by_id[drop]
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{literal(other.name)}** ({len(other.deal_ids):,}) {why} "
                f"**{literal(one.name)}** ({len(one.deal_ids):,})"
            )
            st.button(
                "Merge",
                key=f"merge_{number}_{keep}_{drop}",
                on_click=act.merge,
                args=(view.run.id, [one, other], one.name),
                icon=":material/merge:",
                help=f"All deals go into {literal(repr(one.name))}; it can be undone.",
            )
    if len(pairs) > _MOST_OFFERED:
        st.caption(f"The first {_MOST_OFFERED:,} of {len(pairs):,}.")


def mergeable(overlap: Overlap) -> list[tuple[str, str, str]]:
    """Return (package to keep, package to merge into it, why) of subsets and near-duplicates."""
    found: dict[frozenset[str], tuple[str, str, str]] = {}
    subsets = set(overlap.subsets)
    for smaller, larger in overlap.subsets:
        pair = frozenset((smaller, larger))
        if (larger, smaller) in subsets:  # then the pair comes twice, first in the order of the packages
            found.setdefault(pair, (smaller, larger, "holds the same deals as"))
        else:
            found[pair] = (larger, smaller, "is all in")
    for pair in overlap.near_same:
        why = f"shares {pair.jaccard:.0%} of all deals with"
        found.setdefault(frozenset((pair.one, pair.other)), (pair.one, pair.other, why))
    return list(found.values())


# --- tables -------------------------------------------------------------------------------------

_PAIR_COLUMNS = {
    "Package": st.column_config.TextColumn(width=170),
    "Other package": st.column_config.TextColumn(width=170),
    "Shared deals": st.column_config.NumberColumn(width=90),
    "Of all in both": st.column_config.NumberColumn(
        format="%.1f%%", width=90, help="Shared deals of all different deals of the two."
    ),
}
_EXCLUSIVE_COLUMNS = {
    "Package": st.column_config.TextColumn(width=250),
    "Deals": st.column_config.NumberColumn(width=60),
    "Only here": st.column_config.NumberColumn(format="%.1f%%"),
}


def pairs_frame(view: PackageView, overlap: Overlap) -> pd.DataFrame:
    """One row for each pair that shares deals, most shared first."""
    pairs = sorted(overlap.shared, key=lambda pair: (-pair.deals, -pair.jaccard))
    return pd.DataFrame(
        {
            "Package": [view.by_id[pair.one].name for pair in pairs],
            "Other package": [view.by_id[pair.other].name for pair in pairs],
            "Shared deals": [pair.deals for pair in pairs],
            "Of all in both": [100 * pair.jaccard for pair in pairs],
            "Standing": _standings(overlap, pairs),
        }
    )


def _standings(overlap: Overlap, pairs: Sequence[SharedDeals]) -> list[str]:
    subsets = set(overlap.subsets)
    words = []
    for pair in pairs:
        inside, around = (pair.one, pair.other) in subsets, (pair.other, pair.one) in subsets
        near = f"over {NEAR_SAME:.0%} alike" if pair.jaccard > NEAR_SAME else "share some"
        one_way = "first is all in the other" if inside else "other is all in the first" if around else near
        words.append("same deals" if inside and around else one_way)
    return words


def exclusive_frame(view: PackageView, overlap: Overlap) -> pd.DataFrame:
    """One row for each package, the one with the least of its own first; shares in percent."""
    shares = sorted(overlap.exclusive.items(), key=lambda item: item[1])
    return pd.DataFrame(
        {
            "Package": [view.by_id[one].name for one, _ in shares],
            "Deals": [len(view.by_id[one].deal_ids) for one, _ in shares],
            "Only here": [100 * share for _, share in shares],
        }
    )
