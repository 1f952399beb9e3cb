"""Deals and clusters of the sample data, for every kind of proposer."""

from itertools import groupby
from pathlib import Path

import pytest
from tokenizers import Tokenizer

import sample_data
from core.deals import Deal
from core.embeddings.encoder import find_packaged_weights
from core.proposals import DealGroup
from core.reading import read_deals

LARGEST_CLUSTER = 25


@pytest.fixture(scope="session")
def sample_deals() -> tuple[Deal, ...]:
    """All deals of the sample file."""
    path = Path(sample_data.__file__).with_name("deals.json")
    return tuple(read_deals(path.read_bytes(), path.name).deals)


@pytest.fixture(scope="session")
def coherent_groups(sample_deals: tuple[Deal, ...]) -> list[DealGroup]:
    """Clusters of 8 to 25 deals that share vertical and format, as good clustering would give."""

    def subject(deal: Deal) -> tuple[str, tuple[str, ...]]:
        return deal.taxonomy.tier1 or "", deal.formats

    groups = []
    for (vertical, formats), members in groupby(sorted(sample_deals, key=subject), key=subject):
        deals = list(members)
        parts = -(-len(deals) // LARGEST_CLUSTER)
        if vertical and len(deals) >= 8 * parts:
            name = f"{vertical} {'/'.join(formats)}"
            groups += [DealGroup(f"{name} {n}", tuple(deals[n::parts])) for n in range(parts)]
    return groups


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """The tokens of the embedding model: a public stand-in for those that services count."""
    folder = find_packaged_weights()
    assert folder is not None, "the package of the embedding model is a dependency of the project"
    tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens.no_truncation()
    tokens.no_padding()
    return tokens
