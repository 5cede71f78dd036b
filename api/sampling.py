"""What stands rather than happens - connections, queues, what is served - is measured every few seconds."""

import asyncio
import logging
from contextlib import suppress

import anyio.to_thread

from api import observing
from api.service import Service
from matcher.errors import MatcherError
from matcher.identity import SERVICE
from matcher.store.desk import Desk

SECONDS = 5.0

_PAIRS = "SELECT extract(epoch FROM clock_timestamp() - max(done_at))::float8 FROM pair_set WHERE done_at IS NOT NULL"
_log = logging.getLogger("api")


async def watch(service: Service) -> None:
    """Measures until it is cancelled; what cannot be measured now is measured later."""
    observing.sweep()
    while True:
        observing.WAITING.set(service.waiting)
        with suppress(MatcherError):  # /readyz tells what is wrong
            await anyio.to_thread.run_sync(measure, service)
        await asyncio.sleep(SECONDS)


def measure(service: Service) -> None:
    """The present state of the pool, of what is served and of the table of pairs.

    Raises:
        SourceError: the database does not answer.
    """
    desk, matchmaker = service.present
    if desk is not None:
        pool = desk.stats()
        for state, name in (("open", "pool_size"), ("free", "pool_available"), ("waiting", "requests_waiting")):
            observing.POOL.labels(state).set(pool.get(name, 0))
        if isinstance(desk, Desk):
            with desk.acting(SERVICE) as work:
                work.cursor.execute(_PAIRS)
                row = work.cursor.fetchone()
            observing.PAIRS_AGE.set(-1 if row is None or row[0] is None else row[0])
    opened = getattr(matchmaker, "opened", None)
    if matchmaker is not None and opened is not None:
        now = opened()
        observing.LAG.set(max(0, matchmaker.store.revision() - now.key.revision))
        observing.tell_engine(now.catalogue.engine)
