"""Forms: fields as people type them become what the API takes; a write happens once; what is wrong stands at its field.

A form holds the hidden fields `csrf`, `lang`, `key` (makes a second click harmless) and `back` (where to go on).
"""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api import refusals, writes
from api.language import DEFAULT
from api.pages.rendering import local_path
from api.schemas import Lang
from api.service import Service
from matcher.errors import InputError
from matcher.store.desk import Acting

HIDDEN = frozenset({"csrf", "lang", "key", "back"})
MAX_FIELDS = 100
_DAY = re.compile(r"\s*(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})\s*", re.ASCII)
_SPACES = re.compile(r"[\s\u00a0\u202f]+")

M = TypeVar("M", bound=BaseModel)
Errors = Sequence[Mapping[str, str]]
"""`pointer` (`/field`), `seen` and `expected` of each field that does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A form as it was sent: `fields` without those that every form has, blanks left out."""

    fields: Mapping[str, str]
    lang: Lang
    key: str
    back: str | None
    file: UploadFile | None = None


async def sent(request: Request) -> Sent:
    """The fields of a form; of several files the first."""
    form = await request.form(max_files=1, max_fields=MAX_FIELDS)
    texts = {name: value.strip() for name, value in form.items() if isinstance(value, str)}
    file = next((value for value in form.values() if isinstance(value, UploadFile) and value.filename), None)
    return Sent(
        fields={name: text for name, text in texts.items() if text and name not in HIDDEN},
        lang="en" if texts.get("lang") == "en" else DEFAULT, key=texts.get("key") or new_key(),
        back=local_path(texts.get("back", "")), file=file,
    )  # fmt: skip


def new_key() -> str:
    """A fresh value for a form's hidden field `key`."""
    return uuid.uuid4().hex


def day_of(text: str) -> str:
    """A day as it was typed, dd/mm/yyyy, as YYYY-MM-DD; anything else as it is."""
    found = _DAY.fullmatch(text)
    if found is None:
        return text
    on, month, year = (int(part) for part in found.groups())
    try:
        return date(year, month, on).isoformat()
    except ValueError:
        return text


def number_of(text: str, lang: Lang) -> str:
    """A number as readers of `lang` write it, 1.234,5 or 1,234.5, in plain digits; anything else as it is.

    One kind of separator before groups of three digits only separates thousands; otherwise it begins the fraction.
    """
    plain = _SPACES.sub("", text)
    thousands, fraction = (".", ",") if lang == "vi" else (",", ".")
    if re.fullmatch(rf"\d{{1,3}}(\{thousands}\d{{3}})+(\{fraction}\d+)?", plain):
        return plain.replace(thousands, "").replace(fraction, ".")
    if re.fullmatch(r"\d+[.,]\d+", plain):
        return plain.replace(",", ".")
    return plain


def read(model: type[M], values: Mapping[str, Any]) -> M:
    """The values as a body of the API.

    Raises:
        InputError: names every field that does not fit.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        errors = [
            {"pointer": "".join(f"/{p}" for p in e["loc"]), "seen": refusals.seen(e), "expected": refusals.expected(e)}
            for e in error.errors()
        ]
        told = "; ".join(f'{e["pointer"]} is "{e["seen"]}", expected {e["expected"]}' for e in errors)
        raise InputError(told, errors) from None


def written(request: Request, form: Sent, work: Callable[[Acting], str]) -> Response:
    """Where `work` sends the reader after it has written; a form that is sent twice is written once.

    Args:
        work: writes in the transaction that it is given, and gives the address to go on to.

    Raises:
        InputError, ConflictError, NotFoundError: as `work`; nothing was written.
    """
    content = "\0".join(f"{k}={v}" for k, v in sorted(form.fields.items())).encode()

    def step(acting: Acting) -> Response:
        return gone_on(work(acting))

    with Service.of(request).acting(request) as acting:
        return writes.once(request, acting, content, lambda: step(acting), key=form.key)


def gone_on(address: str) -> Response:
    """The browser goes on to another page, so that a reload sends nothing again."""
    return RedirectResponse(address, status_code=303, headers={"cache-control": "no-store"})


def after(address: str, lang: Lang, done: str | None = None) -> str:
    """An address to go on to, in the reader's language, which tells what was done: `interactions.12`."""
    parts = urlsplit(address)
    kept = [p for p in parts.query.split("&") if p and not p.startswith(("done=", "lang="))]
    more = ([("done", done)] if done else []) + ([("lang", lang)] if lang != DEFAULT else [])
    query = "&".join([*kept, *([urlencode(more)] if more else [])])
    return urlunsplit(("", "", parts.path, query, parts.fragment))
