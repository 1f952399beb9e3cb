"""One page for a buyer about each package, as Markdown and as HTML that can be printed.

Every figure is computed from the deals; what is unknown is counted beside it. The page loads nothing
from elsewhere and runs nothing.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from core.counting import counted
from core.deals import Deal
from core.deals.facts import UNKNOWN_CURRENCY, FloorRange
from core.exports.columns import scales_in_words
from core.exports.export_context import About
from core.packages.fact_sheet import GEOS_ALL_NOTE, GEOS_ANY_NOTE, PackageFacts
from core.packages.sheet import PackageSheet

_LISTED_DEALS = 40
_LISTED_VALUES = 12
_BARS = 6
_MARKDOWN_SIGNS = re.compile(r"[\\`*_\[\]<>#|~!&@$:]|(?<=\bwww)\.", re.IGNORECASE)
# A line that begins so would be a list, or make a heading of the one before.
_MARKDOWN_START = re.compile(r"^(?:(?=[-+=])|(\d+)(?=[.)](?:\s|$)))")
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class _Page:
    """What a page says, before it is Markdown or HTML: plain text that nobody escaped yet."""

    title: str
    subtitle: str
    reasoning: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    deals: tuple[tuple[str, ...], ...]
    more_deals: int
    origin: str


_DEAL_HEADER = ("Deal id", "Name", "SSP", "Format", "Floor (CPM)", "Flight")


def _page(sheet: PackageSheet, about: About) -> _Page:
    package, counts = sheet.package, sheet.facts.counts
    decided = f" by {package.decided_by} on {package.decided_at}" if package.decided_by else ""
    return _Page(
        title=package.name,
        subtitle=f"{counted(counts.deals, 'deal')}, {package.id}, version {package.version}, "
        f"{package.status}{decided}",
        reasoning=package.reasoning,
        facts=tuple((label, value(sheet.facts)) for label, value in _FACTS.items()),
        warnings=tuple(item.sentence for item in sheet.findings if item.severity != "info"),
        deals=tuple(map(_deal_row, sheet.members[:_LISTED_DEALS])),
        more_deals=max(0, len(sheet.members) - _LISTED_DEALS),
        origin=f"Run {about.run}, file {about.file}, {about.when}. {about.floor_reading}.",
    )


def _deal_row(deal: Deal) -> tuple[str, ...]:
    floor = deal.commercial.floor_price
    flight = f"{deal.start_time or 'open'} to {deal.end_time or 'open'}"
    return (
        deal.deal_id,
        deal.deal_name or "",
        deal.ssp_name or "unknown",
        ", ".join(deal.formats) or "unknown",
        _money(floor.currency, floor.amount) if floor else "unknown",
        flight if deal.start_time or deal.end_time else "unknown",
    )


# --- facts in words -----------------------------------------------------------------------------


def _money(currency: str | None, amount: Decimal) -> str:
    known = currency if currency and currency != UNKNOWN_CURRENCY else "unknown currency"
    return f"{known} {amount:f}"


def _or_unknown(text: str, unknown: int = 0) -> str:
    more = f"{unknown} unknown" if unknown else ""
    return "; ".join(filter(None, (text, more))) or "unknown"


def _values(values: Sequence[str]) -> str:
    more = len(values) - _LISTED_VALUES
    return ", ".join(values[:_LISTED_VALUES]) + (f" and {more} more" if more > 0 else "")


def _mix(counts: Mapping[str, int]) -> str:
    return _or_unknown(_values([f"{name} ({count})" for name, count in counts.items()]))


def _flight(facts: PackageFacts) -> str:
    flight = facts.flight
    words = f"{flight.start or 'open'} to {flight.end or 'open'}"
    if flight.empty:
        words = f"never all together (latest start {flight.start}, earliest end {flight.end})"
    return f"{words}; start unknown {flight.start_open}, end unknown {flight.end_open}"


def _floors(facts: PackageFacts) -> str:
    counts = facts.counts
    ranges = [
        f"{_money(part.currency, part.lowest)} to {part.highest:f} CPM over {part.deals} of {counts.deals} "
        f"deals, {part.clears_all:f} clears all"
        for part in counts.floors
    ]
    explicit = f"{facts.floor_zero} without a floor (0)" if facts.floor_zero else ""
    return _or_unknown("; ".join(filter(None, (*ranges, explicit))), counts.floor_unknown)


def _family(facts: PackageFacts) -> str:
    words = {"yes": "yes", "no": "no", "unknown": "unknown"}[facts.counts.family_safe]
    return f"{words} ({facts.counts.family_safe_deals} of {facts.counts.deals} deals say yes)"


_FACTS: dict[str, Callable[[PackageFacts], str]] = {
    "Flight": _flight,
    f"Countries of {GEOS_ANY_NOTE}": lambda facts: _or_unknown(_values(facts.geos_any), facts.geo_unknown),
    f"Countries of {GEOS_ALL_NOTE}": lambda facts: _values(facts.geos_all) or "none in common",
    "Floors": _floors,
    "Scale": lambda facts: _or_unknown("; ".join(scales_in_words(facts)), facts.scale_unknown),
    "Formats": lambda facts: _mix(facts.counts.formats),
    "Devices": lambda facts: _mix(facts.devices),
    "SSPs": lambda facts: (
        f"{_mix(facts.counts.ssps)}; {counted(facts.ssp_count, 'deal id')} needed for a curated deal"
    ),
    "Publishers": lambda facts: _mix(facts.publishers),
    "Categories": lambda facts: _mix(facts.counts.tier1),
    "Audiences": lambda facts: _or_unknown(_values(list(facts.counts.audiences))),
    "Quality": lambda facts: _mix(facts.counts.quality),
    "Worst GARM risk": lambda facts: _or_unknown(facts.counts.worst_risk or "", facts.counts.risk_unknown),
    "Family-safe": _family,
    "Safe for": lambda facts: (
        f"{_values(facts.safe_for_verticals) or 'nothing in common'} "
        f"({facts.verticals_known} of {facts.counts.deals} deals say)"
    ),
    "Price types": lambda facts: _mix(facts.price_types),
}


# --- Markdown -----------------------------------------------------------------------------------


def summary_markdown(sheet: PackageSheet, about: About) -> str:
    """Return one page in Markdown; texts of files and models are shown as they are, without any markup."""
    page = _page(sheet, about)
    lines = [f"# {_md(page.title)}", "", _md(page.subtitle), "", _md(page.reasoning), "", "## Facts", ""]
    lines += [f"- **{_md(label)}**: {_md(value)}" for label, value in page.facts]
    lines += ["", "## Warnings", ""]
    lines += [f"- {_md(sentence)}" for sentence in page.warnings] or ["None."]
    lines += ["", "## Deals", "", _table_line(_DEAL_HEADER), _table_line(("---",) * len(_DEAL_HEADER))]
    lines += [_table_line(tuple(map(_md, row))) for row in page.deals]
    if page.more_deals:
        lines += ["", f"And {counted(page.more_deals, 'more deal')}."]
    return "\n".join([*lines, "", _md(page.origin), ""])


def _table_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _md(text: str) -> str:
    return _MARKDOWN_START.sub(r"\1\\", _MARKDOWN_SIGNS.sub(r"\\\g<0>", _plain(text)))


def _plain(text: str) -> str:
    """Return a text on one line, without characters that cannot be seen or turn the line around."""
    return " ".join(_INVISIBLE.sub(" ", text).split())


def summaries_markdown(sheets: Sequence[PackageSheet], about: About) -> bytes:
    """Return a page for each package, UTF-8."""
    return "\n---\n\n".join(summary_markdown(sheet, about) for sheet in sheets).encode()


# --- HTML ---------------------------------------------------------------------------------------

_CSS = """
@page { size: A4; margin: 14mm }
body { font: 13px/1.4 system-ui, sans-serif; color: #1b1f24; background: #fff;
margin: 0 auto; max-width: 820px }
section { padding: 16px; page-break-after: always }
h1 { font-size: 20px; margin: 0 } h2 { font-size: 14px; margin: 14px 0 4px }
p { margin: 4px 0 } .quiet { color: #57606a; font-size: 11px }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top;
padding: 2px 8px 2px 0; border-bottom: 1px solid #e1e4e8; overflow-wrap: anywhere }
th { font-weight: 600 } .facts th { width: 30% } .warnings { color: #7a3e00 }
svg { display: block; max-width: 100% }
"""
_HEAD = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    "<title>{title}</title><style>{css}</style></head><body>\n"
)


def summary_html(sheet: PackageSheet, about: About) -> str:
    """Return one page as an HTML document that stands alone."""
    return _document([sheet], about, sheet.package.name)


def summaries_html(sheets: Sequence[PackageSheet], about: About) -> bytes:
    """Return one HTML document with a printed page for each package, UTF-8."""
    return _document(sheets, about, about.run).encode()


def _document(sheets: Sequence[PackageSheet], about: About, title: str) -> str:
    head = _HEAD.format(title=_safe(title), css=_CSS)
    return f"{head}{''.join(_section(sheet, about) for sheet in sheets)}</body></html>\n"


def _section(sheet: PackageSheet, about: About) -> str:
    page = _page(sheet, about)
    facts = "".join(f"<tr><th>{_safe(label)}</th><td>{_safe(value)}</td></tr>" for label, value in page.facts)
    warnings = "".join(f"<li>{_safe(sentence)}</li>" for sentence in page.warnings) or "<li>None.</li>"
    header = "".join(f"<th>{name}</th>" for name in _DEAL_HEADER)
    deals = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>" for row in page.deals)
    more = f"<p>And {counted(page.more_deals, 'more deal')}.</p>" if page.more_deals else ""
    return (
        f"<section><h1>{_safe(page.title)}</h1><p class='quiet'>{_safe(page.subtitle)}</p>"
        f"<p>{_safe(page.reasoning)}</p>{_chart(sheet.facts)}"
        f"<h2>Facts</h2><table class='facts'>{facts}</table>"
        f"<h2>Warnings</h2><ul class='warnings'>{warnings}</ul>"
        f"<h2>Deals</h2><table><tr>{header}</tr>{deals}</table>{more}"
        f"<p class='quiet'>{_safe(page.origin)}</p></section>\n"
    )


def _safe(text: str) -> str:
    return html.escape(_plain(text), quote=True)


# --- chart --------------------------------------------------------------------------------------

_LABEL_X, _BAR_X, _BAR_WIDTH, _LINE = 190, 200, 380, 18
_BLUE, _GREY, _INK = "#2f6db5", "#d5dce4", "#1b1f24"
_LABEL_CHARS = 26


def _chart(facts: PackageFacts) -> str:
    """Return bars of the format and SSP mix and a line for each range of floors, as SVG."""
    lines = list(_chart_lines(facts))
    if not lines:
        return ""
    height = _LINE * len(lines) + 4
    drawn = "".join(draw(place * _LINE) for place, draw in enumerate(lines))
    return (
        f'<svg role="img" aria-label="Formats, SSPs and floors of the deals" viewBox="0 0 640 {height}" '
        f'width="640" height="{height}" font-size="11" font-family="sans-serif">{drawn}</svg>'
    )


def _chart_lines(facts: PackageFacts) -> Iterator[Callable[[int], str]]:
    deals = facts.counts.deals or 1
    for what, counts in (("Format", facts.counts.formats), ("SSP", facts.counts.ssps)):
        for name, count in islice(counts.items(), _BARS):
            yield _bar(f"{what} {name}", count / deals, f"{count} of {facts.counts.deals}")
        if len(counts) > _BARS:
            yield _bar(f"{len(counts) - _BARS} more {what}s", 0, "see the facts")
    # Amounts of different currencies have no common scale: each has its own, from 0.
    for part in facts.counts.floors:
        yield _range(part)


def _bar(label: str, share: float, figure: str) -> Callable[[int], str]:
    return lambda y: (
        f"{_text(_LABEL_X, y, label, 'end')}"
        f'<rect x="{_BAR_X}" y="{y + 4}" width="{_BAR_WIDTH}" height="10" fill="{_GREY}"/>'
        f'<rect x="{_BAR_X}" y="{y + 4}" width="{_BAR_WIDTH * share:.1f}" height="10" fill="{_BLUE}"/>'
        f"{_text(_BAR_X + _BAR_WIDTH + 6, y, figure)}"
    )


def _range(part: FloorRange) -> Callable[[int], str]:
    top = float(part.highest) or 1.0
    low = _BAR_WIDTH * float(part.lowest) / top
    currency = "unknown currency" if part.currency == UNKNOWN_CURRENCY else part.currency
    figure = f"{part.lowest:f}-{part.highest:f}"
    return lambda y: (
        f"{_text(_LABEL_X, y, f'Floors {currency}', 'end')}"
        f'<rect x="{_BAR_X}" y="{y + 8}" width="{_BAR_WIDTH}" height="2" fill="{_GREY}"/>'
        f'<rect x="{_BAR_X + low:.1f}" y="{y + 5}" width="{max(3.0, _BAR_WIDTH - low):.1f}" height="8" '
        f'fill="{_BLUE}"/>{_text(_BAR_X + _BAR_WIDTH + 6, y, figure)}'
    )


def _text(x: int, y: int, text: str, anchor: str = "start") -> str:
    cut = text if len(text) <= _LABEL_CHARS else f"{text[: _LABEL_CHARS - 1]}\u2026"
    return f'<text x="{x}" y="{y + 13}" text-anchor="{anchor}" fill="{_INK}">{_safe(cut)}</text>'
