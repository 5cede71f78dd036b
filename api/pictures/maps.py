"""Maps as the pages draw them: countries shaded by a number, marked positions, places around the city.

The templates `maps.html` turn these into SVG; the outlines are `world.svg` and `south.svg` among the static files.
"""

import csv
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from math import hypot
from pathlib import Path

from api.pictures.projection import SOUTH_HEIGHT, SOUTH_SCALE, equal_earth, south
from matcher.text import fold

__all__ = ["ISLANDS", "Area", "Choropleth", "Mark", "Place", "choropleth", "equal_earth", "places_of", "south"]

HERE = Path(__file__).parent
OUTLINES = HERE.parent / "web" / "static"
MOST_CLASSES = 5
SMALL = 6.0  # an outline that is nowhere wider than this, in units of the map, is drawn as a circle
KM_OF_DEGREE = 111.2
_LEADING = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100)

WHOLE = (20.0, 0.0, 980.0, 445.0)  # left, top, width, height of what a map of the world shows: no Antarctic sea
NEAREST = 400.0  # width of the closest view
MARGIN = 16.0  # around what is shown
LABEL = 175.0  # room for a name of two words in the largest letters, at the width of the world
APART = 6.0  # circles closer than this would hide one another
LARGE = 0.2  # outlines far away and smaller than this share of a country's largest do not widen a view

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A position that is marked on the world map; `key` names it where its text is translated."""

    name: str
    lat: float
    lon: float
    link: str | None = None
    key: str = ""

    @property
    def x(self) -> float:
        """Units from the left edge of the world map."""
        return round(equal_earth(self.lat, self.lon)[0], 1)

    @property
    def y(self) -> float:
        """Units from the upper edge of the world map."""
        return round(equal_earth(self.lat, self.lon)[1], 1)


# Every map of the product shows the two archipelagos; the templates hold their names in both languages.
ISLANDS = (
    Mark(key="hoang_sa", name="Quần đảo Hoàng Sa (Việt Nam)", lat=16.5, lon=112.0),
    Mark(key="truong_sa", name="Quần đảo Trường Sa (Việt Nam)", lat=9.5, lon=113.5),
)
CITY = Mark(key="hcmc", name="TP.HCM", lat=10.8, lon=106.7)
# Where names stand, in clear water, joined to what they name by a line: the Pacific and the Indian Ocean.
NAMES_AT = {"hoang_sa": (827.0, 158.0), "truong_sa": (827.0, 222.0), "hcmc": (724.0, 252.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shade:
    """One class of the legend: from `low` to `high`, both included, met by `count` countries."""

    css: str
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One country with its number; `x`, `y` where a circle stands for an outline that is too small to be seen."""

    country: str
    name: str
    value: float
    css: str
    link: str | None
    x: float | None
    y: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choropleth:
    """Countries shaded by a number, the largest first; countries without a number are not in it."""

    areas: tuple[Area, ...]
    classes: tuple[Shade, ...]
    unknown: tuple[str, ...] = ()
    islands: tuple[Mark, ...] = field(default=ISLANDS)
    city: Mark = CITY
    names_at: Mapping[str, tuple[float, float]] = field(default_factory=lambda: NAMES_AT)

    def __bool__(self) -> bool:
        return bool(self.areas)

    def near(self, marks: Iterable[Mark] = ()) -> Box:
        """The part of the world with these countries, the marks, Viet Nam and its archipelagos, as a box."""
        boxes = [b for a in self.areas if (b := largest().get(a.country)) is not None and a.x is None]
        points = [(m.x, m.y) for m in (*self.islands, self.city, *marks)]
        points += [(a.x, a.y) for a in self.areas if a.x is not None and a.y is not None]
        return _around_all([largest()["VN"], *boxes, *((x, y, x, y) for x, y in points)])


def _around_all(boxes: Iterable[Box]) -> Box:
    """A view in the proportions of the whole map, with room for the names in the water."""
    sides = list(zip(*boxes, *((x, y, x, y) for x, y in NAMES_AT.values()), strict=True))
    left, top, right, bottom = min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])
    ratio = WHOLE[2] / WHOLE[3]
    width = max(right - left + 2 * MARGIN, (bottom - top + 2 * MARGIN) * ratio, NEAREST)
    # The names grow with the width of the view, so that they look the same in every one.
    first, last = NAMES_AT["hcmc"][0], NAMES_AT["hoang_sa"][0]
    room = LABEL / WHOLE[2]
    width = max(
        width,
        (last - left + MARGIN) / (1 - room),
        (right - first + MARGIN) / (1 - room),
        (last - first) / (1 - 2 * room),
    )
    if width >= WHOLE[2]:
        return WHOLE
    height = width / ratio
    begin, end = min(left - MARGIN, first - room * width), max(right + MARGIN, last + room * width)
    at_x = min(max((begin + end - width) / 2, WHOLE[0]), WHOLE[0] + WHOLE[2] - width)
    at_y = min(max((top + bottom - height) / 2, WHOLE[1]), WHOLE[3] - height)
    return round(at_x, 1), round(at_y, 1), round(width, 1), round(height, 1)


@cache
def outlines(file: str = "world.svg") -> Mapping[str, Box]:
    """Country -> left, top, right, bottom of its outline in a file of outlines."""
    return {code: _joined(boxes) for code, boxes in _rings(file).items()}


@cache
def largest() -> Mapping[str, Box]:
    """The same on the world map without small parts, which may lie on the other side of an ocean."""
    found = {}
    for code, boxes in _rings("world.svg").items():
        size = max(map(_size, boxes))
        found[code] = _joined([b for b in boxes if _size(b) >= LARGE * size])
    return found


def _size(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _joined(boxes: Iterable[Box]) -> Box:
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _rings(file: str) -> dict[str, list[Box]]:
    found: dict[str, list[Box]] = {}
    for code, data in re.findall(r'<path id="(\w+)" d="([^"]+)"', (OUTLINES / file).read_text(encoding="utf-8")):
        start = (0.0, 0.0)
        for ring in data.strip("mz").split("zm"):
            numbers = [float(n) for n in re.findall(r"-?\d*\.?\d+", ring)]
            numbers[0] += start[0]
            numbers[1] += start[1]
            start = numbers[0], numbers[1]
            xs, ys = list(accumulate(numbers[::2])), list(accumulate(numbers[1::2]))
            found.setdefault(code, []).append((min(xs), min(ys), max(xs), max(ys)))
    return found


def class_limits(values: Iterable[float], most: int = MOST_CLASSES) -> list[float]:
    """The lower limits of at most `most` classes of the positive values: their quantiles, rounded to be readable.

    With few different values each has its own class. The same values always give the same limits.
    """
    ordered = sorted(v for v in values if v > 0)
    different = sorted(set(ordered))
    if len(different) <= most:
        return different
    quantiles = [ordered[len(ordered) * i // most] for i in range(1, most)]
    return [different[0], *sorted({n for n in map(_readable, quantiles) if n > different[0]})]


def _readable(value: float) -> float:
    """The largest number with a plain beginning that is not above the value."""
    power = 10.0 ** (len(str(int(value))) - 2) if value >= 10 else 1.0
    return max((n * power for n in _LEADING if n * power <= value), default=value)


def choropleth(
    values: Mapping[str, float | None],
    *,
    names: Mapping[str, str],
    positions: Mapping[str, tuple[float, float]] | None = None,
    links: Mapping[str, str] | None = None,
    most: int = MOST_CLASSES,
    home: str | None = None,
) -> Choropleth:
    """Countries shaded by their value; zero is a class of its own (`shade-0`) and unknown (None) is not shaded.

    Args:
        values: ISO 3166-1 alpha-2 -> a number of things.
        names: country -> its name in the reader's language.
        positions: country -> latitude and longitude of a point in it, for outlines too small to be seen.
        links: country -> where its shape leads.
        most: how many classes of positive numbers there are at most.
        home: a country in a colour of its own (`home`), whatever its number.
    """
    known = {c: v for c, v in values.items() if v is not None and c != home}
    limits = class_limits(known.values(), most)
    shade = {c: bisect_right(limits, v) if v > 0 else 0 for c, v in known.items()}
    classes = []
    for number in sorted(set(shade.values())):
        inside = [known[c] for c, n in shade.items() if n == number]
        classes.append(Shade(css=_css(number, len(limits)), low=min(inside), high=max(inside), count=len(inside)))
    areas: list[Area] = []
    if home is not None:
        known |= {home: values.get(home) or 0.0}
    for country in sorted(known, key=lambda c: (-known[c], c)):
        x, y = _free(_circle(country, (positions or {}).get(country)), areas)
        areas.append(
            Area(
                country=country,
                name=names.get(country) or country,
                value=known[country],
                css=_css(shade[country], len(limits)) if country in shade else "home",
                link=(links or {}).get(country),
                x=x,
                y=y,
            )
        )
    unknown = sorted(names.get(c) or c for c, v in values.items() if v is None)
    return Choropleth(areas=tuple(areas), classes=tuple(classes), unknown=tuple(unknown))


def _css(number: int, of: int) -> str:
    """The class name of a shade; with few classes the darker names are used, so that they stay apart."""
    return f"shade-{number + MOST_CLASSES - max(of, 1) if number and of < MOST_CLASSES else number}"


def _circle(country: str, position: tuple[float, float] | None) -> tuple[float | None, float | None]:
    box = outlines().get(country)
    if box is not None and max(box[2] - box[0], box[3] - box[1]) > SMALL:
        return None, None
    if position is not None:
        x, y = equal_earth(*position)
    elif box is not None:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    else:
        return None, None
    return round(x, 1), round(y, 1)


def _free(at: tuple[float | None, float | None], areas: Iterable[Area]) -> tuple[float | None, float | None]:
    """The position of a circle, moved aside where a circle drawn for a larger number would hide it."""
    x, y = at
    if x is None or y is None:
        return at
    for area in areas:
        if area.x is None or area.y is None:
            continue
        far = hypot(x - area.x, y - area.y)
        if far < APART:
            dx, dy = ((x - area.x) / far, (y - area.y) / far) if far else (1.0, 0.0)
            x, y = area.x + dx * APART, area.y + dy * APART
    return round(x, 1), round(y, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in or near the city; it is known to about `precision_km` around its position."""

    key: str
    name: Mapping[str, str]
    lat: float
    lon: float
    precision_km: float
    within: str | None
    source: str
    spellings: tuple[str, ...]

    @property
    def x(self) -> float:
        """Units from the left edge of the map of the city."""
        return round(south(self.lat, self.lon)[0], 1)

    @property
    def y(self) -> float:
        """Units from the upper edge of the map of the city."""
        return round(south(self.lat, self.lon)[1], 1)

    @property
    def radius(self) -> float:
        """The precision in units of that map."""
        return round(self.precision_km / KM_OF_DEGREE * SOUTH_SCALE, 1)

    @property
    def top(self) -> float:
        """Where a map that shows all of this place begins."""
        return max(0.0, round(self.y - self.radius - 20, 1))

    @property
    def bottom(self) -> float:
        """Where a map that shows all of this place ends."""
        return min(SOUTH_HEIGHT, round(self.y + self.radius + 30, 1))


@cache
def places() -> Mapping[str, Place]:
    """Key -> place, of the table beside this module."""
    found: dict[str, Place] = {}
    with (HERE / "places.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key, *also = row["place_key"].split("|")
            found[key] = Place(
                key=key, name={"vi": row["name_vi"], "en": row["name_en"]}, lat=float(row["lat"]),
                lon=float(row["lon"]), precision_km=float(row["precision_km"]), within=row["within"] or None,
                source=row["source"], spellings=(key, *also, row["name_vi"], row["name_en"]),
            )  # fmt: skip
    return found


@cache
def _spellings() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Every spelling as a pattern with the key it means, the longest first."""
    known = {
        fold(s.removesuffix(" (cũ)").removesuffix(" (former)")): p.key for p in places().values() for s in p.spellings
    }
    longest = sorted(known, key=lambda s: (-len(s), s))
    return tuple((re.compile(rf"(?<!\w){re.escape(s)}(?!\w)"), known[s]) for s in longest)


def places_of(text: str | None) -> tuple[Place, ...]:
    """The places that a project's place text names, in its order, with or without diacritics.

    Longer names are found first, and a place that contains another named one is left out, because it only says
    where that one lies.
    """
    rest = fold(text or "")
    at: dict[str, int] = {}
    for pattern, key in _spellings():
        for hit in pattern.finditer(rest):
            at[key] = min(hit.start(), at.get(key, hit.start()))
        rest = pattern.sub(lambda hit: "\0" * len(hit.group()), rest)
    known = places()
    containing = {outer for key in at for outer in _around(known[key])}
    return tuple(known[key] for key in sorted(at, key=lambda k: at[k]) if key not in containing)


def place_names(text: str | None, lang: str) -> str | None:
    """The places that a project's place text names, as readers of the language write them; None where it names none.

    The texts are in English: there they are shown as they are.
    """
    found = places_of(text) if lang == "vi" else ()
    return ", ".join(place.name["vi"] for place in found) or None


def _around(place: Place) -> Iterable[str]:
    known = places()
    while place.within:
        yield place.within
        place = known[place.within]


@cache
def seats() -> Mapping[tuple[str, str], tuple[float, float]]:
    """(country, city) -> position of the cities where posts have their seat, of the table beside this module."""
    with (HERE / "seats.csv").open(encoding="utf-8", newline="") as file:
        return {(r["country"], r["city"]): (float(r["lat"]), float(r["lon"])) for r in csv.DictReader(file)}
