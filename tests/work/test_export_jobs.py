"""What an export of a run is written from, the options kept for it, and the command that writes it."""

import hashlib
import json
from decimal import Decimal

import pytest

from core.cli.main import main
from core.errors import ExportError
from core.exports import PRESETS, DealsApiOptions, Dv360Options, ExportOptions, PlatformOptions, export
from core.packages import Approve, Rename
from core.proposals import PromptTemplate
from core.proposals.templates import template_id
from core.settings import get_settings
from core.work.export_jobs import ChosenOptions, chosen_options, export_job, keep_option, run_named
from tests.workspaces import IDS, clustering_of, done

OF_TEST = [Approve("Of the test.")]


@pytest.fixture
def approved(workspace, run_id):
    """A run with an approved package of a model, one of the analyst, and a pending one."""
    workspace.save_clustering(run_id, clustering_of({"a": (0, 1, 2, 3), "b": (4, 5)}))
    asking = workspace.begin_asking(run_id, "gemini-2.5-flash", None)
    workspace.save_outcome(run_id, done("a", IDS[:4], "One"), asking=asking)
    (one,) = workspace.packages(run_id)
    two = workspace.add_package(run_id, "Two", IDS[2:6])
    workspace.add_package(run_id, "Three", IDS[:3])
    for package in (one, two):
        workspace.edit_packages(run_id, {package.id: package.version}, OF_TEST)
    return run_id


# --- what goes out ----------------------------------------------------------------------------


def test_only_approved_packages_are_in_the_job(workspace, approved):
    assert [sheet.package.name for sheet in export_job(workspace, approved).sheets] == ["One", "Two"]


def test_a_package_edited_since_is_not_in_the_job(workspace, approved):
    one = workspace.packages(approved)[0]
    workspace.edit_packages(approved, {one.id: one.version}, [Rename("Other")])
    assert [sheet.package.name for sheet in export_job(workspace, approved).sheets] == ["Two"]


def test_packages_are_checked_against_all_that_stand(workspace, approved):
    sheet = export_job(workspace, approved).sheets[0]
    assert "OVERLAP" in {finding.code for finding in sheet.findings}  # "Three", pending, holds its deals


def test_the_origin_tells_settings_model_and_coverage(workspace, approved):
    about = export_job(workspace, approved).about
    assert about.model == "gemini-2.5-flash"
    assert about.settings["clustering"]["min_size"] == 1
    assert about.settings["proposals"]["proposed_by"] == ["gemini-2.5-flash"]
    assert sum(about.coverage.values()) == about.deals == 6
    assert about.floor_is_lowest_risk is False


def test_the_origin_names_the_prompt_that_was_used(workspace, run_id):
    template = PromptTemplate()
    workspace.save_clustering(run_id, clustering_of({"a": (0, 1, 2, 3)}))
    workspace.begin_asking(run_id, "gemini-2.5-flash", PromptTemplate("{enriched_deals} unused"))
    asking = workspace.begin_asking(run_id, "gemini-2.5-flash", template)
    workspace.save_outcome(run_id, done("a", IDS[:4], "One"), asking=asking)
    assert export_job(workspace, run_id).about.prompt_hash == template_id(template.text)


def test_an_export_changes_no_later_file(workspace, approved):
    before = {key: export(key, export_job(workspace, approved)) for key in ("json", "workbook")}
    workspace.log_export(approved, 2, "packages.json", label="Everything (JSON)", checksum="0" * 64)
    assert {key: export(key, export_job(workspace, approved)) for key in before} == before


def test_a_rename_of_the_run_changes_the_file(workspace, approved):
    before = export("json", export_job(workspace, approved))
    workspace.rename_run(approved, "Another name")
    assert export("json", export_job(workspace, approved)) != before


# --- the log ----------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_exports_come_back_newest_first_with_checksums(workspace, approved):
    workspace.log_export(approved, 1, "one file.csv", who="Ada")
    workspace.log_export(approved, 2, "two.csv", label="Packages (CSV)", checksum="ab" * 32)
    newest, first = workspace.exports(approved)
    assert (newest.filename, newest.packages, newest.label) == ("two.csv", 2, "Packages (CSV)")
    assert newest.checksum == "ab" * 32
    assert (first.filename, first.packages, first.who) == ("one file.csv", 1, "Ada")
    assert first.label is first.checksum is None


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.key)
def test_every_kind_of_file_is_found_in_the_log(workspace, approved, preset):
    workspace.log_export(approved, 3, preset.filename, label=preset.label, checksum="0" * 64)
    event = workspace.exports(approved)[0]
    assert (event.label, event.filename) == (preset.label, preset.filename)


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("cells", "bom", True),
        ("deals_api", "origin", "ssp.example.com"),
        ("deals_api", "wseat", ("a", "b")),
        ("deals_api", "auxdata", 3),
        ("deals_api", "units", 1000),
        ("deals_api", "total_cost", Decimal("99.50")),
        ("dv360", "commitment", "Guaranteed"),
        ("platform", "buyers", ("x",)),
        ("platform", "margin", Decimal("12.5")),
    ],
)
def test_an_option_is_kept_until_it_is_the_default_again(workspace, part, name, value):
    keep_option(workspace, part, name, value)
    assert getattr(getattr(chosen_options(workspace), part), name) == value
    default = getattr(getattr(ChosenOptions(), part), name)
    keep_option(workspace, part, name, default)
    assert workspace.preference(f"export_{part}", "nothing") == "nothing"


def test_options_of_one_part_leave_the_others_alone(workspace):
    keep_option(workspace, "deals_api", "origin", "ssp.example.com")
    keep_option(workspace, "deals_api", "curator", "curator.example.com")
    chosen = chosen_options(workspace)
    assert chosen.deals_api == DealsApiOptions(origin="ssp.example.com", curator="curator.example.com")
    assert chosen.platform == PlatformOptions(deals_api=chosen.deals_api)
    assert (chosen.cells, chosen.dv360) == (ExportOptions(), Dv360Options())


@pytest.mark.parametrize(
    "kept",
    ["no JSON", "[]", '{"unknown": 1}', '{"origin": 5}', '{"wseat": "a"}', '{"units": "many"}', "null"],
)
def test_options_that_cannot_be_read_are_the_defaults(workspace, kept):
    workspace.set_preference("export_deals_api", kept)
    assert chosen_options(workspace).deals_api == DealsApiOptions()


# --- without a screen -------------------------------------------------------------------------


@pytest.fixture
def commanded(approved, url, monkeypatch):
    """The run with approved packages, in the workspace that commands work on."""
    monkeypatch.setenv("DEALWEAVER_DATABASE_URL", url)
    get_settings.cache_clear()
    return approved


def test_the_command_writes_the_bytes_of_the_page(workspace, commanded, tmp_path, capsys):
    target = tmp_path / "out.json"
    expected = export("json", export_job(workspace, commanded))
    assert main(["export", commanded, "--preset", "json", "--out", str(target)]) == 0
    assert target.read_bytes() == expected
    checksum = hashlib.sha256(expected).hexdigest()
    assert checksum in capsys.readouterr().out
    assert workspace.exports(commanded)[0].checksum == checksum


def test_the_command_finds_a_run_by_its_name(workspace, commanded, tmp_path):
    assert main(["export", workspace.run(commanded).name, "--out", str(tmp_path / "out.csv")]) == 0
    with pytest.raises(ExportError, match="no run 'other' in this workspace"):
        run_named(workspace, "other")


def test_the_command_says_every_error_and_writes_nothing(workspace, commanded, tmp_path, capsys):
    target = tmp_path / "out.json"
    assert main(["export", commanded, "--preset", "deals_api", "--out", str(target)]) == 1
    assert "The origin is not set" in capsys.readouterr().err
    assert not target.exists()
    assert workspace.exports(commanded) == ()


def test_the_command_uses_the_options_of_the_page(workspace, commanded, tmp_path):
    keep_option(workspace, "deals_api", "origin", "ssp.example.com")
    target = tmp_path / "out.json"
    assert main(["export", commanded, "--preset", "deals_api", "--out", str(target)]) == 0
    assert {item["origin"] for item in json.loads(target.read_bytes())} == {"ssp.example.com"}


def test_the_command_keeps_to_the_rules_of_a_platform(commanded, tmp_path, capsys):
    target = tmp_path / "out.csv"
    assert main(["export", commanded, "--platform", "the_trade_desk", "--out", str(target)]) == 1
    assert "The seat is not set" in capsys.readouterr().err
    assert not target.exists()
