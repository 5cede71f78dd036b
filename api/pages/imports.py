"""Files of records: sent, previewed, committed, undone."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args

import polars as pl
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import pipeline as asked_of
from api.answers import MEDIA
from api.directory import Directory
from api.filters import cursor_of
from api.guard import GuardedRoute
from api.language import DEFAULT, _, any_day
from api.pages import forms, import_templates, pipeline_fields, telling
from api.pages.forms import Sent
from api.pages.pipeline_fields import Refused
from api.pages.rendering import Cursor, PageLang, render
from api.pages.telling_names import STATE_NAMES
from api.routes.imports import ImportParams, Kind, name_of, no_file
from api.schemas import Lang
from api.service import Service
from matcher.errors import ConflictError, InputError, MatcherError
from matcher.ingest import neutral
from matcher.jobs import columns, imports
from matcher.jobs.columns import Column, Example
from matcher.jobs.reading import Options
from matcher.records import TABLES
from matcher.store import imports as kept
from matcher.store.desk import Acting
from matcher.store.imports import Import
from matcher.text import FORMULA_STARTS, fold, number

router = APIRouter(prefix="/imports", include_in_schema=False, route_class=GuardedRoute)

ROWS = 30
MOST_COLUMNS = 60
"""Columns for which a field can be chosen: a form has only so many fields."""
UNITS: Mapping[str, str] = {
    "value_vnd": _("%(value)s đồng"), "area_ha": _("%(value)s ha"),
    **dict.fromkeys(("value_usd", "value_usd_min", "value_usd_max", "ticket_usd_min", "ticket_usd_max"),
                    _("%(value)s USD")),
}  # fmt: skip
"""Field -> its amount with the unit in which it is stored."""
ESTIMATED, QUOTED = _("ước tính hoặc quy đổi"), _("nguyên văn trong nguồn")
NOT_SHOWN = frozenset(
    {"source", "source_on", "licence", "value_currency", "announced_precision", "closed_precision", "held_precision"}
)
"""Fields of a new record that the page tells elsewhere."""
SENT_FIELDS = ("kind", "source", "source_on", "licence", "sheet")

ImportId = Annotated[int, Path(alias="id", ge=1, lt=2**63)]
Filter = Annotated[str | None, Query(max_length=100)]


@router.get("")
async def imports_page(
    request: Request, kind: Filter = None, state: Filter = None, cursor: Cursor = None, lang: PageLang = None
) -> Response:
    """The form to send a file, templates to fill in, and the files that were sent."""
    given = {"kind": kind, "state": state}
    return await Service.of(request).run(_listed, request, given, cursor, lang or DEFAULT)


@router.get("/template/{kind}")
async def template(
    request: Request,
    kind: Kind,
    format: Literal["xlsx", "csv"] = "xlsx",
    lang: PageLang = None,
) -> Response:
    """An empty file with the headings of a kind of record, in the reader's language."""
    shown: Lang = lang or DEFAULT
    make = import_templates.as_workbook if format == "xlsx" else import_templates.as_csv
    content = await Service.of(request).run(make, kind, shown)
    name = f"{fold(telling.say(import_templates.SHEETS[kind], shown)).replace(' ', '-')}.{format}"
    return _file(content, MEDIA[format], name)


@router.get("/{id}")
async def import_page(
    request: Request, number: ImportId, errors: Literal["csv"] | None = None, lang: PageLang = None
) -> Response:
    """What a file would change or has changed, or what is wrong in it, cell by cell."""
    shown: Lang = lang or DEFAULT
    if errors is None:
        return await Service.of(request).run(_preview, request, number, shown)
    return await Service.of(request).run(_errors, request, number, shown)


@router.post("")
async def send_file(request: Request) -> Response:
    """Keeps a file, or reads a kept one with other columns, and goes on to its preview."""
    form = await forms.sent(request)
    content = b"" if form.file is None else await form.file.read()
    name = "" if form.file is None else name_of(form.file)
    await request.close()  # what was sent lies in a file until then

    def again(error: MatcherError) -> Response:
        told = pipeline_fields.refusal(error, "imports", form.lang, ("file", *SENT_FIELDS))
        return _listed(request, {"kind": None, "state": None}, None, form.lang, values=form.fields, refused=told)

    def work() -> Response:
        try:
            return _sent(request, form, content, name)
        except (InputError, ConflictError) as error:
            return again(error)

    return await Service.of(request).run(work)


@router.post("/{id}/commit")
async def commit_import(request: Request, number: ImportId) -> Response:
    """Writes what the preview showed, all of it."""
    return await _step(request, number, imports.commit, f"imports.{number}")


@router.post("/{id}/undo")
async def undo_import(request: Request, number: ImportId) -> Response:
    """Takes a committed import back: its rows count no more."""
    return await _step(request, number, imports.undo, f"undone.{number}")


async def _step(request: Request, number: int, step: Callable[[Acting, int], Import], done: str) -> Response:
    form = await forms.sent(request)

    def write(acting: Acting) -> str:
        step(acting, number)
        return forms.after(f"/imports/{number}", form.lang, done)

    def work() -> Response:
        try:
            return forms.written(request, form, write)
        except (InputError, ConflictError) as error:
            told = pipeline_fields.refusal(error, "imports", form.lang, ())
            return _preview(request, number, form.lang, refused=told)

    return await Service.of(request).run(work)


# Sending


def _sent(request: Request, form: Sent, content: bytes, name: str) -> Response:
    """On to the preview of the file.

    Raises:
        InputError: there is no file, or it is not said how to read it.
    """
    again = form.fields.get("again", "")

    def write(acting: Acting) -> str:
        if again:
            options, file, kind, bytes_of = _as_before(acting, form, again)
        else:
            asked = {k: form.fields[k] for k in SENT_FIELDS if k in form.fields}
            asked |= {"source_on": forms.day_of(asked["source_on"])} if "source_on" in asked else {}
            params = forms.read(ImportParams, asked | {"file": name or None, "map": []})
            if not name:
                raise no_file()
            options = Options(
                source=params.source or name, source_on=params.source_on, licence=params.licence, sheet=params.sheet,
                mapping={},
            )  # fmt: skip
            file, kind, bytes_of = name, params.kind, content
        made = imports.preview(acting, bytes_of, file=file, kind=kind, options=options)
        return forms.after(f"/imports/{made.id}", form.lang)

    fields = {**form.fields, "#file": name, "#content": hashlib.sha256(content).hexdigest()}
    return forms.written(request, Sent(fields=fields, lang=form.lang, key=form.key, back=None), write)


def _as_before(acting: Acting, form: Sent, again: str) -> tuple[Options, str, Kind, bytes]:
    """A kept file, to be read with the columns that were chosen.

    Raises:
        NotFoundError: there is no such import.
    """
    number = int(again) if again.isascii() and again.isdigit() and len(again) < 19 else 0
    found = kept.get(acting.cursor, number)
    content = kept.content(acting.cursor, number)
    options = imports.options_of(found.options)
    seen = _columns(content, found)
    fields = neutral.fields_of(found.kind)
    chosen = dict(options.mapping)
    for place, column in enumerate(seen[:MOST_COLUMNS]):
        field = form.fields.get(f"c{place}", "")
        if field in fields and field != column.field:
            chosen[column.name] = field
        elif not field:
            chosen.pop(column.name, None)
    return replace(options, mapping=chosen), found.file, found.kind, content  # type: ignore[return-value]  # the store holds no other kind


# Pages


def _listed(
    request: Request, given: Mapping[str, str | None], cursor: str | None, lang: Lang, *,
    values: Mapping[str, Any] | None = None, refused: Refused | None = None,
) -> Response:  # fmt: skip
    kinds = asked_of.choice([k for k in [given.get("kind")] if k], get_args(Kind), "?kind")
    states = asked_of.choice([s for s in [given.get("state")] if s], kept.STATES, "?state")
    digest = asked_of.digest_of(["imports", kinds, states])
    with Service.of(request).acting(request) as acting:
        found = kept.page(
            acting.cursor, kinds=kinds, states=states, n=ROWS, before=asked_of.start_before(cursor, digest)
        )
    blank = dict.fromkeys(SENT_FIELDS) | {"kind": "projects"}
    return render(
        request, "imports.html", lang, 200 if refused is None else refused.status,
        rows=found.items, total=found.total, kinds=get_args(Kind), states=kept.STATES, asked=given, cursor=cursor,
        next=None if found.next is None else cursor_of(digest, str(found.next)), values=blank | dict(values or {}),
        refused=refused, key=forms.new_key(), first={k: v for k, v in given.items() if v},
        names=_names(lang), state_names=_states(lang),
    )  # fmt: skip


def _preview(request: Request, number: int, lang: Lang, *, refused: Refused | None = None) -> Response:
    directory = Service.of(request).directory
    with Service.of(request).acting(request) as acting:
        found = kept.get(acting.cursor, number)
        open_ = found.state in ("ready", "refused")
        seen = _columns(kept.content(acting.cursor, number), found) if open_ else ()
    fields = [(f, telling.field_name(f, lang, found.kind)) for f in neutral.fields_of(found.kind)]
    return render(
        request, "import.html", lang, 200 if refused is None else refused.status,
        it=found, report=found.report, columns=seen[:MOST_COLUMNS], refused=refused,
        fields=sorted(fields, key=lambda f: fold(f[1])), key=forms.new_key(), names=_names(lang),
        state_names=_states(lang),
        first=[_as_stored(found.kind, record, lang, directory) for record in found.report.get("first", ())],
        doubts=[(c, _told_examples(found.kind, c, c.doubts, lang, directory)) for c in seen if c.doubtful],
        read=[_told_examples(found.kind, c, c.examples, lang, directory) for c in seen[:MOST_COLUMNS]],
        warnings=[(telling.sentence(w["message"], lang), w["rows"]) for w in found.report["warnings"]],
        examples=[{**e, "field": telling.field_name(e["field"], lang, found.kind),
                   **{k: _shown(found.kind, e["field"], e[k], lang, directory) for k in ("before", "after")}}
                  for e in found.report["examples"]],
        errors=[(e, telling.cell_reason(e, lang)) for e in found.report["errors"]],
    )  # fmt: skip


def _as_stored(kind: str, record: Mapping[str, str], lang: Lang, directory: Directory) -> dict[str, Any]:
    """A new record as the page shows it: what identifies it, and its fields with their labels."""
    key = TABLES[kind].key[0]
    names = ("name_vi", "name_en") if lang == "vi" else ("name_en", "name_vi")
    name = next((record[n] for n in (*names, "name") if record.get(n)), "")
    money = record.get("value_currency", "")
    fields = []
    for field in TABLES[kind].columns:
        value = record.get(field, "")
        if value and field != key and field not in NOT_SHOWN:
            told = _shown(kind, field, value, lang, directory)
            told = f"{told}\u00a0{money}" if field in ("value_min", "value_max") and money else told
            fields.append((telling.field_name(field, lang, kind), told))
    return {"id": record.get(key, ""), "name": name, "fields": fields}


def _told_examples(
    kind: str, column: Column, examples: Iterable[Example], lang: Lang, directory: Directory
) -> list[tuple[str, str]]:  # fmt: skip
    """Values of a column as they are written and, where that differs, as they will be stored."""
    out = []
    for one in examples:
        written, stored = one.written, ""
        if column.field:
            if one.own and one.stored is not None:
                written = _shown(kind, column.field, written, lang, directory, bare=True)
            if one.stored is not None:
                stored = _shown(kind, column.field, one.stored, lang, directory)
        out.append((written if len(written) <= 60 else f"{written[:57]}…", "" if stored == written else stored))
    return out


def _shown(kind: str, field: str, value: str, lang: Lang, directory: Directory, *, bare: bool = False) -> str:
    """A value of a report as readers write it: days, numbers and codes in their language.

    Args:
        bare: an amount is told without its unit.
    """
    dtype = neutral.fields_of(kind)[field]
    told: str | None = value
    if not value or value.endswith("…"):
        pass
    elif field == "value_usd_estimated":
        told = telling.say(ESTIMATED if value.lower() == "true" else QUOTED, lang)
    elif dtype == pl.Date:
        told = any_day(value, lang)
    elif dtype.is_numeric():
        told = _amount(field, value, lang, bare=bare)
    elif isinstance(dtype, pl.List):
        told = ", ".join(value.split("|"))
    elif TABLES[kind].refs.get(field) == "countries":
        told = directory.country_name(value, lang)
    elif field == "sector" and value in directory.city_sectors:
        told = directory.sector_name(value, lang)
    elif field in TABLES[kind].choices or dtype == pl.Boolean:
        told = telling.code_name(value, f"{kind}.{field}", lang)
    return told or value


def _amount(field: str, value: str, lang: Lang, *, bare: bool) -> str:
    """A number with all its digits and the unit in which it is stored; what is none stays as it is."""
    try:
        amount = Decimal(value)
        digits = max(0, -int(amount.normalize().as_tuple().exponent))
    except (InvalidOperation, ValueError):
        return value
    told = number(amount, lang, min(6, digits))
    return telling.say(UNITS[field], lang) % {"value": told} if field in UNITS and not bare else told


def _errors(request: Request, number: int, lang: Lang) -> Response:
    """What is wrong, as a CSV file in the reader's language, to be worked through beside the file itself."""
    with Service.of(request).acting(request) as acting:
        found = kept.get(acting.cursor, number)
    out = io.StringIO(newline="")
    rows = csv.writer(out)
    rows.writerow([telling.say(text, lang) for text in import_templates.ERROR_COLUMNS])
    for one in found.report["errors"]:
        row = [one["sheet"] or "", one["row"] or "", one["column"] or "", one["seen"], telling.cell_reason(one, lang)]
        rows.writerow([f"'{v}" if str(v).startswith(FORMULA_STARTS) else v for v in row])
    return _file(out.getvalue().encode("utf-8-sig"), MEDIA["csv"], f"import-{number}.csv")


def _columns(content: bytes, found: Import) -> tuple[Column, ...]:
    options = found.options
    if len(content) > columns.MAX_BYTES:
        return ()
    return _looked_up(found.id, content, found.kind, tuple(sorted(options["map"].items())), options["sheet"])


@lru_cache(maxsize=8)
def _looked_up(
    _number: int, content: bytes, kind: str, mapping: tuple[tuple[str, str], ...], sheet: str | None
) -> tuple[Column, ...]:
    """A page that is shown again does not read its file again."""
    return columns.columns(content, kind=kind, mapping=dict(mapping), sheet=sheet)


def _names(lang: Lang) -> dict[str, str]:
    return {kind: telling.say(name, lang) for kind, name in import_templates.SHEETS.items()}


def _states(lang: Lang) -> dict[str, str]:
    return {state: telling.say(name, lang) for state, name in STATE_NAMES.items()}


def _file(content: bytes, media: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "private, no-cache"}
    return Response(content, media_type=media, headers=headers)
