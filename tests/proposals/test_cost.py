"""What a run costs: estimated before it, added up after it, and never made up."""

from dataclasses import replace
from datetime import date

import pytest
from tokenizers import Tokenizer

from core.deals import Deal
from core.proposals import DealGroup, Outcome, PromptTemplate, Usage, build_prompt, rules_label
from core.proposals.cost import PRICES, VERIFY, Estimate, Price, Spent, actual, estimate, price_of, tokens_in
from core.proposals.limits import Limits
from core.proposals.rules import SOURCE
from tests.fakes.proposers import group_of

DAY = date(2026, 10, 7)
LITE = "gemini-3.5-flash-lite"


def groups_of(deals: tuple[Deal, ...], size: int = 25) -> list[DealGroup]:
    return [DealGroup(f"c{start}", deals[start : start + size]) for start in range(0, len(deals), size)]


# --- prices -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "day", "usd"),
    [
        ("gemini-2.5-flash", DAY, (0.30, 2.50)),
        ("gemini-2.5-flash-lite", DAY, (0.10, 0.40)),
        (LITE, DAY, (0.30, 2.50)),
        ("gemini-3.5-flash", DAY, (1.50, 9.00)),
        ("gemini-3.7-flash", date(2026, 12, 31), (0.75, 3.75)),
        ("gemini-3.7-flash", date(2027, 1, 1), (1.50, 7.50)),
        ("models/gemini-2.5-flash", DAY, (0.30, 2.50)),
        ("gemini-2.5-flash-001", DAY, (0.30, 2.50)),
        ("gemini-2.5-flash-preview", DAY, None),
        ("gemini-2.5", DAY, None),
        ("gemini-4-flash", DAY, None),
        ("qwen3:8b", DAY, None),
        ("", DAY, None),
    ],
)
def test_price_is_that_of_the_model_and_the_day(
    model: str, day: date, usd: tuple[float, float] | None
) -> None:
    price = price_of(model, day)
    assert (price and (price.input_usd, price.output_usd)) == usd


def test_no_model_has_two_prices_on_one_day() -> None:
    for day in (DAY, date(2026, 12, 31), date(2027, 1, 1)):
        models = [price.model for price in PRICES if price.holds_on(day)]
        assert len(models) == len(set(models))


def test_own_table_replaces_the_known_one() -> None:
    own = (Price("qwen3:8b", 0, 0),)
    assert price_of("qwen3:8b", DAY, own) == own[0]
    assert price_of(LITE, DAY, own) is None


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(1_000_000, 0), 0.30),
        (Usage(0, 1_000_000), 2.50),
        (Usage(200_000, 100_000), 0.31),
        (Usage(0, 0), 0),
        (Usage(None, 10), None),
        (Usage(10, None), None),
    ],
)
def test_unknown_tokens_have_no_cost(usage: Usage, usd: float | None) -> None:
    assert Price("m", 0.30, 2.50).of(usage) == (None if usd is None else pytest.approx(usd))


# --- tokens -----------------------------------------------------------------------------------


def test_estimated_tokens_are_near_counted_ones(sample_deals: tuple[Deal, ...], tokenizer: Tokenizer) -> None:
    for group in groups_of(sample_deals)[::4]:
        prompt = build_prompt(group, PromptTemplate())
        text = f"{prompt.system}\n{prompt.human}"
        counted = len(tokenizer.encode(text, add_special_tokens=False))
        assert tokens_in(text) == pytest.approx(counted, rel=0.1)


def test_other_scripts_cost_a_token_for_each_character() -> None:
    assert tokens_in("") == 0
    assert tokens_in("a" * 340) == 100
    assert tokens_in("新聞" * 50) == 100
    assert tokens_in("a" * 34 + "新") == 11


# --- before the run ---------------------------------------------------------------------------


def test_thousand_deals_cost_at_most_eight_cents(sample_deals: tuple[Deal, ...]) -> None:
    clones = tuple(replace(deal, deal_id=f"clone-{deal.deal_id}") for deal in sample_deals[:200])
    groups = groups_of(sample_deals + clones)
    expected = estimate(groups, PromptTemplate(), LITE, Limits(), price_of(LITE, DAY))
    assert (expected.calls, expected.deals) == (40, 1000)
    assert expected.usd_low is not None
    assert expected.usd_high is not None
    assert 0.05 < expected.usd_low <= 0.08 < expected.usd_high < 1


def test_tokens_are_those_of_the_prompts_and_grow_with_them() -> None:
    groups = [group_of("News", 10), group_of("Sport", 20)]
    apart = [estimate([group], PromptTemplate(), LITE, Limits()) for group in groups]
    together = estimate(groups, PromptTemplate(), LITE, Limits())
    assert together.input_tokens == sum(one.input_tokens for one in apart)
    assert together.output_tokens == sum(one.output_tokens for one in apart) == 160 + 320
    longer = PromptTemplate("Mind the budget of the buyer. " * 100 + "{enriched_deals}")
    assert estimate(groups, longer, LITE, Limits()).input_tokens > together.input_tokens + 2 * 600


def test_small_cluster_still_writes_a_package() -> None:
    assert estimate([group_of("News", 3)], PromptTemplate(), LITE, Limits()).output_tokens == 100


def test_deal_in_two_clusters_is_told_twice_but_is_one_deal() -> None:
    group = group_of("News", 5)
    expected = estimate([group, replace(group, id="twin")], PromptTemplate(), LITE, Limits())
    assert (expected.calls, expected.deals) == (2, 5)


@pytest.mark.parametrize(
    ("calls", "limits", "minutes"),
    [
        (0, Limits(workers=4), 0),
        (1, Limits(workers=8), 0.076),
        (40, Limits(workers=1), 3.02),
        (40, Limits(workers=4), 0.81),
        (40, Limits(workers=8), 0.44),
        (40, Limits(workers=4, requests_per_minute=10), 3.08),
        (10, Limits(workers=4, requests_per_minute=10), 0.25),
        (40, Limits(workers=4, requests_per_minute=600), 0.81),
    ],
)
def test_minutes_follow_workers_and_rate(calls: int, limits: Limits, minutes: float) -> None:
    groups = [DealGroup(str(n), ()) for n in range(calls)]
    assert estimate(groups, PromptTemplate(), LITE, limits).minutes == pytest.approx(minutes, abs=0.01)


def test_model_without_a_price_gets_tokens_only() -> None:
    expected = estimate([group_of("News")], PromptTemplate(), "gemini-4-flash", Limits())
    assert (expected.usd_low, expected.usd_high) == (None, None)
    assert expected.input_tokens > 100
    assert "price of gemini-4-flash not known" in expected.sentence()
    assert "USD" not in expected.sentence()


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        (
            Estimate(LITE, 1000, 40, 104_000, 16_000, 0.0712, 0.29, 2.4),
            "About 40 calls, 104,000 tokens read and 16,000 written, "
            f"USD 0.08 to 0.29 ({VERIFY}), 2 minutes.",
        ),
        (
            Estimate(LITE, 3, 1, 500, 100, 0.0004, 0.07, 0.1),
            "About 1 call, 500 tokens read and 100 written, "
            f"USD 0.01 to 0.07 ({VERIFY}), less than a minute.",
        ),
    ],
)
def test_estimate_is_said_with_the_date_of_its_prices(expected: Estimate, sentence: str) -> None:
    assert expected.sentence() == sentence
    assert "2026-10-07: verify" in expected.sentence()


# --- after the run ----------------------------------------------------------------------------


def outcome(
    tokens: tuple[int | None, int | None], calls: int = 1, source: str = LITE, model: str | None = LITE
) -> Outcome:
    return Outcome("c", ("a",), "done", source, usage=Usage(*tokens), model=model, attempts=calls)


GOOD = outcome((200_000, 100_000), calls=2)  # USD 0.31
FAILED = replace(GOOD, status="failed", model=None, stand_in=rules_label("No answer."))

SPENT = {
    "nothing": ([], Spent()),
    "two": ([GOOD, GOOD], Spent(4, 400_000, 200_000, 0.62)),
    "failed costs as well": ([FAILED], Spent(2, 200_000, 100_000, 0.31)),
    "rules cost nothing": ([outcome((None, None), source=SOURCE, model=None)], Spent()),
    "kept answers cost nothing": ([replace(outcome((None, None), calls=0), cached=True)], Spent()),
    "not sent": ([Outcome("c", (), "not_sent", LITE)], Spent()),
    "half of the tokens": (
        [GOOD, outcome((7, None))],
        Spent(3, 200_007, 100_000, 0.31, without_tokens=1, without_price=1),
    ),
    "silent": ([outcome((None, None))], Spent(1, None, None, None, without_tokens=1, without_price=1)),
    "no price": ([outcome((5, 6), model="gemini-4")], Spent(1, 5, 6, None, without_price=1)),
    "one has a price": (
        [GOOD, outcome((5, 6), model="gemini-4")],
        Spent(3, 200_005, 100_006, 0.31, without_price=1),
    ),
    "the model that answered": (
        [outcome((1_000_000, 0), source="gemini-2.5-flash", model="gemini-3.5-flash")],
        Spent(1, 1_000_000, 0, 1.5),
    ),
}


@pytest.mark.parametrize(("outcomes", "spent"), SPENT.values(), ids=SPENT)
def test_spent_is_what_was_used_and_says_what_it_lacks(outcomes: list[Outcome], spent: Spent) -> None:
    found = actual(outcomes, DAY)
    assert replace(found, usd=None) == replace(spent, usd=None)
    assert found.usd == (None if spent.usd is None else pytest.approx(spent.usd))


@pytest.mark.parametrize(
    ("spent", "sentence"),
    [
        (Spent(), "No model was called, so nothing was spent."),
        (
            Spent(43, 110_000, 20_000, 0.08),
            f"Used 43 calls, 110,000 tokens read and 20,000 written, USD 0.08 ({VERIFY}).",
        ),
        (
            Spent(2, 500, None, 0.31, without_tokens=1, without_price=1),
            f"Used 2 calls, 500 tokens read and unknown written, at least USD 0.31 ({VERIFY}). "
            "The service did not say the tokens of 1 cluster.",
        ),
        (
            Spent(1, None, None, None, without_tokens=1, without_price=1),
            "Used 1 call, tokens unknown, cost not known. The service did not say the tokens of 1 cluster.",
        ),
        (Spent(1, 5, 6, None, without_price=1), "Used 1 call, 5 tokens read and 6 written, cost not known."),
    ],
)
def test_spending_is_said_without_hiding_what_is_unknown(spent: Spent, sentence: str) -> None:
    assert spent.sentence() == sentence


def test_spending_stands_next_to_its_estimate() -> None:
    expected = estimate([group_of("News")], PromptTemplate(), LITE, Limits())
    assert actual([GOOD], DAY).sentence(expected).endswith(f" Estimate: {expected.sentence()}")
