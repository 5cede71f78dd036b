"""The one order of the steps: fit on facts, keep as an immutable artefact, open on facts, match."""

import importlib.metadata
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from matcher.errors import ConflictError, InputError, SourceError, StaleArtefactError
from matcher.matching import anchors, card, describe, manifest, rank
from matcher.matching.calibrate import Calibrator
from matcher.matching.catalogue import Catalogue
from matcher.matching.corpus import CENTRES, Corpus, Encodes
from matcher.matching.features import NAMES
from matcher.matching.kernel import Kernel
from matcher.matching.learn import learn
from matcher.matching.manifest import Manifest
from matcher.matching.rank import BoostedRanker, LinearRanker
from matcher.matching.retrieve import LexicalIndex
from matcher.matching.sides import positive
from matcher.records import Facts

Progress = Callable[[str, int, int], None]
"""Called with (step, done, in all)."""


class NamedEncoder(Encodes, Protocol):
    """An encoder that says which model its vectors are of."""

    @property
    def id(self) -> str:
        """Model, revision and prefix."""
        ...


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A fitted engine. Opening it on facts gives a `Catalogue`, which answers queries."""

    manifest: Manifest
    ranker: LinearRanker | BoostedRanker
    kernel: Kernel
    calibrator: Calibrator
    centres: Mapping[str, npt.NDArray[np.float32]]

    @classmethod
    def fit(
        cls, facts: Facts, encoder: NamedEncoder, *, seed: int, out: Path, revision: str | None = None,
        progress: Progress | None = None,
    ) -> "Engine":  # fmt: skip
        """Fits on facts and writes the artefact into the empty folder `out`.

        Every label is a dated deal; every statistic behind it is older than the label's year. Base and share of
        the tree are decided on the latest labels, on which they were not fitted.

        Raises:
            InputError: there are no partners or no projects to fit on.
            ConflictError: there is something in `out`.
        """
        if facts.partners.is_empty() or facts.projects.is_empty():
            raise InputError(
                f"There are {facts.projects.height} projects and {facts.partners.height} partners on "
                f"{facts.as_of.isoformat()}; load some of each with `matcher init` or `matcher import`."
            )
        if out.exists() and any(out.iterdir()):
            raise ConflictError(f"{out} is not empty; an engine is never written over, give another folder.")
        facts = _public(facts)
        corpus = Corpus.of(facts, encoder, None, _step(progress, "encode"))
        learned = learn(corpus, seed=seed, progress=progress)
        calibrator = Calibrator.fit(learned.trials)
        out.mkdir(parents=True, exist_ok=True)
        saved = {**rank.save(learned.ranker, out), "kernel": learned.kernel.to_json()}
        np.savez(out / "centres.npz", **{c: corpus.centres[c] for c in CENTRES})  # type: ignore[arg-type]  # stub lacks **arrays
        told = card.make(facts, learned, calibrator, encoder=encoder.id, describe=describe.VERSION, seed=seed)
        card.write(told, out)
        anchors.write(anchors.score(corpus, learned.ranker, learned.kernel, calibrator), out)
        counts = {
            "projects": facts.projects.height,
            "partners": facts.partners.height,
            "deals": facts.deals.height,
            "positive_deals": positive(facts.deals).height,
            "labelled_queries": learned.queries,
            "held_queries": len(learned.held),
            "trials": len(learned.trials),
            "labels": learned.labels,
        }
        content: dict[str, Any] = {
            "as_of": facts.as_of,
            "features": NAMES,
            "encoder": encoder.id,
            "describe": describe.VERSION,
            "seed": seed,
            "ranker": saved,
            "ranker_note": learned.note,
            "calibration": calibrator.to_json(),
            "metrics": learned.metrics,
            "counts": counts,
            "warning": card.warning(told),
            "versions": _versions(),
            "revision": revision,
            "files": {f.name: manifest.digest(f) for f in sorted(out.iterdir())},
        }
        described = Manifest(engine=manifest.identifier(facts.as_of, content), **content)
        (out / manifest.MANIFEST).write_text(described.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return cls(
            manifest=described, ranker=learned.ranker, kernel=learned.kernel, calibrator=calibrator,
            centres=corpus.centres,
        )  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> "Engine":
        """The engine of an artefact folder.

        Raises:
            SourceError: the artefact is missing or damaged.
            StaleArtefactError: its features or profile texts are not those of this program.
        """
        described = manifest.read(folder)
        if described.features != NAMES:
            odd = sorted(set(described.features) ^ set(NAMES)) or ["their order"]
            raise StaleArtefactError(
                f"The engine {described.engine} was fitted with other features ({', '.join(odd[:5])} differ); "
                "refit with `matcher fit`."
            )
        if described.describe != describe.VERSION:
            raise StaleArtefactError(
                f"The engine {described.engine} was fitted on profile texts of version {described.describe}, "
                f"this program writes {describe.VERSION}; refit with `matcher fit`."
            )
        try:
            with np.load(folder / "centres.npz", allow_pickle=False) as stored:
                centres = {c: stored[c] for c in CENTRES}
        except (OSError, ValueError, KeyError) as error:
            raise SourceError(f"{folder / 'centres.npz'} is damaged ({error}); refit with `matcher fit`.") from error
        return cls(
            manifest=described, ranker=rank.load(folder, described.ranker), kernel=_kernel(described),
            calibrator=Calibrator.from_json(described.calibration), centres=centres,
        )  # fmt: skip

    def open(self, facts: Facts, encoder: NamedEncoder, *, progress: Progress | None = None) -> Catalogue:
        """Describes, encodes and indexes the facts with this engine's stored means.

        Raises:
            StaleArtefactError: the encoder is not the one the engine was fitted with.
        """
        if encoder.id != self.manifest.encoder:
            raise StaleArtefactError(
                f"The engine {self.manifest.engine} was fitted with the encoder {self.manifest.encoder}, "
                f"the encoder in use is {encoder.id}; refit with `matcher fit` or set MATCHER_ENCODER back."
            )
        step = _step(progress, "encode")
        facts = _public(facts)
        corpus = Corpus.of(facts, encoder, self.centres, step)
        return Catalogue(
            engine=self.manifest.engine, corpus=corpus, ranker=self.ranker, kernel=self.kernel,
            calibrator=self.calibrator, snapshot=corpus.snapshot(facts.as_of),
            lexical=LexicalIndex(corpus.partner_texts), warning=self.manifest.warning,
        )  # fmt: skip


def _kernel(described: Manifest) -> Kernel:
    try:
        return Kernel.from_json(described.ranker["kernel"])
    except (KeyError, ValueError) as error:
        raise StaleArtefactError(
            f"The engine {described.engine} compares past projects in another way ({error}); refit with `matcher fit`."
        ) from error


def _step(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)


def _public(facts: Facts) -> Facts:
    """The facts without deals and footprints that count only from a day after `as_of`."""
    later = pl.col("counts_from") > facts.as_of
    return replace(
        facts, **{t: getattr(facts, t).filter(~later.fill_null(False)) for t in ("deals", "footprint")}
    )  # fmt: skip


def _versions() -> dict[str, str]:
    names = ("matcher", "numpy", "polars", "lightgbm", "scikit-learn", "sentence-transformers", "torch")
    return {"python": platform.python_version(), **{n: importlib.metadata.version(n) for n in names}}
