"""Bad requests: each is refused with the field, what was seen, what is expected, and the code of the one table."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_desk import OFFICER, SECRET, open_fake
from fake_matchmaker import FakeMatchmaker
from fastapi import FastAPI
from starlette.testclient import TestClient

from api import app as application
from api import shapes
from api.answers import PROBLEM_TYPE
from api.security import HEADERS, LOOPBACK, MAX_BODY_BYTES, host_name
from api.service import MAX_WAITING, Service
from matcher import errors

JSON = {"content-type": "application/json"}
DOCS = Path(__file__).parents[2] / "docs" / "api.md"


def problem(answer: object, status: int, kind: str) -> shapes.Problem:
    assert answer.status_code == status, answer.text  # type: ignore[attr-defined]
    assert answer.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    told = shapes.Problem.model_validate_json(answer.content)  # type: ignore[attr-defined]
    assert told.type == PROBLEM_TYPE + kind
    assert told.status == status
    assert told.title
    assert told.detail
    return told


@pytest.mark.parametrize(
    ("path", "nearby"),
    [
        ("/v1/projects/HCMC-01", "HCMC-001"),
        ("/v1/projects/can gio", "HCMC-001"),
        ("/v1/partners/P288437f", "P288437fb"),
        ("/v1/missions/jakarta", "id-jakarta"),
        ("/v1/projects/HCMC-01/matches", "HCMC-001"),
        ("/v1/projects/HCMC-001/partners/nobody/explanation", "P288437fb"),
    ],
)
def test_unknown_id_names_what_is_nearby(client: TestClient, path: str, nearby: str) -> None:
    told = problem(client.get(path), 404, "not-found")
    assert told.instance == path.replace(" ", "%20") or told.instance == path
    assert any(n.startswith(nearby) for n in told.nearby)
    assert nearby in told.detail


@pytest.mark.parametrize(
    ("path", "pointer", "expected"),
    [
        ("/v1/projects?secto=x", "?secto", "did you mean sector"),
        ("/v1/partners?Country=JP", "?Country", "did you mean country"),
        ("/v1/projects/HCMC-001?x=1", "?x", "no parameter"),
        ("/v1/projects/HCMC-001/matches?limit=1", "?limit", "one of n, cursor"),
        ("/v1/engines?n=1", "?n", "no parameter"),
        ("/v1/projects?n=0", "?n", "greater than or equal to 1"),
        ("/v1/projects?n=201", "?n", "less than or equal to 200"),
        ("/v1/projects?n=many", "?n", "a whole number"),
        ("/v1/projects?q=", "?q", "at least 1 character"),
        ("/v1/projects?q=%E2%80%8B", "?q", "a word"),
        ("/v1/projects?green=perhaps", "?green", "true or false"),
        ("/v1/projects?format=pdf", "?format", "'json', 'csv' or 'xlsx'"),
        ("/v1/projects?status=open", "?status", "calling"),
        ("/v1/projects?value_usd_min=nan", "?value_usd_min", "a number"),
        ("/v1/partners?ticket_usd=-5", "?ticket_usd", "greater than 0"),
        ("/v1/partners?country=Japan", "?country", "JP (Japan)"),
        ("/v1/partners?country=Nhat Ban", "?country", "JP (Japan)"),
        ("/v1/partners?sector=prots", "?sector", "ports_logistics"),
        ("/v1/partners?sector=water", "?sector", "water_wastewater"),
        ("/v1/partners?kind=companies", "?kind", "company"),
        ("/v1/partners?region=Asean countries", "?region", "ASEAN"),
        ("/v1/countries/Frence/matches", "/iso2", "FR (France)"),
        ("/v1/countries/XX/matches", "/iso2", "ISO 3166-1 alpha-2"),
        ("/v1/projects/HCMC-001/matches?country=KOR", "?country", "KR (Republic of Korea)"),
        ("/v1/projects/HCMC-001/matches?as_of=2026", "?as_of", "a date as YYYY-MM-DD"),
        ("/v1/projects/HCMC-001/matches?lang=fr", "?lang", "'vi' or 'en'"),
    ],
)
def test_unusable_parameter_names_what_is_expected(client: TestClient, path: str, pointer: str, expected: str) -> None:
    told = problem(client.get(path), 422, "input")
    assert [e.pointer for e in told.errors] == [pointer]
    assert expected in told.errors[0].expected


@pytest.mark.parametrize(
    "path",
    ["/v1/activities", "/v1/commitments", "/v1/relations", "/v1/allocation", "/v1/forecast",
     "/v1/digest",
     "/v1/projects/HCMC-001/brief", "/docs", "/redoc", "/v1/projects/", "/v1"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_comes_later_is_not_there(client: TestClient, method: str, path: str) -> None:
    problem(client.request(method, path), 404, "no-such-address")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/partners"), ("PATCH", "/v1/partners/Pjp"), ("GET", "/v1/match")]
)
def test_wrong_method_names_the_right_one(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    problem(answer, 405, "method")
    assert answer.headers["allow"] in ("GET", "POST")


@pytest.mark.parametrize("body", [b"", b"{", b'{"text": "a"', b"\xff\xfe", b'{"text": "a"} x', b"[" * 60_000])
def test_body_that_is_not_json(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/match", content=body, headers=JSON)
    assert answer.status_code in (400, 422)
    told = shapes.Problem.model_validate_json(answer.content)
    assert told.detail


def test_half_a_surrogate_pair_is_refused_and_told_in_plain_json(client: TestClient) -> None:
    answer = client.post("/v1/match", content=b'{"text": "a \\ud800"}', headers=JSON)
    assert [e.pointer for e in problem(answer, 422, "input").errors] == ["/text"]
    problem(client.post("/v1/match", content=b'{"text": "a", "x\\udfff": 1}', headers=JSON), 422, "input")


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=utf-16"]
)
def test_other_content_types_are_refused(client: TestClient, media: str) -> None:
    answer = client.post("/v1/match", content=b'{"text": "a"}', headers={"content-type": media})
    problem(answer, 415, "content-type")


def test_large_body_is_refused_with_and_without_a_declared_length(client: TestClient) -> None:
    body = json.dumps({"text": "a" * MAX_BODY_BYTES}).encode()
    problem(client.post("/v1/match", content=body, headers=JSON), 413, "too-large")
    chunks = (body[i : i + 50_000] for i in range(0, len(body), 50_000))
    problem(client.post("/v1/match", content=chunks, headers=JSON), 413, "too-large")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "localhost:x", "", "["]
)
def test_other_hosts_are_refused(client: TestClient, host: str) -> None:
    problem(client.get("/healthz", headers={"host": host}), 400, "host")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:8000", "[::1]"])
def test_loopback_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 200
    assert host_name(host) in LOOPBACK


@pytest.mark.parametrize(
    "path", ["/v1/projects", "/v1/nothing", "/healthz", "/static/style.css", "/", "/v1/projects?x=1"]
)
def test_every_answer_carries_the_security_headers_and_an_id(client: TestClient, path: str) -> None:
    answer = client.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert len(answer.headers["x-request-id"]) == 32
    assert client.get(path, headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get(path, headers={"x-request-id": "a b\tc"}).headers["x-request-id"] != "a b\tc"


def test_head_gives_the_headers_of_get_without_a_body(client: TestClient) -> None:
    got, head = client.get("/v1/projects"), client.head("/v1/projects")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"]


def test_long_answers_are_compressed(client: TestClient) -> None:
    answer = client.get("/v1/projects", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["vary"]


def test_every_error_class_has_its_code() -> None:
    ours = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.MatcherError)]
    assert set(ours) <= set(application.CODES)
    codes = {c.__name__: application.CODES[c].status for c in ours}
    assert codes == {
        "MatcherError": 422, "InputError": 422, "NotFoundError": 404, "ConflictError": 409, "SourceError": 503,
        "StaleArtefactError": 503, "ForbiddenError": 403,
    }  # fmt: skip


def test_missing_engine_is_503_with_the_way_out_and_records_stay_readable(
    world: FakeMatchmaker, client: TestClient
) -> None:
    def no_engine(*_: object, **__: object) -> None:
        raise errors.SourceError("No engine has been fitted; run `matcher fit`.")

    world.match = no_engine  # type: ignore[assignment, method-assign]
    told = client.get("/v1/projects/HCMC-001/matches")
    assert "matcher fit" in problem(told, 503, "source").detail
    assert told.headers["retry-after"] == "5"
    assert client.get("/v1/projects/HCMC-001").status_code == 200
    page = client.get("/projects/HCMC-001", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "Chưa xếp hạng được." in page.text
    assert "Quản trị viên cần huấn luyện lại mô hình." in page.text
    assert "Chưa làm được việc này" not in page.text


def test_readiness_tells_what_is_wrong(world: FakeMatchmaker, client: TestClient) -> None:
    assert client.get("/readyz").json()["status"] == "ready"
    world.problems["model"] = "The model folder is damaged; run `matcher init`."
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "checks": {"database": "ok", "artefact": "ok", "model": "The model folder is damaged; run `matcher init`.",
                   "schema": "ok"},
    }  # fmt: skip


def over(make: Callable[[], FakeMatchmaker]) -> FastAPI:
    """The application over what `make` opens."""
    return application.create_app(make, desk=open_fake, hosts=("testserver",), secret=SECRET)


def test_service_recovers_when_the_database_comes_back() -> None:
    tries = [errors.SourceError("The database does not answer."), errors.SourceError("The database does not answer.")]

    def make() -> FakeMatchmaker:
        if tries:
            raise tries.pop()
        return FakeMatchmaker()

    with TestClient(over(make), headers=OFFICER) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert client.get("/v1/projects").status_code == 200


def test_unforeseen_error_shows_no_inner_detail(world: FakeMatchmaker, client: TestClient) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("password=hunter2")

    world.match = broken  # type: ignore[assignment, method-assign]
    answer = client.get("/v1/projects/HCMC-001/matches")
    told = problem(answer, 500, "crash")
    assert "hunter2" not in answer.text
    assert answer.headers["x-request-id"] in told.detail


def test_too_many_waiting_requests_are_told_to_come_back(client: TestClient) -> None:
    service: Service = client.app.state.service  # type: ignore[attr-defined]

    class Full:
        def statistics(self) -> object:
            return type("Statistics", (), {"tasks_waiting": MAX_WAITING})()

    service._limiter = Full()  # type: ignore[assignment]
    answer = client.get("/v1/projects")
    problem(answer, 503, "busy")
    assert answer.headers["retry-after"] == "5"
    assert client.get("/healthz").status_code == 200


def test_matchmaker_is_closed_with_the_application(world: FakeMatchmaker) -> None:
    with TestClient(over(lambda: world), headers=OFFICER) as client:
        client.get("/v1/projects")
    assert world.closed


def test_every_problem_type_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    kinds = [c.kind for c in (*application.CODES.values(), *application.HTTP_CODES.values())]
    for kind in {*kinds, application.JSON_CODE.kind, application.CRASH_CODE.kind, "host"}:
        assert f"`{PROBLEM_TYPE}{kind}`" in text
