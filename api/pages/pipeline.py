"""The pipeline of an office: its work as a board and as a table, contacts, shortlists, outcomes and what is due."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import pipeline as asked_of
from api.filters import cursor_of
from api.guard import GuardedRoute, caller_of
from api.language import DEFAULT
from api.lists import search_words
from api.pages import pipeline_fields
from api.pages.rendering import Asked, Cursor, PageLang, render
from api.schemas import MAX_N, Lang
from api.service import Service
from matcher import stages
from matcher.store import reminders
from matcher.store.funnel import Funnel, funnel
from matcher.store.pipeline_rows import ASSIGNMENT, INTERACTION, OUTCOME, SHORTLIST, Kind, Page, page
from matcher.store.reminders import REMINDERS

router = APIRouter(prefix="/pipeline", include_in_schema=False, route_class=GuardedRoute)

CARDS = 12
"""Cards of a column, those that are due first; the table has the others."""
FETCHED = 500
"""Running work that the board looks at; of more the newest."""
ENDED = 10
"""Work that has ended, below the board."""
ROWS = 50
SORTED = 1_000
"""Work that is put in order; of more the newest."""
DUE = 5
BAR = 200
"""Width of the funnel, in its own units."""
Named = Annotated[str | None, Query(max_length=200)]
Order = Annotated[Literal["new", "next", "value", "stage"], Query()]


# Work


@router.get("")
async def pipeline_page(
    request: Request, view: Annotated[Literal["board", "table"], Query()] = "board", q: Asked = None,
    stage: Named = None, status: Named = None, lead: Named = None, partner_id: Named = None, project_id: Named = None,
    sort: Order = "new", number: Annotated[int, Query(alias="page", ge=1, le=1_000)] = 1, lang: PageLang = None,
) -> Response:  # fmt: skip
    """The work of the office: a board by stage, or a table that can be sorted and filtered."""
    shown: Lang = lang or DEFAULT
    given = {"q": q, "stage": stage, "status": status, "lead": lead, "partner_id": partner_id,
             "project_id": project_id}  # fmt: skip
    if view == "board":
        return await Service.of(request).run(_board, request, given, shown)
    return await Service.of(request).run(_table, request, given, sort, number, shown)


def _board(request: Request, given: Mapping[str, str | None], lang: Lang) -> Response:
    words, filters = _filters({k: given[k] for k in ("q", "lead", "partner_id", "project_id")})
    with Service.of(request).acting(request) as acting:
        day = reminders.today(acting.cursor)
        found = page(acting.cursor, ASSIGNMENT, filters={**filters, "status": stages.RUNNING}, q=words, n=FETCHED)
        ended = page(acting.cursor, ASSIGNMENT, filters={**filters, "status": ("lost", "done")}, q=words, n=ENDED)
        counted = funnel(acting.cursor)
        due, waiting, _more = reminders.due(acting.cursor, as_of=day, n=DUE)
    cards, filtered = _cards(found, day), any(given.values())
    columns = []
    for step in counted.steps:
        own = [card for card in cards if card["stage"] == step.stage]
        columns.append((step.stage, {"cards": own[:CARDS], "total": len(own) if filtered else step.works}))
    return render(
        request, "pipeline_board.html", lang,
        columns=columns, ended=ended, funnel=counted, bars=_bars(counted), due=due, waiting=waiting, today=day,
        asked=given, stages=stages.STAGES, filtered=filtered, **_frame(request),
    )  # fmt: skip


def _cards(found: Page, day: date) -> list[dict[str, Any]]:
    """Work that is late first, then what comes next."""
    items = [{**item, "late": pipeline_fields.late(item, day)} for item in found.items]
    items.sort(key=lambda i: (i["status"] != "active", i["next_on"] or "9999", -i["id"]))
    return items


def _bars(counted: Funnel) -> list[dict[str, Any]]:
    """The funnel: a centred bar per stage, as wide as its share of the widest."""
    most = max((step.works for step in counted.steps), default=0) or 1
    out = []
    for step in counted.steps:
        width = round(BAR * step.works / most, 1)
        out.append({"step": step, "x": round((BAR - width) / 2, 1), "width": width})
    return out


def _table(request: Request, given: Mapping[str, str | None], sort: str, number: int, lang: Lang) -> Response:
    words, filters = _filters(given)
    with Service.of(request).acting(request) as acting:
        day = reminders.today(acting.cursor)
        found = page(acting.cursor, ASSIGNMENT, filters=filters, q=words, n=SORTED)
    rows = sorted(_cards(found, day), key=lambda i: -i["id"])
    last = stages.STAGES.index
    order: Mapping[str, Any] = {
        "next": lambda i: i["next_on"] or "9999", "value": lambda i: -(i["value_usd"] or 0),
        "stage": lambda i: -last(i["stage"]),
    }  # fmt: skip
    if sort in order:
        rows.sort(key=order[sort])
    start = (number - 1) * ROWS
    return render(
        request, "pipeline_table.html", lang,
        rows=rows[start : start + ROWS], total=found.total, cut=found.total > SORTED, most=SORTED, sort=sort,
        number=number, last=start + ROWS >= len(rows), asked=given, stages=stages.STAGES,
        first={k: v for k, v in given.items() if v}, query=_query(given), today=day, **_frame(request),
    )  # fmt: skip


# Contacts, shortlists, outcomes


@router.get("/interactions")
async def interactions_page(
    request: Request, q: Asked = None, kind: Named = None, partner_id: Named = None, project_id: Named = None,
    cursor: Cursor = None, lang: PageLang = None,
) -> Response:  # fmt: skip
    """The contacts of the office, newest first."""
    given = {"q": q, "kind": kind, "partner_id": partner_id, "project_id": project_id}
    return await Service.of(request).run(_listed, request, INTERACTION, given, cursor, lang or DEFAULT)


@router.get("/shortlists")
async def shortlists_page(
    request: Request, q: Asked = None, partner_id: Named = None, project_id: Named = None, cursor: Cursor = None,
    lang: PageLang = None,
) -> Response:  # fmt: skip
    """Partners that the office keeps in view, by project."""
    given = {"q": q, "partner_id": partner_id, "project_id": project_id}
    return await Service.of(request).run(_listed, request, SHORTLIST, given, cursor, lang or DEFAULT)


@router.get("/outcomes")
async def outcomes_page(
    request: Request, q: Asked = None, result: Named = None, verified: Named = None, partner_id: Named = None,
    project_id: Named = None, cursor: Cursor = None, lang: PageLang = None,
) -> Response:  # fmt: skip
    """How it ended, and what another person has verified."""
    given = {"q": q, "result": result, "verified": verified, "partner_id": partner_id, "project_id": project_id}
    return await Service.of(request).run(_listed, request, OUTCOME, given, cursor, lang or DEFAULT)


def _listed(request: Request, kind: Kind, given: Mapping[str, str | None], cursor: str | None, lang: Lang) -> Response:
    words, filters = _filters(given)
    digest = asked_of.digest_of([kind.table, words, filters])
    before = asked_of.start_before(cursor, digest)
    with Service.of(request).acting(request) as acting:
        day = reminders.today(acting.cursor)
        found = page(acting.cursor, kind, filters=filters, q=words, n=ROWS, before=before)
    caller = caller_of(request)
    rows = [{**item, "own": pipeline_fields.is_own(caller, item)} for item in found.items]
    return render(
        request, f"pipeline_{kind.plural}.html", lang,
        rows=rows, total=found.total, asked=given, first={k: v for k, v in given.items() if v}, cursor=cursor,
        next=None if found.next is None else cursor_of(digest, str(found.next)), query=_query(given),
        today=day, **_frame(request),
    )  # fmt: skip


# What is due


@router.get("/reminders")
async def reminders_page(
    request: Request, kind: Named = None, cursor: Cursor = None, lang: PageLang = None
) -> Response:  # fmt: skip
    """What has waited too long, longest first."""
    return await Service.of(request).run(_due, request, kind, cursor, lang or DEFAULT)


def _due(request: Request, kind: str | None, cursor: str | None, lang: Lang) -> Response:
    chosen = asked_of.choice([kind], REMINDERS, "?kind") if kind else ()
    with Service.of(request).acting(request) as acting:
        found = asked_of.due(acting, chosen, as_of=None, n=ROWS, cursor=cursor)
        counts = reminders.counted(acting.cursor, as_of=found.as_of)
        rows = {k: [i for i in found.items if i["kind"] == k] for k in REMINDERS}
        if not kind and not cursor:  # the first of every kind, so that none hides behind another
            rows = {k: reminders.due(acting.cursor, as_of=found.as_of, kinds=(k,), n=ROWS)[0] for k in REMINDERS}
    totals = {k: sum(n for (of, _why), n in counts.items() if of == k) for k in REMINDERS}
    return render(
        request, "pipeline_reminders.html", lang,
        rows=rows, total=found.total, shown=len(found.items), asked={"kind": kind}, kinds=REMINDERS, cursor=cursor,
        counts=counts, totals=totals, whole=sum(totals.values()), first={"kind": kind} if kind else {},
        next=found.next if kind or cursor else None, today=found.as_of, **_frame(request),
    )  # fmt: skip


# Inside


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "stage": stages.STAGES, "status": get_args(stages.Status), "kind": get_args(stages.Contact),
    "result": get_args(stages.Result),
}  # fmt: skip


def _filters(given: Mapping[str, str | None]) -> tuple[str | None, dict[str, Any]]:
    """The words of a search, and the filters that are set.

    Raises:
        InputError: a value is none of those that there are.
    """
    q = given.get("q")
    words = search_words(q) if q and q.strip() else None
    filters: dict[str, Any] = {}
    for name, value in given.items():
        if not value or name == "q":
            continue
        if name in ("lead", "verified"):
            filters[name] = asked_of.choice([value], ("yes", "no"), f"?{name}")[0] == "yes"
        elif name in _CHOICES:
            filters[name] = asked_of.choice([value], _CHOICES[name], f"?{name}")
        else:
            filters[name] = (value,)
    return words, filters


def _query(given: Mapping[str, str | None]) -> str:
    """The filters as the API takes them, for the links to the same rows as a file."""
    said = {k: {"yes": "true", "no": "false"}.get(v, v) for k, v in given.items() if v}
    return urlencode([*said.items(), ("n", MAX_N)])


def _frame(request: Request) -> dict[str, Any]:
    """What every page of the pipeline shows beside its own."""
    caller = caller_of(request)
    return {"directory": Service.of(request).directory, "may_export": caller.may_export and "export" in caller.scopes}
