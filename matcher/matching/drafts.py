"""A record that is not in the database, as a row of its table."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from matcher.errors import InputError
from matcher.matching.retrieve import check_country
from matcher.records import TABLES, Reference

DRAFT_ID = ""
"""Identifier of an unsaved record; no stored record has it."""


def draft(table: str, values: Mapping[str, Any], reference: Reference) -> pl.DataFrame:
    """A one-row frame of an unsaved record; absent columns are unknown.

    Raises:
        InputError: a column that the table does not have, or a value that the column cannot hold.
    """
    columns = TABLES[table].columns
    unknown = sorted(set(values) - set(columns))
    if unknown:
        raise InputError(f"{', '.join(unknown)}: no such field; fields: {', '.join(columns)}.")
    given = {k: v for k, v in values.items() if v is not None}
    for column, value in given.items():
        expected = _expected(table, column, value)
        if expected:
            seen = str(value)[:60]
            raise InputError(
                f'{column}: "{seen}" is not usable; expected: {expected}.',
                [{"pointer": f"/{column}", "seen": seen, "expected": expected}],
            )
        if TABLES[table].refs.get(column) == "countries":
            check_country(value, reference)
    fixed = {"project_id": DRAFT_ID, "country": "VN", "status": "calling"} if table == "projects" else {
        "partner_id": DRAFT_ID, "name": "", "kind": "unknown"}  # fmt: skip
    row = {**fixed, **given}
    return pl.DataFrame([{c: row.get(c) for c in columns}], schema=dict(columns))


def _expected(table: str, column: str, value: object) -> str | None:
    """What a column of a table holds, when a value is not of it; None when it is."""
    kind, choices = TABLES[table].columns[column], TABLES[table].choices.get(column)
    if choices:
        return None if value in choices else f"one of {', '.join(choices)}"
    if isinstance(kind, pl.List):
        fits = isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(v, str) for v in value)
        return None if fits else "a list of words"
    if kind.is_numeric():
        fits = isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value)
        return None if fits else "a number"
    word, type_ = {pl.Date: ("a day", date), pl.Boolean: ("true or false", bool)}.get(type(kind), ("text", str))
    return None if isinstance(value, type_) else word
