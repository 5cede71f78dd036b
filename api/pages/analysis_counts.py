"""What the analyst's pages count and compute: read for the caller, kept in memory where it takes long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable
from weakref import WeakKeyDictionary

import polars as pl

from api.directory import Directory
from api.pages.analysis_views import FIELDS, TABLE_NAMES
from api.schemas import Lang
from api.service import Service
from matcher.errors import MatcherError, SourceError
from matcher.records import OPEN_STATUSES, Facts, Filters, MatchList, Query
from matcher.store import analysis, feedback
from matcher.store.desk import Acting

if TYPE_CHECKING:
    from evaluation.drift import Filled, Periods, Shift
    from evaluation.engines import Agreement, Differences
    from evaluation.exposed import Exposed

T = TypeVar("T")
Manifest = Mapping[str, Any]
KEPT = 16
SEED = 0
NEWEST = 30
"""Judgments that are listed one by one."""


class _Catalogue(Protocol):
    def match(self, query: Query, *, n: int, offset: int, filters: Filters) -> MatchList: ...


@runtime_checkable
class Remembering(Protocol):
    """A matchmaker that can open an engine which need not be in use."""

    def past(self, engine: str, *, as_of: date, revision: int) -> _Catalogue:
        """That engine on the facts of a day after a batch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two engines side by side; `failure` says why their lists could not be compared."""

    differences: Differences
    agreement: Agreement | None
    failure: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What was shown in the days after the fit and in the last days.

    Attributes:
        lists: how many lists each period has.
        mean: mean probability in each period; None where none was given.
        enough: both have lists enough and share no day, so that there are indices.
    """

    periods: Periods
    lists: tuple[int, int]
    mean: tuple[float | None, float | None]
    enough: bool
    needed: int
    shifts: tuple[Shift, ...]


def in_use(engines: Sequence[Manifest]) -> tuple[Manifest | None, Manifest | None]:
    """The engine that answers, and the one fitted before it; engines come newest first."""
    at = next((i for i, e in enumerate(engines) if e.get("in_use")), None)
    if at is None:
        return None, None
    return engines[at], engines[at + 1] if at + 1 < len(engines) else None


def fitted_at(engine: Manifest) -> datetime | None:
    """When the engine was put on record; None where nobody knows."""
    text = engine.get("recorded_at")
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def fitted_on(engine: Manifest) -> date | None:
    """The day of `fitted_at`."""
    at = fitted_at(engine)
    return None if at is None else at.date()


# What came since the fit.


def changed(acting: Acting, engine: Manifest, today: date) -> pl.DataFrame | None:
    """Rows of the tables an engine reads that came or became due since the fit; None where its time is not known."""
    at = fitted_at(engine)
    if at is None:
        return None
    day = date.fromisoformat(str(engine["as_of"]))
    return analysis.changed(acting.cursor, [*TABLE_NAMES], since=at, as_of=day, today=today)


class Memory:
    """A few results by key; one thread computes at a time, so that the same is not computed twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[object, Any] = {}

    def of(self, key: object, make: Callable[[], T], *, wait: bool = True) -> T:
        """The result of a key, made when it is not there; an exception is nobody's result.

        Args:
            wait: for another thread that computes; else that is an error, so that not all workers stand still.

        Raises:
            SourceError: another thread computes.
        """
        known: T | None = self._found.get(key)
        if known is not None:
            return known
        if not self._lock.acquire(blocking=wait):
            raise SourceError("Another comparison is being made; reload this page in a few seconds.")
        try:
            made: T = self._found[key] if key in self._found else make()
            while len(self._found) >= KEPT:
                self._found.pop(next(iter(self._found)))
            self._found[key] = made
            return made
        finally:
            self._lock.release()


_kept: WeakKeyDictionary[Service, Mapping[str, Memory]] = WeakKeyDictionary()


def _of(service: Service, what: str) -> Memory:
    return _kept.setdefault(service, {name: Memory() for name in ("filled", "agreement", "compared")})[what]


def filled(service: Service, acting: Acting, facts: Facts, engine: Manifest) -> Sequence[Filled]:
    """How many rows have a value, field by field, when the engine was fitted and now."""
    from evaluation import drift  # noqa: PLC0415 - only this page needs it

    at, day = fitted_at(engine), date.fromisoformat(str(engine["as_of"]))
    revision = service.matchmaker.store.revision()

    def make() -> list[Filled]:
        found: list[Filled] = []
        for table, fields in FIELDS.items():
            then = acting.store.read(table, as_of=day, known_at=at)
            found += drift.filled(table, fields, then, getattr(facts, table))
        return found

    return _of(service, "filled").of((engine["engine"], at, revision, facts.as_of), make)


def drift(acting: Acting, facts: Facts, engine: Manifest, today: date) -> Drift:
    """The first ten places of lists after the fit and of late."""
    from evaluation import drift as measured  # noqa: PLC0415

    fitted = fitted_on(engine)
    assert fitted is not None
    periods = measured.periods(min(fitted, today), today)
    spans = (periods.then, periods.now)
    counted = [analysis.listed(acting.cursor, since=a, until=b) for a, b in spans]
    then, now = (analysis.places(acting.cursor, since=a, until=b) for a, b in spans)
    enough = periods.apart and min(counted) >= measured.ENOUGH
    bands = [f"band_{i}" for i in range(len(analysis.BANDS) + 1)]

    def abstained(places: pl.DataFrame) -> dict[str, float]:
        given = float(places["chances"].sum())
        return {"given": given, "withheld": float(places["places"].sum()) - given}

    def mean(places: pl.DataFrame) -> float | None:
        given = int(places["chances"].sum())
        return float(places["chance_sum"].sum()) / given if given else None

    made: tuple[tuple[str, Mapping[str, float], Mapping[str, float]], ...] = (
        ("abstained", abstained(then), abstained(now)),
        ("probability", {b: float(then[b].sum()) for b in bands}, {b: float(now[b].sum()) for b in bands}),
        ("home", measured.by(then, facts.partners, "country"), measured.by(now, facts.partners, "country")),
        ("kind", measured.by(then, facts.partners, "kind"), measured.by(now, facts.partners, "kind")),
    )
    return Drift(
        periods=periods, lists=(counted[0], counted[1]), mean=(mean(then), mean(now)), enough=enough,
        needed=measured.ENOUGH, shifts=tuple(measured.shift(n, a, b, enough=enough) for n, a, b in made),
    )  # fmt: skip


# What was shown.


def exposed(acting: Acting, facts: Facts, since: date, until: date) -> Exposed:
    """Whom the first ten places of the lists of a period went to."""
    from evaluation import exposed as measured  # noqa: PLC0415

    places = analysis.places(acting.cursor, since=since, until=until)
    listed = analysis.listed(acting.cursor, since=since, until=until)
    return measured.exposed(places, facts.partners, facts.deals, lists=listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Lists of a period: in all, by day (days without one are told, too), channel, role, language and engine."""

    total: int
    rows: int
    days: tuple[tuple[date, int], ...]
    most: int
    by: Mapping[str, tuple[tuple[str | None, int], ...]]


def lists(acting: Acting, since: date, until: date) -> Lists:
    """All lists of a period, those for a partner and those of machines too."""
    frame = analysis.lists(acting.cursor, since=since, until=until)
    per_day = dict(frame.group_by("day").agg(pl.col("lists").sum()).iter_rows())
    days = tuple(
        (day, int(per_day.get(day, 0))) for day in (since + timedelta(days=i) for i in range((until - since).days + 1))
    )
    return Lists(
        total=int(frame["lists"].sum()), rows=int(frame["rows"].sum()), days=days,
        most=max((n for _, n in days), default=0),
        by={c: _summed(frame, c) for c in ("channel", "role", "lang", "engine_id")},
    )  # fmt: skip


def _summed(frame: pl.DataFrame, column: str) -> tuple[tuple[str | None, int], ...]:
    summed = frame.group_by(column).agg(pl.col("lists").sum()).sort(["lists", column], descending=[True, False])
    return tuple((None if value is None else str(value), int(n)) for value, n in summed.iter_rows())


def partner_names(directory: Directory) -> Mapping[str, str]:
    """Partner -> name."""
    return dict(directory.facts.partners.select("partner_id", "name").iter_rows())


def project_names(directory: Directory, lang: Lang) -> Mapping[str, str]:
    """Project -> name in a language, else in the other, else its identifier."""
    order = ("name_vi", "name_en") if lang == "vi" else ("name_en", "name_vi")
    rows = directory.facts.projects.select("project_id", pl.coalesce(*order, "project_id"))
    return dict(rows.iter_rows())


# What people said.


def judged(acting: Acting) -> pl.DataFrame:
    """The latest judgment of each judge on each pair that the caller may see."""
    return feedback.read_judgments(acting.cursor)


def judged_places(acting: Acting) -> pl.DataFrame:
    """Where the judged pairs stood when they were last shown."""
    return analysis.judged_places(acting.cursor)


def opinions(service: Service, judgments: pl.DataFrame, places: pl.DataFrame) -> dict[str, Any]:
    """Grades, agreement of the judges, and pairs on which people and engine disagree."""
    from evaluation import exposed as measured  # noqa: PLC0415
    from evaluation import judgments as judging  # noqa: PLC0415 - pulls krippendorff

    key = tuple(judgments["judgment_id"].to_list())  # a judgment never changes
    agreement = _of(service, "agreement").of(key, lambda: judging.agreement(judgments, seed=SEED))
    return {
        "grades": measured.graded(judgments), "agreement": agreement, "disputes": measured.disputes(judgments, places),
        "enough": judging.MIN_PAIRS,
    }  # fmt: skip


def newest(judgments: pl.DataFrame) -> list[dict[str, Any]]:
    """The judgments that were recorded last."""
    return judgments.sort("judgment_id", descending=True).head(NEWEST).to_dicts()


# Two engines.


def compared(service: Service, directory: Directory, pair: tuple[Manifest, Manifest]) -> Compared:
    """Two engines side by side; their lists are made once for each pair, facts and day."""
    from evaluation import engines  # noqa: PLC0415

    first, second = pair
    matchmaker = service.matchmaker
    revision, day = matchmaker.revision, matchmaker.as_of

    def make() -> Agreement:
        if not isinstance(matchmaker, Remembering):
            raise SourceError("This installation cannot open another engine than the one in use.")
        present = directory.present_projects().filter(pl.col("status").is_in(OPEN_STATUSES))
        chosen = engines.drawn(present["project_id"].to_list())
        one, two = (_lists(matchmaker, str(m["engine"]), chosen, day, revision) for m in pair)
        return engines.agreement(chosen, one.__getitem__, two.__getitem__)

    found, failure = None, None
    try:
        found = _of(service, "compared").of((first["engine"], second["engine"], revision, day), make, wait=False)
    except MatcherError as reason:
        failure = str(reason)
    return Compared(differences=engines.differences(first, second), agreement=found, failure=failure)


def _lists(
    matchmaker: Remembering, engine: str, projects: Sequence[str], day: date, revision: int
) -> dict[str, list[str]]:
    from evaluation.engines import DEPTH  # noqa: PLC0415

    catalogue = matchmaker.past(engine, as_of=day, revision=revision)
    return {
        project: [
            m.partner_id
            for m in catalogue.match(Query(project_id=project), n=DEPTH, offset=0, filters=Filters()).matches
        ]
        for project in projects
    }
