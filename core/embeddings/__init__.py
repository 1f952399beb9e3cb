"""Deals become text, text becomes vectors."""

from core.embeddings.cache import CachedEncoder, EmbeddingCache, open_encoder
from core.embeddings.encoder import (
    Encoder,
    SentenceEncoder,
    create_deal_embeddings,
    embed_deals,
    load_encoder,
)
from core.embeddings.text import create_deal_text_representation

__all__ = [
    "CachedEncoder",
    "EmbeddingCache",
    "Encoder",
    "SentenceEncoder",
    "create_deal_embeddings",
    "create_deal_text_representation",
    "embed_deals",
    "load_encoder",
    "open_encoder",
]
