"""What was known on a day, as arrays over projects and (partner, project) pairs: what simple rankers count in.

One project is asked at a time and every partner answers at once. The same object serves every rolling origin, an
evaluation and the page; what does not change with the day (`Attributes`) is made once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from matcher.matching.sides import Countries, Floats, History, Ints, PartnerSide, ProjectSide
from matcher.text import tokens

Mask = npt.NDArray[np.bool_]
Codes = Mapping[str, int]

NO_CODE = -1

BM25_K1, BM25_B = 1.5, 0.75
"""Saturation of a repeated word and weight of the length. Source: Robertson and Zaragoza, FnTIR 2009."""


def _coded(values: Sequence[str | None], known: Codes | None) -> tuple[Ints, Codes]:
    """A number per folded value, `NO_CODE` where there is none or, given codes, where it is not among them."""
    folded = [" ".join(tokens(v)) if v else "" for v in values]
    codes = {v: i for i, v in enumerate(sorted({v for v in folded if v}))} if known is None else known
    return np.array([codes.get(v, NO_CODE) for v in folded], dtype=np.int64), codes


def _counted(texts: Sequence[str], known: Codes | None) -> tuple[Any, Codes]:
    """How often each word occurs in each text, a sparse matrix (n_texts, n_words), and the words' columns."""
    words: dict[str, int] = {} if known is None else dict(known)
    columns: list[int] = []
    ends = [0]
    for text in texts:
        for word in tokens(text):
            column = words.setdefault(word, len(words)) if known is None else words.get(word, NO_CODE)
            if column != NO_CODE:
                columns.append(column)
        ends.append(len(columns))
    data = np.ones(len(columns))
    counts = sparse.csr_array((data, np.array(columns, dtype=np.int64), ends), shape=(len(texts), len(words)))
    counts.sum_duplicates()
    return counts, words


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """What projects have in common, on no particular day. Row i is the i-th project.

    Attributes:
        host, subregion, continent: codes of the host country and of the parts of the world that it lies in.
        sector: code of the source's own label; `labels` holds the words of each label (n_labels, n_words).
        area, city: codes of the region and city as the source writes them.
        log_value: decimal logarithm of the value in US dollars, NaN where unknown.
        counts: how often each word occurs in each text (n_projects, n_words), sparse.
        codes: column -> folded value -> code, so that a new project gets the same numbers.
    """

    host: Ints
    subregion: Ints
    continent: Ints
    sector: Ints
    labels: Any
    area: Ints
    city: Ints
    log_value: Floats
    counts: Any
    codes: Mapping[str, Codes]

    @classmethod
    def of(
        cls, projects: ProjectSide, countries: Countries, texts: Sequence[str], like: "Attributes | None" = None
    ) -> "Attributes":
        """Reads projects; given others, their codes hold, and what those do not have stays unknown."""
        frame = projects.frame
        known = like.codes if like else {}
        host = np.array([countries.column.get(c or "", NO_CODE) for c in frame["country"].to_list()], dtype=np.int64)
        sector, sectors = _coded(frame["sector"].to_list(), known.get("sector"))
        area, areas = _coded(frame["region"].to_list(), known.get("area"))
        city, cities = _coded(frame["city"].to_list(), known.get("city"))
        counts, words = _counted(texts, known.get("words"))
        value = projects.value_usd
        return cls(
            host=host,
            subregion=np.append(_coded(countries.subregion, None)[0], NO_CODE)[host],
            continent=np.append(_coded(countries.region, None)[0], NO_CODE)[host],
            sector=sector, labels=like.labels if like else _counted(list(sectors), None)[0],
            area=area, city=city,
            log_value=np.log10(np.where(value > 0, value, np.nan)),
            counts=counts, codes={"sector": sectors, "area": areas, "city": cities, "words": words},
        )  # fmt: skip

    def followed_by(self, other: "Attributes") -> "Attributes":
        """These projects and, behind them, others that were read with the codes of these."""
        names = ("host", "subregion", "continent", "sector", "area", "city", "log_value")
        joined: dict[str, Any] = {n: np.concatenate([getattr(self, n), getattr(other, n)]) for n in names}
        return replace(self, **joined, counts=sparse.vstack([self.counts, other.counts], format="csr"))


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Projects, partners and the deals known on `history.as_of`. `texts` holds each project's words.

    A pair is a partner and a project with at least one known deal; it counts once, at its latest deal. No method
    counts a pair of the asked project itself.
    """

    projects: ProjectSide
    partners: PartnerSide
    history: History
    texts: Sequence[str]
    attributes: Attributes

    @classmethod
    def of(cls, projects: ProjectSide, partners: PartnerSide, history: History, texts: Sequence[str]) -> "Snapshot":
        """Reads the attributes of the projects, which takes about a second for 10,000 of them."""
        attributes = Attributes.of(projects, partners.countries, texts)
        return cls(projects=projects, partners=partners, history=history, texts=texts, attributes=attributes)

    def at(self, history: History, partners: PartnerSide | None = None) -> "Snapshot":
        """The same projects with what is known on another day."""
        return replace(self, history=history, partners=partners or self.partners)

    def followed_by(self, drafts: ProjectSide, texts: Sequence[str]) -> "Snapshot":
        """The same day with unsaved projects behind the others; row numbers of the others stay."""
        side = self.projects
        n = side.frame.height
        joined = replace(
            side,
            frame=pl.concat([side.frame, drafts.frame]),
            divisions=np.vstack([side.divisions, drafts.divisions]),
            estimated=np.concatenate([side.estimated, drafts.estimated]),
            sections=np.vstack([side.sections, drafts.sections]),
            vectors=np.vstack([side.vectors, drafts.vectors]),
            value_usd=np.concatenate([side.value_usd, drafts.value_usd]),
            row_of={**side.row_of, **{k: n + i for k, i in drafts.row_of.items()}},
        )
        more = Attributes.of(drafts, self.partners.countries, texts, self.attributes)
        return replace(self, projects=joined, texts=[*self.texts, *texts], attributes=self.attributes.followed_by(more))

    @property
    def n_projects(self) -> int:
        """Number of projects."""
        return self.projects.frame.height

    @property
    def n_partners(self) -> int:
        """Number of partners."""
        return self.partners.frame.height

    @cached_property
    def _pairs(self) -> tuple[Ints, Ints, Floats]:
        """Partner row, project row and age in years (NaN undated) of each pair, by partner then project."""
        key = self.history.partner * self.n_projects + self.history.project
        age = self.history.age_years
        order = np.lexsort((age, key))  # NaN last: a dated deal of the pair stands for it
        first = np.flatnonzero(np.diff(key[order], prepend=-1))
        rows = order[first]
        return self.history.partner[rows], self.history.project[rows], age[rows]

    @property
    def pair_partner(self) -> Ints:
        """Partner row of each pair."""
        return self._pairs[0]

    @property
    def pair_project(self) -> Ints:
        """Project row of each pair."""
        return self._pairs[1]

    @property
    def pair_age(self) -> Floats:
        """Years from the latest deal of each pair to the day; NaN undated."""
        return self._pairs[2]

    @cached_property
    def _decays(self) -> dict[float, Floats]:
        return {}

    def decay(self, half_life: float | None) -> Floats:
        """Weight of each pair by age, in (0, 1]; an undated pair weighs as one half-life old; ones for None."""
        if half_life is None:
            return np.ones(self.pair_partner.size)
        if half_life not in self._decays:
            age = np.maximum(np.nan_to_num(self.pair_age, nan=half_life), 0.0)
            self._decays[half_life] = np.asarray(0.5 ** (age / half_life), dtype=np.float64)
        return self._decays[half_life]

    def votes(self, weights: npt.NDArray[Any], *, project: int, half_life: float | None = None) -> Floats:
        """Sum over each partner's pairs of the weight of the pair's project, those of `project` left out.

        Args:
            weights: one number per project, shape (n_projects,).
            half_life: years after which a pair counts half; None does not age it.

        Returns:
            shape (n_partners,); 0 for a partner without a pair.
        """
        weight = np.asarray(weights, dtype=np.float64)[self.pair_project] * self.decay(half_life)
        weight[self.pair_project == project] = 0.0
        return np.bincount(self.pair_partner, weights=weight, minlength=self.n_partners).astype(np.float64)

    @cached_property
    def dealt(self) -> Mask:
        """Which projects have a known deal, shape (n_projects,)."""
        out = np.zeros(self.n_projects, dtype=bool)
        out[self.pair_project] = True
        return out

    @cached_property
    def warm(self) -> Mask:
        """Which partners have a known deal, shape (n_partners,)."""
        out = np.zeros(self.n_partners, dtype=bool)
        out[self.pair_partner] = True
        return out

    def warm_without(self, project: int) -> Mask:
        """Which partners have a known deal on another project than this one, shape (n_partners,)."""
        out = np.zeros(self.n_partners, dtype=bool)
        out[self.pair_partner[self.pair_project != project]] = True
        return out

    @cached_property
    def _together(self) -> Any:
        """Which partners took part in a project together, sparse (n_partners, n_partners), without themselves."""
        pairs = self._of_partner()
        met = sparse.coo_array(pairs @ pairs.T)
        other = met.row != met.col
        return sparse.csr_array((np.ones(int(other.sum())), (met.row[other], met.col[other])), shape=met.shape)

    @cached_property
    def _company(self) -> Floats:
        return np.asarray(self._together.sum(axis=1), dtype=np.float64)

    def coinvestors_of(self, partner: int, *, project: int) -> Ints:
        """Rows of those with whom a partner took part in another project than this one, most shared projects first."""
        with_it = self.pair_project[(self.pair_partner == partner) & (self.pair_project != project)]
        met = self.pair_partner[np.isin(self.pair_project, with_it)]
        rows, times = np.unique(met[met != partner], return_counts=True)
        return rows[np.lexsort((rows, -times))]

    def among_coinvestors(self, value: Floats, *, project: int) -> Floats:
        """Mean of a value over those with whom each partner took part in another project; NaN without one."""
        with np.errstate(invalid="ignore", divide="ignore"):
            out = np.asarray(np.where(self._company > 0, (self._together @ value) / self._company, np.nan))
        for partner in self.involved(project):
            met = np.sort(self.coinvestors_of(int(partner), project=project))
            out[partner] = value[met].sum() / met.size if met.size else np.nan
        return out

    def among_namesakes(self, value: Floats, *, project: int) -> Floats:
        """Mean of a value over the partners with a deal on another project that share a rare word of each one's name.

        The rarer the word, the more it counts; NaN without such a partner.
        """
        warm = self.warm_without(project)
        weight = self.partners.namesakes @ warm.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(weight > 0, (self.partners.namesakes @ (value * warm)) / weight, np.nan))

    @cached_property
    def age(self) -> Floats:
        """Years since the latest known deal on each project; NaN where none is dated, shape (n_projects,)."""
        youngest = np.full(self.n_projects, np.inf)
        np.minimum.at(youngest, self.pair_project, np.nan_to_num(self.pair_age, nan=np.inf))
        return np.where(np.isfinite(youngest), youngest, np.nan)

    def same(self, attribute: str, project: int) -> Mask:
        """Which projects share an attribute (a code of `Attributes`) with this one; none where it is unknown."""
        codes: Ints = getattr(self.attributes, attribute)
        return np.asarray((codes == codes[project]) & (codes[project] != NO_CODE))

    @cached_property
    def place(self) -> str:
        """The attribute that tells places apart: the host country or, where all deals lie in one, the area."""
        hosts = self.attributes.host[self.dealt]
        return "host" if np.unique(hosts[hosts != NO_CODE]).size > 1 else "area"

    def rarity(self, attribute: str, project: int) -> float:
        """How telling it is to share this project's value of an attribute: 0 when all others do, 1 when none does."""
        own = int(self.dealt[project])
        n = int(self.dealt.sum()) - own
        having = int(np.count_nonzero(self.same(attribute, project) & self.dealt))
        having -= own if having else 0
        return float(np.log((1 + n) / (1 + having)) / np.log(1 + n)) if n else 0.0

    def label_nearness(self, project: int) -> Floats:
        """Share of common words in the sector labels (Jaccard), in [0, 1]; 0 where unknown, shape (n_projects,)."""
        own = self.attributes.sector[project]
        if own == NO_CODE:
            return np.zeros(self.n_projects)
        has = self.attributes.labels.astype(bool).astype(np.float64)
        sizes = np.asarray(has.sum(axis=1)).ravel()
        common = np.asarray(has @ has[[own]].toarray()[0])
        nearness = common / np.maximum(sizes + sizes[own] - common, 1.0)
        return np.append(nearness, 0.0)[self.attributes.sector]

    def overlap(self, weights: Floats, project: int) -> Floats:
        """Largest product of the weights (n_projects, n_codes) with this project's, in [0, 1], shape (n_projects,)."""
        codes = np.flatnonzero(weights[project])
        return np.asarray((weights[:, codes] * weights[project, codes]).max(axis=1, initial=0.0))

    @cached_property
    def _partner_words(self) -> Any:
        """How often each word occurs in the joined texts of each partner's projects (n_partners, n_words), sparse."""
        return self._of_partner() @ self.attributes.counts

    @cached_property
    def _partner_vectors(self) -> npt.NDArray[np.float32]:
        """Sum of the text vectors of each partner's projects, shape (n_partners, d)."""
        return np.asarray(self._of_partner().astype(np.float32) @ self.projects.vectors)

    def _of_partner(self) -> Any:
        """Which projects each partner has a deal on, sparse (n_partners, n_projects)."""
        ones = np.ones(self.pair_partner.size)
        return sparse.csr_array(
            (ones, (self.pair_partner, self.pair_project)), shape=(self.n_partners, self.n_projects)
        )

    def involved(self, project: int) -> Ints:
        """Partners with a known deal on this project."""
        return np.asarray(self.pair_partner[self.pair_project == project])

    @cached_property
    def idf(self) -> Floats:
        """log((1 + n) / (1 + n with the word)) + 1 over the projects with a known deal; 0 for words of none of them.

        Words that only other projects have weigh nothing, so that no project of the future changes anything.
        """
        return _idf(self._having, int(self.dealt.sum()))

    @cached_property
    def _having(self) -> Ints:
        """In how many projects with a known deal each word occurs, shape (n_words,)."""
        used = self.attributes.counts[self.dealt]
        return np.bincount(used.indices, minlength=used.shape[1])

    @cached_property
    def _log_counts(self) -> tuple[Any, Any]:
        """1 + log of how often each word occurs in each project, sparse (n_projects, n_words), and its square."""
        rows = self.attributes.counts.copy()
        rows.data = 1.0 + np.log(rows.data)
        return rows, rows.power(2)

    @cached_property
    def _asked(self) -> dict[str, tuple[int, Floats]]:
        return {}

    def _kept(self, name: str, project: int, compute: Callable[[int], Floats]) -> Floats:
        """What was computed for the project asked last, which several features ask for; read-only."""
        last = self._asked.get(name)
        if last is None or last[0] != project:
            last = (project, compute(project))
            last[1].flags.writeable = False
            self._asked[name] = last
        return last[1]

    def text_nearness(self, project: int) -> Floats:
        """Cosine of (1 + log count) x idf of the words with that of this project, in [0, 1], shape (n_projects,).

        The deals of the project itself do not count in `idf`.
        """
        return self._kept("words", project, self._text_nearness)

    def _text_nearness(self, project: int) -> Floats:
        rows, squares = self._log_counts
        start, end = rows.indptr[project : project + 2]
        words, idf = rows.indices[start:end], self.idf
        if self.dealt[project]:
            having = self._having.copy()
            having[words] -= 1
            idf = _idf(having, int(self.dealt.sum()) - 1)
        own = np.zeros(rows.shape[1])
        own[words] = rows.data[start:end] * idf[words] ** 2
        norms = np.sqrt(squares @ idf**2)
        scale = norms * norms[project]
        return np.asarray((rows @ own) / np.where(scale > 0, scale, 1.0))

    def dense_nearness(self, project: int) -> Floats:
        """Cosine of the text vectors with that of this project, in [-1, 1], shape (n_projects,)."""
        return self._kept("meaning", project, lambda p: _settled(self.projects.vectors @ self.projects.vectors[p]))

    @cached_property
    def bm25(self) -> Any:
        """BM25 weight of each word in the joined texts of each partner's projects (n_partners, n_words), sparse."""
        return self._bm25(self._partner_words)

    def _bm25(self, counts: Any) -> Any:
        """Robertson's weights, the positive idf of Lucene; lengths and idf of the partners with a known deal."""
        every = self._partner_words
        having = np.bincount(every.indices, minlength=every.shape[1])
        n = max(int(self.warm.sum()), 1)
        idf = np.log(1.0 + (n - having + 0.5) / (having + 0.5))
        length = np.asarray(counts.sum(axis=1)).ravel()
        norm = BM25_K1 * (1.0 - BM25_B + BM25_B * length / max(float(every.sum()) / n, 1.0))
        out = counts.copy()
        out.data = idf[out.indices] * out.data * (BM25_K1 + 1.0) / (out.data + norm[_row_of(out)])
        return out

    def word_profiles(self, project: int) -> Floats:
        """BM25 of the joined texts of each partner's other projects for this project's words, shape (n_partners,)."""
        counts = self.attributes.counts[[project]]
        asked = np.zeros(counts.shape[1])
        asked[counts.indices] = 1.0
        scores = np.asarray(self.bm25 @ asked)
        own = self.involved(project)
        if own.size:
            scores[own] = self._bm25(self._partner_words[own] - sparse.vstack([counts] * own.size)) @ asked
        return scores

    def dense_profiles(self, project: int) -> Floats:
        """Cosine of this project with the mean vector of each partner's other projects; NaN without one."""
        asked = self.projects.vectors[project]
        products = np.asarray(self._partner_vectors @ asked, dtype=np.float64)
        squares = self._partner_squares.copy()
        own = self.involved(project)
        if own.size:
            rest = self._partner_vectors[own] - asked
            products[own], squares[own] = rest @ asked, (rest * rest).sum(axis=1)
        known = self.votes(np.ones(self.n_projects), project=project) > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            cosine = products / np.sqrt(squares)
        return np.where(known, _settled(np.nan_to_num(np.clip(cosine, -1.0, 1.0))), np.nan)

    @cached_property
    def _partner_squares(self) -> Floats:
        return np.asarray((self._partner_vectors.astype(np.float64) ** 2).sum(axis=1))


def _settled(cosines: npt.NDArray[np.floating[Any]]) -> Floats:
    """Cosines to six digits: the last ones of 32 bits depend on how many rows were multiplied at once."""
    return np.asarray(np.round(cosines.astype(np.float64), 6), dtype=np.float64)


def _idf(having: Ints, n: int) -> Floats:
    return np.where(having > 0, np.log((1 + n) / (1 + having)) + 1.0, 0.0)


def _row_of(matrix: Any) -> Ints:
    """Row number of each stored value of a sparse matrix."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
