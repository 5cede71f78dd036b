"""What the maps of the pages show: countries with a number, and the seats of missions."""

from collections.abc import Iterable, Mapping
from math import asin, cos, radians, sin, sqrt
from typing import Any

from api.directory import Directory
from api.language import url
from api.pictures import maps
from api.schemas import Lang

EARTH_KM = 6371.0


def shaded(
    directory: Directory, values: Mapping[str, float | None], lang: Lang, *, home: str | None = None
) -> maps.Choropleth:
    """Countries shaded by a number, each with its name and a link to its page; `home` has a colour of its own."""
    shown = {*values, *([home] if home else [])}
    return maps.choropleth(
        values,
        names={code: directory.country_name(code, lang) for code in shown},
        positions={code: at for code in shown if (at := _capital(directory, code)) is not None},
        links={code: url(f"/countries/{code}", lang) for code in shown},
        home=home,
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


def capitals_km(directory: Directory, code: str) -> int | None:
    """Kilometres between a country's capital and Ha Noi, to the hundred; None where a position is not known.

    The engine measures nearness so, and its evidence shows the same figure.
    """
    here, there = _capital(directory, "VN"), _capital(directory, code)
    if here is None or there is None or code == "VN":
        return None
    a, b = radians(here[0]), radians(there[0])
    half = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(there[1] - here[1]) / 2) ** 2
    return int(round(2 * EARTH_KM * asin(sqrt(half)), -2))


def _capital(directory: Directory, code: str) -> tuple[float, float] | None:
    row = directory.countries.get(code, {})
    lat, lon = row.get("lat"), row.get("lon")
    return None if lat is None or lon is None else (float(lat), float(lon))
