"""The table of files that can be exported."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from core.errors import ExportError
from core.exports import (
    PLATFORMS,
    PRESETS,
    DealsApiOptions,
    Dv360Options,
    ExportJob,
    ExportOptions,
    export,
    safe_name,
)
from core.exports.columns import DEALS_HEADER
from tests.exports.sheets import ABOUT, APPROVED, sheets

JOB = ExportJob(sheets(APPROVED), ABOUT, deals_api=DealsApiOptions(origin="ssp.example.com"))
STARTS = {
    "packages_deals": b'"package_id"',
    "packages": b'"package_id"',
    "json": b'{\n  "document"',
    "workbook": b"PK\x03\x04",
    "deals_api": b"[\n  {",
    "dv360": b'"Exchange"',
    "ids_lines": b"0042\n",
    "ids_commas": b"0042,",
    "summary_html": b"<!doctype html>",
    "summary_markdown": b"# Sports Package",
}


@pytest.mark.parametrize("key", PRESETS)
def test_every_preset_writes_what_its_name_says(key):
    assert export(key, JOB).startswith(STARTS[key])


def test_every_preset_has_its_own_label_and_a_safe_file_name():
    assert [preset.key for preset in PRESETS.values()] == list(PRESETS)
    assert len({preset.label for preset in PRESETS.values()}) == len(PRESETS)
    assert len({preset.filename for preset in PRESETS.values()}) == len(PRESETS)
    for preset in PRESETS.values():
        assert safe_name(preset.filename) == preset.filename
        assert preset.platform in PLATFORMS
        assert preset.sentence.endswith(".")


@pytest.mark.parametrize(
    ("need", "job"),
    [
        ("bom", ExportJob(JOB.sheets, ABOUT, ExportOptions(bom=True), JOB.deals_api)),
        ("excel_safe_ids", ExportJob(JOB.sheets, ABOUT, ExportOptions(excel_safe_ids=True), JOB.deals_api)),
        ("deals_api", ExportJob(JOB.sheets, ABOUT, deals_api=DealsApiOptions(origin="other.example.com"))),
        ("dv360", ExportJob(JOB.sheets, ABOUT, deals_api=JOB.deals_api, dv360=Dv360Options(delivery="Tag"))),
    ],
)
def test_presets_depend_on_the_options_they_name_and_on_no_other(need, job):
    changed = {key for key in PRESETS if export(key, job) != export(key, JOB)}
    named = {key for key, preset in PRESETS.items() if need in preset.needs}
    # One id alone would be written as a formula in packages.csv; here there are two.
    assert changed == named - ({"packages"} if need == "excel_safe_ids" else set())


def test_an_unknown_preset_is_refused_with_the_choices():
    with pytest.raises(ExportError, match="There is no export 'pdf': choose one of packages_deals"):
        export("pdf", JOB)


def test_files_of_no_packages_can_be_opened():
    job = ExportJob((), ABOUT, deals_api=JOB.deals_api)
    assert list(csv.DictReader(io.StringIO(export("packages_deals", job).decode()))) == []
    assert json.loads(export("json", job))["packages"] == []
    assert json.loads(export("deals_api", job)) == []


README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_readme_tells_every_preset():
    table = re.search(r"\| `--preset` .*?\n\n", README, re.DOTALL)[0]
    first_cells = "".join(line.split("|")[1] for line in table.splitlines()[2:-1])
    assert re.findall(r"`(\w+)`", first_cells) == list(PRESETS)


def test_the_readme_tells_the_columns_in_their_order():
    told = README.split("always all of them and in this order:")[1].split(".\n")[0]
    assert tuple(re.findall(r"`(\w+)`", told)) == DEALS_HEADER
