"""Serving the page and the API: worker processes that are replaced when they die and that end what they began."""

import ipaddress
import os
import signal
import socket
import threading
from contextlib import suppress
from multiprocessing import connection, parent_process
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from api import observing
from api.app import create_app
from api.service import Service
from matcher.config import load
from matcher.errors import ConflictError, InputError, SourceError

LOOPBACK_PROXIES = "127.0.0.1,::1"
"""Whose X-Forwarded-For and X-Forwarded-Proto are believed."""
GRACE_SECONDS = 30
"""How long requests that run may take to their end after SIGTERM."""
KEEP_ALIVE_SECONDS = 20
CONNECTIONS = 1000
"""Connections of one worker; more are told to come back."""
SILENT_SECONDS = 30
"""A worker that does not move for so long is replaced."""


class _Workers(Multiprocess):
    """Workers and their supervisor, which knows whether it was told to end."""

    told = False

    def handle_int(self) -> None:
        """Ctrl-C."""
        self.told = True
        super().handle_int()

    def handle_term(self) -> None:
        """SIGTERM."""
        self.told = True
        super().handle_term()

    def terminate_all(self) -> None:
        """The workers end what runs; a client that comes now is refused at once, where it would wait for nothing."""
        super().terminate_all()
        for listening in self.sockets:
            listening.close()


def run(host: str, port: int, workers: int) -> None:
    """Serves until SIGTERM or Ctrl-C; then requests that run are finished and lists that wait are put on record.

    Raises:
        InputError: the address can be reached from other machines, and no host names are set.
        ConflictError: the port is taken.
        SourceError: the workers could not start.
    """
    settings = load()
    _check_address(host, settings.hosts)
    _check_port(host, port)
    observing.configure(settings.log_level)
    config = uvicorn.Config(
        "matcher.cli.serving:application", factory=True, host=host, port=port, workers=workers,
        log_config=None, access_log=False, server_header=False, ws="none", lifespan="on", http="api.limits:Careful",
        proxy_headers=True, forwarded_allow_ips=LOOPBACK_PROXIES, limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=SILENT_SECONDS,
    )  # fmt: skip
    if workers == 1:
        # uvicorn raises the signal once more when it has ended; that shall be no failure.
        signal.signal(signal.SIGTERM, _leave)
        server = uvicorn.Server(config)
        with suppress(KeyboardInterrupt):
            server.run()
        started = server.started
    else:
        with observing.shared_numbers():
            supervisor = _Workers(config, sockets=[config.bind_socket()])
            supervisor.run()
        started = supervisor.told
    if not started:
        raise SourceError("The service could not start; the log above says why.")


def application() -> FastAPI:
    """The application of one worker process, made from the settings."""
    observing.configure(load().log_level)
    app = create_app()
    _not_ready_when_told_to_end(app.state.service)
    _end_with_the_supervisor()
    return app


def _leave(_: int, __: FrameType | None) -> None:
    raise SystemExit(0)


def _not_ready_when_told_to_end(service: Service) -> None:
    """`/readyz` is 503 from the moment of the signal; the server's own handler still runs."""
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def told(seen: int, frame: FrameType | None, before: object = before) -> None:
            service.closing = True
            if callable(before):
                before(seen, frame)

        signal.signal(number, told)


def _end_with_the_supervisor() -> None:
    """A worker whose supervisor was killed ends, too: nobody would replace it or could stop it."""
    supervisor = parent_process()
    if supervisor is None:
        return

    def follow() -> None:
        connection.wait([supervisor.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="supervisor", daemon=True).start()


def _check_address(host: str, names: tuple[str, ...]) -> None:
    if not is_loopback(host) and not names:
        raise InputError(
            f"{host} can be reached from other machines, where passwords and keys would travel in clear. Serve on "
            "127.0.0.1 behind a proxy with TLS, and set MATCHER_HOSTS to the names under which it serves."
        )


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConflictError(
                f"Port {port} of {host} cannot be used ({error.strerror}); give another one with --port or PORT=."
            ) from error


def is_loopback(host: str) -> bool:
    """The address can be reached on this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
