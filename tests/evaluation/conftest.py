"""The command line of evaluations on a small data set, with a fast encoder and without a database."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_dataset import write_small
from small_world import BagEncoder

from evaluation import __main__ as command
from evaluation import blind, datasets
from matcher.jobs import opening
from matcher.records import Reference
from matcher.store import Store
from matcher.store.embedded import EmbeddedServer

Evaluate = Callable[..., int]
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def real_reference() -> Reference:
    """Classifications, places and glossary as the repository has them."""
    return blind.read_reference(REPOSITORY / "data")


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a database fails."""

    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("an evaluation of files opened the database")

    for owner, name in (
        (opening, "open_store"), (Store, "open"), (EmbeddedServer, "start"), (command, "Matchmaker"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, refuse)


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_database: None, real_reference: Reference) -> Evaluate:
    """`python -m evaluation …` with bags of words as encoder and a data folder of its own."""
    honest = blind.read_reference
    # The repository's tables are read once for all tests, those of a test each time.
    kept = {REPOSITORY / "data": real_reference}
    monkeypatch.setattr(blind, "read_reference", lambda folder: kept.get(folder) or honest(folder))
    monkeypatch.setenv("MATCHER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MATCHER_REFERENCE_DIR", str(REPOSITORY / "data"))
    monkeypatch.setattr(command, "_encoder", lambda _settings: BagEncoder())
    return lambda *arguments: command.main([str(a) for a in arguments])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The small data set in its full form."""
    return write_small(tmp_path / "small")


@pytest.fixture
def small_blind(small: Path, tmp_path: Path) -> Path:
    """Its blind form with answers."""
    datasets.write(datasets.blind(datasets.read(small)), tmp_path / "small_blind", answers=True)
    return tmp_path / "small_blind"


@pytest.fixture
def small_input(small: Path, tmp_path: Path) -> Path:
    """What a ranker may see of it."""
    datasets.write(datasets.blind(datasets.read(small)), tmp_path / "small_input", answers=False)
    return tmp_path / "small_input"
