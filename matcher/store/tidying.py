"""What nobody needs any more is deleted: ended sessions, answers kept for repeated requests, counts of wrong passwords.

Facts, the pipeline, feedback and the audit only grow; nothing of them is ever deleted.
"""

import psycopg
from psycopg import sql

KEEP_DAYS = 30
"""How long they are kept. Source: our choice; a client repeats a request within minutes, a session lasts hours."""

_WHEN = {
    "session": "least(ended_at, expires_at)",
    "idempotency": "recorded_at",
    "attempt": "greatest(tried_at, locked_until)",
}
"""Table -> since when its rows have been of no use."""


def tidy(cursor: psycopg.Cursor) -> dict[str, int]:
    """Rows that have been of no use for `KEEP_DAYS` are gone; gives how many of each table. Only the owner may."""
    return {
        table: cursor.execute(
            sql.SQL("DELETE FROM {} WHERE {} < clock_timestamp() - make_interval(days => %s)").format(
                sql.Identifier(table), sql.SQL(when)
            ),
            [KEEP_DAYS],
        ).rowcount
        for table, when in _WHEN.items()
    }
