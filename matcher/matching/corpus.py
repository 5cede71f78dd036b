"""Texts and vectors of all records: described, encoded and centred, ready to be compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from matcher.matching import trades
from matcher.matching.describe import LANGUAGES, Glossary, Names, describe_partners, describe_projects
from matcher.matching.sides import Countries, History, Ints, PartnerSide, ProjectSide, Sectors, positive
from matcher.matching.snapshot import Snapshot
from matcher.records import Facts
from matcher.split import listed_from
from matcher.text import fold, language

Vectors = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

WRITTEN = ("vi", "plain", "en", "ja", "ko", "zh", "fr", "de")
CENTRES = tuple(f"{side} {lang}" for side in ("project", "partner") for lang in WRITTEN)
"""Corpora whose means are stored: projects and partners by language; plain: Vietnamese without diacritics."""

AS_MANY = 3
"""The mean of all texts of a side counts as much in the mean of each language as so many texts of that language."""

READ_SECTORS = 3
READ_WEIGHT = 0.7
NEAR = 0.42
NEAR_BEST = 0.08
"""How many sector titles are taken from a text that has no glossary term, with which weight, how near they must be
(cosine), and how far behind the nearest. Source: 22 free texts of our own, docs/decisions.md 2026-11-22."""


class Encodes(Protocol):
    """The part of an encoder that is needed here."""

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """Unit rows, one per text."""
        ...


def unit(rows: Vectors) -> Vectors:
    """Rows scaled to length one; a zero row stays zero."""
    norm = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(norm > 0, norm, 1.0), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Everything texts are needed for, of one set of facts.

    Attributes:
        centres: corpus -> mean of its raw vectors, shape (d,).
        project_texts: columns project_id, vi, en; in identifier order.
    """

    facts: Facts
    encoder: Encodes
    centres: Mapping[str, Vectors]
    projects: pl.DataFrame
    partners: pl.DataFrame
    project_texts: pl.DataFrame
    project_vectors: Vectors
    sectors: Sectors
    countries: Countries
    glossary: Glossary
    labels: tuple[Sequence[Sequence[str]], Vectors]
    known_names: Names

    @classmethod
    def of(
        cls, facts: Facts, encoder: Encodes, centres: Mapping[str, Vectors] | None, progress: Progress | None = None
    ) -> "Corpus":
        """Describes and encodes projects and sector labels; computes the centres when none are given."""
        projects = facts.projects.sort("project_id")
        partners = facts.partners.sort("partner_id")
        names = dict(zip(partners["partner_id"].to_list(), partners["name"].to_list(), strict=True))
        participants: dict[str, list[str]] = {}
        for p, q in facts.deals.select("project_id", "partner_id").iter_rows():
            participants.setdefault(p, []).append(names.get(q, ""))
        known = Names.of(partners["name"].to_list(), facts.reference).beside(projects, participants)
        texts = describe_projects(projects, facts.reference, participants, known)
        written = {lang: texts[lang].to_list() for lang in LANGUAGES}
        raw = {lang: _encode(encoder, written[lang], progress) for lang in LANGUAGES}
        if centres is None:
            plain = sorted({fold(t) for t in written["vi"] if t})
            does = sorted(set(_partner_texts(facts, partners)))
            told = [*written["vi"], *written["en"], *plain]
            centres = {
                **_means("project", told, np.vstack([raw["vi"], raw["en"], _encode(encoder, plain, progress)])),
                **_means("partner", does, _encode(encoder, does, progress)),
            }
        combined = sum(
            (_centred(raw[lang], written[lang], "project", centres) for lang in LANGUAGES),
            np.zeros(1, dtype=np.float32),
        )
        return cls(
            facts=facts, encoder=encoder, centres=centres, projects=projects, partners=partners, project_texts=texts,
            project_vectors=unit(np.asarray(combined)), sectors=Sectors.of(facts.reference),
            countries=Countries.of(facts.reference), glossary=Glossary(facts.reference.terms),
            labels=_labels(facts, encoder, centres), known_names=known,
        )  # fmt: skip

    @cached_property
    def partner_texts(self) -> list[str]:
        """Profile texts of the partners, in identifier order; what they have done is experience, not profile."""
        return _partner_texts(self.facts, self.partners)

    @cached_property
    def _partner_vectors(self) -> Vectors:
        return self._vectors_of_partners(self.partner_texts)

    def _vectors_of_partners(self, texts: Sequence[str]) -> Vectors:
        return _centred(_encode(self.encoder, texts, None), texts, "partner", self.centres)

    @cached_property
    def _partner_trades(self) -> Floats:
        return trades.known().vectors(self.partner_texts)

    @cached_property
    def _partners_read(self) -> Floats:
        """ISIC divisions read out of the texts of partners without a code."""
        return self._read(
            self.partners["isic"].to_list(), list(zip(self.partner_texts, self._partner_vectors, strict=True))
        )

    def partner_side(self, as_of: date) -> PartnerSide:
        """The partners as known on a day."""
        return self._side(self.partners, self._partner_vectors, self._partners_read, self._partner_trades, as_of)

    def side_of_partners(self, frame: pl.DataFrame, texts: Sequence[str], vectors: Vectors, as_of: date) -> PartnerSide:
        """Any partners frame as a side; sectors that no code gives are read from the text."""
        read = self._read(frame["isic"].to_list(), list(zip(texts, vectors, strict=True)))
        return self._side(frame, vectors, read, trades.known().vectors(texts), as_of)

    def _side(
        self, frame: pl.DataFrame, vectors: Vectors, read: Floats, named_trades: Floats, as_of: date
    ) -> PartnerSide:
        tags = self.facts.reference.activity_tags
        named = {r["tag"]: (r["name_vi"], r["name_en"]) for r in tags.iter_rows(named=True)}
        return PartnerSide.of(
            frame, self.sectors, vectors, self.facts.footprint, self.countries, as_of, named, read, named_trades
        )

    def words(self, project: int) -> str:
        """The texts of a project (a row number) in all languages, for search by words."""
        return " ".join(self.project_texts.row(project)[1:])

    def project_side(self) -> ProjectSide:
        """All projects."""
        texts = [self.words(row) for row in range(self.projects.height)]
        pairs = list(zip(texts, self.project_vectors, strict=True))
        read = self._read(self.projects["isic"].to_list(), pairs)
        return ProjectSide.of(self.projects, self.sectors, self.project_vectors, read)

    def snapshot(self, as_of: date) -> Snapshot:
        """Projects, partners and deals as known on a day."""
        projects, partners = self.project_side(), self.partner_side(as_of)
        history = History.of(self.facts.deals, projects, partners, as_of)
        return Snapshot.of(projects, partners, history, [self.words(row) for row in range(self.projects.height)])

    def known_on(self, snapshot: Snapshot, day: date) -> tuple[Snapshot, Ints]:
        """The snapshot's projects as known on another day, and the rows of the partners that were listed by then.

        Who is in our tables only because of a later deal has a record written from it, which would betray the answer.
        """
        partners = self.partner_side(day)
        history = History.of(self.facts.deals, snapshot.projects, partners, day)
        unheard = [partners.row_of[q] for q, since in self._entered.items() if since > day]
        return snapshot.at(history, partners), np.setdiff1d(np.arange(self.partners.height), unheard)

    @cached_property
    def _entered(self) -> dict[str, date]:
        return listed_from(self.partners, self.facts.deals)

    @cached_property
    def closed(self) -> Mapping[str, Mapping[int, date]]:
        """Project -> partner row -> the day from which their first dated deal that came about counts."""
        rows = {partner: row for row, partner in enumerate(self.partners["partner_id"].to_list())}
        dated = positive(self.facts.deals).drop_nulls(["closed_on", "counts_from"])
        found: dict[str, dict[int, date]] = {}
        latest_first = dated.sort("counts_from", descending=True).select("project_id", "partner_id", "counts_from")
        for project, partner, day in latest_first.iter_rows():
            if partner in rows:
                found.setdefault(project, {})[rows[partner]] = day
        return found

    def draft_project(self, frame: pl.DataFrame) -> tuple[ProjectSide, str]:
        """One unsaved project as a side, with its text; its language is that of the nearest centre."""
        texts = describe_projects(frame, self.facts.reference, {}, self.known_names)
        text = " ".join(t for t in texts.row(0)[1:] if t)
        vector = self.vector(text)
        read = self._read(frame["isic"].to_list(), [(text, vector)])
        return ProjectSide.of(frame, self.sectors, vector[None, :], read), text

    def draft_partner(self, frame: pl.DataFrame, as_of: date) -> tuple[PartnerSide, str]:
        """One unsaved partner as a side, with its text."""
        text = _partner_texts(self.facts, frame)[0]
        vectors = self._vectors_of_partners([text])
        return self.side_of_partners(frame, [text], vectors, as_of), text

    def vector(self, text: str) -> Vectors:
        """The centred unit vector of a free text; the zero vector for one without a word."""
        return np.asarray(_centred(_encode(self.encoder, [text], None), [text], "project", self.centres)[0])

    def read_sectors(self, text: str, vector: Vectors) -> Floats:
        """ISIC division weights read from a text: by glossary, else by the nearest sector titles; (n_divisions,).

        All zero, that is unknown, when no term occurs and no title is near.
        """
        out = np.zeros(len(self.sectors.divisions))
        found: dict[str, float] = dict(self.glossary.divisions(text))
        codes, vectors = self.labels
        if not found and vector.any() and len(codes):
            nearness = vectors @ vector
            order = np.argsort(-nearness, kind="stable")[:READ_SECTORS]
            floor = max(NEAR, float(nearness[order[0]]) - NEAR_BEST)
            for place, label in enumerate(order):
                for i, code in enumerate(codes[int(label)] if nearness[label] >= floor else ()):
                    found.setdefault(code[:2], READ_WEIGHT / (1 + place) / (1 + i))
        for division, weight in found.items():
            if division in self.sectors.divisions:
                out[self.sectors.divisions[division]] = weight
        return out

    def _read(self, isic: Sequence[Sequence[str] | None], described: Sequence[tuple[str, Vectors]]) -> Floats:
        out = np.zeros((len(isic), len(self.sectors.divisions)))
        for row, (codes, (text, vector)) in enumerate(zip(isic, described, strict=True)):
            if not codes:
                out[row] = self.read_sectors(text, vector)
        return out


def _encode(encoder: Encodes, texts: Sequence[str], progress: Progress | None) -> Vectors:
    """Raw vectors; the zero vector for a text without a letter or a digit: it means nothing."""
    told = [i for i, t in enumerate(texts) if any(map(str.isalnum, t))]
    rows = encoder.encode([texts[i] for i in told], progress=progress)
    out = np.zeros((len(texts), rows.shape[1]), dtype=np.float32)
    out[told] = rows
    return out


def _means(side: str, texts: Sequence[str], raw: Vectors) -> dict[str, Vectors]:
    """Corpus -> mean of its raw vectors, drawn to the mean of all texts of that side where they are few.

    A text whose words do not tell its language counts for the nearest one of those that some texts are told to be in.
    """
    told = raw.any(axis=1)
    whole = raw[told].mean(axis=0) if told.any() else np.zeros(raw.shape[1], dtype=np.float32)
    of = np.array([language(t) or "" for t in texts], dtype=object)
    there = [lang for lang in WRITTEN if (told & (of == lang)).sum() >= AS_MANY]
    if there:
        means = unit(np.stack([raw[told & (of == lang)].mean(axis=0) for lang in there]))
        unsure = of == ""
        of[unsure] = np.array(there, dtype=object)[(raw[unsure] @ means.T).argmax(axis=1)]
    out = {}
    for lang in WRITTEN:
        own = raw[told & (of == lang)]
        out[f"{side} {lang}"] = np.asarray((own.sum(axis=0) + AS_MANY * whole) / (len(own) + AS_MANY), dtype=np.float32)
    return out


def _centred(raw: Vectors, texts: Sequence[str], side: str, centres: Mapping[str, Vectors]) -> Vectors:
    """Unit rows less the mean of each text's language; where its words do not tell it, the nearest mean does."""
    means = np.stack([centres[f"{side} {lang}"] for lang in WRITTEN])
    told = [language(t) for t in texts]
    nearest = (raw @ unit(means).T).argmax(axis=1)
    which = np.array(
        [n if lang is None else WRITTEN.index(lang) for lang, n in zip(told, nearest, strict=True)], dtype=int
    )
    return np.where(raw.any(axis=1, keepdims=True), unit(raw - means[which]), 0.0).astype(np.float32)


def _partner_texts(facts: Facts, partners: pl.DataFrame) -> list[str]:
    texts: list[str] = describe_partners(partners, facts.reference)["text"].to_list()
    return texts


def _labels(facts: Facts, encoder: Encodes, centres: Mapping[str, Vectors]) -> tuple[list[list[str]], Vectors]:
    """City sectors and ISIC divisions as (ISIC codes, centred vectors of their names in both languages)."""
    divisions = facts.reference.isic.filter(pl.col("level") == 2).select(
        name_vi=pl.coalesce("title_vi", "title_en"), name_en="title_en", isic=pl.concat_list("code")
    )
    frame = pl.concat([facts.reference.city_sectors.select("name_vi", "name_en", "isic"), divisions])
    codes: list[list[str]] = frame["isic"].to_list()
    if not codes:
        return [], np.zeros((0, centres[CENTRES[0]].shape[0]), dtype=np.float32)
    both = sum(
        (
            unit(_encode(encoder, frame[f"name_{lang}"].to_list(), None) - centres[f"project {lang}"])
            for lang in LANGUAGES
        ),
        np.zeros(1, dtype=np.float32),
    )
    return codes, unit(np.asarray(both))
