"""How a command runs: settings, clock, progress, and the one place where a refusal becomes an exit code."""

# ruff: noqa: PLC0415 - modules are imported when a command needs them, so that `matcher --help` is quick
from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from matcher.errors import MatcherError, NotFoundError

if TYPE_CHECKING:
    from rich.console import Console

    from matcher.config import Settings

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and of how many (0 = not known)."""

INTERRUPTED = 130
SECONDS_BETWEEN_LINES = 15.0


class Lang(StrEnum):
    """Language of printed text."""

    VI = "vi"
    EN = "en"


class Format(StrEnum):
    """How records are printed."""

    TABLE = "table"
    JSON = "json"


class Kind(StrEnum):
    """What the rows of a file are."""

    PROJECTS = "projects"
    PARTNERS = "partners"
    DEALS = "deals"
    ACTIVITIES = "activities"
    SCREENING = "screening"


class Order(StrEnum):
    """What orders a list of matches."""

    PARTNER = "partner"
    BOTH = "both"


class ListFormat(StrEnum):
    """How a list of matches is printed or saved."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


class Commands(TyperGroup):
    """A group of commands whose refusals are messages on stderr and exit code 1, never tracebacks."""

    def invoke(self, ctx: Any) -> Any:
        """The command's result; a MatcherError, an unreadable file and Ctrl-C end with a message."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
                stream.reconfigure(encoding="utf-8")
        try:
            return super().invoke(ctx)
        except MatcherError as error:
            refuse(error)
            raise typer.Exit(1) from None
        except BrokenPipeError:
            raise
        except (PermissionError, FileNotFoundError, IsADirectoryError, NotADirectoryError, FileExistsError) as error:
            if error.filename is None:
                raise
            typer.echo(f"{error.filename}: {(error.strerror or 'cannot be used').lower()}", err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None


def refuse(error: MatcherError) -> None:
    """The message of a refusal, and what exists under similar names, is on stderr."""
    typer.echo(str(error), err=True)
    if isinstance(error, NotFoundError) and error.nearby:
        typer.echo("Nearby:", err=True)
        for name in error.nearby:
            typer.echo(f"  {name}", err=True)


def settings() -> Settings:
    """The settings of this run; a variable that sets nothing is named on stderr."""
    from matcher import config

    for name, close in config.unknown_variables().items():
        typer.echo(f"warning: {name} is not a setting and has no effect; did you mean {close}?", err=True)
    return config.load()


def today() -> date:
    """The day of this run, in the reader's time zone. Only the command line reads the clock; jobs get the day."""
    return date.today()  # noqa: TID251, DTZ011 - this is the entry point that reads the clock


def revision() -> str | None:
    """The commit that this program was checked out at; None where it was not."""
    import subprocess
    from pathlib import Path

    here = Path(__file__).resolve().parents[2]
    words = ["git", "-C", str(here), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=10)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if (here / ".git").exists() else None


def actor() -> str:
    """Under whose name changes are audited: the user of the operating system."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"cli:uid-{os.getuid()}"


def console(*, err: bool = False) -> Console:
    """A Rich console; 100 columns wide where no terminal says otherwise."""
    from rich.console import Console

    terminal = Console(stderr=err, highlight=False, soft_wrap=False, emoji=False, markup=False)
    if not terminal.is_terminal and "COLUMNS" not in os.environ:
        terminal.width = 100
    return terminal


@contextmanager
def progress() -> Iterator[Progress]:
    """A callback that shows progress on stderr: bars on a terminal, else a line per step and one now and then."""
    screen = console(err=True)
    if not screen.is_terminal:
        shown: dict[str, float] = {}

        def line(what: str, done: int, total: int) -> None:
            now = time.monotonic()
            if 0 < done == total and what not in shown:
                return  # done at once: everything was there already
            if what not in shown or now - shown[what] >= SECONDS_BETWEEN_LINES:
                typer.echo(f"{what} {done}/{total}" if total > 1 and done else what, err=True)
                shown[what] = now

        yield line
        return

    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=screen
    )
    tasks: dict[str, Any] = {}
    with bars:

        def bar(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bars.update(task, visible=bars.tasks[task].total is not None)
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done, total=total or None)

        yield bar


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    import orjson

    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
