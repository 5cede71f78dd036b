"""Ties of countries with Viet Nam in words: by kind, year and document, own ones apart from those through a bloc."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.language import _

LEVELS = {
    "special_relationship": _("quan hệ đặc biệt"),
    "comprehensive_strategic": _("đối tác chiến lược toàn diện"),
    "extensive_strategic": _("đối tác chiến lược sâu rộng"),
    "strategic": _("đối tác chiến lược"),
    "comprehensive": _("đối tác toàn diện"),
    "sectoral_strategic": _("đối tác chiến lược theo lĩnh vực"),
    "eu_comprehensive_strategic": _("đối tác chiến lược toàn diện với Liên minh châu Âu"),
}
OF_THE_UNION = "eu_comprehensive_strategic"
TIES = {
    "partnership": _("quan hệ đối tác"),
    "fta": _("hiệp định thương mại tự do"),
    "bit": _("hiệp định bảo hộ đầu tư"),
    "dta": _("hiệp định tránh đánh thuế hai lần"),
    "visa": _("miễn thị thực đơn phương"),
}
STATES = {
    "in_force": _("đang có hiệu lực"),
    "signed": _("đã ký, chưa rõ hiệu lực"),
    "terminated": _("đã chấm dứt"),
    "current": _("hiện hành"),
    "superseded": _("đã được nâng cấp"),
    "unknown": _("chưa rõ hiệu lực"),
}
AGREEMENTS = {
    "ASEAN Free Trade Area (AFTA/ATIGA)": _("Khu vực thương mại tự do ASEAN (AFTA/ATIGA)"),
    "ASEAN–Australia–New Zealand FTA (AANZFTA)": _(
        "Hiệp định thương mại tự do ASEAN – Australia – New Zealand (AANZFTA)"
    ),
    "ASEAN–China FTA (ACFTA)": _("Hiệp định thương mại tự do ASEAN – Trung Quốc (ACFTA)"),
    "ASEAN–Hong Kong FTA (AHKFTA)": _("Hiệp định thương mại tự do ASEAN – Hồng Kông (AHKFTA)"),
    "ASEAN–India FTA (AIFTA)": _("Hiệp định thương mại tự do ASEAN – Ấn Độ (AIFTA)"),
    "ASEAN–Japan CEP (AJCEP)": _("Hiệp định đối tác kinh tế toàn diện ASEAN – Nhật Bản (AJCEP)"),
    "ASEAN–Korea FTA (AKFTA)": _("Hiệp định thương mại tự do ASEAN – Hàn Quốc (AKFTA)"),
    "CPTPP": _("Hiệp định Đối tác toàn diện và tiến bộ xuyên Thái Bình Dương (CPTPP)"),
    "EU–Viet Nam FTA (EVFTA)": _("Hiệp định thương mại tự do Việt Nam – EU (EVFTA)"),
    "RCEP": _("Hiệp định Đối tác kinh tế toàn diện khu vực (RCEP)"),
    "UK–Viet Nam FTA (UKVFTA)": _("Hiệp định thương mại tự do Việt Nam – Vương quốc Anh (UKVFTA)"),
    "Viet Nam–Chile FTA (VCFTA)": _("Hiệp định thương mại tự do Việt Nam – Chile (VCFTA)"),
    "Viet Nam–Eurasian Economic Union FTA": _("Hiệp định thương mại tự do Việt Nam – Liên minh Kinh tế Á – Âu"),
    "Viet Nam–Israel FTA (VIFTA)": _("Hiệp định thương mại tự do Việt Nam – Israel (VIFTA)"),
    "Viet Nam–Japan EPA (VJEPA)": _("Hiệp định đối tác kinh tế Việt Nam – Nhật Bản (VJEPA)"),
    "Viet Nam–Korea FTA (VKFTA)": _("Hiệp định thương mại tự do Việt Nam – Hàn Quốc (VKFTA)"),
    "Viet Nam–UAE CEPA": _("Hiệp định đối tác kinh tế toàn diện Việt Nam – UAE (CEPA)"),
}
"""Names of free trade agreements as the table has them -> their Vietnamese names; others stay in English."""
_BY_YEAR = {
    "bit": (_("Hiệp định khuyến khích và bảo hộ đầu tư (%(of)s)"), _("Hiệp định khuyến khích và bảo hộ đầu tư")),
    "dta": (_("Hiệp định tránh đánh thuế hai lần (%(of)s)"), _("Hiệp định tránh đánh thuế hai lần")),
    "visa": (_("Miễn thị thực đơn phương (%(of)s)"), _("Miễn thị thực đơn phương")),
}
_OF = re.compile(r"\(([^()]*\d[^()]*)\)\s*$")
_OF_UNION = "BLEU"

_UNION, _ASEAN, _EURASIA, _BELGIUM, _SEVERAL = (
    _("qua EU"), _("qua ASEAN"), _("qua Liên minh Kinh tế Á – Âu"), _("qua Liên minh kinh tế Bỉ – Luxembourg"),
    _("nhiều bên"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """One tie: `title` with `values` to be put in, untranslated; `name` where it has none of ours, in English."""

    kind: str
    title: str
    values: Mapping[str, str] = field(default_factory=dict)
    name: str | None
    through: str | None
    status: str
    until: Any
    until_precision: str | None
    row: Mapping[str, Any]


def told(rows: Sequence[Mapping[str, Any]]) -> list[Tie]:
    """The ties of one country: those that count now first, of them those of its own first, newest first."""
    order, past = list(TIES), ("superseded", "terminated")
    newest = sorted(rows, key=lambda t: str(t["in_force_on"] or t["signed_on"] or ""), reverse=True)
    ties = [_tie(row, newest) for row in newest]
    return sorted(
        ties,
        key=lambda t: (
            t.status in past, t.through is not None and t.through != _BELGIUM,
            order.index(t.kind) if t.kind in order else len(order),
        ),
    )  # fmt: skip


def level(rows: Sequence[Mapping[str, Any]]) -> tuple[str | None, bool]:
    """The current partnership of the country's own, and whether it has one through the European Union."""
    current = [t["level"] for t in rows if t["kind"] == "partnership" and t["status"] == "current"]
    own = next((known for known in LEVELS if known in current and known != OF_THE_UNION), None)
    return own, OF_THE_UNION in current


def in_force(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The kinds of treaty in force, in the usual order."""
    held = {t["kind"] for t in rows if t["status"] == "in_force"}
    return tuple(kind for kind in TIES if kind in held)


def _tie(row: Mapping[str, Any], newest: Sequence[Mapping[str, Any]]) -> Tie:
    kind, name, title = row["kind"], row["name"], ""
    values: dict[str, str] = {}
    if row["level"] in LEVELS:
        title = LEVELS[row["level"]]
    elif kind in _BY_YEAR:
        of = _OF.search(name or "")
        title = _BY_YEAR[kind][of is None]
        values = {} if of is None else {"of": of[1]}
    elif name in AGREEMENTS:
        title = AGREEMENTS[name]
    until, precision = _end(row, newest)
    return Tie(
        kind=kind, title=title, values=values, name=None if title else name, through=_through(row),
        status=row["status"], until=until, until_precision=precision, row=row,
    )  # fmt: skip


def _through(row: Mapping[str, Any]) -> str | None:
    name = row["name"] or ""
    if row["level"] == OF_THE_UNION or name.startswith("EU–"):
        return _UNION
    if name.startswith("ASEAN"):
        return _ASEAN
    if "Eurasian" in name:
        return _EURASIA
    if name.startswith(_OF_UNION):
        return _BELGIUM
    return _SEVERAL if name in ("CPTPP", "RCEP") else None


def _end(row: Mapping[str, Any], newest: Sequence[Mapping[str, Any]]) -> tuple[Any, str | None]:
    """When a partnership became another of the country's own, else the day on record; None where nobody knows."""
    later = [
        t for t in newest
        if row["status"] == "superseded" and t["kind"] == row["kind"] and t["level"] != OF_THE_UNION
        and row["in_force_on"] is not None and str(t["in_force_on"] or "") > str(row["in_force_on"])
    ]  # fmt: skip
    return (later[-1]["in_force_on"], later[-1]["in_force_precision"]) if later else (row["ended_on"], None)
