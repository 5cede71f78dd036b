"""Where a position lies on the two maps: the whole world, and the sea and land around the city."""

from math import asin, cos, radians, sin, sqrt

WORLD_WIDTH, WORLD_HEIGHT = 1000.0, 487.0
CENTRE = 11.0  # the map is cut at 169° W, in the Bering Strait, where it cuts no country
SOUTH_BOX = (105.9, 8.4, 107.9, 11.7)  # west, south, east, north
SOUTH_SCALE = 300.0  # units for one degree of latitude

_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_M = sqrt(3) / 2


def _equal_earth(lat: float, turned: float) -> tuple[float, float]:
    t = asin(_M * sin(radians(lat)))
    t2 = t * t
    t6 = t2 * t2 * t2
    x = radians(turned) * cos(t) / (_M * (_A1 + 3 * _A2 * t2 + t6 * (7 * _A3 + 9 * _A4 * t2)))
    return x, t * (_A1 + _A2 * t2 + t6 * (_A3 + _A4 * t2))


_HALF = _equal_earth(0, 180)[0]
_SCALE = WORLD_WIDTH / (2 * _HALF)


def equal_earth(lat: float, lon: float) -> tuple[float, float]:
    """A position in the coordinates of `world.svg`: x to the right, y down.

    Source: Šavrič, Patterson, Jenny, The Equal Earth map projection, IJGIS 33(3), 2018.
    """
    return turned_earth(lat, (lon - CENTRE + 180) % 360 - 180)


def turned_earth(lat: float, turned: float) -> tuple[float, float]:
    """The same for a longitude counted from the middle of the map, from -180 to 180."""
    x, y = _equal_earth(lat, turned)
    return x * _SCALE + WORLD_WIDTH / 2, WORLD_HEIGHT / 2 - y * _SCALE


def south(lat: float, lon: float) -> tuple[float, float]:
    """A position in the coordinates of `south.svg`: equal steps of longitude and latitude, true at its middle."""
    west, low, _, north = SOUTH_BOX
    return (lon - west) * SOUTH_SCALE * cos(radians((low + north) / 2)), (north - lat) * SOUTH_SCALE


SOUTH_WIDTH, SOUTH_HEIGHT = south(SOUTH_BOX[1], SOUTH_BOX[2])
