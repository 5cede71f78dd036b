"""Plots of a report as small SVG: drawn by Altair and vl-convert without a browser, then stripped to what is seen.

A plot has no identifiers of its own and no font but the page's, so that the same rows give the same bytes and
several plots stand in one page. Colours are told apart by lightness and shape as well.
"""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import vl_convert

from evaluation.results import Bin
from evaluation.words import Words

INK, QUIET, LINE, FAINT = "#1d2529", "#586268", "#e3e8ea", "#b9c2c6"
FOCUS, RIVAL, OTHER = "#0b5563", "#d4791c", "#7b878d"
WIDTH, LABELS = 300, 200
FONT = 12
Role = Literal["focus", "rival", "other", "few"]
COLOURS: dict[Role, str] = {"focus": FOCUS, "rival": RIVAL, "other": OTHER, "few": FAINT}
_COLOUR = alt.Color("colour:N", scale=None, legend=None)
SHAPES: dict[Role, str] = {"focus": "circle", "rival": "diamond", "other": "circle", "few": "circle"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value with its interval on one line of a plot; NaN is left out but keeps its line."""

    label: str
    mean: float
    low: float
    high: float
    role: Role = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A share in [0, 1] of one group, for one series."""

    label: str
    share: float
    role: Role


def forest(points: Sequence[Point], words: Words, *, title: str, zero: bool = False) -> str:
    """Points with their intervals, one line each, in the order given; `zero` draws the line of no difference."""
    order = list(dict.fromkeys(p.label for p in points))
    seen = [v for p in points for v in (p.mean, p.low, p.high) if math.isfinite(v)]
    low, high = (min([0.0, *seen]), max([0.0, *seen])) if seen else (0.0, 1.0)
    margin = 0.03 * (high - low or 1)
    scale = alt.Scale(domain=[low - margin if low < 0 else 0, high + margin], nice=False, zero=False)
    axis = _axis(title, "+.2~f" if zero else ".2~f", labelExpr="datum.value == 0 ? '0' : datum.label")
    base = alt.Chart(_data([_row(p) for p in points])).encode(
        y=alt.Y("label:N", sort=order, scale=alt.Scale(domain=order), axis=_names([] if zero else points)),
        color=_COLOUR,
    )
    lines = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q")
    )
    dots = (
        base.transform_filter("isValid(datum.mean)")
        .mark_point(filled=True, opacity=1, size=62)
        .encode(x=alt.X("mean:Q", scale=scale, axis=axis), shape=alt.Shape("shape:N", scale=None, legend=None))
    )
    layers: list[Any] = [lines, dots]
    if zero:
        nothing = alt.Chart(_data([{"x": 0}])).mark_rule(color=INK, strokeWidth=1)
        layers.insert(0, nothing.encode(x=alt.X("x:Q", scale=scale, axis=axis)))
    return _svg(alt.layer(*layers).properties(width=WIDTH, height=alt.Step(21)), words)


def bars(rows: Sequence[Bar], words: Words, *, title: str) -> str:
    """Shares side by side, one group per label in the order given, focus above rival."""
    order, series, values = _grouped(rows)
    names = alt.Axis(title=None, ticks=False, domain=False, labelLimit=LABELS)
    chart = alt.Chart(_data(values)).mark_bar(height={"band": 0.86})
    chart = chart.encode(
        x=alt.X("share:Q", axis=_axis(title, "%"), scale=alt.Scale(nice=False)),
        y=alt.Y("label:N", sort=order, axis=names, scale=alt.Scale(paddingInner=0.25)),
        yOffset=alt.YOffset("role:N", sort=series, scale=alt.Scale(domain=series)),
        color=_COLOUR,
    )
    return _svg(chart.properties(width=WIDTH, height=alt.Step(10 * len(series) + 6, **{"for": "position"})), words)


def columns(rows: Sequence[Bar], words: Words, *, title: str, x_title: str) -> str:
    """A distribution: for each class in the order given one column per series, focus left of rival."""
    order, series, values = _grouped(rows)
    names = alt.Axis(title=x_title, labelAngle=0, ticks=False)
    chart = alt.Chart(_data(values)).mark_bar()
    chart = chart.encode(
        x=alt.X("label:N", sort=order, axis=names, scale=alt.Scale(paddingInner=0.22)),
        xOffset=alt.XOffset("role:N", sort=series, scale=alt.Scale(domain=series)),
        y=alt.Y("share:Q", axis=_axis(title, "%"), scale=alt.Scale(nice=False)),
        color=_COLOUR,
    )
    return _svg(chart.properties(width=WIDTH + 120, height=190), words)


def reliability(bins: Sequence[Bin], words: Words, *, x_title: str, y_title: str, perfect: str) -> str:
    """Said against observed on square-root axes, the diagonal of perfect probabilities, area by number of pairs."""
    top = max(v for b in bins for v in (b.predicted, b.high)) * 1.06 or 1.0
    scale = alt.Scale(type="sqrt", domain=[0, top], nice=False)
    x = alt.X("x:Q", scale=scale, axis=_axis(x_title, ".1~%", values=_root_ticks(top)))
    y_axis = _axis(y_title, ".1~%", values=_root_ticks(top))
    y = alt.Y("y:Q", scale=scale, axis=y_axis)
    ends: list[dict[str, Any]] = [{"x": 0, "y": 0}, {"x": top, "y": top}]
    middle: list[dict[str, Any]] = [{"x": 0.45 * top, "y": 0.45 * top, "t": perfect}]
    line = alt.Chart(_data(ends)).mark_line(color=QUIET, strokeWidth=1, strokeDash=[4, 3]).encode(x=x, y=y)
    label = alt.Chart(_data(middle)).mark_text(
        align="right", baseline="bottom", dx=-6, dy=-2, color=QUIET, fontSize=FONT - 1
    )
    values = [{"x": b.predicted, "y": b.observed, "low": b.low, "high": b.high, "pairs": b.pairs} for b in bins]
    base = alt.Chart(_data(values)).encode(x=x)
    rules = base.mark_rule(color=FOCUS, strokeWidth=1.6)
    area = alt.Scale(domain=[0, max(b.pairs for b in bins)], range=[0, 70])
    dots = base.mark_point(filled=True, color=FOCUS, opacity=1)
    layers = alt.layer(
        line,
        label.encode(x=x, y=y, text="t:N"),
        rules.encode(y=alt.Y("low:Q", scale=scale, axis=y_axis), y2="high:Q"),
        dots.encode(y=y, size=alt.Size("pairs:Q", scale=area, legend=None)),
    )
    return _svg(layers.properties(width=WIDTH, height=WIDTH - 40), words)


def curve(points: Sequence[tuple[float, float]], words: Words, *, x_title: str, y_title: str) -> str:
    """Quality against the share of queries answered."""
    values = [{"x": x, "y": y} for x, y in points if math.isfinite(x) and math.isfinite(y)]
    top = max((v["y"] for v in values), default=1.0) * 1.08 or 1.0
    base = alt.Chart(_data(values)).encode(
        x=alt.X("x:Q", axis=_axis(x_title, "%"), scale=alt.Scale(domain=[0, 1])),
        y=alt.Y("y:Q", axis=_axis(y_title, ".2~f"), scale=alt.Scale(domain=[0, top], nice=False)),
    )
    layers = alt.layer(
        base.mark_line(color=FOCUS, strokeWidth=2), base.mark_point(filled=True, color=FOCUS, opacity=1, size=28)
    )
    return _svg(layers.properties(width=WIDTH, height=WIDTH - 40), words)


def strip(points: Sequence[tuple[float, float, float, Role]], *, low: float, high: float) -> str:
    """A small drawing for a table cell: intervals with their points, one under the other, on a shared scale."""
    width, step = 168, 9
    span = high - low or 1.0

    def x(value: float) -> str:
        return f"{4 + (width - 8) * min(max((value - low) / span, 0), 1):.1f}".removesuffix(".0")

    height = step * len(points) + 3
    parts = [f'<path d="M4 {height - 0.5}H{width - 4}" stroke="{LINE}"/>']
    for i, (mean, start, end, role) in enumerate(points):
        y, colour = 5 + step * i, COLOURS[role]
        if math.isfinite(start) and math.isfinite(end):
            parts.append(f'<path d="M{x(start)} {y}H{x(end)}" stroke="{colour}" stroke-width="2"/>')
        if math.isfinite(mean):
            parts.append(
                f'<path d="M{x(mean)} {y - 4}l4 4-4 4-4-4z" fill="{colour}"/>' if role == "rival"
                else f'<circle cx="{x(mean)}" cy="{y}" r="3.2" fill="{colour}"/>'
            )  # fmt: skip
    return _cell(width, height, "".join(parts))


def allowed(value: float, low: float, high: float, *, passed: bool) -> str:
    """A small drawing for a table cell: the range that is allowed, open where it has no end, and where a value lies."""
    known = sorted(v for v in (value, low, high) if math.isfinite(v))
    if not math.isfinite(value) or len(known) < 2:
        return ""
    width, margin = 168, 0.18 * (known[-1] - known[0] or 1.0)
    start, span = known[0] - margin, known[-1] - known[0] + 2 * margin

    def x(v: float) -> float:
        return round(width * (v - start) / span, 1)

    left, right = x(low) if math.isfinite(low) else 0, x(high) if math.isfinite(high) else width
    mark = (
        f'<circle cx="{x(value)}" cy="8" r="4" fill="{FOCUS}"/>' if passed
        else f'<path d="M{x(value)} 3l5 5-5 5-5-5z" fill="{RIVAL}"/>'
    )  # fmt: skip
    band = f'<path d="M{left} 8H{max(right, left + 2)}" stroke="{FAINT}" stroke-width="9"/>'
    return _cell(width, 16, f'<path d="M0 8H{width}" stroke="{LINE}"/>{band}{mark}')


def _cell(width: int, height: int, inner: str) -> str:
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg class="strip" {size} aria-hidden="true">{inner}</svg>'


def _data(values: list[dict[str, Any]]) -> Any:
    return alt.Data(values=values)  # type: ignore[no-untyped-call]  # generated by altair without types


def _axis(title: str, form: str, **more: Any) -> alt.Axis:
    return alt.Axis(title=title, format=form, tickCount=5, gridColor=LINE, **more)


def _grouped(rows: Sequence[Bar]) -> tuple[list[str], list[Role], list[dict[str, Any]]]:
    """Labels and series in their order, and the rows to draw."""
    order = list(dict.fromkeys(b.label for b in rows))
    series = [role for role in COLOURS if any(b.role == role for b in rows)]
    return order, series, [
        {"label": b.label, "share": b.share if math.isfinite(b.share) else 0, "role": b.role, "colour": COLOURS[b.role]}
        for b in rows
    ]  # fmt: skip


def _row(p: Point) -> dict[str, Any]:
    values = {k: v if math.isfinite(v) else None for k, v in (("mean", p.mean), ("low", p.low), ("high", p.high))}
    return {"label": p.label, "colour": COLOURS[p.role], "shape": SHAPES[p.role], **values}


def _names(points: Sequence[Point]) -> alt.Axis:
    """Names of lines, those of the two runs compared in bold."""
    bold = f"indexof({_expression([p.label for p in points if p.role in ('focus', 'rival')])}, datum.value) >= 0"
    weight: Any = {"condition": {"test": bold, "value": "bold"}, "value": "normal"}
    return alt.Axis(
        title=None, ticks=False, domain=False, labelLimit=LABELS, labelPadding=9, labelFontWeight=weight, grid=False
    )


def _expression(texts: Sequence[str]) -> str:
    quoted = (t.replace("\\", "\\\\").replace("'", "\\'").replace("\n", " ") for t in texts)
    return "[" + ",".join(f"'{t}'" for t in quoted) + "]"


def _root_ticks(top: float) -> list[float]:
    """Round shares up to the top that stand apart on a square-root axis."""
    ticks = [0.0]
    for value in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0):
        if value <= top and math.sqrt(value / top) - math.sqrt(ticks[-1] / top) >= 0.11:
            ticks.append(value)
    return ticks


_CONFIG = {
    "aria": False,
    "background": None,
    "font": "sans-serif",
    # Readers' fonts are up to a tenth wider than the one that labels are measured with.
    "padding": {"left": 22, "right": 8, "top": 5, "bottom": 5},
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": FONT, "titleFontSize": FONT, "titleFontWeight": "normal", "titleColor": QUIET,
        "labelColor": INK, "tickColor": FAINT, "domainColor": FAINT, "titlePadding": 8, "labelPadding": 5,
        "labelFlush": False,
    },
}  # fmt: skip
_LOCALES: dict[str, Any] = {
    "vi": {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", ""], "percent": "%"},
    "en": {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["", ""], "percent": "%"},
}


def _svg(chart: Any, words: Words) -> str:
    specification = chart.to_dict() | {"config": _CONFIG}
    return _small(vl_convert.vegalite_to_svg(specification, vl_version="6.1", format_locale=_LOCALES[words.lang]))


_DROPPED = {
    "role",
    "class",
    "pointer-events",
    "font-family",
    "stroke-miterlimit",
    "clip-path",
    "version",
    "width",
    "height",
}
_NUMBER = re.compile(r"-?\d+\.\d+")


def _small(svg: str) -> str:
    """An SVG without what is not seen: roles, empty groups, hidden labels, digits beyond a tenth of a point."""
    root = ET.fromstring(svg)  # noqa: S314 - written by vl-convert a moment ago
    size = {k: root.get(k, "0") for k in ("width", "height")}
    box = root.get("viewBox", "")
    _strip(root)
    root.attrib = {"viewBox": box, "width": size["width"], "height": size["height"], "aria-hidden": "true"}
    return ET.tostring(root, encoding="unicode")


def _strip(element: ET.Element) -> None:
    element.tag = element.tag.rpartition("}")[2]
    shape = element.tag in ("rect", "clipPath")
    for name in list(element.attrib):
        value = element.attrib[name]
        dropped = (name in _DROPPED and not (shape and name in ("width", "height"))) or name.startswith("aria-")
        if dropped or (name, value) in (("opacity", "1"), ("stroke-width", "1"), ("transform", "translate(0,0)")):
            del element.attrib[name]
        else:
            element.attrib[name] = _NUMBER.sub(lambda m: f"{float(m.group()):.1f}".removesuffix(".0"), value)
    for child in list(element):
        _strip(child)
        if _unseen(child):
            element.remove(child)
        elif child.tag == "g" and not child.attrib:
            at = list(element).index(child)
            element.remove(child)
            for offset, grandchild in enumerate(list(child)):
                element.insert(at + offset, grandchild)


def _unseen(element: ET.Element) -> bool:
    hidden = element.get("opacity") == "0" or element.get("display") == "none" or element.tag == "defs"
    blank = element.tag == "path" and element.get("d") in ("", "M0,0h0v0h0Z")
    background = element.tag == "path" and not element.get("fill") and not element.get("stroke")
    return hidden or blank or background or (element.tag == "g" and not len(element))
