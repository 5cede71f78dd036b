"""A store with the product's classifications and places, two projects and two partners."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from jobs_files import PARTNERS, PROJECTS
from small_site import DATA

from matcher.ingest import tables
from matcher.jobs.importing import ImportReport, import_file
from matcher.store import Store


@pytest.fixture(scope="session")
def reference_tables() -> dict[str, pl.DataFrame]:
    return {name: tables.read_table(name, DATA) for name in ("isic", "city_sectors", "activity_tags", "countries")}


@pytest.fixture
def stocked(store: Store, reference_tables: dict[str, pl.DataFrame]) -> Store:
    """An open store in which imports can be checked."""
    for name, frame in reference_tables.items():
        store.append(name, frame, source="test", actor="test")
    return store


Load = Callable[..., ImportReport]


@pytest.fixture
def load(stocked: Store, tmp_path: Path) -> Load:
    """Imports a text or bytes as a file."""

    def import_text(text: str | bytes, kind: str = "projects", name: str = "file.csv", **more) -> ImportReport:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return import_file(stocked, path, kind=kind, actor="test", **{"source": name, **more})

    return import_text


@pytest.fixture
def two_of_each(load: Load) -> None:
    load(PROJECTS + "p1,Nhà máy thép,,VN,1200000,2020-01-01,year\np2,Container port,,VN,,,none\n")
    load(PARTNERS + "q1,Sojitz,JP,company,,\nq2,Posco,KR,company,,\n", kind="partners")
