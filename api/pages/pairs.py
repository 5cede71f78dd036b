"""One project with one partner: the full evidence, what sets partners apart, and what people think of a pair."""

import re
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from api import exposures, feedback_shapes, present
from api.guard import GuardedRoute, caller_of
from api.language import DEFAULT, url
from api.pages import forms, listing
from api.pages.rendering import Asked, PageLang, acts, render
from api.pages.telling import told_by_field
from api.schemas import Lang
from api.service import Explained, Service
from matcher.errors import InputError
from matcher.records import Match
from matcher.records import Query as Question
from matcher.store import feedback_pages, offices
from matcher.store.offices import Standing

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

COMPARED = 4
"""Partners side by side at most: more columns cannot be read on one screen."""

_DIGITS = re.compile(r"\d{1,18}", re.ASCII)

One = Annotated[str | None, Query(max_length=200)]
Several = Annotated[list[str], Query(max_length=50)]


def address(project_id: str, partner_id: str) -> str:
    """Where the page of a pair is."""
    return f"/projects/{quote(project_id, safe='')}/partners/{quote(partner_id, safe='')}"


@router.get("/projects/{project_id}/compare")
async def compare_page(
    request: Request, project_id: str, partner: Several = [], first: One = None, second: One = None,  # noqa: B006
    lang: PageLang = None,
) -> Response:  # fmt: skip
    """Two to four partners of a project side by side; without a choice the first two of its list."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT
    if first and second:  # addresses of before
        path = f"/projects/{quote(project_id, safe='')}/compare"
        return RedirectResponse(url(path, shown, {"partner": [first, second]}), status_code=303)

    def work() -> exposures.Served:
        directory = service.directory
        project = directory.get("projects", project_id)
        chosen = list(dict.fromkeys(p for p in partner if p))
        for one in chosen:
            directory.get("partners", one)
        found: listing.Listing | None = None
        if not chosen:
            found, failure = listing.found(request, Question(project_id=project_id), shown)
            if failure:
                return exposures.Served(response=_no_engine(request, project, failure, shown), found=None, lang=shown)
            chosen = [] if found is None else [row.partner_id for row in found.rows[:2]]
        matches, between = _explained(service, project_id, chosen[:COMPARED])
        page = render(
            request, "compare.html", shown,
            project=project, directory=directory, as_of=directory.as_of, too_many=len(chosen) > COMPARED,
            most=COMPARED, picked=bool(partner), failure=None, covered=listing.covered(request, directory),
            standings=listing.standings(request, [m.partner_id for m in matches]),
            between=None if between is None else present.explanation(between, directory, shown),
            **present.comparison(matches, directory, shown),
        )  # fmt: skip
        return exposures.Served(response=page, found=found, lang=shown)

    return await exposures.answer(request, work, channel="page")


def _no_engine(request: Request, project: Any, failure: str, lang: Lang) -> Response:
    directory = Service.of(request).directory
    return render(
        request, "compare.html", lang, project=project, directory=directory, as_of=directory.as_of, failure=failure,
        **present.comparison([], directory, lang),
    )  # fmt: skip


def _explained(service: Service, project_id: str, partners: Sequence[str]) -> tuple[list[Match], Explained | None]:
    """The pairs of a project with these partners, best first, and what sets the first two apart."""
    if not partners:
        return [], None
    maker = service.matchmaker
    if len(partners) == 1:  # with whoever comes next
        between = maker.explain(project_id, partners[0])
        return [m for m in (between.match, between.following) if m is not None], between
    found: list[Match] = []
    made: dict[tuple[str, str], Explained] = {}
    for first, *second in (partners[i : i + 2] for i in range(0, len(partners), 2)):
        told_ = maker.explain(project_id, first, against=second[0] if second else None)
        found.append(told_.match)
        if second and told_.following is not None:
            found.append(told_.following)
            made[first, second[0]] = told_
    found.sort(key=lambda m: (m.rank, m.partner_id))
    leading = found[0].partner_id, found[1].partner_id
    return found, made.get(leading) or maker.explain(project_id, leading[0], against=leading[1])


@router.get("/projects/{project_id}/partners/{partner_id}")
async def pair_page(
    request: Request, project_id: str, partner_id: str, against: Asked = None, lang: PageLang = None
) -> Response:
    """One pair: the full evidence, and what sets it apart from the next candidate or from the one `against`."""
    shown: Lang = lang or DEFAULT

    def work() -> Response:
        return _pair(request, project_id, partner_id, shown, against=against)

    return await Service.of(request).run(work)


def _pair(
    request: Request, project_id: str, partner_id: str, lang: Lang, *, against: str | None = None, status: int = 200,
    typed: dict[str, str] | None = None, errors: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    service = Service.of(request)
    directory = service.directory
    project, partner = directory.get("projects", project_id), directory.get("partners", partner_id)
    explained = service.matchmaker.explain(project_id, partner_id, against=against or None)
    standing, judged = _people(request, project_id, partner_id)
    covered = listing.covered(request, directory)
    return render(
        request, "pair.html", lang, status,
        project=project, partner=partner, directory=directory, as_of=explained.match.as_of,
        workable=covered is None or partner["country"] in covered,
        standing=standing, judged=judged, key=forms.new_key(), typed=typed or {}, errors=errors or {},
        **present.explanation(explained, directory, lang),
    )  # fmt: skip


def _people(request: Request, project_id: str, partner_id: str) -> tuple[Standing | None, dict[str, Any] | None]:
    """How the reader's office stands with the partner, and what the reader thinks of the pair."""
    caller = caller_of(request)
    mine = {"project_id": (project_id,), "partner_id": (partner_id,), "judged_by": (caller.pseudonym,)}
    with Service.of(request).acting(request) as acting:
        standing = offices.standing(acting.cursor, [partner_id]).get(partner_id) if acts(caller) else None
        judged = feedback_pages.judgments(acting.cursor, filters=mine, n=1, before=None).items
    return standing, judged[0] if judged else None


@router.post("/judgments")
async def judge(request: Request) -> Response:
    """What the reader thinks of a pair is on record; back to the pair."""
    form = await forms.sent(request)
    return await Service.of(request).run(_judged, request, form)


def _judged(request: Request, form: forms.Sent) -> Response:
    caller = caller_of(request)
    typed = dict(form.fields)
    try:
        values: dict[str, Any] = dict(typed)  # a field that there is not, such as an office, is refused
        values |= {k: int(values[k]) for k in ("grade", "exposure_id") if _DIGITS.fullmatch(values.get(k, ""))}
        body = forms.read(feedback_shapes.NewJudgment, values)

        def work(acting: Any) -> str:
            made = feedback_pages.add_judgment(
                acting.cursor, **body.model_dump(), judged_by=caller.pseudonym, mission_id=caller.mission_id
            )
            back = form.back or address(body.project_id, body.partner_id)
            return forms.after(back, form.lang, done=f"judgments.{made['id']}")

        return forms.written(request, form, work)
    except InputError as error:
        wrong = told_by_field(error.errors, form.lang)
        if not (typed.get("project_id") and typed.get("partner_id")) or wrong.keys() & {"project_id", "partner_id"}:
            raise
        return _pair(
            request, typed["project_id"], typed["partner_id"], form.lang, status=422, typed=typed,
            errors={k: str(v) for k, v in wrong.items()},
        )  # fmt: skip
