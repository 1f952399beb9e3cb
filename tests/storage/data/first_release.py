"""Make `first_release.db`: a workspace as the first release of Dealweaver wrote it.

The file is a fixture and never changes: later versions must open it with everything in it. It was
made with the code of commit effac61, which knew no migrations, in a checkout of that commit:

    git archive effac61 | tar -x -C FOLDER
    (cd FOLDER && python FIRST_RELEASE_PY first_release.db)
"""

import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from core.clustering import ClusteringSettings
from core.clustering.edits import ExcludeDeals
from core.coverage import clusters_to_ask
from core.packages import Approve, Reject, Rename, SetReasoning
from core.proposals import Limits, Outcome, PromptTemplate, Proposal, Reply, RulesProposer, Usage
from core.reading import read_deals
from core.storage import Workspace
from core.storage.calls import CallId
from core.work import JobContext, build_clusters, propose_packages
from tests.fakes.embeddings import FakeEncoder


def make(target: Path) -> None:
    """Write the workspace, with a row in every table, as one closed file."""
    target.unlink(missing_ok=True)
    workspace, job = Workspace(f"sqlite:///{target.as_posix()}"), JobContext(lambda **_: None)
    sample = Path("sample_data/deals_small.json")
    run_id = workspace.create_run(read_deals(sample.read_bytes(), sample.name), sample.name, "First release")
    build_clusters(workspace, run_id, ClusteringSettings(max_deals=12, min_size=4), FakeEncoder, job)
    excluded = workspace.deals(run_id)[workspace.clustering(run_id).clusters[0].members[-1]].deal_id
    workspace.edit_clusters(run_id, ExcludeDeals((excluded,)), who="Ada")

    clusters = workspace.clustering(run_id).clusters
    rest = clusters_to_ask(workspace.deals(run_id), workspace.clustering(run_id), {})
    propose_packages(workspace, run_id, rest, RulesProposer(), Limits(), job)
    ask_a_model(workspace, run_id, clusters[1].id)
    decide(workspace, run_id)
    workspace.log_export(run_id, 1, "packages.json", who="Ada")
    workspace.set_preference("prompt", "Group these: {enriched_deals}")
    workspace.set_preference("provider", "ollama")
    workspace.create_run(read_deals(b'[{"deal_id": "0012", "deal_name": "Alone"}]', "one.json"), "one.json")
    workspace.close()

    file = sqlite3.connect(target)
    file.execute("PRAGMA journal_mode=DELETE")
    file.execute("VACUUM")
    file.close()


def ask_a_model(workspace: Workspace, run_id: str, cluster_id: str) -> None:
    """Keep two calls about a cluster, one of which was answered, and one that nobody waited for."""
    clusters = {cluster.id: cluster for cluster in workspace.clustering(run_id).clusters}
    deals = workspace.deals(run_id)
    ids = tuple(deals[index].deal_id for index in clusters[cluster_id].members)
    asking = workspace.begin_asking(run_id, "gemini-2.5-flash", PromptTemplate())
    call = CallId(run_id, cluster_id, asking, 1)
    workspace.note_call(call, lease_s=60)
    answered = Reply(
        '{"packages": []}', "STOP", "gemini-2.5-flash", "gemini-2.5-flash", Usage(900, 120), 1.5, "f00d"
    )
    workspace.note_reply(call, answered, "q" * 64)
    outcome = Outcome(
        cluster_id,
        ids,
        "done",
        "gemini-2.5-flash",
        proposals=(Proposal("Model made", ids, "They belong together."),),
        model="gemini-2.5-flash",
        attempts=1,
    )
    workspace.save_outcome(run_id, outcome, asking=asking, question="q" * 64)
    left = next(name for name in clusters if name != cluster_id)
    workspace.note_call(CallId(run_id, left, asking, 1), lease_s=60)


def decide(workspace: Workspace, run_id: str) -> None:
    """Approve, reject and edit, each under a name."""
    first, second, third, *_ = workspace.packages(run_id)
    workspace.edit_packages(run_id, {first.id: first.version}, [Rename("Café au lait"), Approve()], who="Ada")
    workspace.edit_packages(run_id, {second.id: second.version}, [Reject()], who="Ben")
    workspace.edit_packages(run_id, {third.id: third.version}, [SetReasoning("Ada's words.")], who="Ada")
    workspace.add_package(run_id, "By hand", first.deal_ids[:3], who="Ben")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
