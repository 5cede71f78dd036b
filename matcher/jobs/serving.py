"""The matchmaker of the service: swaps behind the scenes, makes lists of pairs meanwhile, and serves them."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date

from matcher.errors import ConflictError
from matcher.jobs import Site, pairs
from matcher.jobs.matchmaker import Matchmaker
from matcher.jobs.swapping import Opened
from matcher.records import Query

SERVICE = 1
"""Account under which the service itself reads facts and writes lists."""

LONGEST_REST = 2.0
LOOK_SECONDS = 0.25
"""How often it is looked whether newer facts or a newer engine are there, for lists that are sent as they are."""


class ServingMatchmaker(Matchmaker):
    """One per process of the service; of several processes one makes the lists."""

    def __init__(self, site: Site, *, today: Callable[[], date]) -> None:
        super().__init__(site, today=today, background=True, acting=SERVICE, after=_make_lists)
        self._table = pairs.Table(self.store)
        self._looked: tuple[float, Opened | None] = (0.0, None)

    def kept(self, query: Query, *, n: int, cursor: str | None, lang: str) -> pairs.ServedList | None:
        """A page that was made before, of what `match` would answer from; None where the engine has to answer.

        Raises:
            InputError: the cursor is not one of this list.
        """
        if pairs.name_of(query) is None:
            return None
        return self._table.page(self._looked_at(query), query, n=n, cursor=cursor, lang=lang)

    def stamp(self, query: Query) -> tuple[object, ...]:
        """What an answer to the query is made of now: engine, newest batch of facts, day. Equal stamp, equal answer."""
        opened = self._looked_at(query)
        return opened.catalogue.engine, opened.key.revision, opened.key.day

    def _looked_at(self, query: Query) -> Opened:
        """What is in service, looked after a moment ago at most."""
        at, opened = self._looked
        if opened is None or opened is not self.in_service or time.monotonic() - at > LOOK_SECONDS:
            opened = self.opened(None, query)
            self._looked = time.monotonic(), opened
        return opened

    def at_hand(self, query: Query, *, n: int, cursor: str | None, lang: str) -> pairs.ServedList | None:
        """As `kept`, where the page lies ready in memory and was looked after a moment ago; never waits."""
        at, opened = self._looked
        if opened is None or opened is not self.in_service or time.monotonic() - at > LOOK_SECONDS:
            return None
        return self._table.at_hand(opened, query, n=n, cursor=cursor, lang=lang)


def _make_lists(maker: Matchmaker, opened: Opened, stop: Callable[[], bool]) -> None:
    """Fills the set of what came into service, at half speed: requests are waiting for the processor, too."""
    begun = time.monotonic()

    def rest() -> None:
        nonlocal begun
        time.sleep(min(time.monotonic() - begun, LONGEST_REST))
        begun = time.monotonic()

    with suppress(ConflictError):  # another process is at it
        pairs.fill(maker, opened, stop=stop, rest=rest)
