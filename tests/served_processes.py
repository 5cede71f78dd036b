"""`matcher serve` as an operator runs it: processes of its own on a free port of this machine."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli_processes import command


@dataclass(frozen=True)
class Answer:
    """One answer; `body` is JSON where it is one."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Serving:
    """The running server."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def ask(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        content: Any = None,
        timeout: float = 60,
        **headers: str,
    ) -> Answer:
        """One request on a connection of its own; OSError and HTTPException where the server goes away."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        if content is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if content is None else json.dumps(content).encode(), sent)
            answer = connection.getresponse()
            body = answer.read()
            media = answer.headers.get_content_type()
            known = json.loads(body) if media.endswith("json") and body else body
            return Answer(status=answer.status, headers=dict(answer.headers), body=known)
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """Process numbers of the workers that answer requests."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if (
                    entry.name.isdigit()
                    and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == self.process.pid
                ):
                    line = (entry / "cmdline").read_bytes()
                    if b"resource_tracker" not in line:
                        found.append(int(entry.name))
            except (OSError, IndexError, ValueError):
                continue
        return sorted(found)

    def wait(self, seconds: float = 90) -> None:
        """The server answers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]
            try:
                if self.ask("GET", "/healthz", timeout=5).status == 200:
                    return
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
        raise AssertionError(f"the server does not answer: {self.log.read_text(errors='replace')[-2000:]}")


@contextmanager
def serve(env: Mapping[str, str], folder: Path, *, workers: int = 1) -> Iterator[Serving]:
    """`matcher serve` runs; ended with SIGTERM, which it must obey."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command("serve", "--port", str(port), "--workers", str(workers)),
            env={**os.environ, "MATCHER_DATA_DIR": str(folder), "OMP_NUM_THREADS": "1", **env}, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    serving = Serving(port=port, process=process, log=log)
    try:
        serving.wait()
        yield serving
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
