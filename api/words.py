"""Types of what is written into records: text, identifiers, days, amounts; nothing is silently made to fit."""

import re
import unicodedata
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from matcher.text import nfc

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MONEY = re.compile(r"\d{1,18}(\.\d{1,2})?", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_DIGITS = re.compile(r"\d{1,30}", re.ASCII)
_KEPT = "\n\t"


def _day(value: object) -> object:
    """Strictly YYYY-MM-DD: a number or a time of day is no day."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    elif value is None or (type(value) is date):
        return value
    raise ValueError("a date as YYYY-MM-DD")


def line(value: str) -> str:
    """One line of text in NFC."""
    _refuse_controls(value, kept="")
    return _visible(nfc(value))


def _prose(value: str) -> str:
    """Text in NFC that keeps its lines."""
    value = value.replace("\r\n", "\n")
    _refuse_controls(value, kept=_KEPT)
    return _visible("\n".join(nfc(line) for line in value.split("\n")).strip())


def _refuse_controls(value: str, *, kept: str) -> None:
    if any(unicodedata.category(c) == "Cc" and c not in kept for c in value):
        raise ValueError("text without control characters" + ("" if kept else ", in one line"))


def _visible(value: str) -> str:
    if not value:
        raise ValueError("text with a visible character, or null")
    return value


def _identifier(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError("1 to 100 letters A to Z, digits and . _ -, beginning with a letter or digit")
    return value


def _money(value: object) -> object:
    """An exact amount: a whole number, or decimal digits as text; a binary fraction is not exact."""
    if value is None or isinstance(value, Decimal):
        return value
    if type(value) is int and 0 <= value < 10**18:
        return Decimal(value)
    if isinstance(value, str) and _MONEY.fullmatch(value):
        return Decimal(value)
    raise ValueError('a whole number, or decimal digits as text such as "12500000.50"')


def digits(value: object) -> object:
    """An identifier in an address is digits and nothing else: `1.0` names nothing."""
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("a whole number")
    return value


def choice(known: tuple[str, ...]) -> tuple[AfterValidator, WithJsonSchema]:
    """What makes a text one of the known ones, as they are written."""

    def check(value: str) -> str:
        if value not in known:
            raise ValueError("one of " + ", ".join(known))
        return value

    return AfterValidator(check), WithJsonSchema({"type": "string", "enum": list(known)})


def optional(**more: Any) -> Any:
    """A field of a change: it may be left out; null only where its type says so."""
    return Field(default=None, json_schema_extra=_without_default, **more)


def _without_default(schema: dict[str, Any]) -> None:
    """What is left out stays as it is: nothing is put in its place."""
    schema.pop("default", None)


Day = Annotated[
    date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"})
]
Money = Annotated[
    Decimal,
    BeforeValidator(_money),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0, "exclusiveMaximum": 10**18},
                              {"type": "string", "pattern": r"^\d{1,18}(\.\d{1,2})?$"}]}),
]  # fmt: skip
Line = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(line)]
Prose = Annotated[str, Field(min_length=1, max_length=5_000), AfterValidator(_prose)]
Country = Annotated[str, Field(pattern="^[A-Za-z]{2}$"), AfterValidator(str.upper)]
Id = Annotated[str, Field(min_length=1, max_length=200)]
NewId = Annotated[str, AfterValidator(_identifier)]
