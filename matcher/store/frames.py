"""Frames in and out: what a frame must satisfy to be appended, its bytes for COPY, and rows back into a frame."""

import hashlib
from collections.abc import Sequence
from typing import Any

import polars as pl

from matcher.errors import InputError
from matcher.records import TABLES, Table


def check(table: str, frame: pl.DataFrame, rule: Table | None = None) -> None:
    """The frame has the table's columns and types, its keys are unique and its cells are allowed.

    Args:
        rule: of a table that is not in `TABLES`.

    Raises:
        InputError: names the table, the column and a value that was seen.
    """
    rule = rule or TABLES[table]
    if frame.schema != pl.Schema(dict(rule.columns)):
        raise InputError(_columns_message(table, frame, rule))
    for column in rule.required:
        missing = frame[column].null_count()
        if missing:
            raise InputError(f"Table {table}, column {column}: {missing} rows have no value; every row needs one.")
    for column, allowed in rule.choices.items():
        strange = frame.filter(pl.col(column).is_not_null() & ~pl.col(column).is_in(allowed))
        if strange.height:
            raise InputError(
                f"Table {table}, column {column}: {strange[column][0]!r} is not one of {', '.join(allowed)}."
            )
    for column, dtype in rule.columns.items():
        if dtype == pl.Float64 and not frame[column].is_finite().fill_null(value=True).all():
            raise InputError(f"Table {table}, column {column}: a number is infinite or NaN; leave unknown cells empty.")
        if dtype == pl.List(pl.String()) and frame[column].drop_nulls().explode(empty_as_null=False).null_count():
            raise InputError(f"Table {table}, column {column}: a list holds an empty element; leave it out.")
    twice = frame.select(rule.key).filter(frame.select(rule.key).is_duplicated())
    if twice.height:
        raise InputError(f"Table {table}: key {twice.row(0)!r} occurs more than once; a key identifies one row.")


def _columns_message(table: str, frame: pl.DataFrame, rule: Table) -> str:
    expected = rule.columns
    absent = [c for c in expected if c not in frame.columns]
    extra = [c for c in frame.columns if c not in expected]
    wrong = [
        f"{c} is {frame.schema[c]} instead of {d}"
        for c, d in expected.items()
        if c in frame.columns and frame.schema[c] != d
    ]
    said = [
        f"missing: {', '.join(absent)}" if absent else "",
        f"unknown: {', '.join(extra)}" if extra else "",
        "; ".join(wrong),
    ]
    seen = "; ".join(s for s in said if s) or "the order differs"
    return f"Table {table}: the frame's columns do not fit ({seen}); expected, in order: {', '.join(expected)}."


def to_csv(frame: pl.DataFrame) -> bytes:
    """The frame as COPY ... (FORMAT csv) reads it: null is empty, an empty text is quoted, lists are array literals."""
    lists = [c for c, dtype in frame.schema.items() if dtype == pl.List(pl.String())]
    return (
        frame.with_columns(_array_literal(c) for c in lists)
        .write_csv(include_header=False, float_precision=None)
        .encode()
    )


def _array_literal(column: str) -> pl.Expr:
    quoted = pl.concat_str(pl.lit('"'), pl.element().str.replace_all(r'(["\\])', r"\$1"), pl.lit('"'))
    return pl.concat_str(pl.lit("{"), pl.col(column).list.eval(quoted).list.join(","), pl.lit("}")).alias(column)


def to_json(frame: pl.DataFrame) -> dict[str, Any]:
    """The rows as JSON object: days and exact amounts as text, unknown values left out."""
    return {
        "rows": [
            {k: v if isinstance(v, (str, bool, int, float, list)) else str(v) for k, v in row.items() if v is not None}
            for row in frame.iter_rows(named=True)
        ]
    }


def content_hash(table: str, frame: pl.DataFrame) -> str:
    """SHA-256 of the table's name and the frame's rows in key order: the same facts give the same hash."""
    digest = hashlib.sha256(table.encode() + b"\0")
    digest.update(to_csv(frame.sort(TABLES[table].key)))
    return digest.hexdigest()


def from_rows(table: str, rows: Sequence[tuple[Any, ...]], extra: dict[str, pl.DataType]) -> pl.DataFrame:
    """Rows as a frame with the table's columns and types, then the extra ones, sorted by key."""
    schema = {**TABLES[table].columns, **extra}
    return pl.DataFrame(rows, schema=schema, orient="row").sort(TABLES[table].key, maintain_order=True)
