"""The selected deals of the Clusters page, and what can be done with them: each action is one saved edit."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.clustering import Clustering
from core.clustering.edits import AttachDeals, ClusterEdit, ExcludeDeals, MoveDeals, NewCluster
from core.counting import counted
from core.deals import Deal
from pages._shared import shell, state, tables
from pages._shared.cluster_view import ClusterView, select_deals
from pages._shared.services import workspace

BUSY = "A job of this run is under way: wait for it or cancel it, then try again."
_KEPT = " The next build keeps to it."
_FEW = " The next build may join them to others: they are fewer than the smallest size."


def selection_panel(view: ClusterView) -> None:
    """Draw the selected deals and the actions on them; it stands beside the map, so nothing jumps."""
    chosen = set(st.session_state.get(state.SELECTED, ()))
    selected = [(index, deal) for index, deal in enumerate(view.deals) if deal.deal_id in chosen]
    with st.container(border=True):
        if not selected:
            st.subheader("Nothing selected")
            st.write(
                "Draw around points on the map, or select rows of the tables below. "
                "Selected deals can be moved to another cluster, form a new one, be excluded, "
                "or become a package."
            )
            return
        st.subheader(f"{counted(len(selected), 'deal')} selected")
        st.caption(where_they_are(view.clustering, [index for index, _ in selected]))
        tables.show_deals(
            [deal for _, deal in selected], f"selected_{len(selected)}", height=_height(len(selected))
        )
        _actions(view, [deal for _, deal in selected])


def _height(rows: int) -> int:
    """Return the height of a table in pixels, header included: five rows, or fewer without a gap."""
    return 38 + 35 * min(rows, 5)


def where_they_are(clustering: Clustering, indices: Sequence[int]) -> str:
    """Say in which clusters the deals are, with how many in each."""
    own = clustering.own_cluster()
    counts: dict[int, int] = {}
    for index in indices:
        if index in own:
            counts[own[index]] = counts.get(own[index], 0) + 1
    outside = len(indices) - sum(counts.values())
    parts = []
    if len(counts) == 1:
        parts.append(f"{sum(counts.values()):,} in cluster {next(iter(counts)) + 1}")
    elif counts:
        parts.append(f"{sum(counts.values()):,} in {len(counts):,} clusters")
    parts += [f"{outside:,} outside every cluster"] if outside else []
    return " · ".join(parts)


def _actions(view: ClusterView, selected: Sequence[Deal]) -> None:
    ids = tuple(deal.deal_id for deal in selected)
    clusters, key = view.clustering.clusters, f"move_to_{view.rows_key}"
    labels = dict(zip((cluster.id for cluster in clusters), _choices(view), strict=True))
    if clusters:
        left, right = st.columns([3, 1.2], vertical_alignment="bottom")
        goal = left.selectbox(
            "Move to cluster",
            list(labels),
            index=None,
            key=key,
            format_func=labels.__getitem__,
            placeholder="Choose one",
        )
        right.button(
            "Move",
            on_click=edit,
            args=(view, MoveDeals(ids, goal or "")),
            disabled=view.busy or goal is None,
            width="stretch",
        )
    row = st.container(horizontal=True)
    row.button(
        "New cluster",
        on_click=edit,
        args=(view, NewCluster(ids)),
        disabled=view.busy,
        icon=":material/add_circle:",
        help="These deals form a cluster of their own, whatever the smallest size is; the next build "
        "keeps clusters of that size and more.",
    )
    row.button(
        "Exclude",
        on_click=edit,
        args=(view, ExcludeDeals(ids)),
        disabled=view.busy,
        icon=":material/do_not_disturb_on:",
        help="Take them out of every cluster; they stay listed below and can be attached again.",
    )
    row.button("Clear", on_click=select_deals, args=((),))
    left, right = st.columns([2, 1.2], vertical_alignment="bottom")
    left.text_input("Name of the package", key="new_package_name", placeholder="Premium Auto CTV Package")
    right.button("Make a package", on_click=_make_package, args=(view.run_id, ids), width="stretch")


def _choices(view: ClusterView) -> list[str]:
    most = view.clustering.settings.max_deals
    return [
        f"{label} ({counted(len(cluster.members), 'deal')}{', full' if len(cluster.members) >= most else ''})"
        for label, cluster in zip(view.labels(), view.clustering.clusters, strict=True)
    ]


@state.guarded
def edit(view: ClusterView, command: ClusterEdit) -> None:
    """Save one edit of the clusters and say what came of it; a refusal is said in its sentence."""
    if shell.job_running(view.run_id):  # started since the page was drawn, perhaps in another tab
        state.complain(BUSY)
        return
    before = workspace().clustering(view.run_id)
    after = workspace().edit_clusters(view.run_id, command)
    select_deals(())
    state.tell(result_in_words(command, before, after, view.deals))


def result_in_words(
    command: ClusterEdit, before: Clustering | None, after: Clustering, deals: Sequence[Deal]
) -> str:
    """Return what an edit did: clusters are numbered by size, so the number may be a new one."""
    if after == before:
        return "Nothing changed: these deals are there already."
    wanted = set(command.deal_ids)
    indices = [index for index, deal in enumerate(deals) if deal.deal_id in wanted]
    own = after.own_cluster()
    placed = [index for index in indices if index in own]
    if isinstance(command, ExcludeDeals):
        new = wanted.difference(before.links.excluded if before else ())
        return f"Saved: {counted(len(new), 'deal')} excluded from every cluster.{_KEPT}"
    if isinstance(command, AttachDeals):
        stay = len(indices) - len(placed)
        rest = f" {counted(stay, 'deal')} found no cluster with room." if stay else ""
        return f"Saved: {counted(len(placed), 'deal')} attached to the nearest cluster.{rest}{_KEPT}"
    place = own[placed[0]]
    size = counted(len(after.clusters[place].members), "deal")
    if isinstance(command, NewCluster):
        kept = _FEW if len(indices) < after.settings.min_size else _KEPT
        return f"Saved: {counted(len(indices), 'deal')} in cluster {place + 1} of their own.{kept}"
    there = _homes(before, indices).count(command.cluster_id) if isinstance(command, MoveDeals) else 0
    return (
        f"Saved: {counted(len(indices) - there, 'deal')} moved to cluster {place + 1}, "
        f"which has {size} now.{_KEPT}"
    )


def _homes(before: Clustering | None, indices: Sequence[int]) -> list[str]:
    """Return the ids of the clusters that these deals were in."""
    own = before.own_cluster() if before else {}
    return [before.clusters[own[index]].id for index in indices if before and index in own]


@state.guarded
def _make_package(run_id: str, deal_ids: Sequence[str]) -> None:
    package = workspace().add_package(run_id, st.session_state["new_package_name"], deal_ids)
    st.session_state["new_package_name"] = ""
    select_deals(())
    state.tell(f"{package.name!r} with {len(package.deal_ids)} deals is saved; it waits on Packages.")


# --- decisions kept for the next build --------------------------------------------------------


def decisions_line(view: ClusterView) -> None:
    """Say which decisions about single deals the next build keeps to, with a way to forget them."""
    links = view.clustering.links
    count = len(links.together) + len(links.apart) + len(links.excluded)
    if not count:
        return
    parts = [
        f"{counted(len(links.together), 'pair')} together" if links.together else "",
        f"{counted(len(links.apart), 'pair')} apart" if links.apart else "",
        f"{len(links.excluded):,} excluded" if links.excluded else "",
    ]
    verb = "is" if count == 1 else "are"
    row = st.container(horizontal=True, vertical_alignment="center")
    row.write(
        f"Your {counted(count, 'decision')} about single deals {verb} kept in the next build: "
        f"{', '.join(filter(None, parts))}."
    )
    row.button(
        "Forget them" if count > 1 else "Forget it",
        on_click=_forget,
        args=(view.run_id, count),
        disabled=view.busy,
        help="The clusters stay as they are until the next build.",
    )


@state.guarded
def _forget(run_id: str, count: int) -> None:
    if shell.job_running(run_id):
        state.complain(BUSY)
        return
    workspace().forget_links(run_id)
    state.tell(f"{counted(count, 'decision')} forgotten; the clusters stay until the next build.")
