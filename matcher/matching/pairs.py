"""A pair and what is asked of it: one project against many partners, and what a feature is.

These two nouns are shared by `features`, which computes, and `explain`, which shows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self, TypeVar, overload

import numpy as np
import numpy.typing as npt

from matcher.matching import trades
from matcher.matching.kernel import Kernel
from matcher.matching.sides import Countries, History, PartnerSide, ProjectSide
from matcher.matching.simple import HALF_LIFE_YEARS
from matcher.matching.snapshot import Snapshot

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
T = TypeVar("T")
S = TypeVar("S", bound=np.generic)


class of_project(cached_property[T]):  # noqa: N801 - used as cached_property is
    """A cached property that is the same for all partners: kept in the block's memo where it has one."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Self | T:
        if instance is None or instance.memo is None:
            bare: Self | T = super().__get__(instance, owner)
            return bare
        found: T = instance.kept(self.attrname, lambda: self.func(instance))
        return found


@dataclass(frozen=True, kw_only=True)
class Block:
    """One project (row `project` of the snapshot) against the partners in `rows`, with what is known on a day.

    Attributes:
        lexical: BM25 of every partner's profile for the project's text, shape (n_partners,), >= 0.
        kernel: how past projects vote.
        memo: what was computed for the project, for this block and all that `at` makes of it; None keeps nothing
            beyond this block. One that is kept for long should have none: it holds an array per feature.
    """

    project: int
    rows: Ints
    snapshot: Snapshot
    lexical: npt.NDArray[np.float32]
    kernel: Kernel = field(default_factory=Kernel)
    memo: dict[object, Any] | None = field(default=None, repr=False, compare=False)

    def kept(self, key: object, compute: Callable[[], T]) -> T:
        """What `compute` gives for the project, whatever the partners; computed once where there is a memo."""
        if self.memo is None:
            return compute()
        if key not in self.memo:
            self.memo[key] = compute()
        found: T = self.memo[key]
        return found

    @cached_property
    def whole(self) -> bool:
        """The rows are those of all partners, in order."""
        n = self.partners.frame.height
        return self.rows.size == n and bool((self.rows == np.arange(n)).all())

    def of_rows(self, values: npt.NDArray[S]) -> npt.NDArray[S]:
        """The rows of an array over all partners; not to be written to, for all of them are not copied."""
        return values if self.whole else values[self.rows]

    def of_cells(self, values: npt.NDArray[S], columns: npt.NDArray[Any]) -> npt.NDArray[S]:
        """Some columns (numbers) of the rows of an array over all partners."""
        return values[:, columns] if self.whole else values[self.rows[:, None], columns]

    @property
    def projects(self) -> ProjectSide:
        """All projects, the asked one among them."""
        return self.snapshot.projects

    @property
    def partners(self) -> PartnerSide:
        """All partners."""
        return self.snapshot.partners

    @property
    def history(self) -> History:
        """The deals known on the day."""
        return self.snapshot.history

    @of_project
    def record(self) -> dict[str, object]:
        """The project's own record."""
        return self.projects.records[self.project]

    @property
    def countries(self) -> Countries:
        """The countries both sides refer to."""
        return self.partners.countries

    @of_project
    def host(self) -> int:
        """Column of the host country, -1 when unknown."""
        return self.countries.column.get(str(self.record["country"]), -1)

    @of_project
    def lexical_best(self) -> float:
        """The largest BM25 of any partner for the project's text."""
        return float(self.lexical.max(initial=0.0))

    @of_project
    def trades(self) -> Floats:
        """How much the project's text speaks of each trade, shape (n_trades,), >= 0."""
        return np.asarray(trades.known().vectors([self.snapshot.texts[self.project]])[0])

    def by_kind(self, value: Callable[[str], float]) -> Floats:
        """A value for each partner of the block by its kind."""
        names, number = self.partners.kind_numbers
        return np.array([value(name) for name in names], dtype=np.float64)[self.of_rows(number)]

    def at(self, rows: Ints) -> "Block":
        """The same project against other partners."""
        return replace(self, rows=rows)

    @of_project
    def deals(self) -> Ints:
        """Deal numbers that may be counted: every known deal except those of this very project."""
        return np.flatnonzero(self.history.project != self.project)

    def place(self, deal: int) -> int:
        """Place of a counted deal among `deals`, which ascend."""
        return int(self._places[deal])

    @of_project
    def _places(self) -> Ints:
        return np.cumsum(self.history.project != self.project) - 1

    @of_project
    def _deal_project(self) -> Ints:
        return self.history.project[self.deals]

    @of_project
    def _deal_partner(self) -> Ints:
        return self.history.partner[self.deals]

    def votes(
        self, name: str, weights: Callable[[], npt.NDArray[np.generic]], half_life: float | None = None
    ) -> Floats:
        """Sum of a weight per project over each partner's past projects, NaN for partners without a deal.

        Args:
            name: tells these weights from others of the same project.
            weights: gives one number per project.
        """
        found = self.kept(
            ("votes", name, half_life),
            lambda: self.snapshot.votes(weights(), project=self.project, half_life=half_life),
        )
        return self.known(self.of_rows(found))

    def same(self, attribute: str) -> npt.NDArray[np.bool_]:
        """Which projects share an attribute with this one, shape (n_projects,)."""
        return self.kept(("same", attribute), lambda: self.snapshot.same(attribute, self.project))

    @of_project
    def experience(self) -> Floats:
        """Share of each partner in the votes of past projects, shape (n_partners,)."""
        return self.kernel.votes(self.snapshot, self.project)

    @of_project
    def n_warm(self) -> int:
        """Number of partners with a deal on another project."""
        return int(self.snapshot.warm_without(self.project).sum())

    @of_project
    def every(self) -> npt.NDArray[np.bool_]:
        """All projects, each counting once, shape (n_projects,)."""
        return np.ones(self.snapshot.n_projects, dtype=bool)

    def youngest(self, name: str, among: Callable[[], npt.NDArray[np.bool_]]) -> Floats:
        """How recent each partner's latest dated deal among some projects is; NaN without one.

        Args:
            name: tells these projects from others.
            among: says which projects, shape (n_projects,).

        Returns: 0.5 to the power of its age in years over four, in (0, 1], for the partners of this block.
        """
        own = self.of_rows(self.kept(("youngest", name), lambda: self._latest(among())))
        return np.where(np.isfinite(own), 0.5 ** (np.where(np.isfinite(own), own, 0.0) / HALF_LIFE_YEARS), np.nan)

    def _latest(self, among: npt.NDArray[np.bool_]) -> Floats:
        known = self.snapshot
        counted = among[known.pair_project] & (known.pair_project != self.project) & ~np.isnan(known.pair_age)
        latest = np.full(known.n_partners, np.inf)
        np.minimum.at(latest, known.pair_partner[counted], np.maximum(known.pair_age[counted], 0.0))
        return latest

    @of_project
    def neighbours(self) -> npt.NDArray[np.bool_]:
        """Countries near the host, which is not one of them: its subregion and, for a member, ASEAN."""
        c, host = self.countries, self.host
        if host < 0:
            return np.zeros(len(c.codes), dtype=bool)
        near = np.array([s is not None and s == c.subregion[host] for s in c.subregion], dtype=bool)
        near = near | c.asean if c.asean[host] else near
        near[host] = False
        return near

    @cached_property
    def km(self) -> Floats:
        """Distance from each partner's home to the host, capital to capital; NaN without both places."""
        home, c = self.of_rows(self.partners.home), self.countries
        if self.host < 0:
            return np.full(home.size, np.nan)
        lat, lon = np.append(c.lat, np.nan)[home], np.append(c.lon, np.nan)[home]
        return _km(lat, lon, float(c.lat[self.host]), float(c.lon[self.host]))

    @cached_property
    def compatriot_deals(self) -> Floats:
        """Recorded deals in the host country of other partners of the same home; NaN without a home country."""
        home = self.of_rows(self.partners.home)
        own = self.count("host", lambda: self.deal_host.astype(float))
        return np.where(home >= 0, np.maximum(self._home_deals[home] - own, 0.0), np.nan)

    @of_project
    def _home_deals(self) -> Floats:
        """Counted deals in the host country by the investor's home country."""
        home_of_deal = self.partners.home[self._deal_partner]
        counted = self.deal_host & (home_of_deal >= 0)
        return np.bincount(home_of_deal[counted], minlength=len(self.countries.codes) + 1).astype(float)

    def agreements(self, home: int) -> list[str]:
        """Trade agreements of a home country (a column) with Viet Nam known to be in force, if that is the host."""
        if self.record["country"] != "VN" or home < 0:
            return []
        of_home = self.countries.fta.get(self.countries.codes[home], ())
        return sorted(name for name, on in of_home if on is not None and on <= self.history.as_of)

    def count(self, name: str, weights: Callable[[], npt.NDArray[np.floating]]) -> Floats:
        """Sum of a weight per counted deal over each partner's deals, for the partners of this block.

        Args:
            name: tells these weights from others of the same project.
            weights: gives one number per counted deal.
        """
        total = self.kept(
            ("count", name),
            lambda: np.bincount(
                self._deal_partner, weights=weights(), minlength=self.partners.frame.height
            ).astype(np.float64),
        )  # fmt: skip
        return self.of_rows(total)

    @cached_property
    def any_deal(self) -> npt.NDArray[np.bool_]:
        """Which partners of the block have a counted deal."""
        return self.count("deals", lambda: np.ones(self.deals.size)) > 0

    def known(self, values: Floats) -> Floats:
        """The values, NaN for partners without a counted deal: no deal on record is unknown, not zero."""
        return np.where(self.any_deal, values, np.nan)

    @of_project
    def sector_nearness(self) -> Floats:
        """How near each project is in ISIC divisions, in [0, 1], shape (n_projects,)."""
        return self.snapshot.overlap(self.projects.divisions, self.project)

    @of_project
    def deal_sector(self) -> Floats:
        """`sector_nearness` of each counted deal's project, shape (n_deals,)."""
        return self.sector_nearness[self._deal_project]

    @of_project
    def deal_text(self) -> Floats:
        """Cosine of each counted deal's project text with this project's text, shape (n_deals,)."""
        return self.snapshot.dense_nearness(self.project)[self._deal_project]

    @of_project
    def deal_decay(self) -> Floats:
        """Weight of each counted deal by age, in (0, 1]; an undated deal weighs as one half-life old."""
        age = np.nan_to_num(self.history.age_years[self.deals], nan=HALF_LIFE_YEARS)
        return np.asarray(0.5 ** (np.maximum(age, 0.0) / HALF_LIFE_YEARS), dtype=np.float64)

    @of_project
    def deal_host(self) -> npt.NDArray[np.bool_]:
        """Which counted deals lie in this project's host country."""
        return self.same("host")[self._deal_project]

    @of_project
    def deal_city(self) -> npt.NDArray[np.bool_]:
        """Which counted deals lie in this project's city."""
        return self.same("city")[self._deal_project]


def _km(lat1: Floats, lon1: Floats, lat2: float, lon2: float) -> Floats:
    a1, a2 = np.radians(lat1), np.radians(lat2)
    h = np.sin((a1 - a2) / 2) ** 2 + np.cos(a1) * np.cos(a2) * np.sin(np.radians(lon1 - lon2) / 2) ** 2
    return np.asarray(2 * 6371.0 * np.arcsin(np.sqrt(h)), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A feature's function and what the ranker and the reader need to know about it.

    Attributes:
        reason: group under which contributions are summed for the reader.
        neutral: value that speaks neither for nor against; unknown counts as this.
        weight: points of score per unit above `neutral` in the documented linear model, >= 0.
        monotone: more is never worse; the tree must respect it.
    """

    compute: Callable[[Block], Floats]
    reason: str
    neutral: float
    weight: float
    monotone: bool = True

    @property
    def name(self) -> str:
        """The function's name."""
        return self.compute.__name__
