"""What a reader sees of a record: names in both languages, amounts, deals and their sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from matcher.matching.labels import ROLE_NAMES, UNKNOWN, Both
from matcher.matching.pairs import Block
from matcher.text import money_usd

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a reader sees of both sides for one reason; `source` and `on` name the record behind it."""

    project: Both
    partner: Both
    source: str | None = None
    on: date | None = None


def both(value: object) -> Both:
    """The same text in both languages."""
    text = str(value)
    return {"vi": text, "en": text}


def named(pairs: Sequence[tuple[str, str]]) -> Both:
    """(Vietnamese, English) names one after the other; the word for unknown when there is none."""
    if not pairs:
        return UNKNOWN
    return {"vi": "; ".join(vi for vi, _ in pairs), "en": "; ".join(en for _, en in pairs)}


def usd(value: float) -> Both:
    """An amount of US dollars in millions."""
    return {"vi": money_usd(value, "vi"), "en": money_usd(value, "en")}


def partner_source(block: Block, i: int) -> dict[str, Any]:
    """Source and day of the record of partner i."""
    record = block.partners.records[int(block.rows[i])]
    return {"source": record["source"], "on": record["source_on"]}


def project_source(block: Block) -> dict[str, Any]:
    """Source and day of the project's record."""
    return {"source": block.record["source"], "on": block.record["source_on"]}


def division_names(weights: Floats, block: Block, *, estimated: bool) -> Both:
    """The heaviest ISIC divisions, three at most; marked where they were read out of a text."""
    sectors = block.partners.sectors
    codes = list(sectors.divisions)
    columns = np.argsort(-weights, kind="stable")[:3]
    told = named([sectors.names[codes[int(c)]] for c in columns if weights[c] > 0])
    return {lang: f"≈ {words}" for lang, words in told.items()} if estimated else told


def deals_of(block: Block, i: int) -> list[int]:
    """Counted deals of partner i, those nearest to the project's sector and text first."""
    row = int(block.rows[i])
    return list(block.kept(("deals", row), lambda: _deals_of(block, row)))


def _deals_of(block: Block, row: int) -> list[int]:
    places = np.flatnonzero(block.history.partner[block.deals] == row)
    order = np.lexsort((places, -block.deal_text[places], -block.deal_sector[places]))
    own: list[int] = block.deals[places[order]].tolist()
    return own


def deal_line(block: Block, deal: int) -> tuple[str, str]:
    """A deal in Vietnamese and English: project, role, year."""
    project = block.projects.records[int(block.history.project[deal])]
    closed = block.history.records[deal]["closed_on"]
    year = closed.year if isinstance(closed, date) else None
    vi, en = project["name_vi"] or project["name_en"], project["name_en"] or project["name_vi"]
    role = ROLE_NAMES[str(block.history.records[deal]["role"])]
    return f"{vi} ({role['vi']}, {year or 'chưa rõ năm'})", f"{en} ({role['en']}, {year or 'year unknown'})"
