"""Every error the core raises on purpose.

Each message says what happened, where, and what to do, in one sentence that can
stand on the screen as it is. Subclasses carry the data a caller needs to recover.

    DealweaverError
    ├── SettingError            a setting has a value that cannot work
    │   └── ProviderMissing     the library of a provider is not installed (install)
    ├── ImportRefused           a whole file cannot be read as deals
    │   └── NeedsMapping        no column is known to hold the deal id (columns, samples)
    ├── EmbeddingError
    │   ├── EncoderUnavailable  library or weights are missing
    │   ├── WeightsMismatch     the weights are not the ones we know
    │   └── EncodingFailed      the model failed on these texts
    ├── ClusteringError         the vectors or settings cannot be clustered
    ├── PromptError             a prompt template lacks its placeholder
    ├── ProposalError           one cluster got no usable answer
    │   ├── RetryableError      the same call may work later (retry_after_s)
    │   │   └── QuotaReached    the key's rate limit: all calls must wait
    │   ├── RequestRefused      the service refused the request: ask in plain form
    │   ├── TooLong             the cluster is too long for the model: ask in parts
    │   ├── ModelGone           the service does not know the model: ask another
    │   ├── UnusableAnswer      a model answered, but not with packages (raw, remedy)
    │   └── FatalProposalError  no cluster can succeed: stop the run
    │       └── BudgetReached   the run has used what the analyst allowed
    ├── Cancelled               the analyst stopped a job
    ├── PackageError            an edit would leave a package in a wrong state
    ├── ExportError             an export cannot be written
    └── WorkspaceError          the store refused or lacks something
        └── WorkspaceDamaged    its file is damaged (file, backups)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

Remedy = Literal["again", "smaller", "none"]


class DealweaverError(Exception):
    """Base of every error whose message may be shown to an analyst."""


class SettingError(DealweaverError):
    """A setting has a value that cannot work; the message names the setting and the choices."""


class ProviderMissing(SettingError):
    """The library that talks to a provider is not installed.

    install: the command that installs it.
    """

    def __init__(self, provider: str, install: str) -> None:
        super().__init__(
            f"{provider} needs a library that is not installed: run {install}, or choose another provider."
        )
        self.install = install


class ImportRefused(DealweaverError):
    """A whole file cannot be read as deals.

    filename: the name the analyst gave, for display only.
    """

    def __init__(self, filename: str, reason: str) -> None:
        super().__init__(f"{filename}: {reason}")
        self.filename = filename
        self.reason = reason


class NeedsMapping(ImportRefused):
    """A file is a table, but nobody knows which of its columns holds the deal id.

    columns: the names of its columns, in the order of the file.
    samples: column -> up to three example values, so that a person can choose one.
    """

    def __init__(
        self, filename: str, reason: str, columns: tuple[str, ...], samples: Mapping[str, tuple[str, ...]]
    ) -> None:
        super().__init__(filename, reason)
        self.columns = columns
        self.samples = samples


class EmbeddingError(DealweaverError):
    """Deals could not be turned into vectors."""


class EncoderUnavailable(EmbeddingError):
    """The library or the weights of the embedding model are missing."""


class WeightsMismatch(EmbeddingError):
    """The weights on disk are not the published ones, so they are not loaded."""


class EncodingFailed(EmbeddingError):
    """The model was loaded but failed on these texts."""


class ClusteringError(DealweaverError):
    """The vectors or the settings cannot be clustered."""


class PromptError(DealweaverError):
    """A prompt template cannot be used; the message names what it lacks."""


class ProposalError(DealweaverError):
    """One cluster got no usable proposals."""


class RetryableError(ProposalError):
    """The same call may succeed later.

    retry_after_s: the pause the server asked for in seconds, None when it did not say.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaReached(RetryableError):
    """The rate limit of the key is reached: the call was refused, not tried, and all others must wait."""


class RequestRefused(ProposalError):
    """The service refused the form of the request; without answer schema and effort it may take it."""


class TooLong(ProposalError):
    """The cluster does not fit into what the model can read; a part of it may."""


class ModelGone(ProposalError):
    """The service does not know the model (any more)."""


class UnusableAnswer(ProposalError):
    """A model answered, but packages cannot be read from the answer.

    raw: the answer as it came, kept so that an analyst can look at it.
    remedy: again = ask once more; smaller = the answer was cut at its length limit, so ask
        about fewer deals; none = the service refused on purpose (safety, recitation), and
        would refuse the same question again.
    """

    def __init__(self, message: str, *, raw: str = "", remedy: Remedy = "again") -> None:
        super().__init__(message)
        self.raw = raw
        self.remedy: Remedy = remedy


class FatalProposalError(ProposalError):
    """No cluster can succeed (wrong key, no permission, model gone): the run stops."""


class BudgetReached(FatalProposalError):
    """The run has made the calls, or used the tokens or the money, that the analyst allowed it."""


class Cancelled(DealweaverError):
    """The analyst stopped the job."""


class PackageError(DealweaverError):
    """An edit would leave a package in a state it must not have."""


class ExportError(DealweaverError):
    """An export cannot be written."""


class WorkspaceError(DealweaverError):
    """The workspace refused an operation or does not hold what was asked for."""


class WorkspaceDamaged(WorkspaceError):
    """The file of the workspace is damaged; it was left as it is, and nothing was made in its place.

    file: where it is. backups: those there are, newest first.
    """

    def __init__(self, file: Path, problem: str, backups: tuple[Path, ...]) -> None:
        remedy = (
            f"go back to the newest of {len(backups)} backups with python -m core restore {backups[0]}"
            if backups
            else "there is no backup beside it, so check DEALWEAVER_HOME, or move the file away to start anew"
        )
        super().__init__(f"The workspace {file} is damaged ({problem}) and was left as it is: {remedy}.")
        self.file = file
        self.backups = backups
