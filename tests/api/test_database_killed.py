"""The database is killed under load: requests are refused cleanly, and answered again without a restart of the API."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pytest
from databases import reachable_folder
from served_processes import Answer, Serving, serve
from small_site import PORT, TOKYO, write_reference

from matcher.jobs import OFFLINE_ENCODER, Site, fitting, setup
from matcher.jobs.opening import open_store
from matcher.store import accounts, embedded
from matcher.store.embedded import EmbeddedServer

RECOVERY_SECONDS = 30.0
KILLS = 3


@pytest.fixture(scope="module")
def prepared(model: Path) -> Iterator[tuple[Path, str, str]]:
    """Data folder of a small site on an embedded server of its own, the key of a mission, and a partner of its own."""
    with reachable_folder() as folder:
        write_reference(folder / "reference")
        data = folder / "data"
        data.mkdir()
        (data / "models").symlink_to(model.parent)
        site = Site(
            data_dir=data, reference_dir=folder / "reference", database_url=None, encoder=OFFLINE_ENCODER, seed=0
        )
        setup.init(site, actor="tests")
        with open_store(site) as store:
            fitting.fit(site, store, as_of=date(2026, 11, 1), actor="tests")
            with store._cursor() as cursor, cursor.connection.transaction():
                accounts.add(cursor, "tokyo.desk", "mission", mission_id=TOKYO, may_export=False, password=None)
                key, *_ = accounts.add_key(cursor, "tokyo.desk", label="tests", scopes=("read", "write"), days=1)
            partner = store.read("partners").filter(country="JP")["partner_id"][0]
        yield data, key, partner


LAST_MOMENT = 1.0


class Load:
    """Clients that ask and write without pause, and keep what they were told."""

    def __init__(self, served: Serving, key: str, partner: str) -> None:
        self._served, self._key, self._partner = served, key, partner
        self.stop = threading.Event()
        self.answers: list[tuple[float, str, Answer]] = []
        self.cut: list[str] = []
        self.acknowledged: set[str] = set()

    def _run(self, number: int) -> None:
        turn = 0
        while not self.stop.is_set():
            turn += 1
            name = f"{number}-{turn}"
            self._ask("GET", f"/v1/projects/{PORT}/matches?n=3")
            self._ask("GET", f"/v1/partners?n=2&country={'JP' if turn % 2 else 'KR'}")
            answer = self._ask(
                "POST", "/v1/interactions",
                {"partner_id": self._partner, "kind": "meeting", "held_on": "2026-11-01", "note": name},
            )  # fmt: skip
            if answer is not None and answer.status == 201:
                self.acknowledged.add(name)

    def _ask(self, method: str, path: str, content: object = None) -> Answer | None:
        try:
            answer = self._served.ask(method, path, key=self._key, content=content, timeout=RECOVERY_SECONDS)
        except OSError as error:
            self.cut.append(f"{method} {path}: {error!r}")
            return None
        self.answers.append((time.monotonic(), f"{method} {path.partition('?')[0]}", answer))
        return answer

    @contextmanager
    def running(self, clients: int) -> Iterator[None]:
        """The clients are at work inside the block."""
        threads = [threading.Thread(target=self._run, args=(n,)) for n in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(2 * RECOVERY_SECONDS)

    def wait_until_all_is_well(self, since: float) -> float:
        """Seconds from `since` until every kind of request had been answered well, and nothing else any more."""
        deadline = since + RECOVERY_SECONDS
        while time.monotonic() < deadline:
            late = [(at, kind, a.status) for at, kind, a in list(self.answers) if at > since]
            bad = max((at for at, _, status in late if status >= 400), default=since)
            good = [kind for at, kind, status in late if at > bad and status < 400]
            if len(good) >= 12 and len(set(good)) == 3:
                return bad - since
            time.sleep(0.05)
        raise AssertionError([(kind, a.status, a.body) for _, kind, a in self.answers[-6:]])


def test_the_api_outlives_a_database_that_is_killed(prepared: tuple[Path, str, str]) -> None:
    data, key, partner = prepared
    env = {"MATCHER_REFERENCE_DIR": str(data.parent / "reference"), "MATCHER_DATABASE_URL": "", "MATCHER_RATE": "0"}
    with serve(env, data, workers=2) as served:
        workers = served.workers()
        load = Load(served, key, partner)
        with load.running(4):
            load.wait_until_all_is_well(time.monotonic())
            refused, kills = 0, []
            for _ in range(KILLS):
                pid = embedded.status(data).pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
                kills.append(time.monotonic())
                load.wait_until_all_is_well(time.monotonic())
                assert embedded.status(data).pid != pid
            refused = sum(answer.status == 503 for _, _, answer in load.answers)
        assert load.cut == []
        assert {answer.status for _, _, answer in load.answers} == {200, 201, 503}
        assert refused > 0, "the load met the kill"
        for _, kind, answer in load.answers:
            if answer.status == 503:
                assert int(answer.headers["retry-after"]) > 0, kind
                assert answer.headers["content-type"] == "application/problem+json"
        assert served.workers() == workers, "no worker was started anew"
        assert served.ask("GET", "/readyz").status == 200
        with EmbeddedServer.start(data) as server, psycopg.connect(server.url) as connection:
            notes = [note for (note,) in connection.execute("SELECT note FROM interaction")]
            lists = {str(i) for (i,) in connection.execute("SELECT exposure_id FROM exposure")}
        assert load.acknowledged - set(notes) == set(), "acknowledged and lost"
        assert len(notes) == len(set(notes))
        # Lists do not wait for the disk: a database that crashes may lose those of its last moment, and no others.
        shown = {
            a.headers["x-exposure-id"]
            for at, _, a in load.answers
            if "x-exposure-id" in a.headers and not any(at - 0.5 < kill < at + LAST_MOMENT for kill in kills)
        }
        assert shown
        assert shown - lists == set(), "shown and not on record"
    assert not embedded.status(data).running, "the last client stops the server"
