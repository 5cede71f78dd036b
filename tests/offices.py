"""A city office, two missions, an analyst and an administrator over one real database that holds the small world."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx2
from fake_desk import SECRET
from fake_matchmaker import ACCREDITATION, MISSIONS, FakeMatchmaker
from starlette.testclient import TestClient

from api.app import create_app
from api.security import LOOPBACK
from matcher.jobs import opening
from matcher.records import REFERENCE_TABLES, TABLES, Facts, MatchList, Query
from matcher.store import Store, accounts
from matcher.store.desk import Desk

TOKYO, UAE = "id-jakarta", "ae-embassy"
"""The missions of the small world: the first covers Japan and Papua New Guinea, the second the Emirates."""

PEOPLE: Mapping[str, tuple[str, str | None, bool]] = {
    "keeper": ("admin", None, True),
    "city.office": ("officer", None, True),
    "city.second": ("officer", None, False),
    "figures": ("analyst", None, True),
    "tokyo.desk": ("mission", TOKYO, True),
    "tokyo.second": ("mission", TOKYO, False),
    "uae.desk": ("mission", UAE, False),
}
"""Login -> role, mission, right to export."""

PASSWORD = "correct horse battery"
JP, AE, KR, NOWHERE = "Pjp", "P288437fb", "Pkr", "Px"
PORT, WATER = "HCMC-001", "HCMC-002"


def fill(url: str) -> dict[str, str]:
    """The small world and its people are in the database; gives the key of each login."""
    world = FakeMatchmaker()
    frames = {name: getattr(world.facts.reference, name) for name in REFERENCE_TABLES}
    frames |= {name: getattr(world.facts, name) for name in ("projects", "partners", "deals", "footprint")}
    frames |= {"missions": MISSIONS, "accreditation": ACCREDITATION}
    with Store.open(url) as store:
        for name, frame in frames.items():
            store.append(name, frame.select(*TABLES[name].columns), source="the small world", actor="tests")
        keys = {}
        with store._cursor() as cursor, cursor.connection.transaction():
            for login, (role, mission, export) in PEOPLE.items():
                accounts.add(cursor, login, role, mission_id=mission, may_export=export, password=PASSWORD)
                keys[login] = accounts.add_key(
                    cursor, login, label="tests", scopes=("read", "write", "export", "admin"), days=1
                )[0]
    return keys


class StoredMatchmaker(FakeMatchmaker):
    """The small world's made-up matches over facts that really lie in a database."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.store = Store.open(url, acting=1)  # type: ignore[assignment]
        self._seen: tuple[int, Facts] | None = None

    @property
    def facts(self) -> Facts:  # type: ignore[override]
        revision = self.store.revision()
        if self._seen is None or self._seen[0] != revision:
            self._seen = revision, opening.facts(self.store, date(2026, 11, 1))  # type: ignore[arg-type]
        return self._seen[1]

    @facts.setter
    def facts(self, value: Facts) -> None:
        """The database has them."""

    def match(self, query: Query, **asked: Any) -> MatchList:
        from dataclasses import replace

        found = super().match(query, **asked)
        offset = found.matches[0].rank - 1 if found.matches else 0
        return replace(found, n=asked.get("n", 10), offset=offset, revision=self.store.revision())

    def stamp(self, query: Query) -> tuple[object, ...]:
        """As of the matchmaker of a service, so that pages are kept as they are there."""
        return "fake-1", self.store.revision(), self.as_of

    def kept(self, query: Query, **_: Any) -> None:
        """No list is made ahead."""

    def at_hand(self, query: Query, **_: Any) -> None:
        """No list is made ahead."""

    def past(self, engine: str, *, as_of: date, revision: int) -> "Past":
        """The small world does not change its mind."""
        return Past(self)

    def close(self) -> None:
        self.store.close()  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Past:
    """What a list of before is made again of."""

    world: StoredMatchmaker

    def match(self, query: Query, *, n: int, offset: int, filters: Any) -> MatchList:
        return self.world.match(query, n=n, filters=filters, cursor=f"fake.{offset}")


@dataclass(frozen=True)
class Offices:
    """The running application; `ask` sends a request under the key of a login (None: nobody)."""

    url: str
    keys: Mapping[str, str]
    client: TestClient

    def ask(self, login: str | None, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = dict(more.pop("headers", {}))
        if login is not None:
            headers["Authorization"] = f"Bearer {self.keys[login]}"
        return self.client.request(method, path, headers=headers, **more)

    def get(self, login: str | None, path: str, **more: Any) -> httpx2.Response:
        return self.ask(login, "GET", path, **more)

    def post(self, login: str | None, path: str, json: Any = None, **more: Any) -> httpx2.Response:
        return self.ask(login, "POST", path, json=json, **more)

    def patch(self, login: str | None, path: str, json: Any, **more: Any) -> httpx2.Response:
        return self.ask(login, "PATCH", path, json=json, **more)


@contextmanager
def serving(url: str, keys: Mapping[str, str]) -> Iterator[Offices]:
    """The application over a database that `fill` filled."""

    @contextmanager
    def desk() -> Iterator[Desk]:
        opened = Desk.open(url)
        try:
            yield opened
        finally:
            opened.close()

    app = create_app(lambda: StoredMatchmaker(url), desk=desk, hosts=(*LOOPBACK, "testserver"), secret=SECRET)
    with TestClient(app, follow_redirects=False, client=("127.0.0.1", 50_000)) as client:
        yield Offices(url=url, keys=keys, client=client)
