"""What the service tells about itself: one JSON line per request on stderr, and numbers for Prometheus.

Neither holds a name, a login, a key, an address or a word of what was asked: a request is known by the template of its
address, a caller by pseudonym and role.
"""

import contextlib
import logging
import logging.config
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Level = Literal["debug", "info", "warning", "error"]
OURS = ("api", "matcher", "uvicorn")
"""Loggers of the service itself; those of libraries are heard from warnings on."""
NOWHERE = "none"
"""Template of an address that no route has."""
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""Variable that names the folder where several workers put their numbers together."""

REGISTRY = CollectorRegistry()
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
REQUESTS = Counter("matcher_requests", "Answered requests", ["route", "method", "status"], registry=REGISTRY)
SECONDS = Histogram(
    "matcher_request_seconds", "Time from the request's head to the end of its answer", ["route"],
    buckets=_BUCKETS, registry=REGISTRY,
)  # fmt: skip
REFUSED = Counter("matcher_refused", "Requests that were told to come back", ["status"], registry=REGISTRY)
IN_FLIGHT = Gauge("matcher_in_flight", "Requests under way", multiprocess_mode="livesum", registry=REGISTRY)
WAITING = Gauge(
    "matcher_waiting", "Requests that wait for a worker thread", multiprocess_mode="livesum", registry=REGISTRY
)
EXPOSURES = Counter("matcher_exposures", "Lists of matches put on record", registry=REGISTRY)
POOL = Gauge(
    "matcher_pool_connections", "Database connections of the pool: open, free, and requests that wait for one",
    ["state"], multiprocess_mode="livesum", registry=REGISTRY,
)  # fmt: skip
LAG = Gauge(
    "matcher_revision_lag", "Batches of facts that are stored and not served yet, of the worker furthest behind",
    multiprocess_mode="livemax", registry=REGISTRY,
)  # fmt: skip
PAIRS_AGE = Gauge(
    "matcher_pair_set_age_seconds", "Age of the newest table of pairs that is whole; -1 without one",
    multiprocess_mode="livemax", registry=REGISTRY,
)  # fmt: skip
ENGINE = Gauge(
    "matcher_engine_info", "1 for the engine in use", ["engine"], multiprocess_mode="livemax", registry=REGISTRY
)

_engines: set[str] = set()
_log = logging.getLogger("api.request")


# --- logs -----------------------------------------------------------------------------------------------------------


def configure(level: Level = "info") -> None:
    """Every log line of this process is one JSON object on stderr, those of the server and the pool too."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _cause,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _plain,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    least = logging.getLevelNamesMapping()[level.upper()]
    of_others = max(least, logging.WARNING)  # below, libraries tell addresses and texts
    # The handler asks, too: a library that gives its logger a level of its own (bm25s: debug) passes by that of root.
    handler.addFilter(lambda r: r.levelno >= (least if r.name.partition(".")[0] in OURS else of_others))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(of_others)
    for name in OURS:
        logging.getLogger(name).setLevel(least)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "psycopg.pool"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    logging.getLogger("uvicorn.access").disabled = True  # it has raw addresses; our own line is instead of it


def _cause(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An exception becomes the classes of it and its causes and the lines where they were raised.

    Its message is left out: it may hold what somebody typed, or a row of the database.
    """
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    told: list[dict[str, Any]] = []
    while isinstance(error, BaseException) and len(told) < 10:
        frames = []
        at = error.__traceback__
        while at is not None:
            code = at.tb_frame.f_code
            frames.append(f"{Path(code.co_filename).name}:{at.tb_lineno} {code.co_name}")
            at = at.tb_next
        told.append({"class": type(error).__qualname__, "at": frames[-12:]})
        error = error.__cause__ or error.__context__
    if told:
        event["exception"] = told
    return event


def _plain(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Without what uvicorn adds for colour."""
    event.pop("color_message", None)
    return event


# --- requests -------------------------------------------------------------------------------------------------------


class Observed:
    """The outermost layer: counts and logs every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._known: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        started = time.perf_counter()
        status = sent = 0

        async def counted(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        IN_FLIGHT.inc()
        try:
            await self._app(scope, receive, counted)
        finally:
            IN_FLIGHT.dec()
            self._tell(scope["method"], scope["path"], state, status, sent, time.perf_counter() - started)

    def _tell(self, method: str, path: str, state: Mapping[str, Any], status: int, sent: int, seconds: float) -> None:
        route, method, kind = _template(state, path), _method(method), status // 100
        found = self._known.get((route, method, kind))
        if found is None:
            found = REQUESTS.labels(route, method, f"{kind}xx" if status else "cut"), SECONDS.labels(route)
            self._known[route, method, kind] = found
        found[0].inc()
        found[1].observe(seconds)
        if status in (429, 503):
            REFUSED.labels(str(status)).inc()
        caller = state.get("caller")
        told = {
            "request_id": state.get("request_id"), "method": method, "route": route, "status": status,
            "ms": round(seconds * 1000, 1), "bytes": sent,
            "account": None if caller is None else caller.pseudonym, "role": None if caller is None else caller.role,
        }  # fmt: skip
        _log.info("request", extra=told)


def _template(state: Mapping[str, Any], path: str) -> str:
    permission = state.get("permission")
    if permission is not None:
        return str(permission.path)
    return path if path in ("/openapi.json",) else "/static" if path.startswith("/static/") else NOWHERE


def _method(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS") else "other"


def tell_engine(name: str) -> None:
    """The engine in use; the one before is not any more."""
    for before in _engines - {name}:
        ENGINE.labels(before).set(0)
    _engines.add(name)
    ENGINE.labels(name).set(1)


# --- numbers --------------------------------------------------------------------------------------------------------


def metrics() -> tuple[bytes, str]:
    """The numbers of all workers in the text format of Prometheus, and its media type."""
    if DIRECTORY not in os.environ:
        return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
    gathered = CollectorRegistry()
    multiprocess.MultiProcessCollector(gathered)  # type: ignore[no-untyped-call]
    return generate_latest(gathered), CONTENT_TYPE_LATEST


def sweep() -> None:
    """What workers that are gone left behind of their present state is dropped; their counts stay."""
    folder = os.environ.get(DIRECTORY)
    for path in Path(folder).glob("gauge_live*_*.db") if folder else ():
        pid = path.stem.rpartition("_")[2]
        if pid.isdecimal() and not _alive(int(pid)):
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def shared_numbers() -> Iterator[None]:
    """Workers that are started inside put their numbers together, in a private folder that goes with the block."""
    before = os.environ.get(DIRECTORY)
    with tempfile.TemporaryDirectory(prefix="matcher-metrics-") as folder:
        os.environ[DIRECTORY] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[DIRECTORY]
            else:
                os.environ[DIRECTORY] = before
