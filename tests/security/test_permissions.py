"""The matrix of permissions is walked whole: every address, every role, own and other offices' records.

What the cells mean is said in `api/permissions.py`. Records of the pipeline carry a word that only their office may
read; it is looked for in answers, exports, searches and pages of everybody else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from fake_desk import SECRET as SIGNING
from fake_desk import open_fake
from fake_matchmaker import FakeMatchmaker
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from offices import JP, KR, PORT, TOKYO, Offices

from api.app import create_app
from api.permissions import COLUMNS, matrix
from evaluation import kept
from evaluation.results import Report

WHO: dict[str, tuple[str | None, str]] = {
    "nobody": (None, "tokyo.second"),
    "mission_own": ("tokyo.desk", "tokyo.second"),
    "mission_other": ("uae.desk", "tokyo.second"),
    "officer_own": ("city.office", "city.second"),
    "officer_other": ("city.office", "tokyo.second"),
    "analyst": ("figures", "tokyo.second"),
    "admin": ("keeper", "tokyo.second"),
}
"""Column -> who asks, and whose record is asked for."""

REPORT = "engines"
"""The report that is kept."""
_CSV = b"partner_id,name,country,source\nnew-1,A new partner,JP,https://example.org/list\n"


@dataclass
class World:
    """The offices, and records of the pipeline that are made when a cell needs one."""

    offices: Offices
    ids: dict[tuple[str, str], Any] = field(default_factory=dict)
    number: Iterator[int] = field(default_factory=lambda: count(1))

    def word(self, owner: str, kind: str) -> str:
        return f"secret-{owner.replace('.', '-')}-{kind}"

    def body(self, kind: str, owner: str) -> dict[str, Any]:
        partner = JP if owner.startswith("tokyo") else KR
        pair = {"partner_id": partner, "project_id": f"HCMC-{next(self.number) % 9 + 1:03}"}
        word = self.word(owner, kind)
        return {
            "interactions": {**pair, "kind": "meeting", "held_on": "2026-11-01", "note": word},
            "shortlists": {**pair, "reason": word},
            "assignments": {
                "partner_id": partner, "lead": False, "stage": "lead", "status": "active", "next_step": word,
            },
            "outcomes": {**pair, "result": "abandoned", "decided_on": "2026-11-01", "source": "minutes", "note": word},
            "judgments": {**pair, "grade": 1, "reason": word},
            "match": {"text": word},
        }[kind]  # fmt: skip

    def record(self, kind: str, owner: str) -> Any:
        """The identifier of a record of this owner; made when there is none."""
        if (kind, owner) not in self.ids:
            asked = "match" if kind == "exposures" else kind
            body = self.body(asked, owner)
            if kind == "exposures":
                body = {"text": self.word(owner, kind)}
            made = self.offices.post(owner, f"/v1/{asked}", body)
            assert made.status_code in (200, 201), (kind, owner, made.text)
            self.ids[kind, owner] = made.headers["x-exposure-id"] if kind == "exposures" else made.json().get("id")
        return self.ids[kind, owner]

    def spent(self, kind: str, owner: str) -> None:
        self.ids.pop((kind, owner), None)


@pytest.fixture
def world(offices: Offices, tmp_path: Path) -> World:
    """Everybody may export, so that only the matrix decides; one report is kept."""
    kept.write(Report(title="Score", datasets=(), configuration={}, seed=0), tmp_path, REPORT)
    offices.client.app.state.evaluation = tmp_path  # type: ignore[attr-defined]
    with psycopg.connect(offices.url, autocommit=True) as connection:
        connection.execute("UPDATE account SET may_export = true WHERE role <> 'service'")
    return World(offices)


def found(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of everything that is routed, mounts as GET."""
    out = set()
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        methods = getattr(route, "methods", None) or {"GET"}
        out |= {(m, context.path) for m in methods if m != "HEAD"}
    return out


def application() -> FastAPI:
    return create_app(FakeMatchmaker, desk=open_fake, secret=SIGNING)


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert found(application()) == set(matrix())


def test_a_new_route_without_a_row_is_noticed() -> None:
    app = application()

    @app.post("/v1/new")
    def new() -> None:
        """Would write."""

    assert ("POST", "/v1/new") in found(app) - set(matrix())


PIPELINE = ("interactions", "shortlists", "assignments", "outcomes")
HOME = {"/pipeline": "assignments", "/pipeline/reminders": "assignments", "/analysis/judgments": "judgments",
        "/analysis/exposures": "exposures"}  # fmt: skip
"""Page -> the kind of record that it shows, where its address does not say so."""
LISTED = (*PIPELINE, "judgments", "exposures")


def kind_of(path: str) -> str:
    """The kind of record that an address is about."""
    return HOME.get(path) or path.removeprefix("/v1/").removeprefix("/pipeline").strip("/").partition("/")[0]


def ask(world: World, column: str, method: str, path: str) -> httpx2.Response:
    """The request of one cell, as the one who asks would send it."""
    asker, owner = WHO[column]
    filled = path
    for name, value in (("{project_id}", PORT), ("{partner_id}", JP), ("{mission_id}", TOKYO), ("{iso2}", "JP")):
        filled = filled.replace(name, value)
    more: dict[str, Any] = {}
    filled = filled.replace("{kind}", "partners").replace("{name}", REPORT)
    kind = kind_of(path)
    if "{id}" in path:
        record = prepared_import(world, path) if kind == "imports" else world.record(kind, owner)
        filled = filled.replace("{id}", str(record))
    elif kind in LISTED:
        world.record(kind, owner)
    if method == "PATCH":
        more = patch(world, kind, filled, owner)
    elif method == "POST" and path.startswith("/v1/"):
        more = post(world, column, kind, path)
    elif method == "POST":
        more = form(world, column, kind, path, filled)
    if path == "/static":
        filled = "/static/style.css"
    if path.endswith("/compare"):
        more["params"] = {"first": JP, "second": KR}
    if path.endswith("/changes"):
        more["params"] = {"since": "2026-11-01"}
    headers = {"accept": "text/html"} if not path.startswith("/v1") else {}
    return world.offices.ask(asker, method, filled, headers={**headers, **more.pop("headers", {})}, **more)


def patch(world: World, kind: str, path: str, owner: str) -> dict[str, Any]:
    reader = "keeper" if kind == "projects" else owner
    tag = world.offices.get(reader, path).headers["etag"]
    field_ = {"projects": "notes", "interactions": "note", "shortlists": "reason", "assignments": "next_step"}
    change = {field_.get(kind, "source"): f"{world.word(owner, kind)} {next(world.number)}"}
    return {"json": change, "headers": {"if-match": tag}}


def post(world: World, column: str, kind: str, path: str) -> dict[str, Any]:
    _, owner = WHO[column]
    if path.endswith(("/undo", "/commit", "/sign-out")):
        return {}
    if path.endswith("/verification"):
        return {"json": {"verdict": "verified"}}
    if kind == "imports":
        return {
            "content": _CSV,
            "params": {"kind": "partners", "file": "new.csv"},
            "headers": {"content-type": "text/csv"},
        }
    if kind == "projects":
        name = f"Dự án mới {next(world.number)}"
        return {
            "json": {"name_vi": name, "status": "calling", "country": "VN", "source": "x", "source_on": "2026-11-01"}
        }
    if kind == "match":
        return {"json": {"text": "cảng"}}
    if kind == "session":
        return {"json": {"login": "figures", "password": "correct horse battery"}}
    body = world.body(kind, owner)
    if another(column, kind):
        body["mission_id"] = TOKYO
    return {"json": body}


def another(column: str, kind: str) -> bool:
    """The record is to be written for another office: an officer may give out work, and may do nothing else of it."""
    return column == "officer_other" or (column == "mission_other" and kind == "judgments")


def form(world: World, column: str, kind: str, path: str, filled: str) -> dict[str, Any]:
    """The same as a form of a page sends it."""
    _, owner = WHO[column]
    if path == "/sign-in":
        return {"data": {"login": "figures", "password": "correct horse battery"}}
    if path.endswith(("/undo", "/commit", "/sign-out")):
        return {}
    if path.endswith("/verification"):
        return {"data": {"verdict": "verified", "version": version(world, owner, filled)}}
    if kind == "imports":
        content = _CSV.replace(b"new", str(next(world.number)).encode())
        return {"data": {"kind": "partners"}, "files": {"file": ("new.csv", content)}}
    if kind == "projects":
        fields = {"name_vi": f"Dự án mới {next(world.number)}", "status": "calling", "country": "VN", "source": "x",
                  "source_on": "01/11/2026"}  # fmt: skip
        if "{project_id}" in path:
            address = filled.removesuffix("/edit")
            fields["version"] = world.offices.get("keeper", f"/v1{address}").headers["etag"]
        return {"data": fields}
    if "{id}" in path:
        field_ = {"interactions": "note", "assignments": "next_step"}.get(kind, "source")
        said = f"typed {next(world.number)}"  # a form shows again what was typed: the word is not to come from there
        return {"data": {"part": field_, field_: said, "version": version(world, owner, filled)}}
    typed = {name: str(value) for name, value in world.body(kind, owner).items() if value is not False}
    fields = {name: value.replace(world.word(owner, kind), "typed") for name, value in typed.items()}
    if another(column, kind):
        fields["mission_id"] = TOKYO
    return {"data": fields}


def version(world: World, owner: str, filled: str) -> str:
    """The version of a record that its owner sees."""
    address = filled.replace("/pipeline/", "/v1/").removesuffix("/verification")
    return str(world.offices.get(owner, address).json()["version"])


def prepared_import(world: World, path: str) -> int:
    """An import of the city's, committed where it is to be undone."""
    csv = _CSV.replace(b"new", str(next(world.number)).encode())
    made = world.offices.ask(
        "city.second", "POST", "/v1/imports", content=csv, params={"kind": "partners", "file": "new.csv"},
        headers={"content-type": "text/csv"},
    )  # fmt: skip
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    if path.endswith("/undo"):
        assert world.offices.post("city.second", f"/v1/imports/{number}/commit").status_code == 200
    return int(number)


def refused(answer: httpx2.Response, method: str, path: str) -> bool:
    # A body that names another office is refused as a field that does not exist here.
    named = not path.startswith("/v1") or "mission_id" in answer.text
    return answer.status_code == 403 or (answer.status_code == 422 and method == "POST" and named)


@pytest.mark.parametrize(("method", "path"), sorted(matrix()), ids=str)
def test_cells_hold(world: World, method: str, path: str) -> None:
    permission = matrix()[method, path]
    kind = kind_of(path)
    for column in ("nobody", *COLUMNS):
        asker, owner = WHO[column]
        cell = ("yes" if permission.open else "no") if asker is None else permission.cells[column]
        answer = ask(world, column, method, path)
        where = f"{method} {path} for {column}: {cell}, got {answer.status_code} {answer.text[:300]}"
        told = world.word(owner, kind) in answer.text
        if asker is None and cell == "no":
            page = not path.startswith("/v1")
            assert answer.status_code == (303 if page else 401), where
            assert not page or answer.headers["location"].startswith("/sign-in"), where
        elif cell == "no":
            assert refused(answer, method, path), where
        elif cell == "hidden":
            assert answer.status_code == (404 if "{id}" in path else 200), where
        else:
            assert 200 <= answer.status_code < 300 or answer.status_code in (302, 303), where
            assert not answer.headers.get("location", "").startswith("/sign-in?next"), where
        if cell != "yes":
            assert not told, where
        elif kind in LISTED and method == "GET" and "{id}" in path:
            assert told, where
        if path.endswith("/undo") and answer.status_code in (200, 303):
            world.spent(kind, owner)
        if path.endswith("/verification") and answer.status_code in (200, 201, 303):
            world.spent(kind, owner)


@pytest.mark.parametrize("kind", LISTED)
def test_lists_searches_and_exports_hide_what_the_matrix_hides(world: World, kind: str) -> None:
    permission = matrix()["GET", f"/v1/{kind}"]
    for column in COLUMNS:
        asker, owner = WHO[column]
        assert asker is not None
        world.record(kind, owner)
        word = world.word(owner, kind)
        q = "" if kind in ("exposures", "judgments") else f"q={word}&"
        for address in (f"/v1/{kind}?n=200", f"/v1/{kind}?{q}format=json", f"/v1/{kind}?{q}format=csv"):
            answer = world.offices.get(asker, address)
            cell = permission.cells[column]
            assert answer.status_code == (403 if cell == "no" else 200), (address, column, answer.text)
            if cell == "yes" and not (kind == "exposures" and "csv" in address):
                assert word in answer.text, (address, column)
            if cell != "yes":
                echoed = answer.text.replace(f'"q":"{word}"', "")
                assert word not in echoed, (address, column)


def test_pages_tell_nothing_of_other_offices(world: World) -> None:
    words = [world.word(owner, kind) for kind in PIPELINE for owner in ("tokyo.second", "city.second")]
    for kind in PIPELINE:
        for owner in ("tokyo.second", "city.second"):
            world.record(kind, owner)
    pages = [p for m, p in matrix() if m == "GET" and not p.startswith("/v1")]
    assert len(pages) > 30
    for path in pages:
        text = ask(world, "mission_other", "GET", path).text
        assert not [w for w in words if w in text], path
    for kind in ("interactions", "assignments", "outcomes"):  # the form says that others work on it, and no more
        text = world.offices.get(
            "uae.desk", f"/pipeline/{kind}/new?partner_id={JP}", headers={"accept": "text/html"}
        ).text
        assert 'name="partner_id"' in text
        assert not [w for w in words if w in text], kind


def closing(statement: str) -> Callable[[psycopg.Connection], None]:
    """A change of one policy by hand."""

    def change(connection: psycopg.Connection) -> None:
        connection.execute(statement)

    return change


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER POLICY app_select ON interaction USING (true)",
        "ALTER POLICY app_select ON shortlist USING (true)",
        "ALTER POLICY app_select ON assignment USING (true)",
        "ALTER POLICY app_select ON outcome_note USING (true)",
        "ALTER POLICY app_select ON judgment USING (true)",
        "ALTER POLICY app_select ON exposure USING (true)",
        "ALTER TABLE interaction DISABLE ROW LEVEL SECURITY",
    ],
)
def test_a_policy_that_was_opened_is_noticed(world: World, statement: str) -> None:
    """The walk above is no walk through open doors: with one policy changed it fails."""
    with psycopg.connect(world.offices.url, autocommit=True) as connection:
        closing(statement)(connection)
    table = statement.split()[4] if "POLICY" in statement else statement.split()[2]
    kind = {"outcome_note": "outcomes"}.get(table, f"{table}s")
    with pytest.raises(AssertionError):
        test_lists_searches_and_exports_hide_what_the_matrix_hides(world, kind)
