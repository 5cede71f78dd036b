"""What a fit costs in time and memory, and how scoring and explaining grow with what is asked."""

import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from evaluation.bench import Timing, against, synthetic
from evaluation.bench.encoder import texts
from evaluation.blind import read_reference
from matcher import config
from matcher.ingest import encoder_wheel
from matcher.matching.embed import SentenceEncoder
from matcher.matching.engine import Engine
from matcher.matching.learn import documented
from matcher.records import Query, Reference

DEALS, PARTNERS = 5000, 2000
SIZES = (1000, 4000, 16_000)
"""Candidates of one project."""

TEXTS = 200
ROWS, COLUMNS, ROUNDS = 100_000, 40, 150
"""Of the boosted trees that a fit is compared with."""


def run(data_dir: Path, seed: int) -> Iterator[Timing]:
    """A fit of 5,000 deals and 2,000 partners against one training of trees; scoring and explaining by size.

    The vectors of the texts come from a stand-in, for a real fit finds them in a cache. What they cost the first time
    is told apart: texts per second of the encoder, and the seconds that the texts of the made facts would take.
    """
    reference_dir = config.load().reference_dir
    reference = read_reference(reference_dir)
    yield fitted(reference_dir, deals=DEALS, partners=PARTNERS, seed=seed, **encoding(data_dir, seed))
    yield from scored(reference, SIZES, seed=seed)
    yield explained(reference, seed=seed)


def fitted(reference_dir: Path, *, deals: int, partners: int, seed: int, **facts: object) -> Timing:
    """One fit in a process of its own, whose peak memory is told, against one training of trees in this one."""
    words = [str(reference_dir), str(deals), str(partners), str(seed)]
    command = [sys.executable, "-m", "evaluation.bench.fit", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(ROWS, COLUMNS)), rng.random(ROWS) < 0.02
    start = time.perf_counter()
    lgb.train(
        {"objective": "lambdarank", "num_leaves": 7, "num_threads": 1, "verbosity": -1, "seed": seed},
        lgb.Dataset(x, label=y.astype(int), group=[ROWS // 500] * 500), num_boost_round=ROUNDS,
    )  # fmt: skip
    trained = time.perf_counter() - start
    seconds = told.pop("seconds")
    ratio = round(trained / seconds, 3)
    return Timing(
        subject=f"fit of {deals} deals and {partners} partners",
        baseline=f"one LambdaMART of {ROUNDS} rounds on {ROWS} rows of {COLUMNS} features", ratio=ratio,
        spread=(ratio, ratio), subject_seconds=round(seconds, 2), baseline_seconds=round(trained, 2),
        facts={"deals": deals, "partners": partners, **told, **facts},
    )  # fmt: skip


def encoding(data_dir: Path, seed: int) -> dict[str, float]:
    """Texts per second of the encoder in use, on one-line profiles."""
    encoder = SentenceEncoder(encoder_wheel.build(data_dir / "models"))
    profiles = texts(TEXTS, np.random.default_rng(seed))
    encoder.encode(profiles[:20])
    start = time.perf_counter()
    encoder.encode(profiles)
    return {"texts_per_second": round(TEXTS / (time.perf_counter() - start), 1)}


def scored(reference: Reference, sizes: tuple[int, ...], *, seed: int) -> Iterator[Timing]:
    """Features and scores of all candidates of a project against those of the smallest number; cost ~ n ** exponent."""
    catalogues = {n: synthetic.catalogue(_facts(reference, n, seed), documented()) for n in sizes}
    projects = catalogues[sizes[0]].projects.frame["project_id"].to_list()[:20]

    def all_of(n: int) -> None:
        for project in projects:
            catalogues[n].rank_all(project)

    for n in sizes[1:]:
        one = against(
            (f"scoring {n} candidates", partial(all_of, n)), (f"scoring {sizes[0]}", partial(all_of, sizes[0]))
        )
        exponent = math.log(one.subject_seconds / one.baseline_seconds) / math.log(n / sizes[0])
        yield replace(one, facts={"projects": len(projects), "exponent": round(exponent, 3)})


def explained(reference: Reference, *, seed: int) -> Timing:
    """A list of 10 against one of 100 of the same candidates: explanations are made for shown rows only."""
    catalogue = synthetic.catalogue(_facts(reference, SIZES[1], seed), documented())
    projects = catalogue.projects.frame["project_id"].to_list()[:5]

    def shown(n: int) -> None:
        for project in projects:
            catalogue.match(Query(project_id=project), n=n)

    return against(
        ("lists of 10 explained partners", lambda: shown(10)), ("lists of 100", lambda: shown(100)),
        candidates=SIZES[1], projects=len(projects),
    )  # fmt: skip


def _facts(reference: Reference, partners: int, seed: int) -> Any:
    return synthetic.facts(reference, deals=DEALS, partners=partners, seed=seed)


def _child(reference_dir: str, deals: str, partners: str, seed: str) -> None:
    """Fits and prints seconds, peak memory in GiB and what was learned."""
    facts = synthetic.facts(
        read_reference(Path(reference_dir)), deals=int(deals), partners=int(partners), seed=int(seed)
    )
    before = _peak()
    with tempfile.TemporaryDirectory(prefix="bench-") as room:
        start, worked = time.perf_counter(), time.process_time()
        engine = Engine.fit(facts, synthetic.BagEncoder(), seed=int(seed), out=Path(room) / "engine")
        seconds, worked = time.perf_counter() - start, time.process_time() - worked
    print(json.dumps({
        "seconds": seconds, "processor_seconds": round(worked, 2), "peak_gib": round(_peak(), 2),
        "before_gib": round(before, 2),
        "texts": 2 * facts.projects.height + facts.partners.height, **engine.manifest.counts,
    }))  # fmt: skip


def _peak() -> float:
    """The most memory that this process has held, in GiB."""
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage says there includes the process that started this one
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024**2
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**3 if sys.platform == "darwin" else 1024**2)


if __name__ == "__main__":
    _child(*sys.argv[1:])
