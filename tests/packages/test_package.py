"""A package: made from a suggestion, written as plain values."""

import json
from dataclasses import replace

from core.packages import Package
from core.packages.package import STATUSES, new_package_id
from core.proposals import Proposal, package_from_proposal
from core.wording import Claim
from core.wording.findings import Override

PROPOSAL = Proposal("Sports CTV Package", ("007", "12"), "Live sports.")


def test_suggestion_becomes_a_pending_package_at_version_one():
    package = package_from_proposal(PROPOSAL, source="gemini-2.5-flash", cluster_id="c1")
    assert package == Package(
        id=package.id,
        name="Sports CTV Package",
        deal_ids=("007", "12"),
        reasoning="Live sports.",
        source="gemini-2.5-flash",
        cluster_id="c1",
        version=1,
        status="pending",
        edited=False,
    )
    assert package.status in STATUSES


def test_equal_suggestions_become_packages_with_ids_of_their_own():
    made = {package_from_proposal(PROPOSAL, source="rules", cluster_id="c").id for _ in range(100)}
    assert len(made) == 100
    assert all(len(package_id) <= 32 for package_id in made), "the column of the id holds 32 characters"


def test_new_ids_start_with_letters_so_that_no_program_takes_them_for_numbers():
    assert new_package_id().startswith("pkg-")


def test_plain_values_survive_json_and_rebuild_the_package():
    claim = Claim("family_safe", "Family-Safe", 1, 0, 2, ("12",))
    proposal = replace(PROPOSAL, flags=("near_same", "unnamed"), claims=(claim,))
    package = package_from_proposal(proposal, source="rules", cluster_id="c")
    saved = json.loads(json.dumps(package.to_dict()))
    assert Package.from_dict(saved) == package
    assert Package.from_dict(saved).contradicted


def test_plain_values_keep_what_an_analyst_did_to_the_package():
    package = replace(
        package_from_proposal(PROPOSAL, source="rules", cluster_id="c"),
        locked=True,
        by_hand={"12": "Added by Ada."},
        overrides=(Override("KIDS_POLITICAL", "0f", "Checked by hand.", "Ada", "2026-03-01T00:00:00+00:00"),),
        approved_content="0123456789abcdef",
        changed=("007",),
    )
    assert Package.from_dict(json.loads(json.dumps(package.to_dict()))) == package


def test_package_saved_before_there_were_claims_and_locks_has_none():
    package = package_from_proposal(PROPOSAL, source="rules", cluster_id="c")
    newer = {"flags", "claims", "locked", "by_hand", "overrides", "approved_content", "changed"}
    saved = {name: value for name, value in package.to_dict().items() if name not in newer}
    assert Package.from_dict(saved) == package
    assert not package.contradicted


def test_suggestion_is_untouched_until_an_edit_or_a_decision():
    package = package_from_proposal(PROPOSAL, source="rules", cluster_id="c")
    assert package.untouched
    assert not replace(package, version=2).untouched, "it was reopened: an analyst looked at it"
    assert not replace(package, edited=True).untouched
