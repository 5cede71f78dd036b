"""Content alone: does a project find its partners by what both say of themselves, whatever the language?

Texts of twenty themes, one theme a kind of project: projects in Vietnamese and English, twice each, and one partner
in each of seven languages. They are our own and stand in `texts/content.csv`. Of every pair of languages a data set
without deals is made and ranked blind; a project's right answer is the partner of its theme.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from evaluation import blind
from evaluation.datafiles import COLUMNS
from evaluation.datasets import Dataset
from evaluation.runs import Progress
from matcher.errors import InputError
from matcher.ingest.csvfile import read_cells
from matcher.matching.engine import NamedEncoder
from matcher.measures import Ranking, interval, judge, values
from matcher.records import Reference
from matcher.text import fold, nfc

TEXTS = Path(__file__).parent / "texts" / "content.csv"
HALVES = ("tuning", "reporting")
"""What could be looked at while the engine was built, and what was not: themes in alphabetical order, in turn."""

LANGUAGES = ("vi", "en", "ja", "ko", "zh", "fr", "de")
ASKED = ("vi", "en", "plain")
"""Languages of projects; `plain` is the Vietnamese text typed without diacritics and no pair of its own."""

SETTINGS = ("pair", "same", "pool")
"""Who stands against the right partner: the others of its language, in a catalogue of that language (`pair`) or of
all (`same`), or those of all languages together (`pool`)."""

_COLUMNS = ("theme", "side", "lang", "variant", "half", "text")
_NAMES = {"vi": "Dự án", "en": "Project", "plain": "Du an"}
_TOLD = {
    "pair": "partners of one language in the catalogue",
    "same": "partners of all languages in the catalogue, those of one ranked",
    "pool": "partners of all languages ranked, each right one alone against all wrong ones",
}
_ASKED_TOLD = {"vi": "Vietnamese", "en": "English", "plain": "Vietnamese without diacritics"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One pair of languages.

    Attributes:
        values: theme -> mean reciprocal rank of its projects, in (0, 1].
    """

    setting: str
    asked: str
    partners: str
    half: str
    values: dict[str, float]

    @property
    def mrr(self) -> float:
        """Mean over the themes."""
        return float(np.mean(list(self.values.values())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All pairs of languages in all settings."""

    results: Sequence[Result]
    seed: int

    def pairs(self, setting: str, asked: str, half: str) -> dict[str, float]:
        """Partner language -> mean reciprocal rank."""
        return {
            r.partners: r.mrr for r in self.results if (r.setting, r.asked, r.half) == (setting, asked, half)
        }  # fmt: skip

    def summary(
        self, setting: str, half: str, asked: Sequence[str] = ("vi", "en")
    ) -> tuple[float, float, float, float]:
        """Mean over the pairs with its 95 % interval, themes resampled, and the smallest of them."""
        found = [r for r in self.results if r.setting == setting and r.half == half and r.asked in asked]
        themes = {t: float(np.mean([r.values[t] for r in found])) for t in found[0].values}
        return *interval(themes, seed=self.seed), min(r.mrr for r in found)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON object."""
        return {
            "results": [
                {
                    "setting": r.setting, "projects": r.asked, "partners": r.partners, "half": r.half,
                    "mrr": round(r.mrr, 4), "themes": {t: round(v, 4) for t, v in r.values.items()},
                }
                for r in self.results
            ],
            "summary": {
                f"{setting} {half}": dict(
                    zip(("mean", "low", "high", "min"), (round(v, 4) for v in self.summary(setting, half)), strict=True)
                )
                for setting in SETTINGS for half in dict.fromkeys(r.half for r in self.results)
            },
        }  # fmt: skip


def read(path: Path = TEXTS) -> pl.DataFrame:
    """The table of texts: theme, side, lang, variant, half, text.

    Raises:
        InputError: a column is missing, a cell is empty or a value is none of those allowed.
    """
    texts = read_cells(path)
    if tuple(texts.columns) != _COLUMNS:
        raise InputError(f"{path.name} has the columns {', '.join(texts.columns)}; expected {', '.join(_COLUMNS)}.")
    allowed = {"side": ("project", "partner"), "lang": LANGUAGES, "half": HALVES}
    for column, known in allowed.items():
        if strange := sorted(set(texts[column]) - set(known)):
            raise InputError(f'{path.name}, column "{column}": "{strange[0]}"; expected {", ".join(known)}.')
    for column in ("theme", "text"):
        if (texts[column].str.strip_chars() == "").any():
            raise InputError(f'{path.name}, column "{column}" has an empty cell; every text needs one.')
    return texts


def dataset(texts: pl.DataFrame, asked: str, languages: Sequence[str]) -> Dataset:
    """Projects told in one language and partners told in some, as a data set without deals.

    Names and identifiers say nothing; kinds, countries and sectors are unknown.
    """
    lang = "vi" if asked == "plain" else asked
    told = texts.filter((pl.col("side") == "project") & (pl.col("lang") == lang))
    does = texts.filter((pl.col("side") == "partner") & pl.col("lang").is_in(list(languages)))
    written = {"projects": (told, _NAMES[asked]), "partners": (does, "Partner")}
    frames = {}
    for name, (rows, called) in written.items():
        key = [_identifier(*row) for row in rows.select("theme", "side", "lang", "variant").iter_rows()]
        description = [fold(t) if asked == "plain" and name == "projects" else nfc(t) for t in rows["text"]]
        frames[name] = (
            pl.DataFrame({f"{name[:-1]}_id": key, "description": description})
            .sort(f"{name[:-1]}_id").with_row_index("number", offset=1)
            .with_columns(name=pl.format(called + " {}", "number"), **_unknown(name))
            .select(pl.col(c).cast(t) for c, t in COLUMNS[name].items())
        )  # fmt: skip
    themes = {_identifier(*row): row[0] for row in does.select("theme", "side", "lang", "variant").iter_rows()}
    right = {
        _identifier(*row): frozenset(q for q, t in themes.items() if t == row[0])
        for row in told.select("theme", "side", "lang", "variant").iter_rows()
    }
    called = f"content {asked} {'-'.join(languages)}"
    content = "".join(frame.write_csv() for frame in frames.values())
    return Dataset(
        name=called, about={"name": called, "no_deals": True, "licence": "CC0-1.0", "form": "blind"},
        projects=frames["projects"], partners=frames["partners"], deals=pl.DataFrame(schema=COLUMNS["deals"]),
        queries=tuple(sorted(right)), qrels=right,
        split_on=None, undated="drop", digest=hashlib.sha256(content.encode()).hexdigest(),
    )  # fmt: skip


def _unknown(name: str) -> dict[str, pl.Expr]:
    known = {f"{name[:-1]}_id", "name", "description"}
    empty = {c: pl.lit(None, t) for c, t in COLUMNS[name].items() if c not in known}
    return {**empty, **({"kind": pl.lit("unknown")} if "kind" in empty else {})}


def _identifier(*parts: str) -> str:
    """A name that sorts by no rule."""
    return hashlib.sha1("|".join(parts).encode(), usedforsecurity=False).hexdigest()[:10]


def measure(
    texts: pl.DataFrame, reference: Reference, encoder: NamedEncoder, *, seed: int = 0,
    halves: Sequence[str] = HALVES, progress: Progress | None = None,
) -> Report:  # fmt: skip
    """Ranks every pair of languages blind; all themes are in every catalogue, whichever halves are measured."""
    results: list[Result] = []
    languages = [lang for lang in LANGUAGES if lang in set(texts.filter(pl.col("side") == "partner")["lang"])]
    sets = [(asked, [lang]) for asked in ASKED for lang in languages] + [(asked, languages) for asked in ASKED]
    for done, (asked, catalogue) in enumerate(sets):
        if progress:
            progress("content", done, len(sets))
        asking = dataset(texts, asked, catalogue)
        made = blind.rank(asking, reference, encoder, seed=seed, depth=asking.partners.height)
        results += _results(made.ranking, texts, asked, catalogue, halves)
    return Report(results=results, seed=seed)


def _results(
    ranking: Ranking, texts: pl.DataFrame, asked: str, catalogue: Sequence[str], halves: Sequence[str]
) -> list[Result]:
    """The figures of one run, by language of the partners."""
    rows = {_identifier(*r[:4]): r for r in texts.select("theme", "side", "lang", "variant", "half").iter_rows()}
    theme = np.array([rows[q][0] for q in ranking.queries])
    half = np.array([rows[q][4] for q in ranking.queries])
    does = np.array([rows[c][0] for c in ranking.candidates])
    lang = np.array([rows[c][2] for c in ranking.candidates])
    right = theme[:, None] == does[None, :]
    out = []
    for language in catalogue:
        own = lang == language
        slices: dict[str, npt.NDArray[np.bool_]] = (
            {"pair": np.ones_like(right)} if len(catalogue) == 1
            else {"same": np.broadcast_to(own, right.shape), "pool": ~right | own}
        )  # fmt: skip
        for setting, allow in slices.items():
            found = values(judge(ranking, right, allow), "RR")
            for part in halves:
                themes = sorted(set(theme[half == part].tolist()))
                per_theme = {t: float(found[theme == t].mean()) for t in themes}
                out.append(Result(setting=setting, asked=asked, partners=language, half=part, values=per_theme))
    return out


def table(report: Report) -> str:
    """The report for readers: per half and setting one line per language of the project."""
    lines: list[str] = []
    for half in dict.fromkeys(r.half for r in report.results):
        lines.append(f"{half} half, mean reciprocal rank by language of the partners")
        for setting in SETTINGS:
            shown = [a for a in ASKED if report.pairs(setting, a, half)]
            lines += ["", f"  {_TOLD[setting]}"]
            for asked in shown:
                pairs = report.pairs(setting, asked, half)
                cells = "  ".join(f"{lang} {mrr:.3f}" for lang, mrr in pairs.items())
                middle, least = float(np.mean(list(pairs.values()))), min(pairs.values())
                lines.append(f"  {_ASKED_TOLD[asked]:<29}  {cells}   mean {middle:.3f}  min {least:.3f}")
            mean, low, high, least = report.summary(setting, half)
            n = len(report.pairs(setting, "vi", half)) + len(report.pairs(setting, "en", half))
            lines.append(f"  all {n} pairs: mean {mean:.3f} ({low:.3f} to {high:.3f}), min {least:.3f}")
        lines.append("")
    lines.append("Themes are resampled for the 95% intervals. Chance is .18 among 20 partners.")
    return "\n".join(lines)
