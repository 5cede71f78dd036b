"""A project is added or changed, with what is wrong told at its field.

Fields are typed as readers of the page's language write days and numbers. The same checks run while somebody types
(`POST /projects/check`) and when the form is sent.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api import project_writes, writes
from api.directory import Directory
from api.guard import GuardedRoute
from api.language import DEFAULT, any_day, exact_amount
from api.pages import forms
from api.pages.rendering import Asked, PageLang, render
from api.pages.telling import field_name, sentence, told_by_field
from api.schemas import Lang
from api.schemas_projects import NewProject, ProjectChange
from api.service import Service
from api.writes import StaleMatchError
from matcher.errors import ConflictError, InputError
from matcher.records import FORMS, PROJECT_STATUSES
from matcher.store.desk import Acting
from matcher.text import fold

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

DAYS = frozenset({"source_on", "source_2_on", "announced_on"})
AMOUNTS = frozenset({"value_min", "value_max"})
NUMBERS = frozenset({"area_ha", "value_usd_min", "value_usd_max"})
FLAGS = frozenset({"green", "value_usd_estimated"})
FIELDS = tuple(ProjectChange.model_fields)
NEEDED = ("status", "source", "source_on")
"""Nobody writes a project without saying who says so, and when."""

CURRENCIES = ("VND", "USD", "EUR", "JPY", "KRW", "CNY", "SGD", "TWD", "THB", "GBP", "AUD")
STATUSES = tuple(s for s in PROJECT_STATUSES if s != "past")

Typed = dict[str, str]
"""Field -> what stands in it."""


@router.get("/projects/new")
async def new_page(request: Request, lang: PageLang = None) -> Response:
    """An empty form."""
    shown: Lang = lang or DEFAULT
    typed = {"country": "VN", "city": "Ho Chi Minh City", "boundary": "post_merger"}
    return await Service.of(request).run(_page, request, shown, typed)


@router.post("/projects/new")
async def create(request: Request) -> Response:
    """The project is written, or the form comes back with what is wrong."""
    form = await forms.sent(request)
    return await Service.of(request).run(_create, request, form)


@router.get("/projects/{project_id}/edit")
async def edit_page(request: Request, project_id: str, lang: PageLang = None) -> Response:
    """The project's fields as they stand."""
    shown: Lang = lang or DEFAULT

    def work() -> Response:
        item = Service.of(request).directory.get("projects", project_id)
        return _page(request, shown, typed_of(item, shown), project_id=project_id)

    return await Service.of(request).run(work)


@router.post("/projects/{project_id}/edit")
async def change(request: Request, project_id: str) -> Response:
    """What is otherwise is written, or the form comes back with what is wrong or what changed meanwhile."""
    form = await forms.sent(request)
    return await Service.of(request).run(_change, request, project_id, form)


@router.post("/projects/check")
async def check(request: Request, project_id: Asked = None) -> Response:
    """Field -> what is wrong with it as it stands; nothing is written."""
    form = await forms.sent(request)

    def work() -> Response:
        directory = Service.of(request).directory
        typed = _typed(form)
        errors: forms.Errors = ()
        try:
            with Service.of(request).acting(request) as acting:
                if project_id is None:
                    project_writes.check_new(directory, acting, _new(typed, form.lang))
                else:
                    known = typed_of(directory.get("projects", project_id), form.lang)
                    project_writes.check_change(directory, acting, project_id, _changes(typed, known, form.lang))
        except InputError as error:
            errors = error.errors
        wrong = {name: str(text) for name, text in told_by_field(errors, form.lang).items()}
        return JSONResponse({"errors": wrong}, headers={"cache-control": "no-store"})

    return await Service.of(request).run(work)


# Writing


def _create(request: Request, form: forms.Sent) -> Response:
    typed = _typed(form)
    try:
        body = _new(typed, form.lang)

        def work(acting: Acting) -> str:
            made = project_writes.add(request, acting, body)
            return forms.after(f"/projects/{made['id']}", form.lang, done=f"projects.{made['id']}")

        return forms.written(request, form, work)
    except InputError as error:
        return _page(request, form.lang, typed, status=422, errors=error.errors, key=form.key)
    except ConflictError as error:
        return _page(request, form.lang, typed, status=409, refusal=sentence(str(error), form.lang))


def _change(request: Request, project_id: str, form: forms.Sent) -> Response:
    directory = Service.of(request).directory
    item = directory.get("projects", project_id)
    typed, known = _typed(form), typed_of(item, form.lang)
    version = form.fields.get("version", "")
    try:
        writes.check_match(version, project_writes.content_of(directory, item))
        body = _changes(typed, known, form.lang)

        def work(acting: Acting) -> str:
            project_writes.amend(request, acting, project_id, version, body)
            changed = body.model_fields_set
            done = "projects" if not changed or changed & {"source", "source_on"} else "undersource"
            return forms.after(f"/projects/{project_id}", form.lang, done=f"{done}.{project_id}")

        return forms.written(request, form, work)
    except InputError as error:
        return _page(request, form.lang, typed, project_id=project_id, status=422, errors=error.errors, key=form.key)
    except (StaleMatchError, ConflictError):
        return _stale(request, project_id, form, typed)


def _stale(request: Request, project_id: str, form: forms.Sent, typed: Typed) -> Response:
    """The form with what was typed, and what somebody else changed since it was opened.

    Fields that the reader did not touch take the new values, so that sending again undoes nobody's change.
    """
    known = typed_of(Service.of(request).directory.get("projects", project_id), form.lang)
    read = _read(form.fields.get("read", ""))
    meanwhile = [name for name in FIELDS if read is not None and read.get(name, "") != known.get(name, "")]
    kept = dict(typed)
    for name in meanwhile:
        if read is not None and typed.get(name, "") == read.get(name, ""):
            kept[name] = known.get(name, "")
    changed = [
        {
            "name": name, "label": field_name(name, form.lang, of="projects"), "before": (read or {}).get(name, ""),
            "now": known.get(name, ""), "typed": typed.get(name, ""),
            "own": typed.get(name, "") not in ((read or {}).get(name, ""), known.get(name, "")),
        }
        for name in meanwhile
    ]  # fmt: skip
    return _page(request, form.lang, kept, project_id=project_id, status=412, changed=changed, stale=True)


def _read(text: str) -> Typed | None:
    """What stood in the fields when the form was opened; None where the form does not say."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    return {k: v for k, v in found.items() if k in FIELDS and isinstance(v, str)}


# Fields


def typed_of(item: Mapping[str, Any], lang: Lang) -> Typed:
    """A project's record as it would be typed; what is unknown is left out."""
    names = {"name_vi": item["name"]["vi"], "name_en": item["name"]["en"]}
    found: Typed = {}
    for name in FIELDS:
        value = names[name] if name in names else item[name]
        if value is None:
            continue
        if name in DAYS:
            found[name] = any_day(value, lang) or ""
        elif name in AMOUNTS | NUMBERS:
            exact = value if isinstance(value, str) else str(Decimal(repr(float(value))))
            found[name] = exact_amount(exact, None, lang) or ""
        elif name in FLAGS:
            found[name] = "yes" if value else "no"
        elif name == "isic":
            found[name] = ", ".join(value)
        else:
            found[name] = str(value).replace("\r\n", "\n")
    return found


def _typed(form: forms.Sent) -> Typed:
    return {name: text.replace("\r\n", "\n") for name, text in form.fields.items() if name in NewProject.model_fields}


def _value(name: str, text: str, lang: Lang) -> Any:
    """What a field says, as the API takes it; what cannot be read stays as it is and is refused there."""
    value: Any = text
    if name in DAYS:
        value = forms.day_of(text)
    elif name in AMOUNTS:
        value = forms.number_of(text, lang)
    elif name in NUMBERS:
        value = _number(forms.number_of(text, lang))
    elif name in FLAGS:
        value = {"yes": True, "no": False}.get(text, text)
    elif name == "isic":
        value = [code for code in (part.strip() for part in text.replace(";", ",").split(",")) if code]
    elif name in ("description", "notes"):
        value = " ".join(text.split())
    return value


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _new(typed: Typed, lang: Lang) -> NewProject:
    """The new project that the fields describe.

    Raises:
        InputError: names every field that does not fit.
    """
    return forms.read(NewProject, {k: _value(k, v, lang) for k, v in typed.items()})


def _changes(typed: Typed, known: Typed, lang: Lang) -> ProjectChange:
    """What the fields say otherwise than the record does; an emptied field clears.

    Raises:
        InputError: names every field that does not fit, or is needed and empty.
    """
    values: dict[str, Any] = {}
    for name in FIELDS:
        text = typed.get(name, "")
        if text != known.get(name, ""):
            values[name] = _value(name, text, lang) if text else None
    missing = [
        {"pointer": f"/{name}", "seen": "nothing", "expected": "a value"} for name in NEEDED if not typed.get(name)
    ]
    for error in missing:
        values.pop(error["pointer"][1:], None)
    if not missing:
        return forms.read(ProjectChange, values)
    try:
        forms.read(ProjectChange, values)
    except InputError as error:
        missing += [dict(e) for e in error.errors]
    raise InputError("; ".join(f"{e['pointer']} is empty" for e in missing), missing)


# The page


def _page(
    request: Request, lang: Lang, typed: Typed, *, project_id: str | None = None, status: int = 200,
    errors: forms.Errors = (), refusal: str = "", changed: list[dict[str, Any]] | None = None, stale: bool = False,
    key: str = "",
) -> Response:  # fmt: skip
    directory = Service.of(request).directory
    item = None if project_id is None else directory.get("projects", project_id)
    known = {} if item is None else typed_of(item, lang)
    wrong = told_by_field(errors, lang)
    return render(
        request, "project_form.html", lang, status,
        project=item, typed=typed, wrong=wrong, refusal=refusal, changed=changed or [], stale=stale,
        version="" if item is None else writes.tag_of(project_writes.content_of(directory, item)),
        read=json.dumps(known, ensure_ascii=False) if item is not None else "", key=key or forms.new_key(),
        summary=[(name, f"{field_name(name, lang, of='projects')}: {text}" if name else text)
                 for name, text in wrong.items()],
        choices=_choices(directory, lang, typed), label=lambda name: field_name(name, lang, of="projects"),
    )  # fmt: skip


def _choices(directory: Directory, lang: Lang, typed: Typed) -> dict[str, list[tuple[str, str]]]:
    """Field -> (value, name) of the values that may be chosen; one that stands there already is kept."""
    sectors = [(code, directory.sector_name(code, lang)) for code in directory.city_sectors]
    found = {
        "sector": sorted(sectors, key=lambda o: fold(o[1])), "country": directory.country_names(lang),
        "value_currency": [(code, code) for code in CURRENCIES], "status": [(code, "") for code in STATUSES],
        "form": [(code, "") for code in FORMS],
    }  # fmt: skip
    for name, options in found.items():
        text = typed.get(name, "")
        if text and text not in {code for code, _ in options}:
            options.append((text, text))
    return found
