"""A list that was shown is made again, from the same engine and the same knowledge, and compared with the record."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from matcher.errors import InputError, NotFoundError
from matcher.jobs.matchmaker import Matchmaker
from matcher.records import DAY, TABLES, Filters, Query

Pair = tuple[str, str]
"""Project and partner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One rank at which the lists differ; None where a list ends before it."""

    rank: int
    shown: Pair | None
    now: Pair | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """A list as it was shown, and as it comes out now.

    Attributes:
        identical: the same pairs at the same ranks.
        places: ranks at which the lists differ; empty when `identical`.
        score_difference: largest absolute difference of the score of a pair that is in both; None without any.
        probability_changed: pairs in both lists that got another probability, or one instead of none.
    """

    exposure_id: int
    engine: str
    as_of: date
    revision: int
    rows: int
    places: tuple[Place, ...]
    score_difference: float | None
    probability_changed: int

    @property
    def identical(self) -> bool:
        """The same pairs stand at the same ranks."""
        return not self.places

    def to_json(self) -> dict[str, Any]:
        """The report as JSON object."""
        return {
            "exposure_id": self.exposure_id, "engine": self.engine, "as_of": self.as_of.isoformat(),
            "revision": self.revision, "rows": self.rows, "identical": self.identical,
            "places": [{"rank": p.rank, "shown": _named(p.shown), "now": _named(p.now)} for p in self.places],
            "score_difference": self.score_difference, "probability_changed": self.probability_changed,
        }  # fmt: skip


def reproduce(exposure_id: int, matchmaker: Matchmaker) -> Reproduction:
    """The question of an exposure asked again of its engine, on its day and on the facts that were in the store then.

    Facts that were accepted since, a newer engine and missions accredited since play no part. A difference
    means that the program or an artefact was changed.

    Raises:
        NotFoundError: no list was logged under this identifier.
        SourceError: its engine is gone or damaged.
        StaleArtefactError: its engine does not fit this program or encoder.
    """
    record = matchmaker.store.read_exposures(ids=[exposure_id])
    if record.lists.is_empty():
        raise NotFoundError(f"No list was logged as exposure {exposure_id}.")
    asked = record.lists.row(0, named=True)
    catalogue = matchmaker.past(asked["engine_id"], as_of=asked["as_of"], revision=asked["revision"])
    found = catalogue.match(
        query_of(json.loads(asked["query"])), n=asked["n"], offset=asked["offset"],
        filters=filters_of(json.loads(asked["filters"])),
    )  # fmt: skip
    before = {
        rank: ((project, partner), score, probability)
        for rank, project, partner, score, probability in record.items.select(
            "rank", "project_id", "partner_id", "score", "probability"
        ).iter_rows()
    }
    now = {
        m.rank: ((m.project_id, m.partner_id), m.score, None if m.probability is None else m.probability.value)
        for m in found.matches
    }
    differing = [r for r in sorted(before.keys() | now.keys()) if _pair(before.get(r)) != _pair(now.get(r))]
    then_of = {pair: rest for pair, *rest in before.values()}
    both = [(then_of[pair], rest) for pair, *rest in now.values() if pair in then_of]
    return Reproduction(
        exposure_id=exposure_id, engine=asked["engine_id"], as_of=asked["as_of"], revision=asked["revision"],
        rows=len(before),
        places=tuple(Place(rank=r, shown=_pair(before.get(r)), now=_pair(now.get(r))) for r in differing),
        score_difference=max((abs(then[0] - again[0]) for then, again in both), default=None),
        probability_changed=sum(then[1] != again[1] for then, again in both),
    )  # fmt: skip


def query_of(written: Mapping[str, Any]) -> Query:
    """The query whose `to_json` was written."""
    countries = written.get("countries")
    return Query(
        project_id=written.get("project"), partner_id=written.get("partner"), mission_id=written.get("mission"),
        countries=None if countries is None else tuple(countries), text=written.get("text"),
        draft_project=_draft("projects", written.get("draft_project")),
        draft_partner=_draft("partners", written.get("draft_partner")), sort=written.get("sort", "partner"),
    )  # fmt: skip


def filters_of(written: Mapping[str, Any]) -> Filters:
    """The filters whose set fields were written.

    Raises:
        InputError: a filter that this program does not have.
    """
    unknown = set(written) - {f.name for f in fields(Filters)}
    if unknown:
        raise InputError(f"The list was filtered by {', '.join(sorted(unknown))}, which this program does not know.")
    chosen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in written.items()}
    return Filters(**chosen)


def _draft(table: str, written: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if written is None:
        return None
    return {column: _value(TABLES[table].columns.get(column), value) for column, value in written.items()}


def _value(kind: pl.DataType | None, value: Any) -> Any:
    if isinstance(value, str) and kind == DAY:
        return date.fromisoformat(value)
    if isinstance(value, str) and kind is not None and kind.is_numeric():
        return Decimal(value)
    return value


def _pair(row: Sequence[Any] | None) -> Pair | None:
    return None if row is None else row[0]


def _named(pair: Pair | None) -> dict[str, str] | None:
    return None if pair is None else {"project_id": pair[0], "partner_id": pair[1]}
