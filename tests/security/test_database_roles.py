"""The role of the service owns nothing and sees nothing that no policy opens; nothing runs with its owner's rights."""

from contextlib import contextmanager

import psycopg
import pytest
from databases import create_database, database_url, drop_database
from filled import fill
from offices import AE, JP, PEOPLE, PORT, TOKYO, UAE
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, RestrictViolation

from matcher.store.embedded import APP_ROLE, ROLE
from matcher.store.store import AS_APP

DEFINERS = {
    "actor_role": "the actor's own role, from accounts that he may not read",
    "actor_mission": "the actor's own mission, likewise",
    "offices_at": "that others work on a partner, and who leads; nothing else of their work",
    "colleague": "whether somebody else is of the actor's own office",
    "referred": "whether rows refer to a record, before an import is undone",
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


def test_no_function_looks_into_temporary_tables_first(owner):
    found = owner.execute(
        "SELECT proname, proconfig FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND prosqlbody IS NULL"
        " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
    ).fetchall()
    assert DEFINERS.keys() | {"own_office", "actor_covers", "follows", "audited"} <= {name for name, _ in found}
    loose = {name for name, config in found if config != ["search_path=public, pg_temp"]}
    assert loose == {"refuse_change"}, "it reads no table"


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


# What a caller may not write, should the program ever let him try.

NUMBER = {"service": 1} | {login: number for number, login in enumerate(PEOPLE, start=11)}
ROWS = {
    "interaction": {"kind": "meeting", "held_on": "2026-01-01"},
    "shortlist": {"project_id": PORT},
    "assignment": {"by_city": False, "lead": False, "stage": "lead", "status": "active"},
    "outcome": {"project_id": PORT, "result": "abandoned", "decided_on": "2026-01-01", "source": "s"},
}
RECORD = 900_000


class People:
    """The small world's people, each on a connection of the service's role; nothing that they write stays."""

    def __init__(self, url):
        self.url = url

    @contextmanager
    def as_(self, login):
        with psycopg.connect(self.url, options=AS_APP, autocommit=True) as connection:
            connection.execute("SELECT set_config('app.actor', %s, false)", [str(NUMBER[login])])
            with connection.transaction(force_rollback=True):
                yield connection

    @contextmanager
    def refused(self, login):
        with self.as_(login) as connection, pytest.raises(InsufficientPrivilege), connection.transaction():
            yield connection


@pytest.fixture(scope="module")
def people(embedded_server, filled):
    """A small world in which the mission in Tokyo has one record of every kind, under the number `RECORD`."""
    create_database(embedded_server.admin_url, "writers", owner=ROLE, template="filled")
    made = People(database_url(embedded_server.url, "writers"))
    with psycopg.connect(made.url) as connection:
        for table in ROWS:
            write(connection, table, "tokyo.desk", 1, TOKYO)
    yield made
    drop_database(embedded_server.admin_url, "writers")


def write(connection, table, login, version, mission, **more):
    row = {
        "id": RECORD, "version": version, "mission_id": mission, "partner_id": JP, "account_id": NUMBER[login],
        **ROWS[table], **more,
    }  # fmt: skip
    insert(connection, table, **row)


def insert(connection, table, **row):
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Placeholder, row)),
        ),
        row,
    )  # fmt: skip


@pytest.mark.parametrize("table", ROWS)
def test_nobody_continues_a_record_that_he_does_not_see_or_takes_it_over(people, table):
    with people.as_("tokyo.second") as connection:
        write(connection, table, "tokyo.second", 2, TOKYO)
        write(connection, table, "tokyo.second", 3, TOKYO)
    for stranger, mission, partner in (("city.office", None, JP), ("uae.desk", UAE, AE), ("keeper", None, JP)):
        with people.refused(stranger) as connection:
            write(connection, table, stranger, 2, mission, partner_id=partner)
    with people.as_("keeper") as connection:
        write(connection, table, "keeper", 2, TOKYO)
    with people.refused("tokyo.desk") as connection:
        write(connection, table, "tokyo.desk", 3, TOKYO)


def test_the_city_continues_what_it_gave_to_a_mission_and_nothing_else(people):
    with people.refused("city.office") as connection:
        write(connection, "assignment", "city.office", 2, TOKYO, by_city=True)
    with people.as_("city.office") as connection:
        write(connection, "assignment", "city.office", 1, TOKYO, by_city=True, id=RECORD + 1)
        write(connection, "assignment", "city.office", 2, TOKYO, by_city=True, id=RECORD + 1)
        with pytest.raises(InsufficientPrivilege), connection.transaction():
            write(connection, "assignment", "city.office", 3, UAE, by_city=True, id=RECORD + 1)


def test_a_note_is_added_only_to_a_version_of_one_s_own(people):
    for stranger, mission in (("city.office", None), ("tokyo.second", TOKYO)):
        with people.refused(stranger) as connection:
            insert(connection, "outcome_note", id=RECORD, version=1, mission_id=mission, note="x",
                   account_id=NUMBER[stranger])  # fmt: skip
    with people.as_("tokyo.desk") as connection:
        insert(connection, "outcome_note", id=RECORD, version=1, mission_id=TOKYO, note="x",
               account_id=NUMBER["tokyo.desk"])  # fmt: skip


@pytest.mark.parametrize("login", PEOPLE)
def test_only_the_service_puts_on_record_what_somebody_else_did(people, login):
    for other in (NUMBER["keeper"] if login != "keeper" else NUMBER["tokyo.desk"], None):
        with people.refused(login) as connection:
            insert(connection, "audit", actor="x", action="signed in", account_id=other)
    with people.as_(login) as connection:
        insert(connection, "audit", actor="x", action="export", account_id=NUMBER[login])
    with people.as_("service") as connection:
        insert(connection, "audit", actor="x", action="signed in", account_id=NUMBER[login])
        insert(connection, "audit", actor="nobody", action="sign-in refused", account_id=None)


@pytest.mark.parametrize("login", PEOPLE)
def test_nobody_judges_in_another_one_s_name(people, login):
    own = {
        "project_id": PORT, "partner_id": JP, "grade": 2, "judged_by": f"u{NUMBER[login]}",
        "actor": f"u{NUMBER[login]}", "judged_on": "2026-01-01", "mission_id": PEOPLE[login][1],
    }  # fmt: skip
    with people.as_(login) as connection:
        insert(connection, "judgment", **own)
    for forged in ({"judged_by": "u99"}, {"actor": "u99"}, {"mission_id": "jp-osaka"}):
        if login == "keeper" and "mission_id" in forged:
            continue  # an administrator is of every office
        with people.refused(login) as connection:
            insert(connection, "judgment", **own | forged)


@pytest.mark.parametrize("login", PEOPLE)
def test_only_the_service_says_what_was_shown(people, login):
    shown = {
        "engine_id": "e", "as_of": "2026-01-01", "revision": 1, "query": "{}", "filters": "{}", "n": 1, "offset": 0,
        "n_items": 1, "candidates": 1, "channel": "api", "lang": "vi", "actor": f"u{NUMBER[login]}",
        "role": PEOPLE[login][0], "mission_id": PEOPLE[login][1],
    }  # fmt: skip
    item = {"rank": 1, "project_id": PORT, "partner_id": JP, "score": 1.0}
    with people.as_("service") as connection:
        insert(connection, "exposure", **shown)
        (number,) = connection.execute("SELECT max(exposure_id) FROM exposure").fetchone()
        insert(connection, "exposure_item", exposure_id=number, **item)
        connection.execute("SELECT set_config('app.actor', %s, true)", [str(NUMBER[login])])
        assert connection.execute("SELECT count(*) FROM exposure_item").fetchone() == (1,)
        for table, row in (("exposure", shown), ("exposure_item", {"exposure_id": number, **item, "rank": 2})):
            with pytest.raises(InsufficientPrivilege), connection.transaction():
                insert(connection, table, **row)


def test_a_temporary_table_deceives_no_function(people):
    with people.as_("uae.desk") as connection:
        asked = "SELECT actor_role(), actor_mission(), own_office(NULL), actor_covers(%s)"
        before = connection.execute(asked, [JP]).fetchone()
        assert before == ("mission", UAE, False, False)
        connection.execute(
            "CREATE TEMP TABLE account AS SELECT actor_id() AS account_id, 'admin' AS role, NULL::text AS mission_id,"
            " NULL::timestamptz AS disabled_at"
        )
        connection.execute("CREATE TEMP TABLE partners_now AS SELECT %s AS partner_id, 'AE' AS country", [JP])
        connection.execute(
            "CREATE TEMP TABLE interaction AS SELECT %s::bigint AS id, 1::bigint AS version, %s AS mission_id",
            [RECORD, UAE],
        )
        connection.execute("GRANT SELECT ON account, partners_now, interaction TO PUBLIC")
        assert connection.execute(asked, [JP]).fetchone() == before
        assert connection.execute("SELECT colleague(%s)", [NUMBER["tokyo.desk"]]).fetchone() == (False,)
        assert connection.execute("SELECT follows('interaction', %s, 2, %s)", [RECORD, UAE]).fetchone() == (False,)


def test_old_answers_are_taken_away_by_the_owner_only_and_never_changed(people):
    kept = {"account_id": NUMBER["keeper"], "key": "k", "request_hash": "h", "status": 201, "body": "", "headers": "{}"}
    with psycopg.connect(people.url) as owner:
        insert(owner, "idempotency", **kept)
        with pytest.raises(RestrictViolation), owner.transaction():
            owner.execute("UPDATE idempotency SET body = 'x'")
    with people.refused("keeper") as connection:
        connection.execute("DELETE FROM idempotency")
    with psycopg.connect(people.url) as owner:
        assert owner.execute("DELETE FROM idempotency").rowcount == 1
