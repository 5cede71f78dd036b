"""Made facts of any size, the same for a seed: what a fit and a search cost must not depend on what is at hand."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from matcher.matching.calibrate import Calibrator
from matcher.matching.catalogue import Catalogue
from matcher.matching.corpus import Corpus
from matcher.matching.kernel import Kernel
from matcher.matching.rank import Ranker
from matcher.matching.retrieve import LexicalIndex
from matcher.records import TABLES, Facts, Reference
from matcher.text import tokens

AS_OF = date(2025, 12, 31)
YEARS = 15
"""Deals are spread evenly over so many years before `AS_OF`."""

LIKE, NEVER, STATED = 0.75, 0.25, 0.8
"""Share of deals within the project's division, of partners without any, and of partners that state their sector."""

KINDS = ("company", "company", "company", "company", "bank", "fund")
WORDS_PER_DIVISION, SHARED_WORDS = 30, 200
DIMENSIONS = 384

_SOURCE = {"source": "made", "source_on": AS_OF, "licence": "CC0-1.0"}


class BagEncoder:
    """Signed hashes of words, summed: as fast as reading the text, for costs that have nothing to do with encoding."""

    id = "bag-of-words"

    def __init__(self) -> None:
        self._rows: dict[str, npt.NDArray[np.float32]] = {}

    def _row(self, word: str) -> npt.NDArray[np.float32]:
        if word not in self._rows:
            seed = int.from_bytes(word.encode()[:16].ljust(16, b"\0"), "little")
            self._rows[word] = np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32)
        return self._rows[word]

    def encode(self, texts: Sequence[str], *, progress: Any = None) -> npt.NDArray[np.float32]:
        """Unit rows, one per text."""
        out = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for i, text in enumerate(texts):
            for word in tokens(text):
                out[i] += self._row(word)
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        if progress:
            progress(len(texts), len(texts))
        return np.asarray(out / np.where(norms > 0, norms, 1.0), dtype=np.float32)


def facts(reference: Reference, *, deals: int, partners: int, seed: int = 0) -> Facts:
    """Partners with a sector, a home and a few words; projects with two deals each; like goes to like, some to most.

    Within those that it can go to, a deal goes to a partner of rank r with a weight of 1/r.
    """
    rng = np.random.default_rng(seed)
    divisions: list[str] = reference.isic.filter(pl.col("level") == 2)["code"].sort().to_list()[:40]
    homes: list[str] = reference.countries.drop_nulls(["lat"])["country"].sort().to_list()
    projects = max(deals // 2, 1)
    share = 1.0 / np.arange(1, len(divisions) + 1) ** 0.5
    share /= share.sum()
    of_partner = rng.choice(len(divisions), size=partners, p=share)
    of_project = rng.choice(len(divisions), size=projects, p=share)
    weight = 1.0 / (1.0 + rng.permutation(partners))
    weight[rng.random(partners) < NEVER] = 0.0
    members = [np.flatnonzero((of_partner == d) & (weight > 0)) for d in range(len(divisions))]
    anybody = np.flatnonzero(weight > 0)
    # By inversion of the cumulative weights: a draw costs the logarithm of the partners.
    chosen = [(who, np.cumsum(weight[who])) for who in (*members, anybody)]
    days = np.sort(rng.integers(0, YEARS * 365, size=projects))
    rows = []
    for number in range(deals):
        project = number % projects
        fits = rng.random() < LIKE and members[of_project[project]].size
        who, cumulated = chosen[of_project[project] if fits else -1]
        partner = int(who[np.searchsorted(cumulated, rng.random() * cumulated[-1])])
        on = AS_OF - timedelta(days=YEARS * 365 - min(int(days[project] + rng.integers(0, 200)), YEARS * 365))
        rows.append({
            "deal_id": f"d{number:07d}", "project_id": f"p{project:07d}", "partner_id": f"q{partner:07d}",
            "role": "owner", "status": "done", "closed_on": on, "closed_precision": "day", "counts_from": on,
        })  # fmt: skip
    start = AS_OF - timedelta(days=YEARS * 365 + 30)
    return Facts(
        projects=_frame("projects", [
            {
                "project_id": f"p{i:07d}", "name_en": f"Project {i} {_words(rng, int(d), 4)}",
                "description": _words(rng, int(d), 12), "sector": f"division {divisions[d]}", "isic": [divisions[d]],
                "country": homes[int(h)], "status": "past", "announced_on": start + timedelta(days=int(day)),
                "announced_precision": "day", "value_usd_min": float(v), "value_usd_max": float(v),
            }
            for i, (d, h, day, v) in enumerate(
                zip(of_project, rng.zipf(1.6, projects) % 60, days, 10 ** rng.normal(7.5, 0.8, projects), strict=True)
            )
        ]),
        partners=_frame("partners", [
            {
                "partner_id": f"q{i:07d}", "name": f"Partner {i}", "country": homes[int(h)], "kind": KINDS[int(k)],
                "isic": [divisions[d]] if known else None, "description": _words(rng, int(d), 10),
            }
            for i, (d, h, k, known) in enumerate(
                zip(
                    of_partner, rng.zipf(1.4, partners) % 60, rng.integers(0, len(KINDS), partners),
                    rng.random(partners) < STATED, strict=True,
                )
            )
        ]),
        deals=_frame("deals", rows), footprint=_frame("footprint", []), reference=reference, as_of=AS_OF,
    )  # fmt: skip


def _words(rng: np.random.Generator, division: int, n: int) -> str:
    """Words of a division, of which two thirds are its own."""
    own = rng.random(n) < 2 / 3
    picked = rng.zipf(1.5, n)
    return " ".join(
        f"w{division}x{p % WORDS_PER_DIVISION}" if mine else f"w{p % SHARED_WORDS}"
        for p, mine in zip(picked.tolist(), own.tolist(), strict=True)
    )


def _frame(table: str, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    columns = dict(TABLES[table].columns)
    if table in ("deals", "footprint"):
        columns["counts_from"] = pl.Date()
    return pl.DataFrame([{c: {**_SOURCE, **row}.get(c) for c in columns} for row in rows], schema=columns)


def catalogue(known: Facts, ranker: Ranker) -> Catalogue:
    """The facts opened with a ranker that nothing was fitted for, and without probabilities."""
    corpus = Corpus.of(known, BagEncoder(), None)
    return Catalogue(
        engine="made", corpus=corpus, ranker=ranker, kernel=Kernel(), calibrator=Calibrator.fit([]),
        snapshot=corpus.snapshot(known.as_of), lexical=LexicalIndex(corpus.partner_texts),
    )  # fmt: skip
