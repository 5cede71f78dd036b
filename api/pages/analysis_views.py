"""What the analyst's pages show, made of kept reports, manifests and counts; nothing here reads the database.

Modules of the evaluation draw with Altair and are imported when a page needs them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from api.language import _
from api.schemas import Lang
from matcher.errors import MatcherError
from matcher.records import Reference

if TYPE_CHECKING:
    from evaluation.results import Report
    from evaluation.views import Finding, Plot, View
    from evaluation.words import Words

MOST = 50
"""Reports that are read, those written last."""
WIDTH, MARGIN, STEP = 240.0, 6.0, 11.0
KINDS = ("now", "before", "rival")

TABLE_NAMES = {
    "projects": _("các dự án"), "partners": _("các đối tác"), "deals": _("các thương vụ"),
    "footprint": _("nơi hoạt động"), "investor_criteria": _("tiêu chí chọn nhà đầu tư"), "countries": _("các quốc gia"),
    "country_ties": _("hiệp định và quan hệ giữa các nước"), "city_sectors": _("ngành của Thành phố"),
    "activity_tags": _("nhãn hoạt động"), "terms": _("từ điển thuật ngữ"), "isic": _("ngành kinh tế (ISIC)"),
}  # fmt: skip
"""Tables that an engine reads -> name."""
FIELDS = {
    "projects": ("sector", "isic", "value_usd_min", "form", "status", "agency", "description", "green"),
    "partners": ("country", "kind", "isic", "activities", "size", "ticket_usd_min", "description"),
    "deals": ("role", "closed_on", "value_usd"),
}
"""Fields whose coverage is followed."""
FIELD_NAMES = {
    "sector": _("ngành"), "isic": _("ngành kinh tế (ISIC)"), "value_usd_min": _("tổng vốn"), "form": _("hình thức"),
    "status": _("tình trạng"), "agency": _("cơ quan đầu mối"), "description": _("mô tả"), "green": _("nhãn xanh"),
    "country": _("quốc gia"), "kind": _("loại hình"), "activities": _("hoạt động"), "size": _("quy mô"),
    "ticket_usd_min": _("quy mô vốn mỗi thương vụ"), "role": _("vai trò"), "closed_on": _("thời điểm"),
    "value_usd": _("giá trị"),
}  # fmt: skip
DIFFERENCE_NAMES = {
    "as_of": _("dữ liệu tính đến"), "seed": _("số khởi tạo"), "encoder": _("mô hình văn bản"),
    "describe": _("cách viết hồ sơ thành văn bản"), "ranker_note": _("cách xếp hạng được chọn"),
    "revision": _("phiên bản chương trình"), "calibration": _("hiệu chỉnh xác suất"),
}  # fmt: skip
COUNT_NAMES = {
    "projects": _("các dự án"), "partners": _("các đối tác"), "deals": _("các thương vụ"),
    "positive_deals": _("thương vụ dùng làm nhãn"), "labelled_queries": _("dự án có nhãn"),
    "held_queries": _("dự án được giữ lại để đo"), "trials": _("lần thử để hiệu chỉnh xác suất"),
    "labels": _("cặp dự án – đối tác có nhãn"),
}  # fmt: skip
CHANNEL_NAMES = {
    "api": _("chương trình khác (API)"), "page": _("trang web"), "cli": _("dòng lệnh"), "job": _("việc chạy định kỳ"),
}  # fmt: skip
LANGUAGE_NAMES = {"vi": _("tiếng Việt"), "en": _("tiếng Anh")}
SHIFT_NAMES = {
    "abstained": _("có ước tính xác suất hay không"), "probability": _("mức xác suất được ước tính"),
    "home": _("nước của đối tác"), "kind": _("loại hình đối tác"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A report that is kept, or why it cannot be read."""

    name: str
    report: Report | None
    failure: str = ""
    stamp: tuple[str, int, int] = ("", 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One value with its interval, placed on the scale of its chart; kind is one of `KINDS`."""

    kind: str
    mean: float
    low: float | None
    high: float | None
    x: float
    x1: float | None
    x2: float | None
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a dot-and-interval chart: what it is about, its values by kind, and what they were made by.

    Attributes:
        finding: the engine against the best rival; told: what the report itself says of the slice.
        report, earlier: names of the reports that the values are from.
    """

    heading: str
    name: str
    note: str = ""
    few: bool = False
    finding: Finding | None = None
    told: str = ""
    report: str = ""
    earlier: str = ""
    rival: str = ""
    dots: Mapping[str, Dot] = field(default_factory=dict)

    @property
    def height(self) -> float:
        """Of the drawing."""
        return STEP * max(len(self.dots), 1) + 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines on one scale from 0 to `top`, with the places of its ticks."""

    lines: tuple[Line, ...]
    top: float
    ticks: tuple[tuple[float, float], ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that occur."""
        return tuple(k for k in KINDS if any(k in line.dots for line in self.lines))


Values = Mapping[str, tuple[float, float, float]]
"""Kind -> mean and the ends of its interval."""


def kept_reports(folder: Path | None) -> list[Kept]:
    """The reports in a folder, newest first; files that are none are told with the reason."""
    if folder is None or not folder.is_dir():
        return []
    stamped = []
    for path in folder.glob("*.json"):
        try:
            about = path.lstat()
        except OSError:
            continue
        stamped.append((about.st_mtime_ns, about.st_size, path))
    newest = sorted(stamped, key=lambda s: (-s[0], s[2].name))[:MOST]
    found = [_kept(str(folder), path.stem, at, size) for at, size, path in newest]
    return sorted(found, key=lambda k: "" if k.report is None else k.report.made_on, reverse=True)


@lru_cache(maxsize=MOST)
def _kept(folder: str, name: str, at: int, size: int) -> Kept:
    from evaluation import kept  # noqa: PLC0415 - only who looks at reports needs it

    stamp = (f"{folder}/{name}", at, size)
    try:
        return Kept(name=name, report=kept.read(Path(folder), name), stamp=stamp)
    except MatcherError as error:
        return Kept(name=name, report=None, failure=str(error), stamp=stamp)


def words(lang: Lang, reference: Reference) -> Words:
    """The evaluation's own words in a language, with names of countries and sectors."""
    from evaluation.words import Words  # noqa: PLC0415

    return Words(lang, reference)


_bodies: dict[tuple[tuple[str, int, int], Lang], Markup] = {}
BODIES = 8


def body(kept: Kept, w: Words) -> Markup:
    """The report as a part of a page, drawn once for each file and language."""
    from evaluation.report import fragment  # noqa: PLC0415 - draws with Altair

    assert kept.report is not None
    key = (kept.stamp, w.lang)
    if key not in _bodies:
        drawn = fragment(kept.report, w)
        while len(_bodies) >= BODIES:
            _bodies.pop(next(iter(_bodies)), None)
        _bodies[key] = drawn
    return _bodies[key]


def _views(kept: Sequence[Kept], w: Words) -> Iterator[tuple[Kept, View]]:
    """Every data set of the reports that can be read, with its report, in their order."""
    from evaluation.views import View  # noqa: PLC0415

    for one in kept:
        for dataset in () if one.report is None else one.report.datasets:
            yield one, View(dataset, w, 1)


def progress(kept: Sequence[Kept], w: Words) -> Chart:
    """The engine on every set and leading slice of the newest reports, beside the report before and the best rival.

    Sets that no engine was scored on are left out.
    """
    from evaluation.leading import best, figure  # noqa: PLC0415
    from evaluation.results import Figure  # noqa: PLC0415

    views: dict[str, list[tuple[str, View]]] = {}
    for one, view in _views(kept, w):
        if view.focus is not None and view.focus.run.startswith("engine"):
            views.setdefault(view.dataset.name, []).append((one.name, view))

    def told(found: Figure) -> tuple[float, float, float]:
        return found.mean, found.low, found.high

    lines = []
    for _name, made in views.items():
        (report, view), earlier = made[0], made[1] if len(made) > 1 else None
        for slice_name, finding in view.findings():
            values = {"now": told(figure(view.focus, slice_name))}
            if earlier is not None:
                values["before"] = told(figure(earlier[1].focus, slice_name))
            rival = best((s for s in view.dataset.runs if not s.run.startswith("engine")), slice_name)
            if rival is not None:
                values["rival"] = told(figure(rival, slice_name))
            line = Line(
                heading=view.title, name=w.slice(slice_name), note=w.kept(view.count_of(slice_name)),
                finding=finding if rival is None else view.against(slice_name, rival), told=finding.text,
                few=finding.level == "few", report=report, earlier="" if earlier is None else earlier[0],
                rival="" if rival is None else w.run(rival.run),
            )  # fmt: skip
            lines.append((line, values))
    return chart(lines)


def chart(told: Sequence[tuple[Line, Values]], top: float | None = None) -> Chart:
    """Lines with their values placed on one scale that begins at 0."""
    seen = [v for _line, values in told for value in values.values() for v in value if math.isfinite(v)]
    end = top if top is not None else _round(max(seen, default=1.0))
    lines = []
    for line, values in told:
        present = [k for k in KINDS if k in values and math.isfinite(values[k][0])]
        dots = {k: _dot(k, values[k], end, 2 + STEP * (i + 0.5)) for i, k in enumerate(present)}
        lines.append(replace(line, dots=dots))
    ticks = tuple((end * i / 4, _x(end * i / 4, end)) for i in range(5))
    return Chart(lines=tuple(lines), top=end, ticks=ticks)


def held_out(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> Chart:
    """What two engines reached on the deals that their fits held out, measure by measure."""
    from evaluation.engines import measures  # noqa: PLC0415
    from evaluation.results import MEASURES  # noqa: PLC0415

    mine = measures(now).get("chosen", {})
    theirs = {} if before is None else measures(before).get("chosen", {})
    raw = []
    known = {name: i for i, name in enumerate(MEASURES)}
    for name in sorted({*mine, *theirs}, key=lambda m: (known.get(m, len(known)), m)):
        values = {k: m[name] for k, m in (("now", mine), ("before", theirs)) if name in m}
        raw.append((Line(heading="", name=name), values))
    return chart(raw, top=1.0)


def reliability(kept: Sequence[Kept], w: Words) -> tuple[str, str, Plot] | None:
    """The newest reliability diagram: report, title of the set, drawing; None without one."""
    for one, view in _views(kept, w):
        for scored in view.calibrated():
            if scored.calibration is not None and scored.calibration.slices and scored.run.startswith("engine"):
                drawn = _reliability(one.stamp, view.dataset.name, w.lang, view, scored.run)
                if drawn is not None:
                    return one.name, view.title, drawn
    return None


_plots: dict[tuple[tuple[str, int, int], str, str], Plot | None] = {}


def _reliability(stamp: tuple[str, int, int], dataset: str, lang: str, view: View, run: str) -> Plot | None:
    key = (stamp, dataset, lang)
    if key not in _plots:
        if len(_plots) >= MOST:
            _plots.clear()
        (scored,) = [s for s in view.calibrated() if s.run == run]
        assert scored.calibration is not None
        _plots[key] = view.reliability(scored.calibration.slices[0])
    return _plots[key]


def withheld(kept: Sequence[Kept], w: Words) -> list[tuple[str, str]]:
    """Sets on which the engine gives no probabilities, newest reports first: (title, reason)."""
    found: dict[str, tuple[str, str]] = {}
    for _one, view in _views(kept, w):
        focus = view.focus
        if focus is None or focus.calibration is None or not focus.run.startswith("engine"):
            continue
        reason = focus.calibration.abstained
        if reason is not None:
            found.setdefault(view.dataset.name, (view.title, w.sentence(reason) or reason))
    return list(found.values())


def _dot(kind: str, told: tuple[float, float, float], end: float, y: float) -> Dot:
    mean, low, high = told
    known = math.isfinite(low) and math.isfinite(high)
    return Dot(
        kind=kind, mean=mean, low=low if known else None, high=high if known else None, x=_x(mean, end),
        x1=_x(low, end) if known else None, x2=_x(high, end) if known else None, y=y,
    )  # fmt: skip


def _x(value: float, end: float) -> float:
    return round(MARGIN + (WIDTH - 2 * MARGIN) * min(max(value / end, 0.0), 1.0), 1)


def _round(value: float) -> float:
    """A round end of a scale, not below the value."""
    return next((e for e in (0.1, 0.2, 0.4, 0.6, 0.8) if value <= e), 1.0)
