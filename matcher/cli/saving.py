"""A list of matches on stdout or in a file that is complete or not there."""

import os
import tempfile
from pathlib import Path

import orjson
import typer

from matcher.cli.running import ListFormat, console
from matcher.cli.tables import as_text, match_list
from matcher.jobs import sheets
from matcher.records import MatchList


def save(found: MatchList, asked: str, shown: ListFormat, lang: str, out: Path | None) -> None:
    """The list is printed, or stands in `out`; stdout then names the file."""
    if out is None and shown is ListFormat.TABLE:
        console().print(match_list(found, lang, asked))
        return
    content = render(found, asked, shown, lang)
    if out is None:
        typer.echo(content.decode(), nl=shown is not ListFormat.CSV)
        return
    write_whole(out, content)
    typer.echo(f"{len(found.matches)} matches written to {out}")


def render(found: MatchList, asked: str, shown: ListFormat, lang: str) -> bytes:
    """The list in one of the formats."""
    match shown:
        case ListFormat.JSON:
            return orjson.dumps(found.to_json(lang), option=orjson.OPT_INDENT_2)
        case ListFormat.CSV:
            return sheets.to_csv(sheets.rows(found, lang)).encode()
        case ListFormat.XLSX:
            return sheets.to_xlsx(found, lang, asked)
        case ListFormat.TABLE:
            return as_text(match_list(found, lang, asked)).encode()


def write_whole(path: Path, content: bytes) -> None:
    """The file holds exactly the content; a killed process leaves what was there before."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        fresh.chmod(0o666 & ~umask)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
