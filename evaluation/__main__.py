"""`python -m evaluation sectors`: does the language of a text matter? Figures with intervals, as table or JSON."""

import argparse
import json
import sys
from datetime import UTC, datetime

from evaluation import judgments, sectors
from matcher import config
from matcher.errors import MatcherError
from matcher.jobs.matchmaker import Matchmaker

HEADINGS = ("text asked", "nDCG@10", "95 % interval", "ratio to Vietnamese", "overlap@10", "overlap@50")
NAMES = {
    "vi": "Vietnamese",
    "plain": "Vietnamese without diacritics",
    "en": "English",
    "vi_title": "Vietnamese title alone",
    "plain_title": "title without diacritics",
    "en_title": "English title alone",
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one evaluation; 0 when done, 1 when it was refused."""
    parser = argparse.ArgumentParser(prog="python -m evaluation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("sectors", help="sector-level quality by language of the text, on the data served")
    asked.add_argument("--json", action="store_true", help="print the report as JSON")
    judgments.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        if options.command == "judgments":
            return judgments.run(options)
        settings = config.load()
        with Matchmaker(settings.site(), today=lambda: datetime.now(UTC).date()) as matchmaker:  # noqa: TID251 - entry point
            report = sectors.measure(matchmaker, seed=settings.seed)
    except MatcherError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(report.to_json(), indent=2) if options.json else table(report))
    return 0


def table(report: sectors.Report) -> str:
    """The report for readers: one line per variant, and what the figures mean."""
    lines: list[tuple[str, ...]] = [HEADINGS]
    for r in report.results:
        mean, low, high = r.ndcg
        overlap = [f"{r.overlap[k]:.2f}" for k in sectors.DEPTHS]
        lines.append((NAMES[r.variant], f"{mean:.3f}", f"{low:.3f} to {high:.3f}", f"{r.ratio:.2f}", *overlap))
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    rows = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([
        *rows,
        "",
        f"{len(report.projects)} open projects dealt round the city's sectors, asked as free text; relevant: partners",
        f"that share an ISIC division. A random list has nDCG@10 {report.chance:.3f}. Engine {report.engine}.",
        "Titles alone show that the words matter when no sector is given.",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
