"""Who acts: roles and scopes, passwords, keys, and how long a door stays shut after wrong passwords.

Nothing here touches the database; `matcher.store.accounts` keeps what is made here.
"""

import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Literal, cast

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from matcher.errors import InputError

Role = Literal["mission", "officer", "analyst", "admin"]
ROLES: tuple[Role, ...] = ("mission", "officer", "analyst", "admin")
SCOPES = ("read", "write", "export", "admin")
"""What a key may be used for; a key never allows more than the role of its account."""

SERVICE = 1
"""Account of the service itself: it reads facts and keeps its books; nobody signs in as it."""

KEY_PREFIX = "mk_"
MIN_PASSWORD, MAX_PASSWORD = 12, 200
FREE_FAILURES = 4
LONGEST_LOCK_SECONDS = 60
"""One guess a minute opens nothing, and a longer lock would let anybody keep an office out."""

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}[a-z0-9]")
_HASHER = argon2.PasswordHasher()  # argon2id with the library's parameters, RFC 9106's low-memory profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, as the door let them in.

    Attributes:
        mission_id: the mission that a caller of role mission works for; None for the others.
        may_export: may take lists away as CSV or XLSX.
        scopes: of `SCOPES`; a session has all that its role allows.
        via: key (a program) or session (the page).
        csrf: what a form of this session must send back; empty for a key.
    """

    account_id: int
    login: str
    role: Role
    mission_id: str | None
    may_export: bool
    scopes: frozenset[str]
    via: Literal["key", "session"]
    demo: bool = False
    csrf: str = ""

    @property
    def pseudonym(self) -> str:
        """Under which logs, exposures and audit know the caller; never a name."""
        return f"u{self.account_id}"


def check_login(login: str) -> str:
    """The login in lower case.

    Raises:
        InputError: it is not 3 to 64 letters a-z, digits, dots, hyphens and underscores.
    """
    plain = unicodedata.normalize("NFC", login).strip().lower()
    if not _LOGIN.fullmatch(plain):
        raise InputError(
            f'The login "{login[:60]}" is not usable; expected 3 to 64 letters a to z, digits and . _ - (name an '
            "office or a function, such as tokyo.desk, not a person).",
            [{"pointer": "/login", "seen": login[:60], "expected": "3 to 64 of a-z 0-9 . _ -"}],
        )
    return plain


def check_role(role: str, mission_id: str | None) -> Role:
    """The role, which fits the mission that is given or not.

    Raises:
        InputError: an unknown role, a mission role without a mission, or another role with one.
    """
    if role not in ROLES:
        raise InputError(f'"{role}" is not a role; expected one of {", ".join(ROLES)}.')
    if (role == "mission") != (mission_id is not None):
        need = "needs a mission" if role == "mission" else "belongs to the city and takes no mission"
        raise InputError(f"The role {role} {need}.")
    return role


def check_scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes, each once, in the order of `SCOPES`.

    Raises:
        InputError: none is given, or one is unknown.
    """
    strange = [s for s in scopes if s not in SCOPES]
    if strange or not scopes:
        raise InputError(f"Scopes are {', '.join(SCOPES)}; seen: {', '.join(strange) or 'none'}.")
    return tuple(s for s in SCOPES if s in scopes)


def hash_password(password: str) -> str:
    """The argon2id hash of a password.

    Raises:
        InputError: it is shorter than 12 characters or longer than 200.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise InputError(
            f"The password has {len(password)} characters; expected {MIN_PASSWORD} to {MAX_PASSWORD}.",
            [{"pointer": "/password", "seen": f"{len(password)} characters", "expected": "12 to 200 characters"}],
        )
    return _HASHER.hash(unicodedata.normalize("NFC", password))


def verify_password(password: str, known: str | None) -> bool:
    """The password belongs to the hash; as slow for an account that does not exist (None) as for one that does."""
    try:
        return _HASHER.verify(known or _NOBODY, unicodedata.normalize("NFC", password)[: MAX_PASSWORD + 1]) and bool(
            known
        )
    except (VerificationError, InvalidHashError):
        return False


def lock_seconds(failures: int) -> int:
    """How long an account stays locked after so many wrong passwords in a row: 0, then 2, 4, 8 ... up to a minute."""
    over = failures - FREE_FAILURES
    return 0 if over <= 0 else min(2 ** min(over, 20), LONGEST_LOCK_SECONDS)


def new_password() -> str:
    """A password of 20 letters and digits that are not mistaken for each other."""
    alphabet = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(alphabet) for _ in range(20))


def new_key() -> str:
    """A fresh API key with 256 random bits; it is shown once and never stored."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def new_session() -> str:
    """A fresh session identifier with 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a key or a session: SHA-256, in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def as_role(text: str) -> Role:
    """A role as the database gives it."""
    return cast(Role, text)


_NOBODY = _HASHER.hash(secrets.token_urlsafe(32))
