"""Brings a database to the schema of this program, or back; Alembic is loaded only when there is work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from matcher.errors import SourceError
from matcher.store.embedded import APP_ROLE
from matcher.store.schema import HEAD

if TYPE_CHECKING:
    from alembic.config import Config

MINIMUM_SERVER, MINIMUM_VECTOR = 160000, (0, 8)
_ROLES = "0003"  # the migration that gives the service a role of its own
_LOCK = 0x6D61_7463  # advisory lock of migrations: two first starts at once must not both create


def current(connection: psycopg.Connection) -> str | None:
    """The migration that the database is at; None when it is empty."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def check_server(connection: psycopg.Connection) -> None:
    """The server is recent enough and folds Vietnamese letters.

    Raises:
        SourceError: it is not; says what was found and what is needed.
    """
    version = connection.info.server_version
    if version < MINIMUM_SERVER:
        raise SourceError(
            f"The database server is PostgreSQL {version // 10000}; version 16 or later is needed. "
            "Upgrade it, or unset MATCHER_DATABASE_URL to use the embedded server."
        )
    row = connection.execute(
        "SELECT (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'),"
        " (SELECT extversion FROM pg_extension WHERE extname = 'vector'), current_setting('server_encoding')"
    ).fetchone()
    available, installed, encoding = row or (None, None, None)
    found = installed or available
    if found is None or tuple(int(part) for part in str(found).split(".")[:2]) < MINIMUM_VECTOR:
        raise SourceError(
            f"The database server offers pgvector {found or '(none)'}; 0.8 or later is needed. Install it "
            "(Debian: postgresql-<version>-pgvector, then ALTER EXTENSION vector UPDATE)."
        )
    if encoding != "UTF8" or connection.execute("SELECT lower('ĐÀ NẴNG')").fetchone() != ("đà nẵng",):
        raise SourceError(
            f"The database has encoding {encoding} and a locale that does not know Vietnamese letters; "
            "create it with ENCODING 'UTF8' and a UTF-8 locale such as C.UTF-8."
        )


def to(url: str, revision: str) -> None:
    """The database is at this migration ('head' = newest, 'base' = empty), in one transaction.

    Going back removes the tables of the later migrations with all they hold.

    Raises:
        SourceError: the server is too old, or lacks the extension and the right to create it, or the login may not
            give itself the role of the service.
    """
    with transaction(url) as (_, move):
        move(revision)


@contextmanager
def transaction(url: str) -> Iterator[tuple[psycopg.Connection, Callable[[str], None]]]:
    """One transaction in which nobody else migrates: its connection, and what brings it to a migration."""
    from alembic import command  # noqa: PLC0415 - half a second that most commands do not need
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from sqlalchemy import create_engine, exc, pool  # noqa: PLC0415

    config = _config()
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=pool.NullPool)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            config.attributes["connection"] = connection
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)

            def move(revision: str) -> None:
                found = MigrationContext.configure(connection).get_current_revision() or ""
                if revision == "base" or (revision != "head" and revision < found):
                    command.downgrade(config, revision)
                    return
                if found < _ROLES <= (HEAD if revision == "head" else revision):
                    _check_role(driver)
                command.upgrade(config, revision)

            yield driver, move
    except exc.DBAPIError as error:
        # Callers know the driver's errors only.
        if isinstance(error.orig, psycopg.Error):
            raise error.orig from error
        raise


def known() -> tuple[str, ...]:
    """Every migration of this program, oldest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    found = ScriptDirectory.from_config(_config()).walk_revisions()
    return tuple(script.revision for script in found)[::-1]


def check_current(found: str | None) -> None:
    """The database is at the schema of this program.

    Raises:
        SourceError: it is empty, older or newer; says what to do.
    """
    if found is None:
        raise SourceError("The database is empty; run `matcher init` to create its tables.")
    if found != HEAD:
        raise SourceError(
            f"The database is at schema {found}, this program expects {HEAD}; "
            "run `matcher init` to bring it forward, or update the program if the database is newer."
        )


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _check_role(connection: psycopg.Connection) -> None:
    """The login has the role of the service or may create it and give it to itself."""
    row = connection.execute(
        "SELECT quote_ident(current_user), rolsuper OR rolcreaterole, rolsuper,"
        " EXISTS (SELECT FROM pg_roles WHERE rolname = %(app)s),"
        " (SELECT pg_has_role(current_user, oid, 'SET') OR pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION')"
        "  FROM pg_roles WHERE rolname = %(app)s) FROM pg_roles WHERE rolname = current_user",
        {"app": APP_ROLE},
    ).fetchone()
    assert row is not None
    login, creates, superuser, exists, has = row
    if superuser or has or (creates and not exists):
        return
    create = "" if exists else f"CREATE ROLE {APP_ROLE} NOLOGIN; "
    raise SourceError(
        f"The database login {login} may not give itself the role {APP_ROLE}, under which the service works. An "
        f"administrator of the server runs this once: {create}GRANT {APP_ROLE} TO {login}; then run `matcher init` "
        "again. Nothing was changed."
    )
