"""How lists of records are cut down: which columns a filter reads, ranges of amounts, where a page starts."""

import base64
import binascii

import orjson
import polars as pl

from matcher.errors import InputError

Values = tuple[str, ...]

FILTER_COLUMNS: dict[str, dict[str, Values]] = {
    "projects": {
        "sector": ("sector", "isic"), "country": ("country",), "region": ("region",), "city": ("city",),
        "form": ("form",), "status": ("status",), "agency": ("agency",), "boundary": ("boundary",), "green": ("green",),
        "value_usd_min": ("value_usd_max", "value_usd_min"), "value_usd_max": ("value_usd_min", "value_usd_max"),
    },
    "partners": {
        "sector": ("isic",), "country": ("country",), "origin_country": ("origin_country",),
        "region": ("_regions",), "kind": ("kind",), "activity": ("activities",), "green": ("green",),
        "ticket_usd": ("ticket_usd_min", "ticket_usd_max"), "ticket_usd_min": ("ticket_usd_max", "ticket_usd_min"),
        "ticket_usd_max": ("ticket_usd_min", "ticket_usd_max"),
    },
    "missions": {"country": ("country",), "covers": ("covers",), "type": ("type",), "status": ("status",)},
    "sectors": {"scheme": ("scheme",), "parent": ("parent",), "green": ("green",)},
}  # fmt: skip
"""Kind -> filter -> columns that it reads; a record carries the field when any of them is known."""


def amount(name: str, value: float, columns: Values) -> pl.Expr:
    """Ranges that hold an amount, or reach at least or at most an amount; an unknown range never does."""
    near, far = (pl.coalesce(columns), pl.coalesce(columns[::-1]))
    if name.endswith("_min"):
        return (near >= value).fill_null(value=False)
    if name.endswith("_max"):
        return (near <= value).fill_null(value=False)
    low, high = near, far  # a range with one known end reaches as far as that end says
    bounded = (pl.col(columns[0]).is_null() | (low <= value)) & (pl.col(columns[1]).is_null() | (high >= value))
    return bounded & pl.any_horizontal([pl.col(c).is_not_null() for c in columns])


def coverage(kind: str, listed: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Filter -> {known, of}: how many of the listed records carry the field that it reads."""
    known = {name: listed.select(_carried(listed, columns)).item() for name, columns in FILTER_COLUMNS[kind].items()}
    return {name: {"known": int(k or 0), "of": listed.height} for name, k in known.items()}


def _carried(frame: pl.DataFrame, columns: Values) -> pl.Expr:
    known = [
        (pl.col(c).list.len() > 0) if frame.schema[c] == pl.List(pl.String()) else pl.col(c).is_not_null()
        for c in columns
    ]
    return pl.any_horizontal(known).fill_null(value=False).sum()


def cursor_of(digest: str, last_id: str) -> str:
    """The cursor of the page after an id, for the search with that digest."""
    return base64.urlsafe_b64encode(orjson.dumps([digest, last_id])).decode().rstrip("=")


def start_after(cursor: str, digest: str) -> str:
    """The id after which a page starts.

    Raises:
        InputError: the cursor is damaged or was given for another search.
    """
    try:
        belongs_to, last_id = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, TypeError):
        belongs_to, last_id = None, ""
    if belongs_to != digest or not isinstance(last_id, str):
        raise foreign(cursor)
    return last_id


def foreign(cursor: str) -> InputError:
    """The refusal of a cursor that no list of this search gave."""
    expected = "the `next` of a list with the same search and filters; leave it out to start at the beginning"
    return InputError(
        f"?cursor does not belong to this list; expected {expected}",
        [{"pointer": "?cursor", "seen": cursor[:100], "expected": expected}],
    )
