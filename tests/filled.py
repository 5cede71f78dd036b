"""A database with a row in every table, and what a database holds and is, to be compared with another one."""

# ruff: noqa: E501 - rows and queries read best in few lines

import re
from pathlib import Path

import psycopg
from psycopg import sql
from small_site import write_reference

from matcher.jobs import setup
from matcher.store import Store

SERVICE = """
INSERT INTO account (login, role, mission_id) VALUES ('tokyo', 'mission', 'jp-tokyo-embassy'), ('desk', 'officer', NULL);
INSERT INTO credential (account_id, password_hash) SELECT account_id, '$argon2id$' || login FROM account WHERE role <> 'service';
INSERT INTO api_key (account_id, label, hash, scopes, expires_at)
    SELECT account_id, 'Số 1', repeat('a', 64), ARRAY['read', 'write'], '2027-01-01' FROM account WHERE login = 'tokyo';
INSERT INTO session (hash, account_id, expires_at) SELECT repeat('b', 64), account_id, '2027-01-01' FROM account WHERE login = 'desk';
INSERT INTO attempt VALUES (repeat('c', 64), 3, '2026-01-01', '2026-01-01');
INSERT INTO idempotency (account_id, key, request_hash, status, body, headers)
    SELECT account_id, 'k', 'h', 201, E'{"a": "tab\\there, line\\nthere, \\\\N"}', '{}' FROM account WHERE login = 'desk';
INSERT INTO interaction (id, version, mission_id, partner_id, kind, held_on, note, account_id, withdrawn)
    SELECT nextval('pipeline_id'), v, mission_id, p.partner_id, 'meeting', '2026-01-01', 'Nói chuyện ☎', account_id, v = 2
    FROM account, (SELECT min(partner_id) AS partner_id FROM partners_now) p, generate_series(1, 2) v WHERE login = 'tokyo';
INSERT INTO shortlist (id, version, mission_id, partner_id, project_id, account_id)
    SELECT nextval('pipeline_id'), 1, mission_id, 'p', 'q', account_id FROM account WHERE login = 'tokyo';
INSERT INTO assignment (id, version, mission_id, partner_id, by_city, lead, stage, status, value_usd, account_id)
    SELECT nextval('pipeline_id'), 1, mission_id, 'p', true, true, 'lead', 'active', 0.1::float8 + 0.2, account_id
    FROM account WHERE login = 'tokyo';
INSERT INTO outcome (id, version, mission_id, partner_id, project_id, result, role, decided_on, source, account_id)
    SELECT 77, 1, mission_id, 'p', 'q', 'won', 'owner', '2026-02-01', 's', account_id FROM account WHERE login = 'tokyo';
INSERT INTO outcome_note SELECT id, version, mission_id, 'confidential', account_id FROM outcome;
INSERT INTO verification (id, outcome_id, outcome_version, verdict, account_id)
    SELECT nextval('pipeline_id'), 77, 1, 'verified', account_id FROM account WHERE login = 'desk';
INSERT INTO import (kind, file, content, options, report, revision, account_id)
    SELECT 'partners', 'a.csv', '\\x00ff0a5c', '{}', '{"new": 1}', 0, account_id FROM account WHERE login = 'desk';
INSERT INTO import_event (import_id, event, batch_id, account_id)
    SELECT import_id, 'committed', (SELECT max(id) FROM batch), account_id FROM import;
INSERT INTO pair_set (engine_id, revision, as_of) VALUES ('e', 1, '2026-01-01');
INSERT INTO pair SELECT set_id, 'q', 'p', 'JP', 1.0 / 3, '{"vi": 1}', '{}' FROM pair_set;
INSERT INTO pair_view SELECT set_id, 'country:JP', ARRAY['q'], ARRAY['p'], '{}' FROM pair_set;
"""

FEEDBACK = """
INSERT INTO exposure (engine_id, as_of, revision, query, filters, n, "offset", n_items, candidates, channel, lang, actor)
    VALUES ('e', '2026-01-01', 1, '{"project": "HCMC-034"}', '{}', 10, 0, 1, 5, 'cli', 'vi', 'u1');
INSERT INTO exposure_item (exposure_id, rank, project_id, partner_id, score)
    SELECT exposure_id, 1, 'HCMC-034', 'p', 1.5e-7 FROM exposure;
INSERT INTO judgment (project_id, partner_id, grade, reason, judged_by, judged_on, exposure_id, actor)
    SELECT 'HCMC-034', 'p', 2, 'Đà Nẵng', 'u1', '2026-01-01', exposure_id, 'u1' FROM exposure;
"""

HOUSEKEEPING = """
INSERT INTO embedding VALUES ('e', 'h', '\\x0001feff');
INSERT INTO engine (engine_id, path, manifest) VALUES ('e', 'e', '{"x": [1.10, "a b"]}');
"""


def fill(url: str, folder: Path) -> None:
    """Every table of a database at the newest schema has rows: facts, accounts, pipeline, exposures, an undo."""
    fill_facts(url, folder)
    with psycopg.connect(url) as connection:
        connection.execute(HOUSEKEEPING)
        connection.execute(FEEDBACK)
        connection.execute(SERVICE)
        batch, undo = connection.execute("SELECT min(id), max(id) FROM batch").fetchone()
        connection.execute("INSERT INTO undone VALUES (%s, %s, clock_timestamp())", [batch, undo])


def fill_facts(url: str, folder: Path) -> None:
    """The facts of a small city; `folder` keeps their files."""
    reference = folder / "reference"
    if not reference.exists():
        write_reference(reference)
    with Store.open(url) as store:
        setup.load(reference, store, actor="tests", progress=lambda *_: None)


def rows(url: str) -> dict[str, list[str]]:
    """Table -> its rows as text, in order; every table of the catalogue."""
    with psycopg.connect(
        url, options="-c timezone=UTC -c datestyle=ISO -c extra_float_digits=1 -c bytea_output=hex"
    ) as connection:
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        ).fetchall()
        return {
            name: sorted(text for (text,) in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name))))
            for (name,) in names
        }  # fmt: skip


CATALOGUE = {
    "columns": "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,"
    " pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
    " LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped",
    "relations": "SELECT relname, relkind, relrowsecurity, relforcerowsecurity, reloptions, coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", relowner))::text[], relowner::regrole::text,"
    " CASE relkind WHEN 'v' THEN pg_get_viewdef(oid) END FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    "policies": "SELECT tablename, policyname, permissive, roles::text[], cmd, qual, with_check FROM pg_policies",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "triggers": "SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT pg_get_functiondef(p.oid), prosecdef, proacl::text[], proowner::regrole::text FROM pg_proc p"
    " WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS"
    " (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')",
    "sequences": "SELECT sequencename, last_value, start_value, increment_by FROM pg_sequences",
    "version": "SELECT version_num FROM alembic_version",
}


def catalogue(url: str) -> dict[str, list[str]]:
    """What a database is: its tables, policies, grants, triggers, functions and numbers; the owner is called OWNER."""
    with psycopg.connect(url) as connection:
        login = connection.info.user
        name = re.compile(rf'"{re.escape(login)}"|(?<!\w){re.escape(login)}(?!\w)')
        return {
            part: sorted(str([_named(value, name) for value in row]) for row in connection.execute(query))
            for part, query in CATALOGUE.items()
        }


def _named(value: object, owner: re.Pattern[str]) -> object:
    return [_named(v, owner) for v in value] if isinstance(value, list) else owner.sub("OWNER", str(value))


def differences(one: dict[str, list[str]], other: dict[str, list[str]]) -> dict[str, list[str]]:
    """What only one of them has, by part; empty when they are equal."""
    assert one.keys() == other.keys()
    return {
        part: sorted(set(one[part]) ^ set(other[part]))[:5] or ["count"] for part in one if one[part] != other[part]
    }
