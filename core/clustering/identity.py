"""What deals and clusters are called, and the orders that make runs repeatable."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.arrays import FloatArray, IntArray
from core.clustering.cluster import Cluster
from core.deals.deal import Deal, content_hash

DealLike = Deal | Mapping[str, Any]

# Why a deal the analyst took out is in no cluster.
EXCLUDED = "Excluded by the analyst."


def canonical_order(deals: Sequence[DealLike], vectors: FloatArray) -> tuple[IntArray, list[str]]:
    """Return the order of the deals by id, then by vector, and a unique name for each.

    The order and the set of names do not depend on the order of the input. Names stay in the
    caller's order. A deal without an id, or whose id occurs twice, is named by id and vector.
    """
    ids = [deal_id_of(deal) for deal in deals]
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, which orders as well
        prints = [row.tobytes() for row in vectors.astype(">f4")]
    order = sorted(range(len(ids)), key=lambda place: (ids[place], prints[place]))
    occurrences = Counter(ids)
    seen: Counter[tuple[str, bytes]] = Counter()
    names = list(ids)
    for place in order:
        if ids[place] and occurrences[ids[place]] == 1:
            continue
        twin = seen[ids[place], prints[place]]
        seen[ids[place], prints[place]] += 1
        names[place] = f"{ids[place]}#{hashlib.sha256(prints[place]).hexdigest()[:16]}#{twin}"
    return np.array(order, dtype=np.intp), names


def deal_id_of(deal: DealLike) -> str:
    """Return the id as text, "" when a plain mapping has none."""
    if isinstance(deal, Deal):
        return deal.deal_id
    value = deal.get("deal_id")
    return "" if value is None else str(value)


def cluster_id(names: Sequence[str]) -> str:
    """Return the content hash of the sorted names: the same deals give the same id in any run."""
    return content_hash(sorted(names))


def named_cluster(strengths: Mapping[int, float], names: Sequence[str]) -> Cluster:
    """Return the cluster of these members (index -> strength), named by its deals."""
    members = tuple(sorted(strengths))
    return Cluster(
        cluster_id([names[index] for index in members]),
        members,
        tuple(strengths[index] for index in members),
    )


def in_order(clusters: Sequence[Cluster], names: Sequence[str]) -> tuple[Cluster, ...]:
    """Sort clusters: the largest first, then by smallest deal id."""
    first = {cluster.id: min(names[index] for index in cluster.members) for cluster in clusters}
    return tuple(sorted(clusters, key=lambda item: (-len(item.members), first[item.id], item.id)))
