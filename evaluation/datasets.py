"""Match data sets in the neutral format: read strictly, made blind, written, and turned into the engine's facts.

A data set is a folder with `dataset.toml`, `projects.csv`, `partners.csv` and `deals.csv`. Its blind form has the
training deals only, `queries.csv` and, unless the answers are withheld, `qrels.csv`. Nothing here knows a set by name.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from evaluation.qrels import read_qrels
from matcher.errors import InputError
from matcher.ingest import neutral
from matcher.ingest.csvfile import nearest, read_cells
from matcher.ingest.tables import ROW, Problems, check_bounds, check_key, check_ref, typed
from matcher.records import (
    DAY,
    LIST,
    NUM,
    PARTNER_KINDS,
    POSITIVE_ROLES,
    PRECISIONS,
    ROLES,
    TABLES,
    TEXT,
    Facts,
    Reference,
    empty,
)  # fmt: skip

MAX_ROWS = 5_000_000

COLUMNS: dict[str, dict[str, pl.DataType]] = {
    "projects": {
        "project_id": TEXT, "name": TEXT, "description": TEXT, "sector": TEXT, "isic": TEXT, "country": TEXT,
        "region": TEXT, "city": TEXT, "value_usd": NUM, "announced_on": DAY, "announced_precision": TEXT,
    },
    "partners": {
        "partner_id": TEXT, "name": TEXT, "country": TEXT, "kind": TEXT, "sector": TEXT, "description": TEXT,
    },
    "deals": {
        "project_id": TEXT, "partner_id": TEXT, "role": TEXT, "closed_on": DAY, "closed_precision": TEXT,
        "value_usd": NUM,
    },
    "queries": {"project_id": TEXT},
    "qrels": {"project_id": TEXT, "partner_id": TEXT},
    "answers": {"project_id": TEXT, "investor_country": TEXT},
}  # fmt: skip
"""File -> its columns with types, in file order."""

_KEYS: dict[str, tuple[str, ...]] = {
    "projects": ("project_id",), "partners": ("partner_id",),
    "deals": ("project_id", "partner_id", "role", "closed_on"),
    "queries": ("project_id",), "qrels": ("project_id", "partner_id"), "answers": ("project_id",),
}  # fmt: skip
_NEEDED: dict[str, tuple[str, ...]] = {
    "projects": ("project_id", "name"), "partners": ("partner_id", "name"), "deals": ("project_id", "partner_id"),
    "queries": ("project_id",), "qrels": ("project_id", "partner_id"), "answers": ("project_id",),
}  # fmt: skip
_CHOICES = {"kind": PARTNER_KINDS, "role": ROLES, "announced_precision": PRECISIONS, "closed_precision": PRECISIONS}
_PATTERNS = {
    "country": (r"^[A-Z]{2}$", "is not an ISO 3166-1 alpha-2 code; write two capitals", "two capitals"),
    "isic": (r"^([A-U]|\d{2})$", "is not an ISIC Rev.4 section letter or two-digit division", "a letter or two digits"),
}
_DATES = {"projects": ("announced_on", "announced_precision"), "deals": ("closed_on", "closed_precision")}
_UNDATED = ("drop", "train")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One data set, full or blind.

    Attributes:
        about: what `dataset.toml` says; `form` is "blind" in the blind form.
        projects, partners, deals: typed, with every column of the format (null where the file lacks it), in order of
            their identifiers. `isic` is one code; a partner of unknown kind is `unknown`; precisions are never null;
            projects keep further columns as text.
        queries: projects to rank for, ascending.
        qrels: query -> partners that closed a deal on it, only queries that have one; None without answers.
        undated: whether deals without a date train.
        digest: sha256 over the contents.
        missing: optional columns (`projects.region`), files and keys that were not there.
        warnings: sentence -> number of rows it is true of.
        answers: home countries of the capital in a set without deals, where the blind form has moved them.
    """

    name: str
    about: Mapping[str, Any]
    projects: pl.DataFrame
    partners: pl.DataFrame
    deals: pl.DataFrame
    queries: tuple[str, ...]
    qrels: Mapping[str, frozenset[str]] | None
    split_on: date | None
    undated: str
    digest: str
    missing: tuple[str, ...] = ()
    warnings: Mapping[str, int] = field(default_factory=dict)
    answers: pl.DataFrame | None = None

    @property
    def is_blind(self) -> bool:
        """The deals are training deals only."""
        return self.about.get("form") == "blind"

    @cached_property
    def train(self) -> pl.DataFrame:
        """Deals that may be used: not on a project of the query period, and closed on or before the split for certain.

        Undated deals are among them only where `undated` says so.
        """
        if self.split_on is None:
            return self.deals.clear()
        old = ~pl.col("project_id").is_in([*self.queries, *_late(self.projects, self.split_on)])
        closed = pl.col("closed_on")
        known = _last_day("closed_on", "closed_precision") <= self.split_on
        if not self.is_blind:
            known &= _as_scripted(self.split_on)
        undated = pl.lit(self.undated == "train")
        return self.deals.filter(old & pl.when(closed.is_null()).then(undated).otherwise(known))


def _late(projects: pl.DataFrame, split_on: date) -> list[str]:
    """Projects of the query period."""
    return projects.filter(pl.col("announced_on") > split_on)["project_id"].to_list()


def _last_day(on: str, precision: str) -> pl.Expr:
    """The last day that a date can mean."""
    day = pl.col(on)
    return (
        pl.when(pl.col(precision) == "year").then(pl.date(day.dt.year(), 12, 31))
        .when(pl.col(precision) == "month").then(day.dt.month_end())
        .otherwise(day)
    )  # fmt: skip


def _as_scripted(split_on: date) -> pl.Expr:
    """The script that defines the blind form lets every month last 31 days; its training deals are ours."""
    month = pl.col("closed_precision") == "month"
    return ~month | (pl.col("closed_on").dt.strftime("%Y-%m-31") <= split_on.isoformat())


def read(folder: Path, *, qrels: Path | None = None) -> Dataset:
    """A data set in its full or blind form; `qrels` names answers in another place, TREC or CSV.

    Optional columns and files may be missing and are listed.

    Raises:
        InputError: anything that the format does not allow; names file, row, column, what was seen and expected.
    """
    try:
        return _read(folder, qrels)
    except InputError as error:
        raise InputError(f"The data set {folder} cannot be read.\n{error}", error.errors) from None


def _read(folder: Path, outside: Path | None) -> Dataset:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give a folder with dataset.toml, projects.csv and deals.csv")
    about = _about(folder / "dataset.toml")
    files = {name: (folder / f"{name}.csv").is_file() for name in COLUMNS}
    if files["qrels"] or files["answers"]:
        about = {**about, "form": "blind"}
    split_on, text_only = _split_on(about), bool(about.get("no_deals"))
    missing = [f"dataset.toml: {key}" for key in ("name", "licence") if not about.get(key)]
    warnings: dict[str, int] = {}
    tables: dict[str, pl.DataFrame] = {}
    for name in ("projects", "partners", "deals"):
        if text_only and name != "projects" and not files[name]:
            missing.append(f"{name}.csv")
            tables[name] = pl.DataFrame(schema=COLUMNS[name])
            continue
        known = {} if name != "deals" else {key: tables[f"{key}s"][f"{key}_id"] for key in ("project", "partner")}
        limit = split_on if name == "deals" and about.get("form") == "blind" else None
        tables[name] = _table(folder, name, known, missing, warnings, closed_by=limit)
    projects, partners, deals = tables["projects"], tables["partners"], tables["deals"]
    _check_whole(split_on, projects, deals, text_only=text_only)
    queries = _queries(folder, projects, split_on, warnings) if files["queries"] else None
    if queries is None and about.get("form") == "blind" and not text_only:
        missing.append("queries.csv")
    if queries is None:
        queries = [] if split_on is None else sorted(_late(projects, split_on))
    answered = deals.filter(pl.col("project_id").is_in(queries))
    if about.get("form") == "blind" and not answered.is_empty():
        first = answered.row(0, named=True)
        raise InputError(
            f"deals.csv: {answered.height} deals are on query projects, the first by {first['partner_id']} on "
            f"{first['project_id']}; the blind form has training deals only"
        )
    pairs = _outside(outside, queries, partners) if outside else None
    if pairs is None and files["qrels"]:
        known = {"project": pl.Series(queries, dtype=pl.String), "partner": partners["partner_id"]}
        pairs = _table(folder, "qrels", known, missing, warnings)
    if pairs is None and not answered.is_empty():
        pairs = answered
    contents = [folder / "dataset.toml", *(folder / f"{name}.csv" for name in COLUMNS)]
    moved = None
    if files["answers"]:
        moved = _table(folder, "answers", {"project": projects["project_id"]}, missing, warnings)
    undated = str(about.get("undated_deals", "drop"))
    left = deals["closed_on"].null_count()
    if left and undated == "drop":
        warnings["deals without a date do not train"] = left
    return Dataset(
        name=str(about.get("name") or folder.resolve().name), about=about,
        projects=projects, partners=partners, deals=deals,
        queries=tuple(queries), qrels=None if pairs is None else _answers_of(pairs),
        split_on=split_on, undated=undated,
        digest=_digest([*contents, *([outside] if outside else [])]),
        missing=tuple(missing), warnings=warnings, answers=moved,
    )  # fmt: skip


def _about(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError("dataset.toml is missing; it must name the set and give split_on")
    try:
        about = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"dataset.toml is not TOML in UTF-8: {error}") from error
    for key, allowed in (("form", ("full", "blind")), ("undated_deals", _UNDATED)):
        if about.get(key, allowed[0]) not in allowed:
            raise InputError(f'dataset.toml, "{key}": {about[key]!r}; expected {" or ".join(allowed)}')
    if not isinstance(about.get("no_deals", False), bool):
        raise InputError(f'dataset.toml, "no_deals": {about["no_deals"]!r}; expected true or false')
    if not isinstance(about.get("name", ""), str):
        raise InputError(f'dataset.toml, "name": {about["name"]!r}; expected text')
    return about


def _split_on(about: Mapping[str, Any]) -> date | None:
    value = about.get("split_on")
    if value is None or value == "":
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise InputError(f'dataset.toml, "split_on": {str(value)!r} is not a date; write "2018-12-31"')


def _table(
    folder: Path,
    name: str,
    known: Mapping[str, pl.Series],
    missing: list[str],
    warnings: dict[str, int],
    closed_by: date | None = None,
) -> pl.DataFrame:
    """One file, typed, checked and sorted; what it lacks is added to `missing`."""
    file, columns = f"{name}.csv", COLUMNS[name]
    cells = read_cells(folder / file, max_rows=MAX_ROWS)
    for column in _NEEDED[name]:
        if column not in cells.columns:
            near = nearest(column, [c for c in cells.columns if c not in columns])
            raise InputError(f'{file}: the column "{column}" is missing{near}; it has: {", ".join(cells.columns)}')
    missing += [f"{name}.{column}" for column in columns if column not in cells.columns]
    cells = _composed(cells, file, warnings)
    extra = [c for c in cells.columns if c not in columns] if name == "projects" else []
    problems = Problems(file)
    frame = typed(cells.with_row_index(ROW, offset=2), {**columns, **dict.fromkeys(extra, TEXT)}, problems)
    check_bounds(frame, problems)
    for column in _NEEDED[name]:
        problems.add(frame.filter(pl.col(column).is_null()), column, "is required and may not be empty", "a value")
    for column in (c for c in columns if c in _CHOICES):
        allowed = _CHOICES[column]
        wrong = frame.filter(~pl.col(column).is_in(list(allowed)))
        problems.add(wrong, column, f"is not one of {', '.join(allowed)}", f"one of {', '.join(allowed)}")
    for column in (c for c in columns if c in _PATTERNS):
        pattern, why, expected = _PATTERNS[column]
        problems.add(frame.filter(~pl.col(column).str.contains(pattern)), column, why, expected)
    for target, keys in known.items():
        source = "queries" if name == "qrels" and target == "project" else f"{target}s.csv"
        check_ref(frame, f"{target}_id", source, set(keys), problems)
    if name in _DATES:
        frame = _dated(frame, *_DATES[name], problems)
    if closed_by is not None:
        after = frame.filter(pl.col("closed_on") > closed_by)
        why = f"is after the split on {closed_by}; the blind form has training deals only"
        problems.add(after, "closed_on", why, f"a day up to {closed_by}")
    check_key(frame, _KEYS[name], problems)
    problems.raise_if_any()
    if name == "partners":
        frame = frame.with_columns(pl.col("kind").fill_null("unknown"))
    return frame.drop(ROW).sort(_KEYS[name], nulls_last=False)


def _composed(cells: pl.DataFrame, file: str, warnings: dict[str, int]) -> pl.DataFrame:
    """The cells in NFC; those that were not are counted."""
    done = cells.select(pl.all().str.normalize("NFC"))
    changed = sum(int((done[c] != cells[c]).sum()) for c in cells.columns)
    if changed:
        warnings[f"cells of {file} were not in Unicode NFC"] = changed
    return done


def _dated(frame: pl.DataFrame, on: str, precision: str, problems: Problems) -> pl.DataFrame:
    """Notes dates and precisions that contradict each other; a date without a precision is a day."""
    day, grain = pl.col(on), pl.col(precision)
    problems.add(frame.filter(day.is_null() & (grain != "none")), precision, f"has no {on}; write none", "none")
    problems.add(
        frame.filter(day.is_not_null() & (grain == "none")), precision, f"does not fit {on}", "day, month, year"
    )
    year = (grain == "year") & ((day.dt.month() != 1) | (day.dt.day() != 1))
    problems.add(frame.filter(year), on, "is known to the year; write YYYY-01-01", "1 January")
    month = (grain == "month") & (day.dt.day() != 1)
    problems.add(frame.filter(month), on, "is known to the month; write YYYY-MM-01", "the first of the month")
    return frame.with_columns(
        pl.when(day.is_null()).then(pl.lit("none")).otherwise(grain.fill_null("day")).alias(precision)
    )


def _check_whole(split_on: date | None, projects: pl.DataFrame, deals: pl.DataFrame, *, text_only: bool) -> None:
    """What concerns more than one file."""
    if projects.is_empty():
        raise InputError("projects.csv has a heading but no row; expected at least one project")
    if text_only and not deals.is_empty():
        raise InputError(f'dataset.toml, "no_deals": true, but deals.csv has {deals.height} rows; remove one of them')
    if split_on is None and not text_only:
        raise InputError('dataset.toml, "split_on" is missing; give the last training day, such as "2018-12-31"')


def _queries(folder: Path, projects: pl.DataFrame, split_on: date | None, warnings: dict[str, int]) -> list[str]:
    """The projects of `queries.csv`, which are announced after the split or on a day that is not known."""
    frame = _table(folder, "queries", {"project": projects["project_id"]}, [], warnings)
    if split_on is not None:
        early = frame.join(projects.filter(pl.col("announced_on") <= split_on), on="project_id", how="semi")
        if not early.is_empty():
            some = ", ".join(early["project_id"].head(5))
            raise InputError(f"queries.csv: {early.height} queries are announced by the split on {split_on}: {some}")
    return frame["project_id"].to_list()


def _outside(path: Path, queries: Sequence[str], partners: pl.DataFrame) -> pl.DataFrame:
    """The pairs of a file of answers, all of which the data set must know."""
    relevant = read_qrels(path)
    pairs = [(query, partner) for query, found in relevant.items() for partner in sorted(found)]
    frame = pl.DataFrame(pairs, schema=COLUMNS["qrels"], orient="row")
    for column, known, what in (
        ("project_id", list(queries), "queries"), ("partner_id", partners["partner_id"].to_list(), "partners"),
    ):  # fmt: skip
        strange = frame.filter(~pl.col(column).is_in(known))[column].unique().sort()
        if not strange.is_empty():
            some = ", ".join(strange.head(5))
            raise InputError(f'{path.name}, column "{column}": {strange.len()} are no {what} of the data set: {some}')
    return frame


def _answers_of(pairs: pl.DataFrame) -> dict[str, frozenset[str]]:
    grouped = pairs.group_by("project_id").agg(pl.col("partner_id").unique()).sort("project_id")
    return {query: frozenset(partners) for query, partners in grouped.iter_rows()}


def _digest(paths: Sequence[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        if path.is_file():
            content = path.read_bytes()
            whole.update(f"{path.name} {len(content)}\n".encode())
            whole.update(content)
    return whole.hexdigest()


def blind(dataset: Dataset, *, max_queries: int | None = None) -> Dataset:
    """The blind form, with the answers in `qrels`; one that is blind already is returned as it is.

    Queries are the projects announced after the split that have a deal, or a fixed pseudo-random sample of so many.
    Kept are projects that are queries or have a training deal, and partners of training deals, of answers and,
    where undated deals are dropped, of those. In a set without deals the home countries move to `answers`.
    """
    if dataset.is_blind:
        return dataset
    how = f"{dataset.digest} blind {max_queries} {dataset.undated}"
    digest = hashlib.sha256(how.encode()).hexdigest()
    if dataset.split_on is None:
        return replace(
            dataset, about={**dataset.about, "form": "blind"}, digest=digest,
            projects=dataset.projects.select(list(COLUMNS["projects"])),
            answers=_home_countries(dataset.projects),
        )  # fmt: skip
    train, qrels = dataset.train, dict(dataset.qrels or {})
    queries = sorted(set(qrels) & set(dataset.queries))
    if max_queries and len(queries) > max_queries:
        queries = sorted(
            sorted(queries, key=lambda q: hashlib.sha1(q.encode(), usedforsecurity=False).hexdigest())[:max_queries]
        )
    qrels = {query: qrels[query] for query in queries}
    late = [*dataset.queries, *_late(dataset.projects, dataset.split_on)]
    old = dataset.deals.filter(~pl.col("project_id").is_in(late))
    undated = old["closed_on"].null_count()
    dropped = undated if dataset.undated == "drop" else 0
    catalogue = set(train["partner_id"]).union(*qrels.values())
    if dropped:
        catalogue |= set(dataset.deals.filter(pl.col("closed_on").is_null())["partner_id"])
    kept = {*queries, *train["project_id"]}
    return replace(
        dataset,
        about={
            **dataset.about, "form": "blind", "undated_deals": dataset.undated, "queries": len(queries),
            "train_deals": train.height,
            "dropped_late_deals_on_old_projects": old.height - train.height - dropped,
            "dropped_undated_deals": dropped,
        },
        projects=dataset.projects.filter(pl.col("project_id").is_in(list(kept))),
        partners=dataset.partners.filter(pl.col("partner_id").is_in(list(catalogue))),
        deals=train, queries=tuple(queries), qrels=qrels, digest=digest,
    )  # fmt: skip


def _home_countries(projects: pl.DataFrame) -> pl.DataFrame | None:
    answers = list(COLUMNS["answers"])
    return projects.select(answers) if answers[1] in projects.columns else None


def write(dataset: Dataset, folder: Path, *, answers: bool) -> None:
    """Writes the files of a data set, in order of identifiers; reading them gives the same data set.

    Args:
        answers: whether the answers of the blind form are written.

    Raises:
        InputError: the full form without its answers is asked for.
    """
    if not answers and not dataset.is_blind:
        raise InputError(f"{dataset.name} is in its full form, whose deals are the answers; make the blind form first.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.toml").write_text(_toml(dataset.about), encoding="utf-8")
    for name in ("projects", "partners", "deals"):
        _write_csv(getattr(dataset, name), folder / f"{name}.csv")
    if not dataset.is_blind:
        return
    if dataset.split_on is not None:
        _write_csv(pl.DataFrame({"project_id": dataset.queries}, schema=COLUMNS["queries"]), folder / "queries.csv")
    if answers and dataset.qrels is not None:
        pairs = [(query, partner) for query in sorted(dataset.qrels) for partner in sorted(dataset.qrels[query])]
        _write_csv(pl.DataFrame(pairs, schema=COLUMNS["qrels"], orient="row"), folder / "qrels.csv")
    if answers and dataset.answers is not None:
        _write_csv(dataset.answers, folder / "answers.csv")


def _write_csv(frame: pl.DataFrame, path: Path) -> None:
    whole = [
        pl.when(pl.col(c) == pl.col(c).round()).then(pl.col(c).cast(pl.Int64).cast(pl.String))
        .otherwise(pl.col(c).cast(pl.String)).alias(c)
        for c, dtype in frame.schema.items() if dtype == NUM
    ]  # fmt: skip
    frame.with_columns(whole).write_csv(path, line_terminator="\n")


def _toml(about: Mapping[str, Any]) -> str:
    return "".join(f"{_toml_key(key)} = {_toml_value(value)}\n" for key, value in about.items())


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml_value(key)


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ("\n" + "".join(f"  {_toml_value(v)},\n" for v in value) if value else "") + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml_key(str(k))} = {_toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def facts(dataset: Dataset, reference: Reference, *, with_queries: bool, as_of: date | None = None) -> Facts:
    """What an engine may know of a data set on a day: its training deals as done, its query projects as open.

    Every partner stands in such a set because of its deals, so partners and deals name the same source: a fit does
    not list a partner before its first deal. A deal without a date counts from the split on. Roles that our tables
    do not count as positive, and unknown ones, become `finance`, for every deal of a set came about.

    Args:
        with_queries: whether the query projects are among the projects.
        as_of: the day; None: the split. Deals and projects known later only are left out.

    Raises:
        InputError: the data set has no split and no day was given.
    """
    day = as_of or dataset.split_on
    if day is None:
        raise InputError(f"{dataset.name} has no split_on; give the day as of which it is to be read.")
    deals = _deal_facts(dataset, day)
    is_query = pl.col("project_id").is_in(list(dataset.queries))
    public = pl.col("announced_on").is_null() | (pl.col("announced_on") <= day)
    dealt = pl.col("project_id").is_in(deals["project_id"].unique().to_list())
    projects = dataset.projects.filter(pl.lit(with_queries) & is_query | ~is_query & (public | dealt)).select(
        *(c for c in COLUMNS["projects"] if c != "isic"),
        _codes(reference),
        status=pl.when(is_query).then(pl.lit("calling")).otherwise(pl.lit("past")),
    )
    partners = dataset.partners.with_columns(pl.lit(None, LIST).alias("isic"))

    def adapted(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
        told = _provenance(dataset)
        return neutral.adapt(frame, kind, present=empty(kind), reference=reference, provenance=told).frame

    return Facts(
        projects=adapted(projects, "projects"),
        partners=adapted(partners, "partners"),
        deals=deals,
        footprint=empty("footprint").with_columns(pl.lit(None, DAY).alias("counts_from")),
        reference=reference,
        as_of=day,
    )


def unknown_codes(dataset: Dataset, reference: Reference) -> dict[str, int]:
    """Sentence -> rows: country and ISIC codes of the right shape that our tables do not have."""
    found: dict[str, int] = {}
    for name, column, known in (
        ("projects", "country", reference.countries["country"]),
        ("partners", "country", reference.countries["country"]),
        ("projects", "isic", reference.isic["code"]),
    ):
        frame = getattr(dataset, name)
        strange = frame.filter(pl.col(column).is_not_null() & ~pl.col(column).is_in(known.to_list()))
        for code, count in strange.group_by(column).len().sort(column).iter_rows():
            found[f'{name}.csv: the {column} "{code}" is in none of our tables'] = count
    return found


def _provenance(dataset: Dataset) -> dict[str, str | date | None]:
    licence = dataset.about.get("licence")
    return {"source": dataset.name, "source_on": None, "licence": str(licence) if licence else None}


def _codes(reference: Reference) -> pl.Expr:
    """The ISIC code as a list; one that the reference does not have is unknown."""
    known = pl.col("isic").is_in(reference.isic["code"].to_list())
    return pl.when(known).then(pl.concat_list("isic")).otherwise(pl.lit(None, LIST)).alias("isic")


def _deal_facts(dataset: Dataset, day: date) -> pl.DataFrame:
    columns = TABLES["deals"].columns
    counts_from = _last_day("closed_on", "closed_precision").fill_null(pl.lit(dataset.split_on, DAY))
    known = dataset.train.with_columns(counts_from.alias("counts_from")).filter(pl.col("counts_from") <= day)
    numbered = known.with_row_index("number")
    filled = numbered.with_columns(
        pl.format("d{}", pl.col("number").cast(pl.String).str.zfill(7)).alias("deal_id"),
        pl.when(pl.col("role").is_in(list(POSITIVE_ROLES))).then("role").otherwise(pl.lit("finance")).alias("role"),
        pl.lit("done").alias("status"),
        *(pl.lit(value, columns[c]).alias(c) for c, value in _provenance(dataset).items()),
        *(pl.lit(None, columns[c]).alias(c) for c in ("status_note", "value_scope", "source_2")),
    )
    return filled.select(*columns, "counts_from")
