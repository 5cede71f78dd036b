"""The question of a command, as a Query and as a title for people."""

import polars as pl

from matcher.jobs import asking
from matcher.records import Facts, MatchList, Query

_TITLES = {
    "project": {"vi": "Đối tác cho dự án {name}", "en": "Partners for the project {name}"},
    "partner": {"vi": "Dự án cho đối tác {name}", "en": "Projects for the partner {name}"},
    "mission": {"vi": "{name}: cặp dự án – đối tác ({codes})", "en": "{name}: project–partner pairs ({codes})"},
    "country": {"vi": "Cặp dự án – đối tác: {name}", "en": "Project–partner pairs: {name}"},
    "text": {"vi": "Đối tác cho: “{name}”", "en": "Partners for: “{name}”"},
}


def query(kind: str, value: str) -> Query:
    """The query of one option of `match`; identifiers are checked when it is answered."""
    match kind:
        case "project":
            return Query(project_id=value.strip())
        case "partner":
            return Query(partner_id=value.strip())
        case "mission":
            return Query(mission_id=value.strip())
        case "country":
            return Query(countries=(value.strip().upper(),))
        case _:
            return Query(text=asking.free_text(value))


def title(found: MatchList, facts: Facts, lang: str, mission: str = "") -> str:
    """What was asked, in words of `lang`, with the name of what was asked about.

    Args:
        mission: name of the mission, where one was asked.
    """
    asked = found.query
    other = "en" if lang == "vi" else "vi"
    if asked.project_id is not None:
        row = facts.projects.row(by_predicate=pl.col("project_id") == asked.project_id, named=True)
        name = row[f"name_{lang}"] or row[f"name_{other}"] or ""
        return _TITLES["project"][lang].format(name=f"{name} ({asked.project_id})")
    if asked.partner_id is not None:
        row = facts.partners.row(by_predicate=pl.col("partner_id") == asked.partner_id, named=True)
        return _TITLES["partner"][lang].format(name=f"{row['name']} ({asked.partner_id})")
    if asked.mission_id is not None:
        codes = ", ".join(asked.countries or ())
        return _TITLES["mission"][lang].format(name=mission or asked.mission_id, codes=codes)
    if asked.countries is not None:
        names = dict(facts.reference.countries.select("country", f"name_{lang}").iter_rows())
        return _TITLES["country"][lang].format(name=", ".join(f"{names.get(c, c)} ({c})" for c in asked.countries))
    text = asked.text or ""
    return _TITLES["text"][lang].format(name=text if len(text) <= 200 else text[:199] + "…")
