"""Records of the pipeline one by one: forms to write them, their history, undo."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import lists
from api import pipeline as asked_of
from api.directory import Directory
from api.guard import GuardedRoute, caller_of
from api.language import DEFAULT
from api.pages import forms, pipeline_fields, telling
from api.pages.forms import Sent
from api.pages.pipeline_fields import SHAPES, Refused
from api.pages.rendering import Asked, PageLang, local_path, render
from api.schemas import Lang
from api.schemas_pipeline import NewVerification
from api.service import Service
from api.writes import StaleMatchError
from matcher.errors import ConflictError, ForbiddenError, InputError, MatcherError, NotFoundError
from matcher.matching.labels import ROLE_NAMES
from matcher.records import ROLES
from matcher.store import offices, pipeline, reminders
from matcher.store.desk import Acting
from matcher.store.pipeline_rows import get
from matcher.text import fold

router = APIRouter(prefix="/pipeline", include_in_schema=False, route_class=GuardedRoute)

FOUND = 20
"""Partners among which one is chosen."""

Formed = Literal["interactions", "assignments", "outcomes"]
Undone = Literal["interactions", "shortlists", "assignments", "outcomes"]
RecordId = Annotated[int, Path(alias="id", ge=1, lt=2**63)]
Named = Annotated[str | None, Query(max_length=200)]

REFUSALS = (InputError, ConflictError, ForbiddenError, NotFoundError, StaleMatchError)


# New records


def _new(name: Formed) -> None:
    """Adds the two routes of the form for new records of a kind."""

    @router.get(f"/{name}/new", name=f"new_{name}")
    async def show(
        request: Request, partner_id: Named = None, project_id: Named = None, q: Asked = None, back: Asked = None,
        lang: PageLang = None,
    ) -> Response:  # fmt: skip
        """The form for a new record; without a partner, partners to choose from."""
        shown: Lang = lang or DEFAULT

        def work() -> Response:
            given = {"partner_id": partner_id or "", "project_id": project_id or ""}
            came = local_path(back or "") or None
            return _form(request, name, given, shown, key=forms.new_key(), back=came, q=q)

        return await Service.of(request).run(work)

    @router.post(f"/{name}/new", name=f"create_{name}")
    async def create(request: Request) -> Response:
        """Writes the record and goes back to where the reader came from."""
        form = await forms.sent(request)

        def write(acting: Acting) -> str:
            body = pipeline_fields.new_of(name, form)
            near = asked_of.near_in(Service.of(request).directory)
            made = pipeline.create(acting.cursor, SHAPES[name].kind, body.model_dump(), near=near)
            home = "/pipeline" if name == "assignments" else f"/pipeline/{name}"
            return forms.after(form.back or home, form.lang, f"{name}.{made['id']}")

        def again(error: MatcherError) -> Response:
            told = _refused(error, name, form.lang)
            return _form(request, name, form.fields, form.lang, key=forms.new_key(), back=form.back, refused=told)

        return await Service.of(request).run(_attempt, request, form, write, again)


for _name in ("interactions", "assignments", "outcomes"):
    _new(_name)


def _form(
    request: Request, name: Formed, values: Mapping[str, Any], lang: Lang, *, key: str, back: str | None,
    refused: Refused | None = None, q: str | None = None,
) -> Response:  # fmt: skip
    """The form for a new record, with who else works on the partner."""
    directory = Service.of(request).directory
    partner_id = values.get("partner_id", "")
    if partner_id not in directory.shelves["partners"].names:
        return _choose(request, name, partner_id, values, lang, q=q, back=back, refused=refused)
    partner = directory.get("partners", partner_id)
    with Service.of(request).acting(request) as acting:
        day = reminders.today(acting.cursor)
        standing = offices.standing(acting.cursor, [partner_id])[partner_id]
    first = {"held_on": day, "kind": "meeting", "stage": "lead", "status": "active", "result": ""}
    return render(
        request, "pipeline_new.html", lang, 200 if refused is None else refused.status,
        kind=name, partner=partner, standing=standing, key=key, back=back or "", refused=refused,
        values=dict.fromkeys((*SHAPES[name].fixed, *SHAPES[name].fields)) | ({} if refused else first) | dict(values),
        directory=directory,
        **_options(directory, lang, partner["country"] if name == "assignments" else None),
    )  # fmt: skip


def _choose(
    request: Request, name: Formed, partner_id: str, values: Mapping[str, Any], lang: Lang, *, q: str | None,
    back: str | None, refused: Refused | None,
) -> Response:  # fmt: skip
    """Partners to choose from: those that the words find."""
    directory = Service.of(request).directory
    words = lists.search_words(q) if q and q.strip() else None
    found = directory.page("partners", q=words, filters={}, n=FOUND, cursor=None) if words else None
    return render(
        request, "pipeline_choose.html", lang, 200 if refused is None else refused.status,
        kind=name, q=q or "", found=found, project_id=values.get("project_id", ""), back=back or "",
        unknown=partner_id, near=directory.nearby("partners", partner_id) if partner_id else [], directory=directory,
        refused=refused,
    )  # fmt: skip


# One record


def _one(name: Formed) -> None:
    """Adds the two routes of one record of a kind."""

    @router.get(f"/{name}/{{id}}", name=f"read_{name}")
    async def show(request: Request, number: RecordId, lang: PageLang = None) -> Response:
        """The record, what became of it, and the form to change it."""
        return await Service.of(request).run(_record, request, name, number, lang or DEFAULT)

    @router.post(f"/{name}/{{id}}", name=f"change_{name}")
    async def change(request: Request, number: RecordId) -> Response:
        """Changes the record, if it still is what the reader saw."""
        form = await forms.sent(request)

        def write(acting: Acting) -> str:
            changes = pipeline_fields.change_of(name, form)
            near = asked_of.near_in(Service.of(request).directory)
            pipeline.change(acting.cursor, SHAPES[name].kind, number, changes, fits=_fits(form), near=near)
            return forms.after(form.back or f"/pipeline/{name}/{number}", form.lang, f"{name}.{number}")

        def again(error: MatcherError) -> Response:
            if isinstance(error, NotFoundError):
                raise error
            told = _refused(error, name, form.lang)
            return _record(request, name, number, form.lang, form=form, refused=told)

        return await Service.of(request).run(_attempt, request, form, write, again)


for _name in ("interactions", "assignments", "outcomes"):
    _one(_name)  # type: ignore[arg-type]


def _fits(form: Sent) -> pipeline.Fits:
    """Refuses when the record has another version than the form was made for."""

    def fits(known: Mapping[str, Any]) -> None:
        if form.fields.get("version") != str(known["version"]):
            raise StaleMatchError("The record has changed since you read it; nothing was written. GET it again.")

    return fits


def _record(
    request: Request, name: Formed, number: int, lang: Lang, *, form: Sent | None = None,
    refused: Refused | None = None,
) -> Response:  # fmt: skip
    """The page of one record; after a refusal with what was typed, and what stands there now."""
    directory = Service.of(request).directory
    caller = caller_of(request)
    with Service.of(request).acting(request) as acting:
        record = get(acting.cursor, SHAPES[name].kind, number)
        standing = offices.standing(acting.cursor, [record["partner"]["id"]])[record["partner"]["id"]]
        day = reminders.today(acting.cursor)
    record = {**record, "late": pipeline_fields.late(record, day)}
    stands = pipeline_fields.typed(name, record, lang)
    values = stands
    stale = form is not None and form.fields.get("version") != str(record["version"])
    if form is not None:
        values = (stands if "part" in form.fields else dict.fromkeys(stands)) | {
            field: text for field, text in form.fields.items() if field in stands
        }
    labels = [f for f in stands if stale and _plain(values[f], lang) != _plain(stands[f], lang)]

    def told(fields: list[str]) -> list[tuple[str, str]]:
        return [
            (telling.field_name(f, lang, name),
             pipeline_fields.reads(f, record.get(f, _project_of(record, f)), lang, directory))
            for f in fields
        ]  # fmt: skip

    verdict = bool(
        name == "outcomes" and caller.role in ("officer", "admin") and record["verification"] is None
        and all(v["by"] != caller.pseudonym for v in record["history"])
    )  # fmt: skip
    return render(
        request, "pipeline_record.html", lang, 200 if refused is None else refused.status,
        kind=name, record=record, values=values, refused=refused, standing=standing, stale=stale,
        differing=told(labels), facts=told([f for f in stands if stands[f] and f != "project_id"]),
        timeline=pipeline_fields.timeline(name, record, lang, directory), own=pipeline_fields.is_own(caller, record),
        may_verify=verdict, directory=directory, key=forms.new_key(), today=day,
        **_options(directory, lang, None),
    )  # fmt: skip


def _project_of(record: Mapping[str, Any], field: str) -> str | None:
    return record["project"]["id"] if field == "project_id" and record["project"] else None


def _plain(value: Any, lang: Lang) -> str:
    """What a field of a form holds, in one way of writing."""
    text = "" if value in (None, False) else "yes" if value is True else str(value)
    return forms.number_of(forms.day_of(text), lang)


# Shortlists, undo, verification


@router.post("/shortlists")
async def add_to_shortlist(request: Request) -> Response:
    """Keeps a partner in view for a project; one that is there already stays as it is."""
    form = await forms.sent(request)
    project, _space, partner = form.fields.get("pair", "").partition(" ")
    fields = {"project_id": project, "partner_id": partner, **form.fields}
    fields.pop("pair", None)
    whole = Sent(fields=fields, lang=form.lang, key=form.key, back=form.back)
    back = form.back or "/pipeline/shortlists"

    def write(acting: Acting) -> str:
        body = pipeline_fields.new_of("shortlists", whole)
        near = asked_of.near_in(Service.of(request).directory)
        made = pipeline.create(acting.cursor, SHAPES["shortlists"].kind, body.model_dump(), near=near)
        return forms.after(back, form.lang, f"shortlists.{made['id']}")

    def again(error: MatcherError) -> Response:
        if isinstance(error, ConflictError) and not isinstance(error, StaleMatchError):
            return forms.gone_on(forms.after(back, form.lang))  # it is there, which is what was asked for
        return _told(request, _refused(error, "shortlists", form.lang), form)

    return await Service.of(request).run(_attempt, request, whole, write, again)


def _undoes(name: Undone) -> None:
    """Adds the route that gives back what a record of a kind was before its newest version."""

    @router.post(f"/{name}/{{id}}/undo", name=f"undo_{name}")
    async def undo(request: Request, number: RecordId) -> Response:
        """The record as it was before its newest version."""
        return await _undo(request, name, number)


for _name in get_args(Undone):
    _undoes(_name)


async def _undo(request: Request, name: Undone, number: int) -> Response:
    form = await forms.sent(request)
    page = f"/pipeline/{name}/{number}"

    def write(acting: Acting) -> str:
        made = pipeline.undo(acting.cursor, SHAPES[name].kind, number)
        home = "/pipeline" if name == "assignments" else f"/pipeline/{name}"
        back = form.back or home
        if made["withdrawn"] and back.partition("?")[0] == page:
            back = home  # the page of a record that is withdrawn is no more
        return forms.after(back, form.lang, f"undone.{number}")

    def again(error: MatcherError) -> Response:
        if isinstance(error, NotFoundError):
            raise error
        return _told(request, _refused(error, name, form.lang), form)

    return await Service.of(request).run(_attempt, request, form, write, again)


@router.post("/outcomes/{id}/verification")
async def verify_outcome(request: Request, number: RecordId) -> Response:
    """Verifies or rejects what another person reported."""
    form = await forms.sent(request)

    def write(acting: Acting) -> str:
        given = {name: text for name, text in form.fields.items() if name != "version"}
        body = forms.read(NewVerification, given)
        pipeline.verify(acting.cursor, number, body.verdict, body.reason, fits=_fits(form))
        return forms.after(f"/pipeline/outcomes/{number}", form.lang, f"verifications.{number}")

    def again(error: MatcherError) -> Response:
        if isinstance(error, NotFoundError):
            raise error
        return _record(request, "outcomes", number, form.lang, refused=_refused(error, "verification", form.lang))

    return await Service.of(request).run(_attempt, request, form, write, again)


# Inside


def _attempt(
    request: Request, form: Sent, write: Callable[[Acting], str], again: Callable[[MatcherError], Response]
) -> Response:
    """On to where the write leads, or the form again with what is wrong."""
    try:
        return forms.written(request, form, write)
    except REFUSALS as error:
        return again(error)


def _refused(error: MatcherError, name: str, lang: Lang) -> Refused:
    shown = ("verdict", "reason") if name == "verification" else (*SHAPES[name].fixed, *SHAPES[name].fields)
    return pipeline_fields.refusal(error, name, lang, shown)


def _told(request: Request, refused: Refused, form: Sent) -> Response:
    """A refusal that has no form of its own, with the way back."""
    return render(
        request, "pipeline_refused.html", form.lang, refused.status, refused=refused, back=form.back or "/pipeline"
    )


def _options(directory: Directory, lang: Lang, home: str | None) -> dict[str, Any]:
    """What the selects of the forms offer.

    Args:
        home: country of the partner, whose missions may be given the work.
    """
    names = directory.present_projects().select("id", "name_vi", "name_en").iter_rows()
    projects = [(i, (vi if lang == "vi" else en) or vi or en or i) for i, vi, en in names]
    missions = [
        (m["id"], m["name"][lang] or m["name"]["vi"])
        for m in (directory.page("missions", q=None, filters={}, n=10_000, cursor=None).items if home else ())
        if any(c["country"] == home for c in m["covers"])
    ]
    return {
        "projects": sorted(projects, key=lambda p: fold(p[1])), "missions": sorted(missions, key=lambda m: fold(m[1])),
        "countries": directory.country_names(lang),
        "roles": [(code, ROLE_NAMES[code][lang]) for code in ROLES],
    }  # fmt: skip
