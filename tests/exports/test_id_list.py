"""Ids to paste."""

from dataclasses import replace

import pytest

from core.deals import Deal
from core.errors import ExportError
from core.exports import id_list
from tests.exports.sheets import PACKAGE, sheet_of_deals, sheets


@pytest.mark.parametrize(
    ("separator", "data"), [("\n", b"0042\n999888777666555444"), (",", b"0042,999888777666555444")]
)
def test_each_id_stands_once_as_it_is(separator, data):
    assert id_list(sheets(PACKAGE, replace(PACKAGE, id="pkg-2")), separator) == data


def test_no_package_gives_an_empty_list():
    assert id_list([]) == b""


@pytest.mark.parametrize(
    ("separator", "deal_id", "other"), [(",", "a,b", "line break"), ("\n", "a\nb", "comma")]
)
def test_an_id_that_would_become_two_is_refused(separator, deal_id, other):
    with pytest.raises(ExportError, match=f"choose the list with a {other}"):
        id_list([sheet_of_deals(Deal(deal_id))], separator)
