"""The words of an evaluation report: labels of codes, sentences, and how figures are printed in each language.

The Vietnamese text is the original and stands in templates and code; `locale/en` translates it.
"""

import gettext
import io
import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

import babel
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from evaluation import sentences
from evaluation.results import Figure
from matcher.matching.labels import KIND_NAMES
from matcher.records import Reference
from matcher.text import day, number

HERE = Path(__file__).parent
Lang = Literal["vi", "en"]
LANGUAGES: tuple[Lang, ...] = ("vi", "en")
FEW = 10
"""Slices with fewer queries are shown in grey: an interval over so few says little. Source: our choice."""
NONE = "–"
REST = ("other", "unknown")
"""Values of a family that stand for no value of their own."""


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


SLICE_NAMES = {
    "full": _("Mọi đối tác"),
    "warm": _("Đối tác từng có thương vụ"),
    "new_pairs": _("Cặp mới"),
    "asean": _("Dự án tại ASEAN"),
    "vietnam": _("Dự án tại Việt Nam"),
    "cold_full_pool": _("Đối tác chưa có thương vụ, giữa mọi đối tác"),
    "cold_pool": _("Đối tác chưa có thương vụ, chỉ so với nhau"),
    "cold_sector": _("Ngành chưa có thương vụ"),
    "popularity_low": _("Đối tác ít thương vụ nhất (một phần ba dưới)"),
    "popularity_mid": _("Đối tác có số thương vụ trung bình"),
    "popularity_high": _("Đối tác nhiều thương vụ nhất (một phần ba trên)"),
}
SLICE_TEXTS = {
    "full": _("đối tác đúng: tất cả; xếp hạng toàn bộ danh mục"),
    "warm": _("đối tác đúng: đã có ít nhất một thương vụ trước ngày tách dữ liệu; chỉ xếp hạng những đối tác như vậy"),
    "new_pairs": _(
        "như trên, nhưng chỉ tính những đối tác chưa có thương vụ nào ở nước tiếp nhận dự án: gợi ý thật sự mới"
    ),
    "cold_pool": _("đối tác xuất hiện lần đầu sau ngày tách dữ liệu: chưa có lịch sử để dựa vào"),
}
FAMILY_NAMES = {
    "sector": _("Theo ngành của dự án (nhãn của nguồn)"),
    "sector_section": _("Theo ngành của dự án (ISIC)"),
    "kind": _("Theo loại hình đối tác"),
    "home": _("Theo nước của đối tác"),
    "language": _("Theo ngôn ngữ của dự án"),
}
MEASURE_TEXTS = {
    "nDCG@10": _(
        "chất lượng của mười đối tác đầu danh sách: 1 khi các đối tác đúng đứng trên cùng, 0 khi không có ai trong "
        "mười; đứng càng cao càng được tính nhiều. Đây là số đo chính."
    ),
    "R@10": _("tỷ lệ đối tác đúng nằm trong mười đối tác đầu."),
    "R@50": _("tỷ lệ đối tác đúng nằm trong năm mươi đối tác đầu."),
    "RR": _("một chia cho thứ hạng của đối tác đúng đầu tiên: 1 là đứng đầu, 0,5 là đứng thứ hai."),
    "AP": _("độ chính xác trung bình trên cả danh sách, tính tại vị trí của từng đối tác đúng."),
    "P@5": _("tỷ lệ đối tác đúng trong năm đối tác đầu."),
    "Success@10": _("tỷ lệ truy vấn có ít nhất một đối tác đúng trong mười đối tác đầu."),
}
_RUNS = (
    (
        ("engine",),
        _("Mô hình của chúng tôi"),
        _("chính mô hình đang phục vụ, chỉ được huấn luyện trên các thương vụ trước ngày tách dữ liệu"),
    ),
    (("random",), _("Ngẫu nhiên"), _("xáo trộn danh mục: mức sàn")),
    (("popularity", "pop"), _("Phổ biến"), _("đối tác có nhiều thương vụ hơn đứng trước, với mọi dự án như nhau")),
    (("recent_popularity", "recent_pop"), _("Phổ biến gần đây"), _("như trên, thương vụ mới được tính nhiều hơn")),
    (("sector", "sector_pop", "sector_popularity"), _("Theo ngành"), _("số thương vụ trong ngành của dự án")),
    (("host", "host_pop", "host_popularity"), _("Theo nước tiếp nhận"), _("số thương vụ ở nước tiếp nhận dự án")),
    (
        ("sector_host", "sector_host_backoff"),
        _("Ngành và nước tiếp nhận"),
        _("số thương vụ cùng ngành và cùng nước; khi thiếu thì lùi về từng yếu tố"),
    ),
    (
        ("attr_knn", "attribute_knn"),
        _("Dự án giống về thuộc tính"),
        _("đối tác của những dự án cũ giống nhất về thuộc tính"),
    ),
    (
        ("attr_knn_recent", "attribute_knn_recent"),
        _("Dự án giống, gần đây"),
        _("như trên, thương vụ mới được tính nhiều hơn"),
    ),
    (("tfidf_knn",), _("Dự án giống về từ ngữ"), _("đối tác của những dự án cũ có từ ngữ giống nhất (TF-IDF)")),
    (
        ("bm25_profile", "bm25", "bm25_history"),
        _("BM25 trên lịch sử"),
        _("so từ ngữ của dự án với các dự án cũ của đối tác"),
    ),
    (
        ("dense_knn", "e5_knn"),
        _("Dự án giống về nghĩa"),
        _("đối tác của những dự án cũ gần nghĩa nhất (véc-tơ văn bản)"),
    ),
    (("dense_profile", "e5_profile"), _("Lịch sử gần nghĩa"), _("so nghĩa của dự án với các dự án cũ của đối tác")),
    (("division",), _("Cùng ngành ISIC"), _("đối tác hoạt động trong ngành ISIC của dự án")),
    (("profile_bm25",), _("Hồ sơ, theo từ ngữ"), _("so từ ngữ của dự án với hồ sơ của đối tác (BM25)")),
    (("profile_dense",), _("Hồ sơ, theo nghĩa"), _("so nghĩa của dự án với hồ sơ của đối tác (véc-tơ văn bản)")),
    (("profile_rrf",), _("Hồ sơ, gộp thứ hạng"), _("cộng nghịch đảo thứ hạng của hai cách trên")),
    (("rrf", "rrf_tuned"), _("Gộp thứ hạng (RRF)"), _("cộng nghịch đảo thứ hạng của nhiều cách xếp hạng")),
    (("logistic", "logit", "logistic_regression"), _("Hồi quy logistic"), _("mô hình tuyến tính học từ thương vụ")),
    (
        ("hgb_basic", "gradient_boosting", "boosting", "lgbm_basic"),
        _("Cây tăng cường"),
        _("nhiều cây quyết định nhỏ nối nhau, học từ thương vụ"),
    ),
)
RUN_NAMES = {code: name for codes, name, _text in _RUNS for code in codes}
RUN_TEXTS = {code: text for codes, _name, text in _RUNS for code in codes}
COUNT_NAMES = {
    "projects": _("dự án"),
    "partners": _("đối tác"),
    "deals": _("thương vụ"),
    "train_deals": _("thương vụ để huấn luyện (trước ngày tách dữ liệu)"),
    "queries": _("truy vấn (dự án sau ngày tách dữ liệu)"),
    "warm_queries": _("truy vấn có đối tác đúng từng có thương vụ"),
    "warm_partners": _("đối tác từng có thương vụ"),
    "cold_partners": _("đối tác chưa có thương vụ"),
    "new_pair_queries": _("truy vấn có cặp mới"),
    "new_pairs_queries": _("truy vấn có cặp mới"),
    "qrels": _("cặp dự án – đối tác đúng"),
}
CHECK_NAMES = {
    "relabelled": _("Đánh tráo tên đối tác trong dữ liệu huấn luyện"),
    "future": _("Cài một đặc trưng lấy từ tương lai"),
    "masked_names": _("Che tên đối tác trong văn bản"),
    "duplicates": _("Dự án trùng nhau ở hai phía của ngày tách dữ liệu"),
    "repeatable": _("Huấn luyện hai lần với cùng số khởi tạo"),
    "test_removed": _("Bỏ các dự án được hỏi khỏi dữ liệu huấn luyện"),
}
SIZE_NAMES = {
    "unknown": _("chưa rõ"),
    "nano cap": _("vốn hóa cực nhỏ"),
    "micro cap": _("vốn hóa siêu nhỏ"),
    "small cap": _("vốn hóa nhỏ"),
    "mid cap": _("vốn hóa vừa"),
    "large cap": _("vốn hóa lớn"),
    "mega cap": _("vốn hóa rất lớn"),
}


@cache
def catalogue(lang: Lang) -> gettext.GNUTranslations:
    """The catalogue of a language, compiled in memory."""
    with (HERE / "locale" / lang / "LC_MESSAGES" / "messages.po").open("rb") as file:
        found = read_po(file, locale=lang, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, found)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class Words:
    """How codes, figures and sentences read in one language.

    Codes of countries and ISIC sections get their names from the reference tables; without these they stay codes.
    """

    def __init__(self, lang: Lang, reference: Reference | None = None) -> None:
        self.lang = lang
        self._catalogue = catalogue(lang)
        self._countries: dict[str, str] = {}
        self._sections: dict[str, str] = {}
        if reference is not None:
            self._countries = dict(reference.countries.select("country", f"name_{lang}").iter_rows())
            self._sections = dict(reference.isic.select("code", f"title_{lang}").iter_rows())

    def __call__(self, text: str, **values: object) -> str:
        """A marked text in this language, with its placeholders filled."""
        told = self._catalogue.gettext(text)
        return told % values if values else told

    # figures

    def figure(self, value: float | None, digits: int = 3) -> str:
        """A value of a measure: '0,416'; '–' where there is none."""
        if value is None or not math.isfinite(value):
            return NONE
        text = number(value, self.lang, digits)
        return text.replace("-", "−") if float(f"{value:.{digits}f}") else text.removeprefix("-")

    def difference(self, value: float, digits: int = 3) -> str:
        """A difference with its sign: '+0,014', '−0,020'."""
        text = self.figure(value, digits)
        return text if text == NONE or text[0] == "−" or not float(f"{value:.{digits}f}") else f"+{text}"

    def interval(self, low: float, high: float, digits: int = 3) -> str:
        """'0,361–0,470'; with signs '−0,010 đến +0,040', for two dashes beside each other cannot be read."""
        if not (math.isfinite(low) and math.isfinite(high)):
            return NONE
        if low < 0:
            return self(_("%(low)s đến %(high)s"), low=self.difference(low, digits), high=self.difference(high, digits))
        return f"{self.figure(low, digits)}–{self.figure(high, digits)}"

    def plain(self, value: float) -> str:
        """A value of any size: whole numbers without a fraction."""
        return self.whole(value) if math.isfinite(value) and value == int(value) else self.figure(value)

    def bounds(self, low: float, high: float) -> str:
        """What is allowed: an interval, one value, or one end: '≤ 0,020'; '–' when anything is."""
        if math.isfinite(low) and math.isfinite(high):
            return self.plain(low) if low == high else self.interval(low, high)
        if math.isfinite(high):
            return f"≤ {self.plain(high)}"
        return f"≥ {self.plain(low)}" if math.isfinite(low) else NONE

    def whole(self, value: float) -> str:
        """A count: '1.735'."""
        return number(value, self.lang)

    def share(self, value: float | None) -> str:
        """A share of 1 as per cent: '12%'; a positive one below one per cent is '< 1%'."""
        if value is None or not math.isfinite(value):
            return NONE
        return "<\u00a01%" if 0 < value < 0.01 else f"{number(value * 100, self.lang)}%"

    def times(self, value: float | None) -> str:
        """A ratio: '29 ×', with a decimal below ten."""
        if value is None or not math.isfinite(value):
            return NONE
        return f"{number(value, self.lang, 0 if value >= 9.95 else 1)} ×"

    def p(self, value: float) -> str:
        """A p-value: '= 0,042', '< 0,001'."""
        if not math.isfinite(value):
            return NONE
        return (
            f"< {number(0.001, self.lang, 3)}"
            if value < 0.001
            else f"= {number(value, self.lang, 3 if value < 0.1 else 2)}"
        )

    def queries(self, n: int) -> str:
        """'87 truy vấn', '87 queries', '1 query'."""
        return self._catalogue.ngettext("%(n)s truy vấn", "%(n)s truy vấn", n) % {"n": self.whole(n)}

    def days(self, text: str | date) -> str:
        """Every ISO day in a text as readers write it: '31/12/2018'; a period is joined by a dash."""
        if isinstance(text, date):
            return day(text, self.lang)
        found = re.sub(r"\b\d{4}-\d\d-\d\d\b", self._day, str(text))
        return re.sub(r"(\d)\.\.(\d)", r"\1 – \2", found)

    def _day(self, match: re.Match[str]) -> str:
        try:
            return day(date.fromisoformat(match.group()), self.lang)
        except ValueError:
            return match.group()

    def value(self, value: Any) -> str:
        """A setting as it is written in a configuration; numbers and days as readers write them."""
        if value is None or value == "":
            return NONE
        if isinstance(value, bool):
            return self(_("có")) if value else self(_("không"))
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return self.figure(value, 3 if abs(value) < 10 else 1) if value != int(value) else self.whole(value)
        if isinstance(value, list | tuple):
            return ", ".join(self.value(v) for v in value)
        return self.days(value) if isinstance(value, date) else str(value)

    # names

    def _named(self, code: str, names: Mapping[str, str]) -> str:
        return self(names[code]) if code in names else code

    def run(self, name: str) -> str:
        """Name of a ranking; an unlisted one stays as it is."""
        return self._named(name, RUN_NAMES)

    def run_text(self, name: str) -> str:
        """What a ranking does; empty for an unlisted one."""
        return self(RUN_TEXTS[name]) if name in RUN_TEXTS else ""

    def slice(self, code: str) -> str:
        """Name of a slice: a listed one, or the value of a family's (`sector:…`)."""
        family, colon, value = code.partition(":")
        if not colon:
            return self._named(code, SLICE_NAMES)
        if value in REST:
            others = _("ngôn ngữ khác") if family == "language" else _("các nhóm khác")
            return self(others) if value == "other" else self(_("chưa rõ"))
        named: dict[str, Callable[[str], str]] = {
            "kind": self.kind, "home": self.country, "language": self.language, "sector_section": self.section,
        }  # fmt: skip
        return named[family](value) if family in named else value

    def kind(self, code: str) -> str:
        """Name of a partner kind."""
        return KIND_NAMES[code][self.lang == "en"] if code in KIND_NAMES else code

    def country(self, code: str) -> str:
        """Name of a country."""
        return self(_("chưa rõ")) if code == "unknown" else self._countries.get(code) or code

    def section(self, code: str) -> str:
        """Title of an ISIC section."""
        return f"{code} {self._sections.get(code) or ''}".strip()

    def language(self, code: str) -> str:
        """Name of a language."""
        return str(babel.Locale(self.lang).languages.get(code, code))

    def size(self, code: str) -> str:
        """Name of a size class."""
        return self._named(code, SIZE_NAMES)

    def count(self, code: str) -> str:
        """What a count counts."""
        return self._named(code, COUNT_NAMES)

    def check(self, code: str) -> str:
        """Name of a check."""
        return self._named(code, CHECK_NAMES)

    # sentences

    def sentence(self, text: str) -> str | None:
        """A sentence of the results in this language, slices by name; None when it is known in English only."""
        found = sentences.told(text, self.lang, SLICE_NAMES.keys(), self.slice)
        return text if found is None and self.lang == "en" else found

    def kept(self, figure: Figure) -> str:
        """Over how many queries a figure is, and what was left out: '87 truy vấn; bỏ ngoài 148'."""
        told = self.queries(figure.queries)
        if figure.left_out:
            told += "; " + self(_("bỏ ngoài %(n)s"), n=self.whole(figure.left_out))
        return told
