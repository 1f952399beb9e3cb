"""Forty deals, whatever file they come in, are the same forty deals."""

from dataclasses import replace
from functools import cache

import pytest

from core.reading.reading import read_deals
from tests.reading import golden

ROWS = golden.deal_rows()
FLOOR = golden.COLUMNS.index("floor_price")


def deals_of(data: bytes, mapping=None):
    result = read_deals(data, "deals", mapping=mapping)
    ledger = result.ledger
    assert ledger.read == ledger.loaded + ledger.merged + ledger.refused
    assert ledger.refused == 0
    # Columns of one file only are kept in `extra`; they are no part of the deal.
    return tuple(replace(deal, extra={}) for deal in result.deals)


@cache
def expected_of(rows) -> tuple:
    clean = [[*row[:FLOOR], row[FLOOR].replace(",", "."), *row[FLOOR + 1 :]] for row in rows]
    return deals_of(golden.write_delimited([golden.COLUMNS, *clean]).encode())


def test_seed_gives_the_same_deals_every_time():
    assert golden.deal_rows() == ROWS
    assert len({row[0] for row in ROWS}) == len(ROWS) == golden.DEALS
    assert golden.deal_rows(1) != ROWS


@pytest.mark.parametrize("case", golden.table_parameters())
def test_every_polluted_table_gives_the_canonical_deals(case):
    mapping = None
    if case.columns is None:
        mapping = {f"column_{number}": name for number, name in enumerate(golden.COLUMNS, start=1)}
    assert deals_of(case.data, mapping) == expected_of(case.rows)


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in golden.json_files()])
def test_every_json_file_gives_the_canonical_deals(data):
    found = {deal.deal_id: deal for deal in deals_of(data)}
    assert found == {deal.deal_id: deal for deal in expected_of(tuple(map(tuple, ROWS)))}
