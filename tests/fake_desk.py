"""A desk without a database, so that routes over the small world in memory have somebody to let in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from matcher.identity import SCOPES, Caller
from matcher.store.accounts import SignIn

SECRET = "a secret of the tests, long enough to sign with"
KEYS = {
    "officer-key": Caller(
        account_id=11, login="city.office", role="officer", mission_id=None, may_export=True, scopes=frozenset(SCOPES),
        via="key",
    ),
    "mission-key": Caller(
        account_id=12, login="jakarta.desk", role="mission", mission_id="id-jakarta", may_export=False,
        scopes=frozenset(SCOPES), via="key",
    ),
    "reading-key": Caller(
        account_id=11, login="city.office", role="officer", mission_id=None, may_export=True,
        scopes=frozenset({"read"}), via="key",
    ),
    "admin-key": Caller(
        account_id=13, login="keeper", role="admin", mission_id=None, may_export=True, scopes=frozenset(SCOPES),
        via="key",
    ),
}  # fmt: skip
OFFICER = {"Authorization": "Bearer officer-key"}


SESSION, PASSWORD = "the session of an officer", "correct horse battery"


class NothingThere:
    """A cursor over tables without rows."""

    description = ()

    def execute(self, query: Any, given: Any = None) -> "NothingThere":
        return self

    def fetchone(self) -> Any:
        return None

    def fetchall(self) -> list[Any]:
        return []

    def __iter__(self) -> Iterator[Any]:
        return iter(())


@dataclass
class FakeDesk:
    """Knows the keys of `KEYS` and keeps in memory what is handed to it."""

    lists: list[Any] = field(default_factory=list)

    def of_key(self, secret: str) -> Caller | None:
        return KEYS.get(secret)

    def of_session(self, secret: str) -> Caller | None:
        return replace(KEYS["officer-key"], via="session") if secret == SESSION else None

    def sign_in(self, login: str, password: str, *, origin: str, request_id: str) -> SignIn:
        if (login, password) != ("city.office", PASSWORD):
            return SignIn()
        return SignIn(session=SESSION, caller=replace(KEYS["officer-key"], via="session"))

    def sign_out(self, secret: str) -> None:
        """Nobody is signed in."""

    def log_exposures(self, lists: Any) -> list[int]:
        self.lists.extend(lists)
        return list(range(len(self.lists) - len(lists) + 1, len(self.lists) + 1))

    def check(self) -> None:
        """All is well."""

    def audit(self, caller: Caller, action: str, details: Any, **where: str) -> None:
        """Nothing is on record."""

    @contextmanager
    def acting(self, account_id: int, **where: str) -> Iterator[Any]:
        yield SimpleNamespace(account_id=account_id, cursor=NothingThere(), store=None)

    def stats(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def open_fake() -> Iterator[Any]:
    """As `opening.open_desk`."""
    yield FakeDesk()
