"""A calibrated chance and how it is said: '1 in 12, 40 times the average candidate'."""

from dataclasses import dataclass
from typing import Any

from matcher.text import number


@dataclass(frozen=True, slots=True, kw_only=True)
class Probability:
    """Calibrated chance, in [0, 1], of a named outcome within a named horizon.

    Attributes:
        low, high: its 95 % interval.
        base_rate: the chance of a candidate taken at random, in the past that the chance was learned from.
    """

    value: float
    low: float
    high: float
    outcome: str
    horizon_days: int
    base_rate: float | None = None

    @property
    def one_in(self) -> float | None:
        """How many such pairs there are to one success, to two significant digits; None for a chance of 0."""
        return _reciprocal(self.value)

    @property
    def lift(self) -> float | None:
        """How many times the base rate, to two significant digits; None where there is none."""
        return float(f"{self.value / self.base_rate:.2g}") if self.base_rate else None

    def told(self, lang: str) -> str:
        """'1 in 12, 40 times the average candidate', for readers of `lang` ('vi' or 'en')."""
        said = _one_in(self.one_in, lang)
        if self.lift is None:
            return said
        lift = _plain(self.lift, lang)
        average = {"vi": f"gấp {lift} lần đối tác trung bình", "en": f"{lift} times the average candidate"}[lang]
        return f"{said}, {average}"

    def between(self, lang: str) -> str:
        """'between 1 in 18 and 1 in 9': the interval, the smaller chance first."""
        low, high = (_one_in(_reciprocal(p), lang) for p in (self.low, self.high))
        return {"vi": f"từ {low} đến {high}", "en": f"between {low} and {high}"}[lang]

    def to_json(self) -> dict[str, Any]:
        """The Probability object of the API, chances to six significant digits."""
        return {
            **{k: _digits(getattr(self, k)) for k in ("value", "low", "high")},
            "outcome": self.outcome, "horizon_days": self.horizon_days,
            "base_rate": _digits(self.base_rate), "lift": self.lift, "one_in": self.one_in,
        }  # fmt: skip


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _reciprocal(value: float) -> float | None:
    return float(f"{1 / value:.2g}") if value > 0 else None


def _one_in(n: float | None, lang: str) -> str:
    if n is None:
        return "0"
    return {"vi": "1 trên {}", "en": "1 in {}"}[lang].format(_plain(n, lang))


def _plain(value: float, lang: str) -> str:
    """A number of two significant digits with no more decimals than these need."""
    return number(value, lang, 0 if value >= 10 or value == int(value) else 1 if value >= 1 else 2)
