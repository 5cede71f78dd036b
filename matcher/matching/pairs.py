"""A pair and what is asked of it: one project against many partners, and what a feature is.

These two nouns are shared by `features`, which computes, and `explain`, which shows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from matcher.matching import trades
from matcher.matching.kernel import Kernel
from matcher.matching.sides import Countries, History, PartnerSide, ProjectSide
from matcher.matching.simple import HALF_LIFE_YEARS
from matcher.matching.snapshot import Snapshot

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Block:
    """One project (row `project` of the snapshot) against the partners in `rows`, with what is known on a day.

    Attributes:
        lexical: BM25 of every partner's profile for the project's text, shape (n_partners,), >= 0.
        kernel: how past projects vote.
    """

    project: int
    rows: Ints
    snapshot: Snapshot
    lexical: npt.NDArray[np.float32]
    kernel: Kernel = field(default_factory=Kernel)

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

    @cached_property
    def record(self) -> dict[str, object]:
        """The project's own record."""
        return self.projects.records[self.project]

    @property
    def countries(self) -> Countries:
        """The countries both sides refer to."""
        return self.partners.countries

    @cached_property
    def host(self) -> int:
        """Column of the host country, -1 when unknown."""
        return self.countries.column.get(str(self.record["country"]), -1)

    @cached_property
    def lexical_best(self) -> float:
        """The largest BM25 of any partner for the project's text."""
        return float(self.lexical.max(initial=0.0))

    @cached_property
    def trades(self) -> Floats:
        """How much the project's text speaks of each trade, shape (n_trades,), >= 0."""
        return np.asarray(trades.known().vectors([self.snapshot.texts[self.project]])[0])

    def at(self, rows: Ints) -> "Block":
        """The same project against other partners."""
        return replace(self, rows=rows)

    @cached_property
    def deals(self) -> Ints:
        """Deal numbers that may be counted: every known deal except those of this very project."""
        return np.flatnonzero(self.history.project != self.project)

    def place(self, deal: int) -> int:
        """Place of a counted deal among `deals`, which ascend."""
        return int(np.searchsorted(self.deals, deal))

    @cached_property
    def _deal_project(self) -> Ints:
        return self.history.project[self.deals]

    @cached_property
    def _deal_partner(self) -> Ints:
        return self.history.partner[self.deals]

    def votes(self, weights: npt.NDArray[np.generic], half_life: float | None = None) -> Floats:
        """Sum of a weight per project over each partner's past projects, NaN for partners without a deal."""
        found = self.snapshot.votes(weights, project=self.project, half_life=half_life)
        return self.known(found[self.rows])

    @cached_property
    def experience(self) -> Floats:
        """Share of each partner in the votes of past projects, shape (n_partners,)."""
        return self.kernel.votes(self.snapshot, self.project)

    @cached_property
    def n_warm(self) -> int:
        """Number of partners with a deal on another project."""
        return int(self.snapshot.warm_without(self.project).sum())

    @cached_property
    def every(self) -> npt.NDArray[np.bool_]:
        """All projects, each counting once, shape (n_projects,)."""
        return np.ones(self.snapshot.n_projects, dtype=bool)

    def youngest(self, among: npt.NDArray[np.bool_]) -> Floats:
        """How recent each partner's latest dated deal among some projects is; NaN without one.

        Returns: 0.5 to the power of its age in years over four, in (0, 1], for the partners of this block.
        """
        known = self.snapshot
        counted = among[known.pair_project] & (known.pair_project != self.project) & ~np.isnan(known.pair_age)
        latest = np.full(known.n_partners, np.inf)
        np.minimum.at(latest, known.pair_partner[counted], np.maximum(known.pair_age[counted], 0.0))
        own = latest[self.rows]
        return np.where(np.isfinite(own), 0.5 ** (np.where(np.isfinite(own), own, 0.0) / HALF_LIFE_YEARS), np.nan)

    @cached_property
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
        home, c = self.partners.home[self.rows], self.countries
        if self.host < 0:
            return np.full(home.size, np.nan)
        lat, lon = np.append(c.lat, np.nan)[home], np.append(c.lon, np.nan)[home]
        return _km(lat, lon, float(c.lat[self.host]), float(c.lon[self.host]))

    @cached_property
    def compatriot_deals(self) -> Floats:
        """Recorded deals in the host country of other partners of the same home; NaN without a home country."""
        home_of_deal = self.partners.home[self._deal_partner]
        counted = self.deal_host & (home_of_deal >= 0)
        per_home = np.bincount(home_of_deal[counted], minlength=len(self.countries.codes) + 1).astype(float)
        home = self.partners.home[self.rows]
        own = self.count(self.deal_host.astype(float))
        return np.where(home >= 0, np.maximum(per_home[home] - own, 0.0), np.nan)

    def agreements(self, home: int) -> list[str]:
        """Trade agreements of a home country (a column) with Viet Nam known to be in force, if that is the host."""
        if self.record["country"] != "VN" or home < 0:
            return []
        of_home = self.countries.fta.get(self.countries.codes[home], ())
        return sorted(name for name, on in of_home if on is not None and on <= self.history.as_of)

    def count(self, weights: npt.NDArray[np.floating]) -> Floats:
        """Sum of a weight per counted deal over each partner's deals, for the partners of this block."""
        total = np.bincount(self._deal_partner, weights=weights, minlength=self.partners.frame.height)
        return np.asarray(total[self.rows], dtype=np.float64)

    @cached_property
    def any_deal(self) -> npt.NDArray[np.bool_]:
        """Which partners of the block have a counted deal."""
        return self.count(np.ones(self.deals.size)) > 0

    def known(self, values: Floats) -> Floats:
        """The values, NaN for partners without a counted deal: no deal on record is unknown, not zero."""
        return np.where(self.any_deal, values, np.nan)

    @cached_property
    def sector_nearness(self) -> Floats:
        """How near each project is in ISIC divisions, in [0, 1], shape (n_projects,)."""
        return self.snapshot.overlap(self.projects.divisions, self.project)

    @cached_property
    def deal_sector(self) -> Floats:
        """`sector_nearness` of each counted deal's project, shape (n_deals,)."""
        return self.sector_nearness[self._deal_project]

    @cached_property
    def deal_text(self) -> Floats:
        """Cosine of each counted deal's project text with this project's text, shape (n_deals,)."""
        return self.snapshot.dense_nearness(self.project)[self._deal_project]

    @cached_property
    def deal_decay(self) -> Floats:
        """Weight of each counted deal by age, in (0, 1]; an undated deal weighs as one half-life old."""
        age = np.nan_to_num(self.history.age_years[self.deals], nan=HALF_LIFE_YEARS)
        return np.asarray(0.5 ** (np.maximum(age, 0.0) / HALF_LIFE_YEARS), dtype=np.float64)

    @cached_property
    def deal_host(self) -> npt.NDArray[np.bool_]:
        """Which counted deals lie in this project's host country."""
        return self.snapshot.same("host", self.project)[self._deal_project]

    @cached_property
    def deal_city(self) -> npt.NDArray[np.bool_]:
        """Which counted deals lie in this project's city."""
        return self.snapshot.same("city", self.project)[self._deal_project]


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
