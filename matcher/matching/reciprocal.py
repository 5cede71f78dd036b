"""The city's side of a pair: what its published rules look for in a partner, answered from facts on record.

Rules are rows of `investor_criteria`, read by the word in their column `criterion`; a rule that is not there asks
nothing. What no fact answers is unknown: no list of ours is complete, so that absence never becomes a no.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from matcher.city import CitySide, Criterion, Gate, outcome
from matcher.matching.city_labels import CITY_NAMES, CITY_STATEMENTS, GATE_STATEMENTS, INSTRUMENTS
from matcher.matching.labels import SIZE_NAMES, UNKNOWN, Both
from matcher.matching.pairs import Block
from matcher.matching.shown import deal_line, deals_of, division_names, partner_source, project_source, usd
from matcher.matching.sides import SIZE_USD

FIELD = "priority field"
EXPERIENCE = "experience of a similar project"
TECHNOLOGY = "advanced technology"
BRANCHES = "high-technology branches"
ENVIRONMENT = "environmental protection"
EQUITY = "minimum equity share"
BARRED = "barred country"
STOPPED = "stopped partner"
READ = (FIELD, EXPERIENCE, TECHNOLOGY, BRANCHES, ENVIRONMENT, EQUITY, BARRED, STOPPED)
"""Words of the column `criterion` that are read here; rows with other words inform people."""

VND_PER_USD = 26_362
"""To compare a dollar amount with a threshold in dong. Source: VND30,000bn printed as US$1.138bn on 2025-12-11
(`res98-industrial-zone-minimum`)."""

SHARE = r"^(\d+(?:\.\d+)?) ?%"
"""How a row of `EQUITY` starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row of the table of criteria: what it is called, where and when it was read, and what it says."""

    name: Both
    source: str
    on: date | None
    sector: str | None
    value: str
    floor: float | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Rule":
        """The rule of a row; `floor` is its amount."""
        printed = str(row["instrument"] or row["criterion_id"])
        return cls(
            name={"vi": INSTRUMENTS.get(printed, printed), "en": printed}, source=row["source"], on=row["source_on"],
            sector=row["sector"], value=row["value"],
            floor=None if row["value_min"] is None else float(row["value_min"]),
        )  # fmt: skip


Answer = tuple[Rule, float | None, Both, str | None, date | None]
"""Rule, grade, what is on record, its source and day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of a day, by the word of their column `criterion`, and the names of the city's sectors."""

    rules: Mapping[str, tuple[Rule, ...]]
    sectors: Mapping[str, Both]

    @classmethod
    def of(cls, criteria: pl.DataFrame, city_sectors: pl.DataFrame) -> "Policy":
        """Reads the table `investor_criteria`, in the order of its identifiers."""
        rows = criteria.sort("criterion_id").to_dicts()
        return cls(
            rules={w: tuple(Rule.of(r) for r in rows if r["criterion"] == w) for w in READ},
            sectors={r["sector"]: {"vi": r["name_vi"], "en": r["name_en"]} for r in city_sectors.iter_rows(named=True)},
        )

    def side(self, block: Block, i: int) -> CitySide | None:
        """The city's side of the project and partner i of the block; None where its rules do not reach.

        They reach projects in Viet Nam that are not past.
        """
        if block.record["country"] != "VN" or block.record["status"] == "past":
            return None
        criteria = []
        for name in CITY_NAMES:
            answer = _ASK[name](self, block, i)
            if answer is not None:
                rule, grade, value, source, on = answer
                criteria.append(Criterion(
                    name=name, grade=grade, statement=CITY_STATEMENTS[name][outcome(grade)], value=value,
                    source=source, on=on, rule=rule.name, rule_source=rule.source, rule_on=rule.on,
                ))  # fmt: skip
        return CitySide(criteria=tuple(criteria), gate=self._gate(block, i)) if criteria else None

    def _gate(self, block: Block, i: int) -> Gate:
        record = block.partners.records[int(block.rows[i])]
        listed = {"partner": (STOPPED, {record["partner_id"]}),
                  "country": (BARRED, {record["country"], record["origin_country"]})}  # fmt: skip
        for why, (word, names) in listed.items():
            for rule in self.rules[word]:
                if rule.value in names:
                    return Gate(state="stop", statement=GATE_STATEMENTS[why], source=rule.source, on=rule.on)
        return Gate(
            state="not_screened", statement=GATE_STATEMENTS["not_listed" if self.rules[STOPPED] else "not_screened"]
        )

    def _first(self, word: str) -> Rule | None:
        return next(iter(self.rules[word]), None)


def _field(policy: Policy, block: Block, _: int) -> Answer | None:
    """The project's sector is one of those named; no list of ours is complete, so that none is ruled out."""
    named = {r.sector: r for r in policy.rules[FIELD]}
    if not named:
        return None
    sector = str(block.record["sector"])
    rule, value, source = named.get(sector), policy.sectors.get(sector, UNKNOWN), project_source(block)
    return rule or policy.rules[FIELD][0], None if rule is None else 1.0, value, source["source"], source["on"]


def _experience(policy: Policy, block: Block, i: int) -> Answer | None:
    """A deal that came about, on another project of the same ISIC division."""
    rule = policy._first(EXPERIENCE)
    if rule is None:
        return None
    similar = [d for d in deals_of(block, i) if block.deal_sector[block.place(d)] > 0]
    if not similar:
        return rule, None, UNKNOWN, None, None
    vi, en = deal_line(block, similar[0])
    record = block.history.records[similar[0]]
    on = record["source_on"]
    return rule, 1.0, {"vi": vi, "en": en}, str(record["source"]), on if isinstance(on, date) else None


def _technology(policy: Policy, block: Block, i: int) -> Answer | None:
    """A branch of high technology by its code; a branch that was read out of words is not taken for one."""
    rule, branches = policy._first(TECHNOLOGY), policy._first(BRANCHES)
    if rule is None or branches is None:
        return None
    row, codes = int(block.rows[i]), block.partners.sectors.divisions
    high = [codes[d] for d in branches.value.split("|") if d in codes]
    own = np.zeros_like(block.partners.divisions[row])
    own[high] = block.partners.divisions[row][high]
    if block.partners.estimated[row] or not own.any():
        return rule, None, UNKNOWN, None, None
    source = partner_source(block, i)
    return rule, 1.0, division_names(own, block, estimated=False), source["source"], source["on"]


def _environment(policy: Policy, block: Block, i: int) -> Answer | None:
    """The partner's green mark, which is empty where nobody said anything."""
    rule = policy._first(ENVIRONMENT)
    if rule is None:
        return None
    mark = block.partners.records[int(block.rows[i])]["green"]
    if mark is None:
        return rule, None, UNKNOWN, None, None
    source = partner_source(block, i)
    value = {"vi": "xanh", "en": "green"} if mark else {"vi": "không xanh", "en": "not green"}
    return rule, float(bool(mark)), value, source["source"], source["on"]


def _equity(policy: Policy, block: Block, i: int) -> Answer | None:
    """Asked of strategic investors only: the class of market value lies above, below or across the equity needed."""
    if block.record["form"] != "strategic_investor" or not policy.rules[EQUITY]:
        return None
    dollars = float(block.projects.value_usd[block.project])
    rule = _bracket(policy, block.record, dollars)
    if rule is None:
        return policy.rules[EQUITY][0], None, UNKNOWN, None, None
    share = re.match(SHARE, rule.value or "")
    if share is None:
        return rule, None, UNKNOWN, None, None
    needed = dollars * float(share[1]) / 100
    size = str(block.partners.records[int(block.rows[i])]["size"] or "").lower()
    if size not in SIZE_USD:
        return rule, None, UNKNOWN, None, None
    low = SIZE_USD[size]
    high = min((v for v in SIZE_USD.values() if v > low), default=np.inf)
    grade = 1.0 if low >= needed else 0.0 if high <= needed else None
    asked, source = usd(needed), partner_source(block, i)
    value = {
        "vi": f"{SIZE_NAMES[size]['vi']}; cần ≈ {asked['vi']}",
        "en": f"{SIZE_NAMES[size]['en']}; needed ≈ {asked['en']}",
    }
    return rule, grade, value, source["source"], source["on"]


def _bracket(policy: Policy, project: Mapping[str, Any], dollars: float) -> Rule | None:
    """The share for a project of this size; None where its value is not known."""
    if np.isnan(dollars):
        return None
    dong = dollars * VND_PER_USD
    if project["value_currency"] == "VND":
        known = [float(v) for v in (project["value_min"], project["value_max"]) if v is not None]
        dong = sum(known) / len(known) if known else dong
    reached = [r for r in policy.rules[EQUITY] if r.floor is not None and r.floor <= dong]
    return max(reached, key=lambda r: r.floor or 0.0, default=None)


_ASK: Mapping[str, Callable[[Policy, Block, int], Answer | None]] = {
    "field": _field, "experience": _experience, "technology": _technology, "environment": _environment,
    "equity": _equity,
}  # fmt: skip
