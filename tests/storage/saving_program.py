"""A program that counts a package's name up beside others that do the same: database, run, who, times."""

import sys

from core.errors import WorkspaceError
from core.packages import Rename
from core.storage import Workspace


def save(database: str, run_id: str, who: str, times: int) -> None:
    """Count up so many times; a change that somebody else came before with is made again."""
    workspace = Workspace(database)
    try:
        for _ in range(times):
            while not _count_up(workspace, run_id, who):
                pass
    finally:
        workspace.close()


def _count_up(workspace: Workspace, run_id: str, who: str) -> bool:
    (package,) = workspace.packages(run_id)
    number = int(package.name.split()[-1]) + 1
    try:
        workspace.edit_packages(run_id, {package.id: package.version}, [Rename(f"Count {number}")], who=who)
    except WorkspaceError as error:
        if "changed meanwhile" not in str(error):
            raise
        return False
    return True


if __name__ == "__main__":
    save(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
