"""What the pipeline's routes share: filters in, records out, each write once and on the version that was read."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api import writes
from api.answers import Listed, flatten, record, table
from api.directory import Directory
from api.filters import cursor_of, foreign, start_after
from api.lists import search_words, split
from api.nearby import one_of, unknown
from api.schemas import ListParams
from api.service import Service
from matcher import stages
from matcher.store import pipeline, reminders
from matcher.store.desk import Acting
from matcher.store.pipeline_rows import ASSIGNMENT, CITY, INTERACTION, OUTCOME, SHORTLIST, Kind, get, page
from matcher.store.reminders import Reminder

_PAGING = frozenset(ListParams.model_fields)
_CHOICES = {"kind": stages.Contact, "stage": stages.Stage, "status": stages.Status, "result": stages.Result}
_HEAD = (
    "id",
    "version",
    "mission_id",
    "partner_id",
    "partner_name",
    "project_id",
    "project_name_vi",
    "project_name_en",
)
_TAIL = ("by", "recorded_at")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    kind.table: (*_HEAD, *kind.fields, *more, *_TAIL)
    for kind, more in (
        (INTERACTION, ()), (SHORTLIST, ()), (ASSIGNMENT, ()),
        (OUTCOME, ("verified", "verification_verdict", "verification_reason", "verification_by",
                   "verification_recorded_at")),
    )
}  # fmt: skip
"""Columns of the lists as CSV and XLSX."""


def listed(request: Request, kind: Kind, params: ListParams) -> Response:
    """One page of the caller's records of a kind, in the format asked for."""
    service = Service.of(request)
    q = None if params.q is None else search_words(params.q)
    filters = _filters(service.directory, {k: v for k, v in params.model_dump().items() if k not in _PAGING})
    digest = digest_of([kind.table, q, filters])

    def one(asked: ListParams) -> Listed:
        before = start_before(asked.cursor, digest)
        with service.acting(request) as acting:
            found = page(acting.cursor, kind, filters=filters, q=q, n=asked.n, before=before)
        content = {
            kind.plural: found.items, "total": found.total, "filters": {"q": q, **filters},
            "next": None if found.next is None else cursor_of(digest, str(found.next)),
        }  # fmt: skip
        return content, [flatten(i) for i in found.items]

    return table(request, params, one, name=kind.plural, columns=COLUMNS[kind.table])


def read(request: Request, kind: Kind, record_id: int) -> Response:
    """One record with its history."""
    with Service.of(request).acting(request) as acting:
        content = get(acting.cursor, kind, record_id)
    return record(request, content)


def create(request: Request, kind: Kind, body: BaseModel) -> Response:
    """201 with the new record."""

    def work(acting: Acting, near: pipeline.Near) -> Response:
        made = pipeline.create(acting.cursor, kind, body.model_dump(), near=near)
        return writes.created(made, f"/v1/{kind.plural}/{made['id']}")

    return write(request, body, work)


def change(request: Request, kind: Kind, record_id: int, body: BaseModel) -> Response:
    """The record with what was sent changed, as a merge patch (RFC 7396)."""
    held = writes.require_match(request)

    def work(acting: Acting, near: pipeline.Near) -> Response:
        changes = body.model_dump(exclude_unset=True)
        made = pipeline.change(
            acting.cursor, kind, record_id, changes, fits=lambda known: writes.check_match(held, known), near=near
        )
        return writes.changed(made)

    return write(request, body, work, keyed=False)


def undo(request: Request, kind: Kind, record_id: int) -> Response:
    """The record as it was before its newest version."""
    return write(request, None, lambda acting, _: writes.changed(pipeline.undo(acting.cursor, kind, record_id)))


def write(
    request: Request, body: BaseModel | None, work: Callable[[Acting, pipeline.Near], Response], *, keyed: bool = True
) -> Response:
    """The answer of `work` in a transaction of the caller, done once per Idempotency-Key where one is taken."""
    service = Service.of(request)

    def near(table: str, seen: str) -> list[str]:
        return near_in(service.directory)(table, seen)  # asked for by refusals only

    with service.acting(request) as acting:
        if not keyed:
            return work(acting, near)
        return writes.once(request, acting, writes.content_of(body), lambda: work(acting, near))


def digest_of(asked: object) -> str:
    """Ties a cursor to the search that it was given for."""
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def start_before(cursor: str | None, digest: str) -> int | None:
    """The identifier before which a page starts.

    Raises:
        InputError: the cursor is damaged or was given for another search.
    """
    if cursor is None:
        return None
    last = start_after(cursor, digest)
    return int(last) if last.isascii() and last.isdigit() and len(last) < 19 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A page of what has waited too long on a day; `next` is the cursor of the page after it."""

    items: list[dict[str, Any]]
    total: int
    kinds: tuple[Reminder, ...]
    as_of: date
    next: str | None


_PLACE = TypeAdapter(tuple[int, date | None, int, str, str])
"""Number of the kind, since when, identifier, partner and project: the order of the reminders."""


def due(acting: Acting, asked: Sequence[str], *, as_of: date | None, n: int, cursor: str | None) -> Due:
    """What the caller is to be reminded of; of the kinds asked for, or of all.

    Raises:
        InputError: the cursor is damaged or was given for another search.
    """
    day = as_of or reminders.today(acting.cursor)
    kinds = tuple(k for k in reminders.REMINDERS if k in asked or not asked)
    # The day is part of the search: a cursor of yesterday would skip what became due since.
    digest = digest_of(["reminders", kinds, day])
    after = None if cursor is None else _place(cursor, digest)
    items, total, place = reminders.due(acting.cursor, as_of=day, kinds=kinds, n=n, after=after)
    following = None if place is None else cursor_of(digest, orjson.dumps(place).decode())
    return Due(items=items, total=total, kinds=kinds, as_of=day, next=following)


def _place(cursor: str, digest: str) -> list[Any]:
    """Where the page before ended.

    Raises:
        InputError: the cursor is damaged or was given for another search.
    """
    try:
        return list(_PLACE.validate_json(start_after(cursor, digest)))
    except ValidationError:
        raise foreign(cursor) from None


def choice(values: list[str], known: tuple[str, ...], pointer: str) -> tuple[str, ...]:
    """The alternatives of a filter, each one of the known ones.

    Raises:
        InputError: one is not; names those nearby.
    """
    return tuple(one_of(v, set(known), pointer) for v in split(values))


def _filters(directory: Directory, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The filters that are set, each value known."""
    out: dict[str, Any] = {}
    for name, given in asked.items():
        value: Any = given
        if name in _CHOICES:
            value = choice(given, get_args(_CHOICES[name]), f"?{name}")
        elif isinstance(given, list):
            value = tuple(_known(directory, f"{name.removesuffix('_id')}s", v, f"?{name}") for v in split(given))
        if value not in (None, ()):
            out[name] = value
    return out


def _known(directory: Directory, table: str, seen: str, pointer: str) -> str:
    if seen in directory.shelves[table].names or (table == "missions" and seen == CITY):
        return seen
    expected = f"the id of one of the {table}" + (f", or {CITY}" if table == "missions" else "")
    raise unknown(seen, pointer, expected, directory.nearby(table, seen))


def near_in(directory: Directory) -> pipeline.Near:
    """What names the identifiers that resemble an unknown one."""

    def near(table: str, seen: str) -> list[str]:
        return directory.countries_near(seen) if table == "countries" else directory.nearby(table, seen)

    return near
