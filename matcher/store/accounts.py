"""Accounts, passwords, keys and sessions; the functions take a cursor of `Desk.acting` or of the tables' owner."""

# ruff: noqa: S608 - statements are put together of constants of this module only

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg

from matcher import identity
from matcher.errors import ConflictError, InputError, NotFoundError
from matcher.identity import Caller

SESSION_HOURS = 12
SEEN_SECONDS = 60
"""How exactly it is known when a key was last used: a write for every request would be one too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An office or a program that may sign in."""

    account_id: int
    login: str
    role: str
    mission_id: str | None
    may_export: bool
    demo: bool
    created_at: datetime
    disabled_at: datetime | None
    has_password: bool

    def to_json(self) -> dict[str, Any]:
        """The account as lists print it."""
        return {
            "id": self.account_id, "login": self.login, "role": self.role, "mission_id": self.mission_id,
            "may_export": self.may_export, "demo": self.demo, "created_at": self.created_at.isoformat(),
            "disabled_at": self.disabled_at and self.disabled_at.isoformat(), "has_password": self.has_password,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key, without its secret."""

    key_id: int
    login: str
    label: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """The key as lists print it."""
        return {
            "id": self.key_id, "login": self.login, "label": self.label, "scopes": list(self.scopes),
            **{n: v and v.isoformat() for n, v in (
                ("created_at", self.created_at), ("expires_at", self.expires_at), ("revoked_at", self.revoked_at),
                ("last_used_at", self.last_used_at),
            )},
        }  # fmt: skip


_ACCOUNT = (
    "SELECT a.account_id, a.login, a.role, a.mission_id, a.may_export, a.demo, a.created_at, a.disabled_at,"
    " c.account_id IS NOT NULL FROM account a LEFT JOIN credential c USING (account_id)"
)


def add(
    cursor: psycopg.Cursor, login: str, role: str, *, mission_id: str | None = None, may_export: bool = False,
    demo: bool = False, password: str | None = None,
) -> Account:  # fmt: skip
    """The new account; without a password only its keys let it in.

    Raises:
        InputError: login, role, mission or password is not usable.
        ConflictError: the login is taken.
    """
    login = identity.check_login(login)
    identity.check_role(role, mission_id)
    if mission_id is not None:
        known = cursor.execute("SELECT 1 FROM missions_now WHERE mission_id = %s", [mission_id]).fetchone()
        if known is None:
            near = cursor.execute(
                "SELECT mission_id FROM missions_now WHERE fold(mission_id || ' ' || name_en || ' ' || name_vi)"
                " LIKE '%%' || fold(%s) || '%%' ORDER BY 1 LIMIT 5",
                [mission_id],
            ).fetchall()
            raise NotFoundError(f'There is no mission "{mission_id}".', [str(r[0]) for r in near])
    hashed = None if password is None else identity.hash_password(password)
    made = cursor.execute(
        "INSERT INTO account (login, role, mission_id, may_export, demo) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING account_id",
        [login, role, mission_id, may_export, demo],
    ).fetchone()
    if made is None:
        raise ConflictError(f'The login "{login}" is taken; choose another one.')
    if hashed is not None:
        cursor.execute("INSERT INTO credential (account_id, password_hash) VALUES (%s, %s)", [made[0], hashed])
    return get(cursor, login)


def get(cursor: psycopg.Cursor, login: str) -> Account:
    """The account of a login.

    Raises:
        NotFoundError: there is none.
    """
    row = cursor.execute(f"{_ACCOUNT} WHERE lower(a.login) = lower(%s) AND a.role <> 'service'", [login]).fetchone()
    if row is None:
        near = cursor.execute("SELECT login FROM account WHERE role <> 'service' ORDER BY login LIMIT 20").fetchall()
        raise NotFoundError(f'There is no account "{login[:60]}".', [str(r[0]) for r in near])
    return _account(row)


def every(cursor: psycopg.Cursor) -> list[Account]:
    """All accounts by login, that of the service left out."""
    return [_account(r) for r in cursor.execute(f"{_ACCOUNT} WHERE a.role <> 'service' ORDER BY a.login").fetchall()]


def disable(cursor: psycopg.Cursor, login: str, *, disabled: bool = True) -> Account:
    """The account cannot act any more (or again); its sessions end, its keys let nobody in."""
    account = get(cursor, login)
    cursor.execute(
        "UPDATE account SET disabled_at = CASE WHEN %s THEN coalesce(disabled_at, clock_timestamp()) END"
        " WHERE account_id = %s",
        [disabled, account.account_id],
    )
    cursor.execute(
        "UPDATE session SET ended_at = clock_timestamp() WHERE account_id = %s AND ended_at IS NULL",
        [account.account_id],
    )
    return get(cursor, login)


def set_password(cursor: psycopg.Cursor, login: str, password: str) -> None:
    """The account signs in with this password; it is not locked any more, and its sessions end."""
    account = get(cursor, login)
    cursor.execute(
        "INSERT INTO credential (account_id, password_hash) VALUES (%s, %s) ON CONFLICT (account_id) DO UPDATE"
        " SET password_hash = excluded.password_hash, changed_at = clock_timestamp()",
        [account.account_id, identity.hash_password(password)],
    )
    cursor.execute(
        "UPDATE attempt SET failures = 0, locked_until = NULL WHERE login_hash = %s", [identity.digest(account.login)]
    )
    cursor.execute(
        "UPDATE session SET ended_at = clock_timestamp() WHERE account_id = %s AND ended_at IS NULL",
        [account.account_id],
    )


# Keys


def add_key(cursor: psycopg.Cursor, login: str, *, label: str, scopes: tuple[str, ...], days: int) -> tuple[str, Key]:
    """A fresh key of an account, with its secret, which nobody can see again.

    Raises:
        InputError: a scope is unknown, or the key would live less than a day or more than two years.
        NotFoundError: there is no such account.
    """
    if not 1 <= days <= 730:
        raise InputError(f"A key lives 1 to 730 days, not {days}.")
    account = get(cursor, login)
    if account.disabled_at is not None:
        raise ConflictError(f'The account "{account.login}" is disabled; enable it first.')
    secret = identity.new_key()
    row = cursor.execute(
        "INSERT INTO api_key (account_id, label, hash, scopes, expires_at) VALUES (%s, %s, %s, %s,"
        " clock_timestamp() + make_interval(days => %s)) RETURNING key_id",
        [account.account_id, label, identity.digest(secret), list(identity.check_scopes(scopes)), days],
    ).fetchone()
    assert row is not None
    return secret, next(k for k in keys(cursor) if k.key_id == row[0])


def keys(cursor: psycopg.Cursor) -> list[Key]:
    """All keys, newest first; revoked and expired ones too."""
    found = cursor.execute(
        "SELECT k.key_id, a.login, k.label, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.last_used_at"
        " FROM api_key k JOIN account a USING (account_id) ORDER BY k.key_id DESC"
    ).fetchall()
    return [
        Key(key_id=r[0], login=r[1], label=r[2], scopes=tuple(r[3]), created_at=r[4], expires_at=r[5], revoked_at=r[6],
            last_used_at=r[7])
        for r in found
    ]  # fmt: skip


def revoke(cursor: psycopg.Cursor, key_id: int) -> Key:
    """The key lets nobody in any more.

    Raises:
        NotFoundError: there is no such key.
    """
    cursor.execute(
        "UPDATE api_key SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE key_id = %s", [key_id]
    )
    if not cursor.rowcount:
        raise NotFoundError(f"There is no key {key_id}; `matcher key list` shows them.")
    return next(k for k in keys(cursor) if k.key_id == key_id)


def of_key(cursor: psycopg.Cursor, secret: str) -> Caller | None:
    """Who a key belongs to; None when it is unknown, expired or revoked, or its account is disabled."""
    row = cursor.execute(
        f"SELECT {_CALLER}, k.scopes, k.key_id,"
        " k.last_used_at IS NULL OR k.last_used_at < clock_timestamp() - make_interval(secs => %s)"
        " FROM api_key k JOIN account a USING (account_id) WHERE k.hash = %s AND k.revoked_at IS NULL"
        " AND k.expires_at > clock_timestamp() AND a.disabled_at IS NULL AND a.role <> 'service'",
        [SEEN_SECONDS, identity.digest(secret)],
    ).fetchone()
    if row is None:
        return None
    if row[-1]:
        cursor.execute("UPDATE api_key SET last_used_at = clock_timestamp() WHERE key_id = %s", [row[-2]])
    return _caller(row, frozenset(row[-3]), "key")


# Sessions

_CALLER = "a.account_id, a.login, a.role, a.mission_id, a.may_export, a.demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What came of a password: a session (its secret), or how many seconds the login stays locked.

    `account_id`: the account that was tried, for the audit; None where there is none.
    """

    session: str | None = None
    caller: Caller | None = None
    locked_seconds: int = 0
    account_id: int | None = None


def sign_in(cursor: psycopg.Cursor, login: str, password: str) -> SignIn:
    """A fresh session where the password is right; wrong ones are counted, and lock the login longer and longer.

    While a login is locked no password is looked at. A login that does not exist takes as long as one that does, is
    counted and locked alike.
    """
    name = identity.digest(unicodedata.normalize("NFC", login).strip().lower())
    # Locks the row: attempts at one login come one after the other.
    tried = cursor.execute(
        "INSERT INTO attempt (login_hash) VALUES (%s) ON CONFLICT (login_hash) DO UPDATE SET tried_at ="
        " clock_timestamp() RETURNING failures,"
        " greatest(0, ceil(extract(epoch FROM locked_until - clock_timestamp())))::bigint",
        [name],
    ).fetchone()
    assert tried is not None
    failures, locked = tried
    row = None
    if login.isprintable():
        row = cursor.execute(
            f"SELECT {_CALLER}, c.password_hash FROM account a JOIN credential c USING (account_id)"
            " WHERE lower(a.login) = lower(%s) AND a.disabled_at IS NULL",
            [login.strip()],
        ).fetchone()
    account_id = None if row is None else int(row[0])
    if locked:
        return SignIn(locked_seconds=int(locked), account_id=account_id)
    if not identity.verify_password(password, None if row is None else row[-1]) or row is None:
        seconds = identity.lock_seconds(failures + 1)
        cursor.execute(
            "UPDATE attempt SET failures = failures + 1, locked_until = CASE WHEN %s > 0 THEN"
            " clock_timestamp() + make_interval(secs => %s) END WHERE login_hash = %s",
            [seconds, seconds, name],
        )
        return SignIn(locked_seconds=seconds, account_id=account_id)
    secret = identity.new_session()
    cursor.execute("UPDATE attempt SET failures = 0, locked_until = NULL WHERE login_hash = %s", [name])
    cursor.execute(
        "INSERT INTO session (hash, account_id, expires_at)"
        " VALUES (%s, %s, clock_timestamp() + make_interval(hours => %s))",
        [identity.digest(secret), row[0], SESSION_HOURS],
    )
    caller = _caller(row, frozenset(identity.SCOPES), "session")
    return SignIn(session=secret, caller=caller, account_id=account_id)


def of_session(cursor: psycopg.Cursor, secret: str) -> Caller | None:
    """Who a session belongs to; None when it has ended or its account is disabled."""
    row = cursor.execute(
        f"SELECT {_CALLER} FROM session s JOIN account a USING (account_id) WHERE s.hash = %s AND s.ended_at IS NULL"
        " AND s.expires_at > clock_timestamp() AND a.disabled_at IS NULL",
        [identity.digest(secret)],
    ).fetchone()
    return None if row is None else _caller(row, frozenset(identity.SCOPES), "session")


def sign_out(cursor: psycopg.Cursor, secret: str) -> None:
    """The session has ended."""
    cursor.execute(
        "UPDATE session SET ended_at = clock_timestamp() WHERE hash = %s AND ended_at IS NULL",
        [identity.digest(secret)],
    )


def _account(row: tuple[Any, ...]) -> Account:
    return Account(
        account_id=row[0], login=row[1], role=row[2], mission_id=row[3], may_export=row[4], demo=row[5],
        created_at=row[6], disabled_at=row[7], has_password=row[8],
    )  # fmt: skip


def _caller(row: tuple[Any, ...], scopes: frozenset[str], via: Literal["key", "session"]) -> Caller:
    return Caller(
        account_id=row[0], login=row[1], role=identity.as_role(row[2]), mission_id=row[3], may_export=row[4],
        demo=row[5], scopes=scopes, via=via,
    )  # fmt: skip
