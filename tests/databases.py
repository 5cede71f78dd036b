"""Databases and servers that tests make: fresh databases on a server, and a server that is not the embedded one."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from matcher.store import places


def database_url(url: str, name: str) -> str:
    """The same server and login, another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def create_database(admin_url: str, name: str, *, owner: str | None = None, template: str = "template1") -> None:
    """A database exists on the server; copied from the template."""
    with psycopg.connect(database_url(admin_url, "postgres"), autocommit=True) as connection:
        owner = owner or connection.info.user
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(*map(sql.Identifier, (name, template, owner)))
        )


def drop_database(admin_url: str, name: str) -> None:
    with psycopg.connect(database_url(admin_url, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder whose parents everyone may traverse, unlike pytest's: root's server stays in it."""
    folder = Path(tempfile.mkdtemp(prefix="matcher-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def tcp_server() -> Iterator[str]:
    """URL of a PostgreSQL server of the kind an administrator runs: on a loopback port, with a superuser's login."""
    with reachable_folder() as folder:
        place = places.prepare(folder)
        places.own_dir(place.cluster, place)
        secret = place.cluster.parent / "secret"
        secret.write_text("outside")
        secret.chmod(0o644)
        who = {"user": place.uid, "group": place.gid, "cwd": "/"}
        subprocess.run(
            [place.programs / "initdb", "-D", place.cluster, "-U", "boss", "--auth=scram-sha-256", f"--pwfile={secret}",
             "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
            check=True, capture_output=True, **who,
        )  # fmt: skip
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        words = [place.programs / "postgres", "-D", place.cluster, "-c", "listen_addresses=127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(
            [*words, "-c", "unix_socket_directories=", "-c", "fsync=off"], stderr=subprocess.PIPE, **who
        )
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if b"ready to accept connections" in line:
                    break
            yield f"postgresql://boss:outside@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.communicate()
