"""What is sent back: JSON, CSV or XLSX of the same rows with an ETag, and errors as RFC 9457 problems."""

import csv as csv_format
import hashlib
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, BinaryIO, Literal, TypeVar

import orjson
import xlsxwriter
from pydantic import BaseModel
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import permissions
from api.guard import client_address
from matcher.text import FORMULA_STARTS

Format = Literal["json", "csv", "xlsx"]

MEDIA: dict[Format, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
PROBLEM = "application/problem+json"
PROBLEM_TYPE = "urn:matcher:problem:"

EXPORT_ROWS = 1_000
"""Rows that an export of a whole list reads at a time."""
_PIECE_BYTES = 1 << 16
_XLSX_CELL_CHARS = 32_767  # Excel's own limit; a longer cell would be dropped without a word


def to_json(content: object) -> bytes:
    """Content as UTF-8 JSON; an exact decimal becomes a string without trailing zeros."""
    return orjson.dumps(content, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return decimal_text(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def decimal_text(value: Decimal) -> str:
    """An exact decimal in plain digits without trailing zeros: '19800000000000', '12.5'."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def etag(*parts: bytes) -> str:
    """A strong entity tag: equal bytes, equal tag."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return f'"{digest.hexdigest()[:32]}"'


def unchanged(request: Request, tag: str) -> bool:
    """The caller already holds this version (If-None-Match, compared weakly as RFC 9110 asks)."""
    held = request.headers.get("if-none-match", "")
    return held.strip() == "*" or tag in {h.strip().removeprefix("W/") for h in held.split(",")}


def wanted_format(request: Request, asked: Format | None) -> Format:
    """`format=` when given, else the best of JSON, CSV and XLSX in the Accept header, else JSON."""
    if asked is not None:
        return asked
    best: tuple[float, Format] = (0.0, "json")
    for part in request.headers.get("accept", "").split(","):
        media, *params = (p.strip().lower() for p in part.split(";"))
        quality = 1.0
        for param in params:
            if param.startswith("q="):
                try:
                    quality = float(param[2:])
                except ValueError:
                    quality = 0.0
        found: Format | None = next((f for f, m in MEDIA.items() if m == media), None)
        if found is None and media in ("*/*", "application/*"):
            found = "json"
        if found is not None and quality > best[0]:
            best = (quality, found)
    return best[1]


def record(request: Request, content: object) -> Response:
    """One record as JSON with its ETag, or 304 when the caller holds it."""
    return _send(request, to_json(content), "json", None)


def rows(
    request: Request,
    content: Mapping[str, Any],
    *,
    wanted: Format,
    name: str,
    csv: Callable[[], bytes],
    xlsx: Callable[[], bytes],
) -> Response:
    """A list as JSON, or the same rows as CSV or XLSX; `Link: rel="next"` when there are more.

    Args:
        content: the JSON body, with `next` as cursor or None.
        name: file name without ending.
        csv, xlsx: make the table formats.
    """
    if wanted != "json":
        _exported(request, name, wanted)
    told = to_json(content)
    body = told if wanted == "json" else csv() if wanted == "csv" else xlsx()
    link = _link(request, content.get("next"))
    # A workbook's bytes carry the moment of its making: the tag is that of what it says.
    return _send(request, body, wanted, link, name=name, tagged=told if wanted == "xlsx" else body)


Listed = tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]
"""One page of a list: its JSON body, with `next` as cursor or None, and its rows for the table formats."""


P = TypeVar("P", bound=BaseModel)


def table(
    request: Request, params: P, page: Callable[[P], Listed], *, name: str, columns: Sequence[str]
) -> Response:  # fmt: skip
    """One page of a list as JSON, CSV or XLSX; as CSV or XLSX without `n` the whole list from the cursor on.

    The whole list is read page by page and sent while it is read, so that it needs no more memory than a page.

    Args:
        page: makes the page that the parameters ask for.
        name: of the list in the JSON body, and of the file.
    """
    wanted = wanted_format(request, getattr(params, "format", None))
    if wanted == "json" or "n" in params.model_fields_set:
        content, flat = page(params)
        return rows(
            request, content, wanted=wanted, name=name,
            csv=lambda: to_csv(columns, flat), xlsx=lambda: to_xlsx(columns, flat),
        )  # fmt: skip
    _exported(request, name, wanted)
    first = page(params.model_copy(update={"n": EXPORT_ROWS}))  # whatever is wrong is told before anything is sent

    def pages() -> Iterator[Sequence[Mapping[str, Any]]]:
        content, flat = first
        yield flat
        while content["next"] is not None:
            content, flat = page(params.model_copy(update={"n": EXPORT_ROWS, "cursor": content["next"]}))
            yield flat

    body = _csv_lines(columns, pages()) if wanted == "csv" else _pieces(_workbook(columns, pages()))
    headers = {
        "cache-control": "no-store", "vary": "Accept, Accept-Language",
        "content-disposition": f'attachment; filename="{name}.{wanted}"',
    }  # fmt: skip
    return StreamingResponse(body, media_type=_media(wanted), headers=headers)


def _exported(request: Request, name: str, wanted: Format) -> None:
    """The caller may take the list away, and it is on record that he does.

    Raises:
        ForbiddenError: he may not.
    """
    caller = request.state.caller
    permissions.check_export(caller)
    request.app.state.service.desk.audit(
        caller, "exported", {"list": name, "format": wanted}, origin=client_address(request),
        request_id=request.state.request_id,
    )  # fmt: skip


def made_before(request: Request, body: bytes, cursor: str | None) -> Response:
    """A list whose JSON is ready, as `rows` sends it."""
    return _send(request, body, "json", _link(request, cursor), tag=_tag_of(body))


@lru_cache(maxsize=256)
def _tag_of(body: bytes) -> str:
    """The tag of a body that is sent many times."""
    return etag(b"json", body)


def _link(request: Request, cursor: str | None) -> str | None:
    return None if cursor is None else f'<{_here(request).include_query_params(cursor=cursor)}>; rel="next"'


def _here(request: Request) -> URL:
    """This address as path and query, without host: a proxy in front may have another name."""
    url = request.url
    return URL(f"{url.path}?{url.query}" if url.query else url.path)


def _send(
    request: Request, body: bytes, wanted: Format, link: str | None, *, name: str = "", tagged: bytes | None = None,
    tag: str | None = None,
) -> Response:  # fmt: skip
    headers = {
        "etag": tag or etag(wanted.encode(), body if tagged is None else tagged),
        "cache-control": "private, no-cache",
        "vary": "Accept, Accept-Language",
    }
    if link is not None:
        headers["link"] = link
    if unchanged(request, headers["etag"]):
        return Response(status_code=304, headers=headers)
    if wanted != "json":
        headers["content-disposition"] = f'attachment; filename="{name}.{wanted}"'
    return Response(body, media_type=_media(wanted), headers=headers)


def _media(wanted: Format) -> str:
    return "text/csv; charset=utf-8; header=present" if wanted == "csv" else MEDIA[wanted]


def flatten(item: Mapping[str, Any]) -> dict[str, Any]:
    """A record as one row: `name: {vi, en}` becomes `name_vi`, `name_en`; a list is joined by `|`.

    Lists of objects have no cell of their own and are left to JSON.
    """
    row: dict[str, Any] = {}
    for key, value in item.items():
        if isinstance(value, Mapping):
            row |= {f"{key}_{k}": v for k, v in flatten(value).items()}
        elif isinstance(value, (list, tuple)):
            if not any(isinstance(v, Mapping) for v in value):
                row[key] = "|".join(str(v) for v in value)
        else:
            row[key] = value
    return row


def safe_cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula; numbers and truth values stay what they are."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = decimal_text(value) if isinstance(value, Decimal) else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def to_csv(columns: Sequence[str], flat: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as UTF-8 CSV with a heading; empty = unknown, flags true/false."""
    return b"".join(_csv_lines(columns, [flat]))


def _csv_lines(columns: Sequence[str], pages: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[bytes]:
    """The heading and then the rows of each page."""
    out = io.StringIO()
    writer = csv_format.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for flat in pages:
        for row in flat:
            cells = [safe_cell(row.get(c)) for c in columns]
            writer.writerow([("true" if c else "false") if isinstance(c, bool) else c for c in cells])
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()


def to_xlsx(columns: Sequence[str], flat: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as an Excel workbook with a heading; no cell is a formula or a link."""
    return b"".join(_pieces(_workbook(columns, [flat])))


def _workbook(columns: Sequence[str], pages: Iterable[Sequence[Mapping[str, Any]]]) -> BinaryIO:
    """A file of its own that holds the workbook; it is gone when it is closed."""
    out = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    options = {
        "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
    }  # fmt: skip
    book = xlsxwriter.Workbook(out, options)
    sheet = book.add_worksheet("matcher")
    bold = book.add_format({"bold": True})
    sheet.freeze_panes(1, 0)
    for c, column in enumerate(columns):
        sheet.write_string(0, c, column, bold)
    for r, row in enumerate((row for flat in pages for row in flat), start=1):
        for c, column in enumerate(columns):
            value = safe_cell(row.get(column))
            if isinstance(value, bool):
                sheet.write_boolean(r, c, value)
            elif isinstance(value, (int, float)):
                sheet.write_number(r, c, value)
            elif value is not None:
                sheet.write_string(r, c, str(value)[:_XLSX_CELL_CHARS])
    book.close()
    out.seek(0)
    return out


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """The file's bytes from where it stands; it is closed at the end."""
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def problem(
    *,
    status: int,
    kind: str,
    title: str,
    detail: str,
    instance: str,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> Response:
    """An error as RFC 9457 problem; `errors` names each bad field, what was seen and what is expected."""
    content: dict[str, Any] = {
        "type": PROBLEM_TYPE + kind,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        **more,
    }
    if errors:
        content["errors"] = [dict(e) for e in errors]
    return Response(to_json(content), status_code=status, media_type=PROBLEM, headers=dict(headers or {}))
