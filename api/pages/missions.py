"""The missions abroad: the list, and the home of one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import exposures, lists
from api.directory import Directory
from api.guard import GuardedRoute
from api.language import DEFAULT
from api.pages import changing, geography, listing
from api.pages.countries import embassies_first
from api.pages.keeping import render_kept
from api.pages.rendering import Asked, Cursor, PageLang, PageSort, is_own_mission, text_of
from api.schemas import Lang
from api.service import Service
from matcher.jobs.posts import ACCREDITATION_UNKNOWN, PERMANENT
from matcher.records import Query as Question
from matcher.store import reminders
from matcher.store.funnel import funnel
from matcher.text import fold

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWork:
    """A mission's own work: how many reminders wait for it, and how much work runs at each stage."""

    waiting: int
    stages: Mapping[str, int]


@router.get("/missions")
async def missions_page(request: Request, q: Asked = None, lang: PageLang = None) -> Response:
    """The missions abroad with the countries each covers."""
    shown: Lang = lang or DEFAULT

    def content(directory: Directory) -> dict[str, Any]:
        words = lists.search_words(q) if q and q.strip() else None
        page = directory.page("missions", q=words, filters={}, n=10_000, cursor=None)
        by_host = sorted(page.items, key=lambda m: (fold(directory.country_name(m["country"], shown)), m["country"]))
        items = [
            mission for host, posts in groupby(by_host, key=lambda m: str(m["country"]))
            for mission in embassies_first(posts, host)
        ]  # fmt: skip
        covering = Counter(c for m in page.items if m["type"] != PERMANENT for c in {c["country"] for c in m["covers"]})
        return {
            "missions": items, "total": page.total, "directory": directory, "as_of": directory.as_of, "q": q or "",
            "known": sum(1 for m in page.items if m["accreditation_known"]),
            "shades": geography.shaded(directory, dict(covering), shown),
            "seats": geography.seats(directory, items, shown),
        }  # fmt: skip

    return await Service.of(request).run(render_kept, request, "missions.html", shown, content)


@router.get("/missions/{mission_id}")
async def mission_page(
    request: Request, mission_id: str, cursor: Cursor = None, sort: PageSort = "partner", since: Asked = None,
    lang: PageLang = None,
) -> Response:  # fmt: skip
    """The home of a mission: its countries, what is new and what waits, and the pairs to approach."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> exposures.Served:
        directory = service.directory
        mission = directory.get("missions", mission_id)
        found, failure = listing.found(request, Question(mission_id=mission_id, sort=sort), shown, cursor=cursor)

        def content(_: Directory) -> dict[str, Any]:
            partners = directory.partners_by_country()
            covered = {c["country"]: float(partners.get(c["country"], 0)) for c in mission["covers"]}
            return {
                "mission": mission, "partners": partners, "paging": listing.paging(cursor, {}, sort),
                "told": found is not None and ACCREDITATION_UNKNOWN in found.notes,
                "changed": changing.told(request, mission_id, since, found, shown), "asked": bool(since),
                "compiled": int(sum(covered.values())), "shades": geography.shaded(directory, covered, shown),
                "seats": geography.seats(directory, [mission], shown),
                **listing.context(request, directory, found, failure),
            }  # fmt: skip

        holes = listing.touched(request, directory, found, shown)
        if is_own_mission(request, mission_id):
            holes |= _own_work(request, shown)
        page = render_kept(
            request, "mission.html", shown, content, directory=directory, holes=holes,
            of=found.key if found is not None and changing.settled(since, directory.as_of) else None,
        )  # fmt: skip
        return exposures.Served(response=page, found=found, lang=shown)

    return await exposures.answer(request, work, channel="page")


def _own_work(request: Request, lang: Lang) -> dict[str, str]:
    """What stands in the holes of a mission's own home."""
    with Service.of(request).acting(request) as acting:
        cursor = acting.cursor
        _, waiting, _ = reminders.due(cursor, as_of=reminders.today(cursor), n=1)
        counted = funnel(cursor)
    own = OwnWork(waiting=waiting, stages={step.stage: step.works for step in counted.steps})
    waits, work = text_of(request, "mission_own.html", lang, own=own).split("<!-- cut -->")
    return {"waiting": waits, "work": work}
