"""Clusters become package proposals: by Gemini, or by rules that need no key."""

from core.proposals.gemini import GeminiProposer
from core.proposals.model import (
    Answer,
    DealGroup,
    Outcome,
    Proposal,
    ProposalRun,
    Proposer,
    Unpackaged,
    Usage,
)
from core.proposals.prompt import DEFAULT_TEMPLATE, PromptTemplate, build_prompt
from core.proposals.rules import RulesProposer
from core.proposals.runner import Limits, run_proposals

__all__ = [
    "DEFAULT_TEMPLATE",
    "Answer",
    "DealGroup",
    "GeminiProposer",
    "Limits",
    "Outcome",
    "PromptTemplate",
    "Proposal",
    "ProposalRun",
    "Proposer",
    "RulesProposer",
    "Unpackaged",
    "Usage",
    "build_prompt",
    "run_proposals",
]
