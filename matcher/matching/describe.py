"""Record -> profile text: what a project offers and what a partner does and has done, in words.

A profile never contains the partner's own name: names carry no signal about fit, and a project text that names its own
investor would betray the answer. What a partner has done before is no part of it either: that is its experience.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from matcher.matching.labels import KIND_NAMES
from matcher.records import Reference
from matcher.text import fold, language, nfc, tokens

VERSION = "4"
"""Changes whenever the texts change, so that an engine never meets vectors of another wording."""

LANGUAGES = ("vi", "en")

# Words of partner names that say something about the business and so stay in a project's text.
_PLAIN = frozenset(
    tokens(
        "bank power energy electric capital international national development fund construction project "
        "station plant north south east west central first green island river port city steel land water "
        "group holdings logistics metro industrial park saigon hanoi binh duong vietnam viet nam "
        "university hospital school tower center centre "
    )
)


COMMON = 20
"""A word in more partner names than this names none of them; a group may share its brand among so many."""

OWN = 3
"""A word in so few names points to those partners; one in more may be a place, as the projects of others tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """How often each folded word occurs in partner names, and which words speak of business or places instead.

    Attributes:
        frequency: folded word -> number of partners whose name has it.
        plain: folded words that say something about a business or a place, and so name nobody.
        elsewhere: folded words in the text of a project none of whose partners bears them.
    """

    frequency: Mapping[str, int]
    plain: frozenset[str] = _PLAIN
    elsewhere: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: Iterable[str], reference: Reference | None = None) -> "Names":
        """Counts the words of all partner names; plain are those of the glossary, sectors and countries."""
        plain: set[str] = set(_PLAIN)
        for column in () if reference is None else _plain_columns(reference):
            for text in column.drop_nulls().to_list():
                plain.update(tokens(text))
        return cls(frequency=Counter(w for name in names for w in set(tokens(name))), plain=frozenset(plain))

    def beside(self, projects: pl.DataFrame, participants: Mapping[str, Sequence[str]]) -> "Names":
        """The same, knowing which words the texts of projects hold although no partner of the project bears them."""
        found: set[str] = set()
        for p in projects.filter(pl.col("project_id").is_in(list(participants))).iter_rows(named=True):
            said = {w for c in ("name_vi", "name_en", "description") for w in tokens(p[c] or "")}
            found |= said - {w for name in participants[p["project_id"]] for w in tokens(name)}
        return replace(self, elsewhere=frozenset(found))

    def telling(self, name: str) -> set[str]:
        """Folded words of a name that point to the partner or its group: neither plain, nor common, nor a place.

        A word in more than `OWN` names is taken for a place when the text of others' projects has it too.
        """
        words = {w for w in tokens(name) if w not in self.plain and not w.isdigit() and len(w) >= 2}
        times = {w: self.frequency.get(w, 0) for w in words}
        return {w for w, n in times.items() if n <= OWN or (n <= COMMON and w not in self.elsewhere)}


def _plain_columns(reference: Reference) -> Iterator[pl.Series]:
    yield reference.terms["term"]
    for frame in (reference.city_sectors, reference.activity_tags, reference.countries):
        yield from (frame["name_vi"], frame["name_en"])
    yield from (reference.isic["title_vi"], reference.isic["title_en"], reference.countries["capital"])


def mask(text: str, names: Sequence[str], known: Names) -> str:
    """The text without the words that name any of the given partners."""
    if not names or not text:
        return text
    telling = set().union(*(known.telling(n) for n in names))
    if not telling:
        return text
    kept = [word for word in text.split() if not (set(tokens(word)) & telling)]
    return nfc(" ".join(kept))


def _joined(parts: Iterable[str | None]) -> str:
    seen: list[str] = []
    for part in parts:
        clean = nfc(part or "").strip(" .;")
        if clean and fold(clean) not in {fold(s) for s in seen}:
            seen.append(clean)
    return ". ".join(seen)


def _labels(frame: pl.DataFrame, key: str) -> dict[str, tuple[str, str]]:
    return {row[key]: (row["name_vi"], row["name_en"]) for row in frame.iter_rows(named=True)}


def describe_projects(
    projects: pl.DataFrame, reference: Reference, participants: Mapping[str, Sequence[str]], known: Names
) -> pl.DataFrame:
    """Profile texts of projects, Vietnamese and other.

    A description joins the name of its own language; a project that has one name only is told in one text, for a
    bare name beside a description would weigh as much and say less.

    Args:
        projects: columns of `TABLES["projects"]`.
        reference: classifications; `city_sectors` gives sector names.
        participants: project_id -> names of the partners of its own deals, which are masked.
        known: word counts over all partner names.

    Returns:
        columns `project_id`, `vi`, `en` (String, never null; '' when nothing is known in that language). `en` holds
        whatever is not Vietnamese.
    """
    sectors = _labels(reference.city_sectors, "sector")
    rows = []
    for p in projects.iter_rows(named=True):
        label = sectors.get(p["sector"] or "", (p["sector"], p["sector"]))
        own = participants.get(p["project_id"], ())
        vi, en = _told(p, label)
        rows.append((p["project_id"], mask(vi, own, known), mask(en, own, known)))
    return pl.DataFrame(rows, schema={"project_id": pl.String, "vi": pl.String, "en": pl.String}, orient="row")


def _told(project: Mapping[str, Any], label: tuple[str | None, str | None]) -> tuple[str, str]:
    """The Vietnamese and the other text of a project."""
    name_vi, name_en, description = project["name_vi"], project["name_en"], project["description"]
    told_vi = language(description or "") in ("vi", "plain")
    if description and not (name_vi and name_en):
        text = _joined([name_vi or name_en, label[0 if told_vi else 1], description])
        return (text, "") if told_vi else ("", text)
    vi = _joined([name_vi, label[0], description if told_vi else None]) if name_vi else ""
    return vi, _joined([name_en, label[1], None if told_vi else description])


def describe_partners(partners: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    """Profile texts of partners: kind, sector, activities, local label.

    Args:
        partners: columns of `TABLES["partners"]`.
        reference: names of tags in Vietnamese and English.

    Returns:
        columns `partner_id`, `text` (String; '' when nothing but a name and a kind is known).
    """
    tags = _labels(reference.activity_tags, "tag")
    rows = []
    for q in partners.iter_rows(named=True):
        activities = [tags.get(t, (t, t)) for t in q["activities"] or []]
        kind = None if q["kind"] == "unknown" else KIND_NAMES[q["kind"]][1]
        does = [
            q["sector"],
            ", ".join(en for _, en in activities) or q["description"],
            ", ".join(vi for vi, _ in activities),
            q["sector_local"],
        ]
        rows.append((q["partner_id"], _joined([kind, *does]) if any(does) else ""))
    return pl.DataFrame(rows, schema={"partner_id": pl.String, "text": pl.String}, orient="row")


class Glossary:
    """Reads ISIC divisions out of a text by the words and phrases of the glossary; longest phrase first."""

    def __init__(self, terms: pl.DataFrame) -> None:
        self._phrases: dict[tuple[str, ...], dict[str, float]] = {}
        for row in terms.iter_rows(named=True):
            key = tuple(tokens(row["term"]))
            if key:
                weights = self._phrases.setdefault(key, {})
                for i, code in enumerate(row["isic"]):
                    weights[code[:2]] = max(weights.get(code[:2], 0.0), 1.0 / (1 + i))
        self._longest = max(map(len, self._phrases), default=0)

    def divisions(self, text: str) -> dict[str, float]:
        """ISIC division -> weight in (0, 1] of what the text is about; empty when no term occurs.

        Each phrase counts once, with the share of its words in all words found, so that a long exact phrase
        weighs more than a short one.
        """
        words = list(tokens(text))
        found: dict[tuple[str, ...], None] = {}
        i = 0
        while i < len(words):
            for n in range(min(self._longest, len(words) - i), 0, -1):
                phrase = tuple(words[i : i + n])
                if phrase in self._phrases:
                    found[phrase] = None
                    i += n
                    break
            else:
                i += 1
        total: dict[str, float] = {}
        for phrase in found:
            for division, weight in self._phrases[phrase].items():
                total[division] = total.get(division, 0.0) + weight * len(phrase)
        top = max(total.values(), default=0.0)
        return {d: w / top for d, w in sorted(total.items())} if top else {}
