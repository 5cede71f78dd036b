"""The model card that a fit writes about itself: what it is for, what it saw, how good it is, where it is weak.

`card.json` is for programs, `card.md` the same for readers, in Vietnamese and in English. What the card says in
words follows from its figures: an engine that is no better than chance says so.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from matcher.matching import card_text
from matcher.matching import held as asked
from matcher.matching.calibrate import Calibrator
from matcher.matching.features import FEATURES, REASONS
from matcher.matching.held import Held, Told
from matcher.matching.learn import Learned
from matcher.matching.sides import positive
from matcher.records import Facts

JSON, TEXT = "card.json", "card.md"
SOURCES = 25
"""Publishers named one by one, those with the most records; the others are added up."""

AT_CHANCE: dict[str, dict[str, str]] = {
    "random": {
        "vi": "NGANG NGẪU NHIÊN: các gợi ý này không tốt hơn chọn ngẫu nhiên.",
        "en": "AT CHANCE: these matches are no better than random.",
    },
    "popularity": {
        "vi": "NGANG NGẪU NHIÊN: các gợi ý này không cho biết đối tác nào hợp với dự án nào, không tốt hơn chọn ngẫu "
        "nhiên trong số đối tác năng động.",
        "en": "AT CHANCE: these matches do not tell which partner fits which project; they are no better than random "
        "among active partners.",
    },
}
"""What a reader of the lists must be told, by the state of the bound."""


def make(facts: Facts, learned: Learned, calibrator: Calibrator, *, encoder: str, describe: str, seed: int) -> Told:
    """The card as JSON values, from what a fit knows. The same facts and seed give the same card.

    Args:
        facts: as the fit saw them: nothing in them counts only from a later day.
        encoder, describe: identifier of the text encoder, and version of the profile texts.
    """
    card: Told = {
        "version": 1, "as_of": facts.as_of.isoformat(), "encoder": encoder, "profiles": describe, "seed": seed,
        "data": data(facts),
        "learning": {
            "queries": learned.queries, "labels": learned.labels, "chosen": learned.note,
            "kernel": learned.kernel.to_json(),
            "tried": {name: {m: list(v) for m, v in found.items()} for name, found in learned.metrics.items()},
        },
    }  # fmt: skip
    reason = calibrator.reason()
    card["calibration"] = {"abstained": None if reason is None else dict(reason), "check": None}
    if not learned.held:
        return {**card, "held": None, "bound": {"state": "untested"}, "slices": {}, "reasons": []}
    held = Held.of(learned.held, learned.judge, facts)
    if reason is None:
        card["calibration"]["check"] = asked.reliability(learned.trials, Calibrator.fit, seed=seed)
    reasons = {r: [i for i, f in enumerate(FEATURES) if f.reason == r] for r in REASONS}
    card["held"] = {
        "first_day": min(held.days).isoformat(), "last_day": max(held.days).isoformat(),
        **asked.figures(held, seed=seed),
    }  # fmt: skip
    card["bound"] = asked.bound(held, seed=seed)
    card["slices"] = asked.slices(held, seed=seed)
    card["reasons"] = asked.ablation(held, learned.judge, reasons, seed=seed)
    found: Told = _rounded(card)
    return found


def warning(card: Mapping[str, Any]) -> dict[str, str] | None:
    """The sentence that every list of the engine must carry, in both languages; None when there is nothing to warn."""
    return AT_CHANCE.get(card["bound"]["state"])


def write(card: Told, folder: Path) -> None:
    """Writes `card.json` and `card.md` into a folder."""
    (folder / JSON).write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / TEXT).write_text(f"{words(card, 'vi')}\n---\n\n{words(card, 'en')}", encoding="utf-8")


def words(card: Mapping[str, Any], lang: str) -> str:
    """The card as Markdown, in 'vi' or 'en'."""
    return card_text.render(card, lang, warning(card))


def data(facts: Facts) -> Told:
    """How much there was to learn from, of when, where and by whom it was published."""
    deals = positive(facts.deals)
    dated = deals.drop_nulls("closed_on")
    years = dated.group_by(pl.col("closed_on").dt.year().alias("year")).len().sort("year")
    hosts = deals.join(facts.projects.select("project_id", "country"), on="project_id").group_by("country").len()
    return {
        "projects": facts.projects.height, "partners": facts.partners.height, "deals": facts.deals.height,
        "positive_deals": deals.height, "dated_deals": dated.height,
        "partners_with_deals": deals["partner_id"].n_unique(),
        "years": {str(year): n for year, n in years.iter_rows()},
        "hosts": _most(dict(hosts.with_columns(pl.col("country").fill_null("?")).iter_rows()), SOURCES),
        "kinds": _most(dict(facts.partners.group_by("kind").len().iter_rows()), SOURCES),
        "sources": sources(facts),
    }  # fmt: skip


def sources(facts: Facts) -> list[Told]:
    """Publishers of the records, those with the most first: rows of each table and the latest day of publication.

    A page counts as its site. Those behind the first `SOURCES` are one row without a name.
    """
    found: dict[str, Told] = {}
    for table in ("projects", "partners", "deals", "footprint"):
        frame = getattr(facts, table).group_by("source").agg(pl.len(), pl.col("source_on").max())
        for source, n, on in frame.iter_rows():
            row = found.setdefault(_site(source), {"rows": {}, "latest": None})
            row["rows"][table] = row["rows"].get(table, 0) + n
            row["latest"] = max(filter(None, (row["latest"], on and on.isoformat())), default=None)
    order = sorted(found, key=lambda name: (-sum(found[name]["rows"].values()), name))
    out = [{"source": name, **found[name]} for name in order[:SOURCES]]
    if rest := order[SOURCES:]:
        rows: dict[str, int] = {}
        for name in rest:
            for table, n in found[name]["rows"].items():
                rows[table] = rows.get(table, 0) + n
        latest = max((found[name]["latest"] for name in rest if found[name]["latest"]), default=None)
        out.append({"source": None, "publishers": len(rest), "rows": rows, "latest": latest})
    return out


def _site(source: str | None) -> str:
    """The site of a page, the repository of a file in one, any other source as it is; of several the first."""
    first = (source or "?").split(" ; ")[0]
    return urlsplit(first).netloc.removeprefix("www.") or re.split(r"@[0-9a-f]{7,}:", first)[0]


def _most(counts: Mapping[str, int], limit: int) -> dict[str, int]:
    order = sorted(counts, key=lambda k: (-counts[k], k))
    rest = sum(counts[k] for k in order[limit:])
    return {**{k: counts[k] for k in order[:limit]}, **({"other": rest} if rest else {})}


def _rounded(value: Any) -> Any:
    """Numbers to six digits, and None for what is none: JSON knows no NaN."""
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    if isinstance(value, float):
        return None if value != value else round(value, 6)  # noqa: PLR0124 - NaN alone differs from itself
    return value
