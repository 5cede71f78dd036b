"""The report and the tables of an evaluation: self-contained, in two languages, whole when parts are missing."""

import io
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import invented_report as invented
import polars as pl
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from evaluation import tables
from evaluation.leading import compared, main_slice
from evaluation.report import render
from evaluation.results import Audit, Calibration, Check, DatasetResult, Report, Scored
from evaluation.sentences import SENTENCES
from evaluation.views import View
from evaluation.words import HERE, Words
from matcher.records import Reference, empty

NAN = math.nan
HOSTILE = "<script>alert('x')</script>&\"{{ 7*7 }}{% %}"
VOID = {"meta", "input", "br", "img", "link", "hr"}


class Page(HTMLParser):
    """Elements, attributes and text of a document; fails on a tag that is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def reference() -> Reference:
    names = {name: empty(name) for name in ("city_sectors", "activity_tags", "terms", "country_ties")}
    countries = pl.DataFrame({"country": ["CN"], "name_vi": ["Trung Quốc"], "name_en": ["China"]})
    isic = pl.DataFrame({"code": ["A"], "title_vi": ["Nông nghiệp"], "title_en": ["Agriculture"]})
    return Reference(countries=countries, isic=isic, **names)


@pytest.fixture(scope="module")
def made() -> Report:
    """Two sets, one with every part and one without new pairs, and one of texts."""
    return replace(
        invented.report(), datasets=(invented.result("cgit", 0), invented.result("startups", 3), invented.texts())
    )


@pytest.fixture(scope="module")
def html(made: Report, reference: Reference) -> str:
    return render(made, reference=reference)


def bodies(html: str) -> dict[str, str]:
    vi, en = html.index('<div class="body vi"'), html.index('<div class="body en"')
    return {"vi": html[vi:en], "en": html[en : html.index("</body>")]}


def small(**changes: object) -> DatasetResult:
    """One set with two runs and nothing that is optional."""
    whole = invented.result("cgit", 0)
    bare = [replace(s, calibration=None, per_query={}, seconds=None) for s in whole.runs[-2:]]
    return replace(whole, runs=tuple(bare), comparisons=(), checks=(), warnings=(), **changes)  # type: ignore[arg-type]


def shown(*datasets: DatasetResult, lang: str = "en") -> str:
    text = render(replace(invented.report(), datasets=datasets), lang)  # type: ignore[arg-type]
    return Page(text).text()


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    for tag, attributes in Page(html).elements:
        assert tag not in ("script", "link", "img", "iframe", "object", "embed", "image", "use"), tag
        assert not {"src", "srcset", "data", "action", "xlink:href", "background"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
        assert "url(" not in (attributes.get("style") or "")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    assert "http" not in style
    assert set(re.findall(r"https?://[^\s<\"]+", html)) == {"https://github.com/example/some-set"}


def test_links_and_identifiers_fit_together(html: str) -> None:
    elements = Page(html).elements
    identifiers = [a["id"] for _, a in elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    assert {(a["href"] or "")[1:] for t, a in elements if t == "a"} <= set(identifiers)
    assert {a["for"] for t, a in elements if t == "label"} == {"pick-vi", "pick-en"} <= set(identifiers)


def test_the_switch_needs_no_script_and_vietnamese_comes_first(html: str) -> None:
    picks = [a for t, a in Page(html).elements if t == "input"]
    assert [p["id"] for p in picks if "checked" in p] == ["pick-vi"]
    assert "#pick-en:checked ~ .body.vi { display: none; }" in html.replace("#pick-vi:checked ~ .body.en, ", "")
    assert html.index('lang="vi"') < html.index('<div class="body en"')
    only = render(replace(invented.report(), datasets=(invented.texts(),)), "en")
    assert 'class="pick"' not in only
    assert '<html lang="en">' in only


def test_figures_and_days_are_printed_as_readers_write_them(html: str) -> None:
    both = bodies(html)
    vi, en = (Page(f"<div>{both[k]}".replace("<div>", "", 1)).text() for k in ("vi", "en"))
    for told in (
        "0,423",
        "0,365–0,481",
        "31/12/2018",
        "22/11/2026",
        "1.735",
        "165 truy vấn; bỏ ngoài 63",
        "Trung Quốc",
    ):
        assert told in vi, told
    for told in ("0.423", "0.365–0.481", "2018-12-31", "1,735", "165 queries; 63 left out", "China", "A Agriculture"):
        assert told in en, told
    assert not re.search(r"\b0\.\d{3}\b", vi)
    assert not re.search(r"\b0,\d{3}\b", en)
    assert "95%" in both["vi"]
    assert "%(" not in html
    assert "nan" not in re.sub(r"[a-z]*nan[a-z]+|[a-z]+nan", "", f"{vi} {en}".lower())


def test_no_vietnamese_is_left_in_the_english_text_and_no_english_in_the_vietnamese(html: str) -> None:
    letters = re.compile(r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
    both = bodies(html)
    of_data = re.compile(r"Mười bốn cách đơn giản và mô hình|Khu công nghệ cao, văn bản dự án|Công ty")
    assert not letters.search(of_data.sub("", both["en"]))
    own = re.sub(r'<(ul|span|p)[^>]* lang="en">.*?</\1>', "", both["vi"], flags=re.DOTALL)
    for name in ("cgit", "startups"):
        for key in ("title", "publisher", "licence"):
            own = own.replace(invented.SETS[name][key], "")
    english = set(re.findall(r"\w+", re.sub("python -m.*|real estate|large-scale", "", Page(own).text().lower())))
    assert not english & {"the", "of", "and", "queries", "with", "runs", "share", "no", "are", "deals", "partners"}


def test_counts_stand_beside_every_figure(html: str) -> None:
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", bodies(html)["en"], re.DOTALL)
    leading = [c for c in captions if "Partners with past deals" in c or "New pairs" in c]
    assert len(leading) >= 6
    assert all("queries" in c for c in leading)
    assert "Our model with those counted as 0: 0.306" in html


def test_every_drawing_is_told_in_words(html: str) -> None:
    drawings = [a for _, a in Page(html).elements if a.get("role") == "img"]
    assert len(drawings) > 20
    assert all(len(a["aria-label"] or "") > 20 for a in drawings)
    assert html.count("<svg") == html.count('aria-hidden="true"')
    assert "font-family=" not in html


def test_findings_say_whether_a_difference_is_beyond_chance(made: Report) -> None:
    words, whole = Words("en"), made.datasets[0]
    levels = {}
    for p in (0.6, 0.001):
        told = replace(whole, comparisons=tuple(replace(c, p_corrected=p) for c in whole.comparisons))
        levels[p] = View(told, words, 1).findings()[0][1]
    assert levels[0.6].level == "unclear"
    assert "may be chance alone" in levels[0.6].text
    assert (levels[0.001].level, levels[0.001].label) == ("better", "Clearly better")
    turned = tuple(
        replace(c, first=c.second, second=c.first, difference=0.1, p_corrected=0.001) for c in whole.comparisons
    )
    assert View(replace(whole, comparisons=turned), words, 1).findings()[0][1].level == "worse"
    assert View(replace(whole, comparisons=()), words, 1).findings()[0][1].level == "untested"


def test_the_run_a_report_is_about() -> None:
    whole = invented.result("cgit", 0)
    assert [s.run for s in compared(whole) if s] == ["engine", "logistic"]
    others = replace(whole, runs=whole.runs[:-1])
    assert [s.run for s in compared(replace(others, comparisons=())) if s] == ["logistic", "rrf"]
    turned = replace(whole.comparisons[0], first="pop", second="rrf")
    assert [s.run for s in compared(replace(others, comparisons=(turned,))) if s] == ["pop", "rrf"]
    assert compared(replace(whole, runs=())) == (None, None)


def test_the_rival_is_one_that_was_tested_and_the_slice_is_the_data_sets_own() -> None:
    whole = invented.result("cgit", 0)
    assert compared(whole, "new_pairs")[1].run == "boosting"
    one = replace(whole, comparisons=tuple(c for c in whole.comparisons if c.second == "pop"))
    assert compared(one)[1].run == "pop"
    assert main_slice(whole) == "warm"
    assert main_slice(replace(whole, about={"main_slice": "full"})) == "full"
    assert main_slice(replace(whole, about={"main_slice": "unheard of"})) == "warm"


def test_few_queries_are_grey_and_say_so() -> None:
    text = shown(replace(small(), runs=invented.result("land", 1).runs[-2:]))
    assert "Only 8 queries: too few to draw a conclusion" in text
    assert "8 queries; 227 left out · too few to say much" in text


def test_failed_checks_are_told_at_the_top(made: Report) -> None:
    failed = replace(small(), checks=(Check(name="relabelled", value=0.2, low=0, high=0.1, passed=False, note="x"),))
    text = shown(failed)
    assert "Leakage checks failed: 1 of 1. Do not trust the figures" in text
    assert "✗ FAILED" in text
    assert text.index("Do not trust") < text.index("How to read Measures")
    assert "not applicable" in shown(replace(small(), checks=(Check(name="n", value=NAN, low=0, high=1, passed=True),)))
    assert "FAILED CHECKS" in tables.table(replace(made, datasets=(failed,)))


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_result_without_optional_parts(lang: str) -> None:
    text = shown(small(), lang=lang)
    expected = {
        "vi": ("Không có so sánh theo cặp nào", "Không cách xếp hạng nào ở đây nêu xác suất", "Không có kiểm tra nào"),
        "en": ("No paired comparison was computed", "No ranking here states probabilities", "No check was run"),
    }
    assert all(told in text for told in expected[lang])


def test_a_set_of_texts_and_a_report_of_nothing() -> None:
    assert "project texts only and no deals" in shown(invented.texts())
    assert "No data set was scored." in shown(invented.texts())
    assert "No data set was scored." in shown()
    assert tables.table(replace(invented.report(), datasets=(invented.texts(),))).count("texts") == 1
    assert "No run was scored." in tables.details(invented.texts())


def test_reasons_for_abstaining_are_told() -> None:
    one = small()
    reason = "Too few data: 41 dated deals, 100 needed."
    told = replace(one, runs=(replace(one.runs[0], calibration=Calibration(abstained=reason)),))
    assert reason in shown(told)
    assert "Chưa đủ dữ liệu: 41 thương vụ có ngày, cần 100." in shown(told, lang="vi")


def test_zero_queries_and_nothing_but_nan(made: Report) -> None:
    nothing = invented.figure(NAN, 0, 5)
    blank = Audit(
        coverage=NAN, gini=NAN, popularity=NAN, long_tail=NAN, home={}, size={}, kind={}, top=(), same_names=False
    )
    one = small().runs[0]
    run = Scored(
        run="empty", figures={s: dict.fromkeys(v, nothing) for s, v in one.figures.items()},
        lift=dict.fromkeys(one.lift, NAN), audit=blank, per_query={"warm": {}}, seconds=NAN,
        calibration=Calibration(abstained=None),
    )  # fmt: skip
    comparison = replace(
        made.datasets[0].comparisons[0], first="empty", second="b", difference=NAN, low=NAN, high=NAN, p=NAN,
        p_corrected=NAN, queries=0,
    )  # fmt: skip
    unknown = Check(name="x", value=NAN, low=NAN, high=math.inf, passed=True)
    dataset = replace(small(), runs=(run,), comparisons=(comparison,), checks=(unknown,), about={}, counts={})
    for lang in ("vi", "en"):
        text = shown(dataset, lang=lang)
        assert "nan" not in text.lower().replace("finance", "")
    assert "No query could be counted." in text
    report = replace(made, datasets=(dataset,))
    assert "nan" not in tables.table(report)
    assert "nan" not in tables.details(dataset)
    assert json.loads(json.dumps(tables.to_json(report), allow_nan=False))["datasets"][0]["runs"][0]["seconds"] is None


def test_one_run_alone() -> None:
    text = shown(replace(small(), runs=invented.result("cgit", 0).runs[-1:]))
    assert "One ranking only" in text
    assert "best of those compared" not in text


def test_hostile_names_stay_text() -> None:
    one = small()
    run = replace(
        one.runs[0], run=HOSTILE, note=HOSTILE, calibration=Calibration(abstained=HOSTILE),
        audit=replace(one.runs[0].audit, home={HOSTILE: 0.6, "VN": 0.4}, top=((HOSTILE, HOSTILE, 0.5),)),
        figures=one.runs[0].figures | {f"sector:{HOSTILE}": one.runs[0].figures["warm"]},
    )  # fmt: skip
    about = dict.fromkeys(("title", "publisher", "licence", "split_on", "source_repository"), HOSTILE)
    dataset = replace(
        one, runs=(run, one.runs[1]), name=HOSTILE, about=about | {"notes": [HOSTILE]}, warnings=(HOSTILE,),
        counts={HOSTILE: 1}, checks=(Check(name=HOSTILE, value=1, low=0, high=1, passed=True, note=HOSTILE),),
    )  # fmt: skip
    report = Report(title=HOSTILE, datasets=(dataset,), configuration={HOSTILE: HOSTILE}, seed=0, made_on=HOSTILE)
    html = render(replace(report, notes=(HOSTILE,)))
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.elements}
    assert page.text().count("alert('x')") > 20
    assert "{{ 7*7 }}" in page.text()
    assert "49{%" not in html


def test_names_for_the_terminal_carry_no_control_characters(made: Report) -> None:
    run = replace(small().runs[0], run="a\x1b[31m")
    assert "\x1b" not in tables.table(replace(made, datasets=(replace(small(), runs=(run,)),)))


def test_the_same_report_gives_the_same_bytes() -> None:
    report = replace(invented.report(), datasets=(replace(small(), runs=invented.result("cgit", 0).runs[-2:]),))
    assert render(report, "vi") == render(report, "vi")


def test_a_large_report_stays_small(html: str) -> None:
    assert len(html.encode()) < 600_000


def test_sentences_of_results_are_known_in_vietnamese() -> None:
    words, english = Words("vi"), Words("en")
    assert words.sentence("Not given: partners.csv description") == "Dữ liệu không có: partners.csv description"
    assert words.sentence("Unheard of.") is None
    assert english.sentence("Unheard of.") == "Unheard of."
    told = english.sentence("change of nDCG@10 on warm when the names of partners are masked in all texts")
    assert told == "change of nDCG@10 on “Partners with past deals” when the names of partners are masked in all texts"
    assert all(en.count("{}") == vi.count("{}") and vi for en, vi in SENTENCES)


def test_slices_by_value_end_with_the_rest_and_tell_something() -> None:
    view = View(invented.result("cgit", 0), Words("en"), 1)
    groups = {heading: [r.name for r in rows] for heading, rows, _more in view.rows()}
    assert groups["By sector of the project (label of the source)"][-2:] == ["all others", "unknown"]
    assert groups["By language of the project"] == ["Vietnamese", "Chinese", "other languages"]
    bare = View(invented.result("gas", 0), Words("en"), 1)
    assert "By home country of the partner" not in [heading for heading, _rows, _more in bare.rows()]


def test_figures_in_words() -> None:
    vi, en = Words("vi"), Words("en")
    assert (vi.figure(0.4163), en.figure(0.4163), vi.figure(NAN), vi.figure(None)) == ("0,416", "0.416", "–", "–")
    assert (vi.figure(-0.0001), vi.difference(-0.0001), vi.difference(0.014), vi.difference(-0.02)) == (
        "0,000", "0,000", "+0,014", "−0,020",
    )  # fmt: skip
    assert (vi.interval(0.361, 0.47), vi.interval(-0.01, 0.04)) == ("0,361–0,470", "−0,010 đến +0,040")
    assert (vi.share(0.004), vi.share(0.125), vi.share(NAN), vi.times(4.2), vi.times(31.7)) == (
        "<\u00a01%", "12%", "–", "4,2 ×", "32 ×",
    )  # fmt: skip
    assert (vi.p(0.0001), vi.p(0.042), vi.p(0.6)) == ("< 0,001", "= 0,042", "= 0,60")
    assert (vi.bounds(0, 0), vi.bounds(-math.inf, 0.02), vi.bounds(1, math.inf), vi.bounds(NAN, NAN)) == (
        "0", "≤ 0,020", "≥ 1", "–",
    )  # fmt: skip
    assert (en.queries(1), en.queries(1735), vi.queries(1735)) == ("1 query", "1,735 queries", "1.735 truy vấn")
    assert vi.days("2019-01-01..2020-12-31") == "01/01/2019 – 31/12/2020"
    assert vi.days("2019-13-01") == "2019-13-01"


def test_tables_for_the_terminal(made: Report) -> None:
    text = tables.table(made)
    assert "warm, 165 of 228" in text
    assert "0.423 (0.365-0.481)*" in text
    told = tables.details(made.datasets[0])
    for part in ("Paired comparisons", "beyond chance", "ALARM", "relabelled", "popularity_low", "63 without a right"):
        assert part in told


def marked() -> set[str]:
    """Every text that templates and code mark for translation."""
    with (HERE / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(HERE, methods, options)
    return {text if isinstance(text, str) else text[0] for _, _, text, _, _ in found}


def catalogue(lang: str) -> Catalog:
    path: Path = HERE / "locale" / lang / "LC_MESSAGES" / "messages.po"
    return read_po(io.BytesIO(path.read_bytes()), locale=lang, abort_invalid=True)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_no_word_of_the_report_is_missing_in_a_catalogue_and_none_is_left_over(lang: str) -> None:
    expected = marked()
    assert len(expected) > 200
    told = {m.id if isinstance(m.id, str) else m.id[0]: m for m in catalogue(lang) if m.id}
    assert {w for w in expected if w not in told or not all(told[w].string) or told[w].fuzzy} == set()
    assert set(told) - expected == set()


def test_vietnamese_is_the_original_of_the_report_and_placeholders_survive() -> None:
    holders = re.compile(r"%\(\w+\)s|%%")
    for message in catalogue("vi"):
        assert not message.id or message.string == (message.id if isinstance(message.id, str) else message.id[:1])
    for message in catalogue("en"):
        ids, strings = ([t] if isinstance(t, str) else list(t) for t in (message.id, message.string))
        for told in strings if message.id else ():
            assert sorted(holders.findall(ids[0])) == sorted(holders.findall(told)), message.id


def test_templates_of_the_report_hold_no_unmarked_words() -> None:
    letters = re.compile(r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
    for path in sorted((HERE / "templates").glob("*.j2")):
        text = re.sub(r"\{%-?\s*trans.*?endtrans\s*-?%\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        text = re.sub(r"_\('[^']*'", "", text).replace("Tiếng Việt", "")
        assert not letters.search(text), (path.name, letters.search(text))
