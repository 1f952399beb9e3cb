"""Bytes of a text file become text; what had to be assumed about the encoding is told."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from charset_normalizer import from_bytes

from core.errors import ImportRefused

_MARKS = (
    # UTF-32 first: its little-endian mark starts with the one of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SINGLE_BYTE = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "latin_1",
)  # fmt: skip
_DOUBLE_BYTE = ("gb18030", "cp932")
# Detection looks at this much; more costs seconds and changes nothing.
_SAMPLE_BYTES = 200_000
# Control characters that no text file holds, apart from NUL, which is counted on its own.
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x19\x1b-\x1f]")
_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
_NO_TEXT = "is not a text file: export the deals as CSV, TSV, XLSX, JSON or JSON Lines."


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file, the encoding it was read as, and sentences about what was assumed."""

    text: str
    encoding: str
    notes: tuple[str, ...] = ()


def decode_bytes(data: bytes, filename: str, encoding: str | None = None) -> Decoded:
    """Decode a text file: byte order mark, UTF-8, UTF-16 by its NULs, then the likeliest 8-bit encoding.

    encoding: what the analyst chose; it is used whatever the bytes say.
    Raises ImportRefused when the bytes are no text, or the chosen encoding does not exist.
    """
    found = _as_chosen(data, filename, encoding) if encoding else _as_marked(data, filename)
    if found is None:
        found = _as_wide(data) or _as_utf8(data, filename) or _as_guessed(data, filename)
    # A DOS end-of-file mark says nothing; a second byte order mark is left by joined files.
    text = found.text.rstrip("\x1a").lstrip("\ufeff")
    notes = list(found.notes)
    if "\0" in text:
        nuls = text.count("\0")
        if nuls * 100 > len(text):
            raise ImportRefused(filename, _NO_TEXT)
        text = text.replace("\0", "")
        notes.append(f"{nuls:,} NUL characters were left out.")
    return Decoded(text, found.encoding, tuple(notes))


def _as_chosen(data: bytes, filename: str, encoding: str) -> Decoded:
    try:
        name = codecs.lookup(encoding).name
        text = data.decode(name, errors="replace")
    except (LookupError, ValueError):
        raise ImportRefused(
            filename, f"cannot be read as {encoding!r}, which is no known text encoding: choose another."
        ) from None
    return Decoded(text, name, tuple(_replacement_note(text, f"The file was read as {name}", quiet=True)))


def _as_marked(data: bytes, filename: str) -> Decoded | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return Decoded(data.decode(encoding), encoding.removesuffix("-sig"))
            except UnicodeDecodeError:
                if encoding != "utf-8-sig":
                    raise ImportRefused(
                        filename,
                        f"starts as {encoding} but does not stay so: save it as UTF-8 and load it again.",
                    ) from None
    return None


def _as_wide(data: bytes) -> Decoded | None:
    """Read UTF-16 without its mark: every second byte of its ASCII characters is NUL."""
    sample = data[:8192]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 10 < len(sample) // 2 or min(even, odd) * 20 > max(even, odd) or not sample:
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return Decoded(text, encoding, (f"The file has no byte order mark; read as {encoding}.",))


def _as_utf8(data: bytes, filename: str) -> Decoded | None:
    if data[:4096].count(0) * 100 > len(data[:4096]):
        raise ImportRefused(filename, _NO_TEXT)
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        pass
    # Mostly UTF-8 with a few foreign bytes (parts pasted together): mend those, spare the rest.
    text = data.decode("utf-8", errors="replace")
    wrong = text.count("\ufffd")
    plain = len(_HIGH_BYTES.sub(b"", data))
    if len(text) - plain - wrong <= wrong:
        return None
    text = data.decode("utf-8", errors=_ONE_BY_ONE)
    return Decoded(
        text, "utf-8", (f"{wrong:,} places of the file are not UTF-8; there it is read as cp1252.",)
    )


def _foreign_byte(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes that stopped a UTF-8 decoder as cp1252."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


_ONE_BY_ONE = "dealweaver-cp1252"
codecs.register_error(_ONE_BY_ONE, _foreign_byte)


def _as_guessed(data: bytes, filename: str) -> Decoded:
    sample = data[:_SAMPLE_BYTES]
    if len(_CONTROLS.findall(sample)) * 200 > len(sample) + 100:
        raise ImportRefused(filename, _NO_TEXT)
    encoding = _guess_encoding(sample)
    text = data.decode(encoding, errors="replace")
    return Decoded(
        text, encoding, tuple(_replacement_note(text, f"The file is not UTF-8; read as {encoding}"))
    )


def _replacement_note(text: str, start: str, *, quiet: bool = False) -> list[str]:
    replaced = text.count("\ufffd")
    if replaced:
        return [f"{start}, {replaced:,} characters could not be read."]
    return [] if quiet else [f"{start}."]


def _guess_encoding(sample: bytes) -> str:
    """Return the likeliest 8-bit encoding; where several fit equally well, what Western Excel writes."""
    candidates = [*_SINGLE_BYTE, *(_DOUBLE_BYTE if _is_dense(sample) else ())]
    matches = list(from_bytes(sample, cp_isolation=candidates))
    if not matches:
        return "cp1252"
    fewest = min((match.chaos, -match.coherence) for match in matches)
    fitting = [match for match in matches if (match.chaos, -match.coherence) == fewest]
    western = any("cp1252" in match.could_be_from_charset for match in fitting)
    return "cp1252" if western else fitting[0].encoding


def _is_dense(sample: bytes) -> bool:
    """Whether high bytes come in runs, as in Chinese or Japanese; Western accents stand alone."""
    runs = _HIGH_BYTES.findall(sample)
    return sum(len(run) for run in runs if len(run) > 1) * 2 > sum(len(run) for run in runs)
