"""Files of records: sent and previewed, committed as a whole, undone."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api import writes
from api.answers import MEDIA, record, to_json
from api.filters import cursor_of
from api.guard import GuardedRoute
from api.pipeline import choice, digest_of, start_before
from api.schemas import MAX_CURSOR_CHARS, MAX_N, Many, RecordParams, Strict
from api.service import Service
from api.words import Day, Line
from matcher.errors import InputError
from matcher.jobs import imports
from matcher.jobs.reading import Options
from matcher.store import imports as kept
from matcher.store.desk import Acting
from matcher.store.imports import Happened, Import
from matcher.text import nfc

router = APIRouter(prefix="/v1/imports", tags=["imports"], route_class=GuardedRoute)

Kind = Literal["projects", "partners", "deals", "activities"]
ImportId = Annotated[int, Path(alias="id", ge=1, lt=2**63, examples=[1])]
NoParams = Annotated[RecordParams, Query()]
FORM = "multipart/form-data"
FILES = (MEDIA["csv"], MEDIA["xlsx"], "application/vnd.ms-excel", "application/csv", "application/octet-stream")
"""Content types under which programs send tables; what a file really is, its bytes say."""

_EXAMPLE = "partner_id,name,country,kind\nexample-1,Example Harbour Works,JP,company\n"
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MEDIA["csv"]: {"schema": {"type": "string"}, "example": _EXAMPLE},
            MEDIA["xlsx"]: {"schema": {"type": "string", "format": "binary"}},
            FORM: {
                "schema": {
                    "type": "object", "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}, "csrf": {"type": "string"}},
                }
            },
        },
    }
}  # fmt: skip


class ImportParams(Strict):
    """How a file is to be read."""

    kind: Kind = Field(description="what its rows are")
    file: Line | None = Field(default=None, max_length=200, description="its name; a form says it by itself")
    source: Line | None = Field(default=None, max_length=500, description="who says so; default: the file's name")
    source_on: Day | None = Field(default=None, description="when the source was published")
    licence: Line | None = Field(default=None, max_length=500, description="terms under which it may be used")
    sheet: Line | None = Field(default=None, max_length=31, description="the one sheet to read; default: every one")
    map: Many = Field(description="COLUMN:FIELD, read a column as a field; repeatable", examples=[["Tên:name_vi"]])


class ImportListParams(Strict):
    """Which imports are listed."""

    kind: Many = Field(description="projects, partners, deals or activities")
    state: Many = Field(description="ready, refused, committed or undone")
    n: int = Field(default=50, ge=1, le=MAX_N)
    cursor: str | None = Field(default=None, max_length=MAX_CURSOR_CHARS)


class WrongCell(Strict):
    """A cell that is not as it must be; without row and column the file as a whole is meant."""

    sheet: str | None
    row: int | None
    column: str | None
    seen: str
    expected: str
    message: str


class Warned(Strict):
    """Something to look at before the commit."""

    message: str
    rows: int


class Alike(Strict):
    """A new record whose name a record under another identifier has, or almost."""

    sheet: str | None
    row: int
    record: str
    name: str
    like: list[str]


class Example(Strict):
    """A value that would change, or has changed."""

    record: str
    field: str
    before: str
    after: str


class Event(Strict):
    """By whom and when; `batch` is null where nothing had to be written."""

    batch: int | None
    by: str
    at: datetime


class ImportSummary(Strict):
    """A file that was sent, and what it changes."""

    id: int
    state: kept.State
    kind: Kind
    file: str
    source: str
    source_on: date | None
    licence: str | None
    sheet: str | None
    map: dict[str, str]
    rows: int
    new: int
    changed: int
    equal: int
    error_count: int
    revision: int = Field(description="state of the facts that it was compared with")
    by: str
    recorded_at: datetime
    committed: Event | None
    undone: Event | None


class ImportDetail(ImportSummary):
    """With everything that is said of its rows."""

    warnings: list[Warned]
    resembling: list[Alike]
    errors: list[WrongCell] = Field(description="the first 200 of `error_count`")
    examples: list[Example]


class ImportList(Strict):
    """Imports, newest first."""

    imports: list[ImportSummary]
    total: int
    filters: dict[str, Any]
    next: str | None


@router.get("", response_model=ImportList)
async def list_imports(request: Request, params: Annotated[ImportListParams, Query()]) -> Response:
    """Files that were sent, newest first."""
    return await Service.of(request).run(_listed, request, params)


@router.post(
    "", status_code=201, response_model=ImportDetail, responses=writes.refusals(409), openapi_extra=_BODY,
    dependencies=[Depends(writes.keyed)],
)  # fmt: skip
async def create_import(request: Request, params: Annotated[ImportParams, Query()]) -> Response:
    """Send a CSV file or an Excel workbook; nothing is changed before the commit.

    A file with errors is kept as `refused`, with every error by sheet, row and column.
    """
    content, name = await _sent(request)
    file = params.file or name
    if not file:
        expected = "the file's name"
        raise InputError("?file is missing.", [{"pointer": "?file", "seen": "nothing", "expected": expected}])
    options = Options(
        source=params.source or file, source_on=params.source_on, licence=params.licence, sheet=params.sheet,
        mapping=_mapping(params.map),
    )  # fmt: skip

    def work(acting: Acting) -> Response:
        made = imports.preview(acting, content, file=file, kind=params.kind, options=options)
        return writes.created(_detail(made), f"/v1/imports/{made.id}")

    return await Service.of(request).run(_write, request, file.encode() + b"\0" + content, work)


@router.get("/{id}", response_model=ImportDetail)
async def read_import(request: Request, number: ImportId, _: NoParams) -> Response:
    """One import with its errors, warnings and examples."""

    def work() -> Response:
        with Service.of(request).acting(request) as acting:
            content = _detail(kept.get(acting.cursor, number))
        return record(request, content)

    return await Service.of(request).run(work)


@router.post(
    "/{id}/commit", response_model=ImportDetail, responses=writes.refusals(409), dependencies=[Depends(writes.keyed)]
)
async def commit_import(request: Request, number: ImportId, _: NoParams) -> Response:
    """Write what the preview showed, all of it; a second commit gives the first one's answer."""
    return await _step(request, number, imports.commit)


@router.post(
    "/{id}/undo", response_model=ImportDetail, responses=writes.refusals(409), dependencies=[Depends(writes.keyed)]
)
async def undo_import(request: Request, number: ImportId, _: NoParams) -> Response:
    """Take a committed import back: its rows count no more. Refused where others refer to what would vanish."""
    return await _step(request, number, imports.undo)


async def _step(request: Request, number: int, step: Callable[[Acting, int], Import]) -> Response:
    def work(acting: Acting) -> Response:
        return writes.changed(_detail(step(acting, number)))

    return await Service.of(request).run(_write, request, b"", work)


def _write(request: Request, content: bytes, work: Callable[[Acting], Response]) -> Response:
    with Service.of(request).acting(request) as acting:
        return writes.once(request, acting, content, lambda: work(acting))


async def _sent(request: Request) -> tuple[bytes, str]:
    """The file and the name that a form gives it.

    Raises:
        HTTPException: 415, the content type is none of a table.
        InputError: a form without a file.
    """
    seen = request.headers.get("content-type", "")
    media = seen.partition(";")[0].strip().lower()
    if media in FILES:
        return await request.body(), ""
    if media != FORM:
        raise HTTPException(415, f"Content-Type is {seen or 'missing'}; send {FILES[0]}, {FILES[1]} or {FORM}.")
    async with request.form(max_files=1, max_fields=20) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise no_file()
        return await file.read(), name_of(file)


def no_file() -> InputError:
    """The refusal of a form without a file."""
    expected = "a file in the field file"
    return InputError("The form has no file.", [{"pointer": "/file", "seen": "nothing", "expected": expected}])


def name_of(file: UploadFile) -> str:
    """The name that a form gives a file; some browsers send the whole path."""
    return nfc((file.filename or "").replace("\\", "/").rpartition("/")[2])[:200]


def _mapping(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        column, colon, field = word.rpartition(":")
        if not colon or not column.strip() or not field.strip() or column.strip() in found:
            expected = "COLUMN:FIELD, each column once"
            raise InputError(
                f"?map is {word[:100]!r}; expected {expected}.",
                [{"pointer": "?map", "seen": word[:100], "expected": expected}],
            )
        found[nfc(column)] = field.strip()
    return found


def _listed(request: Request, params: ImportListParams) -> Response:
    filters = {
        "kind": choice(params.kind, get_args(Kind), "?kind"),
        "state": choice(params.state, kept.STATES, "?state"),
    }
    asked = {k: v for k, v in filters.items() if v}
    digest = digest_of(["imports", asked])
    with Service.of(request).acting(request) as acting:
        found = kept.page(
            acting.cursor, kinds=filters["kind"], states=filters["state"], n=params.n,
            before=start_before(params.cursor, digest),
        )  # fmt: skip
    content = {
        "imports": [_summary(i) for i in found.items], "total": found.total, "filters": asked,
        "next": None if found.next is None else cursor_of(digest, str(found.next)),
    }  # fmt: skip
    return Response(to_json(content), media_type="application/json", headers={"cache-control": "no-cache"})


def _summary(found: Import) -> dict[str, Any]:
    report = found.report
    return {
        "id": found.id, "state": found.state, "kind": found.kind, "file": found.file, **found.options,
        **{k: report[k] for k in ("rows", "new", "changed", "equal", "error_count")}, "revision": found.revision,
        "by": f"u{found.account_id}", "recorded_at": found.recorded_at.isoformat(),
        "committed": _event(found.committed), "undone": _event(found.undone),
    }  # fmt: skip


def _detail(found: Import) -> dict[str, Any]:
    return _summary(found) | {k: found.report[k] for k in ("warnings", "resembling", "errors", "examples")}


def _event(happened: Happened | None) -> dict[str, Any] | None:
    if happened is None:
        return None
    return {"batch": happened.batch, "by": f"u{happened.account_id}", "at": happened.at.isoformat()}
