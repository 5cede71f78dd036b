"""The commands of `matcher` and their options; what they do is in `matcher.jobs`."""

# ruff: noqa: PLC0415 - modules are imported when a command needs them, so that `matcher --help` is quick
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from matcher.cli.jobs import jobs
from matcher.cli.people import keys, users
from matcher.cli.running import (
    Commands,
    Format,
    Kind,
    Lang,
    ListFormat,
    Order,
    actor,
    console,
    print_json,
    progress,
    revision,
    settings,
    today,
)
from matcher.errors import InputError

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    help="Ranks foreign partners for the city's investment projects, with evidence for and against.",
)
database = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode=None, help="The embedded database server.")
app.add_typer(database, name="db")
app.add_typer(users, name="user")
app.add_typer(keys, name="key")
app.add_typer(jobs, name="jobs")

Shown = Annotated[Format, typer.Option("--format", help="How the result is printed.")]
Language = Annotated[Lang | None, typer.Option("--lang", help="Language of the text; default: MATCHER_LANG.")]
Day = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Use only what was public on that day."),
]


@app.command()
def init(shown: Shown = Format.TABLE) -> None:
    """Set up the database, the text encoder and the reference data; a second run changes nothing."""
    from matcher.cli.tables import plain
    from matcher.jobs import setup

    with progress() as tell:
        done = setup.init(settings().site(), actor=actor(), progress=tell)
    if shown is Format.JSON:
        print_json(done.to_json())
        return
    lines = [(t.table, t.rows or None, t.written, t.kept or None, t.state) for t in done.tables]
    console().print(plain(("table", "rows", "written", "kept as imported", ""), lines))
    typer.echo(f"encoder: {done.encoder}\nNext: matcher fit")


@app.command("import")
def import_(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file or Excel workbook (.xlsx) with a heading.")],
    kind: Annotated[Kind, typer.Option(help="What the rows are.")],
    source: Annotated[str | None, typer.Option(help="Who says so; default: the file's name.")] = None,
    source_on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="When the source was published."),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Terms under which the source may be used.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Read this sheet alone; default: every visible one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")] = False,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="COL=FIELD", help="Read column COL as FIELD; repeatable.")
    ] = None,
    shown: Shown = Format.TABLE,
) -> None:
    """Import a CSV file or workbook: all of it or nothing. Records with a known identifier are updated."""
    if kind is Kind.SCREENING:
        raise InputError("Screening lists cannot be imported yet: screening comes with a later version.")
    from matcher.jobs import importing
    from matcher.jobs.opening import open_store

    with progress() as tell, open_store(settings().site()) as store:
        report = importing.import_file(
            store,
            file,
            kind=kind.value,
            source=source or file.name,
            source_on=source_on and source_on.date(),
            licence=licence,
            sheet=sheet,
            mapping=_mapping(mapping or []),
            dry_run=dry_run,
            actor=actor(),
            progress=tell,
        )
    for warning, count in report.warnings.items():
        typer.echo(f"warning: {warning} (rows: {count})" if count else f"warning: {warning}", err=True)
    for twin in report.resembling:
        place = f"row {twin.row}" if twin.sheet is None else f'sheet "{twin.sheet}", row {twin.row}'
        near = ", ".join(twin.like)
        typer.echo(f'warning: {place}: {twin.record} "{twin.name}" has almost the name of {near}', err=True)
    if shown is Format.JSON:
        print_json(report.to_json())
        return
    for example in report.examples:
        typer.echo('{record}: {field} "{before}" -> "{after}"'.format(**example))
    verb = "would be" if dry_run else "were"
    typer.echo(
        f"{report.rows} {report.kind} in {report.file}: {report.new} {verb} added, {report.changed} changed, "
        f"{report.equal} are as they stand."
    )
    if report.batch is not None:
        typer.echo(f"batch {report.batch}; to take it back: matcher undo {report.batch}")


@app.command()
def undo(
    batch: Annotated[int, typer.Argument(metavar="BATCH", help="Number that the import printed.", min=1)],
    shown: Shown = Format.TABLE,
) -> None:
    """Undo an import: its rows count no more. Refused where other records refer to what would vanish."""
    from matcher.jobs.opening import open_store

    with open_store(settings().site()) as store:
        done = store.undo(batch, actor=actor())
    if shown is Format.JSON:
        print_json({"undone": batch, "batch": done.id, "kind": done.table, "rows": done.n_rows})
        return
    typer.echo(f"{done.n_rows} rows of {done.table} count no more; batch {batch} is undone.")


@app.command()
def fit(
    as_of: Day = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the engine into this folder and leave the one in use alone.")
    ] = None,
    shown: Shown = Format.TABLE,
) -> None:
    """Fit a new engine on the facts, put it to use and print its measures."""
    from matcher.cli.tables import plain
    from matcher.jobs import fitting
    from matcher.jobs.opening import open_store

    site = settings().site()
    with progress() as tell, open_store(site) as store:
        fitted = fitting.fit(site, store, as_of=_day(as_of), out=out, actor=actor(), revision=revision(), progress=tell)
    if shown is Format.JSON:
        print_json(fitted.to_json())
        return
    lines = [
        (ranker, measure, f"{mean:.3f}", f"{low:.3f} to {high:.3f}")
        for ranker, found in fitted.metrics.items()
        for measure, (mean, low, high) in found.items()
    ]
    console().print(plain(("ranker", "measure", "mean", "95% interval"), lines))
    typer.echo("fitted on " + ", ".join(f"{count} {what}" for what, count in fitted.counts.items()))
    typer.echo(fitted.note)
    if fitted.warning:
        typer.echo(fitted.warning[settings().lang])
    if fitted.shift:
        chance = fitted.shift.chance_ratio
        typer.echo(
            f"compared with {fitted.shift.before} on {fitted.shift.pairs} fixed pairs: rank correlation "
            f"{fitted.shift.rank_correlation:.3f}, scores {fitted.shift.score_shift:+.3f}"
            + (f", chances x {chance:.2f}" if chance else "")
        )
    typer.echo(f"engine {fitted.engine} as of {fitted.as_of} in {fitted.path}")
    typer.echo("Next: matcher match --project ID" if fitted.in_use else "The engine in use is the same as before.")


@app.command()
def card(
    engine: Annotated[
        str | None,
        typer.Argument(metavar="[ENGINE]", help="Name or folder of a fitted engine; default: the one in use."),
    ] = None,
    shown: Shown = Format.TABLE,
    lang: Language = None,
) -> None:
    """Print the model card of an engine: what it is for, what it saw, how good it is and where it is weak."""
    from matcher.jobs import cards

    chosen = settings()
    found = cards.read(chosen.site(), engine)
    if shown is Format.JSON:
        print_json(found.to_json())
    else:
        typer.echo(f"{found.text((lang or Lang(chosen.lang)).value)}\n{found.engine}")


@app.command()
def match(
    *,
    project: Annotated[str | None, typer.Option(metavar="ID", help="Partners for this project.")] = None,
    partner: Annotated[str | None, typer.Option(metavar="ID", help="Projects for this partner.")] = None,
    mission: Annotated[
        str | None, typer.Option(metavar="ID", help="Pairs for the host country and the accredited ones.")
    ] = None,
    country: Annotated[str | None, typer.Option(metavar="ISO2", help="Pairs with partners of this country.")] = None,
    text: Annotated[str | None, typer.Option(help="Partners for what this text says, in any language.")] = None,
    n: Annotated[int, typer.Option("--n", min=1, max=1000, help="How many matches.")] = 10,
    sort: Annotated[
        Order, typer.Option(help="partner: by the partner's side; both: the first ones by both sides.")
    ] = Order.PARTNER,
    filter_: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="FIELD=VALUE",
            help="sector, country, region, kind, form, status, green or ticket_usd; a,b = either; several may follow.",
        ),
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="[FIELD=VALUE]...", hidden=True)] = None,
    as_of: Day = None,
    shown: Annotated[
        ListFormat | None, typer.Option("--format", help="How the list is printed; default: by the ending of --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the list into this file.")] = None,
    lang: Language = None,
) -> None:
    """List ranked matches for one project, partner, mission, country or text, with reasons."""
    asked = {"project": project, "partner": partner, "mission": mission, "country": country, "text": text}
    given = [name for name, value in asked.items() if value is not None]
    if len(given) != 1:
        seen = "none of them" if not given else ", ".join(f"--{name}" for name in given)
        raise typer.BadParameter(
            f"give exactly one of --project, --partner, --mission, --country and --text, not {seen}"
        )
    if more and not filter_:
        raise typer.BadParameter(f"unexpected argument {more[0]!r}")
    shown = shown or _format_of(out)
    if shown is ListFormat.XLSX and out is None:
        raise typer.BadParameter("--format xlsx needs --out FILE")

    from matcher.cli.asked import query, title
    from matcher.cli.saving import save
    from matcher.jobs import asking
    from matcher.jobs.matchmaker import Matchmaker

    chosen = settings()
    filters = asking.filters(asking.pairs([*(filter_ or []), *(more or [])]))
    question = replace(query(given[0], str(asked[given[0]])), sort="both" if sort is Order.BOTH else "partner")
    language = (lang or Lang(chosen.lang)).value
    with progress() as tell, Matchmaker(chosen.site(), today=today, progress=tell) as maker:
        found = maker.match(question, n=n, filters=filters, as_of=as_of and as_of.date())
        name = maker.mission(mission)[f"name_{language}"] if mission else ""
        asked_for = title(found, maker.catalogue(found.as_of).corpus.facts, language, mission=name)
    save(found, asked_for, shown, language, out)


@app.command()
def explain(
    project: Annotated[str, typer.Option(metavar="ID", help="The project.")],
    partner: Annotated[str, typer.Option(metavar="ID", help="The partner.")],
    against: Annotated[
        str | None, typer.Option(metavar="ID", help="Compare with this partner; default: the next candidate.")
    ] = None,
    as_of: Day = None,
    shown: Shown = Format.TABLE,
    lang: Language = None,
) -> None:
    """Show all evidence for and against one pair, and what sets it apart from the next candidate or another one."""
    from matcher.cli.tables import explanation
    from matcher.jobs.matchmaker import Matchmaker

    chosen = settings()
    language = (lang or Lang(chosen.lang)).value
    with progress() as tell, Matchmaker(chosen.site(), today=today, progress=tell) as maker:
        told = maker.explain(project, partner, against=against, as_of=as_of and as_of.date())
    if shown is Format.JSON:
        print_json(told.to_json(language))
    else:
        console().print(explanation(told, language))


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Default: MATCHER_HOST; others than loopback need MATCHER_HOSTS.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: MATCHER_PORT.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes; default: MATCHER_WORKERS.")] = None,
) -> None:
    """Serve the page and the API on this machine."""
    from matcher.cli.serving import run

    chosen = settings()
    run(host or chosen.host, port or chosen.port, workers or chosen.workers)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The zip file to write; it holds secrets (mode 0600).")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    shown: Shown = Format.TABLE,
) -> None:
    """Write everything that cannot be made again into one file, while the service goes on."""
    from matcher.jobs import backup as job

    with progress() as tell:
        done = job.backup(settings().site(), file, actor=actor(), force=force, progress=tell)
    if shown is Format.JSON:
        print_json(done.to_json())
        return
    typer.echo(
        f"{sum(t.rows for t in done.tables)} rows of {len(done.tables)} tables at schema {done.database} and "
        f"{done.engines} engines are in {done.file}. It holds hashes of passwords and keys: keep it as safe as the "
        "database."
    )


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `matcher backup` wrote.")],
    shown: Shown = Format.TABLE,
) -> None:
    """Fill an empty database and the folder of engines from a backup: all of it or nothing."""
    from matcher.cli.tables import plain
    from matcher.jobs import backup as job

    with progress() as tell:
        done = job.restore(settings().site(), file, actor=actor(), progress=tell)
    for name in done.skipped:
        typer.echo(f"warning: table {name} is not of this program and was not restored", err=True)
    if shown is Format.JSON:
        print_json(done.to_json())
        return
    lines = [(t.table, t.rows, t.sha256[:12]) for t in done.tables if t.table not in done.skipped]
    console().print(plain(("table", "rows", "sha256"), lines))
    forward = "" if done.now == done.database else f", brought forward to {done.now}"
    typer.echo(
        f"Every table holds what it held on {done.created_at:%Y-%m-%d %H:%M} UTC at schema {done.database}{forward}; "
        f"{done.engines} engines, in use: {done.engine or 'none'}.\nNext: matcher init, which builds the text encoder"
    )


@app.command("settings")
def settings_(shown: Shown = Format.TABLE) -> None:
    """List every setting with its value, its default and its meaning; passwords are masked."""
    from matcher.cli.tables import plain

    listing = settings().listing()
    if shown is Format.JSON:
        print_json(listing)
        return
    lines = [
        (
            s["setting"],
            s["value"],
            "(default)" if s["is_default"] else f"default: {s['default'] or 'unset'}",
            s["meaning"],
        )
        for s in listing
    ]
    console().print(plain(("setting", "value", "", "meaning"), lines))


@database.command("start")
def db_start(shown: Shown = Format.TABLE) -> None:
    """Start the embedded server and keep it running until `matcher db stop`."""
    from matcher.store import embedded

    _print_status(embedded.start(_embedded_dir()), shown)


@database.command("stop")
def db_stop(
    force: Annotated[bool, typer.Option("--force", help="Even while another process uses it.")] = False,
    shown: Shown = Format.TABLE,
) -> None:
    """Stop the embedded server."""
    from matcher.store import embedded

    _print_status(embedded.stop(_embedded_dir(), force=force), shown)


@database.command("status")
def db_status(shown: Shown = Format.TABLE) -> None:
    """Say whether the embedded server runs; nothing is started."""
    from matcher.store import embedded

    _print_status(embedded.status(_embedded_dir()), shown)


@app.command(hidden=True)
def demo(lang: Language = None) -> None:
    """Print the best partners of three priority projects, one mission's pairs, demo users, and where to look next."""
    from matcher.cli.demonstration import people, show
    from matcher.jobs.matchmaker import Matchmaker

    chosen = settings()
    with progress() as tell, Matchmaker(chosen.site(), today=today, progress=tell) as maker:
        language = (lang or Lang(chosen.lang)).value
        show(maker, console(), language)
        people(maker, language, who=actor())


def _day(as_of: datetime | None) -> date:
    return today() if as_of is None else as_of.date()


def _mapping(words: list[str]) -> dict[str, str]:
    """Column -> field of `COL=FIELD` words."""
    found: dict[str, str] = {}
    for word in words:
        column, equals, field = word.rpartition("=")
        if not equals or not column or not field:
            raise typer.BadParameter(f"{word!r} is not COL=FIELD, such as --map Name=name_en")
        if column in found:
            raise typer.BadParameter(f"column {column!r} is mapped twice")
        found[column] = field
    return found


def _format_of(out: Path | None) -> ListFormat:
    """The format that a file's ending asks for; a table otherwise."""
    ending = "" if out is None else out.suffix.lower().removeprefix(".")
    return ListFormat(ending) if ending in {f.value for f in ListFormat} else ListFormat.TABLE


def _embedded_dir() -> Path:
    """The data folder whose embedded server is meant.

    Raises:
        InputError: an external database is set, so that there is no embedded server to speak of.
    """
    chosen = settings()
    if chosen.database_url is not None:
        raise InputError("MATCHER_DATABASE_URL is set: the embedded server is not used. Unset it to use `matcher db`.")
    return chosen.data_dir


def _print_status(status: Any, shown: Format) -> None:
    """The state of the embedded server, on stdout."""
    state = {
        "running": status.running,
        "pid": status.pid,
        "kept": status.kept,
        "in_use": status.in_use,
        "socket": status.socket and str(status.socket),
        "home": str(status.home),
    }
    if shown is Format.JSON:
        print_json(state)
    else:
        running = f"runs (process {status.pid})" if status.running else "does not run"
        stays = ", stays until `matcher db stop`" if status.running and status.kept else ""
        typer.echo(f"The embedded server in {status.home} {running}{stays}.")
