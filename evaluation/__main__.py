"""`python -m evaluation …`: how good are the matches, for whom are they bad, is the new model better than the old?"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from evaluation import (
    ablation,
    benchmark,
    blind,
    content,
    datasets,
    judgments,
    kept,
    outcomes,
    product,
    qrels,
    report,
    sectors,
    slices,
    tables,
)
from evaluation.benchmark import Bench
from evaluation.datasets import Dataset
from evaluation.results import Comparison, DatasetResult, Report
from evaluation.runs import Progress, RunCache
from evaluation.slices import Slicing
from evaluation.vectors import FILE, cached
from matcher import config
from matcher.config import Settings
from matcher.errors import InputError, MatcherError
from matcher.jobs import opening
from matcher.jobs.matchmaker import Matchmaker
from matcher.jobs.opening import build_encoder
from matcher.matching.embed import CachedEncoder, SentenceEncoder
from matcher.measures import Ranking
from matcher.records import Reference

SECONDS_BETWEEN_LINES = 5.0
FOLDER = "evaluation"
"""Under `runs/` of the data folder: vectors and runs, which are made again when they are removed."""


def main(arguments: list[str] | None = None) -> int:
    """Runs one evaluation; 0 when done, 1 when it was refused."""
    options = _parser().parse_args(arguments)
    options.arguments = sys.argv[1:] if arguments is None else arguments
    try:
        result: int | None = options.run(options)
    except MatcherError as error:
        print(error, file=sys.stderr)
        return 1
    return result or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evaluation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    asked = commands.add_parser("blind", help="fit on a data set's training deals and rank every partner per query")
    asked.add_argument("dataset", type=Path, metavar="DATASET_DIR")
    asked.add_argument("--out", type=_file, required=True, metavar="RUN.trec", help="ends in .gz to be compressed")
    asked.add_argument("--engine", default=blind.ENGINE, metavar="NAME", help=f"one of {', '.join(benchmark.RANKERS)}")
    asked.add_argument("--n", type=_positive, default=blind.DEPTH, help="partners written per query (1000)")
    asked.add_argument("--seed", type=_seed, default=0, help="of everything random (0)")
    asked.set_defaults(run=_blind)

    asked = commands.add_parser("score", help="measure a run, alone or against another one")
    asked.add_argument("run_file", type=Path, metavar="RUN.trec")
    asked.add_argument("dataset", type=Path, metavar="DATASET_DIR")
    asked.add_argument("--qrels", type=Path, metavar="FILE", help="answers, where the data set has none")
    asked.add_argument("--against", type=Path, metavar="RUN2.trec", help="compare with this run, paired by query")
    _printing(asked)
    asked.set_defaults(run=_score)

    asked = commands.add_parser("benchmark", help="all baselines and the engine on data sets, in one table")
    asked.add_argument("datasets", type=Path, nargs="+", metavar="DATASET_DIR")
    asked.add_argument("--max-queries", type=_positive, default=benchmark.MAX_QUERIES, help="of a full set (1000)")
    asked.add_argument("--no-checks", action="store_true", help="leave out the relabelled and the nameless run")
    asked.add_argument("--seed", type=_seed, default=0, help="of everything random (0)")
    _printing(asked)
    asked.set_defaults(run=_benchmark)

    asked = commands.add_parser("product", help="our own data: every year ranked with what was public before it")
    _printing(asked)
    asked.set_defaults(run=_product)

    asked = commands.add_parser("sectors", help="sector-level quality by language of the text, on the data served")
    asked.add_argument("--json", action="store_true", help="print the report as JSON")
    asked.set_defaults(run=_sectors)

    asked = commands.add_parser("ablation", help="what each reason is worth, on the held-out queries of a fit")
    asked.add_argument(
        "dataset", type=Path, nargs="?", metavar="DATASET_DIR", help="a data set instead of our own data"
    )
    asked.add_argument("--seed", type=_seed, default=0, help="of everything random (0)")
    asked.add_argument("--json", action="store_true", help="print everything as JSON")
    asked.set_defaults(run=_ablation)

    asked = commands.add_parser("content", help="texts alone in seven languages: does a project find its partners?")
    asked.add_argument("--half", choices=content.HALVES, help="one half of the themes; default: both")
    asked.add_argument("--json", action="store_true", help="print the report as JSON")
    asked.set_defaults(run=_content)

    judgments.add_parser(commands)
    outcomes.add_parser(commands)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("expected a whole number from 1")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError("expected a whole number from 0 to 2147483647")
    return value


def _file(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; give the name of a file")
    return path


def _kept(text: str) -> str:
    try:
        return kept.name_of(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _printing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--report", type=_file, metavar="OUT.html", help="write a report for readers, in one file")
    parser.add_argument("--keep", type=_kept, metavar="NAME", help="keep the report for the pages of the analyst")


def _blind(options: argparse.Namespace) -> None:
    settings = config.load()
    if options.engine not in benchmark.RANKERS:
        raise InputError(f'There is no engine "{options.engine}"; use one of {", ".join(benchmark.RANKERS)}.')
    dataset = datasets.read(options.dataset)
    with _progress() as progress:
        bench = _bench(settings, options.seed, progress)
        made = benchmark.make(options.engine, dataset, bench, depth=options.n)
    qrels.write_run(options.out, made.ranking.to_run(), made.name)
    print(
        f"{options.out}: {len(made.ranking.queries)} queries, up to {options.n} of {len(made.ranking.candidates)} "
        f"partners each, by {made.name}. {made.note}",
        file=sys.stderr,
    )


def _score(options: argparse.Namespace) -> None:
    settings = config.load()
    whole = datasets.read(options.dataset, qrels=options.qrels)
    dataset = datasets.blind(whole)
    if not dataset.qrels:
        raise InputError(f"{dataset.name} has no answers to score against; give them with --qrels FILE.")
    reference = blind.read_reference(settings.reference_dir)
    slicing, seed = Slicing.of(dataset, reference), settings.seed
    rankings: dict[str, Ranking] = {}
    warnings = benchmark.warnings(dataset, reference)
    for path in (options.run_file, *([options.against] if options.against else [])):
        ranking, told = _read_ranking(path, whole, dataset)
        name = f"{path} (2)" if path.name in rankings else path.name
        rankings[name] = ranking
        warnings += [f"{name}: {sentence}" for sentence in told]
    found = [slices.score(dataset, reference, r, run=name, seed=seed, slicing=slicing) for name, r in rankings.items()]
    compared: tuple[Comparison, ...] = ()
    if len(rankings) > 1:
        (one, first), (two, second) = rankings.items()
        compared = slices.compare(dataset, reference, first, second, (one, two), seed=seed, slicing=slicing)
    result = DatasetResult(
        name=dataset.name, about=dataset.about, counts=benchmark.counts(dataset), runs=tuple(found),
        comparisons=compared, warnings=tuple(warnings),
    )  # fmt: skip
    shown = Report(
        title="Score", datasets=(result,), configuration={"runs": list(rankings)}, seed=seed, made_on=_today(),
    )  # fmt: skip
    _show(shown, options, settings, reference)


def _read_ranking(path: Path, whole: Dataset, dataset: Dataset) -> tuple[Ranking, list[str]]:
    """A run as a ranking of the blind form, and what a reader must know of it.

    A run made on the full form has queries and partners that the blind form leaves out.

    Raises:
        InputError: the run cannot be read, or names what even the full form does not have.
    """
    run = qrels.read_run(path)
    qrels.check_run(run, whole)
    partners = dataset.partners["partner_id"].to_list()
    known, asked = set(partners), set(dataset.queries)
    kept = {q: {c: s for c, s in scores.items() if c in known} for q, scores in run.items() if q in asked}
    told = qrels.check_run(kept, dataset)
    if len(kept) < len(run):
        told.insert(0, f"{len(run) - len(kept)} projects in the run are no queries with an answer and are left out")
    return Ranking.of_run(kept, queries=dataset.queries, candidates=partners), told


def _benchmark(options: argparse.Namespace) -> None:
    settings = config.load()
    with _progress() as progress:
        bench = _bench(settings, options.seed, progress)
        shown = benchmark.report(
            options.datasets, bench, made_on=_today(), max_queries=options.max_queries,
            with_checks=not options.no_checks,
        )  # fmt: skip
    _show(shown, options, settings, bench.reference)


def _product(options: argparse.Namespace) -> None:
    settings = config.load()
    today = datetime.now(UTC).date()  # noqa: TID251 - entry point
    with _progress() as progress:
        shown = product.report(settings, until=today, cache=_cache(settings), progress=progress)
    _show(shown, options, settings, blind.read_reference(settings.reference_dir))


def _sectors(options: argparse.Namespace) -> None:
    settings = config.load()
    with Matchmaker(settings.site(), today=lambda: datetime.now(UTC).date()) as matchmaker:  # noqa: TID251 - entry point
        found = sectors.measure(matchmaker, seed=settings.seed)
    print(json.dumps(found.to_json(), indent=2) if options.json else sectors.table(found))


def _ablation(options: argparse.Namespace) -> None:
    settings = config.load()
    with _progress() as progress:
        if options.dataset is not None:
            dataset, reference = datasets.read(options.dataset), blind.read_reference(settings.reference_dir)
            found = ablation.of_dataset(dataset, reference, _encoder(settings), seed=options.seed, progress=progress)
        else:
            site, today = settings.site(), datetime.now(UTC).date()  # noqa: TID251 - entry point
            with opening.open_store(site) as store:
                facts, encoder = opening.facts(store, today), opening.open_encoder(site, store)
                found = ablation.ablate(facts, encoder, name=product.NAME, seed=options.seed, progress=progress)
    print(json.dumps(found.to_json(), indent=1) if options.json else found.table())


def _content(options: argparse.Namespace) -> None:
    settings = config.load()
    reference = blind.read_reference(settings.reference_dir)
    halves = content.HALVES if options.half is None else (options.half,)
    with _progress() as progress:
        found = content.measure(
            content.read(), reference, _encoder(settings), seed=settings.seed, halves=halves, progress=progress
        )
    print(json.dumps(found.to_json(), indent=2) if options.json else content.table(found))


def _show(shown: Report, options: argparse.Namespace, settings: Settings, reference: Reference) -> None:
    """The report on the terminal and, if asked for, as a file, with the command that made it, folders by name alone."""
    words = [Path(word).name if "/" in word else word for word in options.arguments]
    command = " ".join(["python -m evaluation", *words])
    shown = replace(shown, configuration={**shown.configuration, "command": command})
    if options.json:
        print(json.dumps(tables.to_json(shown), indent=1, ensure_ascii=False))
    else:
        print("\n\n".join([*map(tables.details, shown.datasets), tables.table(shown), *shown.notes]))
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(report.render(shown, reference=reference), encoding="utf-8")
    if options.keep:
        path = kept.write(shown, settings.data_dir / "runs" / FOLDER, options.keep)
        print(f"Kept as {path}; the service shows it at /analysis/reports/{options.keep}.", file=sys.stderr)


def _bench(settings: Settings, seed: int, progress: Progress) -> Bench:
    return Bench(
        reference=blind.read_reference(settings.reference_dir), encoder=_encoder(settings), cache=_cache(settings),
        seed=seed, progress=progress,
    )  # fmt: skip


def _encoder(settings: Settings) -> CachedEncoder:
    """The encoder behind the file of vectors; what that file holds already does not show in a new vector."""
    site = settings.site()
    build_encoder(site)
    return cached(SentenceEncoder(site.encoder_path, batch=1), settings.data_dir / "runs" / FOLDER / FILE)


def _cache(settings: Settings) -> RunCache:
    return RunCache(folder=settings.data_dir / "runs" / FOLDER / "runs")


def _today() -> str:
    return datetime.now(UTC).date().isoformat()  # noqa: TID251 - entry point


@contextmanager
def _progress() -> Iterator[Progress]:
    """What is being done, on stderr: one line that changes on a terminal, else a line now and then."""
    changing = sys.stderr.isatty()
    shown = [float("-inf"), 0]

    def line(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - shown[0] < (0.1 if changing else SECONDS_BETWEEN_LINES):
            return
        text = f"{what} {done}/{total}"
        width = os.get_terminal_size(sys.stderr.fileno()).columns - 1 if changing else len(text)
        sys.stderr.write(f"\r{text[:width].ljust(width)}" if changing else f"{text}\n")
        sys.stderr.flush()
        shown[:] = now, width

    yield line
    if changing and shown[1]:
        sys.stderr.write("\r" + " " * int(shown[1]) + "\r")


if __name__ == "__main__":
    sys.exit(main())
