"""Dealweaver without a screen: deals -> embeddings -> clusters -> proposals -> packages -> exports.

The public names load on first use, so that `import core` stays light.
"""

from __future__ import annotations

from importlib import import_module

_PUBLIC = {
    "Clustering": "core.clustering",
    "Deal": "core.deals",
    "ImportRefused": "core.errors",
    "ImportResult": "core.reading",
    "PackageCreator": "core.creator",
    "cluster_deals_semantically": "core.clustering",
    "cluster_deals_with_soft_assignments": "core.clustering",
    "create_deal_embeddings": "core.embeddings",
    "create_deal_text_representation": "core.embeddings",
    "read_deals": "core.reading",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605  (a list of the table's names, checked by a test)


def __getattr__(name: str) -> object:
    """Load a public name from its room (PEP 562)."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'core' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
