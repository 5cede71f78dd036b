"""Match data sets in the neutral format: read strictly, made blind, written, and turned into the engine's facts.

A data set is a folder with `dataset.toml`, `projects.csv`, `partners.csv` and `deals.csv`. Its blind form has the
training deals only, `queries.csv` and, unless the answers are withheld, `qrels.csv`. Nothing here knows a set by name.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from evaluation.datafiles import COLUMNS, Files, as_toml, read_about, read_split, write_csv
from evaluation.qrels import read_qrels
from matcher.errors import InputError
from matcher.ingest import neutral
from matcher.ingest.tables import Problems
from matcher.records import DAY, LIST, POSITIVE_ROLES, TABLES, Facts, Reference, empty


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
        answered_on: (query, partner) -> first day that the closing of their deal can mean, where that is known.
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
    answered_on: Mapping[tuple[str, str], date] = field(default_factory=dict)

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
        known = last_day("closed_on", "closed_precision") <= self.split_on
        if not self.is_blind:
            known &= _as_scripted(self.split_on)
        undated = pl.lit(self.undated == "train")
        return self.deals.filter(old & pl.when(closed.is_null()).then(undated).otherwise(known))


def _late(projects: pl.DataFrame, split_on: date) -> list[str]:
    """Projects of the query period."""
    return projects.filter(pl.col("announced_on") > split_on)["project_id"].to_list()


def last_day(on: str, precision: str) -> pl.Expr:
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
    files = Files(folder=folder)
    about = read_about(folder / "dataset.toml")
    files.missing.extend(f"dataset.toml: {key}" for key in ("name", "licence") if not about.get(key))
    if files.has("qrels") or files.has("answers"):
        about = {**about, "form": "blind"}
    split_on, is_blind, text_only = read_split(about), about.get("form") == "blind", bool(about.get("no_deals"))
    if split_on is None and not text_only:
        raise InputError('dataset.toml, "split_on" is missing; give the last training day, such as "2018-12-31"')
    projects = files.read("projects")
    if projects.is_empty():
        raise InputError("projects.csv has a heading but no row; expected at least one project")
    queries = _queries(files, projects, split_on, expected=is_blind and not text_only)
    partners = _optional(files, "partners") if text_only else files.read("partners")
    deals = _deals(files, projects, partners, queries, split_on if is_blind else None, text_only=text_only)
    answered = deals.filter(pl.col("project_id").is_in(queries))
    if outside is not None:
        pairs: pl.DataFrame | None = _outside(outside, queries, partners)
    elif files.has("qrels"):
        refs = {"project_id": ("queries", queries), "partner_id": ("partners.csv", partners["partner_id"].to_list())}
        pairs = files.read("qrels", refs=refs)
    else:
        pairs = None if answered.is_empty() else answered
    return Dataset(
        name=str(about.get("name") or folder.resolve().name), about=about,
        projects=projects, partners=partners, deals=deals,
        queries=tuple(queries), qrels=None if pairs is None else _answers_of(pairs),
        answered_on=_closed(pairs),
        split_on=split_on, undated=_undated(files, about, deals),
        answers=files.read("answers", refs=_known(projects=projects)) if files.has("answers") else None,
        digest=files.digest(*([outside] if outside else [])),
        missing=tuple(files.missing), warnings=files.warnings,
    )  # fmt: skip


def _known(**frames: pl.DataFrame) -> dict[str, tuple[str, list[str]]]:
    """References to the identifiers of whole files, as `Files.read` takes them."""
    return {f"{n[:-1]}_id": (f"{n}.csv", frame[f"{n[:-1]}_id"].to_list()) for n, frame in frames.items()}


def _optional(files: Files, name: str) -> pl.DataFrame:
    if files.has(name):
        return files.read(name)
    files.missing.append(f"{name}.csv")
    return pl.DataFrame(schema=COLUMNS[name])


def _queries(files: Files, projects: pl.DataFrame, split_on: date | None, *, expected: bool) -> list[str]:
    """The projects of `queries.csv`, announced after the split or on a day that is not known; else all later ones."""
    if not files.has("queries"):
        files.missing.extend(["queries.csv"] if expected else [])
        return [] if split_on is None else sorted(_late(projects, split_on))
    early = [] if split_on is None else projects.filter(pl.col("announced_on") <= split_on)["project_id"].to_list()

    def check(frame: pl.DataFrame, problems: Problems) -> None:
        why = f"is announced on or before the split on {split_on}; a query comes after it"
        problems.add(frame.filter(pl.col("project_id").is_in(early)), "project_id", why, f"announced after {split_on}")

    return files.read("queries", refs=_known(projects=projects), check=check)["project_id"].to_list()


def _deals(
    files: Files, projects: pl.DataFrame, partners: pl.DataFrame, queries: list[str], closed_by: date | None,
    *, text_only: bool,
) -> pl.DataFrame:  # fmt: skip
    """The deals; those of the blind form (`closed_by`) are closed by the split and on no query."""
    if text_only and not files.has("deals"):
        return _optional(files, "deals")

    def check(frame: pl.DataFrame, problems: Problems) -> None:
        if text_only:
            problems.add(frame, "project_id", "is a deal, but dataset.toml says no_deals", "no row")
        if closed_by is None:
            return
        why = "; the blind form has training deals only"
        after = frame.filter(pl.col("closed_on") > closed_by)
        problems.add(after, "closed_on", f"is after the split on {closed_by}{why}", f"a day up to {closed_by}")
        answer = frame.filter(pl.col("project_id").is_in(queries))
        problems.add(answer, "project_id", f"is a query{why}", "a project that is no query")

    return files.read("deals", refs=_known(projects=projects, partners=partners), check=check)


def _undated(files: Files, about: Mapping[str, Any], deals: pl.DataFrame) -> str:
    """Whether deals without a date train.

    In a blind form without a column of dates they do: its deals are training deals by definition.
    """
    said = about.get("undated_deals")
    if about.get("form") == "blind" and "deals.closed_on" in files.missing:
        files.warnings["deals have no date and train because the set is in its blind form"] = deals.height
        return "train"
    left = deals["closed_on"].null_count()
    if said != "train" and left:
        files.warnings["deals have no date and do not train"] = left
    return "train" if said == "train" else "drop"


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


def _closed(pairs: pl.DataFrame | None) -> dict[tuple[str, str], date]:
    """The day of each answer that has one; a year or a month begins with its first day."""
    if pairs is None or "closed_on" not in pairs.columns:
        return {}
    first = pairs.drop_nulls("closed_on").group_by("project_id", "partner_id").agg(pl.col("closed_on").min())
    return {(query, partner): day for query, partner, day in first.sort("project_id", "partner_id").iter_rows()}


def blind(dataset: Dataset, *, max_queries: int | None = None) -> Dataset:
    """The blind form, with the answers in `qrels`; one that is blind already is returned as it is.

    Queries are the projects announced after the split that have a deal, or a fixed pseudo-random sample of so many.
    Kept are projects that are queries or have a training deal, and partners of training deals, of answers and,
    where undated deals are dropped, of those. In a set without deals the home countries move to `answers`.
    """
    if dataset.is_blind:
        return dataset
    digest = hashlib.sha256(f"{dataset.digest} blind {max_queries} {dataset.undated}".encode()).hexdigest()
    if dataset.split_on is None or dataset.about.get("no_deals"):
        return replace(
            dataset, about={**dataset.about, "form": "blind"}, digest=digest,
            projects=dataset.projects.select(list(COLUMNS["projects"])),
            answers=_home_countries(dataset.projects),
        )  # fmt: skip
    train, qrels = dataset.train, dict(dataset.qrels or {})
    queries = sorted(set(qrels) & set(dataset.queries))
    if max_queries and len(queries) > max_queries:
        queries = sorted(sorted(queries, key=_lot)[:max_queries])
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


def _lot(query: str) -> str:
    """What a sample of queries is drawn by; the same as in the format's own script."""
    return hashlib.sha1(query.encode(), usedforsecurity=False).hexdigest()


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
    (folder / "dataset.toml").write_text(as_toml(dataset.about), encoding="utf-8")
    for name in ("projects", "partners", "deals"):
        write_csv(getattr(dataset, name), folder / f"{name}.csv")
    if not dataset.is_blind:
        return
    if dataset.split_on is not None:
        write_csv(pl.DataFrame({"project_id": dataset.queries}, schema=COLUMNS["queries"]), folder / "queries.csv")
    if answers and dataset.qrels is not None:
        pairs = [(query, partner) for query in sorted(dataset.qrels) for partner in sorted(dataset.qrels[query])]
        write_csv(pl.DataFrame(pairs, schema=COLUMNS["qrels"], orient="row"), folder / "qrels.csv")
    if answers and dataset.answers is not None:
        write_csv(dataset.answers, folder / "answers.csv")


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
    counts_from = last_day("closed_on", "closed_precision").fill_null(pl.lit(dataset.split_on, DAY))
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
