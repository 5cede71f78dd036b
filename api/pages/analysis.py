"""How good the matches are: engines, reports, drift, what was shown and what people think of it."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.guard import GuardedRoute
from api.language import DEFAULT
from api.pages import analysis_counts as counts
from api.pages import analysis_views as views
from api.pages.rendering import Asked, PageLang, render
from api.schemas import Lang
from api.service import Service
from matcher.errors import NotFoundError, SourceError
from matcher.store import reminders

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

DAYS = (7, 30, 90, 365)
"""Lengths of the period of the exposure audit that can be chosen."""

Days = Annotated[int, Query(ge=1, le=366)]


def _folder(request: Request) -> Path | None:
    folder: Path | None = request.app.state.evaluation
    return folder


@router.get("/analysis")
async def analysis_page(request: Request, lang: PageLang = None) -> Response:
    """The engine in use against the one before and the best simple ranker; what is kept, shown, judged and changed."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> Response:
        directory = service.directory
        w = views.words(shown, directory.facts.reference)
        kept = views.kept_reports(_folder(request))
        engines = service.matchmaker.engines()
        now, before = counts.in_use(engines)
        with service.acting(request) as acting:
            today = reminders.today(acting.cursor)
            exposed = counts.exposed(acting, directory.facts, today - timedelta(days=29), today)
            judged = counts.judged(acting)
            changed = None if now is None else counts.changed(acting, now, today)
        return render(
            request, "analysis.html", shown,
            kept=kept, engine=now, before=before, engines=len(engines), progress=views.progress(kept, w),
            held=None if now is None else views.held_out(now, before), reliable=views.reliability(kept, w),
            withheld=views.withheld(kept, w), exposed=exposed, judgments=judged.height, changed=changed, w=w,
            as_of=directory.as_of,
        )  # fmt: skip

    return await service.run(work)


@router.get("/analysis/reports/{name}")
async def report_page(request: Request, name: str, lang: PageLang = None) -> Response:
    """A report that is kept, with all its figures, drawings and the command that made it."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> Response:
        directory = service.directory
        kept = views.kept_reports(_folder(request))
        found = next((k for k in kept if k.name == name), None)
        if found is None:
            names = [k.name for k in kept]
            raise NotFoundError(f'There is no report "{name[:80]}"; kept are: {", ".join(names) or "none"}.', names[:5])
        if found.report is None:
            raise SourceError(found.failure)
        w = views.words(shown, directory.facts.reference)
        return render(
            request, "analysis_report.html", shown,
            kept=found, report=found.report, body=views.body(found, w), w=w,
            title=w.sentence(found.report.title) or found.report.title, as_of=directory.as_of,
        )  # fmt: skip

    return await service.run(work)


@router.get("/analysis/engines")
async def engines_page(request: Request, first: Asked = None, second: Asked = None, lang: PageLang = None) -> Response:
    """The fitted engines; two of them side by side: measures, manifests, and how far their lists agree today."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> Response:
        directory = service.directory
        engines = service.matchmaker.engines()
        known = {str(e["engine"]): e for e in engines}
        for asked in (first, second):
            if asked and asked not in known:
                raise NotFoundError(f'There is no engine "{asked[:80]}"; choose one from the list.', [*known][:5])
        pair = (known[first], known[second]) if first and second and first != second else None
        now, before = counts.in_use(engines)
        compared = None if pair is None else counts.compared(service, directory, pair)
        return render(
            request, "analysis_engines.html", shown,
            engines=engines, first=first or (before or now or {}).get("engine", ""),
            second=second or (now or {}).get("engine", ""), same=bool(first and first == second), pair=pair,
            compared=compared, held=None if pair is None else views.held_out(pair[1], pair[0]),
            partners=counts.partner_names(directory), projects=counts.project_names(directory, shown),
            as_of=directory.as_of, names=views.DIFFERENCE_NAMES, counted=views.COUNT_NAMES,
            w=views.words(shown, directory.facts.reference),
        )  # fmt: skip

    return await service.run(work)


@router.get("/analysis/drift")
async def drift_page(request: Request, lang: PageLang = None) -> Response:
    """What has changed since the engine in use was fitted: facts, their coverage, and what is shown."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> Response:
        directory = service.directory
        now, _before = counts.in_use(service.matchmaker.engines())
        context: dict[str, Any] = {"changed": None, "filled": (), "drift": None}
        with service.acting(request) as acting:
            today = reminders.today(acting.cursor)
            if now is not None and counts.fitted_at(now) is not None:
                context = {
                    "changed": counts.changed(acting, now, today),
                    "filled": counts.filled(service, acting, directory.facts, now),
                    "drift": counts.drift(acting, directory.facts, now, today),
                }
        return render(
            request, "analysis_drift.html", shown,
            engine=now, fitted_on=None if now is None else counts.fitted_on(now), today=today,
            tables=views.TABLE_NAMES, fields=views.FIELD_NAMES, shifts=views.SHIFT_NAMES,
            w=views.words(shown, directory.facts.reference), as_of=directory.as_of, **context,
        )  # fmt: skip

    return await service.run(work)


@router.get("/analysis/exposures")
async def exposures_page(request: Request, days: Days = 30, lang: PageLang = None) -> Response:
    """Whom the lists that were shown went to: how many partners are ever seen, how unequally, and who."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> Response:
        directory = service.directory
        with service.acting(request) as acting:
            today = reminders.today(acting.cursor)
            since = today - timedelta(days=days - 1)
            exposed = counts.exposed(acting, directory.facts, since, today)
            lists = counts.lists(acting, since, today)
        return render(
            request, "analysis_exposures.html", shown,
            exposed=exposed, lists=lists, days=days, choices=sorted({*DAYS, days}), since=since, today=today,
            partners=counts.partner_names(directory), channels=views.CHANNEL_NAMES, languages=views.LANGUAGE_NAMES,
            w=views.words(shown, directory.facts.reference), as_of=directory.as_of,
        )  # fmt: skip

    return await service.run(work)


@router.get("/analysis/judgments")
async def judgments_page(request: Request, lang: PageLang = None) -> Response:
    """What people said of pairs: grades, how far judges agree, and where they and the engine disagree most."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> Response:
        directory = service.directory
        with service.acting(request) as acting:
            judged = counts.judged(acting)
            places = counts.judged_places(acting)
        return render(
            request, "analysis_judgments.html", shown,
            **counts.opinions(service, judged, places), newest=counts.newest(judged),
            partners=counts.partner_names(directory), projects=counts.project_names(directory, shown),
            w=views.words(shown, directory.facts.reference), as_of=directory.as_of,
        )  # fmt: skip

    return await service.run(work)
