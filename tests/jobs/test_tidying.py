"""The job `tidy` deletes what has been of no use for 30 days, says how many on record, and touches nothing else."""

from datetime import date

import psycopg
import pytest

from matcher.jobs import OFFLINE_ENCODER, Site, running
from matcher.store import Store

ROWS = """
INSERT INTO session (hash, account_id, created_at, expires_at, ended_at) VALUES
    ('expired', 11, now() - interval '32 days', now() - interval '31 days', NULL),
    ('ended', 11, now() - interval '32 days', now() + interval '1 day', now() - interval '31 days'),
    ('ended lately', 11, now() - interval '32 days', now() - interval '29 days', now() - interval '29 days'),
    ('open', 11, now() - interval '90 days', now() + interval '1 day', NULL);
INSERT INTO idempotency (account_id, key, request_hash, status, body, headers, recorded_at) VALUES
    (11, 'old', 'h', 201, '', '{}', now() - interval '31 days'),
    (11, 'fresh', 'h', 201, '', '{}', now() - interval '29 days');
INSERT INTO attempt (login_hash, failures, locked_until, tried_at) VALUES
    ('old', 3, NULL, now() - interval '31 days'), ('older', 3, now() - interval '40 days', now() - interval '40 days'),
    ('fresh', 3, NULL, now() - interval '29 days'),
    ('locked', 9, now() + interval '1 hour', now() - interval '31 days');
"""


@pytest.fixture
def untidy(store_url: str, tmp_path) -> Site:
    """A site whose database holds old and fresh rows of every kind that is tidied."""
    with psycopg.connect(store_url) as owner:
        owner.execute("INSERT INTO account (login, role) VALUES ('keeper', 'admin')")
        owner.execute(ROWS)
    return Site(data_dir=tmp_path, reference_dir=tmp_path, database_url=store_url, encoder=OFFLINE_ENCODER, seed=7)


def test_what_is_old_goes_and_what_is_in_use_stays(untidy: Site, store_url: str) -> None:
    asked = running.Asked(site=untidy, day=date(2026, 11, 22), actor="root")
    assert running.run("tidy", asked) == {"deleted": {"session": 2, "idempotency": 1, "attempt": 2}}
    with psycopg.connect(store_url) as owner:

        def left(query: str) -> list[str]:
            return sorted(name for (name,) in owner.execute(query))

        assert left("SELECT hash FROM session") == ["ended lately", "open"]
        assert left("SELECT key FROM idempotency") == ["fresh"]
        assert left("SELECT login_hash FROM attempt") == ["fresh", "locked"]
    with Store.open(store_url) as store:
        newest = store.audit_log(limit=1)[0]
    assert (newest.action, newest.actor) == ("tidy", "root")
    assert newest.details == {"session": 2, "idempotency": 1, "attempt": 2}
    assert running.run("tidy", asked) == {"deleted": {"session": 0, "idempotency": 0, "attempt": 0}}
