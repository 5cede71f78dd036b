"""Texts and vectors of all records: described, encoded and centred, ready to be compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from matcher.matching.describe import LANGUAGES, Glossary, Names, describe_partners, describe_projects
from matcher.matching.sides import Countries, History, PartnerSide, ProjectSide, Sectors
from matcher.matching.snapshot import Snapshot
from matcher.records import Facts
from matcher.text import fold

Vectors = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

CENTRES = (*LANGUAGES, "plain", "partner")
"""Corpora whose means are stored: project texts by language, Vietnamese without diacritics, partner texts."""

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
        known = Names.of(partners["name"].to_list(), facts.reference)
        texts = describe_projects(projects, facts.reference, participants, known)
        raw = {lang: _encode(encoder, texts[lang].to_list(), progress) for lang in LANGUAGES}
        if centres is None:
            plain = sorted({fold(t) for t in texts["vi"].to_list() if t})
            does = sorted(set(_partner_texts(facts, partners)))
            centres = {
                **{lang: _mean(raw[lang]) for lang in LANGUAGES},
                "plain": _mean(_encode(encoder, plain, progress)),
                "partner": _mean(_encode(encoder, does, progress)),
            }
        combined = sum((_centred(raw[lang], centres[lang]) for lang in LANGUAGES), np.zeros(1, dtype=np.float32))
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
        return unit(_centred(_encode(self.encoder, self.partner_texts, None), self.centres["partner"]))

    @cached_property
    def _partners_read(self) -> Floats:
        """ISIC divisions read out of the texts of partners without a code."""
        return self._read(
            self.partners["isic"].to_list(), list(zip(self.partner_texts, self._partner_vectors, strict=True))
        )

    def partner_side(self, as_of: date) -> PartnerSide:
        """The partners as known on a day."""
        return self._side(self.partners, self._partner_vectors, self._partners_read, as_of)

    def side_of_partners(self, frame: pl.DataFrame, texts: Sequence[str], vectors: Vectors, as_of: date) -> PartnerSide:
        """Any partners frame as a side; sectors that no code gives are read from the text."""
        read = self._read(frame["isic"].to_list(), list(zip(texts, vectors, strict=True)))
        return self._side(frame, vectors, read, as_of)

    def _side(self, frame: pl.DataFrame, vectors: Vectors, read: Floats, as_of: date) -> PartnerSide:
        tags = self.facts.reference.activity_tags
        named = {r["tag"]: (r["name_vi"], r["name_en"]) for r in tags.iter_rows(named=True)}
        return PartnerSide.of(frame, self.sectors, vectors, self.facts.footprint, self.countries, as_of, named, read)

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
        vectors = unit(_centred(_encode(self.encoder, [text], None), self.centres["partner"]))
        return self.side_of_partners(frame, [text], vectors, as_of), text

    def vector(self, text: str) -> Vectors:
        """The centred unit vector of a free text; the zero vector for one without a word."""
        raw = _encode(self.encoder, [text], None)[0]
        if not raw.any():
            return np.zeros_like(raw)
        nearest = max((c for c in CENTRES if c != "partner"), key=lambda c: (float(raw @ unit(self.centres[c])), c))
        return unit(np.asarray(raw - self.centres[nearest], dtype=np.float32))

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


def _mean(raw: Vectors) -> Vectors:
    used = raw[raw.any(axis=1)]
    return np.asarray(used.mean(axis=0) if used.size else np.zeros(raw.shape[1]), dtype=np.float32)


def _centred(raw: Vectors, centre: Vectors) -> Vectors:
    return np.where(raw.any(axis=1, keepdims=True), unit(raw - centre), 0.0).astype(np.float32)


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
        return [], np.zeros((0, centres["vi"].shape[0]), dtype=np.float32)
    both = sum(
        (_centred(_encode(encoder, frame[f"name_{lang}"].to_list(), None), centres[lang]) for lang in LANGUAGES),
        np.zeros(1, dtype=np.float32),
    )
    return codes, unit(np.asarray(both))
