"""Maps: positions agree with the outlines, classes are readable, places of projects are found."""

import csv
import re
from itertools import pairwise
from pathlib import Path

import pytest
from jinja2 import Environment

from api.language import WEB, environment
from api.pictures import maps
from api.pictures.outlines import Projection, clip, path, unwrap
from api.pictures.projection import SOUTH_HEIGHT, SOUTH_WIDTH, WORLD_HEIGHT, WORLD_WIDTH

DATA = Path(__file__).parents[2] / "data"
PACKAGE = Path(maps.__file__).parent


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def inside(box: maps.Box, x: float, y: float) -> bool:
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


@pytest.mark.parametrize(
    ("country", "lat", "lon"),
    [
        ("VN", 10.77, 106.7), ("JP", 35.69, 139.69), ("DE", 52.52, 13.4), ("BR", -15.78, -47.93), ("US", 38.9, -77.04),
        ("AU", -33.87, 151.2), ("ZA", -25.74, 28.19), ("RU", 64.7, 177.5), ("NZ", -41.29, 174.78),
    ],
)  # fmt: skip
def test_a_position_lies_in_the_outline_of_its_country(country: str, lat: float, lon: float) -> None:
    assert inside(maps.outlines()[country], *maps.equal_earth(lat, lon))


def test_the_sea_lies_outside_the_outlines_near_it() -> None:
    for island in maps.ISLANDS:
        assert not inside(maps.outlines()["PH"], island.x, island.y)
        assert inside((0, 0, WORLD_WIDTH, WORLD_HEIGHT), island.x, island.y)


def test_the_world_is_as_wide_as_its_equator() -> None:
    assert maps.equal_earth(0, 11 - 179.999)[0] == pytest.approx(0, abs=0.01)
    assert maps.equal_earth(0, 11 + 179.999)[0] == pytest.approx(WORLD_WIDTH, abs=0.01)
    assert maps.equal_earth(0, 11) == (WORLD_WIDTH / 2, WORLD_HEIGHT / 2)
    assert maps.equal_earth(90, 11)[1] == pytest.approx(0, abs=0.5)


def test_no_country_is_torn_over_the_whole_map() -> None:
    wide = {c: b[2] - b[0] for c, b in maps.outlines().items() if b[2] - b[0] > 420}
    assert set(wide) == {"US"}, "only an island of Alaska lies across the edge of the map"


def test_outlines_are_known_countries_without_colour_and_small() -> None:
    text = (WEB / "static" / "world.svg").read_text(encoding="utf-8")
    assert set(maps.outlines()) <= {r["country"] for r in rows(DATA / "countries.csv")}
    assert "AQ" not in maps.outlines()
    assert len(maps.outlines()) > 165
    assert "fill" not in text
    assert len(text) < 90_000
    assert len((WEB / "static" / "south.svg").read_text(encoding="utf-8")) < 8_000


def test_the_region_map_holds_the_city_and_its_islands() -> None:
    box = maps.outlines("south.svg")["VN"]
    for place in maps.places().values():
        assert inside((0, 0, SOUTH_WIDTH, SOUTH_HEIGHT), place.x, place.y), place.key
        assert inside(box, place.x, place.y), place.key
    assert maps.places()["Con Dao"].y > maps.places()["Vung Tau"].y > maps.places()["Cu Chi"].y
    assert maps.places()["Ho Tram"].x > maps.places()["Cu Chi"].x


def test_a_ring_over_the_antimeridian_is_cut_there() -> None:
    ring = [(170.0, 0.0), (-170.0, 0.0), (-170.0, 10.0), (170.0, 10.0)]
    turned = unwrap(ring, 0.0)
    assert max(lon for lon, _ in turned) == 190
    east = clip(turned, 0, 180.0, below=True)
    assert {lon for lon, _ in east} == {170.0, 180.0}
    assert clip([(200.0, 0.0), (210.0, 0.0), (210.0, 5.0)], 0, 180.0, below=True) == []


def test_a_path_goes_from_ring_to_ring() -> None:
    square = [(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0)]
    moved = [(x + 10, y + 5) for x, y in square]
    assert path([square, moved], 0) == "m1 1 1 0 0 1-1 0zm10 5 1 0 0 1-1 0z"
    assert path([[(1.01, 1.01), (1.02, 1.02), (1.03, 1.01)]], 0) == "", "what is smaller than a unit is not drawn"
    assert Projection(centre=0, box=(0, 0, 1, 1), project=lambda p: p).project((1, 2)) == (1, 2)


def test_classes_are_at_most_five_with_plain_limits_and_hold_every_country() -> None:
    values = {f"C{i}": float(i * i) for i in range(1, 61)} | {"ZERO": 0.0, "NONE": None}
    drawn = maps.choropleth(values, names={"NONE": "Nowhere"})
    positive = [s for s in drawn.classes if s.css != "shade-0"]
    assert [s.css for s in positive] == ["shade-1", "shade-2", "shade-3", "shade-4", "shade-5"]
    assert sum(s.count for s in drawn.classes) == 61
    assert all(a.high < b.low for a, b in pairwise(positive))
    assert min(s.count for s in positive) >= 5, "quantiles share the countries out"
    assert next(a.css for a in drawn.areas if a.country == "ZERO") == "shade-0"
    assert drawn.unknown == ("Nowhere",)
    assert "NONE" not in {a.country for a in drawn.areas}
    assert drawn == maps.choropleth(dict(reversed(values.items())), names={"NONE": "Nowhere"})


def test_limits_have_a_plain_beginning() -> None:
    for limit in maps.class_limits([float(n * 7 % 997 + 1) for n in range(200)])[1:]:
        assert float(f"{limit:.1e}") == limit, limit
    assert maps.class_limits([3, 3, 7]) == [3, 7]
    assert maps.class_limits([]) == []
    assert maps.class_limits([0.0]) == []


def test_few_values_use_dark_shades_that_stay_apart() -> None:
    drawn = maps.choropleth({"JP": 4.0, "KR": 9.0}, names={})
    assert [(a.country, a.css) for a in drawn.areas] == [("KR", "shade-5"), ("JP", "shade-4")]


def test_a_country_too_small_to_be_seen_is_a_circle() -> None:
    drawn = maps.choropleth(
        {"SG": 3.0, "JP": 2.0, "LU": 1.0}, names={}, positions={"SG": (1.29, 103.85), "JP": (35.7, 139.7)}
    )
    by = {a.country: a for a in drawn.areas}
    assert (by["SG"].x, by["SG"].y) == pytest.approx(maps.equal_earth(1.29, 103.85), abs=0.06)
    assert by["JP"].x is None
    assert by["LU"].x is not None, "it has an outline of a few units: its middle is taken"


def test_of_circles_that_would_hide_one_another_the_smaller_number_moves_aside_and_lies_below() -> None:
    at = {"HK": (22.3, 114.2), "MO": (22.2, 113.5)}
    shades = maps.choropleth({"MO": 4.0, "HK": 142.0}, names=at and {c: c for c in at}, positions=at)
    big, small = shades.areas
    assert (big.country, (big.x, big.y)) == ("HK", pytest.approx(maps.equal_earth(*at["HK"]), abs=0.06))
    assert big.x is not None and small.x is not None and small.x < big.x - maps.APART / 2  # noqa: PT018 - it lies west
    text = drawn(environment("vi"), "world(s, 'T', 'Text.', 'Unit')", s=shades)
    assert text.index("MO: 4") < text.index("HK: 142"), "what is drawn last lies on top"


def test_a_view_is_not_widened_by_land_of_a_country_beyond_an_ocean() -> None:
    left, top, width, height = maps.choropleth({"FR": 1.0}, names={}).near()
    assert left < maps.equal_earth(48.9, 2.3)[0]
    assert width < 600, "Guyane stays outside"
    names = [(x - left, y - top) for x, y in maps.NAMES_AT.values()]
    assert all(0 < x < width and 0 < y < height for x, y in names)


def test_home_has_a_colour_of_its_own_and_no_class() -> None:
    drawn_ = maps.choropleth({"JP": 2.0, "TH": 7.0}, names={}, home="JP")
    assert {a.country: a.css for a in drawn_.areas} == {"TH": "shade-5", "JP": "home"}
    assert [s.high for s in drawn_.classes] == [7.0]
    assert [a.css for a in maps.choropleth({}, names={}, home="JP").areas] == ["home"]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("District 7 - Thu Thiem", ["District 7", "Thu Thiem"]),
        ("Quận 7 – Thủ Thiêm", ["District 7", "Thu Thiem"]),
        ("District 10 (former)", ["District 10"]),
        ("Vung Tau (former Ba Ria-Vung Tau)", ["Vung Tau"]),
        ("Tan Phu Trung IP, Cu Chi", ["Tan Phu Trung IP"]),
        ("Thu Thiem; Cu Chi", ["Thu Thiem", "Cu Chi"]),
        ("HCMC (HEPZA plan)", ["HCMC"]),
        ("somewhere else", []),
        (None, []),
    ],
)
def test_places_of_a_text(text: str | None, keys: list[str]) -> None:
    assert [p.key for p in maps.places_of(text)] == keys


def test_every_place_text_of_the_projects_is_found() -> None:
    texts = {r["place"] for r in rows(DATA / "projects.csv") if r["place"]}
    assert not [t for t in texts if not maps.places_of(t)]
    assert maps.places()["HCMC"].precision_km >= 30


@pytest.mark.parametrize("table", ["places.csv", "seats.csv"])
def test_every_position_says_where_it_comes_from(table: str) -> None:
    for row in rows(PACKAGE / table):
        assert row["source"], row
        assert row["licence"], row
        assert ("GeoNames" in row["source"]) == (row["licence"] == "CC BY 4.0"), row
    for row in rows(PACKAGE / "places.csv"):
        assert not row["within"] or row["within"] in maps.places()
        assert row["name_vi"], row
        assert float(row["precision_km"]) >= 1


def test_seats_are_those_of_the_missions() -> None:
    known = {(r["country"], r["city"]) for r in rows(DATA / "missions.csv")}
    assert set(maps.seats()) <= known
    assert len(maps.seats()) > 65


def drawn(env: Environment, call: str, **context: object) -> str:
    return env.from_string(f'{{% import "maps.html" as maps with context %}}{{{{ maps.{call} }}}}').render(**context)


@pytest.mark.parametrize(
    ("lang", "island"), [("vi", "Quần đảo Hoàng Sa (Việt Nam)"), ("en", "Hoang Sa Archipelago (Viet Nam)")]
)
def test_every_map_shows_the_archipelagos_and_its_numbers_as_text(lang: str, island: str) -> None:
    env = environment(lang)  # type: ignore[arg-type]
    shades = maps.choropleth(
        {"JP": 1234.0, "SG": 5.0, "BR": None}, names={"JP": "Nhật & Bản", "BR": "Brasil"},
        positions={"SG": (1.3, 103.8)}, links={"JP": "/countries/JP"},
    )  # fmt: skip
    marks = [maps.Mark(name="Tokyo", lat=35.7, lon=139.7, link="/missions/jp")]
    world = drawn(env, "world(s, 'T', 'Text.', 'Unit', m)", s=shades, m=marks)
    assert island in world
    assert world.count('class="island"') >= 4, "two on the map, two in the caption"
    assert re.search(
        r'<a href="/countries/JP"[^>]*><use href="/static/world.svg\?v=[0-9a-f]+#JP" class="shade-5"/>', world
    )
    assert '<circle class="shade-4 dot"' in world
    assert "Nhật &amp; Bản" in world
    assert ("1.234" if lang == "vi" else "1,234") in world.partition("<details>")[2]
    assert ("chưa rõ" if lang == "vi" else "unknown") in world
    assert 'href="/missions/jp"' in world
    assert "style=" not in world
    places = maps.places_of("Can Gio - Vung Tau")
    city = drawn(env, "city(p, 'T')", p=places)
    assert island in city
    assert places[0].name[lang] in city.partition("<figcaption>")[2]
    assert city.count('class="around"') == 2


def test_a_map_without_numbers_is_still_a_map() -> None:
    empty = drawn(environment("vi"), "world(s, 'T', 'Text.', 'Unit')", s=maps.choropleth({}, names={}))
    assert "Trường Sa" in empty
    assert "<details>" not in empty
    assert "Trường Sa" in drawn(environment("vi"), "city(p, 'T')", p=())
