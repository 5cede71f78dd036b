"""Every list of matches that is shown is on record first; what cannot be put on record is not shown."""

import asyncio
import threading
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from fake_desk import FakeDesk
from starlette.testclient import TestClient

from api import exposures
from matcher.errors import InputError, SourceError
from matcher.records import Filters, Query
from matcher.store import Store
from matcher.store.desk import Desk
from matcher.store.feedback import Shown

TO = Shown(channel="api", lang="en", actor="u12", role="mission", mission_id="id-jakarta")


@dataclass
class Served:
    """A list that was made before, as the table of pairs hands it in."""

    rows: int = 2
    revision: int | None = 3
    offset: int = 0
    n: int = 10
    engine: str = "e-1"
    as_of: date = date(2026, 11, 1)
    query: Query = field(default_factory=lambda: Query(mission_id="id-jakarta", countries=("JP", "PG")))
    filters: Filters = field(default_factory=lambda: Filters(country=("JP",)))
    candidates: int = 40

    @property
    def items(self) -> list[tuple[int, str, str, float, float | None]]:
        ranks = range(self.offset + 1, self.offset + self.rows + 1)
        return [(r, f"p{r}", "q", 1 / r, None if r % 2 else 0.25) for r in ranks]


class Slow:
    """A book whose first group waits until it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.groups: list[int] = []
        self.go = threading.Event()
        self.error = error

    def log_exposures(self, lists: Any) -> list[int]:
        self.go.wait(10)
        self.groups.append(len(lists))
        if self.error is not None:
            raise self.error
        if any(found.revision is None for found, _ in lists):
            raise InputError("not made from a store")
        return list(range(len(lists)))


def ask(writer: exposures.Writer, lists: list[Served], book: Slow) -> list[int | BaseException]:
    async def together() -> list[int | BaseException]:
        tasks = [asyncio.create_task(writer.log(found, TO)) for found in lists]  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        book.go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(together())


def test_lists_that_wait_together_are_written_together() -> None:
    book = Slow()
    writer = exposures.Writer(lambda: book)
    found = ask(writer, [Served() for _ in range(20)], book)
    writer.close()
    assert sum(book.groups) == len(found) == 20
    assert len(book.groups) <= 2
    assert not [f for f in found if isinstance(f, BaseException)]


def test_a_list_that_is_refused_takes_no_other_one_with_it() -> None:
    book = Slow()
    writer = exposures.Writer(lambda: book)
    found = ask(writer, [Served(), Served(revision=None), Served(), Served()], book)
    writer.close()
    assert [isinstance(f, InputError) for f in found] == [False, True, False, False]


def test_without_a_database_every_request_that_waits_is_told() -> None:
    book = Slow(SourceError("The database does not answer."))
    writer = exposures.Writer(lambda: book)
    found = ask(writer, [Served() for _ in range(5)], book)
    writer.close()
    assert all(isinstance(f, SourceError) for f in found)
    assert len(book.groups) <= 2  # a database that is away is not asked again for each list


def test_closing_writes_what_waits_and_takes_nothing_more() -> None:
    book = Slow()
    writer = exposures.Writer(lambda: book)

    async def closing() -> tuple[list[int | BaseException], BaseException | None]:
        tasks = [asyncio.create_task(writer.log(Served(), TO)) for _ in range(3)]  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        closer = asyncio.create_task(asyncio.to_thread(writer.close))
        await asyncio.sleep(0.05)
        refused = (await asyncio.gather(writer.log(Served(), TO), return_exceptions=True))[0]  # type: ignore[arg-type]
        book.go.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        await closer
        return done, refused if isinstance(refused, BaseException) else None

    done, refused = asyncio.run(closing())
    assert sum(book.groups) == 3
    assert not [d for d in done if isinstance(d, BaseException)]
    assert isinstance(refused, SourceError)


def test_too_many_waiting_lists_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposures, "MAX_WAITING", 2)
    book = Slow()
    writer = exposures.Writer(lambda: book)
    found = ask(writer, [Served() for _ in range(6)], book)
    writer.close()
    assert any(isinstance(f, exposures.BusyError) for f in found)


def test_lists_of_one_transaction_keep_their_rows_and_their_readers(store: Store, store_url: str) -> None:
    desk = Desk.open(store_url)
    try:
        others = Shown(channel="page", lang="vi", actor="u11", role="officer")
        made = desk.log_exposures([(Served(rows=3, offset=10), TO), (Served(rows=0), others), (Served(rows=1), others)])
    finally:
        desk.close()
    record = store.read_exposures(ids=made)
    assert record.lists["exposure_id"].to_list() == made == sorted(made)
    columns = ("n_items", "offset", "channel", "lang", "actor", "role", "mission_id", "revision", "candidates")
    assert record.lists.select(columns).rows() == [
        (3, 10, "api", "en", "u12", "mission", "id-jakarta", 3, 40),
        (0, 0, "page", "vi", "u11", "officer", None, 3, 40),
        (1, 0, "page", "vi", "u11", "officer", None, 3, 40),
    ]
    assert record.lists["filters"].to_list() == ['{"country": ["JP"]}'] * 3
    assert record.items.select("exposure_id", "rank", "project_id", "partner_id", "score", "probability").rows() == [
        (made[0], 11, "p11", "q", 1 / 11, None),
        (made[0], 12, "p12", "q", 1 / 12, 0.25),
        (made[0], 13, "p13", "q", 1 / 13, None),
        (made[2], 1, "p1", "q", 1.0, None),
    ]


def test_one_list_that_cannot_be_kept_leaves_nothing_of_its_group(store: Store, store_url: str) -> None:
    desk = Desk.open(store_url)
    try:
        with pytest.raises(InputError, match="not made from a store"):
            desk.log_exposures([(Served(), TO), (Served(revision=None), TO)])
    finally:
        desk.close()
    assert store.read_exposures().lists.is_empty()


LISTS = [
    ("/v1/projects/HCMC-001/matches?n=3", "api"),
    ("/v1/projects/HCMC-001/matches?format=csv", "api"),
    ("/v1/projects/HCMC-001/matches?format=xlsx", "api"),
    ("/v1/partners/Pjp/matches", "api"),
    ("/v1/missions/id-jakarta/matches", "api"),
    ("/v1/countries/JP/matches", "api"),
    ("/projects/HCMC-001?lang=en", "page"),
    ("/partners/Pjp?lang=en", "page"),
    ("/missions/id-jakarta?lang=en", "page"),
]


@pytest.mark.parametrize(("path", "channel"), LISTS)
def test_every_list_is_on_record_with_its_reader(client: TestClient, desk: FakeDesk, path: str, channel: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    [(found, shown)] = desk.lists
    assert answer.headers["x-exposure-id"] == "1"
    assert (shown.channel, shown.actor, shown.role, shown.mission_id) == (channel, "u11", "officer", None)
    assert shown.lang == "en"
    assert found.items if channel == "page" else found.matches


def test_what_the_caller_holds_already_counts_as_shown(client: TestClient, desk: FakeDesk) -> None:
    path = "/v1/projects/HCMC-001/matches"
    tag = client.get(path).headers["etag"]
    again = client.get(path, headers={"if-none-match": tag})
    assert again.status_code == 304
    assert again.headers["x-exposure-id"] == "2"
    assert len(desk.lists) == 2


def test_a_question_of_ones_own_is_kept_as_it_was_asked(client: TestClient, desk: FakeDesk) -> None:
    mission = {"Authorization": "Bearer mission-key"}
    assert client.post("/v1/match", json={"text": "cảng biển", "lang": "vi"}, headers=mission).status_code == 200
    [(found, shown)] = desk.lists
    assert found.query.to_json() == {"text": "cảng biển"}
    assert (shown.lang, shown.actor, shown.role, shown.mission_id) == ("vi", "u12", "mission", "id-jakarta")


@pytest.mark.parametrize(
    "path",
    ["/v1/projects", "/v1/projects/HCMC-001", "/v1/projects/HCMC-001/partners/Pjp/explanation", "/missions", "/"],
)  # fmt: skip
def test_what_is_no_list_of_matches_is_not_recorded(client: TestClient, desk: FakeDesk, path: str) -> None:
    assert client.get(path).status_code == 200
    assert not desk.lists


def test_a_refused_question_is_no_list(client: TestClient, desk: FakeDesk) -> None:
    assert client.get("/v1/projects/HCMC-001/matches?n=0").status_code == 422
    assert client.get("/v1/projects/none/matches").status_code == 404
    assert not desk.lists


@pytest.mark.parametrize(("path", "channel"), LISTS)
def test_a_list_that_cannot_be_put_on_record_is_not_shown(
    client: TestClient, desk: FakeDesk, path: str, channel: str
) -> None:
    def away(lists: object) -> list[int]:
        raise SourceError("The database does not answer.")

    desk.log_exposures = away  # type: ignore[method-assign]
    answer = client.get(path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "Nippon" not in answer.text
