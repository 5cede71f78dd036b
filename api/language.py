"""The page's words: catalogues, the two template environments, and how values are printed in each language.

The Vietnamese text is the original and stands in the templates; `locale/en` translates it. Catalogues are read
from their `.po` files when the program starts, so nothing has to be compiled.
"""

import gettext
import io
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jinja2
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup, escape

from api import static as static_files
from api.schemas import Lang
from matcher.matching.city_labels import CITY_NAMES
from matcher.matching.labels import DEAL_STATUS_NAMES, FORM_NAMES, KIND_NAMES, ROLE_NAMES, STATUS_NAMES, Both
from matcher.text import day, number

WEB = Path(__file__).parent / "web"
LANGUAGES: tuple[Lang, ...] = ("vi", "en")
DEFAULT: Lang = "vi"


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


MISSION_TYPE_NAMES = {
    "embassy": _("đại sứ quán"),
    "consulate_general": _("tổng lãnh sự quán"),
    "consulate": _("lãnh sự quán"),
    "permanent_mission": _("phái đoàn thường trực"),
    "economic_cultural_office": _("văn phòng kinh tế - văn hóa"),
    "other": _("cơ quan khác"),
}
MISSION_STATUS_NAMES = {
    "open": _("đang hoạt động"),
    "announced": _("đã công bố, chưa rõ đã mở"),
    "unknown": _("chưa rõ tình trạng"),
}
OUTCOME_NAMES = {"deal": _("thương vụ")}
STAGE_NAMES = {
    "lead": _("tiềm năng"), "prospect": _("xác định"), "engaged": _("tiếp cận"), "negotiating": _("đàm phán"),
    "committed": _("cam kết"), "won": _("thành công"),
}  # fmt: skip
WORK_STATUS_NAMES = {
    "active": _("đang làm"), "paused": _("tạm dừng"), "lost": _("không thành"), "done": _("đã xong"),
}  # fmt: skip
CONTACT_NAMES = {
    "contact": _("liên hệ"), "meeting": _("cuộc gặp"), "visit": _("chuyến thăm"), "delegation": _("đoàn công tác"),
    "event": _("sự kiện"),
}  # fmt: skip
RESULT_NAMES = {"won": _("thành công"), "lost": _("không thành"), "abandoned": _("đã dừng")}
USER_ROLE_NAMES = {
    "mission": _("cơ quan đại diện"), "officer": _("cán bộ xúc tiến"), "analyst": _("chuyên viên phân tích"),
    "admin": _("quản trị viên"),
}  # fmt: skip
COVERAGE_NAMES = {
    "sector": _("ngành"), "isic": _("ngành"), "country": _("quốc gia"), "region": _("khu vực"),
    "kind": _("loại hình"), "ticket_usd": _("quy mô vốn mỗi thương vụ"), "ticket_usd_min": _("quy mô vốn tối thiểu"),
    "ticket_usd_max": _("quy mô vốn tối đa"), "form": _("hình thức"), "status": _("tình trạng"),
    "green": _("nhãn xanh"), "value_usd": _("tổng vốn"), "value_usd_min": _("tổng vốn"), "value_usd_max": _("tổng vốn"),
    "description": _("mô tả"), "size": _("quy mô doanh nghiệp"), "activities": _("hoạt động"), "deals": _("thương vụ"),
    "footprint": _("nơi hoạt động"), "agency": _("cơ quan đầu mối"), "city": _("thành phố"),
    "origin_country": _("nước xuất xứ vốn"), "instruments": _("công cụ vốn"),
    "project_value_usd": _("tổng vốn của dự án"), "project_form": _("hình thức của dự án"),
}  # fmt: skip


def read_catalogue(lang: Lang) -> gettext.GNUTranslations:
    """The catalogue of a language, compiled in memory."""
    with (WEB / "locale" / lang / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale=lang, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def url(path: str, lang: Lang, params: Mapping[str, Any] | None = None) -> str:
    """A path of the page that stays in the reader's language; empty parameters are left out."""
    pairs = [(k, v) for k, v in (params or {}).items() if v not in (None, "", ())]
    if lang != DEFAULT:
        pairs.append(("lang", lang))
    return f"{path}?{urlencode(pairs, doseq=True)}" if pairs else path


def usd_range(low: float | None, high: float | None, lang: Lang, *, estimated: bool = False) -> str | None:
    """Millions of US dollars: '≈ 850', '100–900', 'từ 100', 'đến 900'; None when both ends are unknown."""
    if low is None and high is None:
        return None
    a, b = (None if v is None else _millions(v, lang) for v in (low, high))
    sign = "≈\u00a0" if estimated else ""
    if a is None:
        return f"{sign}≤ {b}"
    if b is None:
        return f"{sign}≥ {a}"
    return f"{sign}{a}" if a == b else f"{sign}{a}–{b}"


def _millions(value: float, lang: Lang) -> str:
    millions = value / 1e6
    return number(millions, lang, 0 if millions >= 100 or millions == int(millions) else 1)


def exact_amount(value: str | None, currency: str | None, lang: Lang) -> str | None:
    """An exact amount with its currency: '21.700.000.000.000 VND'."""
    if value is None:
        return None
    amount = Decimal(value)
    digits = max(0, -int(amount.normalize().as_tuple().exponent))
    return f"{number(amount, lang, digits)} {currency or ''}".strip()


def any_day(value: str | date | None, lang: Lang, precision: str | None = None) -> str | None:
    """A day as readers write it, cut to what is known: '12/10/2026', '10/2026', '2026'."""
    if value is None:
        return None
    on = date.fromisoformat(value) if isinstance(value, str) else value
    if precision == "year":
        return str(on.year)
    if precision == "month":
        return f"{on:%m/%Y}" if lang == "vi" else f"{on:%Y-%m}"
    return day(on, lang)


def typed_day(value: str | date | None, lang: Lang) -> str:
    """A day as readers type it into a form; what is no day stays as it was typed."""
    try:
        return any_day(value, lang) or ""
    except ValueError:
        return str(value)


_VIETNAMESE = re.compile(r"[ăâđêôơưĂÂĐÊÔƠƯ\u1ea0-\u1ef9]")


def free(text: str | None, lang: Lang) -> str:
    """Free text of a record, marked where it is in the other language; text of ours is Vietnamese or English."""
    if not text:
        return ""
    told = "vi" if _VIETNAMESE.search(text) else "en"
    return escape(text) if told == lang else Markup('<span lang="{}">{}</span>').format(told, text)


def percent(share: float, lang: Lang) -> str:
    """A share of 1 as whole per cent: '12%'; below one per cent '< 1%', without a place where the line may break."""
    return "<\u00a01%" if 0 < share < 0.01 else f"{number(share * 100, lang)}%"


_REPOSITORY_FILE = re.compile(r"(?:github )?([\w.-]+/[\w.-]+)@([0-9a-f]{40})(?::(\S+))?(?: +(.*))?")
_HASH = re.compile(r"(?<=@[0-9a-f]{7})[0-9a-f]{33}\b")
_VIA = re.compile(r"(https?://\S+) \((.+)\)")
_DESCRIPTION = re.compile(r"\(([^()]*[a-z]{3}[^()]*)\)")
_PUBLISHERS = (
    "Unicode CLDR", "ISO 3166", "UN M49", "GeoNames", "CEPII", "UNCTAD", "Wikidata", "Wikipedia", "World Bank",
    "Global Energy Monitor",
)  # fmt: skip
_PUBLISHER_OF = {"GlobalEnergyMonitor": "Global Energy Monitor", "JerBouma": "FinanceDatabase"}
_LONG = 80
"""A source told in more letters is shortened where its whole text can be opened beside it. Source: our choice."""


def sources(text: str | None) -> list[tuple[str, str | None]]:
    """The sources named in a cell, each with the address it opens (only http and https) or None.

    `owner/repository@commit:path` opens that very version of the file on GitHub; where its note says in words whose
    it is, these are its name. Commits are cut to seven letters.
    """
    found: list[tuple[str, str | None]] = []
    for part in (text or "").split(" ; "):
        clean = part.strip()
        if not clean:
            continue
        file, via = _REPOSITORY_FILE.fullmatch(clean), _VIA.fullmatch(clean)
        if file is not None:
            name, commit, path, note = file.groups()
            address = f"https://github.com/{name}/" + (f"blob/{commit}/{quote(path)}" if path else f"tree/{commit}")
            told = _DESCRIPTION.fullmatch(note or "")
            owner = _PUBLISHER_OF.get(name.partition("/")[0], name)
            found.append((told[1] if told else f"{owner} {note or ''}".strip(), address))
            continue
        try:
            parts = urlsplit(via[1] if via else clean)
            web = parts.scheme in ("http", "https") and bool(parts.hostname) and (via is not None or " " not in clean)
        except ValueError:
            web = False
        if web:
            trail = f" ({_HASH.sub('', via[2])})" if via else ""
            found.append((f"{parts.hostname or clean}{trail}", via[1] if via else clean))
        else:
            found.append((_HASH.sub("", clean), None))
    return found


def _short(label: str) -> str:
    """Whose a source is, of a long text about it."""
    named = [p for p in _PUBLISHERS if p.casefold() in label.casefold()]
    brief = label.partition(" (")[0]
    if named and ("@" in label or "PyPI" in label or ": " in label or len(label) > _LONG):
        return ", ".join(named)
    if len(brief) <= _LONG and ("@" in label or len(label) > _LONG):
        return brief
    return label if len(label) <= _LONG else f"{label[: _LONG - 1]}…"


@lru_cache(maxsize=8192)
def cited(
    text: str | None, on: str | date | None, precision: str | None, lang: Lang, undated: str, whole: str | None = None
) -> Markup:
    """The sources named in a cell as links, with their day; lists name the same ones hundreds of times.

    Args:
        whole: long ones are shortened, and the text as recorded opens under these words.
    """
    link = Markup('<a href="{}" rel="noopener noreferrer external">{}</a>')
    plain = Markup('<span class="cite">{}</span>')
    known = sources(text)
    brief = known if whole is None else [(_short(label), address) for label, address in known]
    named = [link.format(address, label) if address else plain.format(label) for label, address in brief]
    told = any_day(on, lang, precision)
    day_ = escape(f", {undated}") if told is None else Markup(', <time datetime="{}">{}</time>').format(on, told)
    rest = Markup('<details class="trail"><summary>{}</summary><span lang="en">{}</span></details>')
    return Markup("; ").join(named) + day_ + (rest.format(whole, text) if brief != known else "")


class Words:
    """How codes and values read in one language; the templates' filters."""

    def __init__(self, lang: Lang, translations: gettext.NullTranslations) -> None:
        self.lang, self._translate = lang, translations.gettext

    def label(self, code: str | None, names: Mapping[str, str]) -> str:
        """The name of a code of one of this module's tables; an unlisted code stays as it is."""
        return "" if code is None else self._translate(names[code]) if code in names else code

    def named(self, code: str | None, names: Mapping[str, Both]) -> str:
        """The name of a code of a table in both languages; an unlisted code stays as it is."""
        return "" if code is None else names[code][self.lang] if code in names else code

    def kind(self, code: str) -> str:
        """Name of a partner kind."""
        return KIND_NAMES[code][self.lang == "en"] if code in KIND_NAMES else code

    def form(self, code: str) -> str:
        """Name of a form of investment."""
        return self.named(code, FORM_NAMES)

    def status(self, code: str) -> str:
        """Name of a project's status."""
        return self.named(code, STATUS_NAMES)


@cache
def environment(lang: Lang) -> jinja2.Environment:
    """The templates in one language; HTML is escaped, a missing name is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translations = read_catalogue(lang)
    env.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    words = Words(lang, translations)
    undated = translations.gettext(_("không ghi ngày"))
    in_full = translations.gettext(_("Nguồn đầy đủ"))
    env.filters |= {
        "number": partial(number, lang=lang),
        "day": lambda value, precision=None: any_day(value, lang, precision),
        "typed_day": partial(typed_day, lang=lang),
        "free": partial(free, lang=lang),
        "percent": partial(percent, lang=lang),
        "cited": lambda text, on=None, precision=None, whole=False: cited(
            text, on, precision, lang, undated, in_full if whole else None
        ),
        "kind": words.kind,
        "form": words.form,
        "status": words.status,
        "mission_type": partial(words.label, names=MISSION_TYPE_NAMES),
        "mission_status": partial(words.label, names=MISSION_STATUS_NAMES),
        "role": partial(words.named, names=ROLE_NAMES),
        "deal_status": partial(words.named, names=DEAL_STATUS_NAMES),
        "criterion": partial(words.named, names=CITY_NAMES),
        "outcome": partial(words.label, names=OUTCOME_NAMES),
        "field": partial(words.label, names=COVERAGE_NAMES),
        "stage": partial(words.label, names=STAGE_NAMES),
        "work_status": partial(words.label, names=WORK_STATUS_NAMES),
        "contact": partial(words.label, names=CONTACT_NAMES),
        "result": partial(words.label, names=RESULT_NAMES),
        "user_role": partial(words.label, names=USER_ROLE_NAMES),
    }
    env.globals |= {
        "lang": lang,
        "url": lambda path, **params: url(path, lang, params),
        "static": static_files.address,
        "usd": partial(usd_range, lang=lang),
        "amount": partial(exact_amount, lang=lang),
    }
    return env
