"""The one call from deals to packages, over the real client and a fake Gemini service."""

import gc
import json
import logging
import threading
import warnings
from pathlib import Path

import pytest

import sample_data
from core import PackageCreator
from core.clustering import ClusteringSettings
from core.deals import Deal
from core.errors import ClusteringError, FatalProposalError, PromptError
from core.proposals import DEFAULT_TEMPLATE, Limits, RulesProposer
from core.settings import get_settings
from tests.fakes.embeddings import FakeEncoder
from tests.fakes.gemini import FakeGemini, read_deals
from tests.fakes.proposers import ScriptedProposer

api_key = "test-key-4711"
prompt_template = """\
Group these deals:
{enriched_deals}
Answer like this: {"packages": [{"package_name": "...", "deal_ids": ["..."], "reasoning": "..."}]}
"""


@pytest.fixture(scope="module", autouse=True)
def connections_end_quietly():
    """Collect the clients of all tests at the end of the file, when every call has ended.

    The client leaves its connections to the garbage collector, which may come to the socket
    first and warn of it, in whatever test is running then.
    """
    gc.disable()
    yield
    for thread in threading.enumerate():
        if thread.name == "proposal-attempt":
            thread.join(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.enable()


@pytest.fixture(scope="module")
def deals():
    """Half of the deals of the small sample file, as plain dicts."""
    return json.loads(Path(sample_data.__file__).with_name("deals_small.json").read_text("utf-8"))[:30]


@pytest.fixture
def gemini(monkeypatch):
    """A Gemini service that the settings point to."""
    with FakeGemini(api_key=api_key) as server:
        monkeypatch.setenv("DEALWEAVER_GEMINI_BASE_URL", server.url)
        get_settings.cache_clear()
        yield server


@pytest.fixture
def create():
    """Make a creator with the fake embedding model and small clusters."""

    def create(**changes):
        settings = {"max_deals_per_cluster": 8, "min_cluster_size": 3, "encoder": FakeEncoder()} | changes
        return PackageCreator(api_key, settings.pop("prompt_template", prompt_template), **settings)

    return create


def assert_every_deal_has_one_state(result):
    """Check the promise of the pipeline: packaged, left over and failed are all deals, once each."""
    states = [result.packaged, set(result.left_over), set(result.failed)]
    assert sum(len(state) for state in states) == len(result.deals)
    assert set().union(*states) == {deal.deal_id for deal in result.deals}
    assert all([*result.left_over.values(), *result.failed.values()]), "every reason says something"


def assert_are_packages(packages, deals):
    known = {deal["deal_id"] for deal in deals}
    assert packages
    for package in packages:
        assert list(package) == ["package_name", "deal_ids", "reasoning"]
        assert isinstance(package["package_name"], str)
        assert isinstance(package["reasoning"], str)
        assert package["package_name"]
        assert type(package["deal_ids"]) is list
        assert len(set(package["deal_ids"])) == len(package["deal_ids"]) >= 3
        assert set(package["deal_ids"]) <= known


# --- the documented examples ------------------------------------------------------------------


def test_documented_examples_work_as_written_with_the_real_embedding_model(gemini, deals):
    deals = deals[:15]  # the real model takes half a second for them
    creator = PackageCreator(
        llm_api_key=api_key,
        prompt_template=prompt_template,
        clustering_method="gmm",  # Default
    )
    assert_are_packages(creator.create_packages(deals), deals)
    assert_every_deal_has_one_state(creator.result)

    creator = PackageCreator(llm_api_key=api_key, prompt_template=prompt_template, clustering_method="kmeans")
    assert_are_packages(creator.create_packages(deals), deals)
    assert_every_deal_has_one_state(creator.result)

    creator = PackageCreator(
        llm_api_key=api_key,
        prompt_template=prompt_template,
        clustering_method="gmm",
        use_soft_assignments=True,  # Enables probabilistic deal overlap
    )
    assert_are_packages(creator.create_packages(deals), deals)
    assert_every_deal_has_one_state(creator.result)
    assert {call.key for call in gemini.calls} == {api_key}
    assert {call.model for call in gemini.calls} == {"gemini-2.5-flash"}
    assert {call.body["generationConfig"]["temperature"] for call in gemini.calls} == {0.5}


@pytest.mark.parametrize(
    "example",
    [{"clustering_method": "gmm"}, {"clustering_method": "kmeans"}, {"use_soft_assignments": True}],
)
def test_each_cluster_is_one_call_and_its_packages_name_its_deals(gemini, create, deals, example):
    creator = create(**example)
    packages = creator.create_packages(deals)
    assert_are_packages(packages, deals)
    assert_every_deal_has_one_state(creator.result)
    clusters = creator.result.clustering.clusters
    assert len(gemini.calls) == len(clusters) > 1
    assert all(3 <= len(cluster.members) <= 8 for cluster in clusters)
    assert not creator.result.run.stopped
    for outcome in creator.result.run.outcomes:
        inside = set(outcome.deal_ids)
        assert all(inside.issuperset(proposal.deal_ids) for proposal in outcome.proposals)


def test_defaults_are_the_documented_ones(gemini):  # noqa: ARG001  (no call to the real service)
    creator = PackageCreator(api_key, prompt_template, proposer=RulesProposer())
    creator.create_packages([])
    assert creator.result.clustering.settings == ClusteringSettings(method="gmm", max_deals=25, min_size=5)


def test_soft_assignments_put_a_deal_into_two_clusters(create, deals):
    creator = create(use_soft_assignments=True, probability_threshold=0.01, proposer=ScriptedProposer())
    packages = creator.create_packages(deals)
    named = [deal_id for package in packages for deal_id in package["deal_ids"]]
    assert creator.result.clustering.diagnostics["further_memberships"] > 0
    assert len(named) > len(set(named))
    assert_every_deal_has_one_state(creator.result)


def test_documented_deal_record_is_understood(create):
    record = {
        "deal_id": "3001",
        "deal_name": "Premium CTV Auto Inventory",
        "ssp_name": "BidSwitch",
        "format": "video",
        "taxonomy": {"tier1": "Automotive", "tier2": "Auto Parts & Accessories", "tier3": "Auto Repair"},
        "concepts": ["auto", "luxury", "premium"],
        "safety": {"garm_risk_rating": "Low", "family_safe": True},
        "audience": {"inferred_audience": ["Auto Intenders"], "demographic_hint": "25-54, High Income"},
        "commercial": {"quality_tier": "Premium", "volume_tier": "High", "floor_price": 5.50},
        "publishers": ["Paramount", "Disney+"],
    }
    deals = [record | {"deal_id": str(3001 + n)} for n in range(4)]
    (package,) = create(proposer=RulesProposer()).create_packages(deals)
    assert sorted(package["deal_ids"]) == ["3001", "3002", "3003", "3004"]


def test_deals_of_any_kind_of_record_give_the_same_packages(create, deals):
    creator = create(proposer=ScriptedProposer())
    from_dicts = creator.create_packages(deals)
    as_values = creator.result.deals
    assert all(isinstance(deal, Deal) for deal in as_values)
    assert creator.create_packages(as_values) == from_dicts


# --- the prompt -------------------------------------------------------------------------------


def test_template_with_literal_json_arrives_as_it_was_written(gemini, create, deals):
    create().create_packages(deals)
    before, after = prompt_template.split("{enriched_deals}")
    assert all(call.prompt.startswith(before) and call.prompt.endswith(after) for call in gemini.calls)


def test_template_written_for_str_format_arrives_with_single_braces(gemini, create, deals):
    before, after = prompt_template.split("{enriched_deals}")
    doubled = before + "{enriched_deals}" + after.replace("{", "{{").replace("}", "}}")
    create(prompt_template=doubled).create_packages(deals)
    assert all(call.prompt.endswith(after) for call in gemini.calls)


@pytest.mark.parametrize("template", ["", "Group the deals.", "{deals}", "{enriched_deals} {enriched_deals}"])
def test_template_without_one_placeholder_is_refused_at_once(template):
    with pytest.raises(PromptError, match=r"\{enriched_deals\}"):
        PackageCreator(api_key, template)


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"clustering_method": "spectral"}, ClusteringError, "spectral"),
        ({"max_deals_per_cluster": 2}, ClusteringError, "largest cluster size"),
        ({"min_cluster_size": 0}, ClusteringError, "smallest cluster size"),
        ({"probability_threshold": 0.0}, ClusteringError, "threshold"),
        ({"small_clusters": "drop"}, ClusteringError, "small_clusters"),
    ],
)
def test_setting_that_cannot_work_is_refused_before_any_deal_is_read(create, changes, error, sentence):
    with pytest.raises(error, match=sentence):
        create(**changes)


@pytest.mark.parametrize("key", ["", "   "])
def test_missing_key_is_refused_at_once_unless_a_proposer_is_given(key):
    with pytest.raises(FatalProposalError, match="No Gemini key"):
        PackageCreator(key, DEFAULT_TEMPLATE)
    PackageCreator(key, DEFAULT_TEMPLATE, proposer=RulesProposer())


# --- progress ---------------------------------------------------------------------------------


def test_progress_comes_as_sentences_in_the_thread_of_the_caller(gemini, create, deals):  # noqa: ARG001
    seen = []
    creator = create()
    creator.create_packages(deals, lambda sentence: seen.append((sentence, threading.current_thread())))
    sentences = [sentence for sentence, _ in seen]
    assert {thread for _, thread in seen} == {threading.current_thread()}
    assert {type(sentence) for sentence in sentences} == {str}
    clusters = len(creator.result.clustering.clusters)
    assert sentences[:3] == ["Embedding 30 deals", "Embedding 30 of 30 texts", "Clustering 30 deals"]
    assert [sentence.split(":")[0] for sentence in sentences[3:]] == [
        f"Cluster {n} of {clusters}" for n in range(1, clusters + 1)
    ]


def test_failed_cluster_says_so_in_the_progress(gemini, create, deals):
    gemini.fail("safety_stop", at=0)
    sentences = []
    create().create_packages(deals, sentences.append)
    assert sum("refused to answer" in sentence for sentence in sentences) == 1


# --- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 4])
def test_fewer_deals_than_a_cluster_needs_give_no_package_and_are_all_left_over(gemini, deals, count):
    class NoEncoder:
        def encode(self, texts):
            raise AssertionError(f"no need to embed {texts}")

    creator = PackageCreator(api_key, prompt_template, encoder=NoEncoder())
    assert creator.create_packages(deals[:count]) == []
    assert sorted(creator.result.left_over) == sorted(deal["deal_id"] for deal in deals[:count])
    assert_every_deal_has_one_state(creator.result)
    assert gemini.calls == ()


def test_records_without_an_id_are_refused_and_the_others_go_on(create, deals, caplog):
    creator = create(proposer=ScriptedProposer())
    records = [*deals[:20], {"deal_name": "No id"}, *deals[20:], {"deal_id": "  "}]
    packages = creator.create_packages(records)
    assert packages == create(proposer=ScriptedProposer()).create_packages(deals)
    assert [problem.row for problem in creator.result.refused] == [21, 32]
    assert "Deal record 21: " in caplog.text
    assert_every_deal_has_one_state(creator.result)


def test_failing_cluster_is_logged_left_out_and_kept_as_failed(gemini, create, deals, caplog):
    gemini.fail("safety_stop", at=0)
    creator = create()
    with caplog.at_level(logging.ERROR, logger="core.creator"):
        packages = creator.create_packages(deals)
    (outcome,) = creator.result.run.with_status("failed")
    named = {deal_id for package in packages for deal_id in package["deal_ids"]}
    assert named == creator.result.packaged
    assert named.isdisjoint(outcome.deal_ids)
    assert creator.result.failed == dict.fromkeys(outcome.deal_ids, outcome.error)
    assert [record.getMessage() for record in caplog.records] == [
        f"Cluster {outcome.cluster_id} got no packages: {outcome.error}"
    ]
    assert not creator.result.run.stopped
    assert_every_deal_has_one_state(creator.result)


def test_wrong_key_stops_the_run_after_one_call_per_worker_at_most(gemini, create, deals, caplog):
    gemini.api_key = "another key"
    creator = create(workers=3)
    assert creator.create_packages(deals) == []
    assert "refused the key" in creator.result.run.stopped
    assert 1 <= len(gemini.calls) <= 3
    assert set(creator.result.failed) | set(creator.result.left_over) == {deal["deal_id"] for deal in deals}
    assert "refused the key" in caplog.text
    assert api_key not in caplog.text
    assert_every_deal_has_one_state(creator.result)


def test_fallback_proposes_where_the_model_could_not_and_the_clusters_stay_failed(gemini, create, deals):
    gemini.fail("safety_stop", at=[1])
    creator = create(fallback=RulesProposer(), workers=1)
    packages = creator.create_packages(deals)
    (failed,) = creator.result.run.with_status("failed")
    assert failed.proposal_source.startswith("Rules (AI failed: Gemini refused to answer")
    assert {deal_id for package in packages for deal_id in package["deal_ids"]} & set(failed.deal_ids)
    assert creator.result.failed == {}
    assert creator.result.spent.calls == len(gemini.calls)
    assert_every_deal_has_one_state(creator.result)


def test_limits_that_are_given_count(gemini, create, deals):
    creator = create(limits=Limits(workers=1, max_calls=2), fallback=RulesProposer())
    creator.create_packages(deals)
    assert len(gemini.calls) == 2
    assert "has used the 2 calls" in creator.result.run.stopped
    assert_every_deal_has_one_state(creator.result)


def test_one_name_from_two_clusters_becomes_two(gemini, create, deals):
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
    names = [package["package_name"] for package in create().create_packages(deals)]
    assert len(set(names)) == len(names) > 3


def test_deals_that_are_kept_apart_share_no_cluster(gemini, create, deals):  # noqa: ARG001
    creator = create(keep_apart=["ssp_name"])
    creator.create_packages(deals)
    sellers = {deal["deal_id"]: deal["ssp_name"] for deal in deals}
    assert creator.result.run.outcomes
    for outcome in creator.result.run.outcomes:
        assert len({sellers[deal_id] for deal_id in outcome.deal_ids}) == 1
    assert_every_deal_has_one_state(creator.result)


MIXTURES = [
    ("429_with_delay", "cut_json", "safety_stop"),
    ("invented_ids", "other_cluster_ids", "too_few_ids"),
    ("omitted_deals", "all_in_one", "duplicate_ids", "same_packages"),
    ("empty_packages", "nesting_bomb", "blocked_prompt", "schema_400"),
    ("control_name", "integer_ids", "joined_ids", "max_tokens_cut"),
    ("cut_json", "omitted_deals", "daily_quota"),
]


@pytest.mark.parametrize(("seed", "faults"), list(enumerate(MIXTURES)))
@pytest.mark.parametrize("overlap", [False, True])
def test_every_deal_ends_in_one_state_whatever_the_service_does(gemini, create, deals, seed, faults, overlap):
    for fault in faults:
        gemini.fail(fault, rate=0.35, seed=seed + len(fault))
    creator = create(use_soft_assignments=overlap, probability_threshold=0.05)
    packages = creator.create_packages(deals)
    assert any(call.fault for call in gemini.calls)
    assert_every_deal_has_one_state(creator.result)
    assert creator.result.packaged == {deal_id for package in packages for deal_id in package["deal_ids"]}
    if packages:
        assert_are_packages(packages, deals)


def test_second_call_forgets_the_result_of_the_first(create, deals):
    creator = create(proposer=ScriptedProposer())
    assert creator.result is None
    creator.create_packages(deals)
    creator.create_packages(deals[:2])
    assert len(creator.result.deals) == 2
    assert_every_deal_has_one_state(creator.result)


# --- one cluster ------------------------------------------------------------------------------


def test_one_cluster_goes_through_the_model_in_one_call(gemini, create, deals):
    packages = create()._propose_packages_for_cluster(deals[:9])
    assert_are_packages(packages, deals[:9])
    assert len(gemini.calls) == 1


def test_one_cluster_without_an_answer_gives_no_package_and_a_logged_reason(gemini, create, deals, caplog):
    gemini.fail("cut_json", always=True)
    assert create()._propose_packages_for_cluster(deals[:9]) == []
    assert "The cluster got no packages: " in caplog.text
    assert len(gemini.calls) == 2, "an unusable answer is asked for once more"
