"""Categories are checked against IAB Content Taxonomy 3.1; what differs gets a suggestion.

Nothing is rejected and nothing rewritten: a deal keeps the words of its file. Codes of version
1.0 ("IAB1-3") and ids and names of 2.x are led to 3.1 by the official files.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

# Below this likeness (difflib ratio) two category names are rarely about the same thing.
_NEAR = 0.7
_SUGGESTIONS = 3


@dataclass(frozen=True, slots=True)
class Category:
    """One category of Content Taxonomy 3.1 (or one of its descriptive vectors).

    path: its names from broad to narrow. sensitive: content about sensitive data ("SCD").
    """

    id: str
    path: tuple[str, ...]
    sensitive: bool = False

    @property
    def name(self) -> str:
        """The last and narrowest name of the path."""
        return self.path[-1]

    def __str__(self) -> str:
        return f"{' > '.join(self.path)} ({self.id})"


@dataclass(frozen=True, slots=True)
class CategoryCheck:
    """What 3.1 says about the category of a file.

    category: the one in 3.1: the same, or where an official mapping leads.
    near: categories with near names, when there is none.
    message: None when the words are a category of 3.1; else one sentence for the analyst.
    """

    category: Category | None = None
    near: tuple[Category, ...] = ()
    message: str | None = None


@lru_cache(maxsize=20_000)
def check_category(path: tuple[str, ...]) -> CategoryCheck:
    """Check a category path (broad to narrow; names, ids or codes). () is unknown, and nothing is said."""
    if not path:
        return CategoryCheck()
    words = " > ".join(path)
    found = lookup(words) if len(path) > 1 else lookup(path[0])
    if found is not None:
        return CategoryCheck(found)
    old = _of_older_version(path)
    if old is not None:
        return old
    near = _near(path)
    wish = " or ".join(map(str, near))
    message = f"{words!r} is not in IAB Content Taxonomy 3.1" + (f"; near: {wish}." if near else ".")
    return CategoryCheck(near=near, message=message)


def lookup(text: str) -> Category | None:
    """Return the category with this id, name or whole path ("A > B"), without regard to case; else None."""
    text = text.strip()
    by_id = categories().get(text)
    if by_id is not None:
        return by_id
    parts = tuple(_key(part) for part in text.split(">"))
    found = _by_name().get(parts[-1])
    if found is None or len(parts) == 1:
        return found
    return found if tuple(map(_key, found.path)) == parts else None


@lru_cache(maxsize=1)
def categories() -> dict[str, Category]:
    """Return every category of 3.1 and every descriptive vector, by id."""
    vectors = _read("content_taxonomy_3.0_descriptive_vectors.tsv", header=2)
    rows = [*_read("content_taxonomy_3.1.tsv", header=2), *vectors]
    return {
        row[0]: Category(row[0], tuple(name for name in row[3:7] if name), sensitive="SCD" in row[7:])
        for row in rows
    }


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Category]:
    """Names are unique within 3.1; where a vector has the same name, the category of 3.1 counts."""
    names: dict[str, Category] = {}
    for category in categories().values():
        names.setdefault(_key(category.name), category)
    return names


def _read(name: str, header: int) -> Iterator[list[str]]:
    text = files("core.deals").joinpath("data", name).read_text(encoding="utf-8")
    rows = csv.reader(text.splitlines()[header:], delimiter="\t", quoting=csv.QUOTE_NONE)
    return ([cell.strip() for cell in row] for row in rows if row and row[0].strip())


def _key(name: str) -> str:
    """Return the form in which names are compared: "Food & Drink" is "food and drink"."""
    return re.sub(r"[\W_]+", " ", name.casefold().replace("&", " and ")).strip()


# --- older versions -------------------------------------------------------------------------

# Where the official files lead to nothing in 3.1: names of tier 1 that it split or renamed.
_SPLIT = {
    "news and politics": ("386", "1020"),
    "news": ("1020", "386"),
    "law gov t and politics": ("386", "383"),
    "arts and entertainment": ("JLBCU7",),
    "television": ("640",),
    "movies": ("324",),
    "music and audio": ("338",),
    "events and attractions": ("150", "8VZQHL"),
}
_CODE = re.compile(r"IAB\d{1,2}(-\d{1,2})?", re.IGNORECASE)


def _of_older_version(path: tuple[str, ...]) -> CategoryCheck | None:
    """Return what became of a category of version 1.0 or 2.x, None when it is of neither."""
    last = path[-1].strip()
    code = _codes().get(last.upper()) if _CODE.fullmatch(last) else None
    if code is not None:
        return _led(f"{last!r} is {code[0]!r} of IAB Content Taxonomy 1.0", code[1], code[0])
    old = _second_version().get(last) or (_second_version().get(_key(last)) if len(path) == 1 else None)
    if old is not None:
        return _led(f"{last!r} is {' > '.join(old[1])!r} of IAB Content Taxonomy 2.2", old[0], old[1][-1])
    whole = _second_version_paths().get(tuple(map(_key, path)))
    if whole is not None:
        return _led(f"{' > '.join(path)!r} is of IAB Content Taxonomy 2.2", whole, last)
    if len(path) == 1 and _key(last) in _first_version_names():
        name, target = _first_version_names()[_key(last)]
        return _led(f"{last!r} is of IAB Content Taxonomy 1.0", target, name)
    return None


def _led(what: str, target: str, name: str) -> CategoryCheck:
    split = tuple(categories()[found] for found in _SPLIT.get(_key(name), ()) if found in categories())
    mapped = categories().get(target) or _by_name().get(_key(name)) if not split else None
    if mapped is None and len(split) == 1:
        mapped = split[0]
    if mapped is not None:
        return CategoryCheck(mapped, message=f"{what}; in 3.1 it is {mapped}.")
    near = split or _near((name,))
    wish = " or ".join(map(str, near))
    return CategoryCheck(
        near=near, message=f"{what} and has no one category in 3.1" + (f"; near: {wish}." if near else ".")
    )


@lru_cache(maxsize=1)
def _codes() -> dict[str, tuple[str, str]]:
    """Return code of 1.0 -> (its name, id in 2.0 or "")."""
    rows = _read("content_1.0_to_2.0.tsv", header=1)
    # One code of the official file lacks its first letter ("AB7", Health & Fitness).
    return {("I" if row[0].startswith("AB") else "") + row[0].upper(): (row[1], row[3]) for row in rows}


@lru_cache(maxsize=1)
def _first_version_names() -> dict[str, tuple[str, str]]:
    return {_key(name): (name, target) for name, target in _codes().values()}


@lru_cache(maxsize=1)
def _second_version() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return id and, where it is free, name of 2.2 -> (id, path)."""
    rows = [(row[0], tuple(name for name in row[3:7] if name)) for row in _read_second()]
    found = {row_id: (row_id, path) for row_id, path in rows}
    for row_id, path in rows:
        if path:
            found.setdefault(_key(path[-1]), (row_id, path))
    return found


@lru_cache(maxsize=1)
def _second_version_paths() -> dict[tuple[str, ...], str]:
    rows = ((row[0], tuple(_key(name) for name in row[3:7] if name)) for row in _read_second())
    return {path: row_id for row_id, path in rows if path}


def _read_second() -> Iterator[list[str]]:
    return _read("content_taxonomy_2.2.tsv", header=2)


# --- near names -----------------------------------------------------------------------------


def _near(path: tuple[str, ...]) -> tuple[Category, ...]:
    """Return categories with near names, those of the narrowest tier and of the same branch first."""
    names = _by_name()
    found: dict[Category, None] = {}
    for part in reversed(path[-4:]):
        key = _key(part[:80])
        same = [names[key]] if key in names else []
        likely = [names[name] for name in difflib.get_close_matches(key, names, n=3, cutoff=_NEAR)]
        within = [category for name, category in names.items() if len(name) > 3 and _holds(key, name)]  # noqa: PLR2004
        found.update(dict.fromkeys([*same, *likely, *within]))
    branch = {_key(part) for part in path}
    ranked = sorted(found, key=lambda category: _key(category.path[0]) not in branch)
    # The broad tier is worth naming only when nothing narrower is near.
    narrow = [category for category in ranked if _key(category.name) != _key(path[0])]
    return tuple((narrow or ranked)[:_SUGGESTIONS])


def _holds(words: str, name: str) -> bool:
    """Whether the name stands in the words as whole words."""
    return f" {name} " in f" {words} "
