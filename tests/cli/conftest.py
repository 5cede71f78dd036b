"""A small site that is set up and fitted once; tests that write get a copy of its database."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from cli_processes import Done
from databases import create_database, database_url, drop_database
from small_site import write_reference
from typer.testing import CliRunner

from matcher.cli import app
from matcher.store.embedded import ROLE, EmbeddedServer

_number = count(1)


Run = Callable[..., Done]


@pytest.fixture(scope="session")
def settings_of_site(tmp_path_factory, embedded_server: EmbeddedServer, model: Path) -> dict[str, str]:
    """MATCHER_* variables of a small site, set up and fitted."""
    folder = tmp_path_factory.mktemp("site")
    write_reference(folder / "reference")
    (folder / "data").mkdir()
    (folder / "data" / "models").symlink_to(model.parent)
    create_database(embedded_server.admin_url, "cli", owner=ROLE)
    env = {
        "MATCHER_DATA_DIR": str(folder / "data"),
        "MATCHER_REFERENCE_DIR": str(folder / "reference"),
        "MATCHER_DATABASE_URL": database_url(embedded_server.url, "cli"),
    }
    for words in (["init"], ["fit", "--as-of", "2026-11-01"]):
        done = CliRunner().invoke(app, words, env=env)
        assert done.exit_code == 0, done.output
    return env


@pytest.fixture
def run(settings_of_site: dict[str, str]) -> Run:
    """Runs a command of this process on the small site; it must not write."""
    return _runner(settings_of_site)


@pytest.fixture
def writable(settings_of_site: dict[str, str], embedded_server: EmbeddedServer) -> Iterator[dict[str, str]]:
    """MATCHER_* variables of a copy of the small site's database."""
    name = f"cli_{next(_number)}"
    create_database(embedded_server.admin_url, name, owner=ROLE, template="cli")
    yield {**settings_of_site, "MATCHER_DATABASE_URL": database_url(embedded_server.url, name)}
    drop_database(embedded_server.admin_url, name)


@pytest.fixture
def write(writable: dict[str, str]) -> Run:
    """Runs a command on a copy of the small site."""
    return _runner(writable)


def _runner(env: dict[str, str]) -> Run:
    def run(*words: str, **more: str) -> Done:
        done = CliRunner().invoke(app, list(words), env={**env, **more})
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(code=done.exit_code, out=done.stdout, err=done.stderr)

    return run
