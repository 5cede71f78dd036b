"""Does the language of a text matter? Sector-level ranking quality of Vietnamese, undiacritised and English texts.

For a fixed choice of the city's projects, each text is asked as free text, so that only its words count: the
record's own sector and codes are not seen. A partner is relevant when it shares an ISIC division with the project.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from matcher.jobs.matchmaker import Matchmaker
from matcher.matching.catalogue import Catalogue
from matcher.measures import interval, per_query
from matcher.records import OPEN_STATUSES, Query
from matcher.text import fold

N_PROJECTS = 20
DEPTHS = (10, 50)
VARIANTS = ("vi", "plain", "en", "vi_title", "plain_title", "en_title")
"""Profile text with the sector's name, in Vietnamese, without diacritics, in English; and the bare titles."""


HEADINGS = ("text asked", "nDCG@10", "95% interval", "ratio to Vietnamese", "overlap@10", "overlap@50")
NAMES = {
    "vi": "Vietnamese",
    "plain": "Vietnamese without diacritics",
    "en": "English",
    "vi_title": "Vietnamese title alone",
    "plain_title": "title without diacritics",
    "en_title": "English title alone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Figures of one variant.

    Attributes:
        ndcg: mean nDCG@10 with its 95 % bootstrap interval over the projects.
        ratio: of the mean to that of the Vietnamese text of the same kind; 1.0 for the Vietnamese text itself.
        overlap: depth -> mean share of the Vietnamese list's first places that the variant's list shares.
    """

    variant: str
    ndcg: tuple[float, float, float]
    ratio: float
    overlap: Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All variants, the projects asked and what chance would give (the mean share of relevant partners)."""

    engine: str
    projects: Sequence[str]
    chance: float
    results: Sequence[Result]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON object."""
        return {
            "engine": self.engine, "projects": list(self.projects), "chance": round(self.chance, 4),
            "results": [
                {
                    "variant": r.variant, "ndcg_at_10": [round(v, 4) for v in r.ndcg], "ratio_to_vi": round(r.ratio, 4),
                    "overlap": {f"at_{k}": round(v, 4) for k, v in r.overlap.items()},
                }
                for r in self.results
            ],
        }  # fmt: skip


def choose(projects: pl.DataFrame, n: int = N_PROJECTS) -> list[str]:
    """Open projects with both names and ISIC codes, dealt round the sectors in identifier order."""
    usable = projects.filter(
        pl.col("status").is_in(list(OPEN_STATUSES))
        & pl.col("name_vi").is_not_null()
        & pl.col("name_en").is_not_null()
        & (pl.col("isic").list.len() > 0)
    ).sort("project_id")
    dealt = usable.with_columns(turn=pl.int_range(pl.len()).over("sector")).sort("turn", "sector", "project_id")
    chosen: list[str] = dealt["project_id"].head(n).to_list()
    return chosen


def _texts(catalogue: Catalogue, project: str) -> dict[str, str]:
    row = catalogue.projects.row_of[project]
    _, vi, en = catalogue.corpus.project_texts.row(row)
    record = catalogue.projects.records[row]
    name_vi, name_en = str(record["name_vi"]), str(record["name_en"])
    return {
        "vi": vi, "plain": fold(vi), "en": en,
        "vi_title": name_vi, "plain_title": fold(name_vi), "en_title": name_en,
    }  # fmt: skip


def relevant(catalogue: Catalogue, project: str) -> set[str]:
    """Partners that share an ISIC division with a project, by the codes of both records."""
    wanted = {c[:2] for c in catalogue.projects.records[catalogue.projects.row_of[project]]["isic"] or ()}  # type: ignore[attr-defined]  # a list of codes
    pairs = catalogue.partners.frame.select("partner_id", "isic").iter_rows()
    return {q for q, isic in pairs if wanted & {c[:2] for c in isic or ()}}


def measure(matchmaker: Matchmaker, *, seed: int = 0, n: int = N_PROJECTS) -> Report:
    """Asks every text of every chosen project and compares the lists."""
    catalogue = matchmaker.catalogue()
    projects = choose(catalogue.projects.frame, n)
    lists: dict[str, dict[str, list[str]]] = {v: {} for v in VARIANTS}
    qrels = {p: dict.fromkeys(relevant(catalogue, p), 1) for p in projects}
    for project in projects:
        for variant, text in _texts(catalogue, project).items():
            found = catalogue.match(Query(text=text), n=max(DEPTHS))
            lists[variant][project] = [m.partner_id for m in found.matches]
    results = []
    means: dict[str, float] = {}
    for variant in VARIANTS:
        run = {p: {q: -float(i) for i, q in enumerate(ids)} for p, ids in lists[variant].items()}
        ndcg = interval(per_query(qrels, run, "nDCG@10"), seed=seed)
        means[variant] = ndcg[0]
        original = "vi_title" if variant.endswith("_title") else "vi"
        overlap = {
            k: float(np.mean([len(set(lists[variant][p][:k]) & set(lists[original][p][:k])) / k for p in projects]))
            for k in DEPTHS
        }
        results.append(Result(variant=variant, ndcg=ndcg, ratio=ndcg[0] / means[original], overlap=overlap))
    chance = float(np.mean([len(r) for r in qrels.values()])) / catalogue.partners.frame.height
    return Report(engine=catalogue.engine, projects=projects, chance=chance, results=results)


def table(report: Report) -> str:
    """The report for readers: one line per variant, and what the figures mean."""
    lines: list[tuple[str, ...]] = [HEADINGS]
    for r in report.results:
        mean, low, high = r.ndcg
        overlap = [f"{r.overlap[k]:.2f}" for k in DEPTHS]
        lines.append((NAMES[r.variant], f"{mean:.3f}", f"{low:.3f} to {high:.3f}", f"{r.ratio:.2f}", *overlap))
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    rows = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([
        *rows,
        "",
        f"{len(report.projects)} open projects dealt round the city's sectors, asked as free text; relevant: partners",
        f"that share an ISIC division. A random list has nDCG@10 {report.chance:.3f}. Engine {report.engine}.",
        "Titles alone show that the words matter when no sector is given.",
    ])  # fmt: skip
