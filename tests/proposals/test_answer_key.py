"""The name of a question: equal for equal questions, another for anything that changes the answer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.deals import Audience, Deal
from core.proposals import DealGroup, PromptTemplate
from core.proposals.answer_key import answer_key
from tests.fakes.proposers import group_of

GROUP = group_of("News", 6)
BASE: dict[str, Any] = {
    "model": "gemini-2.5-flash",
    "effort": "default",
    "temperature": 0.5,
    "template": PromptTemplate(),
    "validator_version": 1,
}


def key(group: DealGroup = GROUP, **changes: Any) -> str:
    return answer_key(group, **BASE | changes)


def with_first(change: Callable[[Deal], Deal]) -> DealGroup:
    first, *rest = GROUP.deals
    return replace(GROUP, deals=(change(first), *rest))


SAME = {
    "order of the deals": replace(GROUP, deals=GROUP.deals[::-1]),
    "number of the cluster": replace(GROUP, id="another"),
    "hints": replace(GROUP, hints=("golf", "tennis")),
}
OTHER = {
    "one deal less": replace(GROUP, deals=GROUP.deals[1:]),
    "one deal twice": replace(GROUP, deals=(*GROUP.deals, GROUP.deals[0])),
    "other deals": group_of("Sport", 6),
    "id of a deal": with_first(lambda deal: replace(deal, deal_id="x")),
    "name of a deal": with_first(lambda deal: replace(deal, deal_name="x")),
    "audience of a deal": with_first(lambda deal: replace(deal, audience=Audience(("Parents",)))),
}


@pytest.mark.parametrize("group", SAME.values(), ids=SAME)
def test_question_stays_the_same_whatever_stands_around_the_deals(group: DealGroup) -> None:
    assert key(group) == key()


@pytest.mark.parametrize("group", OTHER.values(), ids=OTHER)
def test_other_deals_are_another_question(group: DealGroup) -> None:
    assert key(group) != key()


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "gemini-3.5-flash"},
        {"effort": "minimal"},
        {"temperature": 0.4},
        {"template": PromptTemplate("{enriched_deals}")},
        {"validator_version": 2},
    ],
    ids=str,
)
def test_other_way_of_asking_or_reading_is_another_question(changes: dict[str, Any]) -> None:
    assert key(**changes) != key()


def test_whole_temperature_is_the_same_written_either_way() -> None:
    assert key(temperature=1) == key(temperature=1.0)


def test_key_is_64_hex_digits_and_the_same_in_every_process() -> None:
    assert len(key()) == 64
    assert int(key(), 16) > 0
    assert key() == answer_key(group_of("News", 6), **BASE)
