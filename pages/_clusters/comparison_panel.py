"""The clusterings made so far, and how the present one differs from an earlier one."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.clustering import Clustering
from core.clustering.compare import Comparison, compare_clusterings
from core.clustering.quality import Quality
from core.counting import counted
from core.storage.clusterings import ClusteringVersion
from pages._clusters.edit_panel import BUSY
from pages._clusters.settings_panel import show_again
from pages._shared import shell, state, tables
from pages._shared.cluster_view import ClusterView, cluster_labels, select_deals
from pages._shared.services import workspace

# Least adjusted Rand index -> what it says, by the bounds of Steinley (2004, "Properties of the
# Hubert-Arabie adjusted Rand index"): .90 excellent, .80 good, .65 moderate agreement.
_AGREEMENT = (
    (0.90, "nearly the same groups"),
    (0.80, "much the same groups"),
    (0.65, "partly the same groups"),
)
_LEFT_OVER = "left over"


def comparison(view: ClusterView) -> None:
    """Let the analyst pick an earlier clustering, see what changed, and go back to it."""
    earlier = workspace().clusterings(view.run_id)[1:]  # the newest is the present one
    if not earlier:
        return
    versions = {item.id: item for item in earlier}
    # An expander with a key stays open when a message above it comes or goes.
    with st.expander(
        "Compare with an earlier clustering",
        key="compare_open",
        on_change="rerun",
        icon=":material/compare_arrows:",
    ):
        chosen = st.selectbox(
            "Earlier clustering",
            list(versions),
            index=None,
            key=f"compare_{view.run_id}",
            format_func=lambda version_id: version_in_words(versions[version_id]),
            placeholder="Choose one",
        )
        if chosen is not None:
            _against(view, versions[chosen])


def version_in_words(version: ClusteringVersion) -> str:
    """Return when and how a clustering came about, and its size."""
    made = f"{version.created_at[:10]} {version.created_at[11:19]} UTC"
    return (
        f"{made} · {version.what} · {counted(version.clusters, 'cluster')}, {version.left_over:,} left over"
    )


def _against(view: ClusterView, version: ClusteringVersion) -> None:
    earlier = workspace().clustering_version(view.run_id, version.id)
    found = compare_clusterings([deal.deal_id for deal in view.deals], earlier, view.clustering)
    st.markdown(change_in_words(found))
    st.dataframe(
        side_by_side(earlier, version.quality, view.clustering, view.quality),
        hide_index=True,
        placeholder="-",
        alt="Table of both clusterings side by side",
    )
    st.caption(_shape(found))
    if found.moved:
        frame = moved_frame(found, view, cluster_labels(earlier, version.quality))
        st.dataframe(frame, hide_index=True, placeholder="-", alt="Table of deals that changed")
    row = st.container(horizontal=True)
    row.button(
        "Go back to this one",
        on_click=_go_back,
        args=(view.run_id, version, earlier),
        disabled=view.busy,
        icon=":material/history:",
        help="It becomes the run's clustering again; the present one stays in this list.",
    )
    if found.moved:
        row.button(
            f"Select the {counted(len(found.moved), 'changed deal')}",
            on_click=select_deals,
            args=([item.deal_id for item in found.moved],),
            icon=":material/select_all:",
        )


def change_in_words(found: Comparison) -> str:
    """Say how many deals stayed and changed, and how well both clusterings agree."""
    total = found.same + len(found.moved)
    changes = [
        (found.changed, "in another cluster"),
        (found.newly_left_over, "newly left over"),
        (found.newly_clustered, "newly in a cluster"),
    ]
    parts = [f"{count:,} {words}" for count, words in changes if count]
    text = f"**{found.same:,} of {counted(total, 'deal')} unchanged**" + "".join(
        f" · {part}" for part in parts
    )
    if found.adjusted_rand is None:
        return f"{text}."
    words = next(
        (words for least, words in _AGREEMENT if found.adjusted_rand >= least), "largely different groups"
    )
    return (
        f"{text}. Agreement {found.adjusted_rand:.2f}: {words} "
        "(adjusted Rand index: 1 is the same, 0 is chance)."
    )


def _shape(found: Comparison) -> str:
    split = ", ".join(str(place + 1) for place in found.split)
    merged = ", ".join(str(place + 1) for place in found.merged)
    parts = [
        f"Divided since then (numbers of then): {split}." if split else "",
        f"Made of parts of several (numbers of now): {merged}." if merged else "",
    ]
    return " ".join(filter(None, parts)) or "No cluster was divided, none was put together."


def side_by_side(
    earlier: Clustering, earlier_quality: Quality | None, now: Clustering, quality: Quality | None
) -> pd.DataFrame:
    """One row for each figure: then and now, as text; an unknown figure is empty."""
    rows: list[tuple[str, str | None, str | None]] = [
        ("Clusters", f"{len(earlier.clusters):,}", f"{len(now.clusters):,}"),
        ("Left over", f"{len(earlier.left_over):,}", f"{len(now.left_over):,}"),
    ]
    for name in tables.FIGURE_COLUMNS:
        rows.append((name, _figure(earlier_quality, name), _figure(quality, name)))
    return pd.DataFrame(rows, columns=["", "Then", "Now"])


def _figure(quality: Quality | None, name: str) -> str | None:
    value = getattr(quality, name.lower(), None)
    return None if value is None else f"{value:.2f}"


def moved_frame(found: Comparison, view: ClusterView, labels_then: Sequence[str]) -> pd.DataFrame:
    """One row for each deal that changed: id, name, from where, to where."""
    labels_now = view.labels()
    return pd.DataFrame(
        [
            {
                "Deal id": item.deal_id,
                "Name": view.deals[item.index].deal_name,
                "From (then)": _LEFT_OVER if item.before is None else labels_then[item.before],
                "To (now)": _LEFT_OVER if item.after is None else labels_now[item.after],
            }
            for item in found.moved
        ],
        columns=["Deal id", "Name", "From (then)", "To (now)"],
    )


@state.guarded
def _go_back(run_id: str, version: ClusteringVersion, earlier: Clustering) -> None:
    if shell.job_running(run_id):
        state.complain(BUSY)
        return
    workspace().restore_clustering(run_id, version.id)
    select_deals(())
    show_again(earlier.settings)
    state.tell(f"In use again: {version_in_words(version)}.")
