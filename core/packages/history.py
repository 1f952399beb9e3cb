"""The packages of a run as one value, and the way back and forth through what became of them.

Changes can be taken back and made again, and all of them in a row give the packages that stand, so
that an audit trail of changes is the whole truth. Versions only grow: to take back is to make a new
version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.errors import PackageError
from core.packages.package import Package


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one package: made (no before), changed, or retired (no after).

    position: its place in the order of the run's packages. what: the reason, in words.
    """

    package_id: str
    before: Package | None
    after: Package | None
    position: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """The packages that stand, in order.

    places: for each package its place in the order; () = 0, 1, 2... end: the place of the next new one.
    retired: id -> the version in which a package that does not stand any more did stand last.
    """

    packages: tuple[Package, ...] = ()
    places: tuple[int, ...] = ()
    end: int = 0
    retired: Mapping[str, int] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Give packages without a place theirs."""
        if not self.places:
            object.__setattr__(self, "places", tuple(range(len(self.packages))))
        object.__setattr__(self, "end", max([self.end, *(place + 1 for place in self.places)]))

    def found(self, package_id: str) -> tuple[int, Package]:
        """Return place and package. Raises PackageError when there is none of this id."""
        for place, package in zip(self.places, self.packages, strict=True):
            if package.id == package_id:
                return place, package
        raise PackageError("The package is not there any more: reload the page.")


def replay(changes: Iterable[Change], start: Review | None = None) -> Review:
    """Return the packages after these changes, which come oldest first."""
    start = start or Review()
    standing = {
        package.id: (place, package) for place, package in zip(start.places, start.packages, strict=True)
    }
    retired, end = dict(start.retired), start.end
    for change in changes:
        end = max(end, change.position + 1)
        if change.after is not None:
            standing[change.package_id] = (change.position, change.after)
            retired.pop(change.package_id, None)
        elif gone := standing.pop(change.package_id, None):
            retired[change.package_id] = gone[1].version
    ordered = sorted(standing.values(), key=lambda item: (item[0], item[1].id))
    return Review(
        tuple(package for _, package in ordered), tuple(place for place, _ in ordered), end, retired
    )


def undo(review: Review, changes: Sequence[Change], words: str = "Undo") -> tuple[Review, tuple[Change, ...]]:
    """Take changes back: the packages have their former content in a new version.

    Raises PackageError when a package is not as the changes left it.
    """
    ends = _ends(changes)
    return _turned(review, [(key, last, first) for key, first, last in ends], _places(changes), words)


def redo(review: Review, changes: Sequence[Change], words: str = "Redo") -> tuple[Review, tuple[Change, ...]]:
    """Make changes again that were taken back. Raises PackageError when a package is not as before them."""
    return _turned(review, _ends(changes), _places(changes), words)


def _ends(changes: Sequence[Change]) -> list[tuple[str, Package | None, Package | None]]:
    """Return for each package its id, and what it was before and after all of the changes."""
    first: dict[str, Package | None] = {}
    last: dict[str, Package | None] = {}
    for change in changes:
        first.setdefault(change.package_id, change.before)
        last[change.package_id] = change.after
    return [(package_id, first[package_id], last[package_id]) for package_id in first]


def _places(changes: Iterable[Change]) -> dict[str, int]:
    return {change.package_id: change.position for change in changes}


def _turned(
    review: Review,
    turns: Iterable[tuple[str, Package | None, Package | None]],
    places: Mapping[str, int],
    words: str,
) -> tuple[Review, tuple[Change, ...]]:
    """Turn packages from what they must be now into what they shall be, in new versions."""
    standing = {package.id: package for package in review.packages}
    made = []
    for package_id, expected, wanted in turns:
        now = standing.get(package_id)
        if not _same(now, expected):
            raise changed_since(next(item.name for item in (now, expected, wanted) if item))
        after = wanted
        if wanted is not None:
            version = now.version if now else review.retired.get(package_id, wanted.version)
            after = replace(wanted, version=version + 1)
        if now or after:
            made.append(Change(package_id, now, after, places[package_id], words))
    return replay(made, review), tuple(made)


def changed_since(name: str) -> PackageError:
    """Return what is said when a step cannot be taken back or made again because of this package."""
    return PackageError(
        f"{name!r} was changed since by something else, such as a newer file: change it by hand instead."
    )


def _same(one: Package | None, other: Package | None) -> bool:
    """Whether two states of a package are alike but for version and claims, which follow its deals."""
    if one is None or other is None:
        return one is other
    return replace(one, version=0, claims=()) == replace(other, version=0, claims=())
