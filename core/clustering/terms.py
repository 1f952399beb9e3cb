"""The words that the deals of one cluster share and other clusters lack."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from core.arrays import FloatArray, IntArray
from core.clustering.identity import DealLike
from core.deals.deal import Commercial, Deal, Safety
from core.embeddings.text import create_deal_text_representation
from core.reading.reading import parse_deal

# Terms shown for a cluster.
TERMS = 5
# A term in fewer deals of a cluster is not shared.
_SHARED_BY = 2

# "Category: " at the start of a part of the text; parts end with a full stop, values with a comma
# or the arrow of a category path. No term reaches over such a border.
_BORDER = re.compile(r"(?:^|\. )[A-Z]\w+: |\. |, | > ")
_CHUNK = re.compile(r"[^\W_]+(?:['&-][^\W_]+)*")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_DIGIT = re.compile(r"\d")


def shared_terms(deals: Sequence[DealLike], groups: Sequence[IntArray]) -> list[tuple[str, ...]]:
    """Return up to 5 terms for each group of deal indices, best first; they are in lower case.

    Terms are words and pairs of words, ranked by class-based TF-IDF (Grootendorst 2022,
    "BERTopic", eq. 2): tf * log(1 + A / f). tf counts the deals of the group that carry the
    term, f those of all groups, A is the mean of the sum of tf over the groups. Counting deals
    instead of occurrences keeps one wordy deal from naming the cluster.

    Left out are stop words, ids and anything else with a digit, terms only one deal of the
    group carries, and terms that contain a better one or are contained in it.
    """
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import CountVectorizer

    rows = np.concatenate([*groups, np.empty(0, dtype=np.intp)])
    bags = [_terms_of(text_of_theme(deals[row])) for row in rows.tolist()]
    if not any(bags):
        return [()] * len(groups)
    counter = CountVectorizer(analyzer=lambda bag: bag, binary=True)
    carried = counter.fit_transform(bags)
    ends = np.cumsum([0, *(len(group) for group in groups)])
    member = csr_matrix((np.ones(len(rows)), np.arange(len(rows)), ends), shape=(len(groups), len(rows)))
    counts = (member @ carried).tocsr()
    rarity = np.log1p(counts.sum() / len(groups) / np.asarray(counts.sum(axis=0)).ravel())
    names = counter.get_feature_names_out()
    return [
        _best_terms(counts.indices[start:end], counts.data[start:end], rarity, names)
        for start, end in pairwise(counts.indptr.tolist())
    ]


def text_of_theme(deal: DealLike) -> str:
    """Return the deal's text without SSP, safety and price levels.

    These describe how a deal is sold, not what it is about, and most deals carry the same words.
    """
    known = deal if isinstance(deal, Deal) else parse_deal(_with_id(deal))[0]
    assert known is not None  # noqa: S101  (an id was just given)
    return create_deal_text_representation(
        replace(known, ssp_name=None, safety=Safety(), commercial=Commercial())
    )


def _with_id(record: Mapping[str, object]) -> dict[str, object]:
    return {**record, "deal_id": "any"}


def _terms_of(text: str) -> list[str]:
    terms: list[str] = []
    for value in _BORDER.split(text):
        words = _words_of(value)
        terms += words
        terms += [f"{first} {second}" for first, second in pairwise(words)]
    return terms


def _words_of(value: str) -> list[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    chunks = [chunk for chunk in _CHUNK.findall(value.casefold()) if not _DIGIT.search(chunk)]
    words = [word for chunk in chunks for word in _LETTERS.findall(chunk)]
    return [word for word in words if word not in ENGLISH_STOP_WORDS]


def _best_terms(
    columns: IntArray, counts: FloatArray, rarity: FloatArray, names: Sequence[str]
) -> tuple[str, ...]:
    scores = np.where(counts >= _SHARED_BY, counts * rarity[columns], 0)
    chosen: list[str] = []
    # Of equals the longer term comes first: "march madness", not "march". Then the alphabet decides,
    # in whose order the columns are.
    lengths = np.array([names[column].count(" ") for column in columns], dtype=np.intp)
    for place in np.lexsort((columns, -lengths, -scores)).tolist():
        if len(chosen) == TERMS or scores[place] == 0:
            break
        term = str(names[columns[place]])
        if not any(_contains(term, better) or _contains(better, term) for better in chosen):
            chosen.append(term)
    return tuple(chosen)


def _contains(term: str, other: str) -> bool:
    return f" {other} " in f" {term} "
