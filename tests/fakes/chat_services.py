"""Fakes of OpenAI, Anthropic and Ollama: three wire formats on one free loopback port.

`FakeChatServices` answers like `FakeGemini`, with sensible packages made from the deals in the
prompt, in the format of the service that was asked. It checks keys and what the real services
insist on, logs every call, and fails on demand with one table of faults for all three.

    with FakeChatServices(api_key="key") as server:
        server.fail("429_with_delay", containing="News")
        ...  # point a client at server.base_url("openai")
"""

import json
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

from tests.fakes.faults import SIGN_IN_PAGE, Ending, Reply
from tests.fakes.gemini import JOIN_TIMEOUT_S, POLL_INTERVAL_S, Call, _Handler, _HttpServer, default_answer

__all__ = ["CHAT_FAULTS", "WIRES", "ChatCall", "ChatFault", "ChatReply", "FakeChatServices", "Wire"]

DELAY_S = 0.05
OTHER_MODEL = "another-model"


@dataclass(frozen=True, slots=True)
class ChatReply(Reply):
    """One HTTP reply with headers of its own."""

    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ChatCall:
    """One call as the server saw it. key: what came as the key, without its prefix."""

    wire: str
    model: str
    prompt: str
    system: str
    body: Mapping[str, Any]
    key: str
    headers: Mapping[str, str]
    path: str


@dataclass(frozen=True, slots=True)
class Wire:
    """How one service writes.

    key_header, key_prefix: where its key stands; None without keys. cut, refused: its words for
    an answer cut at the length limit and for a refusal. write: (model, text, reason, counts) to
    a body; ended: its word for a finished answer. complain: (status, kind, message) to a body.
    """

    name: str
    path: str
    ended: str
    cut: str
    refused: str
    write: Callable[[str, str, str, bool], bytes]
    complain: Callable[[int, str, str], bytes]
    base_path: str = ""
    key_header: str | None = None
    key_prefix: str = ""
    content_type: str = "application/json"

    def answer(self, call: ChatCall, text: str, **changes: Any) -> ChatReply:
        """Answer with a text; changes: model, reason or counts."""
        told = {"model": call.model, "reason": self.ended, "counts": True} | changes
        body = self.write(told["model"], text, told["reason"], told["counts"])
        return ChatReply(body=body, content_type=self.content_type, text=text)

    def error(
        self, status: int, kind: str, message: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> ChatReply:
        """Refuse in the format of this service."""
        return ChatReply(status=status, body=self.complain(status, kind, message), headers=headers)


# --- wire formats -----------------------------------------------------------------------------


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def _openai_body(model: str, text: str, reason: str, counts: bool) -> bytes:
    asked, answered = 100, _tokens(text)
    usage = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
    message = {"role": "assistant", "content": text, "refusal": None}
    if reason == "refusal":  # the real service says "stop" and puts the refusal beside the text
        reason, message = "stop", {"role": "assistant", "content": None, "refusal": "I cannot help."}
    body = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
    }
    return json.dumps(body | ({"usage": usage} if counts else {})).encode()


def _openai_error(_status: int, kind: str, message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": kind}}).encode()


def _anthropic_body(model: str, text: str, reason: str, counts: bool) -> bytes:
    usage = {"input_tokens": 100, "output_tokens": _tokens(text)}
    body = {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": reason,
        "stop_sequence": None,
    }
    return json.dumps(body | {"usage": usage if counts else {}}).encode()


def _anthropic_error(_status: int, kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


def _ollama_body(model: str, text: str, reason: str, counts: bool) -> bytes:
    middle = len(text) // 2
    usage = {"prompt_eval_count": 100, "eval_count": _tokens(text)} if counts else {}
    start = {"model": model, "created_at": "2026-01-01T00:00:00Z"}
    lines = [
        start | {"message": {"role": "assistant", "content": part}, "done": False}
        for part in (text[:middle], text[middle:])
    ]
    end = start | {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": reason}
    return b"".join(json.dumps(line).encode() + b"\n" for line in (*lines, end | usage))


def _ollama_error(_status: int, _kind: str, message: str) -> bytes:
    return json.dumps({"error": message}).encode()


WIRES: Mapping[str, Wire] = MappingProxyType(
    {
        "openai": Wire(
            "openai",
            "/v1/chat/completions",
            "stop",
            "length",
            "content_filter",
            _openai_body,
            _openai_error,
            base_path="/v1",
            key_header="authorization",
            key_prefix="Bearer ",
        ),
        "anthropic": Wire(
            "anthropic",
            "/v1/messages",
            "end_turn",
            "max_tokens",
            "refusal",
            _anthropic_body,
            _anthropic_error,
            # So the library writes it from 2.12 on; the documents also know x-api-key.
            key_header="authorization",
            key_prefix="Bearer ",
        ),
        "ollama": Wire(
            "ollama",
            "/api/chat",
            "stop",
            "length",
            "refused",
            _ollama_body,
            _ollama_error,
            content_type="application/x-ndjson",
        ),
    }
)

# --- faults -----------------------------------------------------------------------------------

ChatFault: TypeAlias = Callable[[Wire, ChatCall, str], Reply]
"""From the service, the call and the good answer to what goes back."""


def _error(status: int, kind: str, message: str) -> ChatFault:
    return lambda wire, _call, _text: wire.error(status, kind, message)


def _ended(ending: Ending) -> ChatFault:
    return lambda wire, call, text: replace(wire.answer(call, text), ending=ending)


def _plain(body: bytes) -> ChatFault:
    return lambda wire, _call, _text: ChatReply(body=body, content_type=wire.content_type)


def _key_echoed(wire: Wire, call: ChatCall, _text: str) -> Reply:
    return wire.error(401, "authentication_error", f"The key {call.key} is not known.")


def _answer_repeats_key(wire: Wire, call: ChatCall, text: str) -> Reply:
    return wire.answer(call, text.replace("Package", f"{call.key} Package"))


CHAT_FAULTS: Mapping[str, ChatFault] = MappingProxyType(
    {
        "429": _error(429, "rate_limit_error", "Too many tokens in the context window per minute."),
        "429_with_delay": lambda wire, _call, _text: wire.error(
            429, "rate_limit_error", "Slow down.", (("Retry-After", str(DELAY_S)),)
        ),
        "no_credit": _error(429, "insufficient_quota", "You exceeded your current quota."),
        "low_balance": _error(400, "invalid_request_error", "Your credit balance is too low."),
        "401": _error(401, "authentication_error", "invalid x-api-key"),
        "403": _error(403, "permission_error", "Not allowed."),
        "404_model": _error(404, "not_found_error", "model not found"),
        "400": _error(400, "invalid_request_error", "output_config.format: unknown parameter"),
        "422": _error(422, "invalid_request_error", "response_format is not supported"),
        "too_long": _error(400, "context_length_exceeded", "prompt is too long: 300000 tokens"),
        "413": _error(413, "request_too_large", "Request exceeds the maximum size"),
        "500": _error(500, "api_error", "Internal error."),
        "529": _error(529, "overloaded_error", "Overloaded."),
        "408": _error(408, "timeout_error", "Timeout."),
        "reset": _ended(Ending.RESET_FIRST),
        "closed_midway": _ended(Ending.CLOSE_MIDWAY),
        "hang": _ended(Ending.HANG),
        "html": lambda _wire, _call, _text: SIGN_IN_PAGE,
        "empty_body": _plain(b""),
        "foreign_json": _plain(b'{"message": "Session expired"}'),
        "list": _plain(b"[]"),
        "null": _plain(b"null"),
        "broken_json": _plain(b'{"id": "x", "model": '),
        "cut": lambda wire, call, text: wire.answer(call, text[: len(text) // 2], reason=wire.cut),
        "refused": lambda wire, call, _text: wire.answer(call, "", reason=wire.refused),
        "refusal_beside": lambda wire, call, _text: wire.answer(call, "", reason="refusal"),
        "no_text": lambda wire, call, _text: wire.answer(call, ""),
        "no_packages": lambda wire, call, _text: wire.answer(call, "I would rather not."),
        "other_model": lambda wire, call, text: wire.answer(call, text, model=OTHER_MODEL),
        "no_counts": lambda wire, call, text: wire.answer(call, text, counts=False),
        "key_echoed": _key_echoed,
        "answer_repeats_key": _answer_repeats_key,
    }
)

# --- the server -------------------------------------------------------------------------------


class FakeChatServices:
    """The fake services; use it as a context manager. All its methods are safe from any thread.

    api_key: the only key accepted by the services that want one; None accepts any.
    """

    def __init__(self, *, api_key: str | None = None) -> None:
        self.api_key = api_key
        self._lock = threading.Lock()
        self._calls: list[ChatCall] = []
        self._strays: list[str] = []
        self._rules: list[tuple[ChatFault, str]] = []
        self._errors: list[Exception] = []

    def __enter__(self) -> Self:
        self._http = _HttpServer(self)  # type: ignore[arg-type]  # it only wants _note_error
        self._http.RequestHandlerClass = _ChatHandler
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": POLL_INTERVAL_S}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._http.end_connections()
        self._thread.join(JOIN_TIMEOUT_S)
        if self._errors and kind is None:
            raise self._errors[0]

    def base_url(self, wire: str) -> str:
        """Where a client of this service is pointed at."""
        return f"http://127.0.0.1:{self._http.server_port}{WIRES[wire].base_path}"

    @property
    def calls(self) -> tuple[ChatCall, ...]:
        """All calls so far, by arrival, refused ones included."""
        with self._lock:
            return tuple(self._calls)

    @property
    def strays(self) -> tuple[str, ...]:
        """Paths of all requests that were no chat calls, such as those of a tracing client."""
        with self._lock:
            return tuple(self._strays)

    def fail(self, fault: str | ChatFault, *, containing: str = "") -> None:
        """Let calls fail whose prompt holds a text. Raises KeyError for an unknown fault."""
        with self._lock:
            self._rules.append((CHAT_FAULTS[fault] if isinstance(fault, str) else fault, containing))

    def heal(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._rules.clear()

    # --- used by the HTTP handler --------------------------------------------------------------

    def _note_error(self, error: Exception) -> None:
        self._errors.append(error)

    def _note_stray(self, path: str) -> None:
        with self._lock:
            self._strays.append(path)

    def _reply(self, wire: Wire, call: ChatCall) -> Reply:
        with self._lock:
            self._calls.append(call)
            fault = next((fault for fault, text in self._rules if text in call.prompt), None)
        if wire.key_header and (not call.key or self.api_key not in {None, call.key}):
            return wire.error(401, "authentication_error", "invalid x-api-key")
        if complaint := _complaint(wire, call):
            return wire.error(400, "invalid_request_error", complaint)
        good = default_answer(Call(0, call.model, call.prompt, call.system, call.body, call.key, 0.0))
        return fault(wire, call, good) if fault else wire.answer(call, good)


def _complaint(wire: Wire, call: ChatCall) -> str | None:
    """Say what the real service would refuse in this request."""
    if wire.name == "anthropic":
        if "anthropic-version" not in call.headers or not isinstance(call.body.get("max_tokens"), int):
            return "max_tokens and anthropic-version: field required"
        return _open_object(call.body.get("output_config", {}).get("format", {}).get("schema", {}))
    if wire.name == "openai":
        return _open_object(call.body.get("response_format", {}).get("json_schema", {}).get("schema", {}))
    return None


def _open_object(schema: object) -> str | None:
    if not isinstance(schema, dict):
        return None
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false"
    return next((found for value in schema.values() if (found := _open_object(value))), None)


class _ChatHandler(_Handler):
    """One client connection."""

    @property
    def _owner(self) -> FakeChatServices:
        return self.server.owner  # type: ignore[return-value]

    def do_GET(self) -> None:  # noqa: N802  (name of the library)
        """Show a page, as whoever is asked by mistake would."""
        self._owner._note_stray(self.path)
        self._play(SIGN_IN_PAGE)

    def do_POST(self) -> None:  # noqa: N802
        """Answer a chat call."""
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        wire = next((wire for wire in WIRES.values() if wire.path == path), None)
        if wire is None:
            self._owner._note_stray(self.path)
            self._play(Reply(status=404))
            return
        body = json.loads(raw)
        headers = {name.lower(): value for name, value in self.headers.items()}
        key = headers.get(wire.key_header or "", "").removeprefix(wire.key_prefix)
        self._play(self._owner._reply(wire, _read_call(wire, body, key, headers, self.path)))

    def _write(self, reply: Reply, announced_length: int, body: bytes) -> None:
        self._more = reply.headers if isinstance(reply, ChatReply) else ()
        super()._write(reply, announced_length, body)

    def end_headers(self) -> None:
        """Add the headers of the reply."""
        for name, value in self._more:
            self.send_header(name, value)
        super().end_headers()


def _read_call(
    wire: Wire, body: Mapping[str, Any], key: str, headers: Mapping[str, str], path: str
) -> ChatCall:
    said: dict[str, str] = {"user": "", "system": _text(body.get("system"))}
    for message in body["messages"]:
        role = "system" if message["role"] in {"system", "developer"} else message["role"]
        said[role] += _text(message["content"])
    return ChatCall(wire.name, body["model"], said["user"], said["system"], body, key, headers, path)


def _text(content: object) -> str:
    """Return text that comes as it is or in blocks."""
    if isinstance(content, list):
        return "".join(str(block.get("text", "")) for block in content)
    return content if isinstance(content, str) else ""
