"""What changed in a mission's list since a day: how it is asked for, and how it is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from starlette.requests import Request

from api.guard import caller_of
from api.pages.forms import day_of
from api.pages.listing import Listing
from api.permissions import may_hear_changes
from api.schemas import Lang
from api.service import Service
from matcher.errors import SourceError, StaleArtefactError
from matcher.records import Query

DAYS_BACK = 30
"""What is compared when no day is asked for. Source: our choice; a month is how often a post reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pair whose place changed, with the names of both sides."""

    kind: str
    project_id: str
    project_name: str
    partner_id: str
    partner_name: str
    then: int | None
    now: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Changes since a day; `shown` is False where no list of before is known, `wrong` what was typed and is no day."""

    since: date
    wrong: str | None
    shown: bool
    then_on: date | None
    why: Sequence[str]
    rows: Sequence[Row]

    @property
    def new(self) -> int | None:
        """How many pairs are new on the first page; None where nothing can be compared."""
        return sum(1 for row in self.rows if row.kind == "new") if self.shown else None


def day_asked(typed: str | None, as_of: date) -> tuple[date, str | None]:
    """The day that was typed, as YYYY-MM-DD or dd/mm/yyyy; the usual one and what was typed where that is no day."""
    usual = as_of - timedelta(days=DAYS_BACK)
    if not typed or not typed.strip():
        return usual, None
    try:
        return date.fromisoformat(day_of(typed.strip())), None
    except ValueError:
        return usual, typed


def settled(typed: str | None, as_of: date) -> bool:
    """What is compared is over, so that the comparison stays the same until the list does."""
    return day_asked(typed, as_of)[0] <= as_of


def told(request: Request, mission_id: str, typed: str | None, found: Listing | None, lang: Lang) -> Told | None:
    """What changed on the first page of a mission's pairs; None where there is no list or the caller may not know."""
    service, caller = Service.of(request), caller_of(request)
    if found is None or found.revision is None or not may_hear_changes(caller, mission_id):
        return None
    from matcher.jobs import changes  # noqa: PLC0415 - pulls numpy and LightGBM; not for --help

    directory = service.directory
    since, wrong = day_asked(typed, directory.as_of)
    try:
        with service.acting(request) as acting:
            made = changes.since(
                acting.cursor, service.matchmaker, Query(mission_id=mission_id), since, office=caller.mission_id
            )
    except (SourceError, StaleArtefactError):
        return None
    rows = [
        Row(
            kind=change.kind, project_id=change.project_id, partner_id=change.partner_id, then=change.then,
            now=change.now, project_name=directory.project_name(change.project_id, lang),
            partner_name=directory.shelves["partners"].names.get(change.partner_id, change.partner_id),
        )
        for change in made.rows
    ]  # fmt: skip
    return Told(
        since=since, wrong=wrong, shown=made.then is not None,
        then_on=None if made.then is None else made.then.as_of, why=made.why, rows=rows,
    )  # fmt: skip
