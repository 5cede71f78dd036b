"""What changed in a list since a day: what an office was shown then against what it is shown now, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, runtime_checkable

import psycopg

from matcher.jobs import pairs
from matcher.records import MatchList, Query
from matcher.store import pairing
from matcher.store.pairing import Shown


class Matches(Protocol):
    """Whoever answers questions about matches."""

    def match(self, query: Query, *, n: int = 10) -> MatchList:
        """Ranked matches."""
        ...


@runtime_checkable
class Keeps(Protocol):
    """Whoever has lists that were made before."""

    def kept(self, query: Query, *, n: int, cursor: str | None, lang: str) -> pairs.ServedList | None:
        """A page of such a list; None where `match` has to answer."""
        ...


FIRST = 10
"""Pairs of the first page, which are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A pair whose place changed; `then` and `now` are its ranks, None where it was or is not on the page."""

    project_id: str
    partner_id: str
    then: int | None
    now: int | None

    @property
    def kind(self) -> str:
        """One of new, gone, risen, fallen, same."""
        if self.then is None or self.now is None:
            return "new" if self.then is None else "gone"
        return "same" if self.then == self.now else "risen" if self.now < self.then else "fallen"

    def to_json(self) -> dict[str, Any]:
        """The row of the API."""
        return {
            "project_id": self.project_id, "partner_id": self.partner_id, "change": self.kind, "then": self.then,
            "now": self.now,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The first page then and now; `then` is None where nothing was shown or kept before the day."""

    since: date
    then: Shown | None
    now: Shown
    rows: Sequence[Change]

    @property
    def why(self) -> list[str]:
        """Which of engine, facts and day are others now."""
        if self.then is None:
            return []
        differs = {
            "engine": self.then.engine_id != self.now.engine_id, "facts": self.then.revision != self.now.revision,
            "day": self.then.as_of != self.now.as_of,
        }  # fmt: skip
        return [name for name, other in differs.items() if other]

    def to_json(self) -> dict[str, Any]:
        """The answer of the API."""
        return {
            "since": self.since.isoformat(), "then": None if self.then is None else _told(self.then),
            "now": _told(self.now), "why": self.why, "changes": [row.to_json() for row in self.rows],
        }  # fmt: skip


def since(cursor: psycopg.Cursor, maker: Matches, query: Query, day: date, *, office: str | None) -> Changes:
    """The first page of a query's list now against the last one that an office was shown before a day.

    Where it was shown none, the oldest list stands in that was made and is still kept from before that day.

    Args:
        cursor: a transaction of whoever asks, so that he sees no other office's lists.
        office: mission; None for the city itself.

    Raises:
        NotFoundError: what is asked for does not exist.
    """
    now = _first_page(maker, query)
    asked = {k: v for k, v in query.to_json().items() if k in ("mission", "project", "countries")}
    name = pairs.name_of(query)
    then = pairing.last_shown(cursor, asked, office, day)
    if then is None and name is not None:
        then = pairing.kept_before(cursor, name, day)
    return Changes(since=day, then=then, now=now, rows=() if then is None else compare(then.pairs, now.pairs))


def _first_page(maker: Matches, query: Query) -> Shown:
    """The first page of a query's list as it is now: one that was made before where there is one."""
    kept = maker.kept(query, n=FIRST, cursor=None, lang="en") if isinstance(maker, Keeps) else None
    if kept is not None:
        return Shown(
            exposure_id=None, engine_id=kept.engine, revision=kept.revision, as_of=kept.as_of,
            pairs=[(project, partner) for _, project, partner, _, _ in kept.items],
        )  # fmt: skip
    found = maker.match(query, n=FIRST)
    assert found.revision is not None
    return Shown(
        exposure_id=None, engine_id=found.engine, revision=found.revision, as_of=found.as_of,
        pairs=[(m.project_id, m.partner_id) for m in found.matches],
    )  # fmt: skip


def compare(then: Sequence[tuple[str, str]], now: Sequence[tuple[str, str]]) -> tuple[Change, ...]:
    """Pairs of the first page whose place changed, as they stand now; those that are gone come last.

    Where fewer were shown then, only so many are compared: what was not asked for is not new.
    """
    depth = min(FIRST, len(then)) if then else FIRST
    before = {pair: i + 1 for i, pair in enumerate(then[:depth])}
    after = {pair: i + 1 for i, pair in enumerate(now[:depth])}
    rows = [Change(project_id=p, partner_id=q, then=before.get((p, q)), now=after.get((p, q)))
            for p, q in dict.fromkeys([*after, *before])]  # fmt: skip
    return tuple(row for row in rows if row.kind != "same")


def _told(made: Shown) -> Mapping[str, Any]:
    return {
        "engine": made.engine_id, "revision": made.revision, "as_of": made.as_of.isoformat(),
        "exposure_id": made.exposure_id,
    }  # fmt: skip
