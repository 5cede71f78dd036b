"""Records that resemble one another by name: what somebody may have meant, and what may be there already."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from rapidfuzz import fuzz, process

from matcher.records import TABLES
from matcher.text import fold

NAMES = {
    "projects": ("name_vi", "name_en"),
    "partners": ("name", "name_local"),
    "countries": ("name_en", "name_vi", "iso3"),
}
SAME = 92
"""From here on two names are near enough to ask a person; of 100, words in any order."""
COMPARED, TOLD, BLOCK = 2_000, 200, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A new record of a file, and records under other identifiers that have (almost) its name."""

    sheet: str | None
    row: int
    record: str
    name: str
    like: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The twin as the API tells it."""
        return asdict(self) | {"like": list(self.like)}


def resembling(frame: pl.DataFrame, table: str, wanted: str, n: int = 3) -> list[str]:
    """Identifiers with names of the records that resemble an identifier or a name that does not exist."""
    key = TABLES[table].key[0]
    labels: dict[str, str] = {}
    for identity, *names in frame.select(key, *NAMES[table]).iter_rows():
        for label in (identity, *names):
            if label:
                labels.setdefault(fold(label), f"{identity} {next((n for n in names if n), '')}".strip())
    near = process.extract(fold(wanted), labels.keys(), scorer=fuzz.WRatio, limit=2 * n, score_cutoff=60)
    return list(dict.fromkeys(labels[label] for label, *_ in near))[:n]


def twins(
    frame: pl.DataFrame, places: Sequence[tuple[str | None, int]], present: pl.DataFrame, table: str
) -> list[Twin]:
    """New records whose name a record under another identifier has already; the first `TOLD` of them.

    Equal names (without diacritics and case) are found among all rows, near ones among the first `COMPARED` new rows.
    """
    if table not in NAMES or present.is_empty():
        return []
    key = TABLES[table].key[0]
    known: dict[str, list[str]] = {}
    for identity, *names in present.select(key, *NAMES[table]).iter_rows():
        for label in {_bare(name) for name in names if name} - {""}:
            known.setdefault(label, []).append(identity)
    there = set(present[key])
    new = [
        (place, identity, [n for n in names if n])
        for place, (identity, *names) in zip(places, frame.select(key, *NAMES[table]).iter_rows(), strict=True)
        if identity not in there
    ]
    near = _near([label for _, _, names in new[:COMPARED] for label in map(_bare, names)], list(known))
    found: list[Twin] = []
    for (sheet, row), identity, names in new:
        labels = [_bare(name) for name in names]
        like = dict.fromkeys(
            i for label in labels for other in [label, *near.get(label, ())] for i in known.get(other, ())
        )
        if like:
            found.append(Twin(sheet=sheet, row=row, record=identity, name=names[0], like=tuple(like)[:5]))
            if len(found) == TOLD:
                break
    return found


def _near(wanted: list[str], labels: list[str]) -> dict[str, list[str]]:
    """Label -> labels that are near it, nearest first."""
    near: dict[str, list[str]] = {}
    wanted = sorted({w for w in wanted if len(w) >= 5})
    for start in range(0, len(wanted), BLOCK):
        block = wanted[start : start + BLOCK]
        scores = process.cdist(block, labels, scorer=fuzz.token_sort_ratio, score_cutoff=SAME, dtype=np.uint8)
        for i, j in zip(*np.nonzero(scores), strict=True):
            near.setdefault(block[i], []).append(labels[j])
    return near


def _bare(name: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in fold(name)).split())
