"""New and changed projects: every code known, every amount in order, written only over what the caller has read."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from starlette.requests import Request
from starlette.responses import Response

from api import lists, writes
from api.directory import Directory
from api.guard import caller_of
from api.nearby import nearest, unknown
from api.schemas_projects import NewProject, ProjectChange
from api.service import Service
from matcher.errors import ConflictError, InputError
from matcher.records import TABLES
from matcher.stages import SKEW_DAYS
from matcher.store.desk import Acting
from matcher.store.reminders import today

TABLE = "projects"
SOURCE = "entered through the API"
"""What a batch of ours names as its source; the rows name their own."""

_COLUMNS = TABLES[TABLE].columns


def create(request: Request, body: NewProject) -> Response:
    """201 with the new project.

    Raises:
        InputError, ConflictError: as `add`.
    """
    with Service.of(request).acting(request) as acting:

        def work() -> Response:
            content = add(request, acting, body)
            return writes.created(content, f"/v1/projects/{content['id']}")

        return writes.once(request, acting, writes.content_of(body), work)


def change(request: Request, project_id: str, body: ProjectChange) -> Response:
    """200 with the changed project.

    Raises:
        StaleMatchError, ConflictError, InputError: as `amend`.
    """
    held = writes.require_match(request)
    with Service.of(request).acting(request) as acting:
        return writes.changed(amend(request, acting, project_id, held, body))


def add(request: Request, acting: Acting, body: NewProject) -> dict[str, Any]:
    """The project is written; gives it.

    Raises:
        InputError: a code is unknown or the values contradict each other.
        ConflictError: the identifier is taken.
    """
    directory = Service.of(request).directory
    row = check_new(directory, acting, body)
    made = row | {"project_id": row["project_id"] or _new_id(acting)}
    if made["project_id"] in directory.shelves[TABLE].names:
        raise ConflictError(f'There is a project "{made["project_id"]}" already; PATCH it, or choose another id.')
    return _write(request, directory, acting, made, expected=_frame([]))


def amend(request: Request, acting: Acting, project_id: str, held: str, body: ProjectChange) -> dict[str, Any]:
    """The project is written with what is otherwise; gives it.

    Args:
        held: the entity tag of what the caller has read.

    Raises:
        StaleMatchError, ConflictError: it is not what the caller has read.
        InputError: as `add`.
    """
    directory = Service.of(request).directory
    known = content_of(directory, directory.get(TABLE, project_id))
    writes.check_match(held, known)
    before = _stored(directory, project_id)
    row = check_change(directory, acting, project_id, body)
    if _frame([row]).equals(before):
        return known
    return _write(request, directory, acting, row, expected=before)


def check_new(directory: Directory, acting: Acting, body: NewProject) -> dict[str, Any]:
    """The row that a new project would be; nothing is written.

    Raises:
        InputError: names every field that does not fit.
    """
    row = body.model_dump()
    if row["isic"] is None and row["sector"] in directory.city_sectors:
        row["isic"] = list(directory.city_sectors[row["sector"]]["isic"])
    _check(directory, row, dict(row), acting)
    return row


def check_change(directory: Directory, acting: Acting, project_id: str, body: ProjectChange) -> dict[str, Any]:
    """The row that a project would be after a change; nothing is written.

    Raises:
        InputError: names every field that does not fit.
    """
    changes = body.model_dump(exclude_unset=True)
    row = _stored(directory, project_id).row(0, named=True) | changes
    _check(directory, row, changes, acting)
    return row


def _stored(directory: Directory, project_id: str) -> pl.DataFrame:
    return directory.facts.projects.filter(pl.col("project_id") == project_id).select(*_COLUMNS)


def content_of(directory: Directory, item: Mapping[str, Any]) -> dict[str, Any]:
    """A project as its address shows it: the record and the deals known of it."""
    return {**item, "deals": lists.deals(directory, project_id=item["id"])}


def _write(
    request: Request, directory: Directory, acting: Acting, row: Mapping[str, Any], *, expected: pl.DataFrame
) -> dict[str, Any]:
    frame = _frame([row])
    acting.store.append(TABLE, frame, source=SOURCE, actor=caller_of(request).pseudonym, expected=expected)
    stored = frame.row(0, named=True)
    return content_of(directory, directory.shelves[TABLE].to_item({**stored, "id": stored["project_id"]}))


def _frame(rows: list[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([{c: r[c] for c in _COLUMNS} for r in rows], schema=dict(_COLUMNS))


def _new_id(acting: Acting) -> str:
    """An identifier that no project has or ever had."""
    while True:
        number = acting.cursor.execute("SELECT nextval('pipeline_id')").fetchone()
        assert number is not None
        made = f"HCMC-N{number[0]:04d}"
        if acting.cursor.execute("SELECT 1 FROM projects WHERE project_id = %s", [made]).fetchone() is None:
            return made


def _check(directory: Directory, row: dict[str, Any], given: Mapping[str, Any], acting: Acting) -> None:
    """The row's codes are known, put in their usual form, and its values agree.

    Args:
        given: what the caller sent: only that is looked up, so that an older row may be mended bit by bit.

    Raises:
        InputError: names every field that does not fit.
    """
    errors: list[dict[str, str]] = []
    for name, look in (("sector", _sector), ("isic", _isic), ("country", _country)):
        if given.get(name) is not None:
            try:
                row[name] = look(directory, given[name])
            except InputError as error:
                errors += error.errors
    if row["name_vi"] is None and row["name_en"] is None:
        errors.append(_error("name_vi", None, "a name, in Vietnamese (name_vi) or English (name_en)"))
    for low, high in (("value_min", "value_max"), ("value_usd_min", "value_usd_max")):
        if row[low] is not None and row[high] is not None and row[low] > row[high]:
            errors.append(_error(low, row[low], f"at most {high}, {row[high]}"))
    amounts = row["value_min"] is not None or row["value_max"] is not None
    if amounts and row["value_currency"] is None:
        errors.append(_error("value_currency", None, "the currency of value_min and value_max"))
    if row["announced_on"] is not None and row["announced_precision"] in (None, "none"):
        errors.append(
            _error("announced_precision", row["announced_precision"], "day, month or year, with announced_on")
        )
    day = today(acting.cursor)
    for name in ("source_on", "source_2_on"):
        if given.get(name) is not None and (given[name] - day).days > SKEW_DAYS:
            errors.append(_error(name, given[name], f"a day that has come; today is {day.isoformat()} (UTC)"))
    if errors:
        raise InputError(
            "; ".join(f'{e["pointer"]} is "{e["seen"]}", expected {e["expected"]}' for e in errors), errors
        )


def _sector(directory: Directory, code: str) -> str:
    if code in directory.city_sectors:
        return code
    names = {c: f"{c} {r['name_en']} {r['name_vi']}" for c, r in directory.city_sectors.items()}
    near = nearest(code, names, lambda c: f"{c} ({directory.city_sectors[c]['name_en']})")
    raise unknown(code, "/sector", "a city sector (GET /v1/sectors?scheme=city lists them)", near)


def _isic(directory: Directory, codes: list[str]) -> list[str]:
    return list(dict.fromkeys(directory.isic_code(c, f"/isic/{i}") for i, c in enumerate(codes)))


def _country(directory: Directory, code: str) -> str:
    return directory.country(code, "/country")


def _error(field: str, seen: object, expected: str) -> dict[str, str]:
    return {"pointer": f"/{field}", "seen": "nothing" if seen is None else str(seen)[:100], "expected": expected}
