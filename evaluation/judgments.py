"""`python -m evaluation judgments`: what people think of pairs, in and out as files, and how far they agree.

A grade says how well a partner fits a project: 0 not at all, 1 could be asked, 2 well, 3 best of all.
"""

import argparse
import getpass
import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median_low
from typing import Any

import krippendorff
import numpy as np
import numpy.typing as npt
import polars as pl

from matcher import config
from matcher.errors import InputError
from matcher.ingest import tables
from matcher.jobs import sheets
from matcher.jobs.opening import open_store
from matcher.records import INT, TEXT
from matcher.store import Store
from matcher.store.feedback import HIGHEST, JUDGMENTS, LOWEST, check_pseudonym

MIN_PAIRS = 10
"""Pairs with two judges or more below which no agreement is stated. Source: our choice."""
MOST_UNDEFINED = 0.05
"""Share of resamples without an alpha (one grade only) above which no interval is stated. Source: our choice."""

QRELS_SUFFIXES = (".qrels", ".trec", ".txt")
_GRADES = tuple(str(grade) for grade in range(LOWEST, HIGHEST + 1))
_FORM = replace(JUDGMENTS, columns={**JUDGMENTS.columns, "grade": TEXT}, choices={"grade": _GRADES})
_WIDTHS = {"project_id": 22, "partner_id": 22, "grade": 7, "reason": 70, "judged_by": 18, "judged_on": 12}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import of judgments did: rows of the file, and how many of them were not there yet."""

    file: str
    rows: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far judges agree on the pairs that several of them judged.

    Attributes:
        judgments: latest judgments, one per judge and pair.
        pairs: pairs with a judgment.
        overlap: pairs that two judges or more judged; only these say something of agreement.
        alpha: Krippendorff's alpha of the ordinal grades: 1 full agreement, 0 as by chance; None when not stated.
        low, high: ends of its 95 % percentile interval, pairs resampled.
        why: why alpha or its interval is not stated; None when both are.
    """

    judgments: int
    judges: int
    pairs: int
    overlap: int
    alpha: float | None
    low: float | None
    high: float | None
    resamples: int
    seed: int
    why: str | None

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON object."""
        return asdict(self)


def read(path: Path, store: Store, *, today: date) -> pl.DataFrame:
    """The judgments of a CSV file, checked against the store; columns of `JUDGMENTS`.

    Raises:
        InputError: anything wrong, with file, row and column.
    """
    known = tables.known_keys({name: store.read(name) for name in JUDGMENTS.refs.values()})
    frame = tables.read_csv(path, _FORM.columns, table=_FORM, required=JUDGMENTS.required, known=known)
    frame = frame.with_columns(pl.col("grade").cast(INT), sheets.unmarked("reason"))
    numbered = frame.with_row_index(tables.ROW, offset=2)
    problems = tables.Problems(path.name)
    # A day's grace: where the judge sits, tomorrow may have begun.
    late = numbered.filter(pl.col("judged_on") > today + timedelta(days=1))
    problems.add(late, "judged_on", f"lies after today, {today.isoformat()}", "a day that has come")
    named = frame["exposure_id"].drop_nulls().unique().to_list()
    pair = ["exposure_id", "project_id", "partner_id"]
    shown = store.read_exposures(ids=named).items.select(pair)
    strange = numbered.filter(pl.col("exposure_id").is_not_null()).join(shown, on=pair, how="anti").sort(tables.ROW)
    what = "is no list that showed this pair; leave the cell empty where the pair was not judged from a list"
    problems.add(strange, "exposure_id", what, "a list that showed the pair")
    problems.raise_if_any()
    return frame


def import_file(store: Store, path: Path, *, actor: str, today: date) -> Imported:
    """The file's judgments are in the store, all of them or, after any refusal, none.

    What a judge said of a pair before stays on record; the judgment of the latest day counts, and of one day
    the one that was recorded last.

    Raises:
        InputError: anything wrong with the file; the message names file, row and column.
    """
    frame = read(path, store, today=today)
    return Imported(file=path.name, rows=frame.height, new=store.add_judgments(frame, source=path.name, actor=actor))


def export(store: Store, out: Path, *, as_of: date | None = None) -> int:
    """The latest judgments stand in a file, as CSV, XLSX or TREC qrels by the name's ending; gives how many rows.

    CSV and XLSX have one row per judge and pair, with the columns that `import` reads; qrels have one per pair.

    Raises:
        InputError: the ending is not known, or the file cannot be written.
    """
    frame = store.read_judgments(as_of=as_of).select(*JUDGMENTS.columns)
    if out.suffix == ".csv":
        rows, content = frame.height, sheets.to_csv(frame).encode()
    elif out.suffix == ".xlsx":
        about = [
            ("Judgments", "the latest of each judge on each pair"),
            ("As of", "all that is known" if as_of is None else as_of.isoformat()),
            ("Grades", "0 does not fit, 1 could be asked, 2 fits well, 3 fits best of all"),
        ]
        rows, content = (
            frame.height,
            sheets.workbook(frame, title="Judgments", about=about, about_title="About", widths=_WIDTHS),
        )
    elif out.suffix in QRELS_SUFFIXES:
        lines = [f"{p} 0 {q} {grade}\n" for p, grades in qrels(store, as_of).items() for q, grade in grades.items()]
        rows, content = len(lines), "".join(lines).encode()
    else:
        endings = ", ".join((".csv", ".xlsx", *QRELS_SUFFIXES))
        raise InputError(f'"{out.name}" does not say what to write; give a name that ends in one of {endings}.')
    write(out, content)
    return rows


def write(out: Path, content: bytes) -> None:
    """The file holds the content; one that was there before stays whole until then.

    Raises:
        InputError: it cannot be written.
    """
    fresh = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        fresh.write_bytes(content)
        fresh.replace(out)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise InputError(
            f"{out} cannot be written: {error.strerror}; give a file in a folder that is there."
        ) from error


def qrels(store: Store, as_of: date | None = None) -> dict[str, dict[str, int]]:
    """Project -> partner -> median of the judges' latest grades, in identifier order; graded, as ir_measures reads it.

    Of an even number of judges the lower of the two middle grades: that a partner fits must be said by more than half.
    """
    out: dict[str, dict[str, int]] = {}
    latest = store.read_judgments(as_of=as_of).group_by("project_id", "partner_id").agg("grade")
    for project, partner, grades in latest.sort("project_id", "partner_id").iter_rows():
        out.setdefault(project, {})[partner] = median_low(grades)
    return out


def agreement(judgments: pl.DataFrame, *, seed: int, resamples: int = 1000) -> Agreement:
    """Agreement of the judges, from the latest judgment per judge and pair as `Store.read_judgments` gives them.

    Source: Krippendorff, Content Analysis (2004), ch. 11; by the `krippendorff` library.
    """
    rows = judgments.select("project_id", "partner_id", "grade").group_by("project_id", "partner_id")
    counts = (
        rows.agg(*((pl.col("grade") == grade).sum().alias(str(grade)) for grade in range(LOWEST, HIGHEST + 1)))
        .sort("project_id", "partner_id")
        .select(_GRADES)
        .to_numpy()
        .astype(np.int64)
    )
    several = counts[counts.sum(axis=1) >= 2]
    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    why = None
    if len(several) < MIN_PAIRS:
        why = (
            f"not enough overlap: {len(several)} pairs were judged by two judges or more, {MIN_PAIRS} are needed; "
            "let several judges grade the same pairs"
        )
    elif not _varies(several):
        why = "all judges gave one and the same grade everywhere, so that agreement cannot be told from habit"
    else:
        alpha = _alpha(several)
        rng = np.random.default_rng(seed)
        drawn = [several[rng.integers(len(several), size=len(several))] for _ in range(resamples)]
        found = [_alpha(sample) for sample in drawn if _varies(sample)]
        if len(found) < (1 - MOST_UNDEFINED) * resamples:
            why = "no interval: the grades vary too little, many resamples hold one grade only"
        else:
            low, high = (float(v) for v in np.percentile(found, [2.5, 97.5]))
    return Agreement(
        judgments=judgments.height, judges=judgments["judged_by"].n_unique(), pairs=len(counts), overlap=len(several),
        alpha=alpha, low=low, high=high, resamples=resamples, seed=seed, why=why,
    )  # fmt: skip


def _varies(counts: npt.NDArray[np.int64]) -> bool:
    """Two grades or more occur; otherwise alpha divides nothing by nothing."""
    return int((counts.sum(axis=0) > 0).sum()) > 1


def _alpha(counts: npt.NDArray[np.int64]) -> float:
    """Krippendorff's alpha, ordinal, of counts per pair and grade."""
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="ordinal"))


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds `judgments import | export | agreement` to the commands of an evaluation."""
    asked = commands.add_parser("judgments", help="grades that people gave to pairs: in, out, and how far they agree")
    asked.set_defaults(run=run)
    parts = asked.add_subparsers(dest="part", required=True)
    came = parts.add_parser("import", help="read a CSV file of judgments, all of it or nothing")
    came.add_argument("file", type=Path, metavar="FILE", help=f"CSV with {', '.join(JUDGMENTS.columns)}")
    went = parts.add_parser("export", help="write the latest judgments as CSV, XLSX or TREC qrels")
    went.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends in .csv, .xlsx or .qrels")
    agreed = parts.add_parser("agreement", help="Krippendorff's alpha of the grades, with its interval")
    agreed.add_argument("--json", action="store_true", help="print the figures as JSON")
    for part in (went, agreed):
        part.add_argument("--as-of", type=day, metavar="DATE", help="judgments up to this day; default: all")


def run(options: argparse.Namespace) -> int:
    """Runs one of the commands on the store of the settings; 0 when done.

    Raises:
        MatcherError: it was refused; nothing was changed.
    """
    settings = config.load()
    with open_store(settings.site()) as store:
        if options.part == "import":
            today = datetime.now(UTC).date()  # noqa: TID251 - entry point
            done = import_file(store, options.file, actor=_actor(), today=today)
            print(f"{done.file}: {done.rows} judgments, {done.new} of them new, {done.rows - done.new} known already")
        elif options.part == "export":
            rows = export(store, options.out, as_of=options.as_of)
            print(f"{rows} rows written to {options.out}")
        else:
            found = agreement(store.read_judgments(as_of=options.as_of), seed=settings.seed)
            print(json.dumps(found.to_json(), indent=2) if options.json else told(found))
    return 0


def told(found: Agreement) -> str:
    """The agreement for readers, with how to read it."""
    lines = [
        f"{found.judgments} judgments of {found.pairs} pairs by {found.judges} judges; {found.overlap} pairs were "
        "judged by two judges or more."
    ]
    if found.alpha is not None:
        interval = "" if found.low is None else f", 95% interval {found.low:.2f} to {found.high:.2f}"
        lines += [
            f"Krippendorff's alpha of the grades (ordinal): {found.alpha:.2f}{interval}.",
            "1 is full agreement, 0 what chance gives. Customary: from .80 conclusions are safe, from .67 tentative.",
        ]
    if found.why is not None:
        lines.append(f"{'Alpha is not stated: ' if found.alpha is None else ''}{found.why}.")
    return "\n".join(lines)


def _actor() -> str:
    """Under whose name changes are recorded: the user of the operating system."""
    try:
        actor = f"cli:{getpass.getuser()}"
        check_pseudonym(actor, "actor")
    except (KeyError, OSError, InputError):  # a number without a name, or a name that is an address
        return f"cli:uid-{os.getuid()}"
    return actor


def day(text: str) -> date:
    """The day of a command line."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is not a day; write 2026-11-22') from None
