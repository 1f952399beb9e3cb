"""When a question about a cluster is one that was answered before."""

from __future__ import annotations

import hashlib

import orjson

from core.proposals.prompt import ANSWER_SCHEMA, SYSTEM_RULES, PromptTemplate
from core.proposals.proposal import DealGroup, Effort
from core.proposals.templates import template_id


def answer_key(
    group: DealGroup,
    *,
    model: str,
    effort: Effort,
    temperature: float,
    template: PromptTemplate,
    validator_version: int,
) -> str:
    """Return the name of a question, 64 hex digits: the same name means that no call is needed.

    It holds everything that decides about the proposals: who answers and how, the words around
    the deals, what each deal says, and the code that reads the answer. It leaves out the order
    of the deals, the number of their cluster and its hints, so that a change in one cluster does
    not cost a call for its neighbours, and the key of the service.
    """
    question = [
        model,
        effort,
        float(temperature),
        [SYSTEM_RULES, ANSWER_SCHEMA, template_id(template.text)],
        validator_version,
        sorted(deal.content_hash for deal in group.deals),
    ]
    return hashlib.sha256(orjson.dumps(question, option=orjson.OPT_SORT_KEYS)).hexdigest()
