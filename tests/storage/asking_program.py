"""A program that asks for packages of a run, to be killed by a test: database, run, service, workers."""

import langchain_google_genai  # noqa: F401  (loading it takes longer than a call of this program may)

from core.coverage import clusters_to_ask
from core.proposals import GeminiProposer, Limits, PromptTemplate
from core.storage import Workspace
from core.work import JobContext, propose_packages

CALL_TIMEOUT_S = 5.0


def ask(database: str, run_id: str, base_url: str, workers: int) -> str:
    """Ask for what has no answer yet, as the app does after a restart; return the job's note."""
    workspace, template = Workspace(database), PromptTemplate()
    rest = clusters_to_ask(workspace.deals(run_id), workspace.clustering(run_id), workspace.outcomes(run_id))
    proposer = GeminiProposer("canary-key", template, base_url=base_url)
    limits = Limits(workers=workers, call_timeout_s=CALL_TIMEOUT_S)
    job = JobContext(lambda **_: None)
    try:
        return propose_packages(workspace, run_id, rest, proposer, limits, job, template=template)
    finally:
        workspace.close()


def main(database: str, run_id: str, base_url: str, workers: str) -> None:
    """Ask until there is nothing left to ask for."""
    ask(database, run_id, base_url, int(workers))
