"""How much, how long and how slowly: what is over a limit is told to come back, and nobody else is held up."""

import asyncio
import time
from contextlib import nullcontext
from typing import Any

import pytest
from fake_desk import OFFICER, SECRET, FakeDesk
from fake_matchmaker import FakeMatchmaker
from starlette.testclient import TestClient

from api import limits
from api.app import create_app
from api.security import FILE_PATHS, MAX_BODY_BYTES, MAX_FILE_BYTES, most_bytes
from matcher.errors import SourceError


def opened(world: FakeMatchmaker, rate: float = 0) -> TestClient:
    app = create_app(
        lambda: world,
        desk=lambda: nullcontext(FakeDesk()),
        hosts=("testserver",),
        secret=SECRET,
        rate=rate,  # type: ignore[arg-type]
    )
    return TestClient(app, headers=OFFICER)


def kind(answer: Any) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


def test_a_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    buckets = limits.Buckets(2.0, 4.0)
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0, 1]
    assert buckets.take("b") == 0
    now[0] += 0.4
    assert buckets.take("a") == 1
    now[0] += 0.1  # a refusal costs nothing
    assert buckets.take("a") == 0
    now[0] += 1_000
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0, 1]
    assert [limits.Buckets(0, 0).take("a") for _ in range(100)] == [0] * 100


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REMEMBERED", 3)
    buckets = limits.Buckets(1.0, 1.0)
    for name in "abcd":
        buckets.take(name)
    assert list(buckets._left) == ["b", "c", "d"]


def test_an_account_that_sends_too_much_is_told_when_to_come_back(world: FakeMatchmaker) -> None:
    with opened(world, rate=0.5) as client:
        first = [client.get("/v1/sectors").status_code for _ in range(2)]
        assert first == [200, 200]
        refused = client.get("/v1/sectors")
        assert (refused.status_code, kind(refused)) == (429, "too-many")
        assert 1 <= int(refused.headers["retry-after"]) <= 2
        other = {"Authorization": "Bearer admin-key"}
        assert client.get("/v1/sectors", headers=other).status_code == 200
        assert client.get("/", headers={"accept": "text/html"}).status_code == 429


def test_strangers_are_counted_by_address(world: FakeMatchmaker) -> None:
    with opened(world, rate=0.5) as client:
        app, nobody = client.app, {"Authorization": ""}
        found = [client.get("/v1/sectors", headers=nobody).status_code for _ in range(3)]
        assert found == [401, 401, 429]
        assert client.get("/v1/sectors").status_code == 200  # somebody who is known, at the same address
        elsewhere = TestClient(app, client=("192.0.2.7", 1))
        assert elsewhere.get("/v1/sectors").status_code == 401


def test_wrong_passwords_from_one_address_end_in_429(world: FakeMatchmaker, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    before = FakeDesk.sign_in

    def sign_in(self: FakeDesk, login: str, password: str, **more: Any) -> Any:
        tried.append(login)
        return before(self, login, password, **more)

    monkeypatch.setattr(FakeDesk, "sign_in", sign_in)
    with opened(world) as client:
        body = {"login": "city.office", "password": "not the right one"}
        found = [client.post("/v1/session", json=body).status_code for _ in range(limits.FAILURES + 1)]
        assert found == [401] * limits.FAILURES + [429]
        assert len(tried) == limits.FAILURES  # a password that may not be tried is not looked at
        refused = client.post("/v1/session", json=body)
        assert 1 <= int(refused.headers["retry-after"]) <= 6
        elsewhere = TestClient(client.app, client=("192.0.2.7", 1))
        assert elsewhere.post("/v1/session", json=body).status_code == 401


def test_an_answer_that_takes_too_long_is_given_up_and_others_go_on(
    world: FakeMatchmaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.3)
    match = world.match

    def slow(*given: Any, **more: Any) -> Any:
        time.sleep(1.0)
        return match(*given, **more)

    world.match = slow  # type: ignore[method-assign]
    with opened(world) as client:
        started = time.monotonic()
        answer = client.get("/v1/partners/Pjp/matches")
        assert (answer.status_code, kind(answer)) == (503, "timeout")
        assert answer.headers["x-request-id"]
        assert answer.headers["retry-after"] == "5"
        assert client.get("/v1/sectors").status_code == 200
        assert time.monotonic() - started < 5


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch, world: FakeMatchmaker) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    app = opened(world).app
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not sent:
            sent.append(1)
            return {"type": "http.request", "body": b'{"te', "more_body": True}
        await asyncio.sleep(30)
        raise AssertionError

    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    headers = {"host": "testserver", "content-type": "application/json", "authorization": "Bearer officer-key"}
    scope = {
        "type": "http", "method": "POST", "path": "/v1/match", "raw_path": b"/v1/match", "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()], "client": ("127.0.0.1", 1),
        "server": ("testserver", 80), "scheme": "http", "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    asyncio.run(asyncio.wait_for(app(scope, receive, send), 10))  # type: ignore[arg-type]
    assert told[0]["status"] == 503
    assert b"urn:matcher:problem:timeout" in told[1]["body"]


def test_files_may_be_larger_than_other_bodies(world: FakeMatchmaker) -> None:
    assert MAX_FILE_BYTES == 20 * MAX_BODY_BYTES == 20 << 20
    assert {most_bytes(p) for p in (*FILE_PATHS, "/v1/imports/1/commit")} == {MAX_FILE_BYTES}
    assert {most_bytes(p) for p in ("/v1/match", "/", "/v1/importsx", "/x/imports")} == {MAX_BODY_BYTES}
    with opened(world) as client:
        large = b"a" * (MAX_BODY_BYTES + 1)
        assert client.post("/v1/match", content=large).status_code == 413
        assert client.post("/v1/imports", content=large).status_code != 413
        assert client.post("/v1/imports", headers={"content-length": str(MAX_FILE_BYTES + 1)}).status_code == 413


def test_a_database_that_is_away_is_no_wrong_password(world: FakeMatchmaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise SourceError("The database does not answer.")

    monkeypatch.setattr(FakeDesk, "sign_in", away)
    with opened(world) as client:
        body = {"login": "city.office", "password": "not the right one"}
        found = {client.post("/v1/session", json=body).status_code for _ in range(limits.FAILURES + 5)}
        assert found == {503}
