"""Words of strangers: told from instructions, and made inert before they are shown.

Deals are other people's text, and a model may repeat or obey them. Nothing is decided here
by trust: what reads like an order is pointed out to the analyst, and links and markup never
leave this module as such. No list of patterns is complete, so nothing rests on this one: what
a model may do about a deal is limited by the validator, whatever the text says.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from core.deals import Deal
from core.deals.text_normalisation import clean_text

# Longer texts are read no further: an order hidden behind this much text is cut from the prompt as well.
_READ_LIMIT = 2_000
# Characters that nobody sees: they write backwards (bidi), or carry a second text (tags).
_HIDDEN = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")

_LINKS = re.compile(
    r"""
    \b[a-z][a-z0-9+.-]{0,20}://[^\s"<>]*                               # any scheme
    | \b(?:javascript|vbscript|data|mailto|tel|file):(?=\S)[^\s"<>]*   # schemes that need no slashes
    | \bwww\.[^\s"<>]+
    | \b(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}/[^\s"<>]*                    # a domain with a path
    | \b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}                # shown as a mail link
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TAGS = re.compile(r"<!--.*?-->|</?[a-z][^<>]*>", re.IGNORECASE)
# [label](target) and ![label](target), with one pair of brackets inside the target.
_MARKDOWN_LINKS = re.compile(r"!?\[([^\[\]]*)\]\((?:[^()]|\([^()]*\))*\)")
# What could open markup that the patterns above did not see whole.
_MARKUP = str.maketrans({"<": "\u2039", ">": "\u203a", "[": "(", "]": ")", "`": "'", "*": ""})

_ACTIVE = (_LINKS, _TAGS, _MARKDOWN_LINKS)


def inert_text(value: object, limit: int) -> str:
    """Return a model's words as one line without links, HTML or markdown, `limit` characters at most.

    The label of a link stays, its target goes. What is no text is "".
    """
    text = _TAGS.sub(" ", _readable(value, limit))
    for _ in range(2):  # an image may be the label of a link
        text = _MARKDOWN_LINKS.sub(r"\1", text)
    text = _LINKS.sub(" ", text).translate(_MARKUP)
    text = _LINKS.sub(" ", text)  # what the markup stood in, "http*://", may be a link without it
    return clean_text(re.sub(r"\(\s*\)", " ", text), limit)


def holds_markup(value: object, limit: int) -> bool:
    """Whether these words hold links or markup, which `inert_text` takes away."""
    text = _readable(value, limit)
    return any(pattern.search(text) for pattern in _ACTIVE)


def _readable(value: object, limit: int) -> str:
    # Room for what is taken away; a text of a megabyte is not read to its end.
    text = value[: 8 * limit] if isinstance(value, str) else ""
    return clean_text(html.unescape(unicodedata.normalize("NFKC", text)), 8 * limit)


# Deals share most of their words: concepts, countries, publishers.
@lru_cache(maxsize=16_384)
def unusual_name(text: str) -> bool:
    """Whether a text does not read like a name: it gives orders, or speaks in whole sentences."""
    words = set(re.findall(r"[a-z'-]+", _visible(text).casefold()))
    return reads_like_order(text) or len(words & _SENTENCE_WORDS) >= _SENTENCE


def reads_like_order(text: str) -> bool:
    """Whether a text reads like an instruction to a model, or hides or links something."""
    if _HIDDEN.search(text):
        return True
    plain = _visible(text)
    return any(pattern.search(plain) for pattern in (*_ACTIVE, *_ORDERS))


def _visible(text: str) -> str:
    """Return a text without soft hyphens and joiners, which only part the letters of a word."""
    normal = unicodedata.normalize("NFKC", text[:_READ_LIMIT])
    return " ".join("".join(char for char in normal if unicodedata.category(char) != "Cf").split())


def unusual_deals(deals: Iterable[Deal]) -> tuple[str, ...]:
    """Return the ids of the deals of which any text in the prompt reads like an instruction."""
    return tuple(deal.deal_id for deal in deals if any(map(unusual_name, _texts(deal))))


def _texts(deal: Deal) -> Iterable[str]:
    single = (
        deal.deal_id,
        deal.deal_name,
        deal.ssp_name,
        deal.safety.garm_risk_rating,
        deal.audience.demographic_hint,
        deal.commercial.quality_tier,
        deal.commercial.volume_tier,
    )
    lists = (deal.taxonomy.path, deal.concepts, deal.audience.inferred_audience, deal.geos, deal.publishers)
    yield from filter(None, single)
    for words in lists:
        yield from words


# A verb of command with an object or a person that names of deals do not speak of.
_COMMANDS = (
    "ignore|disregard|overlook|forget|stop|follow|obey|print|reveal|write|respond|reply|answer|output|translate"
    "|produce|make|ensure|treat|label|mark|rank|list|add|include|combine|put|approve|grant|supersedes?|favou?r"
    "|requires?|repeat|do|grant|set|skip|use|tell|say|return|copy|confirm|change|exclude|move|rate|accept|group"
)
_OBJECTS = (
    r"(this|all|every|each|other|any|competitor) (deal|deals|listing|package|packages|seller|inventory)"
    r"|(every|one|its own) package|guidelines?|guidance|instructions?|prompts?|configuration|json"
    r"|plain text|approval|override|reasoning|validation|secrets|safety checks|brand[- ]safe|family[- ]safe"
    r"|[A-Z]{3,}-\d+"
)
_PERSONS = (
    r"you have|you are|you're|you must"
    r"|your (list|answer|result|task|rules?|instructions?|guidelines?|safety|hidden|system|output)"
)
# A name has at most one of these: measured on 2,152 names, publishers, categories and audiences of deals.
_SENTENCE = 2
_SENTENCE_WORDS = frozenset(
    """
    i me my mine you your yours yourself this that these those its is are was be been am must should shall
    may might could would will have has had do does did not don't whoever whatever everyone nothing
    everything anything only please kindly if because when then than above below earlier previous the
    """.split()  # noqa: SIM905  (better read as a block)
)

_VERBS = "add|append|include|insert|put|place|select|choose|answer|reply|respond|return|output|write|repeat"
_SPEAKING = "claim|say|state|treat|consider|describe|label|mark|tag|classify|rate|declare|present"

_ORDERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Put the rules aside.
        r"\b(ignore|disregard|forget|bypass|override|overrule|neglect)\b.{0,40}"
        r"\b(instructions?|rules?|prompts?|guidelines?|directions?|context|constraints?|deals|polic(y|ies)|above"
        r"|before|everything|safety|schema|format)\b",
        r"\b(ignorier\w*|vergiss|missachte\w*)\b.{0,40}\b(anweisung|regel|vorgabe)",
        r"\b(ignore[zr]?|oublie[zr]?|oubliez)\b.{0,40}\b(instructions|consignes|r[eè]gles)\b",
        r"\b(ignor[aei]\w*|olvid\w+|esque\w+)\b.{0,40}\b(instru|istruzion|reglas|regole|regras|[oó]rdenes)",
        r"игнорир\w*.{0,40}(инструкц|правил)",
        r"(忽略|无视|忽視|無視).{0,20}(指令|指示|说明|規則|规则)",
        r"\b(negeer|zignoruj|ignoruj|ignorera|ignorar|vergiss|vergessen sie|oubliez)\b.{0,60}"
        r"\b(regel\w*|instruc\w*|instruk\w*|polece\w*|alle?s?)\b",
        # A verb of command, and what it commands.
        rf"(^|[.,:;!?]\s*|\b(and|to|please|kindly|must|should|then|not|don't)\s+)({_COMMANDS})\b.{{0,60}}"
        rf"\b({_OBJECTS})\b",
        rf"\b({_OBJECTS})\b.{{0,30}}\b(appears?|must|should|is invalid|supersedes|says?)\b",
        rf"\b({_PERSONS})\b",
        r"\b(admin|administrator|operator|attention ai|language models?)\s*:|\badmin override\b",
        # Speak with another voice.
        r"\b(system|developer)\s*(prompt|message|instructions?|override|notice|note)\b",
        r"(^|[^\w\s]\s*)(system|assistant|developer)\s*:",
        r"<\|?\s*/?(im_start|im_end|endoftext|system|deals|instructions?)\b|\[/?INST\]|<<\s*SYS"
        r"|#{2,}\s*(instructions?|system|response|human|assistant|end)\b",
        r"\b(end|begin|start) of (the )?(data|deals|table|prompt|instructions|input)\b|\bnew instructions?\b",
        r"\b(from now on|as an ai|developer mode|do anything now|jailbreak|prompt injection)\b",
        r"\b(pretend|act|behave|role-?play)\s+(as|like|to be|that|you)\b",
        r"\b(you|assistant|ai|llm|model|gpt|chatgpt|gemini|claude)\s+(\w+\s+)?"
        r"(must|should|shall|have to|are now|will now)\b",
        # Give orders about the answer.
        rf"\b(always|must|please|now|instead|immediately|only|also)\s+({_VERBS}|approve|name|call|mark|claim)\b",
        rf"\b({_VERBS}|move|assign)\b.{{0,40}}\b(in|into|to|with)\b.{{0,20}}"
        r"\b(every|each|all|any|first|one|the|your)\b.{0,20}\b(package|answer|list|cluster|output)",
        rf"\b({_VERBS})\s+(the\s+|this\s+|these\s+|all\s+)?(deals?|ids?)\b",
        r"\b(respond|reply|answer|return)\s+(only|with|exactly|nothing)\b|\boutput\s+(only|nothing|exactly)\b",
        r"\b(name|call|rename)\s+(this|it|the|every|all|each|your)\b.{0,20}\bpackage",
        rf"\b({_SPEAKING})\b.{{0,40}}"
        r"\b(family[- ]?safe|premium|low[- ]?risk|brand[- ]?safe|approved|verified)\b",
        r"\b(approve|reject|export|publish|release|delete|drop|exclude)\s+"
        r"(this|it|all|every|each|the|any|other|everything|immediately|automatically|without)\b|\bauto-?approve",
        r"\b(do not|don't|never)\s+(\w+\s+)?"
        r"(mention|tell|follow|flag|warn|check|obey|list|include|leave|say|review)\b",
        r"\bset\b.{0,20}\b(status|price|floor|risk|tier)\b.{0,15}(\bto\b|=)",
        r"[\"']?(package_name|deal_ids)[\"']?\s*[:=]|\{\s*[\"']?packages\b",
        # Take something out of this machine.
        r"\b(reveal|print|repeat|leak|send|upload|exfiltrate|fetch|visit|download)\b.{0,40}"
        r"\b(prompt|api[- ]?key|key|password|secrets?|instructions?|url|link|credentials?|tokens?)\b",
        r"\b(curl|wget|eval|exec)\s*[(\s]\s*\S|<script",
        r"(?<![\w+/])(?=[a-z0-9+/]*\d)[a-z0-9+/]{40,}={0,2}(?![\w+/])",  # a text in base64
    )
)
