"""Databases of every released schema come forward with their rows, and go back, under every login that may own them."""

import psycopg
import pytest
from databases import create_database, database_url, drop_database, reachable_folder, tcp_server
from filled import FEEDBACK, HOUSEKEEPING, SERVICE, catalogue, differences, fill_facts, rows
from psycopg import sql

from matcher.errors import SourceError
from matcher.jobs import OFFLINE_ENCODER, Site, setup
from matcher.records import TABLES
from matcher.store import Store, dumping, migrate, schema
from matcher.store.embedded import APP_ROLE, ROLE, EmbeddedServer

FIRST = "0001"
LOGINS = {
    "boss": [],
    "creator": ["CREATE ROLE creator LOGIN CREATEROLE PASSWORD 'outside'"],
    "plain": ["CREATE ROLE plain LOGIN PASSWORD 'outside'", f"CREATE ROLE {APP_ROLE}", f"GRANT {APP_ROLE} TO plain"],
}
"""Kinds of owners: a superuser, one who may create roles, and one for whom an administrator did it."""


@pytest.fixture(scope="module")
def released(embedded_server, tmp_path_factory):
    """Rows of the first released schema (table -> content, COPY text), and what they say today (table -> frame)."""
    create_database(embedded_server.admin_url, "released", owner=ROLE, template="migrated")
    url = database_url(embedded_server.url, "released")
    fill_facts(url, tmp_path_factory.mktemp("released"))
    with psycopg.connect(url) as connection:
        connection.execute(HOUSEKEEPING)
    with Store.open(url) as store:
        said = {name: store.read(name) for name in TABLES}
    migrate.to(url, FIRST)
    with psycopg.connect(url) as connection:
        contents = {}
        for name in dumping.tables(connection):
            out = []
            content = dumping.write(connection, name, Sink(out))
            contents[name] = (content, b"".join(out))
    drop_database(embedded_server.admin_url, "released")
    assert all(content.rows for content, _ in contents.values())
    return contents, said


class Sink(list):
    def __init__(self, out):
        self.write = out.append


@pytest.fixture(scope="module", params=["embedded", *LOGINS])
def owned(request, embedded_server):
    """URL of an empty database under one kind of owner; an administrator's server never saw this program."""
    if request.param == "embedded":
        create_database(embedded_server.admin_url, "owned", owner=ROLE)
        yield database_url(embedded_server.url, "owned")
        drop_database(embedded_server.admin_url, "owned")
        return
    with tcp_server() as external:
        login = request.param
        with psycopg.connect(external, autocommit=True) as connection:
            for statement in LOGINS[login]:
                connection.execute(statement)
        create_database(external, "city", owner=login)
        url = database_url(external, "city")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")
        yield url.replace("boss:outside", f"{login}:outside")


def load(url, contents):
    """The database is of the first schema and holds these rows."""
    import io

    migrate.to(url, FIRST)
    with psycopg.connect(url) as connection:
        dumping.load(
            connection, {name: content for name, (content, _) in contents.items()}, {},
            lambda name: io.BytesIO(contents[name][1]),
        )  # fmt: skip
        for table in ("batch", "audit", *TABLES):
            key = "seq" if table in TABLES else "id"
            connection.execute(
                sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), max({})) FROM {}").format(
                    table, key, sql.Identifier(key), sql.Identifier(table)
                )
            )


def without_growth(url):
    """Rows of the present tables; those of the audit are compared apart, because it grows."""
    found = rows(url)
    return found, found.pop("audit")


def steady(url):
    """The catalogue but for the numbers that were given out."""
    return {part: found for part, found in catalogue(url).items() if part != "sequences"}


def test_rows_of_the_first_schema_come_forward_go_back_and_come_forward_again(owned, released):
    contents, said = released
    migrate.to(owned, FIRST)
    at_first = steady(owned)
    load(owned, contents)
    before, audit = without_growth(owned)
    assert differences(at_first, steady(owned)) == {}
    with Store.open(owned) as store:
        assert store.migrate()
        at_head = steady(owned)
        for _ in range(2):
            assert {name: store.read(name).equals(frame) for name, frame in said.items()} == dict.fromkeys(said, True)
            assert [b.n_rows for b in store.batches(table="projects")] == [said["projects"].height]
            assert [e.engine_id for e in store.engines()] == ["e"]
            assert store.get_vectors("e", ["h"])["h"].tobytes() == b"\x00\x01\xfe\xff"
            with psycopg.connect(owned) as connection:  # what a later version wrote must not hold a downgrade up
                connection.execute(FEEDBACK)
                connection.execute(SERVICE)
            for revision in reversed(migrate.known()[:-1]):
                migrate.to(owned, revision)
            now, grown = without_growth(owned)
            assert differences(before, now) == {}
            assert set(audit) <= set(grown)
            assert differences(at_first, steady(owned)) == {}
            for revision in migrate.known()[1:]:
                migrate.to(owned, revision)
            assert differences(at_head, steady(owned)) == {}
            assert not store.migrate()


@pytest.mark.parametrize("there", [False, True])
def test_an_owner_who_may_not_create_roles_is_told_what_an_administrator_runs(there, released):
    with tcp_server() as external:
        with psycopg.connect(external, autocommit=True) as connection:
            connection.execute("CREATE ROLE \"Sở Ngoại vụ\" LOGIN PASSWORD 'x'")
            if there:
                connection.execute(f"CREATE ROLE {APP_ROLE} NOLOGIN")
        create_database(external, "city", owner="Sở Ngoại vụ")
        with psycopg.connect(database_url(external, "city"), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")
        url = database_url(external, "city").replace("boss:outside", "S%E1%BB%9F%20Ngo%E1%BA%A1i%20v%E1%BB%A5:x")
        load(url, released[0])
        before = rows(url)
        with Store.open(url) as store:
            with pytest.raises(SourceError, match="An administrator of the server runs this once: ") as refused:
                store.migrate()
            assert rows(url) == before
            advice = str(refused.value).split("runs this once: ")[1].split("; then run")[0]
            grant = f'GRANT {APP_ROLE} TO "Sở Ngoại vụ"'
            assert advice == (grant if there else f"CREATE ROLE {APP_ROLE} NOLOGIN; {grant}")
            with psycopg.connect(external, autocommit=True) as connection:
                connection.execute(advice)
            assert store.migrate()
        with Store.open(url, acting=1) as store:
            assert store.read("projects").equals(released[1]["projects"])


def test_a_data_folder_of_the_first_release_comes_forward_with_init(released, model):
    with reachable_folder() as folder:
        data = folder / "data"
        data.mkdir()
        (data / "models").symlink_to(model.parent)
        with EmbeddedServer.start(data) as server:
            # As the first release left it: its marker, and no role of the service.
            mark = server.place.server / "bootstrapped-2"
            mark.rename(mark.with_name("bootstrapped"))
            with psycopg.connect(server.admin_url) as connection:
                connection.execute(f"DROP ROLE {APP_ROLE}")
            load(server.url, released[0])
        reference = folder / "reference"
        from small_site import write_reference

        write_reference(reference)
        site = Site(data_dir=data, reference_dir=reference, database_url=None, encoder=OFFLINE_ENCODER, seed=0)
        done = setup.init(site, actor="tests")
        assert done.migrated
        assert {t.state for t in done.tables} == {"unchanged"}
        with EmbeddedServer.start(data) as server, Store.open(server.url, acting=1) as store:
            for name, frame in released[1].items():
                assert store.read(name).equals(frame), name
        assert setup.init(site, actor="tests").migrated is False


def test_the_head_is_the_last_that_is_known():
    assert migrate.known()[0] == FIRST
    assert migrate.known()[-1] == schema.HEAD
    assert list(migrate.known()) == sorted(migrate.known())
