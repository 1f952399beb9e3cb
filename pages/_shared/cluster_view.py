"""What the parts of the Clusters page draw from: one snapshot of a run's clusters and their figures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from core.clustering import Clustering, LeftOver
from core.clustering.quality import ClusterQuality, Quality
from core.deals import Deal
from core.storage.clusterings import WAITING
from pages._shared import shell, state

# Terms that tell clusters apart in a list.
_TERMS = 3


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A clustering of a run with its deals; quality is None while nothing was measured.

    Clusters are numbered from 1 in the order of the clustering, on the map as in every table.
    """

    run_id: str
    deals: tuple[Deal, ...]
    clustering: Clustering
    quality: Quality | None

    @property
    def figures(self) -> dict[str, ClusterQuality]:
        """What was measured, by cluster id."""
        return {item.cluster_id: item for item in self.quality.clusters} if self.quality else {}

    @property
    def unmeasured(self) -> int:
        """How many clusters have changed since they were measured."""
        return sum(cluster.id not in self.figures for cluster in self.clustering.clusters)

    @property
    def waiting(self) -> tuple[LeftOver, ...]:
        """Deals of a newer file that were not placed yet: they have no vector and no point."""
        return tuple(item for item in self.clustering.left_over if item.reason in WAITING)

    @property
    def rows_key(self) -> str:
        """A key for widgets that list clusters: positions and choices mean nothing once they change."""
        return digest([self.run_id, *(cluster.id for cluster in self.clustering.clusters)])

    @property
    def busy(self) -> bool:
        """Whether a job of the run is under way."""
        return shell.job_running(self.run_id)

    def labels(self) -> list[str]:
        """Return number and terms of each cluster, in order."""
        return cluster_labels(self.clustering, self.quality)


def cluster_labels(clustering: Clustering, quality: Quality | None) -> list[str]:
    """Return "4 · auto, suv" for each cluster; the number alone where no terms are known."""
    terms = {item.cluster_id: item.terms for item in quality.clusters} if quality else {}
    return [
        " · ".join([str(number), ", ".join(terms.get(cluster.id, ())[:_TERMS])]).removesuffix(" · ")
        for number, cluster in enumerate(clustering.clusters, start=1)
    ]


def digest(parts: Iterable[str]) -> str:
    """Return a short text that differs when the parts differ, for widget keys."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def select_deals(deal_ids: Sequence[str]) -> None:
    """Make these the selected deals; map, tables and lists share one selection by id."""
    st.session_state[state.SELECTED] = list(dict.fromkeys(deal_ids))
