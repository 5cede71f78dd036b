"""The service under load on loopback: 20,000 partners, four clients in a second process, against what it could be.

Explained lists of projects, each asked for once, against the bare ranker on the same rows; views of missions and
countries from the pair table against the same server sending the same bytes from a constant.
"""

import asyncio
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from evaluation.bench import Timing, synthetic
from evaluation.blind import read_reference
from matcher import config
from matcher.ingest import encoder_wheel, tables
from matcher.jobs import OFFLINE_ENCODER, Site, pairs
from matcher.jobs.matchmaker import Matchmaker
from matcher.jobs.opening import open_store
from matcher.matching import manifest
from matcher.matching.catalogue import Catalogue
from matcher.matching.embed import CachedEncoder, SentenceEncoder
from matcher.matching.engine import Engine
from matcher.matching.features import compute
from matcher.matching.rank import BoostedRanker
from matcher.records import REFERENCE_TABLES, TABLES, Facts
from matcher.store import accounts
from matcher.store.embedded import EmbeddedServer

PARTNERS, DEALS = 20_000, 5000
FITTED_PARTNERS, FITTED_DEALS = 1500, 1500
"""The engine is fitted on fewer: what a request costs depends on what it is opened on."""
OPEN = 20
"""Projects open to investors, of which the lists of missions and countries are made."""
SHARE = 0.5
"""Share of the tree that the engine gets, whatever the fit chose: a ranker without one would be no measure."""
CLIENTS, WORKERS = 4, 2
DISTINCT, VIEWS = 300, 4000
"""Requests of the two runs."""
DAY = date(2026, 11, 22)

_CONSTANT = """
import sys
from pathlib import Path
from starlette.responses import Response
from api import exposures
body = Path(sys.argv[1]).read_bytes()
async def constant(request, work, **more):
    return Response(body, media_type="application/json", headers={"cache-control": "no-cache"})
exposures.answer = constant
from matcher.cli.serving import run
run("127.0.0.1", int(sys.argv[2]), 1)
"""


class _StandIn:
    """Vectors of bags of words under the name of the site's encoder, so that the service finds every text encoded."""

    dimensions = synthetic.DIMENSIONS

    def __init__(self, identity: str) -> None:
        self.id = identity
        self._bags = synthetic.BagEncoder()

    def encode(self, texts: Sequence[str], *, progress: Any = None) -> Any:
        """As `synthetic.BagEncoder`."""
        return self._bags.encode(texts, progress=progress)


def run(data_dir: Path, seed: int) -> Iterator[Timing]:
    """Lists of distinct projects against the bare ranker; views against a constant. Everything is made in a new folder.

    Rates are told by the clock and by the processor's seconds of the workers, which neighbours spoil less.
    """
    with fresh_site(data_dir, seed) as site:
        key, catalogue, asked = _prepare(site, seed)
        yield _projects(site, key, catalogue, seed)
        yield _views(site, key, *asked)


@contextmanager
def fresh_site(data_dir: Path, seed: int) -> Iterator[Site]:
    """A place with the encoder and a running database, which is empty; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as room:
        Path(room).chmod(0o755)
        site = Site(
            data_dir=Path(room), reference_dir=config.load().reference_dir, database_url=None, encoder=OFFLINE_ENCODER,
            seed=seed,
        )  # fmt: skip
        (site.data_dir / "models").symlink_to(encoder_wheel.build(data_dir / "models").parent)
        with EmbeddedServer.start(site.data_dir):
            yield site


def _prepare(site: Site, seed: int) -> tuple[str, Catalogue, tuple[str, str]]:
    """The stocked database with its engine and complete pair table; a key, the catalogue, a mission and a country."""
    reference = read_reference(site.reference_dir)
    known = _opened(synthetic.facts(reference, deals=DEALS, partners=PARTNERS, seed=seed))
    with open_store(site) as store:
        store.migrate()
        for name in REFERENCE_TABLES:
            store.append(name, getattr(reference, name), source="bench", actor="bench")
        for name in ("projects", "partners", "deals"):
            frame = getattr(known, name).select(list(TABLES[name].columns))
            store.append(name, frame, source="bench", actor="bench")
        for name in ("missions", "accreditation"):
            store.append(name, tables.read_table(name, site.reference_dir), source="bench", actor="bench")
        stand_in = _StandIn(SentenceEncoder(site.encoder_path).id)
        _fit(site, reference, stand_in, seed)
        with store.owner(who="bench") as cursor:
            accounts.add(cursor, "bench", "officer")
            key, _ = accounts.add_key(cursor, "bench", label="bench", scopes=("read",), days=1)
    with Matchmaker(site, today=lambda: DAY) as maker:
        maker._encoder = CachedEncoder(stand_in, maker.store.get_vectors, maker.store.put_vectors)
        pairs.fill(maker, maker.opened())
        opened = maker.opened()
        leading = {
            query.countries[0]: query.mission_id
            for query in pairs.views(maker.posts(opened.key.revision), opened.catalogue).values()
            if query.mission_id is not None and query.countries is not None
        }
        homes = opened.catalogue.partners.frame["country"].value_counts(sort=True)["country"].to_list()
        country = next(c for c in homes if c in leading)
        return key, opened.catalogue, (str(leading[country]), str(country))


def _opened(known: Facts) -> Facts:
    """The facts with some projects open to investors."""
    place = pl.int_range(pl.len())
    status = pl.when(place < OPEN).then(pl.lit("calling")).otherwise(pl.col("status"))
    return replace(known, projects=known.projects.with_columns(status.alias("status")))


def _fit(site: Site, reference: Any, encoder: _StandIn, seed: int) -> None:
    """An engine with a tree is in use."""
    facts = synthetic.facts(reference, deals=FITTED_DEALS, partners=FITTED_PARTNERS, seed=seed)
    made = site.artefacts / "made"
    Engine.fit(facts, encoder, seed=seed, out=made)
    content = manifest.read(made).model_dump(exclude={"engine"})
    content["ranker"]["share"] = SHARE
    identity = manifest.identifier(content["as_of"], content)
    described = manifest.Manifest(engine=identity, **content)
    (made / manifest.MANIFEST).write_text(described.model_dump_json(indent=1), encoding="utf-8")
    made.rename(site.artefacts / identity)
    (site.artefacts / "current").write_text(identity, encoding="utf-8")


def _projects(site: Site, key: str, catalogue: Catalogue, seed: int) -> Timing:
    names = catalogue.projects.frame["project_id"].to_list()
    chosen = [names[i] for i in np.random.default_rng(seed).permutation(len(names))[: DISTINCT + 20].tolist()]
    bare, every = _bare(catalogue, chosen[:10])
    with serving(site, workers=WORKERS) as port:
        load(port, key, [f"/v1/projects/{p}/matches?n=10" for p in chosen[:20]])
        told = load(port, key, [f"/v1/projects/{p}/matches?n=10" for p in chosen[20:]], of=group(port))
    one = told["processor_seconds"] / told["requests"]
    return Timing(
        subject="an explained list of 10 partners of a project that nobody asked for before, through the service",
        baseline="scores of the same rows and contributions of the 10 by the bare ranker",
        ratio=round(bare / one, 3), spread=(round(bare / one, 3), round(bare / one, 3)),
        subject_seconds=round(one, 4), baseline_seconds=round(bare, 4),
        facts={
            "partners": PARTNERS, "workers": WORKERS, "times_the_bare_ranker": round(one / bare, 2),
            "bare_with_contributions_of_all_rows": round(every, 4), "times_that": round(one / every, 3), **told,
        },
    )  # fmt: skip


def _bare(catalogue: Catalogue, projects: Sequence[str]) -> tuple[float, float]:
    """Seconds of the ranker alone: scores of all rows with contributions of ten, and contributions of all rows."""
    ranker, some, every = catalogue.ranker, [], []
    assert isinstance(ranker, BoostedRanker)
    for project in projects:
        x = compute(catalogue._block(catalogue.projects.row_of[project]))
        start = time.process_time()
        ranker.score(x)
        ranker.contributions(x[:10])
        middle = time.process_time()
        ranker.contributions(x)
        some.append(middle - start)
        every.append(time.process_time() - middle)
    return statistics.median(some), statistics.median(every)


def _views(site: Site, key: str, mission: str, country: str) -> Timing:
    paths = [f"/v1/missions/{mission}/matches?n=10", f"/v1/countries/{country}/matches?n=10"]
    with serving(site, workers=WORKERS) as port:
        load(port, key, paths * 20)
        both = load(port, key, paths * (VIEWS // 2), of=group(port))
    with serving(site, workers=1) as port:
        body = get(port, key, paths[0])
        load(port, key, paths * 20)
        made = load(port, key, paths[:1] * (VIEWS // 2), of=group(port))
    same = site.data_dir / "body.json"
    same.write_bytes(body)
    with serving(site, workers=1, constant=same) as port:
        load(port, key, paths * 20)
        constant = load(port, key, paths[:1] * (VIEWS // 2), of=group(port))
    one, least = (t["processor_seconds"] / t["requests"] for t in (made, constant))
    return Timing(
        subject="a page of a mission's list from the pair table",
        baseline="the same bytes from a constant, same server",
        ratio=round(least / one, 3), spread=(round(least / one, 3), round(least / one, 3)),
        subject_seconds=round(one, 5), baseline_seconds=round(least, 5),
        facts={
            "bytes": len(body), "workers": WORKERS, **both, "one_worker": made, "constant": constant,
            "share_of_constant_by_the_clock": round(made["per_second"] / constant["per_second"], 3),
        },
    )  # fmt: skip


# The server


@contextmanager
def serving(site: Site, *, workers: int, constant: Path | None = None) -> Iterator[int]:
    """`matcher serve` on a free port, without a limit of rates; ended by SIGTERM."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    env = {
        **os.environ, "MATCHER_DATA_DIR": str(site.data_dir), "MATCHER_REFERENCE_DIR": str(site.reference_dir),
        "MATCHER_RATE": "0", "MATCHER_LOG_LEVEL": "error", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    matcher = str(Path(sys.executable).with_name("matcher"))
    words = [matcher, "serve", "--port", str(port), "--workers", str(workers)]
    if constant is not None:
        words = [sys.executable, "-c", _CONSTANT, str(constant), str(port)]
    process = subprocess.Popen(words, env=env, start_new_session=True)
    try:
        deadline = time.monotonic() + 300
        while not _ready(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the service does not start")
            time.sleep(0.5)
        time.sleep(5 * workers)  # every worker is ready, not only the one that answered
        _PIDS[port] = process.pid
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


_PIDS: dict[int, int] = {}


def group(port: int) -> int:
    """The session of processes that serves at a port."""
    return _PIDS[port]


def _ready(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def get(port: int, key: str, path: str) -> bytes:
    """The body of one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    return connection.getresponse().read()


def _processor(group: int) -> float:
    """Seconds of processor that the processes of a session have used."""
    ticks = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == group:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


# The clients


def load(port: int, key: str, paths: Sequence[str], *, of: int | None = None) -> dict[str, Any]:
    """What four clients in a second process saw when they asked for the paths once each; rates are those per core."""
    before = 0.0 if of is None else _processor(of)
    words = [sys.executable, "-m", "evaluation.bench.http", str(port), str(CLIENTS)]
    done = subprocess.run(
        words, input=json.dumps({"key": key, "paths": paths}), capture_output=True, text=True, check=True
    )
    told: dict[str, Any] = json.loads(done.stdout)
    if of is not None:
        used = _processor(of) - before
        told |= {
            "processor_seconds": round(used, 2), "per_processor_second": round(told["requests"] / max(used, 0.01), 1),
        }  # fmt: skip
    return told


async def _ask(port: int, clients: int, key: str, paths: Sequence[str]) -> dict[str, Any]:
    waiting, seconds, failed = iter(paths), [], []
    head = f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nAccept: application/json\r\n\r\n"

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for path in waiting:
            start = time.perf_counter()
            writer.write(f"GET {path}{head}".encode())
            told = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            await reader.readexactly(int(told.split("content-length:")[1].split("\r\n")[0]))
            seconds.append(time.perf_counter() - start)
            if " 200 " not in told.split("\r\n", 1)[0]:
                failed.append(told.split("\r\n", 1)[0])
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    whole = time.perf_counter() - begun
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(seconds)} requests failed, the first with {failed[0]}")
    p50, p99 = (float(q) for q in np.quantile(seconds, [0.5, 0.99]))
    return {
        "requests": len(seconds), "clients": clients, "per_second": round(len(seconds) / whole, 1),
        "p50": round(p50, 5), "p99": round(p99, 5), "p99_by_p50": round(p99 / p50, 2),
    }  # fmt: skip


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    print(json.dumps(asyncio.run(_ask(int(sys.argv[1]), int(sys.argv[2]), asked["key"], asked["paths"]))))
