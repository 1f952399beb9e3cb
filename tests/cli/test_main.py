"""The command line: what it writes, what it says, and how it ends."""

import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import core.creator
import core.reading.sample
import sample_data
from core import clock
from core.cli.main import main
from core.proposals.providers import PROVIDERS
from core.settings import get_settings
from tests.fakes.chat_services import FakeChatServices
from tests.fakes.clock import SAMPLE_DAY, RunningClock
from tests.fakes.embeddings import FakeEncoder
from tests.fakes.gemini import FakeGemini, read_deals
from tests.test_creator import connections_end_quietly  # noqa: F401  (a fixture for this file too)

KEY = "test-key-4711"
SAMPLE = Path(sample_data.__file__).with_name("deals_small.json")
SMALL_CLUSTERS = ("--max-size", "7", "--min-size", "3")


@pytest.fixture(scope="module")
def records():
    return json.loads(SAMPLE.read_text("utf-8"))


@pytest.fixture(autouse=True)
def fake_encoder(monkeypatch):
    """Let commands embed with the fake model: the README's run with the real one, in the slow suite."""
    monkeypatch.setattr(core.creator, "load_encoder", lambda _: FakeEncoder())


@pytest.fixture
def gemini(monkeypatch):
    """A Gemini service that the settings point to, with a key for it."""
    with FakeGemini(api_key=KEY) as server:
        monkeypatch.setenv("DEALWEAVER_GEMINI_BASE_URL", server.url)
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        get_settings.cache_clear()
        yield server


class Ended:
    """A command that has ended. document: what it wrote, None when it wrote nothing."""

    def __init__(self, code, out, err, target):
        self.code, self.out, self.err = code, out, err
        written = target in target.parent.glob("*.json")  # no stat: a test uses a name that is too long
        self.document = json.loads(target.read_bytes()) if written else None

    @property
    def sentences(self):
        """What went wrong; the line about the cost is `cost`."""
        return [line for line in self.err.splitlines() if not line.startswith("Used ")]

    @property
    def cost(self):
        (line,) = [line for line in self.err.splitlines() if line.startswith("Used ")]
        return line


@pytest.fixture
def run(tmp_path, capsys):
    """Run `python -m core run` on a file, or on records that become one."""

    def run(deals, *options, out=tmp_path / "packages.json"):
        path = deals
        if not isinstance(deals, Path):
            path = tmp_path / "deals.json"
            path.write_bytes(deals if isinstance(deals, bytes) else json.dumps(deals).encode())
        code = main(["run", str(path), "--out", str(out), *options])
        said = capsys.readouterr()
        assert KEY not in said.out + said.err
        assert "Traceback" not in said.err
        assert not list(tmp_path.glob("*.part"))
        ended = Ended(code, said.out, said.err, out)
        assert KEY not in json.dumps(ended.document)
        if ended.document:
            assert_counts_add_up(ended.document)
        return ended

    return run


def assert_counts_add_up(document):
    counts = document["counts"]
    assert counts["read"] == counts["loaded"] + counts["merged"] + counts["refused"]
    assert counts["loaded"] == counts["packaged"] + counts["left_over"] + counts["failed"]
    packaged = {deal_id for package in document["packages"] for deal_id in package["deal_ids"]}
    left = [item["deal_id"] for item in document["left_over"]]
    failed = {deal_id for cluster in document["failed_clusters"] for deal_id in cluster["deal_ids"]}
    assert (len(packaged), len(left), len(failed)) == (
        counts["packaged"],
        counts["left_over"],
        counts["failed"],
    )
    assert len(packaged | set(left) | failed) == counts["loaded"]


# --- run by rules -----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--method", "kmeans"), ("--overlap", "--threshold", "0.1")])
def test_run_by_rules_writes_packages_and_accounts_for_every_deal(run, options):
    ended = run(SAMPLE, *options)
    assert (ended.code, ended.err) == (0, "")
    document = ended.document
    assert {"packages", "left_over", "failed_clusters", "settings"} <= set(document)
    assert document["counts"]["read"] == document["counts"]["loaded"] == 60
    assert document["packages"]
    assert document["failed_clusters"] == document["refused"] == []
    for package in document["packages"]:
        assert {"package_name", "deal_ids", "reasoning"} <= set(package)
        assert package["proposal_source"] == "Rules (no AI)"
    assert document["settings"]["proposer"] == "rules"
    assert document["settings"]["model"] is None
    assert f"{len(document['packages'])} packages; 60 deals = " in ended.out


def test_settings_of_the_run_stand_in_the_file(run):
    document = run(SAMPLE, *SMALL_CLUSTERS, "--method", "kmeans").document
    clustering = document["settings"]["clustering"]
    assert (clustering["method"], clustering["max_deals"], clustering["min_size"]) == ("kmeans", 7, 3)
    assert document["settings"]["file"] == SAMPLE.name
    assert document["settings"]["embedding_model"] == "all-MiniLM-L6-v2"


@pytest.mark.parametrize(("day", "told"), [(SAMPLE_DAY, ""), (datetime(2028, 2, 29, tzinfo=UTC), "(66)")])
def test_the_sample_needs_no_file_and_says_how_far_it_was_moved(tmp_path, monkeypatch, capsys, day, told):
    for name, source in (("deals.json", SAMPLE.name), ("made_for.txt", "made_for.txt")):
        (tmp_path / name).write_bytes(SAMPLE.with_name(source).read_bytes())
    monkeypatch.setattr(core.reading.sample, "FOLDER", tmp_path)
    out = tmp_path / "packages.json"
    with clock.using(RunningClock(day)):
        assert main(["run", "--sample", "--out", str(out)]) == 0
    document = json.loads(out.read_bytes())
    assert_counts_add_up(document)
    assert (document["counts"]["loaded"], document["settings"]["file"]) == (60, "sample")
    said = capsys.readouterr().out
    assert ("moved by whole weeks" in said) == bool(told)
    assert told in said


@pytest.mark.parametrize("words", [[], ["--sample", "deals.csv"]])
def test_run_takes_either_a_file_or_the_sample(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", *words])
    assert ended.value.code == 2
    assert "--sample" in capsys.readouterr().err


def test_same_file_gives_the_same_packages_in_any_order(run, records):
    first, second = run(records).document, run(records[::-1]).document
    members = [sorted(sorted(package["deal_ids"]) for package in one["packages"]) for one in (first, second)]
    assert members[0] == members[1]


def test_without_a_key_the_rules_propose_and_with_one_gemini_does(run, gemini, monkeypatch):
    assert run(SAMPLE).document["settings"]["proposer"] == "gemini"
    asked = len(gemini.calls)
    assert run(SAMPLE, "--proposer", "rules").document["settings"]["proposer"] == "rules"
    monkeypatch.delenv("GEMINI_API_KEY")
    get_settings.cache_clear()
    assert run(SAMPLE).document["settings"]["proposer"] == "rules"
    assert len(gemini.calls) == asked > 0


# --- run with Gemini --------------------------------------------------------------------------


def test_eight_workers_ask_gemini_at_once(run, gemini):
    gemini.latency_s = 0.3
    ended = run(SAMPLE, *SMALL_CLUSTERS, "--proposer", "gemini")
    assert (ended.code, ended.sentences) == (0, [])
    assert ended.cost.startswith(f"Used {len(gemini.calls)} calls, ")
    assert "USD 0.0" in ended.cost
    assert len(gemini.calls) > 8
    assert 4 <= gemini.peak_concurrency <= 8
    assert {package["proposal_source"] for package in ended.document["packages"]} == {"gemini-2.5-flash"}
    assert ended.document["settings"]["model"] == "gemini-2.5-flash"


def test_failed_clusters_are_named_and_the_others_are_written(run, gemini):
    gemini.fail("safety_stop", at=[0, 2])
    ended = run(SAMPLE, *SMALL_CLUSTERS)
    assert ended.code == 3
    failed = ended.document["failed_clusters"]
    assert len(failed) == 2
    assert ended.document["packages"]
    (sentence,) = ended.sentences
    assert sentence.startswith("2 clusters failed: Gemini refused to answer for this cluster (SAFETY)")
    assert "Rules proposed for 2 clusters instead" in sentence
    assert all(cluster["cluster_id"] in sentence for cluster in failed)
    assert all("SAFETY" in cluster["reason"] for cluster in failed)
    sources = {package["cluster_id"]: package["proposal_source"] for package in ended.document["packages"]}
    assert {sources.pop(cluster["cluster_id"]) for cluster in failed} == {
        cluster["stand_in"] for cluster in failed
    }
    assert all(cluster["stand_in"].startswith("Rules (AI failed: ") for cluster in failed)
    assert set(sources.values()) == {"gemini-2.5-flash"}


def test_wrong_key_stops_with_one_sentence_and_the_file_is_written(run, gemini):
    gemini.api_key = "another key"
    ended = run(SAMPLE, *SMALL_CLUSTERS)
    assert ended.code == 2
    (sentence,) = ended.sentences
    assert sentence.startswith("Stopped: Gemini refused the key: check GEMINI_API_KEY")
    assert "Rules proposed for " in sentence
    sources = {package["proposal_source"] for package in ended.document["packages"]}
    assert sources == {"Rules (AI failed: Gemini refused the key: check GEMINI_API_KEY and its permissions)"}
    assert len(gemini.calls) <= 8


def test_quota_that_ends_midway_keeps_the_packages_of_before(run, gemini, monkeypatch):
    monkeypatch.setenv("DEALWEAVER_WORKERS", "1")
    get_settings.cache_clear()
    gemini.fail("daily_quota", at=range(3, 100))
    ended = run(SAMPLE, *SMALL_CLUSTERS)
    assert ended.code == 2
    assert "daily quota" in ended.sentences[0]
    by_gemini = [item for item in ended.document["packages"] if item["proposal_source"] == "gemini-2.5-flash"]
    assert len({package["cluster_id"] for package in by_gemini}) == 3
    assert len(ended.document["packages"]) > len(by_gemini)
    assert len(gemini.calls) == 4


def test_key_that_the_service_echoes_is_shown_nowhere(run, gemini):
    gemini.fail("key_echoed", always=True)
    assert run(SAMPLE).code == 2  # the fixture looks for the key


def test_server_that_cannot_be_reached_fails_every_cluster_in_one_sentence(
    run, gemini, present: RunningClock
):
    present.hurry(20)
    gemini.close()
    ended = run(SAMPLE, "--min-size", "3")
    assert ended.code == 3
    (sentence,) = ended.sentences
    assert sentence.count("Gemini cannot be reached") == 1
    assert "check the network" in sentence
    assert all(cluster["cluster_id"] in sentence for cluster in ended.document["failed_clusters"])
    sources = {package["proposal_source"] for package in ended.document["packages"]}
    assert all(source.startswith("Rules (AI failed: Gemini cannot be reached") for source in sources)


def test_packages_of_different_clusters_have_different_names(run, gemini):
    gemini.answer = lambda call: json.dumps(
        {
            "packages": [
                {
                    "package_name": "Summer Package",
                    "deal_ids": [row["id"] for row in read_deals(call.prompt)],
                    "reasoning": "They are alike.",
                }
            ]
        }
    )
    names = [package["package_name"] for package in run(SAMPLE, *SMALL_CLUSTERS).document["packages"]]
    assert len(set(names)) == len(names) > 3
    assert all(name.startswith("Summer Package") for name in names)


def test_calls_stop_at_the_number_that_was_allowed(run, gemini, monkeypatch):
    monkeypatch.setenv("DEALWEAVER_MAX_CALLS", "2")
    get_settings.cache_clear()
    ended = run(SAMPLE, *SMALL_CLUSTERS)
    assert ended.code == 2
    assert "has used the 2 calls that it was allowed" in ended.sentences[0]
    assert len(gemini.calls) == 2
    assert {package["proposal_source"][:5] for package in ended.document["packages"]} == {"gemin", "Rules"}


# --- who is asked, and what -------------------------------------------------------------------


def test_the_model_and_the_template_are_those_that_were_given(run, gemini, tmp_path):
    template = tmp_path / "prompt.txt"
    template.write_bytes(b"\xef\xbb\xbfShort names, please.\r\n{enriched_deals}")
    ended = run(SAMPLE, "--model", "gemini-3.5-flash-lite", "--template", str(template))
    assert ended.code == 0
    assert {call.model for call in gemini.calls} == {"gemini-3.5-flash-lite"}
    assert all("Short names, please." in call.prompt for call in gemini.calls)
    assert ended.document["settings"]["model"] == "gemini-3.5-flash-lite"


def test_the_model_of_the_settings_is_for_their_provider_only(run, monkeypatch):
    monkeypatch.setenv("DEALWEAVER_MODEL", "gemini-3.5-flash")
    with FakeChatServices() as server:
        monkeypatch.setenv("DEALWEAVER_OPENAI_BASE_URL", server.base_url("openai"))
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        get_settings.cache_clear()
        document = run(SAMPLE, "--proposer", "openai").document
    assert document["settings"]["proposer"] == "openai"
    assert document["settings"]["model"] == PROVIDERS["openai"].default_model


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"Group these deals.", "lacks the placeholder {enriched_deals}"),
        (b"\xff\xfe{\x00", "is no UTF-8 text"),
        (None, "cannot be read"),
    ],
)
def test_a_template_that_cannot_work_is_refused_before_anything_is_asked(run, gemini, tmp_path, data, part):
    template = tmp_path / "prompt.txt"
    if data is not None:
        template.write_bytes(data)
    ended = run(SAMPLE, "--template", str(template))
    assert ended.code == 1
    assert part in ended.sentences[0]
    assert gemini.calls == ()


def test_gemini_without_a_key_is_refused_before_anything_is_computed(run):
    ended = run(SAMPLE, "--proposer", "gemini")
    assert ended.code == 1
    assert ended.sentences == ["No Gemini key is set: set GEMINI_API_KEY, or use the rules proposer."]
    assert ended.document is None


# --- clusters ---------------------------------------------------------------------------------


def test_deals_that_are_kept_apart_share_no_package(run, records):
    document = run(SAMPLE, *SMALL_CLUSTERS, "--keep-apart", "format", "--keep-apart", "ssp_name").document
    kinds = {deal["deal_id"]: (deal["format"].casefold(), deal["ssp_name"]) for deal in records}
    assert document["packages"]
    for package in document["packages"]:
        assert len({str(kinds[deal_id]) for deal_id in package["deal_ids"]}) == 1
    assert document["settings"]["clustering"]["keep_apart"] == ["format", "ssp_name"]


def test_a_rule_that_no_deal_knows_is_refused(run):
    ended = run(SAMPLE, "--keep-apart", "shoe size")
    assert ended.code == 1
    assert ended.sentences == [
        "--keep-apart shoe size is no rule and no column of the deals: "
        "use format, safety, currency, ssp, or the name of a column."
    ]


@pytest.mark.parametrize("choice", ["attach", "leave_out"])
def test_small_groups_are_attached_or_left_out(run, choice):
    document = run(SAMPLE, "--max-size", "8", "--min-size", "6", "--small-clusters", choice).document
    outside = [item for item in document["left_over"] if "cluster" in item["reason"]]
    assert document["settings"]["clustering"]["small_clusters"] == choice
    assert bool(outside) is (choice == "leave_out")


# --- input that cannot be used ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"Dear all, please find no table here.", "deals"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "deals.json"),
        (b'{"campaigns": 12}', "holds no deals"),
        (b"[]", "empty list"),
        (b'[{"deal_id": "1"', "no valid JSON"),
        (b"name,price\nA,1\n", "deal_id"),
        (b"PK\x03\x04no workbook", "deals.json: "),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_file_that_holds_no_deals_is_refused_in_one_sentence(tmp_path, capsys, command, data, part):
    path = tmp_path / "deals.json"
    path.write_bytes(data)
    assert main([command, str(path)]) == 1
    said = capsys.readouterr()
    (sentence,) = said.err.splitlines()
    assert sentence.startswith("deals.json: ")
    assert part in sentence
    assert said.out == ""


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("name", ["missing.csv", "missing/deals.csv", "."])
def test_file_that_cannot_be_read_is_refused_in_one_sentence(tmp_path, capsys, command, name):
    assert main([command, str(tmp_path / name)]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "cannot be read" in sentence
    assert str(tmp_path) in sentence


def test_row_without_an_id_is_refused_and_the_others_go_on(run, records):
    ended = run([*records, {"deal_name": "No id"}])
    assert ended.code == 0
    (refused,) = ended.document["refused"]
    assert refused["row"] == 61
    assert "no deal id" in refused["reason"]
    assert ended.document["counts"]["loaded"] == 60
    assert "1 rows refused" in ended.out


def test_fewer_deals_than_a_cluster_needs_are_left_over_with_the_reason(run, records):
    ended = run(records[:4])
    assert (ended.code, ended.err) == (0, "")
    assert ended.document["packages"] == []
    assert len(ended.document["left_over"]) == 4
    assert all("fewer deals (4)" in item["reason"] for item in ended.document["left_over"])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--max-size", "3", "--min-size", "5"), "largest cluster size (3)"),
        (("--min-size", "0"), "smallest cluster size is 0"),
        (("--max-size", "-1"), "largest cluster size (-1)"),
        (("--threshold", "1.5"), "threshold is 1.5"),
        (("--threshold", "nan"), "threshold is nan"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_one_sentence(run, options, part):
    ended = run(SAMPLE, *options)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert part in sentence
    assert ended.document is None


def test_setting_of_the_environment_that_cannot_work_is_named(run, monkeypatch):
    monkeypatch.setenv("DEALWEAVER_WORKERS", "0")
    get_settings.cache_clear()
    ended = run(SAMPLE)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "DEALWEAVER_WORKERS" in sentence


@pytest.mark.parametrize("options", [("--method", "magic"), ("--max-size", "many"), ("--proposer", "oracle")])
def test_option_nobody_knows_shows_the_choices(capsys, options):
    with pytest.raises(SystemExit):
        main(["run", str(SAMPLE), *options])
    assert options[0] in capsys.readouterr().err


# --- output -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["no/such/folder/out.json", ".", "n" * 300])
def test_target_that_cannot_be_written_is_refused_before_gemini_is_asked(run, gemini, tmp_path, name):
    ended = run(SAMPLE, out=tmp_path / name)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "cannot be written" in sentence
    assert "--out" in sentence
    assert gemini.calls == ()


def test_the_deal_file_itself_is_no_target(tmp_path, capsys):
    deals = tmp_path / "deals.json"
    deals.write_bytes(SAMPLE.read_bytes())
    assert main(["run", str(deals), "--out", str(deals), "--proposer", "rules"]) == 1
    assert "is the deal file itself" in capsys.readouterr().err
    assert deals.read_bytes() == SAMPLE.read_bytes()


def test_target_is_replaced_as_a_whole_and_kept_when_the_input_is_bad(run, tmp_path, records):
    target = tmp_path / "packages.json"
    target.write_text("old")
    assert main(["run", str(tmp_path / "missing.csv"), "--out", str(target)]) == 1
    assert target.read_text() == "old"
    assert run(records[:4]).document["counts"]["loaded"] == 4


def test_progress_bar_is_drawn_on_a_terminal_only(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    said = []
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        assert main(["run", str(SAMPLE), "--out", str(tmp_path / "out.json")]) == 0
        said.append(stream.getvalue())
    assert "Cluster" in said[0]
    assert said[1] == ""


# --- check ------------------------------------------------------------------------------------


def test_check_of_a_sound_file_counts_its_rows(capsys):
    assert main(["check", str(SAMPLE)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "deals_small.json: 60 read = 60 loaded + 0 merged + 0 refused"
    assert said.err == ""


def test_check_lists_what_was_merged_refused_and_doubted_and_fails_for_the_refused(tmp_path, capsys):
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,deal_name,floor_price\n1,A,2.50\n,B,1\n1,A,2.50\n2,C,cheap\n2,D,1\n")
    assert main(["check", str(path)]) == 1
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "deals.csv: 5 read = 2 loaded + 1 merged + 2 refused"
    assert lines.pop(0) == "  read as: csv, utf-8"
    assert lines.pop(0) == "  column: floor_price -> commercial_floor_price"
    assert [line.split(":")[0].strip() for line in lines] == ["refused", "merged", "warning", "refused"]
    assert [line.split(":")[1].strip() for line in lines] == [
        "row 3, deal_id", "row 4, deal_id", "row 5, floor_price", "row 6, deal_id",
    ]  # fmt: skip


def test_warnings_alone_do_not_fail_the_check(tmp_path, capsys):
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,floor_price\n1,cheap\n2,1\n")
    assert main(["check", str(path)]) == 0
    assert "warning: row 2, floor_price" in capsys.readouterr().out


def test_check_reads_columns_as_told_and_suggests_fields_for_the_others(tmp_path, capsys):
    path = tmp_path / "deals.csv"
    path.write_text("Our key,Floor incl fee,Rating\nA,5,Floor\n")
    assert main(["check", str(path)]) == 1
    said = capsys.readouterr().err
    assert "Or choose one with --map COLUMN=deal_id; its columns: Our key ('A'); Floor incl fee ('5')" in said
    told = ["--map", "Our key=deal_id", "--map", "Rating=garm_risk", "--floor-is-lowest-risk"]
    assert main(["check", str(path), *told]) == 0
    said = capsys.readouterr().out
    assert "  column: Our key -> deal_id" in said
    assert "no field: Floor incl fee: '5' (perhaps commercial_floor_price" in said
    assert 'GARM "Floor" in 1 row is read as the lowest risk, as chosen.' in said


@pytest.mark.parametrize(
    ("pair", "message"), [("Our key", "names no field"), ("Our key=colour", "is no field of a deal")]
)
def test_check_refuses_a_mapping_that_names_no_field(tmp_path, capsys, pair, message):
    path = tmp_path / "deals.csv"
    path.write_text("Our key,x\nA,5\n")
    assert main(["check", str(path), "--map", pair]) == 1
    assert message in capsys.readouterr().err


def test_module_can_be_run_and_its_exit_code_reaches_the_shell(tmp_path):
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,deal_name\n1,A\n,B\n")
    done = subprocess.run(
        [sys.executable, "-m", "core", "check", str(path)],
        cwd=Path(sample_data.__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "2 read = 1 loaded + 0 merged + 1 refused" in done.stdout
