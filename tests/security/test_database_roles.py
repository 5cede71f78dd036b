"""The role of the service owns nothing and sees nothing that no policy opens; nothing runs with its owner's rights."""

import psycopg
import pytest
from databases import create_database, database_url, drop_database
from filled import fill
from psycopg import sql

from matcher.store.embedded import APP_ROLE, ROLE
from matcher.store.store import AS_APP

DEFINERS = {
    "actor_role": "the actor's own role, from accounts that he may not read",
    "actor_mission": "the actor's own mission, likewise",
    "offices_at": "that others work on a partner, and who leads; nothing else of their work",
    "colleague": "whether somebody else is of the actor's own office",
    "referred": "how many rows refer to a record, before an import is undone",
}
"""Every function that runs with its owner's rights -> what it lets out."""

TABLES = "FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"


@pytest.fixture(scope="module")
def url(embedded_server, tmp_path_factory):
    """URL of a database with a row in every table, as its owner."""
    create_database(embedded_server.admin_url, "roles", owner=ROLE, template="migrated")
    made = database_url(embedded_server.url, "roles")
    fill(made, tmp_path_factory.mktemp("roles"))
    yield made
    drop_database(embedded_server.admin_url, "roles")


@pytest.fixture
def owner(url):
    with psycopg.connect(url) as connection:
        yield connection


@pytest.fixture
def app(url):
    """A connection of the service before it says for whom it works."""
    with psycopg.connect(url, options=AS_APP, autocommit=True) as connection:
        yield connection


def test_every_view_runs_with_the_rights_of_its_reader(owner):
    views = owner.execute(
        "SELECT relname, relkind, reloptions FROM pg_class"
        " WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    assert len(views) >= 20
    assert {name for name, kind, options in views if kind == "m" or options != ["security_invoker=true"]} == set()


def test_the_functions_that_run_with_the_rights_of_their_owner_are_these(owner):
    found = owner.execute(
        "SELECT proname, proconfig FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    ).fetchall()
    assert {name for name, _ in found} == DEFINERS.keys()
    assert all(any(c.startswith("search_path=") for c in config or ()) for _, config in found)


def test_every_table_is_closed_even_to_its_owner_but_for_a_policy(owner):
    found = owner.execute(f"SELECT relname, relrowsecurity, relforcerowsecurity {TABLES}").fetchall()
    assert {name for name, on, forced in found if not (on and forced)} == {"alembic_version"}


def test_the_policies_are_for_the_owner_and_for_the_service_only(owner):
    roles = owner.execute("SELECT DISTINCT unnest(roles)::text FROM pg_policies").fetchall()
    assert {role for (role,) in roles} == {ROLE, APP_ROLE}
    wide = owner.execute("SELECT tablename, cmd FROM pg_policies WHERE 'matcher_app' = ANY (roles) AND cmd = 'ALL'")
    assert wide.fetchall() == []


def test_the_service_s_role_owns_nothing_and_has_no_power(owner):
    assert (
        owner.execute(
            "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles"
            " WHERE rolname = %s",
            [APP_ROLE],
        ).fetchone()
        == (False,) * 6
    )
    owned = "SELECT count(*) FROM pg_shdepend WHERE refobjid = %s::regrole AND deptype = 'o'"
    assert owner.execute(owned, [APP_ROLE]).fetchone() == (0,)
    member_of = "SELECT count(*) FROM pg_auth_members WHERE member = %s::regrole"
    assert owner.execute(member_of, [APP_ROLE]).fetchone() == (0,)


def test_the_service_s_role_may_create_nothing_that_lasts(owner):
    may = (
        "SELECT has_schema_privilege(%(r)s, 'public', 'CREATE'),"
        " has_database_privilege(%(r)s, current_database(), 'CREATE')"
    )
    assert owner.execute(may, {"r": APP_ROLE}).fetchone() == (False, False)


def test_the_service_s_role_may_empty_or_watch_no_table(owner):
    may = (
        f"SELECT relname {TABLES} AND (has_table_privilege(%(r)s, oid, 'TRUNCATE')"
        " OR has_table_privilege(%(r)s, oid, 'TRIGGER') OR has_table_privilege(%(r)s, oid, 'REFERENCES'))"
    )
    assert owner.execute(may, {"r": APP_ROLE}).fetchall() == []


@pytest.mark.parametrize("actor", [None, "", "999999"])
def test_without_an_account_the_service_sees_no_row(owner, app, actor):
    if actor is not None:
        app.execute("SELECT set_config('app.actor', %s, false)", [actor])
    names = owner.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
        " AND relname <> 'alembic_version'"
    ).fetchall()
    seen = {}
    for (name,) in names:
        (count,) = app.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
        (there,) = owner.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
        assert there or name.endswith("_now"), f"{name} has no row, so that nothing is shown by seeing none"
        seen[name] = count
    assert seen == dict.fromkeys(seen, 0)


def test_a_disabled_account_sees_no_row(owner, app):
    account = "SELECT account_id FROM account WHERE login = 'desk'"
    (desk,) = owner.execute(account).fetchone()
    app.execute("SELECT set_config('app.actor', %s, false)", [str(desk)])
    partners = "SELECT count(*) FROM partners"
    assert app.execute(partners).fetchone() != (0,)
    with owner.transaction():
        owner.execute("UPDATE account SET disabled_at = clock_timestamp() WHERE account_id = %s", [desk])
    owner.commit()
    try:
        assert app.execute(partners).fetchone() == (0,)
    finally:
        owner.execute("UPDATE account SET disabled_at = NULL WHERE account_id = %s", [desk])
        owner.commit()
