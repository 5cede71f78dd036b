"""What a first visitor sees: partners of three priority projects, one mission's pairs, and where to look next."""

import polars as pl
import typer
from rich.console import Console

from matcher.cli.asked import title
from matcher.cli.tables import match_list
from matcher.identity import ROLES, new_password
from matcher.jobs.matchmaker import Matchmaker
from matcher.records import OPEN_STATUSES, Facts, Query
from matcher.store import accounts

_PEOPLE = {
    "vi": "Tài khoản dùng thử, chỉ đăng nhập được trên máy này; mật khẩu chỉ hiện một lần:",
    "en": "Demo users, who can sign in on this machine only; the passwords are shown once:",
}

PROJECTS = 3
_FIRST = ("HCMC-034",)
"""The city's best-known project in search of partners, the transhipment port at Can Gio, comes first if it is open."""
_MISSION = "jp-tokyo-embassy"
"""The post whose pairs are shown, if it is stored: Japan has many compiled partners."""

_NEXT = {
    "vi": """Xem tiếp (sau khi gõ một lần `. .venv/bin/activate`):
  matcher explain --project {project} --partner {partner}   vì sao, thuận và không thuận
  matcher match --project {project} --n 50 --out partners.xlsx
  matcher match --text "nhà máy xử lý nước thải" --filter country=JP,KR
  matcher serve                                             trang web và API trên 127.0.0.1:8000""",
    "en": """Where to look next (after typing `. .venv/bin/activate` once):
  matcher explain --project {project} --partner {partner}   why, for and against
  matcher match --project {project} --n 50 --out partners.xlsx
  matcher match --text "waste water treatment plant" --filter country=JP,KR
  matcher serve                                             page and API on 127.0.0.1:8000""",
}


def show(maker: Matchmaker, screen: Console, lang: str) -> None:
    """Prints the lists; the same facts print the same."""
    facts = maker.facts
    first = ("", "")
    for project in priority(facts):
        found = maker.match(Query(project_id=project), n=10)
        screen.print(match_list(found, lang, title(found, facts, lang)))
        screen.print()
        if found.matches and not first[0]:
            first = (project, found.matches[0].partner_id)
    mission = chosen_mission(maker)
    if mission is not None:
        found = maker.match(Query(mission_id=mission), n=10)
        name = str(maker.mission(mission)[f"name_{lang}"])
        screen.print(match_list(found, lang, title(found, facts, lang, mission=name)))
        screen.print()
    typer.echo(_NEXT[lang].format(project=first[0], partner=first[1]))


def people(maker: Matchmaker, lang: str, *, who: str) -> None:
    """Makes one demo user per role where nobody may sign in yet, and prints the passwords once."""
    with maker.store.owner(who=who) as cursor:
        if accounts.every(cursor):
            return
        made = []
        for role in ROLES:
            mission = chosen_mission(maker) if role == "mission" else None
            if role == "mission" and mission is None:
                continue
            password = new_password()
            accounts.add(
                cursor, f"demo.{role}", role, mission_id=mission, may_export=True, demo=True, password=password
            )
            made.append((f"demo.{role}", password, mission or ""))
    typer.echo(_PEOPLE[lang])
    for login, password, mission in made:
        typer.echo(f"  {login:<13} {password}  {mission}")


def priority(facts: Facts) -> list[str]:
    """Three open projects of three sectors: the first of `_FIRST` that is open, then the largest of other sectors.

    A sector counts as another one only if it shares no ISIC division with those before.
    """
    open_ = facts.projects.filter(pl.col("status").is_in(list(OPEN_STATUSES)) & pl.col("isic").is_not_null())
    ranked = open_.with_columns(pl.col("project_id").is_in(list(_FIRST)).alias("#first")).sort(
        "#first", "value_usd_max", "project_id", descending=[True, True, False], nulls_last=True
    )
    chosen: list[str] = []
    sectors: set[str | None] = set()
    divisions: set[str] = set()
    for row in ranked.iter_rows(named=True):
        own = {code[:2] for code in row["isic"]}
        if row["sector"] in sectors or own & divisions:
            continue
        chosen.append(str(row["project_id"]))
        sectors.add(row["sector"])
        divisions |= own
        if len(chosen) == PROJECTS:
            break
    return chosen


def chosen_mission(maker: Matchmaker) -> str | None:
    """`_MISSION`, else the embassy in the country with most compiled partners; None where no mission is stored."""
    partners = maker.facts.partners.group_by("country").len("partners")
    missions = maker.store.read("missions")
    if _MISSION in missions["mission_id"]:
        return _MISSION
    ranked = (
        missions.filter(pl.col("type") == "embassy")
        .join(partners, on="country", how="left")
        .sort("partners", "mission_id", descending=[True, False], nulls_last=True)
    )
    return None if ranked.is_empty() else str(ranked["mission_id"][0])
