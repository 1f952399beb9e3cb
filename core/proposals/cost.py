"""What a run of proposals will cost, said before the first call, and what it did cost.

Prices change without notice and reached this table second-hand: whatever is shown from it says
so. A model without a known price has none; its tokens are still counted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from core import clock
from core.proposals.limits import Limits
from core.proposals.prompt import ANSWER_SCHEMA, PromptTemplate, build_prompt
from core.proposals.proposal import DealGroup, Outcome, Usage
from core.proposals.rules import is_rules_source
from core.settings import CONTENT_ATTEMPTS

PRICES_NOTED = date(2026, 10, 7)
VERIFY = f"second-hand prices of {PRICES_NOTED.isoformat()}: verify them with the provider"

_PER_MILLION = 1_000_000
# Measured on prompts of the sample deals with the tokens of all-MiniLM-L6-v2: 3.3 to 3.5 ASCII
# characters make a token. Other scripts take about a token for each character.
_CHARS_PER_TOKEN = 3.4
# Three packages over 25 deals, with names and reasoning, are about 400 tokens; one is about 100.
_OUTPUT_PER_DEAL = 16
_SMALLEST_OUTPUT = 100
# Assumed, not measured: what a model that thinks by default writes before its answer, at most.
_THINKING = 2_000
# Mean time of one call in seconds: lognormal latency with median 4 s and sigma 0.5 (assumed).
_CALL_S = 4 * math.exp(0.5**2 / 2)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in US dollars for a million tokens read (input) and written (output).

    first_day, last_day: when the price holds, both included; None = open. Written tokens include
    those a model thinks with.
    """

    model: str
    input_usd: float
    output_usd: float
    first_day: date | None = None
    last_day: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether this is the price of that day."""
        return (self.first_day or date.min) <= day <= (self.last_day or date.max)

    def of(self, usage: Usage) -> float | None:
        """Return US dollars for these tokens, None when one of the counts is unknown."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        return (usage.input_tokens * self.input_usd + usage.output_tokens * self.output_usd) / _PER_MILLION


_RAISED = date(2027, 1, 1)
_RAISED_MODELS = ("gemini-3.6-flash", "gemini-3.7-flash", "gemini-3.8-flash")

# As noted on PRICES_NOTED, second-hand. What is not here has no known price.
PRICES: tuple[Price, ...] = (
    Price("gemini-2.5-flash-lite", 0.10, 0.40),
    Price("gemini-2.5-flash", 0.30, 2.50),
    Price("gemini-3.5-flash-lite", 0.30, 2.50),
    Price("gemini-3.5-flash", 1.50, 9.00),
    *(Price(model, 0.75, 3.75, last_day=date(2026, 12, 31)) for model in _RAISED_MODELS),
    *(Price(model, 1.50, 7.50, first_day=_RAISED) for model in _RAISED_MODELS),
)


def price_of(model: str, day: date | None = None, prices: Sequence[Price] = PRICES) -> Price | None:
    """Return the price of a model on a day (today), None when it is not known.

    A service may name the build that answered ("models/gemini-2.5-flash-001"): builds cost what
    their model costs. Nothing else is guessed from a name that only begins alike.
    """
    name = re.sub(r"-\d{3}$", "", model.removeprefix("models/"))
    on = day or clock.today()
    return next((price for price in prices if price.model == name and price.holds_on(on)), None)


def tokens_in(text: str) -> int:
    """Estimate the tokens of a text; services count them each in their own way."""
    ascii_chars = len(text.encode("ascii", "ignore"))
    return math.ceil(ascii_chars / _CHARS_PER_TOKEN + len(text) - ascii_chars)


# --- before the first call --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Estimate:
    """What proposals for some clusters will take, when every first call succeeds.

    input_tokens: read, output_tokens: written, without thinking.
    usd_low: for these tokens; usd_high: when the model thinks by default, and every cluster has
        to be asked as often as unusable answers allow. None when the price is not known.
    minutes: wall time with the workers and the rate limit of the run.
    """

    model: str
    deals: int
    calls: int
    input_tokens: int
    output_tokens: int
    usd_low: float | None
    usd_high: float | None
    minutes: float

    def sentence(self) -> str:
        """Say all of it in one sentence, with the doubt about prices."""
        counts = _counts(self.calls, self.input_tokens, self.output_tokens)
        return f"About {counts}, {self._money()}, {_time(self.minutes)}."

    def _money(self) -> str:
        if self.usd_low is None or self.usd_high is None:
            return f"price of {self.model} not known"
        return f"USD {_cents(self.usd_low)} to {_cents(self.usd_high)} ({VERIFY})"


def estimate(
    groups: Sequence[DealGroup],
    template: PromptTemplate,
    model: str,
    limits: Limits,
    price: Price | None = None,
) -> Estimate:
    """Estimate what asking about these clusters takes; leave out those with a kept answer.

    price: None looks the model up in PRICES, for today.
    """
    price = price or price_of(model)
    prompts = [build_prompt(group, template) for group in groups]
    schema = tokens_in(json.dumps(ANSWER_SCHEMA))  # services count it as text that is read
    read = sum(tokens_in(prompt.system) + tokens_in(prompt.human) + schema for prompt in prompts)
    written = sum(max(_SMALLEST_OUTPUT, _OUTPUT_PER_DEAL * len(group.deals)) for group in groups)
    most = Usage(CONTENT_ATTEMPTS * read, CONTENT_ATTEMPTS * (written + _THINKING * len(groups)))
    return Estimate(
        model=model,
        deals=len({deal.deal_id for group in groups for deal in group.deals}),
        calls=len(groups),
        input_tokens=read,
        output_tokens=written,
        usd_low=price.of(Usage(read, written)) if price else None,
        usd_high=price.of(most) if price else None,
        minutes=_minutes(len(groups), limits),
    )


def _minutes(calls: int, limits: Limits) -> float:
    """Return how long so many calls take: the last ones run beside idle workers, or wait for the rate."""
    if not calls:
        return 0.0
    working_s = (calls + limits.workers - 1) / limits.workers * _CALL_S
    rate = limits.requests_per_minute
    waiting_s = (calls - 1) // rate * 60 + _CALL_S if rate else 0.0
    return max(working_s, waiting_s) / 60


# --- after the run ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls took.

    input_tokens, output_tokens, usd: sums over what is known, None when nothing is.
    without_tokens, without_price: clusters whose calls those sums lack.
    """

    calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    usd: float | None = None
    without_tokens: int = 0
    without_price: int = 0

    def sentence(self, expected: Estimate | None = None) -> str:
        """Say what was used, and next to it what was expected."""
        if not self.calls:
            return "No model was called, so nothing was spent."
        counts = _counts(self.calls, self.input_tokens, self.output_tokens)
        least = "at least " if self.without_price else ""
        usd = "cost not known" if self.usd is None else f"{least}USD {_cents(self.usd)} ({VERIFY})"
        missing = (
            f" The service did not say the tokens of {_number(self.without_tokens, 'cluster')}."
            if self.without_tokens
            else ""
        )
        before = f" Estimate: {expected.sentence()}" if expected else ""
        return f"Used {counts}, {usd}.{missing}{before}"


def actual(outcomes: Iterable[Outcome], day: date | None = None, prices: Sequence[Price] = PRICES) -> Spent:
    """Add up what the calls about these clusters took; rules and kept answers took nothing.

    day: whose prices count (today). The tokens of a cluster are priced as those of the model
    that answered last.
    """
    asked = [item for item in outcomes if item.attempts and not is_rules_source(item.source)]
    usage = sum((item.usage for item in asked), Usage())
    costs = [_cost(item, day, prices) for item in asked]
    known = [cost for cost in costs if cost is not None]
    return Spent(
        calls=sum(item.attempts for item in asked),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        usd=sum(known) if known else None,
        without_tokens=sum(None in (item.usage.input_tokens, item.usage.output_tokens) for item in asked),
        without_price=len(costs) - len(known),
    )


def _cost(outcome: Outcome, day: date | None, prices: Sequence[Price]) -> float | None:
    price = price_of(outcome.model or outcome.source, day, prices)
    return price.of(outcome.usage) if price else None


# --- words ------------------------------------------------------------------------------------


def _counts(calls: int, read: int | None, written: int | None) -> str:
    if read is None and written is None:
        return f"{_number(calls, 'call')}, tokens unknown"
    return f"{_number(calls, 'call')}, {_tokens(read)} tokens read and {_tokens(written)} written"


def _tokens(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _cents(usd: float) -> str:
    """Round up to whole cents: a cost must not read as nothing."""
    return f"{math.ceil(round(usd * 100, 6)) / 100:,.2f}"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _time(minutes: float) -> str:
    return "less than a minute" if minutes < 1 else _number(round(minutes), "minute")
