"""A fake Gemini service in this process: a real HTTP server on a free loopback port.

`FakeGemini` speaks the two calls of the Gemini REST API that the app needs, checks the key, logs
every call, and by default answers with sensible packages made from the deals in the prompt. It
fails on demand (`fail`, with the table `FAULTS`), follows a script (`enqueue`) and enforces a rate
limit (`limit`). It refuses what the real service refuses, and a key in the URL, which the real
one accepts and the app must never send.

    with FakeGemini() as server:
        server.fail("429_with_delay", first_per_prompt=True)
        ...  # point the client's base_url at server.url
        assert server.peak_concurrency <= 4
"""

import contextlib
import hashlib
import json
import re
import select
import socket
import struct
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import unquote, urlsplit

from tests.fakes.faults import (
    BAD_KEY_REPLY,
    FAULTS,
    MISSING_KEY_REPLY,
    SIGN_IN_PAGE,
    SIGN_IN_PATH,
    Ending,
    Fault,
    Reply,
    Row,
    Turn,
    answer_reply,
    error_reply,
    quota_reply,
)

__all__ = ["FAULTS", "Call", "Exchange", "FakeGemini", "Fault", "default_answer", "read_deals"]

DRIP_INTERVAL_S = 0.02
POLL_INTERVAL_S = 0.005
JOIN_TIMEOUT_S = 5.0
MIN_PACKAGE_DEALS = 3
MAX_NAME_CHARS = 80
RATE_LIMITED = "rate_limit"
"""`Call.fault` of a call that the rate limit turned away."""
WRONG_KEY = "wrong_key"
"""`Call.fault` of a call that came with another key than `api_key`."""

_DEALS_BLOCK = re.compile(r"<deals_([0-9a-f]{8})>[ \t]*\n(.*?)\n[ \t]*</deals_\1>", re.DOTALL)
_ROUTE = re.compile(r"/v1(?:beta)?/models/([^/:]+)(:generateContent)?")
_NUMBER_LIKE = re.compile(r"[\s$€£\d.,%xX+:/-]*")
_WORD = re.compile(r"[^\W\d_]{3,}")
_CLAIM_WORDS = frozenset({"premium", "family", "safe", "risk", "verified", "high", "low", "all", "deal"})
"""Words a good answer takes from a deal's name only with proof, so it takes none of them."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of generateContent, as the server saw it.

    index: 0-based arrival number. prompt: all user text; system: the system text. started, ended:
    `time.monotonic()` seconds; ended is None while the call runs. fault: name of the fault it
    met, "rate_limit", "wrong_key", or None.
    """

    index: int
    model: str
    prompt: str
    system: str
    body: Mapping[str, Any]
    key: str
    started: float
    ended: float | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A finished call with what went back. text: the model text, None when there was none."""

    call: Call
    status: int
    text: str | None


Answer: TypeAlias = Callable[[Call], str]


# --- the good answer --------------------------------------------------------------------------


def read_deals(prompt: str) -> list[dict[str, str]]:
    """Read the deals of a prompt: one mapping of column to cell per deal, its alias under "id".

    Understands the last pipe table between `<deals_NONCE>` tags, else the longest JSON list of
    objects that have a "deal_id". Returns [] when there is neither.
    """
    blocks = [block for _nonce, block in _DEALS_BLOCK.findall(prompt)]
    for block in reversed(blocks):
        if rows := _read_table(block):
            return rows
    return _read_json_deals(prompt)


def _read_table(block: str) -> list[dict[str, str]]:
    lines = [[cell.strip() for cell in line.split("|")] for line in block.splitlines() if line.strip()]
    header = next((n for n, cells in enumerate(lines) if cells[0].lower() == "id"), None)
    if header is None:
        return []
    columns = ["id", *lines[header][1:]]
    return [dict(zip(columns, cells, strict=False)) for cells in lines[header + 1 :] if cells[0].strip("-: ")]


def _read_json_deals(prompt: str) -> list[dict[str, str]]:
    decoder = json.JSONDecoder()
    best: list[dict[str, str]] = []
    position = prompt.find("[")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(prompt, position)
        except ValueError:
            end = position + 1
        else:
            deals = [item for item in value if isinstance(item, dict) and "deal_id" in item]
            if len(deals) > len(best):
                best = [{"id" if k == "deal_id" else k: str(v) for k, v in deal.items()} for deal in deals]
        position = prompt.find("[", end)
    return best


def default_answer(call: Call) -> str:
    """Answer with one or two packages that hold every deal of the prompt.

    The first package shares the most frequent value that leaves both groups at least 3 deals;
    names use only values that every deal of the group has, plus the most frequent word of its
    first text column. Deterministic: the same prompt gives the same text.
    """
    rows = read_deals(call.prompt)
    packages: list[dict[str, Any]] = []
    for group in _split_rows(rows):
        name = _name_group(group)
        if any(package["package_name"] == name for package in packages):
            name = f"{name.removesuffix(' Package')} Mix Package"
        reasoning = f"These {len(group)} deals serve the same buyer."
        ids = [row["id"] for row in group]
        packages.append({"package_name": name, "deal_ids": ids, "reasoning": reasoning})
    return json.dumps({"packages": packages}, ensure_ascii=False)


def _split_rows(rows: Sequence[Row]) -> list[list[Row]]:
    counts = Counter(
        (column, cell) for row in rows for column, cell in row.items() if column != "id" and _says_much(cell)
    )
    split = [
        pair for pair, count in counts.items() if MIN_PACKAGE_DEALS <= count <= len(rows) - MIN_PACKAGE_DEALS
    ]
    if not split:
        return [list(rows)] if rows else []
    column, value = max(split, key=lambda pair: (counts[pair], pair))
    same = [row for row in rows if row.get(column) == value]
    return [same, [row for row in rows if row.get(column) != value]]


def _name_group(group: Sequence[Row]) -> str:
    first = group[0]
    shared = [
        cell
        for column, cell in first.items()
        if column != "id" and _says_much(cell) and all(row.get(column) == cell for row in group)
    ]
    texts = [next((c for k, c in row.items() if k != "id" and _WORD.search(c)), "") for row in group]
    words = Counter(
        word for text in texts for word in _WORD.findall(text) if word.lower() not in _CLAIM_WORDS
    )
    common = [max(words, key=lambda word: (words[word], word))] if words else []
    parts = dict.fromkeys([*common, *shared[:2]] or ["Selected"])
    return " ".join(parts)[:MAX_NAME_CHARS].strip() + " Package"


def _says_much(cell: str) -> bool:
    return not _NUMBER_LIKE.fullmatch(cell)


# --- when a fault strikes ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rule:
    """A fault and the conditions that must all hold for a call to meet it."""

    fault: Fault
    at: frozenset[int] | None
    containing: str | None
    model: str | None
    first_per_prompt: bool
    rate: float | None
    seed: int

    def strikes(self, call: Call, subject: str, times_seen: int) -> bool:
        """Say whether this call fails. subject: the deals asked about; times_seen: calls before."""
        return (
            (self.at is None or call.index in self.at)
            and (self.containing is None or self.containing in call.prompt)
            and (self.model is None or self.model == call.model)
            and not (self.first_per_prompt and times_seen)
            and (self.rate is None or _share(f"{self.seed}\0{subject}\0{times_seen}") < self.rate)
        )


def _share(text: str) -> float:
    """Hash a text to a number in [0, 1), the same in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def _subject(prompt: str) -> str:
    """Cut a prompt down to its deals table: a second try with other words asks about the same."""
    blocks = list(_DEALS_BLOCK.finditer(prompt))
    return blocks[-1][2] if blocks else prompt


# --- the server -------------------------------------------------------------------------------


class FakeGemini:
    """The fake service; use it as a context manager. All its methods are safe from any thread.

    answer: makes the good answer's text from a call. latency_s: pause before each HTTP 200, a
    number or a function of the call. api_key: the only key accepted; None accepts any.
    answering_model: reported as modelVersion; None reports the model asked for. limit: (calls,
    seconds), a sliding window of accepted calls; more get 429 with the delay until a place is
    free. fault_delay_s: what the faults with a delay ask for.

    A call is judged in this order: key, body, rate limit, rules of `fail` (oldest rule first),
    script of `enqueue`, answer. A call stopped earlier consumes nothing of what comes later.
    An exception from `answer` gives HTTP 500 and is raised again on leaving the `with` block.
    """

    def __init__(
        self,
        *,
        answer: Answer = default_answer,
        latency_s: float | Callable[[Call], float] = 0.0,
        api_key: str | None = None,
        answering_model: str | None = None,
        limit: tuple[int, float] | None = None,
        fault_delay_s: float = 0.05,
    ) -> None:
        self.answer = answer
        self.latency_s = latency_s
        self.api_key = api_key
        self.answering_model = answering_model
        self.fault_delay_s = fault_delay_s
        self._limit = limit
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._exchanges: list[Exchange] = []
        self._rules: list[_Rule] = []
        self._script: deque[str | Fault] = deque()
        self._accepted_at: deque[float] = deque()
        self._times_seen: Counter[str] = Counter()
        self._ids_seen: dict[str, None] = {}
        self._running = 0
        self._peak = 0
        self._errors: list[Exception] = []
        self._http: _HttpServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._http = _HttpServer(self)
        self._thread = threading.Thread(
            target=self._http.serve_forever,
            kwargs={"poll_interval": POLL_INTERVAL_S},
            name="fake-gemini",
            daemon=True,
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self._errors and kind is None:
            raise self._errors[0]

    def close(self) -> None:
        """Stop at once, cutting calls that still run. Closing twice is harmless."""
        http, thread = self._http, self._thread
        self._http = self._thread = None
        if http is None or thread is None:
            return
        http.shutdown()
        http.server_close()
        http.end_connections()
        thread.join(JOIN_TIMEOUT_S)

    @property
    def url(self) -> str:
        """Base URL, without a trailing slash. Raises RuntimeError outside the `with` block."""
        if self._http is None:
            raise RuntimeError("FakeGemini is not running; use it in a with block")
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls so far by arrival, running ones included; calls without a valid shape are not."""
        with self._lock:
            return tuple(self._calls)

    @property
    def history(self) -> tuple[Exchange, ...]:
        """Finished calls with their replies, by arrival."""
        with self._lock:
            return tuple(sorted(self._exchanges, key=lambda exchange: exchange.call.index))

    @property
    def peak_concurrency(self) -> int:
        """Largest number of calls that ran at the same time."""
        with self._lock:
            return self._peak

    def enqueue(self, *answers: str | Fault) -> None:
        """Script the next answers, in order: a model text, or a fault from `FAULTS`."""
        with self._lock:
            self._script.extend(answers)

    def fail(
        self,
        fault: str | Fault,
        *,
        at: int | Iterable[int] | None = None,
        containing: str | None = None,
        model: str | None = None,
        first_per_prompt: bool = False,
        always: bool = False,
        rate: float | None = None,
        seed: int = 0,
    ) -> None:
        """Let calls fail; conditions given together must all hold.

        at: 0-based call number(s). containing: text in the prompt. model: the model asked for.
        first_per_prompt: only the first call about a set of deals. rate: share of calls in
        [0, 1], drawn from seed, deals and how often they were asked about, so that the order
        of threads changes nothing. always: every call; needed when nothing else is given.
        Raises ValueError for an unknown fault or when no condition is given.
        """
        if isinstance(fault, str):
            if fault not in FAULTS:
                raise ValueError(f"unknown fault {fault!r}; FAULTS has {', '.join(FAULTS)}")
            fault = FAULTS[fault]
        if not (always or first_per_prompt) and (at, containing, model, rate) == (None,) * 4:
            raise ValueError("say when: at, containing, model, first_per_prompt, rate or always=True")
        numbers = None if at is None else frozenset([at] if isinstance(at, int) else at)
        with self._lock:
            self._rules.append(_Rule(fault, numbers, containing, model, first_per_prompt, rate, seed))

    def heal(self) -> None:
        """Forget all rules of `fail` and the rest of the script: from now on all goes well."""
        with self._lock:
            self._rules.clear()
            self._script.clear()

    # --- used by the HTTP handler --------------------------------------------------------------

    def _check_key(self, key: str | None) -> Reply | None:
        if not key:
            return MISSING_KEY_REPLY
        return BAD_KEY_REPLY if self.api_key is not None and key != self.api_key else None

    def _begin(self, model: str, body: Mapping[str, Any], key: str) -> Call:
        """Log a call that arrives."""
        system = _joined_text([body.get("systemInstruction") or {}])
        prompt = _joined_text(c for c in body["contents"] if c.get("role", "user") == "user")
        with self._lock:
            call = Call(len(self._calls), model, prompt, system, body, key, time.monotonic())
            self._calls.append(call)
            self._running += 1
            self._peak = max(self._peak, self._running)
        return call

    def _end(self, call: Call, reply: Reply) -> None:
        """Log that a call is over, however it ended."""
        with self._lock:
            self._running -= 1
            done = replace(self._calls[call.index], ended=time.monotonic())
            self._calls[call.index] = done
            self._exchanges.append(Exchange(done, reply.status, reply.text))

    def _decide(self, call: Call) -> Reply:
        """Choose the reply to a call and note the fault in the log."""
        if refusal := self._check_key(call.key):
            self._note_fault(call, WRONG_KEY)
            return refusal
        if wait_s := self._wait_for_place(call.started):
            self._note_fault(call, RATE_LIMITED)
            calls = self._limit[0] if self._limit else 0
            return quota_reply(call.model, wait_s, period="Minute", limit=calls)
        rows = read_deals(call.prompt)
        ids = [row["id"] for row in rows]
        subject = _subject(call.prompt)
        with self._lock:
            times_seen = self._times_seen[subject]
            self._times_seen[subject] += 1
            foreign = tuple(deal_id for deal_id in self._ids_seen if deal_id not in ids)
            self._ids_seen.update(dict.fromkeys(ids))
            rule = next((r for r in self._rules if r.strikes(call, subject, times_seen)), None)
            scripted = self._script.popleft() if rule is None and self._script else None
        fault = rule.fault if rule else scripted if isinstance(scripted, Fault) else None
        text = scripted if isinstance(scripted, str) else self.answer(call)
        answering = self.answering_model or call.model
        turn = Turn(
            call.model,
            answering,
            call.key,
            call.system + call.prompt,
            rows,
            text,
            foreign,
            self.fault_delay_s,
        )
        if fault is None:
            return answer_reply(turn, text)
        self._note_fault(call, fault.name)
        return fault.act(turn)

    def _wait_for_place(self, now: float) -> float:
        """Take a place in the rate window; return 0, or the seconds until one is free."""
        if self._limit is None:
            return 0.0
        allowed, window_s = self._limit
        with self._lock:
            while self._accepted_at and self._accepted_at[0] <= now - window_s:
                self._accepted_at.popleft()
            if len(self._accepted_at) >= allowed:
                return self._accepted_at[0] + window_s - now
            self._accepted_at.append(now)
        return 0.0

    def _note_fault(self, call: Call, name: str) -> None:
        with self._lock:
            self._calls[call.index] = replace(call, fault=name)

    def _note_error(self, error: Exception) -> None:
        with self._lock:
            self._errors.append(error)

    def _latency_of(self, call: Call) -> float:
        return self.latency_s(call) if callable(self.latency_s) else self.latency_s


def _joined_text(contents: Iterable[Mapping[str, Any]]) -> str:
    parts = (part for content in contents for part in content.get("parts") or ())
    return "\n".join(part["text"] for part in parts if "text" in part)


class _HttpServer(ThreadingHTTPServer):
    """Keeps its daemon threads and connections, so that closing can end and join them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, owner: FakeGemini) -> None:
        self.owner = owner
        self._connections: dict[threading.Thread, socket.socket] = {}
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        alive = {t: s for t, s in self._connections.items() if t.is_alive()}
        self._connections = alive | {thread: request}
        thread.start()

    def end_connections(self) -> None:
        """Cut every open connection and wait for its thread. Call after `shutdown`."""
        for connection in self._connections.values():
            with contextlib.suppress(OSError):  # its thread may have closed it already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._connections:
            thread.join(JOIN_TIMEOUT_S)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - overrides
        """Stay silent when a client leaves early, as tests make it do; keep any other error."""
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self.owner._note_error(error)


class _Handler(BaseHTTPRequestHandler):
    """One client connection: parses requests, asks the owner, plays the reply."""

    server: _HttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet: `FakeGemini.history` is the log."""

    def do_GET(self) -> None:
        """Describe a model, or show the sign-in page that the fault `redirect` leads to."""
        owner = self.server.owner
        route = self._route()
        if self.path == SIGN_IN_PATH:
            self._play(SIGN_IN_PAGE)
        elif refusal := self._refuse_url() or owner._check_key(self.headers.get("x-goog-api-key")):
            self._play(refusal)
        elif route is None or route[2]:
            self._play(error_reply(404, "NOT_FOUND", f"no such resource: {urlsplit(self.path).path}"))
        else:
            name = f"models/{unquote(route[1])}"
            model = {"name": name, "version": "001", "supportedGenerationMethods": ["generateContent"]}
            self._play(Reply(body=json.dumps(model).encode()))

    def do_POST(self) -> None:
        """Answer generateContent."""
        owner = self.server.owner
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        route, body = self._route(), _parse_body(raw)
        key = self.headers.get("x-goog-api-key") or ""
        if refusal := self._refuse_url() or (None if key else MISSING_KEY_REPLY):
            self._play(refusal)
        elif route is None or not route[2]:
            self._play(error_reply(404, "NOT_FOUND", f"no such method: {urlsplit(self.path).path}"))
        elif isinstance(body, str):
            self._play(error_reply(400, "INVALID_ARGUMENT", body))
        else:
            call = owner._begin(unquote(route[1]), body, key)
            reply = Reply(status=500)
            try:
                reply = self._decide(call)
                if reply.status == 200 and self._client_left(owner._latency_of(call)):
                    return
                if reply.ending in {Ending.HANG, Ending.DRIP}:
                    self._play(reply)
            finally:
                # Before the last byte: a client that has its answer must find the call ended.
                owner._end(call, reply)
            if reply.ending not in {Ending.HANG, Ending.DRIP}:
                self._play(reply)

    def _decide(self, call: Call) -> Reply:
        try:
            return self.server.owner._decide(call)
        except Exception as error:  # a test's own answer function may raise anything
            self.server.owner._note_error(error)
            return error_reply(500, "INTERNAL", f"the test's answer function raised {error!r}")

    def _route(self) -> re.Match[str] | None:
        return _ROUTE.fullmatch(urlsplit(self.path).path)

    def _refuse_url(self) -> Reply | None:
        if urlsplit(self.path).query:
            return error_reply(
                400, "INVALID_ARGUMENT", "FakeGemini takes no query: a key must not be in a URL"
            )
        return None

    def _play(self, reply: Reply) -> None:
        """Write a reply the way its ending says."""
        ending = reply.ending
        if ending is Ending.WHOLE:
            self._write(reply, len(reply.body), reply.body)
            return
        self.close_connection = True
        if ending in {Ending.RESET_MIDWAY, Ending.CLOSE_MIDWAY}:
            self._write(reply, len(reply.body), reply.body[: len(reply.body) // 2])
        if ending in {Ending.RESET_FIRST, Ending.RESET_MIDWAY}:
            self._reset()
        elif ending is Ending.HANG:
            self._client_left(None)
        elif ending is Ending.DRIP:
            self._write(reply, 10**6, b"")
            while not self._client_left(DRIP_INTERVAL_S):
                self.wfile.write(b" ")

    def _write(self, reply: Reply, announced_length: int, body: bytes) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(announced_length))
        # Kept-alive connections would lie in the client until its garbage is collected, and warn there.
        self.send_header("Connection", "close")
        if reply.location is not None:
            self.send_header("Location", reply.location)
        self.end_headers()
        self.wfile.write(body)

    def _client_left(self, within_s: float | None) -> bool:
        """Wait up to within_s (None: for ever); True as soon as the client or the server leaves.

        Closing the server shuts this socket down, which makes it readable as well.
        """
        if within_s is not None and within_s <= 0:
            return False
        readable, _, _ = select.select([self.connection], [], [], within_s)
        return bool(readable)

    def _reset(self) -> None:
        """Send RST instead of FIN: linger 0, and the descriptor closed behind the file objects."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())


def _parse_body(raw: bytes) -> dict[str, Any] | str:
    """Parse a generateContent body, or say in a sentence what is wrong with it."""
    try:
        body = json.loads(raw)
    except ValueError:
        return "Invalid JSON payload received."
    contents = body.get("contents") if isinstance(body, dict) else None
    if not isinstance(contents, list) or not contents:
        return "* GenerateContentRequest.contents: contents is not specified"
    if not all(isinstance(content, dict) and content.get("parts") for content in contents):
        return "* GenerateContentRequest.contents.parts: contents.parts must not be empty."
    return dict(body)
