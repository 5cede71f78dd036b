"""What the maps of the pages show: countries with a number, and the seats of missions."""

from collections.abc import Iterable, Mapping
from typing import Any

from api.directory import Directory
from api.language import url
from api.pictures import maps
from api.schemas import Lang


def shaded(directory: Directory, values: Mapping[str, float | None], lang: Lang) -> maps.Choropleth:
    """Countries shaded by a number, each with its name and a link to its page."""
    return maps.choropleth(
        values,
        names={code: directory.country_name(code, lang) for code in values},
        positions={code: at for code in values if (at := _capital(directory, code)) is not None},
        links={code: url(f"/countries/{code}", lang) for code in values},
    )


def seats(directory: Directory, missions: Iterable[Mapping[str, Any]], lang: Lang) -> tuple[maps.Mark, ...]:
    """Where missions have their seat; one whose city is not known stands at the capital of its host."""
    marks = []
    for mission in missions:
        at = maps.seats().get((mission["country"], mission["city"] or "")) or _capital(directory, mission["country"])
        if at is not None:
            link = url(f"/missions/{mission['id']}", lang)
            marks.append(maps.Mark(name=mission["name"][lang], lat=at[0], lon=at[1], link=link))
    return tuple(marks)


def _capital(directory: Directory, code: str) -> tuple[float, float] | None:
    row = directory.countries.get(code, {})
    lat, lon = row.get("lat"), row.get("lon")
    return None if lat is None or lon is None else (float(lat), float(lon))
