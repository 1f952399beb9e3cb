"""The settings of a clustering on the screen, and what they will come to before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from core.clustering import COVARIANCES, DENSITY_METHODS, METHODS, Clustering, ClusteringSettings
from core.clustering.forecast import Outline, forecast
from core.clustering.keep_apart import RULES
from core.deals import Deal
from core.errors import ClusteringError
from core.settings import PROPOSAL_MAX_DEALS
from pages._shared import state
from pages._shared.texts import literal

# What the screen starts from: sizes a language model groups well, and no deal dropped.
START = ClusteringSettings(max_deals=PROPOSAL_MAX_DEALS, small_clusters="attach")

CUSTOM = "Custom"
# Preset -> the settings it stands for; all others stay as they are.
PRESETS: dict[str, dict[str, Any]] = {
    "Broad": {"max_deals": 40, "min_size": 8, "pack": True, "components": None},
    "Balanced": {"max_deals": START.max_deals, "min_size": START.min_size, "pack": False, "components": None},
    "Granular": {"max_deals": 12, "min_size": 3, "pack": False, "components": None},
}
_PRESET_HELP = (
    "**Broad**: few large clusters, fewest model calls, themes may mix. **Balanced**: one theme for each "
    "cluster, in sizes a language model groups well. **Granular**: many small clusters for narrow packages. "
    "**Custom** shows when you change a value yourself."
)

METHOD_WORDS = {
    "gmm": "Gaussian mixture (recommended)",
    "kmeans": "K-Means",
    "hdbscan": "HDBSCAN",
    "dbscan": "DBSCAN",
    "agglomerative": "Agglomerative",
}
_METHOD_HELP = (
    "**Gaussian mixture** chooses the number of clusters itself and tells themes apart best. **K-Means** "
    "makes round groups of similar size. **Agglomerative** joins the most similar deals step by step. "
    "**HDBSCAN** and **DBSCAN** keep only dense groups and leave the deals between them out."
)
SMALL_WORDS = {"attach": "Attach to the nearest cluster", "leave_out": "Leave out, and list"}
COVARIANCE_WORDS = {
    "tied": "One shape for all clusters (recommended)",
    "diag": "Own width in each direction",
    "spherical": "Round, own size",
    "full": "Own shape (needs many deals)",
}
RULE_WORDS = {"format": "Format", "safety": "Family-safe or not", "currency": "Currency", "ssp": "SSP"}

BASIS_WORDS = {
    "run": "From the groups the last build found, cut to these sizes.",
    "tree": "From a tree of similar deals; the build may differ by some clusters.",
    "count": "A rule of thumb from the number of deals alone, before their texts are compared.",
}

# The settings that have a widget; its key is the setting's name.
_NAMES = (
    "method", "max_deals", "min_size", "small_clusters", "overlap", "threshold",
    "components", "covariance", "max_memberships", "pack", "keep_apart",
)  # fmt: skip


def chosen_settings() -> ClusteringSettings:
    """Return the settings on the screen. Raises ClusteringError when they cannot work together."""
    values = {name: st.session_state[name] for name in _NAMES}
    if values["method"] in DENSITY_METHODS:  # the field is off, its number waits for another method
        values["components"] = None
    return ClusteringSettings(**{**values, "keep_apart": tuple(values["keep_apart"])})


def show_again(settings: ClusteringSettings) -> None:
    """Put settings on the screen, as those of an earlier clustering that is in use again."""
    for name in _NAMES:
        value = getattr(settings, name)
        st.session_state[name] = list(value) if name == "keep_apart" else value


def preset_of(settings: ClusteringSettings) -> str:
    """Return the name of the preset that these settings are, else Custom."""
    for name, values in PRESETS.items():
        if replace(settings, **values) == settings:
            return name
    return CUSTOM


@st.fragment
def settings_panel(
    run_id: str,
    deals: Sequence[Deal],
    columns: Sequence[str],
    outline: Outline | None,
    last: Clustering | None,
) -> None:
    """Draw the settings and what they come to; a change redraws these alone, not map and tables.

    columns: names of columns by which deals can be kept apart, besides the rules.
    """
    _start(run_id, last)
    _presets()
    _first_row()
    with st.expander("More settings", key="more_open", on_change="rerun", icon=":material/tune:"):
        _more(columns)
    _what_if(deals, outline, last)


def _start(run_id: str, last: Clustering | None) -> None:
    """Show the settings of the run's clustering when a run is opened, and whatever a page change lost."""
    used = last.settings if last else START
    if st.session_state.get(state.SETTINGS_OF) != run_id:
        show_again(used)
        st.session_state[state.SETTINGS_OF] = run_id
    for name in _NAMES:
        if name not in st.session_state:
            value = getattr(used, name)
            st.session_state[name] = list(value) if name == "keep_apart" else value


def _presets() -> None:
    st.session_state["preset"] = _preset_shown()
    st.segmented_control(
        "Preset", [*PRESETS, CUSTOM], key="preset", required=True, on_change=_take_preset, help=_PRESET_HELP
    )


def _preset_shown() -> str:
    try:
        return preset_of(chosen_settings())
    except ClusteringError:
        return CUSTOM


def _take_preset() -> None:
    for name, value in PRESETS.get(st.session_state["preset"], {}).items():
        st.session_state[name] = value


def _first_row() -> None:
    row = st.columns([2, 1, 1, 2, 1, 1.6], vertical_alignment="bottom")
    row[0].selectbox(
        "Method",
        METHODS,
        key="method",
        format_func=METHOD_WORDS.__getitem__,
        persist_state="session",
        help=_METHOD_HELP,
    )
    row[1].number_input(
        "Most deals",
        min_value=1,
        max_value=500,
        key="max_deals",
        persist_state="session",
        help="No cluster holds more: larger groups are split by meaning. "
        "A language model groups up to about 25 deals well.",
    )
    row[2].number_input(
        "Fewest deals",
        min_value=1,
        max_value=100,
        key="min_size",
        persist_state="session",
        help="A group of fewer deals is no cluster; what becomes of it is the next setting.",
    )
    row[3].selectbox(
        "Smaller groups",
        list(SMALL_WORDS),
        key="small_clusters",
        format_func=SMALL_WORDS.__getitem__,
        persist_state="session",
        help="Attaching leaves no deal behind; leaving out keeps clusters purer and lists the rest below.",
    )
    overlap = row[4].toggle(
        "Overlap",
        key="overlap",
        persist_state="session",
        help="Let a deal that belongs to two themes join a second cluster.",
    )
    row[5].slider(
        "Membership strength",
        min_value=0.05,
        max_value=1.0,
        step=0.05,
        key="threshold",
        disabled=not overlap,
        persist_state="session",
        help="From this strength on a second membership is added: lower adds more.",
    )


def _more(columns: Sequence[str]) -> None:
    method = st.session_state["method"]
    left, right = st.columns(2)
    dense = method in DENSITY_METHODS
    left.number_input(
        "Number of groups",
        min_value=1,
        max_value=2_000,
        value=None,
        key="components",
        placeholder="Automatic",
        disabled=dense,
        persist_state="session",
        help="How many groups to look for before their sizes are bounded. Empty: the number that "
        "describes the deals best is chosen. " + ("This method finds its own number." if dense else ""),
    )
    right.selectbox(
        "Shape of the groups",
        COVARIANCES,
        key="covariance",
        format_func=COVARIANCE_WORDS.__getitem__,
        disabled=method != "gmm",
        persist_state="session",
        help="Covariance of the Gaussian mixture; other methods have none.",
    )
    left.number_input(
        "Most clusters for a deal",
        min_value=1,
        max_value=5,
        key="max_memberships",
        disabled=not st.session_state["overlap"],
        persist_state="session",
        help="With overlap: its own cluster and up to this many in all.",
    )
    right.multiselect(
        "Keep apart",
        [
            *RULES,
            *columns,
            *(name for name in st.session_state["keep_apart"] if name not in {*RULES, *columns}),
        ],
        key="keep_apart",
        format_func=lambda name: RULE_WORDS.get(name, name),
        placeholder="Nothing",
        persist_state="session",
        help="Deals that differ in one of these never share a cluster, whatever their texts say. "
        "An unknown value counts as a value of its own.",
    )
    left.toggle(
        "Join small neighbours",
        key="pack",
        persist_state="session",
        help="Put small clusters that lie side by side together: fewer model calls, but themes mix.",
    )


def _what_if(deals: Sequence[Deal], outline: Outline | None, last: Clustering | None) -> None:
    try:
        estimate = forecast(deals, chosen_settings(), outline, last)
    except ClusteringError as error:
        st.warning(literal(str(error)), icon=":material/warning:")
        return
    basis = literal(" ".join(filter(None, (BASIS_WORDS[estimate.basis], estimate.note))))
    st.markdown(f":material/calculate: If you build now: **{literal(estimate.sentence)}** :small[{basis}]")
