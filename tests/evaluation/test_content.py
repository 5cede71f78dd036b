"""Texts of twenty themes in seven languages: a fixed table, and what the engine makes of it."""

import json
import unicodedata
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from evaluation import __main__ as command
from evaluation import content
from evaluation.vectors import FILE, cached
from matcher.errors import InputError
from matcher.matching.embed import CachedEncoder, SentenceEncoder
from matcher.records import Reference
from matcher.text import fold, language

LEAST_MEAN, LEAST_PAIR = 0.90, 0.85
"""What is promised of the reporting half."""


@pytest.fixture(scope="module")
def texts() -> pl.DataFrame:
    return content.read()


@pytest.fixture(scope="module")
def kept_encoder(model: Path) -> CachedEncoder:
    """The offline encoder behind the file of vectors that evaluations keep."""
    return cached(SentenceEncoder(model, batch=1), model.parents[1] / "runs" / command.FOLDER / FILE)


def few(texts: pl.DataFrame, languages: set[str]) -> pl.DataFrame:
    """Three themes of each half, partners in some languages."""
    themes = sorted(set(texts["theme"]))[:6]
    return texts.filter(
        pl.col("theme").is_in(themes) & ((pl.col("side") == "project") | pl.col("lang").is_in(sorted(languages)))
    )


def test_every_theme_has_two_projects_in_two_languages_and_a_partner_in_seven(texts: pl.DataFrame) -> None:
    assert len(set(texts["theme"])) == 20
    expected = Counter({("project", lang): 2 for lang in ("vi", "en")})
    expected.update({("partner", lang): 1 for lang in content.LANGUAGES})
    for (theme,), rows in texts.group_by("theme"):
        assert Counter(rows.select("side", "lang").iter_rows()) == expected, theme
        assert set(rows.filter(pl.col("side") == "project")["variant"]) == {"short", "long"}


def test_the_halves_are_the_themes_in_turn(texts: pl.DataFrame) -> None:
    themes = sorted(set(texts["theme"]))
    assert dict(texts.select("theme", "half").iter_rows()) == {t: content.HALVES[i % 2] for i, t in enumerate(themes)}


def test_texts_are_composed_different_and_in_the_language_they_are_said_to_be(texts: pl.DataFrame) -> None:
    assert texts["text"].n_unique() == texts.height
    for lang, text in texts.select("lang", "text").iter_rows():
        assert unicodedata.normalize("NFC", text) == text
        assert language(text) == lang, text
        assert len(text) >= (35 if lang in ("ja", "ko", "zh") else 100)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda lines: ["x" + lines[0], *lines[1:]], "expected theme"),
        (lambda lines: [*lines, "port,project,xx,,tuning,text"], '"xx"'),
        (lambda lines: [*lines, 'port,project,vi,,tuning,"  "'], '"text" has an empty cell'),
    ],
)
def test_a_damaged_table_is_refused_by_name(tmp_path: Path, change: object, named: str) -> None:
    lines = content.TEXTS.read_text(encoding="utf-8").splitlines()
    (tmp_path / "texts.csv").write_text("\n".join(change(lines)) + "\n", encoding="utf-8")  # type: ignore[operator]  # a function of lines
    with pytest.raises(InputError, match=named):
        content.read(tmp_path / "texts.csv")


def test_a_set_says_nothing_but_its_texts(texts: pl.DataFrame) -> None:
    made = content.dataset(texts, "plain", ["ja", "ko"])
    assert (made.projects.height, made.partners.height, len(made.queries)) == (40, 40, 40)
    assert made.deals.is_empty()
    for frame in (made.projects, made.partners):
        known = {c for c in frame.columns if frame[c].null_count() < frame.height}
        assert known <= {"project_id", "partner_id", "name", "description", "kind"}
        assert not set(texts["theme"]) & {w for name in frame["name"] for w in fold(name).split()}
    assert set(made.partners["kind"]) == {"unknown"}
    assert all(fold(t) == t for t in made.projects["description"])
    assert made.qrels is not None
    assert {len(found) for found in made.qrels.values()} == {2}


def test_the_command_tells_every_pair(
    texts: pl.DataFrame, kept_encoder: CachedEncoder, real_reference: Reference, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, no_database: None,
) -> None:  # fmt: skip
    monkeypatch.setattr(content, "read", lambda: few(texts, {"vi", "ja"}))
    monkeypatch.setattr(command, "_encoder", lambda _settings: kept_encoder)
    monkeypatch.setattr("evaluation.blind.read_reference", lambda _folder: real_reference)
    assert command.main(["content", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    cells = {(r["setting"], r["projects"], r["partners"], r["half"]) for r in told["results"]}
    assert len(cells) == len(told["results"]) == 3 * 3 * 2 * 2
    assert all(0 < r["mrr"] <= 1 and len(r["themes"]) == 3 for r in told["results"])
    assert command.main(["content", "--half", "tuning"]) == 0
    printed = capsys.readouterr().out
    assert "tuning half" in printed
    assert "reporting" not in printed


def test_projects_find_their_partners_in_every_language(
    texts: pl.DataFrame, kept_encoder: CachedEncoder, real_reference: Reference
) -> None:
    report = content.measure(texts, real_reference, kept_encoder, halves=["reporting"])
    mean, low, high, least = report.summary("pair", "reporting")
    assert low <= mean <= high
    assert mean >= LEAST_MEAN
    assert least >= LEAST_PAIR
    assert len(report.pairs("pair", "vi", "reporting")) == 7
    printed = content.table(report)
    assert f"all 14 pairs: mean {mean:.3f}" in printed
