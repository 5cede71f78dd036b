"""`kill -9` of a worker in the middle of writes: what was acknowledged is there, once, and nothing is there by half."""

import http.client
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psycopg
import pytest
from offices import JP, fill
from served_processes import Serving, serve

WRITERS = 3


def write(served: Serving, key: str, name: str, *, timeout: float = 30) -> bool:
    """An interaction is sent under an idempotency key; true when it was acknowledged."""
    body = {"partner_id": JP, "kind": "meeting", "held_on": "2026-11-01", "note": name}
    try:
        answer = served.ask("POST", "/v1/interactions", key=key, content=body, timeout=timeout, Idempotency_Key=name)
    except (OSError, http.client.HTTPException):
        return False
    assert answer.status in (201, 503), answer
    return answer.status == 201


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=[pytest.mark.torture, pytest.mark.timeout(3600)])])
def test_killed_workers_lose_and_invent_nothing(store_url: str, tmp_path: Path, kills: int) -> None:
    key = fill(store_url)["tokyo.desk"]
    rng = np.random.default_rng(kills)
    sent: dict[str, bool] = {}
    stop = threading.Event()
    with serve({"MATCHER_DATABASE_URL": store_url, "MATCHER_RATE": "0"}, tmp_path, workers=2) as served:

        def writer(number: int) -> None:
            turn = 0
            while not stop.is_set():
                name = f"w{number}-{turn}"
                sent[name] = False
                sent[name] = write(served, key, name)
                turn += 1

        threads = [threading.Thread(target=writer, args=(n,)) for n in range(WRITERS)]
        for thread in threads:
            thread.start()
        for _ in range(kills):
            deadline = time.monotonic() + 60
            before = sum(sent.values())
            # Both workers live, and somebody is writing again.
            while len(served.workers()) < 2 or sum(sent.values()) < before + 5:
                assert time.monotonic() < deadline, served.log.read_text(errors="replace")[-2000:]
                time.sleep(0.05)
            time.sleep(float(rng.uniform(0, 0.2)))
            with suppress(ProcessLookupError):
                os.kill(int(rng.choice(served.workers())), signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join(60)
        acknowledged = {name for name, done in sent.items() if done}
        with psycopg.connect(store_url) as connection:
            rows = [r[0] for r in connection.execute("SELECT note FROM interaction")]
            trail = connection.execute("SELECT count(*) FROM audit WHERE action = 'interaction'").fetchone()
            promised = connection.execute("SELECT count(*) FROM idempotency").fetchone()
        assert acknowledged - set(rows) == set(), "acknowledged and lost"
        assert len(rows) == len(set(rows)), "written twice"
        assert set(rows) <= set(sent), "invented"
        assert (len(rows), len(rows)) == (trail and trail[0], promised and promised[0]), "half a write"
        # Whoever was cut off sends again under the same key: done once, whatever had become of the first time.
        for name in sent.keys() - acknowledged:
            assert write(served, key, name, timeout=60), name
    with psycopg.connect(store_url) as connection:
        rows = [r[0] for r in connection.execute("SELECT note FROM interaction")]
    assert sorted(rows) == sorted(sent)
    assert len(acknowledged) > kills
