"""A fixed set of pairs that every fit scores, so that an engine can be compared with the one before it.

The rule: the 20 projects whose identifiers have the smallest sha256, and for each the 10 partners for which that of
"project partner" is smallest. It depends on identifiers alone, so that new records replace few of the pairs.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from matcher.matching.calibrate import Calibrator
from matcher.matching.corpus import Corpus
from matcher.matching.features import compute
from matcher.matching.kernel import Kernel
from matcher.matching.pairs import Block
from matcher.matching.rank import Ranker
from matcher.matching.retrieve import LexicalIndex

FILE = "anchors.json"
PROJECTS, PARTNERS = 20, 10

MIN_PAIRS = 20
"""Common pairs below which two engines are not compared. Source: our choice."""

Anchors = Mapping[tuple[str, str], tuple[float, float | None]]
"""(project, partner) -> score, and the chance if the partner were of the field; None where the engine abstains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How an engine differs from another on the pairs that both scored.

    Attributes:
        pairs: how many.
        rank_correlation: Spearman's, of the scores.
        score_shift: mean of the later score less the earlier one, in points.
        chance_ratio: geometric mean of the later chance over the earlier one; None where either engine abstains.
    """

    before: str
    pairs: int
    rank_correlation: float
    score_shift: float
    chance_ratio: float | None

    def to_json(self) -> dict[str, Any]:
        """The comparison as the command line prints it."""
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}


def chosen(projects: Sequence[str], partners: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The pairs of the rule: each project with its partners."""
    return [
        (project, sorted(partners, key=lambda partner: (_lot(f"{project} {partner}"), partner))[:PARTNERS])
        for project in sorted(projects, key=lambda project: (_lot(project), project))[:PROJECTS]
    ]


def _lot(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def score(corpus: Corpus, ranker: Ranker, kernel: Kernel, calibrator: Calibrator) -> Anchors:
    """The pairs of the rule under a ranker, as known on the day of the facts."""
    snapshot, lexical = corpus.snapshot(corpus.facts.as_of), LexicalIndex(corpus.partner_texts)
    rows, numbers = snapshot.projects.row_of, snapshot.partners.row_of
    found: dict[tuple[str, str], tuple[float, float | None]] = {}
    for project, partners in chosen(list(rows), list(numbers)):
        block = Block(
            project=rows[project], rows=np.arange(len(numbers)), snapshot=snapshot,
            lexical=lexical.scores(corpus.words(rows[project])), kernel=kernel,
        )  # fmt: skip
        scores = ranker.score(compute(block))
        field = calibrator.field(scores)
        for partner in partners:
            own = float(scores[numbers[partner]])
            found[project, partner] = (own, calibrator.chance(own, field))
    return found


def write(anchors: Anchors, folder: Path) -> None:
    """Writes the pairs, one a line, into an artefact folder."""
    lines = [json.dumps([*pair, *told], ensure_ascii=False) for pair, told in sorted(anchors.items())]
    (folder / FILE).write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def read(folder: Path) -> Anchors:
    """The pairs of an artefact folder; none where the engine is older than they are."""
    if not (folder / FILE).is_file():
        return {}
    told = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return {(project, partner): (score, chance) for project, partner, score, chance in told}


def compare(before: str, earlier: Anchors, later: Anchors) -> Shift | None:
    """The later engine against the earlier one, named `before`; None with fewer than `MIN_PAIRS` common pairs."""
    both = sorted(set(earlier) & set(later))
    if len(both) < MIN_PAIRS:
        return None
    one, two = (np.array([told[pair][0] for pair in both]) for told in (earlier, later))
    ratios = [np.log(b / a) for a, b in ((earlier[p][1], later[p][1]) for p in both) if a and b]
    level = bool(np.ptp(one) == 0 or np.ptp(two) == 0)  # without an order there is no correlation
    return Shift(
        before=before, pairs=len(both), rank_correlation=0.0 if level else float(spearmanr(one, two).statistic),
        score_shift=float((two - one).mean()), chance_ratio=float(np.exp(np.mean(ratios))) if ratios else None,
    )  # fmt: skip
