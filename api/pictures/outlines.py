"""Draws the two outline files of the maps, `world.svg` and `south.svg`, from the npm package world-atlas 2.0.2.

    python -m api.pictures.outlines FOLDER

FOLDER holds `countries-110m.json` and `countries-10m.json` of that package (Natural Earth as TopoJSON). The two
results are kept in the repository, so this is run only when the outlines themselves change. It needs `pycountry`.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from api.pictures.projection import (
    CENTRE,
    SOUTH_BOX,
    SOUTH_HEIGHT,
    SOUTH_WIDTH,
    WORLD_HEIGHT,
    WORLD_WIDTH,
    south,
    turned_earth,
)

STATIC = Path(__file__).parent.parent / "web" / "static"
ANTARCTICA = "010"
# Areas that the file draws without a code of ISO 3166-1 belong to the entry of ISO 3166-1 that contains them.
WITHOUT_CODE = {"Kosovo": "RS", "N. Cyprus": "CY", "Somaliland": "SO"}
SOUTH_COUNTRIES = {"704": "VN", "116": "KH"}
NOTE = "Outlines: world-atlas 2.0.2 (ISC), from Natural Earth (public domain); see world-atlas.LICENCE.txt"
DEGREES_OF_CURVE = 3.0  # longer edges are bent, as the map bends them

Point = tuple[float, float]
Ring = list[Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """A map: the longitude in its middle, the box (west, south, east, north) it shows, and how it draws a position."""

    centre: float
    box: tuple[float, float, float, float]
    project: Callable[[Point], Point]


class Topology:
    """The shapes of a TopoJSON file as rings of (longitude, latitude)."""

    def __init__(self, path: Path) -> None:
        held = json.loads(path.read_text())
        (kx, ky), (dx, dy) = held["transform"]["scale"], held["transform"]["translate"]
        self.countries: list[dict[str, Any]] = held["objects"]["countries"]["geometries"]
        self._arcs: list[Ring] = []
        for arc in held["arcs"]:
            x = y = 0
            line: Ring = []
            for step in arc:
                x, y = x + step[0], y + step[1]
                line.append((x * kx + dx, y * ky + dy))
            self._arcs.append(line)

    def rings(self, shape: dict[str, Any]) -> Iterator[Ring]:
        """Every ring of a shape, outer ones and holes alike; the even-odd rule tells them apart."""
        polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
        for polygon in polygons:
            for arcs in polygon:
                ring: Ring = []
                for index in arcs:
                    line = self._arcs[index] if index >= 0 else self._arcs[~index][::-1]
                    ring.extend(line[1:] if ring else line)
                yield ring


def unwrap(ring: Sequence[Point], centre: float) -> Ring:
    """The ring with longitudes counted from `centre` and without jumps of a whole turn."""
    out: Ring = []
    for lon, lat in ring:
        turned = (lon - centre + 180) % 360 - 180
        if out:
            turned += 360 * round((out[-1][0] - turned) / 360)
        out.append((turned, lat))
    return out


def clip(ring: Sequence[Point], axis: int, limit: float, *, below: bool) -> Ring:
    """The part of a ring on one side of a line of equal longitude (axis 0) or latitude (axis 1)."""
    sign = 1 if below else -1
    out: Ring = []
    for a, b in pairwise([*ring, ring[0]] if ring else []):
        inside = (limit - a[axis]) * sign >= 0, (limit - b[axis]) * sign >= 0
        if inside[0]:
            out.append(a)
        if inside[0] != inside[1]:
            t = (limit - a[axis]) / (b[axis] - a[axis])
            out.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
    return out


def bend(ring: Sequence[Point]) -> Iterator[Point]:
    """The ring with points added on long edges."""
    for a, b in pairwise([*ring, ring[0]]):
        steps = max(1, round(max(abs(a[0] - b[0]), abs(a[1] - b[1])) / DEGREES_OF_CURVE))
        for i in range(steps):
            yield a[0] + (b[0] - a[0]) * i / steps, a[1] + (b[1] - a[1]) * i / steps


def path(rings: Iterable[Sequence[Point]], digits: int) -> str:
    """Rings as the data of one path, in relative steps; points that fall together after rounding are one."""
    unit = 10**digits
    data, start = "", (0, 0)
    for ring in rings:
        points = [(round(x * unit), round(y * unit)) for x, y in ring]
        points = [p for i, p in enumerate(points) if p != points[i - 1]]
        if len(points) < 3:
            continue
        # A closed path goes back to its start, so that the next ring is counted from there.
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise([start, *points])]
        numbers = [_short(n / unit) for step in steps for n in step]
        written = "".join(n if n.startswith("-") else f" {n}" for n in numbers).lstrip()
        data, start = f"{data}m{written}z", points[0]
    return data


def _short(value: float) -> str:
    text = f"{value:g}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def drawn(topology: Topology, shape: dict[str, Any], onto: Projection) -> Iterator[Ring]:
    """The rings of a shape as the map draws them."""
    for ring in topology.rings(shape):
        turned = unwrap(ring, onto.centre)
        west, low, east, high = onto.box
        for turn in (-360.0, 0.0, 360.0):
            part = [(lon + turn, lat) for lon, lat in turned]
            for axis, limit, below in ((0, east, True), (0, west, False), (1, high, True), (1, low, False)):
                part = clip(part, axis, limit, below=below)
            if part:
                yield [onto.project(p) for p in bend(part)]


def svg(size: tuple[float, float], paths: dict[str, str], note: str) -> str:
    """A file of outlines: a group `land`, in it one path for each country with its code as id and without colour."""
    width, height = (f"{n:g}" for n in size)
    inner = "\n".join(f'<path id="{code}" d="{data}"/>' for code, data in sorted(paths.items()) if data)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">\n<!-- {note} -->\n'
        f'<g id="land">\n{inner}\n</g>\n</svg>\n'
    )


def world(folder: Path) -> str:
    """`world.svg`: every country but Antarctica, Equal Earth."""
    import pycountry  # noqa: PLC0415 - only this program needs it

    topology = Topology(folder / "countries-110m.json")
    onto = Projection(centre=CENTRE, box=(-180.0, -90.0, 180.0, 90.0), project=lambda p: turned_earth(p[1], p[0]))
    rings: dict[str, list[Ring]] = {}
    for shape in topology.countries:
        if shape.get("id") == ANTARCTICA:
            continue
        number, name = shape.get("id"), shape["properties"]["name"]
        listed = pycountry.countries.get(numeric=number) if number else None
        code = listed.alpha_2 if listed else WITHOUT_CODE[name]
        rings.setdefault(code, []).extend(drawn(topology, shape, onto))
    return svg((WORLD_WIDTH, WORLD_HEIGHT), {code: path(r, 1) for code, r in rings.items()}, NOTE)


def around_the_city(folder: Path) -> str:
    """`south.svg`: the land of Viet Nam and its neighbour around the city."""
    topology = Topology(folder / "countries-10m.json")
    onto = Projection(centre=0.0, box=SOUTH_BOX, project=lambda p: south(p[1], p[0]))
    paths = {
        SOUTH_COUNTRIES[shape["id"]]: path(drawn(topology, shape, onto), 0)
        for shape in topology.countries
        if shape.get("id") in SOUTH_COUNTRIES
    }
    return svg((round(SOUTH_WIDTH), round(SOUTH_HEIGHT)), paths, NOTE)


def main(arguments: Sequence[str]) -> None:
    """Writes both files."""
    folder = Path(arguments[0])
    (STATIC / "world.svg").write_text(world(folder))
    (STATIC / "south.svg").write_text(around_the_city(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
