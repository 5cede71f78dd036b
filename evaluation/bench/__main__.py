"""`python -m evaluation.bench [NAME ...]` writes data/runs/bench/NAME.json and prints one line per timing."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from evaluation.bench import Timing, encoder, fit, http, matching, measures, pages, retrieval
from matcher import config
from matcher.errors import MatcherError

BENCHES: tuple[tuple[str, Callable[[Path, int], Iterator[Timing]]], ...] = (
    ("encoder", encoder.run),
    ("matching", matching.run),
    ("measures", measures.run),
    ("fit", fit.run),
    ("retrieval", retrieval.run),
    ("http", http.run),
    ("pages", pages.run),
)
"""Name -> function of data folder and seed that yields timings."""
_LIBRARIES = ("torch", "transformers", "sentence-transformers", "numpy", "polars", "lightgbm")


def main(arguments: list[str] | None = None) -> int:
    """Runs the benches named, or all of them; 0 when done, 1 when one was refused."""
    names = [name for name, _ in BENCHES]
    parser = argparse.ArgumentParser(prog="python -m evaluation.bench", description=__doc__)
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all of them if none is given")
    asked = parser.parse_args(arguments).name
    if unknown := sorted(set(asked) - set(names)):
        parser.error(f"no bench is called {', '.join(unknown)}; there are {', '.join(names)}")
    try:
        settings = config.load()
        for name, bench in BENCHES:
            if not asked or name in asked:
                _run(name, bench, settings.data_dir, settings.seed)
    except MatcherError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(name: str, bench: Callable[[Path, int], Iterator[Timing]], data_dir: Path, seed: int) -> None:
    timings = []
    for timing in bench(data_dir, seed):
        print(f"{name}: {timing.subject} is {timing.ratio:.2f} times as fast as {timing.baseline}", flush=True)
        timings.append(timing.to_json())
    out = data_dir / "runs" / "bench" / f"{name}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(f".{os.getpid()}")
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    libraries = {library: version(library) for library in _LIBRARIES}
    result = {"bench": name, "seed": seed, **machine, "libraries": libraries, "timings": timings}
    partial.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(out)
    print(f"{name}: written to {out}")


if __name__ == "__main__":
    sys.exit(main())
