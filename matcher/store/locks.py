"""Locks that end with the transaction: two writers of the same thing come one after the other."""

import psycopg
from psycopg import sql

WAIT_SECONDS = 10
_CLASSES = {"idempotency": 0x6D61_7401, "record": 0x6D61_7402, "partner": 0x6D61_7403}


def hold(cursor: psycopg.Cursor, kind: str, name: str) -> None:
    """Nobody else holds the lock of this name until the transaction ends.

    Names share locks by chance, which only makes one writer wait for another. Order of taking: idempotency key,
    record, partner; so that two writers never wait for each other.

    Raises:
        psycopg.errors.LockNotAvailable: somebody holds it for too long.
    """
    cursor.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{WAIT_SECONDS}s")))
    cursor.execute("SELECT pg_advisory_xact_lock(%s::int, hashtext(%s))", [_CLASSES[kind], name])
