"""Why one partner is ahead of another for the same project: the score's difference, reason by reason."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from matcher.matching.explain import SHOW, reasons_of
from matcher.matching.labels import MISSING_INFORMATION, REASON_NAMES, UNKNOWN, Both
from matcher.matching.pairs import Block, Feature
from matcher.records import Match

Floats = npt.NDArray[np.float64]

MISSING = "missing_information"
NAMED = 3
"""How many reasons the sentence about two partners names."""

INVISIBLE = 0.005
"""A smaller difference would be printed as 0.00 and is left out."""

SMALL = 0.05
"""A reason whose difference is a smaller share of all differences than this is not named in the sentence."""


AHEAD: Both = {
    "vi": "{ahead} xếp trên {behind} nhờ: {better}.",
    "en": "{ahead} is ahead of {behind} by: {better}.",
}
MIXED: Both = {
    "vi": "{ahead} xếp trên {behind} nhờ: {better}; kém hơn về: {worse}.",
    "en": "{ahead} is ahead of {behind} by: {better}; it is behind in: {worse}.",
}
LEVEL: Both = {
    "vi": "{ahead} và {behind} ngang điểm; thứ tự theo mã.",
    "en": "{ahead} and {behind} have the same score; they are ordered by identifier.",
}
BY_GAPS: Both = {
    "vi": "{ahead} xếp trên {behind} chỉ do cách tính phần thông tin còn thiếu: thứ tự này ít ý nghĩa.",
    "en": "{ahead} is ahead of {behind} only by what missing information got: this order means little.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One reason's part in the first pair's score and in the second's; 0 where it plays no part.

    `first_value` and `second_value` are what is on record of the two partners; where nothing is, such as would tell
    them apart, the side is not known, and the difference says nothing of which of the two is better.
    """

    reason: str
    first: float
    second: float
    first_value: Both
    second_value: Both
    first_known: bool = True
    second_known: bool = True

    @property
    def gap(self) -> float:
        """How far the reason sets the first ahead; negative where it sets it back."""
        return self.first - self.second

    @property
    def label(self) -> Both:
        """Name of the reason."""
        return MISSING_INFORMATION if self.reason == MISSING else REASON_NAMES[self.reason]

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        """The row of the API; values in `lang`."""
        return {
            "reason": self.reason, "label": dict(self.label), "first": round(self.first, 6),
            "second": round(self.second, 6), "difference": round(self.gap, 6),
            "first_value": self.first_value[lang], "second_value": self.second_value[lang],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A scored pair: partner `block.rows[0]` with its features (n_features,), NaN = unknown, and contributions."""

    block: Block
    x: Floats
    parts: Floats


def contrast(first: Side, second: Side, features: Sequence[Feature]) -> tuple[Difference, ...]:
    """Why the first pair is ahead of the second, largest difference first.

    What unknown features contributed is for neither and stands apart, as the last row, `missing_information`.

    Returns:
        one row per reason that plays a part; the differences sum to the difference of the scores.
    """
    rows = []
    for reason in reasons_of(features):
        columns = np.array([f.reason == reason for f in features])
        one, two = (float(s.parts[:-1][columns & ~np.isnan(s.x)].sum()) for s in (first, second))
        if one or two:
            values = [SHOW[reason](s.block, 0).partner for s in (first, second)]
            known = [not bool(np.isnan(s.x[columns]).all()) for s in (first, second)]
            rows.append(
                Difference(
                    reason=reason, first=one, second=two, first_value=values[0], second_value=values[1],
                    first_known=known[0], second_known=known[1],
                )
            )  # fmt: skip
    rows.sort(key=lambda r: (-abs(r.gap), r.reason))
    one, two = (float(s.parts[:-1][np.isnan(s.x)].sum()) for s in (first, second))
    if one or two:
        rows.append(Difference(reason=MISSING, first=one, second=two, first_value=UNKNOWN, second_value=UNKNOWN))
    return tuple(rows)


def sentence(rows: Sequence[Difference], ahead: str, behind: str) -> Both:
    """Why one partner stands above another, in one sentence of each language.

    Args:
        rows: the contrast of the two, the one who is ahead first.
        ahead, behind: their names.
    """
    known = [r for r in rows if r.reason != MISSING]
    least = SMALL * sum(abs(r.gap) for r in rows)
    better = [r for r in known if r.gap > least][:NAMED]
    worse = [r for r in known if r.gap < -least][:NAMED]
    if sum(r.gap for r in rows) <= 0:
        texts = LEVEL
    elif sum(r.gap for r in known) <= 0:
        texts = BY_GAPS
    else:
        texts = MIXED if worse else AHEAD
    return {
        lang: text.format(ahead=ahead, behind=behind, better=_names(better, lang), worse=_names(worse, lang))
        for lang, text in texts.items()
    }


def _names(rows: Sequence[Difference], lang: str) -> str:
    return ", ".join(r.label[lang] for r in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything behind one match, and what sets it apart from another partner of the project.

    Attributes:
        ahead: why the first of the project's list is ahead of this partner; None for the first itself.
        base: part of the score that no feature carries; base, reasons and missing information sum to the score.
        following: the partner it is compared with: the next candidate, or the `chosen` one; None for the last one.
        chosen: somebody asked to compare with `following`, which may stand anywhere in the list.
    """

    match: Match
    base: float
    ahead: Both | None
    following: Match | None
    contrast: tuple[Difference, ...]
    chosen: bool = False

    @property
    def sentence(self) -> Both | None:
        """Who of the two is ahead and why; None without another partner."""
        if self.following is None:
            return None
        if self.match.score >= self.following.score:
            ahead, behind, rows = self.match, self.following, self.contrast
        else:
            turned = (replace(d, first=d.second, second=d.first) for d in self.contrast)
            ahead, behind, rows = self.following, self.match, tuple(turned)
        return sentence(rows, ahead.partner_name, behind.partner_name)

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        """The explanation object of the API and of `--format json`."""
        other = None if self.following is None else self.following.to_json(lang)
        return {
            "match": self.match.to_json(lang),
            "base": round(self.base, 6),
            "ahead": None if self.ahead is None else dict(self.ahead),
            "next": None if self.chosen else other,
            "against": other if self.chosen else None,
            "sentence": None if self.sentence is None else dict(self.sentence),
            "contrast": [d.to_json(lang) for d in self.contrast],
        }
