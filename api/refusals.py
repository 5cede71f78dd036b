"""How a value that does not fit is told: which field, what was seen, what was expected."""

from collections.abc import Mapping
from typing import Any

_EXPECTED = {
    "missing": "a value",
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_parsing", "float_type", "finite_number"), "a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("date_parsing", "date_type", "date_from_datetime_parsing"), "a date as YYYY-MM-DD"),
    "date_from_datetime_inexact": "a date as YYYY-MM-DD",
    **dict.fromkeys(("model_attributes_type", "model_type", "dict_type"), "a JSON object"),
    "string_type": "text",
    "string_too_short": "at least {min_length} character",
    "string_too_long": "at most {max_length} characters",
    "too_long": "at most {max_length} values",
    "literal_error": "{expected}",
}
"""Kind of validation error -> what the value should have been, in words that assume no programmer."""


def expected(error: Mapping[str, Any]) -> str:
    """What a value that pydantic refused should have been."""
    if error["type"] in _EXPECTED:
        return _EXPECTED[error["type"]].format(**error.get("ctx", {}))
    return str(error["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")


def seen(error: Mapping[str, Any]) -> str:
    """What was sent, cut to what a message can hold."""
    return "nothing" if error["type"] == "missing" else printable(str(error["input"])[:100])


def printable(text: str) -> str:
    """The text with `?` for halves of surrogate pairs, which JSON escapes can smuggle in."""
    return text.encode(errors="replace").decode()
