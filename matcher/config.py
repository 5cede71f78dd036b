"""The settings of one installation, from `MATCHER_*` environment variables; read by entry points only."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from rapidfuzz import process

from matcher.errors import InputError
from matcher.jobs import OFFLINE_ENCODER, Site

PREFIX = "MATCHER_"
SECRETS = ("database_url", "secret")
REPOSITORY = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """Every setting; the environment variable is the field's name in capitals behind `MATCHER_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL (16 or newer, with pgvector) as postgresql://user:password@host/name; "
        "unset: an embedded server under the data folder",
    )
    data_dir: Path = Field(
        default=REPOSITORY / "data",
        description="folder for what the program makes: models, engines, runs, the embedded database",
    )
    reference_dir: Path = Field(
        default=REPOSITORY / "data", description="folder of the reference tables (CSV) that `matcher init` loads"
    )
    encoder: str = Field(
        default=OFFLINE_ENCODER,
        min_length=1,
        description="text encoder: the offline model, a folder with a SentenceTransformer, or a model hub id "
        "such as BAAI/bge-m3",
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="seed of everything random in a fit")
    lang: Literal["vi", "en"] = Field(default="vi", description="language of printed tables: vi or en")
    host: str = Field(
        default="127.0.0.1",
        description="address that `matcher serve` listens on; others than loopback need `MATCHER_HOSTS`",
    )
    hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="host names, separated by commas, under which a TLS proxy serves the page and the API; unset: "
        "this machine only",
    )
    secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="signs sessions; at least 32 characters, the same for every machine that serves; unset: made "
        "once and kept in the data folder",
    )
    port: int = Field(default=8000, ge=1, le=65535, description="port that `matcher serve` listens on")
    workers: int = Field(default=1, ge=1, le=64, description="worker processes of `matcher serve`")
    rate: float = Field(
        default=100,
        ge=0,
        le=1_000_000,
        description="requests a second that one account may send to one worker, four times as many at once; 0: any",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what `matcher serve` logs: debug, info, warning or error"
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
                raise ValueError("a URL that starts with postgresql://")
        return value

    @field_validator("hosts", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return tuple(h.strip().lower() for h in value.split(",") if h.strip()) if isinstance(value, str) else value

    @field_validator("data_dir", "reference_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    def site(self) -> Site:
        """What the jobs need to know of these settings."""
        return Site(
            data_dir=self.data_dir,
            reference_dir=self.reference_dir,
            database_url=None if self.database_url is None else self.database_url.get_secret_value(),
            encoder=self.encoder,
            seed=self.seed,
        )

    def listing(self) -> list[dict[str, Any]]:
        """One dict per setting: `setting`, `value`, `default`, `is_default`, `meaning`; secrets masked."""
        return [
            {
                "setting": variable(name),
                "value": _shown(getattr(self, name)),
                "default": _shown(info.default),
                "is_default": getattr(self, name) == info.default,
                "meaning": info.description or "",
            }
            for name, info in type(self).model_fields.items()
        ]


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def load() -> Settings:
    """The settings as the environment gives them.

    Raises:
        InputError: a value is not usable; the message names variable, value and what is expected.
    """
    try:
        return Settings()
    except ValidationError as error:
        errors = [
            {
                "pointer": variable(str(e["loc"][0])),
                "seen": _shown(SecretStr(str(e["input"])) if e["loc"][0] in SECRETS else str(e["input"])) or "",
                "expected": _expected(e["type"], e["msg"], e.get("ctx", {})),
            }
            for e in error.errors()
        ]
        lines = [f'{e["pointer"]} is "{e["seen"]}"; expected: {e["expected"]}' for e in errors]
        raise InputError("\n".join([*lines, "`matcher settings` lists what can be set."]), errors) from None


def unknown_variables() -> dict[str, str]:
    """`MATCHER_*` variables that set nothing -> the setting whose name is closest; test variables are let pass."""
    known = [variable(name) for name in Settings.model_fields]
    strange = [
        name
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in known and not name.startswith(f"{PREFIX}TEST_")
    ]
    return {name: str(process.extractOne(name, known)[0]) for name in strange}


def _shown(value: object) -> str | None:
    """A setting's value as it may be printed: the password of a URL is masked."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or None
    if not isinstance(value, SecretStr):
        return str(value)
    try:
        parts = urlsplit(value.get_secret_value())
        if not parts.hostname or "password" in parts.query:
            return "***"
        user = "" if parts.username is None else parts.username + (":***@" if parts.password else "@")
        port = "" if parts.port is None else f":{parts.port}"
        return urlunsplit((parts.scheme, f"{user}{parts.hostname}{port}", parts.path, parts.query, ""))
    except ValueError:
        return "***"


def _expected(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """What a value should have been, in words of ours where pydantic's assume a programmer."""
    match kind:
        case "int_parsing" | "int_type":
            return "a whole number"
        case "greater_than_equal" | "less_than_equal" | "less_than":
            return message.removeprefix("Input should be ")
        case "literal_error":
            return str(context.get("expected", message))
        case "value_error":
            return message.removeprefix("Value error, ")
        case _:
            return message
