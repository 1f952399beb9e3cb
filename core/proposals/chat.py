"""A language model as a proposer, whichever service it comes from; one call per `propose`.

The service turns a prompt into a reply; what the reply is worth is decided here, the same way
for a fresh reply and for one that was kept.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Protocol

from core.errors import FatalProposalError, ModelGone, RetryableError, UnusableAnswer
from core.proposals.prompt import Prompt, PromptTemplate, build_prompt
from core.proposals.proposal import FIRST_CALL, Answer, AskContext, DealGroup, Reply
from core.proposals.validate import validate_answer

_log = logging.getLogger(__name__)

# The words of Gemini, OpenAI, Anthropic and Ollama, in lower case.
_ENDED = frozenset({"stop", "end_turn", "stop_sequence"})
_CUT = frozenset({"max_tokens", "length", "model_context_window_exceeded"})


class ChatService(Protocol):
    """Something that sends a prompt to a model."""

    @property
    def name(self) -> str:
        """What an analyst calls the service."""
        ...

    def ask(self, prompt: Prompt, model: str, context: AskContext) -> Reply:
        """Send the prompt once to this model, and return what came back, believed or not.

        Raises ProposalError of the kind that says what may help; ModelGone when the service does
        not know the model. Neither the reply nor the error holds the key.
        """
        ...


class ModelProposer:
    """Asks a service for packages; safe to share between threads.

    When the model is gone, the successor is asked for the rest of the run, and every answer it
    gives says so in its issues.
    """

    def __init__(
        self, service: ChatService, template: PromptTemplate, *, model: str, successor: str | None = None
    ) -> None:
        self._service = service
        self._template = template
        self._requested = self._model = model
        self._successor = successor if successor != model else None

    @property
    def source(self) -> str:
        """The model that was asked for; `Answer.model` says which one answered."""
        return self._requested

    def propose(self, group: DealGroup, context: AskContext = FIRST_CALL) -> Answer:
        """Ask once for one cluster. Raises ProposalError of the kind that says what may help."""
        prompt = build_prompt(group, self._template)
        if context.repair:
            prompt = replace(prompt, human=f"{prompt.human.rstrip()}\n\n{context.repair}")
        model = self._model
        try:
            reply = self._service.ask(prompt, model, context)
        except ModelGone as gone:
            if self._successor is None or self._successor == model:
                raise FatalProposalError(f"{gone} Choose another model in Settings.") from gone
            reply = self._ask_successor(prompt, self._successor, context, gone)
        reply = replace(reply, requested_model=self._requested)
        context.note(reply)
        return _read(reply, group, prompt, self._service.name)

    def _ask_successor(self, prompt: Prompt, successor: str, context: AskContext, gone: ModelGone) -> Reply:
        if self._model != successor:
            _log.warning("%s Asking %s instead.", gone, successor)
            self._model = successor
        try:
            return self._service.ask(prompt, successor, context)
        except ModelGone as error:
            raise FatalProposalError(f"{gone} {error} Choose another model in Settings.") from error


def read_reply(reply: Reply, group: DealGroup) -> Answer:
    """Return the answer that a reply holds, without a call.

    group: the deals that were asked about: the half, when a cluster was asked about in halves.
    Raises UnusableAnswer, or RetryableError when the reply is no answer at all.
    """
    return _read(reply, group, build_prompt(group, PromptTemplate()), "The model")


def _read(reply: Reply, group: DealGroup, prompt: Prompt, name: str) -> Answer:
    answer = validate_answer(_complete_text(reply, name), prompt.aliases, group.deals)
    issues = answer.issues
    if reply.answered_model != reply.requested_model:
        issues = (*issues, f"{reply.answered_model} answered in place of {reply.requested_model}.")
    return replace(
        answer,
        issues=issues,
        usage=reply.usage,
        model=reply.answered_model,
        requested_model=reply.requested_model,
        latency_s=reply.latency_s,
    )


def _complete_text(reply: Reply, name: str) -> str:
    """Return the text of a reply that ended by itself. Raises UnusableAnswer or RetryableError."""
    reason = reply.finish_reason
    if reason is None:
        raise RetryableError(no_answer(name))
    if reason.lower() in _CUT:
        raise UnusableAnswer(
            f"{name}'s answer was cut at its length limit: use smaller clusters.",
            raw=reply.text,
            remedy="smaller",
        )
    if reason.lower() not in _ENDED:
        raise UnusableAnswer(
            f"{name} refused to answer for this cluster ({reason}): build it by rules or by hand.",
            raw=reply.text,
            remedy="none",
        )
    if not reply.text.strip():
        raise UnusableAnswer(f"{name}'s answer was empty: try again.")
    return reply.text


def no_answer(name: str) -> str:
    """Return the sentence for a reply that no model can have written."""
    return f"{name}'s reply held no answer: is a proxy or sign-in page in between?"
