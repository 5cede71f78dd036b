"""Files of the neutral match format, with columns of our own tables or with an official's headings, as our rows.

The neutral format is what public match datasets use: projects with one `name` and one `value_usd`, partners
with the source's own `sector` label, deals without an identifier.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
from rapidfuzz import fuzz, process

from matcher.errors import InputError
from matcher.ingest import headings
from matcher.records import DAY, LIST, MONEY, NUM, TABLES, TEXT, Reference
from matcher.text import fold, nfc

EXTRA: dict[str, dict[str, pl.DataType]] = {"projects": {"name": TEXT, "value_usd": NUM, "value_vnd": NUM}}
"""Columns of the neutral format, and amounts in dong, that our tables do not have under the same name."""

_DEFAULTS: dict[str, dict[str, str]] = {
    "projects": {"status": "calling"},
    "partners": {"kind": "unknown"},
    "deals": {"status": "done"},
    "activities": {},
}
_DATES = {
    "projects": ("announced_on", "announced_precision"),
    "deals": ("closed_on", "closed_precision"),
    "activities": ("held_on", "held_precision"),
}
# Letters that hardly any other language has, and marks that Vietnamese shares with others.
_VIETNAMESE = re.compile("[ăđơưảạấầẩẫậắằẳẵặẻẽẹếềểễệỉĩịỏọốồổỗộớờởỡợủũụứừửữựỳỷỹỵ]")
_SHARED_MARK = re.compile("[àáâãèéêìíòóôõùúý]")
_SYLLABLE = re.compile(
    "(?:ngh|ng|nh|ch|gh|gi|kh|ph|qu|th|tr|[bcdđghklmnprstvx])?[aàáâãeèéêiìíoòóôõuùúyý]{1,3}(?:ch|nh|ng|[cmnpt])?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """Rows of one table, and what the reader of the file must know.

    Attributes:
        frame: exactly the columns of the table; the file's rows in the file's order.
        warnings: sentence -> number of rows it is true of.
    """

    frame: pl.DataFrame
    warnings: Mapping[str, int]


def is_vietnamese(name: str) -> bool:
    """A name is written in Vietnamese, by its letters; a name without any mark is not."""
    words = nfc(name).lower()
    if _VIETNAMESE.search(words):
        return True
    if not _SHARED_MARK.search(words):
        return False
    # French or Portuguese words carry such marks too, but few of them look like Vietnamese syllables.
    parts = re.findall(r"[^\W\d_]+", words)
    marked = [p for p in parts if _SHARED_MARK.search(p)]
    syllables = sum(_SYLLABLE.fullmatch(p) is not None for p in parts)
    return all(_SYLLABLE.fullmatch(p) for p in marked) and syllables > len(parts) / 2


def fields_of(kind: str) -> dict[str, pl.DataType]:
    """Every field that a file of this kind may give, with its type."""
    return {**TABLES[kind].columns, **EXTRA.get(kind, {})}


def filled(kind: str) -> tuple[str, ...]:
    """Required columns that get a default where a file lacks them."""
    return tuple(_DEFAULTS[kind])


def makes_key(kind: str) -> bool:
    """A record without an identifier gets one that is made of its content."""
    return kind == "deals"


def rename(columns: Sequence[str], mapping: Mapping[str, str], kind: str, file: str) -> dict[str, str]:
    """File column -> our column for every column that is read; the mapping comes first, then our names, then words.

    Raises:
        InputError: a mapping names a column or field that does not exist, two columns go to one field, a column
            looks like a misspelt field or has another unit than its field, or no column is known.
    """
    fields = list(fields_of(kind))
    for column, field in mapping.items():
        if column not in columns:
            raise InputError(f'{file} has no column "{column}"; it has: {", ".join(columns)}.')
        if field not in fields:
            likely = process.extractOne(field, fields)[0]
            raise InputError(f'"{field}" is not a field of {kind}; did you mean {likely}? Fields: {", ".join(fields)}.')
    given = {c: mapping.get(c, c) for c in columns if mapping.get(c, c) in fields}
    said = {c: headings.field_of(c, kind) for c in columns if c not in given}
    given |= {c: field for c, field in said.items() if field and field not in given.values()}
    read = {c: given[c] for c in columns if c in given}
    bare = [c for c, f in read.items() if f == headings.VALUE]
    if bare:
        raise InputError(
            f'{file}: the heading "{bare[0]}" does not say in which money; write "{bare[0]} (tỷ đồng)" or '
            f'"{bare[0]} (triệu USD)", or give --map "{bare[0]}=value_usd".'
        )
    for column, field in read.items():
        unit = headings.split_unit(column)[1]
        meant = "ha" if field == "area_ha" else "usd" if "_usd" in field else "vnd" if field == "value_vnd" else unit.of
        if unit.of not in (None, meant):
            raise InputError(
                f'{file}: the column "{column}" is in {unit.of}, but {field} is in {meant}; give the amounts '
                f"in {meant} or map the column to another field."
            )
    twice = [f for f, count in Counter(read.values()).items() if count > 1]
    if twice:
        sources = ", ".join(c for c, f in read.items() if f == twice[0])
        raise InputError(f"{file}: the columns {sources} all go to {twice[0]}; map one of them elsewhere.")
    free = [f for f in fields if f not in read.values()]
    for column in columns:
        near = process.extractOne(column, free, scorer=fuzz.ratio, score_cutoff=75) if column not in read else None
        if near:
            raise InputError(
                f'{file} has a column "{column}" that is not a field of {kind}. Did you mean {near[0]}? '
                f"Rename it, or give --map {column}={near[0]}."
            )
    if not read:
        raise InputError(
            f"{file} has none of the columns of {kind}: it has {', '.join(columns)}; expected "
            f"{', '.join(fields[:8])} …. Check --kind, or name the columns with --map COLUMN=FIELD."
        )
    return read


def adapt(
    frame: pl.DataFrame,
    kind: str,
    *,
    present: pl.DataFrame,
    reference: Reference,
    provenance: Mapping[str, str | date | None],
    vnd_per_usd: float | None = None,
) -> Adapted:
    """The rows of a file with exactly the columns of our table.

    A column that the file does not have keeps its present value where the record exists, and is null or the
    format's default where it is new. Provenance that the file does not carry is that of `provenance`.

    Args:
        frame: the typed columns that the file gives, under the names of our table or of `EXTRA`.
        present: the table as it is in the store.
        vnd_per_usd: makes dollars of amounts in dong, marked as estimated; None: they stay unknown.
    """
    warnings: Counter[str] = Counter()
    columns = TABLES[kind].columns
    if "value_vnd" in frame.columns:
        frame = _dong(frame, vnd_per_usd, warnings)
    frame = _DERIVE[kind](frame, present) if kind in _DERIVE else frame
    given = set(frame.columns)
    for column, value in provenance.items():
        fallback = pl.lit(value, columns[column])
        frame = frame.with_columns((pl.col(column).fill_null(fallback) if column in given else fallback).alias(column))
    frame = _keep_present(frame, kind, present)
    for column, default in _DEFAULTS[kind].items():
        if column not in given:
            frame = frame.with_columns(pl.col(column).fill_null(default))
    if kind in _DATES:
        on, precision = _DATES[kind]
        known = pl.when(pl.col(on).is_not_null()).then(pl.col(precision).fill_null(pl.lit("day")))
        frame = frame.with_columns(known.otherwise(pl.col(precision)).alias(precision))
    if kind in ("projects", "partners"):
        frame = _classify(frame, kind, reference, warnings)
    return Adapted(frame=frame.select(pl.col(c).cast(t) for c, t in columns.items()), warnings=dict(warnings))


def _projects(frame: pl.DataFrame, present: pl.DataFrame) -> pl.DataFrame:
    """One `name` becomes the Vietnamese or the English one, one `value_usd` an exact value in US dollars."""
    if "name" in frame.columns:
        is_vi = pl.Series([is_vietnamese(n) if n else None for n in frame["name"]], dtype=pl.Boolean)
        before = frame.select("project_id").join(
            present.select("project_id", "name_vi", "name_en", "name_vi_status"),
            on="project_id", how="left", maintain_order="left",
        )  # fmt: skip
        given = {"name_vi": is_vi, "name_en": ~is_vi}
        frame = frame.with_columns(
            pl.when(own).then(pl.col("name")).otherwise(before[column]).alias(column)
            for column, own in given.items()
            if column not in frame.columns
        )
        if "name_vi_status" not in frame.columns:
            official = pl.when(is_vi).then(pl.lit("official")).otherwise(before["name_vi_status"])
            frame = frame.with_columns(official.alias("name_vi_status"))
    if "value_usd" in frame.columns and not {"value_min", "value_max", "value_usd_min"} & set(frame.columns):
        value = pl.col("value_usd")
        known = pl.when(value.is_not_null())
        frame = frame.with_columns(
            *(value.cast(MONEY).alias(c) for c in ("value_min", "value_max")),
            *(value.alias(c) for c in ("value_usd_min", "value_usd_max")),
            known.then(pl.lit("USD")).alias("value_currency"),
            known.then(pl.lit(value=False)).alias("value_usd_estimated"),
        )
    return frame.drop("name", "value_usd", strict=False)


def _dong(frame: pl.DataFrame, vnd_per_usd: float | None, warnings: Counter[str]) -> pl.DataFrame:
    """Amounts in dong are exact values; dollars are those of the file, else converted."""
    dong = pl.col("value_vnd")
    own = pl.col("value_usd") if "value_usd" in frame.columns else pl.lit(None, NUM)
    converted = pl.lit(None, NUM) if vnd_per_usd is None else (dong / vnd_per_usd).round(0)
    dollars = pl.coalesce(own, converted)
    if vnd_per_usd is not None:
        count = frame.select((dong.is_not_null() & own.is_null()).sum()).item()
        if count:
            warnings[f"the value in dong was also converted to dollars, at {vnd_per_usd:,.0f} dong a dollar"] += count
    return frame.with_columns(
        *(pl.coalesce(dong, own).cast(MONEY).alias(c) for c in ("value_min", "value_max")),
        *(dollars.alias(c) for c in ("value_usd_min", "value_usd_max")),
        pl.when(dong.is_not_null()).then(pl.lit("VND")).when(own.is_not_null()).then(pl.lit("USD"))
        .alias("value_currency"),
        pl.when(dollars.is_not_null()).then(own.is_null()).alias("value_usd_estimated"),
    ).drop("value_vnd")  # fmt: skip


def _deals(frame: pl.DataFrame, present: pl.DataFrame) -> pl.DataFrame:
    """A deal without an identifier gets that of the same deal, or one that is made of its content."""
    what = ["project_id", "partner_id", "role", "closed_on"]
    if "deal_id" in frame.columns or not {*what[:3]} <= set(frame.columns):
        return frame
    known = {tuple(key): deal for deal, *key in present.select("deal_id", *what).iter_rows()}
    dated = frame if "closed_on" in frame.columns else frame.with_columns(pl.lit(None, DAY).alias("closed_on"))
    keys = dated.select(what).iter_rows()
    return frame.with_columns(pl.Series("deal_id", [known.get(key) or _identifier(key) for key in keys], pl.String))


def _identifier(parts: Sequence[object]) -> str:
    text = "\x1f".join("" if part is None else str(part) for part in parts)
    return "d" + hashlib.sha256(text.encode()).hexdigest()[:12]


_DERIVE = {"projects": _projects, "deals": _deals}


def _keep_present(frame: pl.DataFrame, kind: str, present: pl.DataFrame) -> pl.DataFrame:
    """Columns that the file lacks hold the present value of the same record."""
    table = TABLES[kind]
    missing = [c for c in table.columns if c not in frame.columns]
    if not set(table.key) <= set(frame.columns):
        return frame.with_columns(pl.lit(None, table.columns[c]).alias(c) for c in missing)
    return frame.join(present.select(*table.key, *missing), on=table.key, how="left", maintain_order="left")


def _classify(frame: pl.DataFrame, kind: str, reference: Reference, warnings: Counter[str]) -> pl.DataFrame:
    """Sector labels become the city's sector code and ISIC codes; what is not in the tables is counted, not guessed."""
    labels = _labels(reference)
    sectors, divisions = [], []
    for label, codes in frame.select("sector", "isic").iter_rows():
        sector, found = labels.get(fold(nfc(label)), (None, ())) if label else (None, ())
        if label and not found and not codes:
            warnings[f'the sector "{label}" is in none of our tables, so that the record has no ISIC code'] += 1
        sectors.append(sector if kind == "projects" and sector else label)
        divisions.append(codes or list(found) or None)
    if kind == "partners":
        tags = set(reference.activity_tags["tag"])
        for tag in frame["activities"].explode(empty_as_null=False).drop_nulls():
            if tag not in tags:
                warnings[f'the activity "{tag}" is not in our table of activities'] += 1
    return frame.with_columns(pl.Series("sector", sectors, TEXT), pl.Series("isic", divisions, LIST))


def _labels(reference: Reference) -> dict[str, tuple[str | None, tuple[str, ...]]]:
    """Folded label -> (city sector code or None, ISIC codes); the city's own list wins over the others."""
    labels: dict[str, tuple[str | None, tuple[str, ...]]] = {}
    for code, vi, en in reference.isic.select("code", "title_vi", "title_en").iter_rows():
        for label in (vi, en):
            if label:
                labels.setdefault(fold(label), (None, (code,)))
    for term, codes in reference.terms.select("term", "isic").iter_rows():
        labels[fold(term)] = (None, tuple(codes))
    for name, own in (("tag", reference.activity_tags), ("sector", reference.city_sectors)):
        for code, vi, en, codes in own.select(name, "name_vi", "name_en", "isic").iter_rows():
            for label in (code, code.replace("_", " "), vi, en):
                labels[fold(label)] = (code if name == "sector" else None, tuple(codes))
    return labels
