"""Files of the neutral match format, or with columns of our own tables, as rows of our tables.

The neutral format is what public match datasets use: projects with one `name` and one `value_usd`, partners
with the source's own `sector` label, deals without an identifier. Everything here works on text cells, so that
a wrong number is later reported as it stands in the file; empty cells are null.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
from rapidfuzz import fuzz, process

from matcher.errors import InputError
from matcher.records import TABLES, Reference
from matcher.text import fold, nfc

KINDS = ("projects", "partners", "deals", "activities")
EXTRA = {"projects": ("name", "value_usd")}
"""Columns of the neutral format that our tables do not have under the same name."""

_DERIVED = {"name": ("name_vi", "name_en"), "value_usd": ("value_usd_min", "value_usd_max")}
_DEFAULTS = {
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
    """Text cells under the columns of one table, and what the reader of the file must know.

    Attributes:
        frame: columns of the table that the file gives, in table order; the file's rows in the file's order.
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


def rename(columns: Sequence[str], mapping: Mapping[str, str], kind: str, file: str) -> dict[str, str]:
    """File column -> our column for every column that is read; the mapping comes first.

    Raises:
        InputError: a mapping names a column or field that does not exist, two columns go to one field, a column
            looks like a misspelt field, or no column is known.
    """
    fields = [*TABLES[kind].columns, *EXTRA.get(kind, ())]
    for column, field in mapping.items():
        if column not in columns:
            raise InputError(f'{file} has no column "{column}"; it has: {", ".join(columns)}.')
        if field not in fields:
            near = process.extractOne(field, fields)[0]
            raise InputError(f'"{field}" is not a field of {kind}; did you mean {near}? Fields: {", ".join(fields)}.')
    read = {c: mapping.get(c, c) for c in columns if mapping.get(c, c) in fields}
    twice = [f for f, count in Counter(read.values()).items() if count > 1]
    if twice:
        sources = ", ".join(c for c, f in read.items() if f == twice[0])
        raise InputError(f"{file}: the columns {sources} all go to {twice[0]}; map one of them elsewhere.")
    free = [f for f in fields if f not in read.values()]
    for column in columns:
        near = process.extractOne(column, free, scorer=fuzz.ratio, score_cutoff=80) if column not in read else None
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
    raw: pl.DataFrame,
    kind: str,
    *,
    mapping: Mapping[str, str],
    file: str,
    present: pl.DataFrame,
    reference: Reference,
    provenance: Mapping[str, str | None],
) -> Adapted:
    """The rows of a file as text cells of our table, every column of the table present.

    A column that the file does not have keeps its present value where the record exists, and is null or the
    format's default where it is new. Provenance the file does not carry is that of `provenance`.

    Args:
        raw: the file's text cells.
        present: the table as it is in the store.
    """
    warnings: Counter[str] = Counter()
    names = rename(raw.columns, mapping, kind, file)
    for column in raw.columns:
        if column not in names:
            warnings[f'the column "{column}" is not read'] += raw.height
    frame = raw.select(pl.col(c).alias(f) for c, f in names.items())
    frame = _DERIVE[kind](frame, present) if kind in _DERIVE else frame
    given = set(frame.columns)
    frame = frame.with_columns(
        pl.lit(v, pl.String).alias(c) for c, v in provenance.items() if c not in given
    ).with_columns(pl.col(c).fill_null(pl.lit(v, pl.String)) for c, v in provenance.items() if c in given)
    frame = _keep_present(frame, kind, present)
    frame = frame.with_columns(
        pl.col(c).fill_null(pl.lit(v)) for c, v in _DEFAULTS[kind].items() if c in frame.columns and c not in given
    )
    if kind in _DATES:
        on, precision = _DATES[kind]
        frame = frame.with_columns(
            pl.when(pl.col(on).is_not_null()).then(pl.col(precision).fill_null("day")).otherwise(pl.col(precision))
        )
    if kind in ("projects", "partners"):
        frame = _classify(frame, kind, reference, warnings)
    return Adapted(frame=frame.select(TABLES[kind].columns), warnings=dict(warnings))


def _projects(frame: pl.DataFrame, present: pl.DataFrame) -> pl.DataFrame:
    """One `name` becomes the Vietnamese or the English one, one `value_usd` an exact value in US dollars."""
    if "name" in frame.columns:
        vi = pl.col("name").map_elements(is_vietnamese, return_dtype=pl.Boolean)
        known = {
            column: dict(zip(present["project_id"], present[column], strict=True)) for column in ("name_vi", "name_en")
        }
        for column, own in (("name_vi", vi), ("name_en", ~vi)):
            if column not in frame.columns:
                before = pl.col("project_id").replace_strict(known[column], default=None, return_dtype=pl.String)
                value = pl.when(own).then("name").otherwise(before if "project_id" in frame.columns else None)
                frame = frame.with_columns(value.alias(column))
        if "name_vi_status" not in frame.columns:
            status = dict(zip(present["project_id"], present["name_vi_status"], strict=True))
            before = pl.col("project_id").replace_strict(status, default=None, return_dtype=pl.String)
            frame = frame.with_columns(pl.when(vi).then(pl.lit("official")).otherwise(before).alias("name_vi_status"))
    if "value_usd" in frame.columns and not {"value_min", "value_max", "value_usd_min"} & set(frame.columns):
        value = pl.col("value_usd")
        frame = frame.with_columns(
            *(value.alias(c) for c in ("value_min", "value_max", "value_usd_min", "value_usd_max")),
            pl.when(value.is_not_null()).then(pl.lit("USD")).alias("value_currency"),
            pl.when(value.is_not_null()).then(pl.lit("false")).alias("value_usd_estimated"),
        )
    return frame.drop("name", "value_usd", strict=False)


def _deals(frame: pl.DataFrame, present: pl.DataFrame) -> pl.DataFrame:
    """Roles in lower case; a deal without an identifier gets that of the same deal, or one that names its content."""
    if "role" in frame.columns:
        frame = frame.with_columns(pl.col("role").str.to_lowercase().str.replace_all(r"[\s-]+", "_"))
    what = ("project_id", "partner_id", "role", "closed_on")
    if "deal_id" in frame.columns or not {*what[:3]} <= set(frame.columns):
        return frame
    known = {
        (project, partner, role, on): deal
        for deal, project, partner, role, on in present.select(
            "deal_id", *what[:3], pl.col("closed_on").dt.to_string("iso")
        ).iter_rows()
    }
    dates = frame["closed_on"] if "closed_on" in frame.columns else [None] * frame.height
    keys = zip(frame["project_id"], frame["partner_id"], frame["role"], dates, strict=True)
    return frame.with_columns(pl.Series("deal_id", [known.get(k) or _identifier(k) for k in keys], pl.String))


def _identifier(parts: Sequence[str | None]) -> str:
    return "d" + hashlib.sha256("\x1f".join(p or "" for p in parts).encode()).hexdigest()[:12]


_DERIVE = {"projects": _projects, "deals": _deals}


def _keep_present(frame: pl.DataFrame, kind: str, present: pl.DataFrame) -> pl.DataFrame:
    """Columns that the file lacks hold the present value of the same record, as text."""
    table = TABLES[kind]
    missing = [c for c in table.columns if c not in frame.columns]
    if not set(table.key) <= set(frame.columns):
        return frame.with_columns(pl.lit(None, pl.String).alias(c) for c in missing)
    before = present.select(*table.key, *(as_cell(c, table.columns[c]) for c in missing))
    return frame.join(before, on=table.key, how="left", maintain_order="left")


def as_cell(column: str, kind: pl.DataType) -> pl.Expr:
    """A typed column as the text that our CSV files hold."""
    if isinstance(kind, pl.List):
        return pl.col(column).list.join("|")
    if kind == pl.Date():
        return pl.col(column).dt.to_string("iso")
    return pl.col(column).cast(pl.String)


def _classify(frame: pl.DataFrame, kind: str, reference: Reference, warnings: Counter[str]) -> pl.DataFrame:
    """Sector labels become the city's sector code and ISIC codes; what is not in the tables is counted, not guessed."""
    known_codes = set(reference.isic["code"])
    labels = _labels(reference)
    sectors, divisions = [], []
    for label, codes in frame.select("sector", "isic").iter_rows():
        sector, found = labels.get(fold(nfc(label)), (None, None)) if label else (None, None)
        kept = [c.strip() for c in (codes or "").split("|") if c.strip()]
        for code in kept:
            if known_codes and code not in known_codes:
                warnings[f'"{code}" is not an ISIC Rev. 4 code and is left out'] += 1
        kept = [c for c in kept if not known_codes or c in known_codes] or list(found or ())
        if label and not found and not kept:
            warnings[f'the sector "{label}" is in none of our tables: its rows have no ISIC code'] += 1
        sectors.append(sector if kind == "projects" and sector else label)
        divisions.append("|".join(kept) or None)
    return frame.with_columns(pl.Series("sector", sectors, pl.String), pl.Series("isic", divisions, pl.String))


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
