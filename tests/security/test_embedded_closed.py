"""Nobody but the OS user who owns the embedded server can reach it, and nobody connects without a password."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from databases import reachable_folder

from matcher.store import places
from matcher.store.embedded import EmbeddedServer

NOBODY = 65534
PROBE = """
import json, os, socket, sys
os.setgroups([])
uid, gid = map(int, sys.argv[1].split(":"))
os.setgid(gid)
os.setuid(uid)
reached = []
for top in sys.argv[3:]:
    stack = [top]
    while stack:
        path = stack.pop()
        try:
            if os.path.isdir(path):
                stack += [os.path.join(path, name) for name in os.listdir(path)]
                reached.append(path)
            elif not os.path.basename(path).startswith(".s."):
                open(path, "rb").read(1)
                reached.append(path)
        except OSError:
            pass
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[2])
    reached.append(sys.argv[2])
except OSError:
    pass
print(json.dumps(reached))
"""


@pytest.fixture(scope="module", params=["short", "long", "closed"])
def server(request):
    """A server whose socket lies beside its data, one whose socket lies elsewhere, one whose parents are closed."""
    with reachable_folder() as base:
        folder = base / "folder"
        folder.mkdir(mode=0o700 if request.param == "closed" else 0o755)
        data_dir = folder / ("x" * 110 if request.param == "long" else "data")
        parents = {p: p.stat().st_mode for p in data_dir.parents}
        shared = places.SHARED
        places.SHARED = base / "shared"
        try:
            with EmbeddedServer.start(data_dir) as started:
                started.parents_before = parents
                yield started
        finally:
            places.SHARED = shared


def paths(server):
    status = server.status()
    return str(status.socket / ".s.PGSQL.5432"), *map(str, (status.socket, server.place.home, server.place.server))


def probe(uid, gid, *arguments):
    # Changes its user once it runs: the interpreter may lie behind closed folders.
    words = [sys.executable, "-I", "-S", "-c", PROBE, f"{uid}:{gid}", *arguments]
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd="/")
    return json.loads(done.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another OS user")
def test_another_os_user_can_neither_connect_nor_read_a_file(server):
    assert probe(NOBODY, NOBODY, *paths(server)) == []
    assert paths(server)[0] in probe(server.place.uid, server.place.gid, *paths(server)), (
        "the probe does connect when it may"
    )


def test_every_file_and_folder_is_closed_to_others(server):
    status = server.status()
    for top in {server.place.home, server.place.server, status.socket}:
        for path in [top, *top.rglob("*")]:
            info = path.lstat()
            allowed = 0o710 if path in (server.place.home, server.place.server) else 0o700
            assert stat.S_IMODE(info.st_mode) & ~allowed == 0, path
            assert info.st_uid in (os.geteuid(), server.place.owner), path


def test_the_permissions_of_parents_are_unchanged(server):
    assert {p: p.stat().st_mode for p in server.parents_before} == server.parents_before


def test_passwords_are_the_caller_s_alone(server):
    files = list(server.place.home.glob("*.password"))
    assert {f.name for f in files} == {"postgres.password", "matcher.password"}
    for file in files:
        assert (file.stat().st_uid, file.stat().st_mode & 0o777) == (os.geteuid(), 0o600)
        assert len(file.read_text()) >= 40


def test_every_kind_of_connection_and_every_role_needs_its_password(server):
    with psycopg.connect(server.admin_url) as connection:
        rules = connection.execute("SELECT type, auth_method, error FROM pg_hba_file_rules").fetchall()
        assert rules == [("local", "scram-sha-256", None)]
        roles = connection.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin").fetchall()
        assert {name for name, _ in roles} == {"postgres", "matcher"}
        assert all(stored.startswith("SCRAM-SHA-256$") for _, stored in roles)


@pytest.mark.parametrize("role", ["postgres", "matcher"])
@pytest.mark.parametrize("password", [None, "", "postgres"])
def test_a_wrong_or_missing_password_is_refused(server, role, password):
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=str(server.status().socket), user=role, dbname="matcher", password=password)


def test_the_server_listens_on_no_network_and_syncs_to_disk(server):
    with psycopg.connect(server.admin_url) as connection:

        def shown(name):
            return connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0]

        assert shown("listen_addresses") == ""
        assert int(shown("unix_socket_permissions"), 8) == 0o700
        assert shown("fsync") == "on"
        assert shown("full_page_writes") == "on"
        assert shown("password_encryption") == "scram-sha-256"


def test_the_product_s_role_is_no_superuser_and_cannot_run_programs(server):
    with psycopg.connect(server.url) as connection:
        assert (
            connection.execute(
                "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            == (False,) * 4
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY (SELECT 1) TO PROGRAM 'id'")


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's server runs as himself")
def test_the_server_of_root_runs_as_a_user_without_a_shell(server):
    import pwd

    entry = pwd.getpwnam(places.SERVER_USER)
    assert Path(f"/proc/{server.status().pid}").stat().st_uid == entry.pw_uid != 0
    assert entry.pw_shell == "/usr/sbin/nologin"
    groups = [
        line
        for line in Path(f"/proc/{server.status().pid}/status").read_text().splitlines()
        if line.startswith("Groups:")
    ]
    assert groups == ["Groups:\t "], "no group of root is left"
