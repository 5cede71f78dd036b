"""The service under a steady mixture of work: no error, and no growth of memory, connections or latency."""

import http.client
import json
import os
import statistics
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from served_processes import Serving, serve
from small_site import PORT, TOKYO

from matcher.jobs import Site
from matcher.jobs.opening import open_store
from matcher.store import accounts
from matcher.store.embedded import EmbeddedServer

CLIENTS, SAMPLES, POOL = 4, 30, 8
OUT = Path(__file__).resolve().parents[2] / "data" / "runs" / "torture" / "soak.json"


def keys_of(site: Site) -> dict[str, str]:
    """A mission's and an officer's key on the fitted site."""
    made = {}
    with open_store(site) as store, store.owner(who="tests") as cursor:
        for login, role, mission in (("soak.mission", "mission", TOKYO), ("soak.officer", "officer", None)):
            if login not in {a.login for a in accounts.every(cursor)}:
                accounts.add(cursor, login, role, mission_id=mission, may_export=True)
            scopes = ("read", "write", "export")
            made[role] = accounts.add_key(cursor, login, label="soak", scopes=scopes, days=1)[0]
    return made


def resident(pids: list[int]) -> int:
    """Memory of the processes, in bytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in pids)


class Client(threading.Thread):
    """Sends one request after another until it is told to stop; counts what came back, and how long it took."""

    def __init__(self, number: int, served: Serving, keys: dict[str, str], partner: str) -> None:
        super().__init__()
        self.served, self.keys, self.partner = served, keys, partner
        self.rng = np.random.default_rng(number)
        self.stop = threading.Event()
        self.seconds: list[tuple[float, float]] = []
        self.strange: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=60)
        while not self.stop.is_set():
            method, path, role, body = self.next()
            headers = {"Authorization": f"Bearer {self.keys[role]}", "Content-Type": "application/json"}
            begin = time.monotonic()
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            content = answer.read()
            self.seconds.append((begin, time.monotonic() - begin))
            if answer.status not in (200, 201):
                self.strange.append(f"{method} {path}: {answer.status} {content[:200]!r}")
        connection.close()

    def next(self) -> tuple[str, str, str, Any]:
        note = f"soak {self.rng.integers(1 << 30)}"
        meeting = {"partner_id": self.partner, "kind": "meeting", "held_on": "2026-11-01", "note": note}
        choices: list[tuple[str, str, str, Any]] = [
            ("GET", f"/v1/missions/{TOKYO}/matches?n=10", "mission", None),
            ("GET", f"/v1/projects/{PORT}/matches?n=10", "officer", None),
            ("GET", "/v1/projects?q=cang", "mission", None),
            ("GET", "/v1/interactions?n=20", "mission", None),
            ("GET", "/v1/countries/JP/matches?n=5&format=csv", "officer", None),
            ("POST", "/v1/interactions", "mission", meeting),
        ]
        return choices[int(self.rng.integers(len(choices)))]


def connections(url: str) -> int:
    """Connections of the service to the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("seconds", [8, pytest.param(1800, marks=[pytest.mark.torture, pytest.mark.timeout(3600)])])
def test_steady_work_grows_nothing(site: Site, tmp_path: Path, seconds: int) -> None:
    keys, workers = keys_of(site), 2
    env = {"MATCHER_DATA_DIR": str(site.data_dir), "MATCHER_RATE": "0"}
    rows: list[dict[str, float]] = []
    with EmbeddedServer.start(site.data_dir) as server, serve(env, tmp_path, workers=workers) as served:
        found = served.ask("GET", f"/v1/missions/{TOKYO}/matches?n=1", key=keys["mission"], timeout=120).body
        partner = found["matches"][0]["partner"]["id"]
        clients = [Client(n, served, keys, partner) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(min(60, seconds / 5))  # both workers have opened everything
        begin = time.monotonic()
        for turn in range(1, SAMPLES + 1):
            time.sleep(max(0.0, begin + turn * seconds / SAMPLES - time.monotonic()))
            since = begin + (turn - 1) * seconds / SAMPLES
            took = [s for c in clients for at, s in list(c.seconds) if at >= since]
            rows.append({
                "bytes": resident(served.workers()), "connections": connections(server.url),
                "median_seconds": statistics.median(took) if took else float("nan"), "requests": len(took),
            })  # fmt: skip
        for client in clients:
            client.stop.set()
        for client in clients:
            client.join(60)
    assert [s for c in clients for s in c.strange] == []
    assert sum(len(c.seconds) for c in clients) >= CLIENTS
    assert max(r["connections"] for r in rows) <= workers * (POOL + 3)
    if seconds > 600:  # in seconds there is too little to tell growth from noise
        third = SAMPLES // 3
        early, late = rows[:third], rows[-third:]
        growth = {k: statistics.median(r[k] for r in late) / statistics.median(r[k] for r in early) for k in rows[0]}
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(
            json.dumps({"seconds": seconds, "samples": rows, "last_third_to_first": growth}, indent=1) + "\n"
        )
        assert growth["bytes"] < 1.05, growth
        assert growth["connections"] <= 1.1, growth
        assert growth["median_seconds"] < 1.25, growth
