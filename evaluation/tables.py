"""A report as plain text for the terminal, and as JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from evaluation.leading import MAIN, SIGNIFICANT, best, figure, main_slice
from evaluation.results import MEASURES, SLICES, Comparison, DatasetResult, Figure, Report
from evaluation.words import FEW

NONE = "-"


def table(report: Report) -> str:
    """Every run on every data set: nDCG@10 of the leading slices with intervals; `*` marks the best of a column."""
    columns = [(d, s) for d in report.datasets if d.runs for s in (main_slice(d), "new_pairs") if _count(d, s).queries]
    unscored = [d.name for d in report.datasets if not d.runs]
    runs = list(dict.fromkeys(s.run for d, _slice in columns for s in d.runs))
    head = [["", *(d.name for d, _slice in columns)], ["nDCG@10", *(_title(s, _count(d, s)) for d, s in columns)]]
    body = []
    for run in runs:
        cells = [run]
        for d, s in columns:
            scored, top = next((x for x in d.runs if x.run == run), None), best(d.runs, s)
            mark = "*" if top is not None and top.run == run else " "
            cells.append(f"{_figure(figure(scored, s))}{mark}")
        body.append(cells)
    lines = _aligned([*head, *body], rule=len(head)) if columns else []
    lines += [
        "",
        f"Mean over queries with its 95% interval from {report.resamples} resamples, seed {report.seed}; * best.",
    ]
    lines += ["Queries without a right partner in the slice are left out; figures of fewer than 10 queries say little."]
    if unscored:
        lines.append(f"Not scored, for there is nothing to rank: {', '.join(unscored)}.")
    failed = [f"{d.name} ({c.name})" for d in report.datasets for c in d.checks if not c.passed]
    if failed:
        lines.append(f"FAILED CHECKS, do not trust the figures: {', '.join(failed)}.")
    return "\n".join(lines).strip("\n")


def details(dataset: DatasetResult) -> str:
    """One data set: all measures, slices, comparisons, whom the top ten go to, checks."""
    title = str(dataset.about.get("title") or dataset.name)
    lines = [title, "=" * len(title), ", ".join(f"{k} {v}" for k, v in dataset.counts.items())]
    lines += [f"! {w}" for w in dataset.warnings]
    if not dataset.runs:
        return "\n".join([*lines, "No run was scored."])
    main = main_slice(dataset)
    count = _count(dataset, main)
    rows = [["", *MEASURES, "x chance"]]
    rows += [
        [s.run, *(_figure(figure(s, main, m)) for m in MEASURES), _number(s.lift.get(MAIN), 1)] for s in dataset.runs
    ]
    told = f"{main}: {_queries(count)}"
    if count.left_out:
        told += f"; {MAIN} with these counted as 0: " + ", ".join(
            f"{s.run} {_number(figure(s, main).with_all)}" for s in dataset.runs
        )
    lines += ["", told, *_aligned(rows)]

    present = [s for s in SLICES if any(s in r.figures for r in dataset.runs)]
    rows = [["", *present]]
    rows += [[s.run, *(_number(figure(s, name).mean) for name in present)] for s in dataset.runs]
    rows.append(["queries", *(str(_count(dataset, name).queries) for name in present)])
    lines += ["", f"{MAIN} by slice", *_aligned(rows)]

    if dataset.comparisons:
        rows = [["first - second", "slice", "measure", "difference", "p", "corrected", ""]]
        rows += [
            [f"{c.first} - {c.second}", c.slice, c.measure,
             _difference(c), _p(c.p), _p(c.p_corrected),
             "beyond chance" if c.p_corrected < SIGNIFICANT else ""]
            for c in dataset.comparisons
        ]  # fmt: skip
        lines += ["", "Paired comparisons", *_aligned(rows)]

    rows = [["", "coverage@10", "Gini", "popularity", "long tail", "same ten names"]]
    rows += [
        [s.run, _number(s.audit.coverage), _number(s.audit.gini), _number(s.audit.popularity, 1),
         _number(s.audit.long_tail), "ALARM" if s.audit.same_names else "no"]
        for s in dataset.runs
    ]  # fmt: skip
    lines += ["", "Whom the top ten go to", *_aligned(rows)]

    if dataset.checks:
        rows = [["check", "", "value", "allowed", ""]]
        rows += [
            [
                c.name,
                "passed" if c.passed else "FAILED",
                _number(c.value),
                f"{_number(c.low)} to {_number(c.high)}",
                c.note,
            ]
            for c in dataset.checks
        ]
        lines += ["", *_aligned(rows)]
    return "\n".join(lines)


def to_json(report: Report) -> dict[str, Any]:
    """The report as JSON object with the names of `evaluation.results`; NaN and infinite become null."""
    made = _plain(report)
    assert isinstance(made, dict)
    return made


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _count(dataset: DatasetResult, slice_name: str) -> Figure:
    return max((figure(s, slice_name) for s in dataset.runs), key=lambda f: f.queries)


def _title(slice_name: str, count: Figure) -> str:
    return f"{slice_name}, {count.queries} of {count.queries + count.left_out}{' (few)' if count.queries < FEW else ''}"


def _queries(count: Figure) -> str:
    return f"{count.queries} queries" + (
        f", {count.left_out} without a right partner left out" if count.left_out else ""
    )


def _figure(shown: Figure) -> str:
    if not math.isfinite(shown.mean):
        return NONE
    return f"{shown.mean:.3f} ({shown.low:.3f}-{shown.high:.3f})"


def _difference(c: Comparison) -> str:
    if not math.isfinite(c.difference):
        return NONE
    return f"{c.difference:+.3f} ({c.low:+.3f} to {c.high:+.3f})"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else _number(value)


def _number(value: float | None, digits: int = 3) -> str:
    return NONE if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def _aligned(rows: Sequence[Sequence[str]], rule: int = 1) -> list[str]:
    rows = [["".join(c if c.isprintable() else "?" for c in cell) for cell in row] for row in rows]
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*lines[:rule], "-" * max(map(len, lines)), *lines[rule:]]
