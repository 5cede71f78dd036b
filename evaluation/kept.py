"""Reports that are kept as files: written by `--keep NAME`, listed by the service, read back as they were.

A file is what `--json` prints. What a kept file leaves out is single queries of slices that no report draws.
"""

import dataclasses
import json
import math
import os
import re
import stat
import types
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from evaluation import tables
from evaluation.leading import main_slice
from evaluation.results import DatasetResult, Report
from matcher.errors import InputError, NotFoundError, SourceError

LARGEST = 5 << 20
"""Bytes of a report that is read or written."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
DIGITS = 6

T = TypeVar("T")


def name_of(text: str) -> str:
    """The text as the name of a report.

    Raises:
        InputError: it cannot be the name of a file that is listed.
    """
    if not NAME.fullmatch(text):
        raise InputError(
            f'"{text[:80]}" cannot name a report; use small letters a to z, digits, ".", "_" and "-", at most 64, '
            "beginning with a letter or digit."
        )
    return text


def write(report: Report, folder: Path, name: str) -> Path:
    """The report stands in the folder under its name; one that was there before stays whole until then.

    Raises:
        InputError: the name cannot be used, or the report is too large to be read again.
        SourceError: the folder cannot be written to.
    """
    path = folder / f"{name_of(name)}.json"
    slim = dataclasses.replace(report, datasets=tuple(map(_drawn, report.datasets)))
    written = json.dumps(_rounded(tables.to_json(slim)), ensure_ascii=False, separators=(",", ":")).encode()
    if len(written) > LARGEST:
        raise InputError(
            f"The report has {len(written):,} bytes and at most {LARGEST:,} are kept; keep one of fewer data sets."
        )
    fresh = folder / f".{name}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(written)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise SourceError(f"{path} cannot be written: {error.strerror}; check the folder's rights.") from error
    return path


def read(folder: Path, name: str) -> Report:
    """The report that is kept under a name.

    Raises:
        NotFoundError: there is none.
        SourceError: the file is no report, or damaged; the message says where.
    """
    if not NAME.fullmatch(name):
        raise NotFoundError(f'There is no report "{name[:80]}".')
    path = folder / f"{name}.json"
    try:
        text = content(path)
    except FileNotFoundError:
        raise NotFoundError(f'There is no report "{name}".') from None
    try:
        return from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path.name} is not JSON, or only a part of it; keep the report again.") from error
    except InputError as error:
        raise SourceError(f"{path.name} is no report of this program: {error} Keep the report again.") from error


def content(path: Path) -> bytes:
    """What a file of a report holds.

    Raises:
        FileNotFoundError: there is none.
        SourceError: it is no plain file, too large, or cannot be read.
    """
    try:
        # Neither a link out of the folder nor something that never ends is followed.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise SourceError(f"{path.name} is no file; remove it.")
            if about.st_size > LARGEST:
                raise SourceError(f"{path.name} has {about.st_size:,} bytes; a report has at most {LARGEST:,}.")
            return file.read(LARGEST)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}.") from error


def from_json(told: object) -> Report:
    """The report of which `tables.to_json` made this; null stands for a number that does not exist.

    Fields that this program does not know are passed over, those that it needs must be there.

    Raises:
        InputError: it is something else; the message names the place, what was seen and what was expected.
    """
    found = _made(Report, told, "")
    assert isinstance(found, Report)
    return found


def _drawn(dataset: DatasetResult) -> DatasetResult:
    """The data set with single queries of the slices that a report draws."""
    shown = {main_slice(dataset), "new_pairs"}
    runs = tuple(
        dataclasses.replace(s, per_query={k: v for k, v in s.per_query.items() if k in shown}) for s in dataset.runs
    )
    return dataclasses.replace(dataset, runs=runs)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    # Digits that count: a Brier score or a p-value may be small.
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


@cache
def _fields(kind: type) -> Mapping[str, tuple[Any, bool]]:
    """Field -> its type, and whether it must be given."""
    hints = typing.get_type_hints(kind)
    missing = dataclasses.MISSING
    return {
        f.name: (hints[f.name], f.default is missing and f.default_factory is missing) for f in dataclasses.fields(kind)
    }


def _made(kind: Any, value: object, at: str) -> Any:
    """The value as one of the types that results are made of."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _made(next(k for k in inner if k is not type(None)), value, at)
    if dataclasses.is_dataclass(kind):
        return _record(typing.cast(type, kind), value, at)
    if origin is tuple:
        return _tuple(inner, value, at)
    if origin is not None:  # a mapping with text for its keys
        return {key: _made(inner[1], v, f"{at}.{key}") for key, v in _object(value, at).items()}
    return _plain(kind, value, at)


def _record(kind: type, value: object, at: str) -> Any:
    given = _object(value, at)
    made = {}
    for name, (hint, needed) in _fields(kind).items():
        if name in given:
            made[name] = _made(hint, given[name], f"{at}.{name}")
        elif needed:
            raise InputError(f"{at.lstrip('.') or 'the report'}: {name} is missing.")
    return kind(**made)


def _tuple(inner: tuple[Any, ...], value: object, at: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _odd(value, at, "a list")
    if inner[1:] == (...,):
        return tuple(_made(inner[0], v, f"{at}[{i}]") for i, v in enumerate(value))
    if len(value) != len(inner):
        raise _odd(value, at, f"a list of {len(inner)}")
    return tuple(_made(k, v, f"{at}[{i}]") for i, (k, v) in enumerate(zip(inner, value, strict=True)))


def _plain(kind: type, value: object, at: str) -> Any:
    if kind is float:
        if value is None:
            return math.nan
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise _odd(value, at, "a number or null")
        return float(value)
    if type(value) is not kind:
        raise _odd(value, at, {int: "a whole number", bool: "true or false", str: "text"}[kind])
    return value


def _object(value: object, at: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _odd(value, at, "an object")
    return value


def _odd(value: object, at: str, expected: str) -> InputError:
    seen = json.dumps(value, default=str)
    seen = seen if len(seen) <= 60 else seen[:57] + "…"
    return InputError(f"{at.lstrip('.') or 'the report'} is {seen}; expected {expected}.")
