"""`matcher jobs`: work that can be killed and run again until it is complete."""

# ruff: noqa: PLC0415 - modules are imported when a command needs them, so that `matcher --help` is quick
from typing import Annotated

import typer

from matcher.cli.running import Commands, Format, actor, console, print_json, progress, revision, settings, today

jobs = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode=None, help="Work that can be run again.")

Shown = Annotated[Format, typer.Option("--format", help="How the result is printed.")]


@jobs.command("run")
def run_job(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A job of `matcher jobs list`.")],
    resume: Annotated[bool, typer.Option("--resume", help="Continue what a killed run left unfinished.")] = False,
    shown: Shown = Format.TABLE,
) -> None:
    """Run a job to its end; what is done already is not done again."""
    from matcher.jobs import running

    with progress() as tell:
        asked = running.Asked(
            site=settings().site(), day=today(), actor=actor(), resume=resume, revision=revision(), progress=tell
        )
        done = running.run(name, asked)
    if shown is Format.JSON:
        print_json(done)
        return
    plain = {key: value for key, value in done.items() if isinstance(value, (str, int))}
    plain |= {k: v for inner in done.values() if isinstance(inner, dict) for k, v in inner.items() if type(v) is int}
    typer.echo(f"{name}: " + ", ".join(f"{key} {value}" for key, value in plain.items()))


@jobs.command("list")
def list_jobs(shown: Shown = Format.TABLE) -> None:
    """List the jobs in the order in which a new installation needs them, and how far they are."""
    from matcher.cli.tables import plain
    from matcher.jobs import running

    found = running.listing(settings().site())
    if shown is Format.JSON:
        print_json(found)
        return
    console().print(plain(("job", "what it does", "state"), [(j["job"], j["does"], j["state"]) for j in found]))
