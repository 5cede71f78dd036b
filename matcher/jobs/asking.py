"""What may be asked: filters from words, free text within bounds. The same for command line and API."""

import math
import re
from collections.abc import Iterable
from dataclasses import fields

from rapidfuzz import process

from matcher.errors import InputError
from matcher.records import FORMS, PARTNER_KINDS, PROJECT_STATUSES, Filters
from matcher.text import nfc

TEXT_LIMIT = 20_000
"""Characters of a free-text query; about ten pages, far beyond what the encoder reads."""

FIELDS = tuple(f.name for f in fields(Filters))
_CHOICES = {"kind": PARTNER_KINDS, "form": FORMS, "status": PROJECT_STATUSES}
_TRUE, _FALSE = ("true", "yes", "1", "có"), ("false", "no", "0", "không")
_NEXT_FIELD = re.compile(r"\s+(?=[A-Za-z_]+\s*=)")


def free_text(text: str) -> str:
    """The normalised text of a free-text query.

    Raises:
        InputError: it is empty or longer than `TEXT_LIMIT`.
    """
    if len(text) > TEXT_LIMIT:
        raise InputError(
            f"The text has {len(text):,} characters; at most {TEXT_LIMIT:,} are read. "
            "Give the paragraph that says what is sought.",
            [{"pointer": "text", "seen": f"{len(text)} characters", "expected": f"1 to {TEXT_LIMIT} characters"}],
        )
    clean = nfc(text)
    if not clean:
        raise InputError(
            f"The text is empty ({len(text):,} characters, none of them visible); "
            f"write what is sought in 1 to {TEXT_LIMIT:,} characters.",
            [{"pointer": "text", "seen": f"{len(text)} characters", "expected": f"1 to {TEXT_LIMIT} characters"}],
        )
    return clean


def pairs(words: Iterable[str]) -> list[tuple[str, str]]:
    """`field=a,b` words, several of them in one string if need be, as (field, value) pairs.

    Raises:
        InputError: a word has no `=`.
    """
    found = []
    for word in words:
        for part in _NEXT_FIELD.split(word.strip()):
            name, equals, values = part.partition("=")
            if not equals or not values.strip():
                raise _refusal(part, "filter", f"FIELD=VALUE, such as country=JP; fields: {', '.join(FIELDS)}")
            found += [(name.strip(), value.strip()) for value in values.split(",") if value.strip()]
    return found


def filters(asked: Iterable[tuple[str, str]]) -> Filters:
    """The filters of (field, value) pairs; values of one field are alternatives.

    Raises:
        InputError: a field is unknown, or a value is not one of those that its field can have. Sectors,
            countries and regions are checked against the tables when the question is answered.
    """
    values: dict[str, list[str]] = {}
    for name, value in asked:
        if name not in FIELDS:
            near = process.extractOne(name, FIELDS)[0]
            raise _refusal(name, "filter", f"one of {', '.join(FIELDS)}; did you mean {near}?")
        clean = nfc(value).upper() if name == "country" else nfc(value)
        choices = _CHOICES.get(name)
        if choices and clean not in choices:
            raise _refusal(value, name, f"one of {', '.join(choices)}")
        values.setdefault(name, []).append(clean)
    for name in ("green", "ticket_usd"):
        if len(values.get(name, [])) > 1:
            raise _refusal(", ".join(values[name]), name, "one value")
    return Filters(
        **{name: tuple(dict.fromkeys(v)) for name, v in values.items() if name not in ("green", "ticket_usd")},
        green=_flag(values["green"][0]) if "green" in values else None,
        ticket_usd=_amount(values["ticket_usd"][0]) if "ticket_usd" in values else None,
    )


def _flag(value: str) -> bool:
    if value.casefold() in _TRUE + _FALSE:
        return value.casefold() in _TRUE
    raise _refusal(value, "green", "true or false")


def _amount(value: str) -> float:
    try:
        amount = float(value)
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount) or amount <= 0:
        raise _refusal(value, "ticket_usd", "an amount in US dollars, such as 400000000 or 4e8")
    return amount


def _refusal(seen: str, pointer: str, expected: str) -> InputError:
    short = seen if len(seen) <= 80 else seen[:77] + "…"
    return InputError(
        f'{pointer}: "{short}" is not usable; expected: {expected}.',
        [{"pointer": pointer, "seen": short, "expected": expected}],
    )
