"""Fixtures that several suites share: one embedded server per session, one fresh database per test."""

import json
from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path

import psycopg
import pytest
from databases import create_database, database_url, drop_database, reachable_folder
from offices import Offices, fill, serving

from matcher.ingest import encoder_wheel
from matcher.jobs import OFFLINE_ENCODER, Site, fitting, setup
from matcher.jobs.matchmaker import Matchmaker
from matcher.jobs.opening import open_store
from matcher.matching.embed import SentenceEncoder
from matcher.store import Store
from matcher.store.embedded import ROLE, EmbeddedServer

AS_OF = date(2026, 11, 22)
"""The day that tests of the whole product ask about."""

_TORTURE: list[dict[str, object]] = []
_REPOSITORY = Path(__file__).resolve().parents[1]
_number = count(1)


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[EmbeddedServer]:
    """One embedded server for the whole session; its database `migrated` has the tables and no row."""
    with reachable_folder() as folder, EmbeddedServer.start(folder / "data") as server:
        # Only this server, which no test kills: making and dropping a database syncs the whole disk otherwise.
        with psycopg.connect(server.admin_url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        create_database(server.admin_url, "migrated", owner=ROLE)
        with Store.open(database_url(server.url, "migrated")) as store:
            store.migrate()
        yield server


@pytest.fixture
def store_url(embedded_server: EmbeddedServer) -> Iterator[str]:
    """URL of a fresh database with all tables and no row, dropped afterwards."""
    name = f"fresh_{next(_number)}"
    create_database(embedded_server.admin_url, name, owner=ROLE, template="migrated")
    yield database_url(embedded_server.url, name)
    drop_database(embedded_server.admin_url, name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An open store on a fresh database."""
    with Store.open(store_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def filled(embedded_server: EmbeddedServer) -> dict[str, str]:
    """Keys of the people of `offices`; the database `filled` holds them and the small world."""
    create_database(embedded_server.admin_url, "filled", owner=ROLE, template="migrated")
    return fill(database_url(embedded_server.url, "filled"))


@pytest.fixture
def offices(embedded_server: EmbeddedServer, filled: dict[str, str]) -> Iterator[Offices]:
    """The application over a fresh copy of the small world, with people of every role."""
    name = f"offices_{next(_number)}"
    create_database(embedded_server.admin_url, name, owner=ROLE, template="filled")
    with serving(database_url(embedded_server.url, name), filled) as opened:
        yield opened
    drop_database(embedded_server.admin_url, name)


@pytest.fixture(scope="session")
def model() -> Path:
    """Directory of the offline encoder, built in the repository's data folder if it is missing."""
    return encoder_wheel.build(Path(__file__).resolve().parents[1] / "data" / "models")


@pytest.fixture(scope="session")
def encoder(model: Path) -> SentenceEncoder:
    """The offline encoder, loaded once for all tests."""
    return SentenceEncoder(model)


@pytest.fixture(scope="session")
def site(model: Path) -> Iterator[Site]:
    """The whole product as a user has it: reference data loaded, engine fitted. Tests only read from it."""
    with reachable_folder() as folder:
        data = folder / "site"
        data.mkdir()
        (data / "models").symlink_to(model.parent)
        made = Site(
            data_dir=data, reference_dir=_REPOSITORY / "data", database_url=None, encoder=OFFLINE_ENCODER, seed=7
        )
        # Held for the session, so that every test's client finds the server running.
        with EmbeddedServer.start(data):
            setup.init(made, actor="tests")
            with open_store(made) as opened:
                fitting.fit(made, opened, as_of=AS_OF, actor="tests")
            yield made


@pytest.fixture(scope="session")
def matchmaker(site: Site) -> Iterator[Matchmaker]:
    """The engine that the command line and the API serve, on the real data, asked about `AS_OF`."""
    with Matchmaker(site, today=lambda: AS_OF) as made:
        yield made


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keeps how each test ended, for the record of `make torture`."""
    if report.when == "call" or report.outcome != "passed":
        _TORTURE.append({"test": report.nodeid, "outcome": report.outcome, "seconds": round(report.duration, 1)})


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """`make torture` leaves a record under data/runs/torture/."""
    if session.config.option.markexpr == "torture" and not session.config.option.collectonly:
        out = _REPOSITORY / "data" / "runs" / "torture" / "latest.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        content = {"exit_status": int(exitstatus), "tests": _TORTURE}
        out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
