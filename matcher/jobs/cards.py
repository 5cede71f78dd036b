"""The model card of a fitted engine, read from its folder after a check that nothing there is damaged."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz import process

from matcher.errors import NotFoundError, SourceError
from matcher.jobs import Site
from matcher.jobs.fitting import current
from matcher.matching import card, manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A model card and the engine that it is of."""

    engine: str
    content: Mapping[str, Any]

    def text(self, lang: str) -> str:
        """The card as Markdown, in 'vi' or 'en'."""
        return card.words(self.content, lang)

    def to_json(self) -> dict[str, Any]:
        """The card as the command line prints it."""
        return {"engine": self.engine, **self.content}


def read(site: Site, engine: str | None = None) -> Card:
    """The card of an engine, by its name or folder; of the one in use when none is named.

    Raises:
        NotFoundError: no engine of that name was fitted; `nearby` lists similar ones.
        SourceError: no engine was fitted yet, or its folder is damaged or holds no card.
    """
    folder = current(site) if engine is None else _folder(site, engine)
    described = manifest.read(folder)
    if card.JSON not in described.files:
        raise SourceError(f"{folder} holds no model card ({card.JSON} is missing); refit with `matcher fit`.")
    return Card(engine=described.engine, content=json.loads((folder / card.JSON).read_text(encoding="utf-8")))


def _folder(site: Site, engine: str) -> Path:
    if Path(engine).name == engine and (site.artefacts / engine / manifest.MANIFEST).is_file():
        return site.artefacts / engine
    if (Path(engine) / manifest.MANIFEST).is_file():
        return Path(engine)
    fitted = sorted(p.parent.name for p in site.artefacts.glob(f"*/{manifest.MANIFEST}"))
    nearby = [name for name, _, _ in process.extract(engine, fitted, limit=5)]
    raise NotFoundError(f'There is no engine "{engine}".', nearby)
