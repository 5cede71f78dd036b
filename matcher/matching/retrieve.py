"""Query, filters -> candidates: dense and lexical search, fused; exact under any filter."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import bm25s
import numpy as np
import numpy.typing as npt
import polars as pl
from rapidfuzz import fuzz

from matcher.errors import InputError
from matcher.matching.fusion import RANK_CONSTANT
from matcher.records import Filters, Reference
from matcher.text import FUNCTION_WORDS, tokens

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Ranks = npt.NDArray[np.int64]


class Index(Protocol):
    """Scores every row for a query; `search` is exact under any mask."""

    def scores(self, query: object) -> Floats:
        """One score per row, shape (n_rows,); larger is nearer."""
        ...


def top(scores: npt.NDArray[np.floating], allow: Mask, n: int) -> Ranks:
    """The row numbers of the n best allowed rows: score descending, then row number ascending.

    Rows are in identifier order, so ties fall to the smaller identifier.
    """
    rows = np.flatnonzero(allow)
    order = np.argsort(-scores[rows], kind="stable")
    return rows[order[:n]]


class DenseIndex:
    """Inner product with stored vectors, held in memory.

    Grows linearly: n x d x 4 bytes; 4 000 x 384 is 6 MB and about 1 ms a query on one core.
    """

    def __init__(self, vectors: Floats) -> None:
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)

    def scores(self, query: object) -> Floats:
        """Inner products with the query vector of shape (d,)."""
        return self.vectors @ np.asarray(query, dtype=np.float32)


_WITHOUT_SUBJECT = frozenset().union(*FUNCTION_WORDS.values())


@lru_cache(maxsize=1 << 15)
def _words(text: str) -> list[str]:
    """Folded words of a profile that have a subject; profiles hardly change from one day to the next."""
    return [w for w in tokens(text) if w not in _WITHOUT_SUBJECT and not w.isdigit()]


class LexicalIndex:
    """BM25 over folded words, so that diacritics, case and width do not matter; CJK as bigrams.

    Function words and numbers do not count: in a small catalogue they are as rare as any other word.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._n = len(texts)
        words = [_words(t) for t in texts]
        self._having = Counter(w for found in words for w in set(found))
        if self._having:
            self._bm25 = bm25s.BM25()
            self._bm25.index(words, show_progress=False)

    def scores(self, query: object) -> Floats:
        """BM25 of every text for the query text, as a share of what its words could give at most, in [0, 1)."""
        words = list(dict.fromkeys(_words(str(query))))
        known = [w for w in words if w in self._having]
        if not known:
            return np.zeros(self._n, dtype=np.float32)
        most = sum(float(np.log1p((self._n - h + 0.5) / (h + 0.5))) for h in map(self._having.__getitem__, words))
        return np.asarray(self._bm25.get_scores(known) / most, dtype=np.float32)


def fuse(channels: Sequence[npt.NDArray[np.floating]], allow: Mask, n: int) -> Ranks:
    """The n best allowed rows by reciprocal-rank fusion of score channels, each of shape (n_rows,).

    A row without any signal in a channel (score <= 0 in all-non-negative channels) still takes its place
    there by identifier; ties fall to the smaller identifier.
    """
    fused = np.zeros(allow.shape[0])
    size = int(allow.sum())
    for scores in channels:
        order = top(scores, allow, size)
        fused[order] += 1.0 / (RANK_CONSTANT + 1 + np.arange(size))
    return top(fused, allow, n)


def sector_codes(sector: str, reference: Reference) -> tuple[str, ...]:
    """ISIC codes (sections or longer) that a sector filter means: a city sector, a section letter or a code.

    Raises:
        InputError: the sector is neither; the message names similar ones.
    """
    mapped = reference.city_sectors.filter(pl.col("sector") == sector)
    if mapped.height:
        return tuple(mapped["isic"][0])
    if sector in reference.isic["code"].to_list():
        return (sector,)
    known = {
        r["sector"]: " ".join(tokens(f"{r['sector']} {r['name_en']} {r['name_vi']}".replace("_", " ")))
        for r in reference.city_sectors.iter_rows(named=True)
    }
    words = list(tokens(sector.replace("_", " ")))
    alike = {k: sum(max(fuzz.ratio(w, t) for t in text.split()) for w in words) for k, text in known.items()}
    near = sorted(alike, key=lambda k: (-alike[k], k))[:5]
    raise InputError(
        f'"{sector}" is not a sector; use a city sector such as {", ".join(near)}, '
        "an ISIC section letter (A-U) or an ISIC Rev.4 code.",
        [{"pointer": "/sector", "seen": sector, "expected": "city sector or ISIC code"}],
    )


def sections(reference: Reference) -> dict[str, str]:
    """ISIC division (two digits) -> its section letter."""
    divisions = reference.isic.filter(pl.col("level") == 2)
    return dict(zip(divisions["code"].to_list(), divisions["parent"].to_list(), strict=True))


def _in_subtree(codes: Sequence[str] | None, wanted: Sequence[str], section_of: dict[str, str]) -> bool:
    for code in codes or ():
        own = {code, section_of.get(code[:2], code)}
        if any(
            w in own or (w.isdigit() and code.startswith(w)) or (w.isdigit() and w.startswith(code)) for w in wanted
        ):
            return True
    return False


def _sector_mask(frame: pl.DataFrame, filters: Filters, reference: Reference) -> Mask:
    wanted = [c for s in filters.sector for c in sector_codes(s, reference)]
    section_of = sections(reference)
    isic = frame["isic"].to_list()
    return np.array([_in_subtree(codes, wanted, section_of) for codes in isic], dtype=bool)


def allow_partners(partners: pl.DataFrame, filters: Filters, reference: Reference, *, by_sector: bool) -> Mask:
    """Which partners the filters let through, shape (n_partners,). An unknown value does not pass a filter.

    Args:
        by_sector: apply the sector filter to partners; False when it is meant for the projects.

    Raises:
        InputError: an unknown country, region, kind or sector.
    """
    allow = np.ones(partners.height, dtype=bool)
    countries = reference.countries
    if filters.country:
        for code in filters.country:
            check_country(code, reference)
        allow &= partners["country"].is_in(list(filters.country)).fill_null(False).to_numpy()
    if filters.region:
        known = set(countries["region"].drop_nulls()) | set(countries["subregion"].drop_nulls()) | {"ASEAN", "EU"}
        for r in filters.region:
            if r not in known:
                raise InputError(
                    f'"{r}" is not a region; use one of {", ".join(sorted(known))}.',
                    [{"pointer": "/region", "seen": r, "expected": ", ".join(sorted(known))}],
                )
        inside = countries.filter(
            pl.col("region").is_in(list(filters.region))
            | pl.col("subregion").is_in(list(filters.region))
            | (pl.lit("ASEAN" in filters.region) & pl.col("asean"))
            | (pl.lit("EU" in filters.region) & pl.col("eu"))
        )["country"]
        allow &= partners["country"].is_in(inside.to_list()).fill_null(False).to_numpy()
    if filters.kind:
        allow &= partners["kind"].is_in(list(filters.kind)).fill_null(False).to_numpy()
    if filters.ticket_usd is not None:
        low = partners["ticket_usd_min"].fill_null(partners["ticket_usd_max"])
        high = partners["ticket_usd_max"].fill_null(partners["ticket_usd_min"])
        allow &= ((low <= filters.ticket_usd) & (high >= filters.ticket_usd)).fill_null(False).to_numpy()
    if filters.sector and by_sector:
        allow &= _sector_mask(partners, filters, reference)
    return allow


def allow_projects(
    projects: pl.DataFrame, filters: Filters, reference: Reference, open_statuses: Sequence[str]
) -> Mask:
    """Which projects the filters let through, shape (n_projects,); by default those open to investors."""
    allow = projects["status"].is_in(list(filters.status or open_statuses)).to_numpy().copy()
    if filters.form:
        allow &= projects["form"].is_in(list(filters.form)).fill_null(False).to_numpy()
    if filters.green is not None:
        allow &= (projects["green"] == filters.green).fill_null(False).to_numpy()
    if filters.sector:
        allow &= _sector_mask(projects, filters, reference)
    return allow


def check_country(code: str, reference: Reference) -> str:
    """The code, if it is an ISO 3166-1 alpha-2 code of the countries table.

    Raises:
        InputError: it is not; the message names countries with a similar code or name.
    """
    countries = reference.countries
    if code in countries["country"].to_list():
        return code
    wanted = " ".join(tokens(code))
    near = [
        f"{r['country']} ({r['name_en']})"
        for r in countries.iter_rows(named=True)
        if r["country"] == code.upper()
        or (
            wanted
            and wanted in (" ".join(tokens(r["name_en"])), " ".join(tokens(r["name_vi"])), (r["iso3"] or "").lower())
        )
    ] or [
        f"{r['country']} ({r['name_en']})"
        for r in countries.iter_rows(named=True)
        if r["country"][0] == code[:1].upper()
    ]
    raise InputError(
        f'"{code}" is not an ISO 3166-1 alpha-2 country code; did you mean {", ".join(near[:5]) or "VN (Viet Nam)"}?',
        [{"pointer": "/country", "seen": code, "expected": "ISO 3166-1 alpha-2, e.g. JP"}],
    )
