"""Commands for those who may sign in: `matcher user` and `matcher key`."""

# ruff: noqa: PLC0415 - modules are imported when a command needs them, so that `matcher --help` is quick
import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from matcher.cli.running import Commands, Format, actor, console, print_json, settings
from matcher.errors import InputError

if TYPE_CHECKING:
    import psycopg

users = typer.Typer(
    cls=Commands, no_args_is_help=True, rich_markup_mode=None, help="Accounts of offices, which may sign in."
)
keys = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode=None, help="API keys of accounts.")

Shown = Annotated[Format, typer.Option("--format", help="How the result is printed.")]
Role = Annotated[str, typer.Option(help="mission, officer, analyst or admin.")]
Mission = Annotated[str | None, typer.Option(metavar="ID", help="The mission that a mission account works for.")]
Export = Annotated[bool, typer.Option("--export", help="May take lists away as CSV or XLSX.")]
Login = Annotated[str, typer.Argument(metavar="LOGIN", help="Name of an office or a function, not of a person.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input; default: it is asked for.")
]

SCOPES = ("read", "write", "export")


@contextmanager
def _books() -> Iterator["psycopg.Cursor"]:
    """A cursor as owner of the tables, audited under the user of the operating system; all or nothing."""
    from matcher.jobs.opening import open_store

    with open_store(settings().site()) as store, store.owner(who=actor()) as cursor:
        yield cursor


@users.command("add")
def user_add(
    login: Login, role: Role, mission: Mission = None, export: Export = False, no_password: Annotated[
        bool, typer.Option("--no-password", help="A program: only its keys let it in.")
    ] = False, password_stdin: FromStdin = False, shown: Shown = Format.TABLE,
) -> None:  # fmt: skip
    """Add an account. The first administrator is made this way; a password is asked for or made."""
    from matcher.store import accounts

    password, made = (None, False) if no_password else _password(stdin=password_stdin)
    with _books() as cursor:
        account = accounts.add(cursor, login, role, mission_id=mission, may_export=export, password=password)
    content = account.to_json() | ({"password": password} if made else {})
    if shown is Format.JSON:
        print_json(content)
        return
    typer.echo(f"{account.login}: {account.role}{f' of {account.mission_id}' if account.mission_id else ''}")
    if made:
        typer.echo(f"password (shown once): {password}")


@users.command("list")
def user_list(shown: Shown = Format.TABLE) -> None:
    """List all accounts."""
    from matcher.cli.tables import plain
    from matcher.store import accounts

    with _books() as cursor:
        found = [a.to_json() for a in accounts.every(cursor)]
    if shown is Format.JSON:
        print_json(found)
        return
    lines = [
        (a["login"], a["role"], a["mission_id"] or "", "export" if a["may_export"] else "", _since(a["disabled_at"]))
        for a in found
    ]
    console().print(plain(("login", "role", "mission", "", "disabled"), lines))


@users.command("disable")
def user_disable(login: Login, shown: Shown = Format.TABLE) -> None:
    """Shut an account out: its sessions end and its keys let nobody in. What it wrote stays."""
    _switch(login, shown, disabled=True)


@users.command("enable")
def user_enable(login: Login, shown: Shown = Format.TABLE) -> None:
    """Let a disabled account in again."""
    _switch(login, shown, disabled=False)


@users.command("password")
def user_password(login: Login, password_stdin: FromStdin = False) -> None:
    """Give an account a new password; its sessions end and a lock is lifted."""
    from matcher.store import accounts

    password, made = _password(stdin=password_stdin)
    with _books() as cursor:
        accounts.set_password(cursor, login, password)
    typer.echo(f"password (shown once): {password}" if made else f"{login} has a new password")


@keys.command("add")
def key_add(
    *, login: Annotated[str, typer.Argument(metavar="LOGIN", help="The account that the key acts for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, write, export or admin; repeatable. Default: all but admin.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=730, help="How long it is valid.")] = 90,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    role: Annotated[
        str | None, typer.Option(help="Make the account of a program with this role first; it has no password.")
    ] = None,
    mission: Mission = None, export: Export = False, shown: Shown = Format.TABLE,
) -> None:  # fmt: skip
    """Make an API key. It is shown once; only its hash is stored."""
    from matcher.store import accounts

    scopes = tuple(s for word in scope or SCOPES for s in word.split(","))
    with _books() as cursor:
        if role is not None:
            accounts.add(cursor, login, role, mission_id=mission, may_export=export)
        elif mission is not None or export:
            raise InputError("--mission and --export belong to --role, which makes a new account.")
        secret, key = accounts.add_key(cursor, login, label=label, scopes=scopes, days=days)
    if shown is Format.JSON:
        print_json({**key.to_json(), "key": secret})
        return
    typer.echo(f"key {key.key_id} of {key.login} ({', '.join(key.scopes)}), valid until {key.expires_at:%Y-%m-%d}")
    typer.echo(f"shown once: {secret}")


@keys.command("list")
def key_list(shown: Shown = Format.TABLE) -> None:
    """List all keys, newest first, without their secrets."""
    from matcher.cli.tables import plain
    from matcher.store import accounts

    with _books() as cursor:
        found = [k.to_json() for k in accounts.keys(cursor)]
    if shown is Format.JSON:
        print_json(found)
        return
    lines = [
        (str(k["id"]), k["login"], k["label"], ", ".join(k["scopes"]), *(_since(k[c]) for c in _DATES)) for k in found
    ]
    console().print(plain(("id", "login", "for", "scopes", "expires", "last used", "revoked"), lines))


@keys.command("revoke")
def key_revoke(
    key_id: Annotated[int, typer.Argument(metavar="ID", help="Number of the key.")], shown: Shown = Format.TABLE
) -> None:
    """Take a key back: within a second it lets nobody in."""
    from matcher.store import accounts

    with _books() as cursor:
        key = accounts.revoke(cursor, key_id)
    if shown is Format.JSON:
        print_json(key.to_json())
    else:
        typer.echo(f"key {key.key_id} of {key.login} is revoked")


_DATES = ("expires_at", "last_used_at", "revoked_at")


def _switch(login: str, shown: Format, *, disabled: bool) -> None:
    from matcher.store import accounts

    with _books() as cursor:
        account = accounts.disable(cursor, login, disabled=disabled)
    if shown is Format.JSON:
        print_json(account.to_json())
    else:
        typer.echo(f"{account.login} is {'disabled' if disabled else 'enabled'}")


def _password(*, stdin: bool) -> tuple[str, bool]:
    """A password, and whether it was made here: typed twice at a terminal, read from standard input, else made."""
    from matcher.identity import new_password

    if stdin:
        return sys.stdin.readline().rstrip("\r\n"), False
    if not sys.stdin.isatty():
        return new_password(), True
    typed = getpass.getpass("Password (empty: one is made): ")
    if not typed:
        return new_password(), True
    if getpass.getpass("Once more: ") != typed:
        raise InputError("The two passwords differ; nothing was changed.")
    return typed, False


def _since(moment: Any) -> str:
    return "" if moment is None else str(moment)[:10]
