"""One evaluation as one HTML file that loads nothing: for an analyst who did not run it, in Vietnamese and English."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

import jinja2
from markupsafe import Markup

from evaluation.leading import MAIN
from evaluation.results import MEASURES, SLICES, Report
from evaluation.views import Overall, View
from evaluation.words import (
    FEW,
    HERE,
    LANGUAGES,
    MEASURE_TEXTS,
    RUN_TEXTS,
    SLICE_TEXTS,
    Lang,
    Words,
    catalogue,
)
from matcher.records import Reference

_APART = re.compile(r"(?<=\d) (?=×)")
"""The space between a number and its sign, where no line may break."""


def render(report: Report, lang: Lang | Literal["both"] = "both", *, reference: Reference | None = None) -> str:
    """The report as one HTML document; with both languages Vietnamese is shown first and a switch needs no script.

    Args:
        reference: names of countries and of ISIC sections; without it their codes are shown.
    """
    languages = LANGUAGES if lang == "both" else (lang,)
    bodies = [(one, Markup(_body(report, Words(one, reference)))) for one in languages]  # noqa: S704 - escaped by then
    frame = _environment("vi").get_template("frame.html.j2")
    title = Words(languages[0]).sentence(report.title) or report.title
    return frame.render(title=title, languages=languages, bodies=bodies)


def fragment(report: Report, words: Words) -> Markup:
    """The report as a part of a page that has a heading, a main element and styles of its own for class `report`."""
    return Markup(_body(report, words, inside=True))  # noqa: S704 - escaped by then


def _body(report: Report, words: Words, *, inside: bool = False) -> str:
    views = [View(dataset, words, number) for number, dataset in enumerate(report.datasets, start=1)]
    template = _environment(words.lang).get_template("report.html.j2")
    made = template.render(
        report=report, w=words, views=views, overall=Overall(views), settings=_settings(report.configuration),
        inside=inside,
    )  # fmt: skip
    return _APART.sub("\u00a0", made)


@cache
def _environment(lang: Lang) -> jinja2.Environment:
    """The templates in one language; HTML is escaped, a missing name is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    env.policies["ext.i18n.trimmed"] = True
    env.install_gettext_translations(catalogue(lang), newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    env.globals |= {
        "lang": lang, "MAIN": MAIN, "FEW": FEW, "WARNINGS": 6, "MEASURES": MEASURES, "measure_texts": MEASURE_TEXTS,
        "slice_texts": SLICE_TEXTS, "slice_codes": SLICES, "run_texts": RUN_TEXTS,
    }  # fmt: skip
    return env


def _settings(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """A configuration as lines; nested tables become dotted names."""
    if not isinstance(value, Mapping):
        return [(prefix, value)]
    return [
        line
        for key, inner in value.items()
        if prefix or key != "command"
        for line in _settings(inner, f"{prefix}.{key}" if prefix else str(key))
    ]
