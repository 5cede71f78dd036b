"""What the city looks for in a partner, as it stands beside a match: criteria that are met, not met or not known."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

NEUTRAL = 0.5
"""What a criterion counts of which nothing is known, and a city's side of which too little is."""

LEAST_KNOWN = 2
"""With fewer known criteria there is no figure."""

GateState = Literal["stop", "not_screened"]
Outcome = Literal["yes", "no", "unknown"]


def outcome(grade: float | None) -> Outcome:
    """What a grade says."""
    return "unknown" if grade is None else "yes" if grade > 0 else "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One thing that the city looks for, with the rule that says so and the fact that answers it.

    Attributes:
        name: key of the criterion.
        grade: 1 met, 0 not met, in [0, 1]; None: not known, which is neither.
        statement, value: the outcome as a sentence, and what is on record; 'vi' and 'en'.
        source, on: the record behind the value; None where nothing is known or several stand behind it.
        rule: name of the instrument, 'vi' and 'en'; rule_source, rule_on: where it was read.
    """

    name: str
    grade: float | None
    statement: Mapping[str, str]
    value: Mapping[str, str]
    source: str | None
    on: date | None
    rule: Mapping[str, str]
    rule_source: str
    rule_on: date | None

    @property
    def outcome(self) -> Outcome:
        """Whether the criterion is met."""
        return outcome(self.grade)

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        """The criterion of the API; the value in `lang`."""
        return {
            "criterion": self.name,
            "grade": self.grade,
            "statement": dict(self.statement),
            "value": self.value[lang],
            "source": self.source,
            "on": None if self.on is None else self.on.isoformat(),
            "rule": {
                "name": dict(self.rule),
                "source": self.rule_source,
                "on": None if self.rule_on is None else self.rule_on.isoformat(),
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Whether something on record stops the pair until somebody has checked; nobody is removed by it."""

    state: GateState
    statement: Mapping[str, str]
    source: str | None = None
    on: date | None = None

    def to_json(self) -> dict[str, Any]:
        """The gate of the API."""
        return {
            "state": self.state,
            "statement": dict(self.statement),
            "source": self.source,
            "on": None if self.on is None else self.on.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CitySide:
    """Would the city want this partner for this project: the criteria that its rules give, and the gate."""

    criteria: tuple[Criterion, ...]
    gate: Gate

    @property
    def known(self) -> int:
        """How many criteria are known."""
        return sum(c.grade is not None for c in self.criteria)

    @property
    def value(self) -> float | None:
        """Mean grade in [0, 1], an unknown criterion counting ½; None where fewer than two are known."""
        if self.known < LEAST_KNOWN:
            return None
        return sum(NEUTRAL if c.grade is None else c.grade for c in self.criteria) / len(self.criteria)

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        """The `city` object of a match."""
        return {
            "value": None if self.value is None else round(self.value, 4),
            "known": self.known,
            "of": len(self.criteria),
            "gate": self.gate.to_json(),
            "criteria": [c.to_json(lang) for c in self.criteria],
        }


def combined(percentile: float, side: CitySide | None) -> float:
    """Would the partner come, times would the city want it, in [0, 1].

    Args:
        percentile: place of the pair among the candidates by the partner's side, 1 for the first.
        side: the city's side; without a figure it counts `NEUTRAL`, and a stop makes the whole 0.

    Source: our choice, docs/matching.md.
    """
    if side is None:
        return percentile * NEUTRAL
    if side.gate.state == "stop":
        return 0.0
    return percentile * (NEUTRAL if side.value is None else side.value)
