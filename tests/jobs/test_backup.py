"""A backup holds the whole site, and a restore gives it back, whole or not at all."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from itertools import count

import psycopg
import pytest
from databases import create_database, database_url, drop_database, reachable_folder, tcp_server
from filled import catalogue, differences, fill, rows

from matcher.errors import ConflictError, InputError, SourceError
from matcher.jobs import Site, backup, fitting
from matcher.store import Store, migrate, schema
from matcher.store.embedded import ROLE, EmbeddedServer

ENGINE = "2026-01-01-0123456789"
OWNER = "Chủ nhân"
_number = count(1)
HANGING = """
import sys, time
from matcher.store import dumping
def write(*_):
    print("loaded", flush=True)
    time.sleep(600)
dumping.write = write
from matcher.cli import app
app()
"""


@pytest.fixture(scope="module")
def source(embedded_server, tmp_path_factory):
    """A site with a row in every table and two engines."""
    folder = tmp_path_factory.mktemp("source")
    create_database(embedded_server.admin_url, "source", owner=ROLE, template="migrated")
    url = database_url(embedded_server.url, "source")
    fill(url, folder)
    for name in (ENGINE, "2025-01-01-0123456789"):
        (folder / "data" / "artefacts" / name / "deep").mkdir(parents=True)
        (folder / "data" / "artefacts" / name / "deep" / "model.txt").write_text(name)
    (folder / "data" / "artefacts" / ".partial-x").mkdir()
    fitting.point(folder / "data" / "artefacts", ENGINE)
    yield Site(data_dir=folder / "data", reference_dir=folder, database_url=url, encoder="none", seed=0)
    drop_database(embedded_server.admin_url, "source")


@pytest.fixture(scope="module")
def saved(source, tmp_path_factory):
    """Its backup."""
    file = tmp_path_factory.mktemp("saved") / "city.zip"
    backup.backup(source, file, actor="tests")
    return file


@pytest.fixture
def empty(embedded_server, tmp_path):
    """A site with an empty database and no engine."""
    name = f"empty_{next(_number)}"
    create_database(embedded_server.admin_url, name, owner=ROLE)
    url = database_url(embedded_server.url, name)
    yield Site(data_dir=tmp_path / "data", reference_dir=tmp_path, database_url=url, encoder="none", seed=0)
    drop_database(embedded_server.admin_url, name)


@pytest.fixture(scope="module")
def external():
    """Superuser's URL of a server that an administrator runs."""
    with tcp_server() as url:
        yield url


def compare(source, restored_url):
    """Everything is as it was, but for the entry that says that it was restored."""
    before, after = rows(source.database_url), rows(restored_url)
    assert all(before.values()), f"empty: {[t for t, found in before.items() if not found]}"
    (entry,) = [row for row in after["audit"] if ",tests,restore," in row]
    after["audit"].remove(entry)
    before["audit"] = [row for row in before["audit"] if ",tests,backup," not in row]
    assert differences(before, after) == {}
    then, now = catalogue(source.database_url), catalogue(restored_url)
    for numbers in (then, now):  # the entry in the audit took a number
        numbers["sequences"] = [n for n in numbers["sequences"] if "audit" not in n]
    assert differences(then, now) == {}


def is_untouched(site):
    with psycopg.connect(site.database_url) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchall()
    return found == [] and not list(site.data_dir.glob("artefacts/[!.]*"))


def test_a_restored_site_is_the_same_on_a_server_of_another_owner_and_other_settings(source, saved, external, tmp_path):
    create = [
        f"CREATE ROLE \"{OWNER}\" LOGIN CREATEROLE PASSWORD 'x'",
        f'CREATE DATABASE other OWNER "{OWNER}"',
        "ALTER DATABASE other SET timezone = 'Asia/Ho_Chi_Minh'",
        "ALTER DATABASE other SET datestyle = 'German'",
        "ALTER DATABASE other SET extra_float_digits = -5",
        "ALTER DATABASE other SET bytea_output = 'escape'",
    ]
    with psycopg.connect(external, autocommit=True) as connection:
        for statement in create:
            connection.execute(statement)
    with psycopg.connect(database_url(external, "other"), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    url = database_url(external, "other").replace("boss:outside", "Ch%E1%BB%A7%20nh%C3%A2n:x")
    target = replace(source, data_dir=tmp_path, database_url=url)
    done = backup.restore(target, saved, actor="tests")
    compare(source, url)
    assert (done.database, done.now, done.engine, done.engines) == (schema.HEAD, schema.HEAD, ENGINE, 2)
    assert fitting.current(target).name == ENGINE
    assert (fitting.current(target) / "deep" / "model.txt").read_text() == ENGINE
    assert sorted(p.name for p in target.artefacts.iterdir()) == [".lock", "2025-01-01-0123456789", ENGINE, "current"]


def test_a_restored_site_is_the_same_on_an_embedded_server_and_comes_back_from_there(source, saved, empty, tmp_path):
    with reachable_folder() as folder:
        target = replace(source, data_dir=folder / "data", database_url=None)
        with EmbeddedServer.start(target.data_dir) as server:
            backup.restore(target, saved, actor="tests")
            compare(source, server.url)
            # The restored database is a working one: its numbers go on, its triggers and policies hold.
            with Store.open(server.url) as store:
                store.audit("more", actor="tests")
            with psycopg.connect(server.url) as connection, pytest.raises(psycopg.errors.RestrictViolation):
                connection.execute("DELETE FROM projects")
            second = tmp_path / "second.zip"
            first = {t.table: t.sha256 for t in backup.backup(target, second, actor="tests").tables}
    again = backup.restore(empty, second, actor="tests")
    assert {t.table: t.sha256 for t in again.tables} == first


def test_a_backup_is_one_state_of_the_database_while_others_write(source, embedded_server, tmp_path, monkeypatch):
    create_database(embedded_server.admin_url, "busy", owner=ROLE, template="source")
    busy = replace(source, database_url=database_url(embedded_server.url, "busy"))
    wrote = []

    def write(connection, table, out=None, real=backup.dumping.write):
        with Store.open(busy.database_url) as store:
            store.audit("meanwhile", actor="tests")
        wrote.append(table)
        return real(connection, table, out)

    before = len(rows(busy.database_url)["audit"])
    monkeypatch.setattr(backup.dumping, "write", write)
    done = backup.backup(busy, tmp_path / "b.zip", actor="tests")
    drop_database(embedded_server.admin_url, "busy")
    assert {t.table: t.rows for t in done.tables}["audit"] == before
    assert wrote[0] != "audit"


def test_the_file_is_the_caller_s_alone_and_replaces_nothing_unless_told(source, saved, tmp_path):
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    there = tmp_path / "there.zip"
    there.write_text("precious")
    with pytest.raises(ConflictError, match=r"exists already.*--force"):
        backup.backup(source, there, actor="tests")
    assert there.read_text() == "precious"
    backup.backup(source, there, actor="tests", force=True)
    assert zipfile.is_zipfile(there)
    assert [p.name for p in tmp_path.iterdir()] == ["there.zip"]
    with pytest.raises(InputError, match="does not exist"):
        backup.backup(source, tmp_path / "no" / "b.zip", actor="tests")


def test_a_backup_that_fails_leaves_no_file(source, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup.dumping, "write", full)
    with pytest.raises(SourceError, match=r"No space left.*no new file"):
        backup.backup(source, tmp_path / "b.zip", actor="tests")
    assert list(tmp_path.iterdir()) == []


def test_a_login_from_whom_rows_are_hidden_makes_no_backup(source, embedded_server, tmp_path):
    with psycopg.connect(embedded_server.admin_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'r'")
    with psycopg.connect(database_url(embedded_server.admin_url, "source"), autocommit=True) as connection:
        connection.execute("GRANT CONNECT ON DATABASE source TO reader")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        try:
            url = source.database_url.replace(source.database_url.split("//")[1].split("@")[0], "reader:r")
            with pytest.raises(SourceError, match=r"hides rows of .* from the login reader"):
                backup.backup(replace(source, database_url=url), tmp_path / "b.zip", actor="tests")
        finally:
            connection.execute("DROP OWNED BY reader")
            connection.execute("DROP ROLE reader")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_not_empty_is_left_alone(source, saved):
    before = rows(source.database_url)
    with pytest.raises(ConflictError, match=rf"is at schema {schema.HEAD} and holds \d+ .* new one"):
        backup.restore(source, saved, actor="tests")
    assert rows(source.database_url) == before


def test_a_database_with_a_foreign_table_is_left_alone(saved, empty):
    with psycopg.connect(empty.database_url) as connection:
        connection.execute("CREATE TABLE precious AS SELECT 1 AS x")
    with pytest.raises(ConflictError, match=r"holds 1 tables.*precious"):
        backup.restore(empty, saved, actor="tests")


def test_a_restore_that_is_killed_leaves_the_database_empty_and_can_be_repeated(source, saved, empty):
    env = {**os.environ, "MATCHER_DATABASE_URL": empty.database_url, "MATCHER_DATA_DIR": str(empty.data_dir)}
    words = [sys.executable, "-c", HANGING, "restore", str(saved)]
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout.readline() == "loaded\n"
        process.send_signal(signal.SIGKILL)
    assert is_untouched(empty)
    backup.restore(empty, saved, actor="tests")
    compare(source, empty.database_url)


def rewritten(saved, target, change):
    """A copy of the backup whose parts `change(name, bytes)` gives; None leaves a part out."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target


def manifest(**changes):
    def change(name, data):
        return json.dumps({**json.loads(data), **changes}).encode() if name == "manifest.json" else data

    return change


def flipped(name, data):
    return data.replace(b"tokyo", b"kyoto") if name == "tables/account.copy" else data


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (flipped, r"damaged: tables/account\.copy has sha256"),
        (lambda n, d: None if n == "tables/deals.copy" else d, r"damaged: tables/deals\.copy cannot be read"),
        (lambda n, d: None if n == "manifest.json" else d, "no backup of this program"),
        (manifest(format="matcher backup 2"), "not understood at format"),
        (manifest(database="9999"), "Update the program, then restore"),
        (manifest(artefacts={"../../evil": "x"}), "is not restored"),
        (manifest(artefacts={"/etc/evil": "x"}), "is not restored"),
        (manifest(artefacts={}), "does not hold it"),
    ],
)
def test_a_damaged_or_foreign_file_changes_nothing(saved, empty, tmp_path, change, message):
    file = rewritten(saved, tmp_path / "changed.zip", change)
    with pytest.raises(InputError, match=message):
        backup.restore(empty, file, actor="tests")
    assert is_untouched(empty)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_file_that_is_cut_off_changes_nothing(saved, empty, tmp_path, kept):
    data = saved.read_bytes()
    cut = tmp_path / "cut.zip"
    cut.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(InputError, match="no backup of this program, or is cut off"):
        backup.restore(empty, cut, actor="tests")
    assert is_untouched(empty)


def test_bytes_that_changed_on_the_disk_are_found(saved, empty, tmp_path):
    data = bytearray(saved.read_bytes())
    with zipfile.ZipFile(saved) as archive:
        place = archive.getinfo("tables/partners.copy")
    data[place.header_offset + 200] ^= 0xFF
    (tmp_path / "bad.zip").write_bytes(data)
    with pytest.raises(InputError, match=r"damaged: tables/partners\.copy"):
        backup.restore(empty, tmp_path / "bad.zip", actor="tests")
    assert is_untouched(empty)


def test_rows_that_the_database_does_not_give_back_undo_the_restore(saved, empty, monkeypatch):
    def write(connection, table, out=None, real=backup.dumping.write):
        if table == "partners":
            connection.execute("ALTER TABLE partners DISABLE TRIGGER USER")
            connection.execute("DELETE FROM partners WHERE seq = 1")
        return real(connection, table, out)

    monkeypatch.setattr(backup.dumping, "write", write)
    with pytest.raises(SourceError, match=r"Table partners holds .* the backup says"):
        backup.restore(empty, saved, actor="tests")
    assert is_untouched(empty)


def test_a_table_that_is_not_ours_is_in_the_file_and_named(source, empty, embedded_server, tmp_path):
    with psycopg.connect(source.database_url) as connection:
        connection.execute("CREATE TABLE remarks (id int PRIMARY KEY, said text)")
        connection.execute("INSERT INTO remarks VALUES (1, 'x')")
    try:
        backup.backup(source, tmp_path / "b.zip", actor="tests")
    finally:
        with psycopg.connect(source.database_url) as connection:
            connection.execute("DROP TABLE remarks")
    assert backup.restore(empty, tmp_path / "b.zip", actor="tests").skipped == ("remarks",)
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert archive.read("tables/remarks.copy") == b"1\tx\n"


def test_a_backup_of_the_first_schema_is_brought_forward(source, empty, embedded_server, tmp_path):
    create_database(embedded_server.admin_url, "first", owner=ROLE)
    url = database_url(embedded_server.url, "first")
    migrate.to(url, "0001")
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO batch (table_name, key, source, actor, recorded_at, n_rows, content_hash)"
            " VALUES ('terms', 'k', 's', 'a', '2025-01-01', 1, 'h')"
        )
        connection.execute(
            "INSERT INTO terms (term, lang, isic, batch_id, recorded_at) VALUES ('cảng', 'vi', '{H}', 1, '2025-01-01')"
        )
    backup.backup(replace(source, database_url=url), tmp_path / "b.zip", actor="tests")
    drop_database(embedded_server.admin_url, "first")
    done = backup.restore(empty, tmp_path / "b.zip", actor="tests")
    assert (done.database, done.now) == ("0001", schema.HEAD)
    with Store.open(empty.database_url) as store:
        assert store.read("terms")["term"].to_list() == ["cảng"]
        assert not store.migrate()


def test_an_empty_database_has_nothing_to_back_up(empty, tmp_path):
    with pytest.raises(SourceError, match="is empty"):
        backup.backup(empty, tmp_path / "b.zip", actor="tests")
    assert list(tmp_path.glob("*.zip")) == []


def test_the_commands_say_what_they_did(source, empty, tmp_path):
    from typer.testing import CliRunner

    from matcher.cli import app

    def run(site, *words):
        env = {"MATCHER_DATABASE_URL": site.database_url, "MATCHER_DATA_DIR": str(site.data_dir)}
        return CliRunner().invoke(app, list(words), env=env)

    file = str(tmp_path / "b.zip")
    made = run(source, "backup", file)
    assert made.exit_code == 0, made.output
    assert "keep it as safe as the database" in " ".join(made.stdout.split())
    assert run(source, "backup", file).exit_code == 1
    assert run(source, "restore", file).exit_code == 1
    shutil.rmtree(empty.data_dir, ignore_errors=True)
    restored = run(empty, "restore", file)
    assert restored.exit_code == 0, restored.output
    assert f"in use: {ENGINE}" in " ".join(restored.stdout.split())
    told = run(source, "backup", file, "--force", "--format", "json")
    assert json.loads(told.stdout)["engine"] == ENGINE
