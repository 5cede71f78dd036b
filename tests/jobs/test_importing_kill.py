"""`kill -9` at random moments of an import leaves all of it or nothing, and the next command works."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psycopg
import pytest
from jobs_files import PARTNERS

from matcher.jobs.importing import import_file
from matcher.store import Store

ROWS = 20_000
IMPORT = """
import sys
from pathlib import Path
from matcher.store import Store
from matcher.jobs.importing import import_file
with Store.open(sys.argv[1]) as store:
    print("ready", flush=True)
    import_file(store, Path(sys.argv[2]), kind="partners", source="test", actor="test")
"""


@pytest.fixture
def big_file(tmp_path):
    path = tmp_path / "partners.csv"
    path.write_text(_partners("before"))
    return path


def _partners(description: str) -> str:
    return PARTNERS + "".join(f"q{i},Partner {i},JP,company,,{description}\n" for i in range(ROWS))


def _start(url: str, path) -> subprocess.Popen:
    child = subprocess.Popen(
        [sys.executable, "-c", IMPORT, url, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


def _wait_until_alone(url: str) -> None:
    """The server has noticed that the killed client is gone."""
    with psycopg.connect(url, autocommit=True) as connection:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND state <> 'idle'"
            ).fetchone()
            if row == (0,):
                return
            time.sleep(0.05)
    raise AssertionError("the killed import still runs in the server")


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.torture)])
def test_kill_leaves_all_or_nothing(stocked: Store, store_url, big_file, times):
    rng = np.random.default_rng(times)
    child = _start(store_url, big_file)
    whole = time.monotonic()
    child.communicate(timeout=120)
    assert child.returncode == 0
    duration = max(time.monotonic() - whole, 0.5)
    assert stocked.read("partners").height == ROWS
    for turn in range(times):
        big_file.write_text(_partners(f"round {turn}"))
        child = _start(store_url, big_file)
        time.sleep(float(rng.uniform(0, duration)))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        _wait_until_alone(store_url)
        changed = (stocked.read("partners")["description"] == f"round {turn}").sum()
        assert changed in (0, ROWS), "half an import"
        assert stocked.batches(table="partners", limit=1)[0].n_rows == ROWS
    assert import_file(stocked, big_file, kind="partners", source="test", actor="test").rows == ROWS
    assert (stocked.read("partners")["description"] == f"round {times - 1}").all()
