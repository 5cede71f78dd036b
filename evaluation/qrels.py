"""Runs and answers as files: TREC runs and qrels, and the answers of the neutral format, plain or gzip.

Reading is strict, with line numbers; what is written is the same bytes for the same content.
"""

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from matcher.errors import InputError

if TYPE_CHECKING:
    from evaluation.datasets import Dataset

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_BLANK = re.compile(r"\s")
_CSV_HEADER = ("project_id", "partner_id")
_NAMED = 5  # unknown identifiers that a message names


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """Query -> candidate -> score, of a TREC run `query Q0 candidate rank score tag`; order and rank do not count.

    Raises:
        InputError: not there, damaged, no line, a line without six fields, a rank or score that is no finite
            number, a candidate that stands twice in a query.
    """
    run: dict[str, dict[str, float]] = {}
    for number, line in _lines(path):
        fields = line.split()
        if len(fields) != 6:
            _refuse(path, number, f"has {len(fields)} fields; expected 6: query Q0 candidate rank score tag")
        query, _, candidate, rank, score, _ = fields
        if not _WHOLE.fullmatch(rank):
            _refuse(path, number, f'the rank "{rank}" is not a whole number')
        value = float(score) if _NUMBER.fullmatch(score) else math.nan
        if not math.isfinite(value):
            _refuse(path, number, f'the score "{score}" is not a finite number; write 12.5')
        scores = run.setdefault(query, {})
        if candidate in scores:
            _refuse(path, number, f"{candidate} occurs a second time for the query {query}; expected once")
        scores[candidate] = value
    if not run:
        raise InputError(f"{path} has no line; expected a TREC run: query Q0 candidate rank score tag")
    return run


def write_run(path: Path, run: Mapping[str, Mapping[str, float]], tag: str) -> None:
    """Writes a TREC run by query and rank (score descending, then identifier); gzip where the name ends in .gz.

    Scores are written with as many digits as bring the same number back.

    Raises:
        InputError: a score is not finite, or an identifier or the tag is empty or holds white space.
    """
    _check_words([tag, *run])

    def lines() -> Iterator[str]:
        for query in sorted(run):
            scores = run[query]
            _check_words(scores)
            order = sorted(scores, key=lambda candidate: (-scores[candidate], candidate))
            for rank, candidate in enumerate(order, start=1):
                score = float(scores[candidate])
                if not math.isfinite(score):
                    raise InputError(f"The score of {candidate} for {query} is {score}; expected a finite number.")
                yield f"{query} Q0 {candidate} {rank} {score!r} {tag}\n"

    _write(path, lines())


def read_qrels(path: Path) -> dict[str, frozenset[str]]:
    """Query -> relevant candidates, of TREC qrels `query 0 candidate grade` or a CSV file `project_id,partner_id`.

    A grade of 0 or less is not relevant; a query with such lines alone has an empty set.

    Raises:
        InputError: not there, damaged, no line, a wrong number of fields, a grade that is no whole number, a pair
            that occurs twice.
    """
    lines = _lines(path)
    head = next(lines, None)
    if head is None:
        raise InputError(f"{path} is empty; expected TREC qrels or the columns {','.join(_CSV_HEADER)}")
    is_csv = "project_id" in head[1]
    pairs = _csv_pairs(path, head[1], lines) if is_csv else _trec_pairs(path, head, lines)
    seen: dict[str, dict[str, bool]] = {}
    for number, query, candidate, relevant in pairs:
        judged = seen.setdefault(query, {})
        if candidate in judged:
            _refuse(path, number, f"{candidate} occurs a second time for the query {query}; expected once")
        judged[candidate] = relevant
    return {query: frozenset(c for c, relevant in judged.items() if relevant) for query, judged in seen.items()}


def write_qrels(path: Path, qrels: Mapping[str, Iterable[str]]) -> None:
    """Writes answers by query and candidate: CSV where the name ends in .csv or .csv.gz, TREC qrels elsewhere.

    Raises:
        InputError: an identifier is empty or holds white space.
    """
    rows = [(query, candidate) for query in sorted(qrels) for candidate in sorted(qrels[query])]
    _check_words(word for row in rows for word in row)
    if path.name.removesuffix(".gz").endswith(".csv"):
        _write(path, [",".join(row) + "\n" for row in (_CSV_HEADER, *rows)])
    else:
        _write(path, [f"{query} 0 {candidate} 1\n" for query, candidate in rows])


def check_run(run: Mapping[str, Mapping[str, float]], dataset: "Dataset") -> list[str]:
    """What a reader of the figures must know of a run on this data set, one sentence each.

    Raises:
        InputError: the run names queries or candidates that the data set does not have.
    """
    queries, partners = set(dataset.queries), set(dataset.partners["partner_id"])
    strange = sorted(set(run) - set(dataset.projects["project_id"]) - queries)
    if strange:
        raise InputError(f"The run has {_some(strange, 'queries')} that are no projects of {dataset.name}.")
    unknown = sorted({candidate for scores in run.values() for candidate in scores if candidate not in partners})
    if unknown:
        raise InputError(f"The run has {_some(unknown, 'candidates')} that are no partners of {dataset.name}.")
    found = []
    if extra := set(run) - queries:
        found.append(f"{len(extra)} projects in the run are no queries of {dataset.name} and are left out")
    if absent := queries - set(run):
        found.append(f"{len(absent)} of {len(queries)} queries are not in the run and count as without a hit")
    return found


def _some(names: list[str], what: str) -> str:
    more = " …" if len(names) > _NAMED else ""
    return f"{len(names)} {what} ({', '.join(names[:_NAMED])}{more})"


def _refuse(path: Path, number: int, what: str) -> NoReturn:
    raise InputError(f"{path.name}, line {number}: {what}", [{"pointer": f"/{number}", "seen": "", "expected": what}])


def _check_words(words: Iterable[str]) -> None:
    for word in words:
        if not word or _BLANK.search(word):
            raise InputError(f'"{word}" cannot stand in a run or in qrels; expected a word without white space.')


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines without their ends."""
    if not path.is_file():
        raise InputError(f"{path} is not a file; give the path of a run or of qrels, plain or gzip")
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    number = 0
    try:
        with gzip.open(path) if packed else path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                yield number, text.rstrip("\r\n")
    except UnicodeDecodeError:
        _refuse(path, number, "is not UTF-8; save the file as UTF-8")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is damaged after line {number} ({error}); make or copy it again") from error


def _trec_pairs(
    path: Path, head: tuple[int, str], lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, str, str, bool]]:
    for number, line in (head, *lines):
        fields = line.split()
        if len(fields) != 4:
            _refuse(path, number, f"has {len(fields)} fields; expected 4: query 0 candidate grade")
        query, _, candidate, grade = fields
        if not _WHOLE.fullmatch(grade):
            _refuse(path, number, f'the grade "{grade}" is not a whole number')
        yield number, query, candidate, int(grade) > 0


def _csv_pairs(path: Path, head: str, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str, str, bool]]:
    header = next(csv.reader([head]))
    for column in _CSV_HEADER:
        if header.count(column) != 1:
            _refuse(path, 1, f'the column "{column}" must occur once; the heading is {head}')
    query, candidate = (header.index(column) for column in _CSV_HEADER)
    for number, line in lines:
        cells = next(csv.reader([line]), [])
        if len(cells) != len(header):
            _refuse(path, number, f"has {len(cells)} cells; the heading has {len(header)}")
        if not cells[query] or not cells[candidate]:
            _refuse(path, number, "has an empty identifier; expected a project and a partner")
        yield number, cells[query], cells[candidate], True


def _write(path: Path, lines: Iterable[str]) -> None:
    """Writes lines; no name and no time in a gzip header, so that equal content gives equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw:
        if path.name.endswith(".gz"):
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                packed.writelines(line.encode() for line in lines)
        else:
            raw.writelines(line.encode() for line in lines)
