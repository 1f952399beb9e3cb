"""Deals ranked by how near they are to a brief; filters decide which of them count at all."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.arrays import FloatArray
from core.deals.deal import Deal
from core.embeddings.encoder import Encoder
from core.embeddings.text import create_deal_text_representation
from core.errors import EmbeddingError
from core.search.brief import Brief
from core.search.filters import Filter

# How much shared words count beside the cosine. Over 25 short briefs on the 800 sample deals, the
# mean precision of the first ten was .83 by cosine alone, .89 at .1, .91 at .2 and .93 at .3; more
# would make it a search for words.
WORD_WEIGHT = 0.2


@dataclass(frozen=True, slots=True)
class Hit:
    """One deal that no filter refuses.

    score: at most 1, higher is nearer in meaning; None when the brief has no words of meaning. A
        deal without a vector is scored by words alone.
    met, unknown: how it meets each filter, and what it does not say, in words.
    why: both in one line, with the words of the brief that the deal shares.
    """

    deal_id: str
    score: float | None
    met: tuple[str, ...]
    unknown: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """How many deals one filter refuses; a deal counts for each filter that refuses it."""

    filter: Filter
    deals: int
    of: int

    def __str__(self) -> str:
        return f"{self.deals:,} of {self.of:,} deals: {self.filter.refusal}"


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a brief found: every deal is a hit or counted in `refused_deals`.

    hits: deals that meet every filter for certain first, then those with something unknown; each
        part by score, then by deal id.
    refused: the filters that refused deals, in the order of the brief.
    without_vector: hits that were compared by words alone.
    """

    hits: tuple[Hit, ...]
    refused: tuple[Refused, ...]
    refused_deals: int
    without_vector: int

    @property
    def certain(self) -> int:
        """How many hits meet every filter for certain."""
        return sum(not hit.unknown for hit in self.hits)


def search(
    brief: Brief, deals: Sequence[Deal], vectors: FloatArray | None, encode: Encoder | None
) -> Ranking:
    """Rank the deals that the filters of a brief let pass; the same input gives the same order.

    vectors: (len(deals), d) float32 of these deals; rows of NaN for deals that have none yet.
    encode: the model that made them; with either None, words alone are compared.
    Score: (cosine of brief and deal + WORD_WEIGHT * share of the brief's words that the deal's
    text holds, rare words counting more) / (1 + WORD_WEIGHT).
    Raises EmbeddingError when the vectors are of another model, EncodingFailed from the encoder.
    """
    kept, verdicts, refused = _filtered(brief.filters, deals)
    chosen = [deals[index] for index in kept]
    words = _roots(brief.meaning)
    shared, shares = _shared_words(words, chosen)
    near, has_vector = _cosines(brief.meaning, vectors, kept, encode)
    scores = (near + WORD_WEIGHT * shares) / (1 + WORD_WEIGHT)
    hits = [
        _hit(
            deal,
            float(scores[place]) if brief.meaning else None,
            brief,
            verdicts[place],
            shared[place],
            compared=bool(has_vector[place]),
        )
        for place, deal in enumerate(chosen)
    ]
    hits.sort(key=lambda hit: (bool(hit.unknown), -(hit.score or 0), hit.deal_id))
    missing = int((~has_vector).sum()) if brief.meaning else 0
    return Ranking(tuple(hits), refused, len(deals) - len(kept), missing)


_Verdicts = tuple[bool | None, ...]


def _filtered(
    filters: Sequence[Filter], deals: Sequence[Deal]
) -> tuple[list[int], list[_Verdicts], tuple[Refused, ...]]:
    """Return the rows no filter refuses, the verdicts on each of them, and how many each refused."""
    kept, verdicts, counts = [], [], [0] * len(filters)
    for index, deal in enumerate(deals):
        found = tuple(item.judge(deal) for item in filters)
        if False in found:
            for place, verdict in enumerate(found):
                counts[place] += verdict is False
        else:
            kept.append(index)
            verdicts.append(found)
    refused = (Refused(item, count, len(deals)) for item, count in zip(filters, counts, strict=True) if count)
    return kept, verdicts, tuple(refused)


def _hit(
    deal: Deal,
    score: float | None,
    brief: Brief,
    verdicts: _Verdicts,
    shared: Sequence[str],
    *,
    compared: bool,
) -> Hit:
    """Return the hit in words; compared: whether its vector was, and not its words alone."""
    judged = list(zip(brief.filters, verdicts, strict=True))
    met = tuple(item.fact(deal) for item, verdict in judged if verdict)
    unknown = tuple(item.doubt(deal) for item, verdict in judged if verdict is None)
    parts = [", ".join(met), f"not certain: {', '.join(unknown)}" if unknown else ""]
    if brief.meaning and shared:
        parts.append(f"{'near in meaning' if compared else 'shares the words'}: {', '.join(shared)}")
    elif brief.meaning:
        parts.append("no word of the brief in its text")
    return Hit(deal.deal_id, score, met, unknown, "; ".join(filter(None, parts)))


# --- words --------------------------------------------------------------------------------------

_WORD = re.compile(r"[a-z0-9]{2,}")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_EMPTY_WORDS = frozenset(
    """and are at be by for from in into is of on or people that the their to who with""".split()  # noqa: SIM905
)
# Letters by which words are compared: "traveler", "travelers" and "travel" are one.
_ROOT = 5


def _roots(text: str) -> dict[str, str]:
    """Return the beginning of each word of a text -> the word as it stands there first."""
    found: dict[str, str] = {}
    for word in _WORD.findall(_HUMP.sub(" ", text).casefold()):
        if word not in _EMPTY_WORDS:
            found.setdefault(word[:_ROOT].rstrip("s"), word)
    return found


def _shared_words(words: dict[str, str], deals: Sequence[Deal]) -> tuple[list[tuple[str, ...]], FloatArray]:
    """Return for each deal the words it shares, and their share of all words, rare ones counting more."""
    if not words or not deals:
        return [()] * len(deals), np.zeros(len(deals), dtype=np.float32)
    texts = [_roots(create_deal_text_representation(deal)).keys() & words.keys() for deal in deals]
    carriers = Counter(root for roots in texts for root in roots)
    weight = {root: math.log((len(deals) + 1) / (carriers[root] + 1)) + 1 for root in words}
    total = sum(weight.values())
    shares = [sum(weight[root] for root in roots) / total for roots in texts]
    named = [tuple(word for root, word in words.items() if root in roots) for roots in texts]
    return named, np.array(shares, dtype=np.float32)


# --- vectors ------------------------------------------------------------------------------------


def _cosines(
    meaning: str, vectors: FloatArray | None, kept: Sequence[int], encode: Encoder | None
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the cosine of each kept deal with the meaning (0 without a vector), and which have one."""
    if vectors is None or encode is None or not meaning or not kept:
        return np.zeros(len(kept), dtype=np.float32), np.zeros(len(kept), dtype=np.bool_)
    wanted = encode.encode([meaning])[0]
    if wanted.shape[0] != vectors.shape[1]:
        raise EmbeddingError(
            f"The vectors of the deals have {vectors.shape[1]} numbers and those of the embedding model "
            f"{wanted.shape[0]}: build the clusters again with this model."
        )
    rows = vectors[list(kept)]
    known = np.asarray(np.isfinite(rows).all(axis=1))
    rows = np.where(known[:, None], rows, 0)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted)
    near = (rows @ wanted) / np.where(lengths > 0, lengths, 1)
    return near.astype(np.float32), known
