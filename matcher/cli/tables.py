"""Matches, explanations and lists as tables for the terminal, in Vietnamese or English, 80 to 120 columns wide."""

from collections.abc import Iterable, Sequence
from datetime import date
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from matcher.city import CitySide
from matcher.jobs.sheets import name
from matcher.matching.city_labels import CITY_NAMES
from matcher.matching.contrast import INVISIBLE, MISSING, Explanation
from matcher.matching.labels import KIND_NAMES
from matcher.records import Evidence, Match, MatchList
from matcher.text import day, number

OUTCOMES = {"yes": ("▲", "green"), "no": ("▼", "red"), "unknown": ("?", "yellow")}
MARKS = {"for": ("▲", "green"), "against": ("▼", "red"), "missing": ("?", "yellow")}
SHOWN = {"for": 2, "against": 1, "missing": 1}
"""How many pieces of evidence a line of a match list shows; `explain` shows all."""

WORDS = {
    "vi": {
        "partner": "Đối tác", "project": "Dự án", "probability": "Xác suất", "why": "Vì sao", "candidates": "hồ sơ",
        "as_of": "tính đến", "engine": "phiên bản mô hình", "note": "Lưu ý",
        "none": "Không có kết quả nào cho câu hỏi này.",
        "thin": "chưa đủ dữ liệu", "within": "trong {days} ngày", "score": "điểm", "feature": "Yếu tố",
        "contribution": "Đóng góp", "source": "Nguồn", "for": "Thuận lợi", "against": "Bất lợi",
        "missing": "Chưa biết", "next_one": "So với đối tác kế tiếp: {name}", "other": "So với {name}",
        "city": "Thành phố cần gì", "city_known": "đã biết {known} trên {of} tiêu chí", "rule": "Căn cứ",
        "criterion": "Tiêu chí", "on_record": "Đã ghi nhận",
        "last": "Không có đối tác kế tiếp để so sánh.", "derived": "suy ra từ nhiều bản ghi",
        "this": "Đối tác này", "next": "Bên kia", "difference": "Chênh lệch",
        "of": "Hiện {shown} trong {candidates} hồ sơ",
    },
    "en": {
        "partner": "Partner", "project": "Project", "probability": "Probability", "why": "Why",
        "candidates": "candidates", "as_of": "as of", "engine": "engine", "note": "Note",
        "none": "Nothing was found for this question.", "thin": "too little data", "within": "within {days} days",
        "score": "score", "feature": "Factor", "contribution": "Contribution", "source": "Source",
        "for": "For", "against": "Against", "missing": "Not known", "next_one": "Compared with the next: {name}",
        "other": "Compared with {name}", "city": "What the city looks for", "rule": "Rule", "criterion": "Criterion",
        "city_known": "{known} of {of} criteria known", "on_record": "On record",
        "last": "There is no next candidate to compare with.", "derived": "derived from several records",
        "this": "This one", "next": "The other", "difference": "Difference",
        "of": "{shown} of {candidates} candidates shown",
    },
}  # fmt: skip


def kind(code: str, lang: str) -> str:
    """A partner kind as readers of `lang` call it."""
    vi, en = KIND_NAMES[code]
    return vi if lang == "vi" else en


def match_list(found: MatchList, lang: str, asked: str) -> RenderableType:
    """A match list: what was asked of how many as of when, one block per match, and the notes."""
    words = WORDS[lang]
    parts: list[RenderableType] = [Text(asked, style="bold")]
    abstained = {m.abstained[lang] for m in found.matches if m.abstained}
    # Said once below the table where it is the same for all.
    alike = len(abstained) == 1 and all(m.probability is None for m in found.matches)
    if found.matches:
        parts.append(_matches(found, lang, probability=not alike))
    else:
        parts.append(Padding(Text(words["none"]), (1, 0)))
    if found.ahead is not None:
        parts.append(Text(found.ahead[lang]))
    if alike:
        parts.append(Text(f"{words['probability']}: – {abstained.pop()}", style="dim"))
    shown = words["of"].format(
        shown=number(len(found.matches), lang), candidates=number(found.candidates, lang)
    )  # the reader must see of how many
    parts.append(
        Text(f"{shown} · {words['as_of']} {day(found.as_of, lang)} · {words['engine']} {found.engine}", style="dim")
    )
    parts += [Text(f"{words['note']}: {note[lang]}", style="yellow") for note in found.notes]
    return Group(*parts)


def _matches(found: MatchList, lang: str, *, probability: bool) -> Table:
    words = WORDS[lang]
    one_project = len({m.project_id for m in found.matches}) == 1 and found.query.partner_id is None
    one_partner = found.query.partner_id is not None
    table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("#", justify="right", no_wrap=True, width=3)
    if not one_partner:
        table.add_column(words["partner"], ratio=4, overflow="fold")
    if one_partner or not one_project:
        table.add_column(words["project"], ratio=4, overflow="fold")
    if probability:
        table.add_column(words["probability"], width=18, overflow="fold")
    table.add_column(words["why"], ratio=6, overflow="fold")
    for match in found.matches:
        cells: list[RenderableType] = [Text(str(match.rank))]
        if not one_partner:
            cells.append(_partner(match, lang))
        if one_partner or not one_project:
            cells.append(_two_lines(name(match, lang), match.project_id))
        if probability:
            cells.append(_chance(match, lang))
        table.add_row(*cells, Text("\n").join([_why(match.evidence, lang), *_city_lines(match, lang)]))
    return table


def _partner(match: Match, lang: str) -> Text:
    about = " · ".join(part for part in (match.partner_country, kind(match.partner_kind, lang)) if part)
    return _two_lines(match.partner_name, f"{about}\n{match.partner_id}")


def _two_lines(first: str, second: str) -> Text:
    return Text.assemble((first, "bold"), "\n", (second, "dim"))


def _chance(match: Match, lang: str) -> Text:
    if match.probability is None:
        reason = match.abstained[lang] if match.abstained else WORDS[lang]["thin"]
        return Text(f"– {reason}", style="dim")
    p = match.probability
    within = WORDS[lang]["within"].format(days=number(p.horizon_days, lang))
    return Text.assemble((p.told(lang), "bold"), "\n", (f"{p.between(lang)}\n{within}", "dim"))


def _why(evidence: Iterable[Evidence], lang: str) -> Text:
    left = dict(SHOWN)
    lines = []
    for piece in strongest(evidence):
        if left[piece.direction] > 0:
            left[piece.direction] -= 1
            mark, style = MARKS[piece.direction]
            value = "" if piece.direction == "missing" else f" {_short(piece.partner_value[lang])}"
            lines.append(Text.assemble((f"{mark} ", style), piece.statement[lang], (value, "dim")))
    return Text("\n").join(lines)


def strongest(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Evidence for, then against, then missing; the larger contribution first, sums of what is missing last."""
    order = list(MARKS)

    def place(e: Evidence) -> tuple[int, float]:
        size = abs(e.contribution or 0.0)
        return order.index(e.direction), size if e.direction == "missing" else -size

    return sorted(evidence, key=place)


def _short(value: str) -> str:
    return value if len(value) <= 60 else value[:59].rstrip() + "…"


def explanation(told: Explanation, lang: str) -> RenderableType:
    """One match with all its evidence as bars, and what sets it apart from the one it is compared with."""
    words, match = WORDS[lang], told.match
    chance = (
        f"{match.probability.told(lang)} ({match.probability.between(lang)})"
        if match.probability
        else (match.abstained[lang] if match.abstained else words["thin"])
    )
    about = [match.partner_country or "", kind(match.partner_kind, lang), match.partner_id]
    parts: list[RenderableType] = [
        Text.assemble((match.partner_name, "bold"), "  ", (" · ".join(a for a in about if a), "dim")),
        Text.assemble((name(match, lang), "bold"), "  ", (match.project_id, "dim")),
        Text(
            f"{words['score']} {number(match.score, lang, 2)} · {words['probability'].lower()}: {chance} · "
            f"{words['as_of']} {day(match.as_of, lang)} · {words['engine']} {match.engine}",
            style="dim",
        ),
    ]
    pieces = strongest(match.evidence)
    largest = max((abs(e.contribution or 0.0) for e in pieces), default=0.0) or 1.0
    for direction in MARKS:
        chosen = [e for e in pieces if e.direction == direction]
        if chosen:
            parts += [
                Text(""),
                Text(words[direction], style=f"bold {MARKS[direction][1]}"),
                _evidence(chosen, lang, largest),
            ]
    if match.city is not None:
        parts += [Text(""), Text(words["city"], style="bold"), _city(match.city, lang)]
    parts.append(Text(""))
    if told.ahead is not None:
        parts += [Text(told.ahead[lang]), Text("")]
    if told.following is None or told.sentence is None:
        parts.append(Text(words["last"], style="dim"))
    else:
        title = words["other" if told.chosen else "next_one"].format(name=told.following.partner_name)
        parts += [Text(title, style="bold"), Text(told.sentence[lang]), _contrast(told, lang)]
    return Group(*parts)


def _origin(source: str | None, on: date | None, lang: str) -> Text:
    """Where a value comes from: the first publisher's host, which a terminal opens, and the day."""
    first = (source or WORDS[lang]["derived"]).split(" ; ")[0]
    host = urlsplit(first).hostname if first.startswith(("http://", "https://")) else None
    shown = Text(host or first, style=f"dim link {first}" if host else "dim")
    return shown if on is None else Text.assemble(shown, (f", {day(on, lang)}", "dim"))


def _city_lines(match: Match, lang: str) -> list[Text]:
    """The city's side below the reasons of a list: what stops the pair, else which criteria are met."""
    side = match.city
    if side is None:
        return []
    if side.gate.state == "stop":
        return [Text(f"■ {side.gate.statement[lang]}", style="bold red")]
    marked = [f"{OUTCOMES[c.outcome][0]} {CITY_NAMES[c.name][lang]}" for c in side.criteria]
    return [Text(f"{WORDS[lang]['city']}: {' · '.join(marked)}", style="dim")]


def _city(side: CitySide, lang: str) -> RenderableType:
    """Every criterion of the city with the rule and the fact, the figure, and the gate."""
    words = WORDS[lang]
    table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("", width=1)
    table.add_column(words["criterion"], ratio=5, overflow="fold")
    table.add_column(words["on_record"], ratio=3, overflow="fold")
    table.add_column(words["rule"], ratio=4, overflow="fold")
    for c in side.criteria:
        mark, style = OUTCOMES[c.outcome]
        fact = Text(c.value[lang])
        if c.source is not None:
            fact = Text.assemble(fact, "\n", _origin(c.source, c.on, lang))
        rule = Text.assemble(c.rule[lang], "\n", _origin(c.rule_source, c.rule_on, lang))
        table.add_row(Text(mark, style=style), Text(c.statement[lang]), fact, rule)
    figure = "–" if side.value is None else number(side.value, lang, 2)
    known = words["city_known"].format(known=side.known, of=len(side.criteria))
    stopped = side.gate.state == "stop"
    gate = Text(f"■ {side.gate.statement[lang]}" if stopped else side.gate.statement[lang])
    gate.stylize("bold red" if stopped else "dim")
    if stopped:
        gate = Text.assemble(gate, " ", _origin(side.gate.source, side.gate.on, lang))
    return Group(Text(f"{figure} · {known}", style="dim"), table, gate)


def _contrast(told: Explanation, lang: str) -> Table:
    """Reason by reason, what this candidate and the one it is compared with got; the largest difference first."""
    words = WORDS[lang]
    largest = max((abs(d.gap) for d in told.contrast), default=0.0) or 1.0
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column(words["feature"], overflow="fold")
    for heading in (words["this"], words["next"], words["difference"]):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", width=9, no_wrap=True)
    for one in told.contrast:
        gap = one.gap
        if abs(gap) < INVISIBLE:
            continue
        drawn = Text("█" * max(1, round(8 * abs(gap) / largest)), style=MARKS["for" if gap >= 0 else "against"][1])
        bar = Text("?") if one.reason == MISSING else drawn  # what gaps received is for neither
        numbers = (_signed(v, lang) for v in (one.first, one.second, gap))
        table.add_row(Text(one.label[lang]), *numbers, bar)
    return table


def _signed(value: float, lang: str) -> str:
    return f"{value:+.2f}".replace(".", "," if lang == "vi" else ".")


def _evidence(pieces: Sequence[Evidence], lang: str, largest: float) -> Table:
    words = WORDS[lang]
    table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("", width=1)
    table.add_column(words["why"], ratio=5, overflow="fold")
    table.add_column(words["project"], ratio=3, overflow="fold")
    table.add_column(words["partner"], ratio=3, overflow="fold")
    table.add_column(words["contribution"], width=16, no_wrap=True)
    for piece in pieces:
        mark, style = MARKS[piece.direction]
        bar = Text("–", style="dim")
        if piece.contribution is not None:
            length = max(1, round(8 * abs(piece.contribution) / largest))
            bar = Text.assemble(("█" * length, style), f" {_signed(piece.contribution, lang)}")
        table.add_row(
            Text(mark, style=style),
            Text.assemble(piece.statement[lang], "\n", _origin(piece.source, piece.on, lang)),
            Text(piece.project_value[lang]),
            Text(piece.partner_value[lang]),
            bar,
        )
    return table


def plain(headings: Sequence[str], lines: Iterable[Sequence[Any]]) -> Table:
    """A small table of text; null cells are a dash."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*(Text("–" if cell is None else str(cell)) for cell in line))
    return table


def as_text(value: RenderableType, width: int = 100) -> str:
    """A table as plain text without colours, for a file."""
    out = StringIO()
    Console(file=out, width=width, color_system=None, force_terminal=False, highlight=False).print(value)
    return out.getvalue()
