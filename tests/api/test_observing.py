"""Logs and numbers: they tell what was done by whom, and nothing of what was asked."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fake_desk import KEYS, OFFICER, FakeDesk
from fake_matchmaker import FakeMatchmaker
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from api import observing, sampling
from api.service import Service
from matcher.errors import SourceError


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the program writes on stderr once its logs are set up."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    observing.configure("info")
    yield written
    root.handlers, root.level = handlers, level
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "psycopg.pool"):
        logging.getLogger(name).disabled = False
    for name in ("api", "matcher", "uvicorn"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def requests(log: io.StringIO) -> list[dict[str, Any]]:
    return [line for line in lines(log) if line["event"] == "request"]


def test_one_line_per_request_tells_what_was_done_by_whom(log: io.StringIO, client: TestClient) -> None:
    client.get("/v1/projects/HCMC-001/matches?n=2", headers={"x-request-id": "abc"})
    [line] = requests(log)
    assert {k: line[k] for k in ("request_id", "method", "route", "status", "account", "role", "level", "logger")} == {
        "request_id": "abc", "method": "GET", "route": "/v1/projects/{project_id}/matches", "status": 200,
        "account": "u11", "role": "officer", "level": "info", "logger": "api.request",
    }  # fmt: skip
    assert line["ms"] > 0
    assert line["bytes"] > 100
    assert line["timestamp"].endswith("Z")


def test_a_whole_walk_leaves_nothing_of_persons_partners_or_questions(
    log: io.StringIO, client: TestClient, world: FakeMatchmaker
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("secretword in an error") from ValueError("Nippon Water")

    for path in (
        "/v1/partners?q=Nippon", "/v1/partners/Pjp", "/v1/partners/Nippon%20Water", "/partners/Pjp",
        "/projects?q=secretword",
        "/v1/missions/id-jakarta/matches", "/static/style.css", "/static/secretword", "/secretword", "/openapi.json",
        "/v1/projects?secretword=1", "/readyz", "/metrics", "/sign-in?next=/secretword",
    ):  # fmt: skip
        client.get(path)
    client.post("/v1/match", json={"text": "secretword in a question"})
    client.post("/v1/session", json={"login": "jakarta.desk", "password": "secretword-password"})
    client.get("/v1/projects", headers={"Authorization": "Bearer unknown-key-secretword"})
    world.match = crash  # type: ignore[assignment, method-assign]
    assert client.get("/v1/partners/Pjp/matches").status_code == 500
    text = log.getvalue()
    for word in (
        "secretword", "Nippon", "日本", "jakarta.desk", "city.office", "officer-key", "unknown-key", "Pjp",
        "id-jakarta", "testclient",
    ):  # fmt: skip
        assert word not in text, word
    assert all(key not in text for key in KEYS)
    assert len(requests(log)) == 18
    assert {r["route"] for r in requests(log)} >= {"none", "/static", "/v1/match", "/partners/{partner_id}"}
    [failure] = [line for line in lines(log) if "exception" in line]
    assert [e["class"] for e in failure["exception"]] == ["RuntimeError", "ValueError"]
    assert any("crash" in frame for frame in failure["exception"][0]["at"])


def test_lines_of_the_server_and_the_pool_have_the_same_form(log: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").info("Started %s", "x", extra={"color_message": "\x1b[1m"})
    logging.getLogger("psycopg.pool").warning("a connection is gone")
    logging.getLogger("uvicorn.access").info('127.0.0.1 - "GET /?q=secret"')
    assert [(line["logger"], line["event"], line["level"]) for line in lines(log)] == [
        ("uvicorn.error", "Started x", "info"),
        ("psycopg.pool", "a connection is gone", "warning"),
    ]
    assert "color_message" not in log.getvalue()


def test_the_level_leaves_out_what_is_less(
    log: io.StringIO, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", log)  # the test runner takes it for itself after the fixtures
    observing.configure("warning")
    client.get("/healthz")
    assert not requests(log)
    observing.configure("info")
    client.get("/healthz")
    assert len(requests(log)) == 1


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_libraries_are_heard_from_warnings_on_whatever_level_they_give_themselves(
    log: io.StringIO, level: observing.Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", log)
    observing.configure(level)
    library = logging.getLogger("somebodys.library")
    library.setLevel(logging.DEBUG)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        library.log(number, "query=secret")
        logging.getLogger("matcher.tests").log(number, "ours")
    heard = [(line["logger"], line["level"]) for line in lines(log)]
    every = ["debug", "info", "warning", "error"]
    assert [told for name, told in heard if name == "matcher.tests"] == every[every.index(level) :]
    assert [told for name, told in heard if name == "somebodys.library"] == every[max(2, every.index(level)) :]


def value(text: str, name: str, **labels: str) -> float:
    found = [
        s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if s.name == name and labels.items() <= s.labels.items()
    ]
    return sum(found)


def numbers() -> str:
    return observing.metrics()[0].decode()


def test_requests_are_counted_by_template_method_and_kind_of_answer(client: TestClient) -> None:
    route = "/v1/projects/{project_id}"
    before = numbers()
    client.get("/v1/projects/HCMC-001")
    client.get("/v1/projects/HCMC-002")
    client.get("/v1/projects/none")
    after = numbers()

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("matcher_requests_total", route=route, method="GET", status="2xx") == 2
    assert grown("matcher_requests_total", route=route, method="GET", status="4xx") == 1
    assert grown("matcher_request_seconds_count", route=route) == 3
    assert value(after, "matcher_in_flight") == 0
    assert "HCMC" not in after


def test_lists_and_refusals_are_counted(client: TestClient, desk: FakeDesk) -> None:
    before = numbers()
    client.get("/v1/projects/HCMC-001/matches")

    def away(lists: object) -> list[int]:
        raise SourceError("away")

    desk.log_exposures = away  # type: ignore[method-assign]
    client.get("/v1/projects/HCMC-001/matches")
    after = numbers()
    assert value(after, "matcher_exposures_total") - value(before, "matcher_exposures_total") == 1
    refused = [value(t, "matcher_refused_total", status="503") for t in (before, after)]
    assert refused[1] - refused[0] == 1


def test_only_administrators_read_the_numbers_from_elsewhere(client: TestClient) -> None:
    far = TestClient(client.app, client=("203.0.113.9", 1), base_url="http://testserver")
    assert far.get("/metrics", headers=OFFICER).status_code == 403
    assert far.get("/metrics").status_code == 401
    answer = far.get("/metrics", headers={"Authorization": "Bearer admin-key"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "matcher_requests_total" in answer.text
    local = TestClient(client.app, client=("127.0.0.1", 1), base_url="http://testserver")
    assert local.get("/metrics").status_code == 200
    assert local.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 400
    assert OFFICER["Authorization"] not in local.get("/metrics").text


def test_what_stands_is_measured() -> None:
    class Pool(FakeDesk):
        def stats(self) -> dict[str, int]:
            return {"pool_size": 3, "pool_available": 2, "requests_waiting": 1}

    world = FakeMatchmaker()
    world.store.revision_number = 9

    def opened() -> Any:
        return type("O", (), {"key": type("K", (), {"revision": 7}), "catalogue": type("C", (), {"engine": "e-7"})})

    world.opened = opened  # type: ignore[attr-defined]
    service = Service(lambda: world, open_pool(Pool()))
    sampling.measure(service)  # nothing is open: nothing is measured and nothing is opened
    assert service.present == (None, None)
    _ = service.desk, service.matchmaker
    sampling.measure(service)
    text = numbers()
    assert [value(text, "matcher_pool_connections", state=s) for s in ("open", "free", "waiting")] == [3, 2, 1]
    assert value(text, "matcher_revision_lag") == 2
    assert value(text, "matcher_engine_info", engine="e-7") == 1
    service.close()


def open_pool(pool: FakeDesk) -> Any:
    from contextlib import nullcontext

    return lambda: nullcontext(pool)


def test_a_process_that_is_told_to_end_is_not_ready(client: TestClient) -> None:
    assert client.get("/readyz").status_code == 200
    client.app.state.service.closing = True  # type: ignore[attr-defined]
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["start"] == "The service is closing."
    assert client.get("/healthz").status_code == 200
