"""The two sides of a pair and what happened between them, as aligned arrays: what features read.

Row i of every array of a side is the i-th record in identifier order. A missing number is NaN.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from matcher.records import POSITIVE_DEAL_STATUSES, POSITIVE_ROLES, Reference
from matcher.text import tokens

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

POSITION_WEIGHTS = (1.0, 0.8, 0.65, 0.5)
"""Weight of a record's first, second ... ISIC division: the list is ordered, most typical first."""


LETTERS = 3
NAMESAKES = 5
NAMESAKES_SHARE = 0.01
"""A name word of so many letters, shared by at most so many partners, tells who may belong together."""

SIZE_USD = {
    "mega cap": 200e9,
    "large cap": 10e9,
    "mid cap": 2e9,
    "small cap": 250e6,
    "micro cap": 50e6,
    "nano cap": 5e6,
}
"""Lower bound of each market-value class, US dollars. Source: the usual exchange convention."""


FINANCE = ("64", "65", "66")
FINANCIERS = ("bank", "fund", "sovereign_fund", "dfi", "intl_org")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sectors:
    """Column numbers of ISIC divisions and of their sections.

    Attributes:
        divisions: division -> column, in code order.
        section_of: for each division column, the column of its section, shape (n_divisions,).
        n_sections: number of sections.
        names: division -> (Vietnamese, English) title.
    """

    divisions: Mapping[str, int]
    section_of: Ints
    n_sections: int
    names: Mapping[str, tuple[str, str]]
    by_section: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, reference: Reference) -> "Sectors":
        """Reads the ISIC tree."""
        tree = reference.isic.filter(pl.col("level") == 2).sort("code")
        letters = sorted(set(tree["parent"].to_list()))
        by_section: dict[str, list[str]] = {}
        for code, parent in zip(tree["code"].to_list(), tree["parent"].to_list(), strict=True):
            by_section.setdefault(parent, []).append(code)
        return cls(
            divisions={c: i for i, c in enumerate(tree["code"].to_list())},
            section_of=np.array([letters.index(p) for p in tree["parent"].to_list()], dtype=np.int64),
            n_sections=len(letters),
            names={r["code"]: (r["title_vi"] or r["title_en"], r["title_en"]) for r in tree.iter_rows(named=True)},
            by_section={k: tuple(v) for k, v in by_section.items()},
        )

    def matrix(self, isic: Sequence[Sequence[str] | None]) -> Floats:
        """Weight in [0, 1] of each division for each record, shape (n, n_divisions).

        A code of more than two digits counts as its division; a section letter spreads .5 over its divisions.
        """
        out = np.zeros((len(isic), len(self.divisions)))
        for row, codes in enumerate(isic):
            for position, code in enumerate(codes or ()):
                weight = POSITION_WEIGHTS[min(position, len(POSITION_WEIGHTS) - 1)]
                targets = [code[:2]] if code[:2].isdigit() else list(self.by_section.get(code[:1], ()))
                weight *= 1.0 if code[:2].isdigit() else 0.5
                for division in targets:
                    column = self.divisions.get(division)
                    if column is not None:
                        out[row, column] = max(out[row, column], weight)
        return out

    def completed(self, isic: Sequence[Sequence[str] | None], read: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Division weights from the codes, else those read from the text, and which rows were read."""
        own = self.matrix(isic)
        estimated = np.asarray(~own.any(axis=1) & read.any(axis=1))
        own[estimated] = read[estimated]
        return own, estimated

    def sections(self, divisions: Floats) -> Floats:
        """Largest division weight within each section, shape (n, n_sections)."""
        out = np.zeros((divisions.shape[0], self.n_sections))
        for section in range(self.n_sections):
            columns = self.section_of == section
            if columns.any():
                out[:, section] = divisions[:, columns].max(axis=1)
        return out


@dataclass(frozen=True, kw_only=True)
class ProjectSide:
    """Projects as arrays. `vectors` are centred unit rows (n, d); `value_usd` is the middle of the range.

    `estimated[i]` says that the divisions of project i were read out of its text.
    """

    frame: pl.DataFrame
    divisions: Floats
    estimated: npt.NDArray[np.bool_]
    sections: Floats
    vectors: npt.NDArray[np.float32]
    value_usd: Floats
    row_of: Mapping[str, int]

    @classmethod
    def of(cls, frame: pl.DataFrame, sectors: Sectors, vectors: npt.NDArray[np.float32], read: Floats) -> "ProjectSide":
        """Aligns a projects frame (in identifier order) with its vectors.

        Where a record has no ISIC code, the divisions read out of its text, `read` (n, n_divisions), stand in.
        """
        own, estimated = sectors.completed(frame["isic"].to_list(), read)
        low = frame["value_usd_min"].fill_null(frame["value_usd_max"])
        high = frame["value_usd_max"].fill_null(frame["value_usd_min"])
        return cls(
            frame=frame,
            divisions=own,
            estimated=estimated,
            sections=sectors.sections(own),
            vectors=vectors,
            value_usd=((low + high) / 2).cast(pl.Float64).fill_null(float("nan")).to_numpy().copy(),
            row_of={k: i for i, k in enumerate(frame["project_id"].to_list())},
        )

    @cached_property
    def records(self) -> list[dict[str, object]]:
        """The projects as dictionaries, in row order."""
        return self.frame.to_dicts()


@dataclass(frozen=True, kw_only=True)
class PartnerSide:
    """Partners as arrays; `footprint[i, c]` says that partner i is known to operate in country c.

    `trades[i, t]` says how much the profile text of partner i speaks of a trade, shape (n, n_trades), >= 0.
    """

    frame: pl.DataFrame
    divisions: Floats
    estimated: npt.NDArray[np.bool_]
    sections: Floats
    vectors: npt.NDArray[np.float32]
    home: Ints
    footprint: npt.NDArray[np.bool_]
    footprint_known: npt.NDArray[np.bool_]
    footprint_rows: Mapping[tuple[int, int], Mapping[str, object]]
    countries: "Countries"
    row_of: Mapping[str, int]
    sectors: Sectors
    activity_names: Sequence[Sequence[tuple[str, str]]]
    trades: Floats

    @classmethod
    def of(
        cls,
        frame: pl.DataFrame,
        sectors: Sectors,
        vectors: npt.NDArray[np.float32],
        footprint: pl.DataFrame,
        countries: "Countries",
        as_of: date,
        tags: Mapping[str, tuple[str, str]],
        read: Floats,
        trades: Floats,
    ) -> "PartnerSide":
        """Aligns a partners frame (in identifier order) with its vectors and its footprint as of a day.

        `tags` names activity tags in Vietnamese and English. Where a record has no ISIC code, the divisions read
        out of its text, `read` (n, n_divisions), stand in.

        Only footprint rows that say "operates" and whose `counts_from` is not after `as_of` count.
        """
        own, estimated = sectors.completed(frame["isic"].to_list(), read)
        row_of = {k: i for i, k in enumerate(frame["partner_id"].to_list())}
        operates = np.zeros((frame.height, len(countries.codes)), dtype=bool)
        rows: dict[tuple[int, int], Mapping[str, object]] = {}
        valid = footprint.filter(
            (pl.col("counts_from") <= as_of) & (pl.col("relation").is_null() | (pl.col("relation") == "operates"))
        )
        for r in valid.iter_rows(named=True):
            i, c = row_of.get(r["partner_id"]), countries.column.get(r["country"])
            if i is not None and c is not None:
                operates[i, c] = True
                rows.setdefault((i, c), r)
        return cls(
            frame=frame,
            divisions=own,
            estimated=estimated,
            sections=sectors.sections(own),
            vectors=vectors,
            home=np.array([countries.column.get(c or "", -1) for c in frame["country"].to_list()], dtype=np.int64),
            footprint=operates,
            footprint_known=np.asarray(operates.any(axis=1)),
            footprint_rows=rows,
            countries=countries,
            row_of=row_of,
            sectors=sectors,
            activity_names=[[tags.get(t, (t, t)) for t in a or ()] for a in frame["activities"].to_list()],
            trades=trades,
        )

    def followed_by(self, other: "PartnerSide") -> "PartnerSide":
        """These partners and, behind them, those of another side; row numbers of the first stay."""
        n = self.frame.height
        return replace(
            self,
            frame=pl.concat([self.frame, other.frame]),
            divisions=np.vstack([self.divisions, other.divisions]),
            estimated=np.concatenate([self.estimated, other.estimated]),
            sections=np.vstack([self.sections, other.sections]),
            vectors=np.vstack([self.vectors, other.vectors]),
            home=np.concatenate([self.home, other.home]),
            footprint=np.vstack([self.footprint, other.footprint]),
            footprint_known=np.concatenate([self.footprint_known, other.footprint_known]),
            footprint_rows={**self.footprint_rows, **{(n + i, c): r for (i, c), r in other.footprint_rows.items()}},
            row_of={**self.row_of, **{k: n + i for k, i in other.row_of.items()}},
            activity_names=[*self.activity_names, *other.activity_names],
            trades=np.vstack([self.trades, other.trades]),
        )

    @cached_property
    def records(self) -> list[dict[str, object]]:
        """The partners as dictionaries, in row order."""
        return self.frame.to_dicts()

    @cached_property
    def kinds(self) -> list[str]:
        """Partner kind of each row."""
        return self.frame["kind"].to_list()

    @cached_property
    def kind_numbers(self) -> tuple[list[str], Ints]:
        """The kinds that occur, and the number of each row's kind among them, shape (n,)."""
        names = sorted(set(self.kinds))
        number = {name: i for i, name in enumerate(names)}
        return names, np.array([number[k] for k in self.kinds], dtype=np.int64)

    @cached_property
    def names(self) -> dict[str, str]:
        """Identifier -> name."""
        return dict(zip(self.frame["partner_id"].to_list(), self.frame["name"].to_list(), strict=True))

    @cached_property
    def has_division(self) -> npt.NDArray[np.bool_]:
        """Which partners have a known ISIC division, shape (n,)."""
        return np.asarray(self.divisions.any(axis=1))

    @cached_property
    def has_section(self) -> npt.NDArray[np.bool_]:
        """Which partners have a known ISIC section, shape (n,)."""
        return np.asarray(self.sections.any(axis=1))

    @cached_property
    def division_length(self) -> Floats:
        """Length of each row of `divisions`, shape (n,)."""
        return np.asarray(np.linalg.norm(self.divisions, axis=1))

    @cached_property
    def has_vector(self) -> npt.NDArray[np.bool_]:
        """Which partners have a profile text, shape (n,)."""
        return np.asarray(self.vectors.any(axis=1))

    @cached_property
    def rare_trades(self) -> Floats:
        """`trades` times their rarity, shape (n, n_trades)."""
        return np.asarray(self.trades * self.rarity)

    @cached_property
    def has_trade(self) -> npt.NDArray[np.bool_]:
        """Whose profile names a trade that not all name, shape (n,)."""
        return np.asarray(self.rare_trades.any(axis=1))

    @cached_property
    def trades_length(self) -> Floats:
        """Length of each row of `rare_trades`, shape (n,)."""
        return np.asarray(np.linalg.norm(self.rare_trades, axis=1))

    @cached_property
    def footprint_size(self) -> Ints:
        """In how many countries each partner is known to operate, shape (n,)."""
        return np.asarray(self.footprint.sum(axis=1))

    @cached_property
    def at_home(self) -> npt.NDArray[np.bool_]:
        """Which partners are known to operate in their home country, shape (n,)."""
        out = self.home >= 0
        rows = np.flatnonzero(out)
        out[rows] = self.footprint[rows, self.home[rows]]
        return out

    @cached_property
    def rarity(self) -> Floats:
        """How rare it is that a partner speaks of each trade: near 1 where one does, near 0 where all do."""
        n, having = len(self.trades), (self.trades > 0).sum(axis=0)
        return np.asarray(np.log1p((n - having + 0.5) / (having + 0.5)) / np.log1p((n + 0.5) / 0.5))

    @cached_property
    def namesakes(self) -> Any:
        """How rare the name words are that two partners share, sparse (n, n), the diagonal 0.

        A word counts from three letters on, where more than one and at most 1 % of the partners have it, or five.
        """
        words = [{w for w in tokens(name) if len(w) >= LETTERS} for name in self.frame["name"].to_list()]
        having = Counter(w for found in words for w in found)
        most = max(NAMESAKES, round(NAMESAKES_SHARE * len(words)))
        shared = {w: i for i, w in enumerate(sorted(w for w, n in having.items() if 1 < n <= most))}
        rows = [
            (i, shared[w], 1.0 / np.log(2.0 + having[w])) for i, found in enumerate(words) for w in found if w in shared
        ]
        row, column, rarity = (np.array(c) for c in zip(*rows, strict=True)) if rows else (np.zeros(0, int),) * 3
        of = sparse.csr_array((rarity, (row, column)), shape=(len(words), max(len(shared), 1)))
        met = sparse.coo_array(of @ of.T)
        other = met.row != met.col
        return sparse.csr_array((met.data[other], (met.row[other], met.col[other])), shape=met.shape)

    @cached_property
    def financier(self) -> npt.NDArray[np.bool_]:
        """Which partners lend or invest across sectors, so that their own trade, finance, is not their target."""
        finance = [self.sectors.divisions[d] for d in FINANCE if d in self.sectors.divisions]
        other = np.delete(self.divisions, finance, axis=1).any(axis=1)
        return np.array([k in FINANCIERS for k in self.kinds], dtype=bool) & ~other

    @cached_property
    def tickets(self) -> Floats:
        """Usual ticket in US dollars, lower and upper bound, shape (n, 2)."""
        return self.frame.select("ticket_usd_min", "ticket_usd_max").cast(pl.Float64).fill_null(float("nan")).to_numpy()

    @cached_property
    def size_usd(self) -> Floats:
        """Lower bound of the market-value class in US dollars, shape (n,)."""
        return np.array([SIZE_USD.get((s or "").lower(), np.nan) for s in self.frame["size"].to_list()])

    @cached_property
    def green(self) -> npt.NDArray[np.bool_]:
        """Which partners are marked as having green activities, shape (n,)."""
        return self.frame["green"].fill_null(False).to_numpy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Countries:
    """Countries as columns, with what the reference tables say of them and Viet Nam."""

    codes: tuple[str, ...]
    column: Mapping[str, int]
    names: Mapping[str, tuple[str, str]]
    region: tuple[str | None, ...]
    subregion: tuple[str | None, ...]
    lat: Floats
    lon: Floats
    asean: npt.NDArray[np.bool_]
    languages: tuple[frozenset[str], ...]
    fta: Mapping[str, tuple[tuple[str, date | None], ...]]

    @classmethod
    def of(cls, reference: Reference) -> "Countries":
        """Reads the countries table and the free-trade agreements."""
        frame = reference.countries.sort("country")
        codes = tuple(frame["country"].to_list())
        fta: dict[str, list[tuple[str, date | None]]] = {}
        ties = reference.country_ties.filter((pl.col("kind") == "fta") & pl.col("ended_on").is_null())
        for r in ties.iter_rows(named=True):
            fta.setdefault(r["country"], []).append((r["name"], r["in_force_on"]))
        return cls(
            codes=codes,
            column={c: i for i, c in enumerate(codes)},
            names={r["country"]: (r["name_vi"], r["name_en"]) for r in frame.iter_rows(named=True)},
            region=tuple(frame["region"].to_list()),
            subregion=tuple(frame["subregion"].to_list()),
            lat=frame["lat"].fill_null(float("nan")).to_numpy(),
            lon=frame["lon"].fill_null(float("nan")).to_numpy(),
            asean=frame["asean"].fill_null(False).to_numpy(),
            languages=tuple(frozenset(v or ()) for v in frame["languages"].to_list()),
            fta={k: tuple(v) for k, v in fta.items()},
        )

    def name(self, code: str | None) -> tuple[str, str]:
        """(Vietnamese, English) name of a country; the words for unknown when the code is None."""
        return ("chưa rõ", "unknown") if code is None else self.names.get(code, (code, code))


@dataclass(frozen=True, kw_only=True)
class History:
    """Positive deals known on a day, as parallel arrays over deals.

    Attributes:
        partner, project: row numbers on their sides.
        age_years: years from the deal to `as_of`; NaN when undated.
        records: the deal rows, same order.
    """

    partner: Ints
    project: Ints
    age_years: Floats
    records: list[dict[str, object]]
    as_of: date

    @classmethod
    def of(cls, deals: pl.DataFrame, projects: ProjectSide, partners: PartnerSide, as_of: date) -> "History":
        """Keeps positive deals whose `counts_from` is not after `as_of`; a gap never becomes a deal."""
        valid = positive(deals).filter(pl.col("counts_from") <= as_of).sort("deal_id")
        valid = valid.filter(
            pl.col("partner_id").is_in(list(partners.row_of)) & pl.col("project_id").is_in(list(projects.row_of))
        )
        # From the last day that the date can mean, which is what `counts_from` of a dated deal is.
        dated = pl.when(pl.col("closed_on").is_not_null()).then(pl.col("counts_from"))
        age = valid.select((pl.lit(as_of) - dated).dt.total_days() / 365.25).to_series()
        return cls(
            partner=np.array([partners.row_of[k] for k in valid["partner_id"].to_list()], dtype=np.int64),
            project=np.array([projects.row_of[k] for k in valid["project_id"].to_list()], dtype=np.int64),
            age_years=age.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy(),
            records=valid.to_dicts(),
            as_of=as_of,
        )


def positive(deals: pl.DataFrame) -> pl.DataFrame:
    """The deals that count as a partnership that came about: role and status both positive."""
    return deals.filter(
        pl.col("role").is_in(list(POSITIVE_ROLES)) & pl.col("status").is_in(list(POSITIVE_DEAL_STATUSES))
    )
