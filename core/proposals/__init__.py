"""Clusters become package proposals: by Gemini, or by rules that need no key."""

from core.proposals.gemini import GeminiProposer
from core.proposals.prompt import DEFAULT_TEMPLATE, PromptTemplate, build_prompt
from core.proposals.proposal import (
    FIRST_CALL,
    Answer,
    AskContext,
    DealGroup,
    Outcome,
    Proposal,
    ProposalRun,
    Proposer,
    Recorder,
    Reply,
    Unpackaged,
    Usage,
    package_from_proposal,
)
from core.proposals.rules import RulesProposer, is_rules_source, rules_label
from core.proposals.runner import Limits, run_proposals

__all__ = [
    "DEFAULT_TEMPLATE",
    "FIRST_CALL",
    "Answer",
    "AskContext",
    "DealGroup",
    "GeminiProposer",
    "Limits",
    "Outcome",
    "PromptTemplate",
    "Proposal",
    "ProposalRun",
    "Proposer",
    "Recorder",
    "Reply",
    "RulesProposer",
    "Unpackaged",
    "Usage",
    "build_prompt",
    "is_rules_source",
    "package_from_proposal",
    "rules_label",
    "run_proposals",
]
