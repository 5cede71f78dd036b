"""The migrations make exactly the tables that `records.TABLES` describes, closed against change."""

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from databases import create_database, database_url, drop_database
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.records import TABLES, empty
from matcher.store import Store, migrate, schema
from matcher.store.embedded import ROLE
from matcher.text import fold

VIETNAMESE = "aàáảãạăằắẳẵặâầấẩẫậbcdđeèéẻẽẹêềếểễệghiìíỉĩịklmnoòóỏõọôồốổỗộơờớởỡợpqrstuùúủũụưừứửữựvxyỳýỷỹỵ"


@pytest.fixture(scope="module")
def connection(embedded_server):
    """A connection to one database for the tests that leave it as it was."""
    create_database(embedded_server.admin_url, "looked_at", owner=ROLE, template="migrated")
    with psycopg.connect(database_url(embedded_server.url, "looked_at"), autocommit=True) as opened:
        yield opened
    drop_database(embedded_server.admin_url, "looked_at")


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_the_columns_of_records(connection, table):
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        [table],
    ).fetchall()
    columns = TABLES[table].columns
    assert [(n, t) for n, t, _ in rows[: len(columns)]] == [(n, schema.sql_type(d)) for n, d in columns.items()]
    assert {n for n, _, required in rows[: len(columns)] if required} == set(TABLES[table].required)
    assert [n for n, _, _ in rows[len(columns) :]] == ["seq", "batch_id", "valid_on", "recorded_at"]


def test_every_table_is_dated_by_a_rule_with_a_reason():
    assert set(schema.DATING) == set(TABLES)
    assert all(rule.why for rule in schema.DATING.values())


@pytest.mark.parametrize("table", [*TABLES, "batch", "audit", "engine"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "TRUNCATE {} CASCADE", "UPDATE {} SET {} = NULL"])
def test_the_database_refuses_to_change_or_delete(connection, table, change):
    column = {"batch": "source", "audit": "actor", "engine": "path"}.get(table, "source")
    with pytest.raises(psycopg.errors.RestrictViolation, match="only grows"):
        connection.execute(change.format(table, column))


def test_downgrade_removes_everything_and_upgrade_brings_it_back(store_url):
    with Store.open(store_url) as store, psycopg.connect(store_url, autocommit=True) as connection:
        migrate.to(store_url, "base")
        left = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S')"
        assert connection.execute(left).fetchall() == [("alembic_version",)]
        functions = (
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS"
            " (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')"
        )
        assert connection.execute(functions).fetchall() == []
        assert store.migrate()
        assert not store.migrate()
        assert store.read("projects").equals(empty("projects"))


def test_the_head_that_the_program_expects_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", "matcher:store/migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_a_database_of_a_newer_program_is_left_alone(embedded_server):
    create_database(embedded_server.admin_url, "newer", owner=ROLE, template="migrated")
    url = database_url(embedded_server.url, "newer")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with Store.open(url) as store, pytest.raises(Exception, match=r"schema 9999.*update the program"):
        store.migrate()
    drop_database(embedded_server.admin_url, "newer")


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(
        st.sampled_from(VIETNAMESE + VIETNAMESE.upper() + " ,.-0123456789ß\u0301\u0309éüçñøΣςйガ한글"), max_size=30
    )
)
def test_sql_folds_as_python_does(connection, text):
    row = connection.execute("SELECT fold(%s)", [text]).fetchone()
    assert row == (fold(text),)


@pytest.mark.parametrize(
    ("day", "precision", "last"),
    [
        ("2024-02-10", "day", "2024-02-10"), ("2024-02-10", "month", "2024-02-29"),
        ("2023-12-01", "month", "2023-12-31"),
        ("2024-02-10", "year", "2024-12-31"), ("2024-02-10", "none", None), ("2024-02-10", None, "2024-02-10"),
        (None, "year", None),
    ],
)  # fmt: skip
def test_the_last_day_that_a_date_can_mean(connection, day, precision, last):
    assert connection.execute("SELECT last_day_of(%s, %s)::text", [day, precision]).fetchone() == (last,)
