"""The rules of the house, read from the source text: nothing is imported, so nothing can hide.

Each rule is a row of a table. A rule about calls or names looks at the syntax tree, so words in
comments and docstrings are free.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Each room may import from the rooms before it, never from those after it.
ROOMS = (
    "deals",
    "reading",
    "embeddings",
    "search",
    "clustering",
    "projection",
    "wording",
    "packages",
    "proposals",
    "creator",
    "coverage",
    "exports",
    "storage",
    "work",
    "cli",
    "__main__",
)
# Open to every room; they import from no room themselves.
FOUNDATIONS = ("arrays", "clock", "counting", "errors", "settings")

CORE = "core/**/*.py"
SCREEN = ("app.py", "pages/**/*.py")
PAGES = "pages/*.py"


@dataclass(frozen=True)
class Source:
    """One file: path relative to the project, and its syntax tree."""

    path: str
    tree: ast.Module

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def imports(self) -> tuple[tuple[int, str], ...]:
        """(line, full dotted name) of everything imported anywhere in the file."""
        return tuple(self._imports())

    @cached_property
    def names(self) -> tuple[tuple[int, str], ...]:
        """(line, dotted name) of every name, attribute and keyword that the code uses."""
        return (*self._names(), *self.imports)

    def _imports(self) -> Iterator[tuple[int, str]]:
        package = self.path.removesuffix(".py").split("/")[:-1]
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                start = package[: len(package) + 1 - node.level] if node.level else []
                module = ".".join([*start, *([node.module] if node.module else [])])
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.Call) and _dotted(node.func).split(".")[-1] in {
                "import_module",
                "__import__",
            }:
                literals = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                yield from ((node.lineno, str(literal)) for literal in literals[:1])

    def _names(self) -> Iterator[tuple[int, str]]:
        for node in self.nodes:
            if isinstance(node, (ast.Name, ast.Attribute)):
                yield node.lineno, _dotted(node)
            elif isinstance(node, ast.keyword) and node.arg:
                yield node.value.lineno, f"{node.arg}="

    def calls(self) -> Iterator[tuple[int, str, set[str]]]:
        """Yield (line, dotted name, keyword names) of every call."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield node.lineno, _dotted(node.func), {word.arg or "**" for word in node.keywords}


def _dotted(node: ast.AST) -> str:
    """Return "a.b.c" for an attribute chain; whatever is no name in it becomes empty."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""


def sources(*patterns: str) -> list[Source]:
    paths = sorted({path for pattern in patterns for path in ROOT.glob(pattern)})
    return [_parsed(path) for path in paths]


@cache
def _parsed(path: Path) -> Source:
    return Source(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"), str(path)))


def source(text: str, path: str = "core/deals/example.py") -> Source:
    """Return an invented file, to show that a rule sees what it forbids."""
    return Source(path, ast.parse(text))


def _is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


# --- the rules: each yields (line, what is wrong) ---

Rule = Callable[[Source], Iterator[tuple[int, str]]]


def never_imports(*packages: str) -> Rule:
    """Forbid packages and everything inside; "langchain*" forbids every package that starts so."""

    def check(file: Source) -> Iterator[tuple[int, str]]:
        for line, name in file.imports:
            top = name.split(".")[0]
            if any(
                top.startswith(package[:-1]) if package.endswith("*") else _is_within(name, package)
                for package in packages
            ):
                yield line, f"imports {name}"

    return check


def never_uses(*names: str) -> Rule:
    """Forbid names by their last parts ("os.environ", "pickle"), and keywords written "name="."""

    def check(file: Source) -> Iterator[tuple[int, str]]:
        for line, used in file.names:
            for name in names:
                if f".{used}.".find(f".{name}.") >= 0:
                    yield line, f"uses {used}"

    return check


def never_calls_with(function: str, keyword: str) -> Rule:
    """Forbid one keyword of one function; "**" hides keywords, so it is forbidden as well."""

    def check(file: Source) -> Iterator[tuple[int, str]]:
        for line, name, keywords in file.calls():
            if f".{name}".endswith(f".{function}") and keywords & {keyword, "**"}:
                yield line, f"calls {name} with {keyword}"

    return check


# By their last parts, as in `never_uses`; `time.sleep`, for one, does not ask what time it is.
CLOCK_READS = (
    *(f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime", "ctime", "strftime")),
    *(f"time.{name}" for name in ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")),
    *(f"time.{name}" for name in ("process_time", "thread_time", "clock_gettime", "clock_gettime_ns")),
    *(f"datetime.{name}" for name in ("now", "utcnow", "today")),
    *(f"Timestamp.{name}" for name in ("now", "utcnow", "today")),
    *(f"func.{name}" for name in ("now", "current_timestamp", "current_date", "localtimestamp")),
    "date.today",
    "uuid.uuid1",
    "os.times",
)
_CLOCK_WORDS = {name.split(".")[-1] for name in CLOCK_READS}
# In SQL text the database's clock would be asked.
SQL_CLOCK = re.compile(r"\b(CURRENT_(TIMESTAMP|DATE|TIME)\b|now\(\)|julianday\(|unixepoch\()", re.IGNORECASE)


def reads_no_clock(file: Source) -> Iterator[tuple[int, str]]:
    """Forbid every way to ask for the date or time, under whatever name it was imported."""
    aliases = {
        alias.asname: alias.name.split(".")[-1]
        for node in file.nodes
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
        if alias.asname
    }
    for line, used in file.names:
        first, *rest = used.split(".")
        true_name = ".".join([aliases.get(first, first), *rest])
        if not _CLOCK_WORDS.isdisjoint(true_name.split(".")) and any(
            f".{true_name}.".find(f".{name}.") >= 0 for name in CLOCK_READS
        ):
            yield line, f"uses {true_name}: ask core.clock"
    free = {id(node.value) for node in file.nodes if isinstance(node, ast.Expr)}  # docstrings
    for node in file.nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in free:
            continue
        if SQL_CLOCK.search(node.value):
            yield node.lineno, f"asks the database for the time in {node.value[:40]!r}"


def imports_one_way(file: Source) -> Iterator[tuple[int, str]]:
    """A room imports from the rooms before it, itself and the foundations."""
    own = file.path.removesuffix(".py").split("/")[1]
    if own == "__init__":
        return
    allowed = {*FOUNDATIONS, own, *(ROOMS[: ROOMS.index(own)] if own in ROOMS else ())}
    if own not in ROOMS and own not in FOUNDATIONS:
        yield 1, f"{own} is no known room: give it a place in ROOMS"
    for line, name in file.imports:
        if not _is_within(name, "core"):
            continue
        room = [*name.split("."), ""][1]
        if own in FOUNDATIONS and room not in FOUNDATIONS:
            yield line, f"{own} imports from the room {room or 'core'}"
        elif room not in allowed:
            yield (
                line,
                f"{own} imports {name}, which comes later (import from the room itself, not from core)",
            )


def starts_with_the_shell(file: Source) -> Iterator[tuple[int, str]]:
    """After docstring and imports, the first statement calls ensure_shell with the page's path."""
    body = [node for node in file.tree.body if not isinstance(node, (ast.Import, ast.ImportFrom))]
    if ast.get_docstring(file.tree) is not None:
        body = body[1:]
    expected = f"ensure_shell({file.path!r})"
    first = body[0] if body else None
    call = first.value if isinstance(first, (ast.Expr, ast.Assign, ast.AnnAssign)) else None
    if not (
        isinstance(call, ast.Call)
        and _dotted(call.func).split(".")[-1] == "ensure_shell"
        and [arg.value for arg in call.args if isinstance(arg, ast.Constant)] == [file.path]
    ):
        yield (first.lineno if first else 1), f"does not start with {expected}"


EVERYWHERE = (CORE, *SCREEN)

# (what the rule says, files it looks at, files it spares, the rule)
RULES: list[tuple[str, tuple[str, ...], tuple[str, ...], Rule]] = [
    ("core imports one way", (CORE,), (), imports_one_way),
    ("core knows no screen", (CORE,), (), never_imports("streamlit", "plotly", "pages", "app")),
    (
        "screen leaves models to core",
        SCREEN,
        (),
        never_imports("sklearn", "torch", "langchain*", "sentence_transformers", "umap"),
    ),
    ("page starts with the shell", (PAGES,), ("pages/__init__.py",), starts_with_the_shell),
    (
        "no raw html",
        EVERYWHERE,
        (),
        never_uses(
            "unsafe_allow_html=", "st.html", "streamlit.html", "components.html", "streamlit.components"
        ),
    ),
    ("no pickle", EVERYWHERE, (), never_uses("pickle", "allow_pickle=")),
    ("no cache on disk", EVERYWHERE, (), never_calls_with("cache_data", "persist")),
    ("core prints only in its command line", (CORE,), ("core/cli/main.py",), never_uses("print")),
    (
        "environment is read in one place",
        (CORE,),
        ("core/settings.py",),
        never_uses("os.environ", "os.environb", "os.getenv", "os.getenvb"),
    ),
    ("the present is asked for in one place", EVERYWHERE, ("core/clock.py",), reads_no_clock),
]


@pytest.mark.parametrize(
    ("patterns", "spared", "rule"), [row[1:] for row in RULES], ids=[row[0] for row in RULES]
)
def test_rule_holds(patterns: tuple[str, ...], spared: tuple[str, ...], rule: Rule):
    broken = [
        f"{file.path}:{line}: {what}"
        for file in sources(*patterns)
        if file.path not in spared
        for line, what in rule(file)
    ]
    assert broken == []


def test_rules_have_files_to_look_at():
    found = {file.path for file in sources(CORE)}
    assert len(found) >= 25
    assert {
        "core/__init__.py",
        "core/settings.py",
        "core/reading/reading.py",
        "core/embeddings/encoder.py",
    } <= found
    rooms = {path.split("/")[1].removesuffix(".py") for path in found} - {"__init__"}
    assert rooms <= {*ROOMS, *FOUNDATIONS}


# --- each rule sees what it forbids, and only that ---

ONE_WAY = RULES[0][3]
NO_SCREEN = RULES[1][3]
NO_MODELS = RULES[2][3]
SHELL = RULES[3][3]
NO_HTML, NO_PICKLE, NO_DISK, NO_PRINT, NO_ENVIRONMENT, NO_CLOCK = (row[3] for row in RULES[4:10])

FORBIDDEN = [
    (ONE_WAY, "from core.embeddings import embed_deals"),
    (ONE_WAY, "def f():\n    import core.clustering.pipeline"),
    (ONE_WAY, "from core import clustering"),
    (ONE_WAY, "from core import read_deals"),
    (ONE_WAY, "import core"),
    (ONE_WAY, "from ..packages import model"),
    (ONE_WAY, "from importlib import import_module\nimport_module('core.storage')"),
    (NO_SCREEN, "import streamlit as st"),
    (NO_SCREEN, "from plotly.graph_objects import Figure"),
    (NO_SCREEN, "if True:\n    from pages._shared import shell"),
    (NO_SCREEN, "import app"),
    (NO_MODELS, "from sklearn.cluster import KMeans"),
    (NO_MODELS, "import langchain_google_genai"),
    (NO_MODELS, "__import__('torch')"),
    (NO_HTML, "import streamlit as st\nst.markdown('x', unsafe_allow_html=True)"),
    (NO_HTML, "st.html('x')"),
    (NO_HTML, "st.components.v1.html('x')\nfrom streamlit.components import html"),
    (NO_HTML, "from streamlit import components\ncomponents.html('x')"),
    (NO_HTML, "from streamlit.components.v1 import html"),
    (NO_PICKLE, "import pickle"),
    (NO_PICKLE, "from pickle import loads"),
    (NO_PICKLE, "import numpy as np\nnp.load('x', allow_pickle=True)"),
    (NO_DISK, "@st.cache_data(persist='disk')\ndef f(): ..."),
    (NO_DISK, "@st.cache_data(**options)\ndef f(): ..."),
    (NO_PRINT, "print('x')"),
    (NO_ENVIRONMENT, "import os\nos.environ['HOME']"),
    (NO_ENVIRONMENT, "import os\nos.getenv('HOME')"),
    (NO_ENVIRONMENT, "from os import environ"),
    (NO_CLOCK, "import time\ntime.time()"),
    (NO_CLOCK, "import time as t\nt.monotonic()"),
    (NO_CLOCK, "from time import perf_counter"),
    (NO_CLOCK, "from time import monotonic as seconds"),
    (NO_CLOCK, "from datetime import datetime\ndatetime.now()"),
    (NO_CLOCK, "import datetime as dt\ndt.datetime.now(dt.UTC)"),
    (NO_CLOCK, "from datetime import date as day\nday.today()"),
    (NO_CLOCK, "import pandas as pd\npd.Timestamp.now()"),
    (NO_CLOCK, "from sqlalchemy import func\nfunc.now()"),
    (NO_CLOCK, "text('UPDATE runs SET saved_at = CURRENT_TIMESTAMP')"),
]
ALLOWED = [
    (
        ONE_WAY,
        "from core.deals.deal import Deal\nfrom core.errors import ImportRefused\nimport core.settings",
    ),
    (ONE_WAY, "from .model import Deal\nfrom ..errors import ImportRefused\nimport corelib"),
    (NO_SCREEN, "import apples\nfrom core.deals import Deal"),
    (NO_MODELS, "import numpy, pandas"),
    (NO_HTML, "import html\nhtml.escape('x')  # never st.html"),
    (NO_PICKLE, "'''No pickle here.'''\nunpickled = 1"),
    (NO_DISK, "@st.cache_data(ttl=60)\ndef f(persist): ..."),
    (NO_PRINT, "pprint('x'); blueprint = 1"),
    (NO_ENVIRONMENT, "import os\nos.replace('a', 'b')"),
    (NO_CLOCK, "import time\ntime.sleep(1)\nfrom datetime import date\ndate(2026, 1, 1).strftime('%d')"),
    (NO_CLOCK, "from core import clock\nclock.now(); stop.now(); CheckRules.now()"),
    (NO_CLOCK, '"""now() is the present, CURRENT_TIMESTAMP is asked nowhere."""'),
]


@pytest.mark.parametrize(("rule", "text"), FORBIDDEN, ids=[text for _, text in FORBIDDEN])
def test_rule_sees_what_it_forbids(rule: Rule, text: str):
    assert list(rule(source(text)))


@pytest.mark.parametrize(("rule", "text"), ALLOWED, ids=[text for _, text in ALLOWED])
def test_rule_lets_other_code_pass(rule: Rule, text: str):
    assert list(rule(source(text))) == []


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("'''Deals.'''\nimport streamlit as st\nensure_shell('pages/deals.py')\nst.write(1)", True),
        ("from pages._shared import shell\nshell.ensure_shell('pages/deals.py')", True),
        ("import streamlit as st\nst.write(1)\nensure_shell('pages/deals.py')", False),
        ("ensure_shell('pages/map.py')", False),
        ("ensure_shell()", False),
        ("'''Deals.'''", False),
        ("", False),
    ],
)
def test_shell_must_come_first_and_name_its_page(text: str, holds: bool):
    assert (list(SHELL(source(text, "pages/deals.py"))) == []) == holds


@pytest.mark.parametrize(
    ("path", "text", "holds"),
    [
        ("core/__init__.py", "from core.storage import open_workspace", True),
        ("core/__main__.py", "from core.storage import open_workspace", True),
        ("core/creator.py", "from core.proposals import run_proposals", True),
        ("core/creator.py", "from core.exports import export", False),
        ("core/errors.py", "from core.deals import Deal", False),
        ("core/deals/example.py", "from core import clock", True),
        ("core/settings.py", "from core.errors import SettingError", True),
        ("core/attic.py", "", False),
    ],
)
def test_order_of_rooms_counts_for_single_files_too(path: str, text: str, holds: bool):
    assert (list(ONE_WAY(source(text, path))) == []) == holds
