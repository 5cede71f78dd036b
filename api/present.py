"""What a page shows of a record or a match: weak points, missing facts, the strongest reasons, bar lengths."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from api.directory import Directory
from api.schemas import Lang
from api.service import Explained
from matcher.chance import Probability
from matcher.city import Criterion
from matcher.matching.contrast import INVISIBLE, MISSING
from matcher.matching.features import FEATURES
from matcher.matching.labels import REASON_NAMES
from matcher.records import Evidence, Match, MatchList

STALE_DAYS = 365
"""A project fact whose source is older is called old on the page. Source: our choice; projects change yearly."""

_REASON_OF = {f.name: f.reason for f in FEATURES}

SCALE = 160.0
"""Width of a probability's drawing, in its own units."""

BAR_HALF = 100.0
"""Half the width of an evidence bar's drawing, in its own units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One piece of evidence as a bar from the centre line: left against, right for."""

    statement: str
    direction: str
    project_value: str
    partner_value: str
    source: str | None
    on: date | None
    value: float | None
    """What it adds to the score, in points; None where it is not known."""
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much one reason sets a pair ahead of another (positive) or behind it (negative), as a bar.

    `missing`: what unknown facts received, which is for neither. `unknown_first`, `unknown_second`: nothing is known
    of that side, so that nobody can say which of the two is better.
    """

    label: str
    value: float
    first_value: str
    second_value: str
    missing: bool
    unknown_first: bool
    unknown_second: bool
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason for each of several partners, on one scale; None where it plays no part."""

    label: str
    cells: tuple[Bar | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A probability on the common scale of all lists, in units of its drawing; `base` is the average candidate's."""

    low: float
    value: float
    high: float
    base: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One match as the page shows it."""

    match: Match
    project_name: str
    partner_local: str | None
    partner_local_lang: str | None
    country: str | None
    strongest_for: tuple[Bar, ...]
    strongest_against: Bar | None
    unknown: tuple[str, ...]
    bars: tuple[Bar, ...]
    told: tuple[Bar, ...]
    """The strongest reasons as a list tells them: what stands in one already is not said again in the next."""
    abstained: str | None
    interval: Interval | None


def rows(found: MatchList, directory: Directory, lang: Lang) -> list[Row]:
    """The matches of a list; bars share one scale, so that rows can be compared."""
    largest = max((abs(e.contribution or 0.0) for m in found.matches for e in m.evidence), default=0.0)
    return [row(m, directory, lang, largest) for m in found.matches]


def row(match: Match, directory: Directory, lang: Lang, largest: float) -> Row:
    """One match; `largest` is the contribution that fills half a bar."""
    of = {d: [e for e in match.evidence if e.direction == d] for d in ("for", "against", "missing")}
    for direction in ("for", "against"):
        of[direction].sort(key=lambda e: (-abs(e.contribution or 0.0), e.feature))
    country = directory.countries.get(match.partner_country or "", {})
    local = directory.local_names.get(match.partner_id)
    strongest = [_bar(e, lang, largest) for e in (*of["for"][:2], *of["against"][:1])]
    return Row(
        match=match,
        project_name=name_in(match.project_name, lang) or match.project_id,
        partner_local=local if local != match.partner_name else None,
        partner_local_lang=local_language(local, country.get("languages")),
        country=country.get(f"name_{lang}") or match.partner_country,
        strongest_for=tuple(bar for bar in strongest if bar.direction == "for"),
        strongest_against=next((bar for bar in strongest if bar.direction == "against"), None),
        told=tuple(_said_once(strongest)),
        unknown=tuple(dict.fromkeys(e.statement[lang] for e in of["missing"])),
        bars=tuple(_bar(e, lang, largest) for d in ("for", "against", "missing") for e in of[d]),
        abstained=None if match.abstained is None else match.abstained[lang],
        interval=None if match.probability is None else _interval(match.probability),
    )


def abstained(rows: Sequence[Row]) -> str | None:
    """Why none of the rows has a probability, where the reason is the same for all; None otherwise."""
    reasons = {None if row.match.probability is not None else row.abstained for row in rows}
    return reasons.pop() if len(reasons) == 1 else None


_COUNTED = re.compile(r"^\d[\d.,]* [^:;]*: ")
"""What stands before listed deals: how many there are."""


def _said_once(bars: Sequence[Bar]) -> Iterator[Bar]:
    """The same reasons without those parts of a partner's value, such as a deal, that a reason before them told."""
    told: set[str] = set()
    for bar in bars:
        parts = _COUNTED.sub("", bar.partner_value).split("; ")
        new = [part for part in parts if part not in told]
        yield bar if len(new) == len(parts) else replace(bar, partner_value="; ".join(new))
        told.update(parts)


def _interval(p: Probability) -> Interval:
    return Interval(
        low=_place(p.low), value=_place(p.value), high=_place(p.high),
        base=None if not p.base_rate else _place(p.base_rate),
    )  # fmt: skip


def _place(chance: float) -> float:
    """Where a chance stands on the logarithmic scale from 1 in 10,000 to certainty, in [0, SCALE]."""
    decades = 4
    return round(SCALE * max(0.0, 1 + math.log10(max(chance, 1e-9)) / decades), 1)


def _bar(e: Evidence, lang: Lang, largest: float) -> Bar:
    length = 0.0 if not largest else max(1.0, abs(e.contribution or 0.0) / largest * BAR_HALF)
    if e.direction == "missing":
        length = 0.0
    return Bar(
        statement=e.statement[lang],
        direction=e.direction,
        project_value=e.project_value[lang],
        partner_value=e.partner_value[lang],
        source=e.source,
        on=e.on,
        value=None if e.direction == "missing" else e.contribution,
        x=round(BAR_HALF - length if e.direction == "against" else BAR_HALF, 1),
        width=round(length, 1),
    )


def explanation(explained: Explained, directory: Directory, lang: Lang) -> dict[str, Any]:
    """The pair as a row, the partner it is compared with, and what sets them apart, largest difference first."""
    following = explained.following
    largest = max((abs(d.first - d.second) for d in explained.contrast), default=0.0)
    differences = []
    for d in explained.contrast:
        value = d.first - d.second
        if abs(value) < INVISIBLE:
            continue
        length = abs(value) / largest * BAR_HALF if largest else 0.0
        x = BAR_HALF - length if value < 0 else BAR_HALF
        differences.append(
            Difference(
                label=d.label[lang], value=value, first_value=d.first_value[lang], second_value=d.second_value[lang],
                missing=d.reason == MISSING, unknown_first=not d.first_known, unknown_second=not d.second_known,
                x=round(x, 1), width=round(length, 1),
            )
        )  # fmt: skip
    largest = max((abs(e.contribution or 0.0) for e in explained.match.evidence), default=0.0)
    return {
        "row": row(explained.match, directory, lang, largest),
        "following": following,
        "chosen": explained.chosen,
        "leader": None if explained.ahead is None else explained.ahead[lang],
        "sentence": None if explained.sentence is None else explained.sentence[lang],
        "lead": sum(d.first - d.second for d in explained.contrast),
        "differences": differences,
        "engine": explained.match.engine,
    }


def comparison(matches: Sequence[Match], directory: Directory, lang: Lang) -> dict[str, Any]:
    """Pairs side by side: their rows, and each reason's part in each of them on one scale, what differs most first.

    What is the same for all of them, or known of none, stands apart (`alike`); so does why none has a probability,
    where that is the same for all.
    """
    largest = max((abs(e.contribution or 0.0) for m in matches for e in m.evidence), default=0.0)
    columns = [row(m, directory, lang, largest) for m in matches]
    cells: dict[str, list[Bar | None]] = {}
    parts: dict[str, list[float]] = {}
    for at, match in enumerate(matches):
        for e in match.evidence:
            reason = _REASON_OF.get(e.feature, e.feature)
            if reason not in REASON_NAMES:  # what missing information got is for nobody
                continue
            cells.setdefault(reason, [None] * len(matches))[at] = _bar(e, lang, largest)
            parts.setdefault(reason, [0.0] * len(matches))[at] = e.contribution or 0.0
    apart = sorted(cells, key=lambda r: (-(max(parts[r]) - min(parts[r])), r))
    criteria: dict[str, list[Criterion | None]] = {}
    for at, match in enumerate(matches):
        for c in () if match.city is None else match.city.criteria:
            criteria.setdefault(c.name, [None] * len(matches))[at] = c
    reasons = {r: Reason(label=REASON_NAMES[r][lang], cells=tuple(cells[r])) for r in apart}
    alike = [r for r in apart if len({_as_read(bar) for bar in cells[r]}) == 1]
    return {
        "columns": columns,
        "abstained": abstained(columns),
        "reasons": [reason for r, reason in reasons.items() if r not in alike],
        "alike": [reasons[r] for r in alike],
        "criteria": criteria,
    }


def _as_read(bar: Bar | None) -> tuple[object, ...] | None:
    """What a reader sees of a reason; a reason without a part and one of which nothing is known look alike."""
    if bar is None or bar.direction == "missing":
        return None
    return bar.direction, bar.partner_value, None if bar.value is None else round(bar.value, 2)


def name_in(names: Mapping[str, str | None], lang: Lang) -> str | None:
    """A name in the reader's language, else in the other."""
    return names.get(lang) or names.get("en" if lang == "vi" else "vi")


_SCRIPTS = (
    ("ko", "\u1100", "\u11ff"), ("ko", "\uac00", "\ud7af"), ("ja", "\u3040", "\u30ff"), ("zh", "\u3400", "\u9fff"),
    ("th", "\u0e00", "\u0e7f"), ("ru", "\u0400", "\u04ff"), ("ar", "\u0600", "\u06ff"), ("hi", "\u0900", "\u097f"),
)  # fmt: skip


def local_language(text: str | None, languages: Sequence[str] | None) -> str | None:
    """The language of a name in its own script, so that it is drawn with the right forms and read aloud rightly.

    Han characters are Japanese for a Japanese partner and Chinese otherwise; Latin script gives the country's
    first language.
    """
    if not text:
        return None
    script = next((code for code, low, high in _SCRIPTS if any(low <= c <= high for c in text)), None)
    spoken = [code.partition("-")[0] for code in languages or ()]
    if script == "zh" and "ja" in spoken:
        return "ja"
    return script or (spoken[0] if spoken else None)


def missing_facts(project: Mapping[str, Any]) -> list[str]:
    """Facts an investor asks for first that no source of ours gives for a project; keys of the template's words."""
    asked = ("value", "form", "area_ha", "description", "agency", "place", "announced_on", "green")
    known = {**project, "value": project["value_usd_min"] or project["value_usd_max"] or project["value_min"]}
    return [field for field in asked if known[field] is None]


def freshness(record: Mapping[str, Any], as_of: date) -> str:
    """How far a record's source may be relied on today: 'confirmed', 'old' or 'undated'."""
    on = record["source_on"]
    if on is None:
        return "undated"
    day = date.fromisoformat(on) if isinstance(on, str) else on
    return "old" if (as_of - day).days > STALE_DAYS else "confirmed"


def weak_points(project: Mapping[str, Any], as_of: date) -> list[str]:
    """What makes the record itself weak; keys of the template's words."""
    found = []
    if project["value_usd_estimated"]:
        found.append("estimated")
    fresh = freshness(project, as_of)
    if fresh != "confirmed":
        found.append(fresh)
    if project["name_vi_status"] == "translated":
        found.append("translated")
    if project["boundary"] == "old":
        found.append("boundary")
    return found
