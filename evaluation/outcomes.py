"""`python -m evaluation outcomes`: what came of contacts, as another person verified it, out as files.

Of a pair that was won the relevance is 3, as of a judgment that a partner fits best. A pair that was lost or abandoned
has none: why it failed (price, land, another country's offer) says little of whether the partner fits.
"""

import argparse
from datetime import date
from pathlib import Path

import polars as pl

from evaluation.judgments import QRELS_SUFFIXES, day, write
from matcher import config
from matcher.errors import InputError
from matcher.jobs import sheets
from matcher.jobs.opening import open_store
from matcher.store import Store
from matcher.store.feedback import HIGHEST

_WIDTHS = {"project_id": 22, "partner_id": 22, "source": 50, "lost_reason": 40}


def export(store: Store, out: Path, *, as_of: date | None = None) -> int:
    """The verified outcomes stand in a file, as CSV, XLSX or TREC qrels by the name's ending; gives how many rows.

    Raises:
        InputError: the ending is not known, or the file cannot be written.
    """
    frame = store.read_outcomes(as_of=as_of)
    if out.suffix in QRELS_SUFFIXES:
        lines = [f"{p} 0 {q} {grade}\n" for p, found in qrels(frame).items() for q, grade in found.items()]
        rows, content = len(lines), "".join(lines).encode()
    elif out.suffix == ".csv":
        rows, content = frame.height, sheets.to_csv(_plain(frame)).encode()
    elif out.suffix == ".xlsx":
        about = [
            ("Outcomes", "verified by another person than the one who reported them"),
            ("As of", "all that is known" if as_of is None else as_of.isoformat()),
        ]
        rows = frame.height
        content = sheets.workbook(_plain(frame), title="Outcomes", about=about, about_title="About", widths=_WIDTHS)
    else:
        endings = ", ".join((".csv", ".xlsx", *QRELS_SUFFIXES))
        raise InputError(f'"{out.name}" does not say what to write; give a name that ends in one of {endings}.')
    write(out, content)
    return rows


def qrels(outcomes: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Project -> partner -> 3 for the pairs that were won, in identifier order."""
    out: dict[str, dict[str, int]] = {}
    won = outcomes.filter(pl.col("result") == "won").select("project_id", "partner_id").unique()
    for project, partner in won.sort("project_id", "partner_id").iter_rows():
        out.setdefault(project, {})[partner] = HIGHEST
    return out


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Instants as text, which every spreadsheet shows alike."""
    return frame.with_columns(pl.col("verified_at").dt.to_string("%Y-%m-%dT%H:%M:%SZ"))


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds `outcomes export` to the commands of an evaluation."""
    asked = commands.add_parser("outcomes", help="verified outcomes of the pipeline, as files")
    asked.set_defaults(run=run)
    parts = asked.add_subparsers(dest="part", required=True)
    went = parts.add_parser("export", help="write the verified outcomes as CSV, XLSX or TREC qrels")
    went.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends in .csv, .xlsx or .qrels")
    went.add_argument("--as-of", type=day, metavar="DATE", help="decided and verified up to this day; default: all")


def run(options: argparse.Namespace) -> int:
    """Writes the file from the store of the settings; 0 when done.

    Raises:
        MatcherError: it was refused; nothing was changed.
    """
    with open_store(config.load().site()) as store:
        rows = export(store, options.out, as_of=options.as_of)
    print(f"{rows} rows written to {options.out}")
    return 0
