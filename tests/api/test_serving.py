"""`matcher serve` as its user has it: real processes on loopback that are told to end, killed, and sent nonsense."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cli_processes import command, process

from matcher.store import accounts

SECONDS = 90


@dataclass
class Server:
    """A running service, with the key of an administrator."""

    process: subprocess.Popen[bytes]
    port: int
    key: str
    log: Path
    database: str
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.headers = dict(answer.headers)
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read()

    def known(self, path: str) -> tuple[int, bytes]:
        return self.get(path, Authorization=f"Bearer {self.key}")

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


def until(what: Callable[[], object], seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if what():
                return
        except (OSError, urllib.error.URLError):
            pass
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def serve(store_url: str, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts the service on a fresh database without facts."""
    with psycopg.connect(store_url) as connection, connection.cursor() as cursor:
        accounts.add(cursor, "keeper", role="admin", mission_id=None, may_export=True)
        key, _ = accounts.add_key(cursor, "keeper", label="test", scopes=("read", "write", "export", "admin"), days=1)
    running: list[Server] = []

    def start(workers: int = 1, **settings: str) -> Server:
        port, log = free_port(), tmp_path / f"log{len(running)}"
        env = os.environ | {"MATCHER_DATABASE_URL": store_url, "MATCHER_DATA_DIR": str(tmp_path / "data")} | settings
        with log.open("wb") as out:
            made = subprocess.Popen(
                command("serve", "--port", str(port), "--workers", str(workers)), env=env, stdout=out, stderr=out
            )
        running.append(Server(process=made, port=port, key=key, log=log, database=store_url))
        until(lambda: running[-1].get("/healthz")[0] == 200)
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.terminate()
            try:
                one.process.wait(60)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_lets_a_running_request_finish_and_ends_well(serve: Callable[..., Server], workers: int) -> None:
    server = serve(workers)
    assert server.known("/v1/session")[0] == 200
    time.sleep(1.5)  # the key is looked up anew after a second
    found: list[tuple[int, bytes]] = []
    with psycopg.connect(server.database) as connection:
        connection.execute("LOCK TABLE api_key IN ACCESS EXCLUSIVE MODE")
        asking = threading.Thread(target=lambda: found.append(server.known("/v1/session")))
        asking.start()
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert server.process.poll() is None
        assert not found
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
    asking.join(30)
    assert [status for status, _ in found] == [200]
    assert server.process.wait(40) == 0


def test_a_killed_worker_is_replaced_while_the_others_answer(serve: Callable[..., Server]) -> None:
    server = serve(2)
    until(lambda: len(server.workers()) == 2)
    first, second = server.workers()
    asked = [server.get("/healthz")[0] for _ in range(20)]
    assert asked == [200] * 20
    os.kill(first, signal.SIGKILL)
    until(lambda: len(server.workers()) == 2 and first not in server.workers())
    assert second in server.workers()
    until(lambda: server.get("/healthz")[0] == 200)

    def counted() -> bool:
        text = server.get("/metrics")[1].decode()
        found = re.search(r'matcher_requests_total\{method="GET",route="/healthz",status="2xx"\} ([\d.]+)', text)
        return found is not None and float(found[1]) >= 21  # those of the killed worker are counted still

    until(counted)
    assert not [p for p in server.workers() if p == first]


def test_workers_end_with_a_killed_supervisor(serve: Callable[..., Server]) -> None:
    server = serve(2)
    workers = server.workers()
    server.process.kill()
    server.process.wait()
    until(lambda: not any(Path(f"/proc/{p}").exists() for p in workers), 60)


def test_readiness_asks_everything(serve: Callable[..., Server]) -> None:
    server = serve()
    status, body = server.get("/readyz")
    checks = json.loads(body)["checks"]
    assert (status, checks["database"], checks["schema"]) == (503, "ok", "ok")
    assert "fit" in checks["artefact"]
    with psycopg.connect(server.database, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    assert "matcher init" in json.loads(server.get("/readyz")[1])["checks"]["schema"]


def test_numbers_are_for_this_machine_and_for_administrators(serve: Callable[..., Server]) -> None:
    server = serve()
    assert server.get("/metrics")[0] == 200
    assert server.get("/metrics", **{"X-Forwarded-For": "192.0.2.1"})[0] == 400, "no proxy was set up"
    behind = serve(MATCHER_HOSTS="invest.example")
    assert behind.get("/metrics", **{"X-Forwarded-For": "192.0.2.1"})[0] == 401
    assert behind.get("/metrics", **{"X-Forwarded-For": "127.0.0.1"})[0] == 401
    assert behind.get("/metrics", **{"X-Forwarded-For": "192.0.2.1", "Authorization": f"Bearer {behind.key}"})[0] == 200


def send(server: Server, *parts: bytes, pause: float = 0.0, wait: float = 5.0) -> bytes:
    """What the server answers until it closes the connection or is silent for `wait` seconds."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as client:
        heard = b""
        try:
            for part in parts:
                client.sendall(part)
                time.sleep(pause)
            while chunk := client.recv(65_536):
                heard += chunk
        except (TimeoutError, ConnectionError):
            pass
        return heard


def post(server: Server, *headers: str) -> bytes:
    lines = ["POST /v1/match HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {server.key}", *headers]
    return ("\r\n".join(["Content-Type: application/json" if h == "json" else h for h in lines]) + "\r\n\r\n").encode()


def test_nonsense_on_the_wire_is_refused_and_the_service_goes_on(serve: Callable[..., Server]) -> None:
    server = serve()
    large = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    heard = send(server, post(server, "json", "Transfer-Encoding: chunked"), *[large] * 20)
    assert heard.startswith(b"HTTP/1.1 413")
    assert send(server, post(server, "json", "Content-Length: 99999999999")).startswith(b"HTTP/1.1 413")
    assert send(server, post(server, "json", "Content-Length: -1")).startswith(b"HTTP/1.1 400")
    assert send(server, post(server, "json", "Content-Length: 2") + b"{}GARBAGE\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert send(server, b"\x16\x03\x01\x02\x00").startswith(b"HTTP/1.1 400")
    head = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    endless = [b"X-A: " + b"a" * 8_000 + b"\r\n"] * 20
    # The refusal may get lost where the connection is closed while the client still sends.
    assert send(server, head, *endless[:2], b"\r\n", pause=0.05, wait=2).startswith(b"HTTP/1.1 200")
    assert send(server, head, *endless, b"\r\n", pause=0.05, wait=2)[:12] in (b"HTTP/1.1 400", b"")
    assert server.get("/healthz")[0] == 200
    assert "server" not in {h.lower() for h in server.headers}


def test_clients_that_send_slowly_are_cut_off(serve: Callable[..., Server], tmp_path: Path) -> None:
    quick = tmp_path / "sitecustomize.py"
    quick.write_text(
        "import os\nif os.environ.get('QUICK'):\n"
        "    import api.limits as limits\n    limits.HEAD_SECONDS = limits.BODY_SECONDS = 1.0\n"
    )
    server = serve(QUICK="1", PYTHONPATH=str(tmp_path))
    started = time.monotonic()
    assert send(server, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ", wait=20) == b""
    assert send(server, b"", wait=20) == b""
    heard = send(server, post(server, "json", "Content-Length: 100") + b'{"te', wait=20)
    assert heard.startswith(b"HTTP/1.1 503")
    assert b"urn:matcher:problem:timeout" in heard
    assert time.monotonic() - started < 15
    assert server.get("/healthz")[0] == 200


def test_an_address_that_others_reach_needs_names(store_url: str, tmp_path: Path) -> None:
    env = {"MATCHER_DATABASE_URL": store_url, "MATCHER_DATA_DIR": str(tmp_path)}
    done = process(env, "serve", "--host", "0.0.0.0", "--port", str(free_port()))
    assert done.code == 1
    assert "MATCHER_HOSTS" in done.err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = process(env, "serve", "--port", str(taken.getsockname()[1]))
    assert refused.code == 1
    assert "--port" in refused.err
