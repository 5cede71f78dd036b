"""What an engine artefact says about itself, and the check that its files are whole."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from matcher.errors import SourceError

MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """The immutable description of a fitted engine.

    Attributes:
        engine: identifier, a hash over everything below and every file.
        features: column names in order; neutral values and weights lie in `ranker`.
        metrics: measure -> mean with its 95 % interval on held time, for every ranker tried and the chosen one.
        counts: how much the fit saw (projects, partners, deals, labelled queries ...).
        warning: what a reader of its lists must be told ('vi', 'en'), as the model card has it; None for nothing.
        files: file name -> sha256.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str
    as_of: date
    features: tuple[str, ...]
    encoder: str
    describe: str
    seed: int
    ranker: dict[str, Any]
    ranker_note: str
    calibration: dict[str, Any]
    metrics: dict[str, dict[str, tuple[float, float, float]]]
    counts: dict[str, int]
    warning: dict[str, str] | None
    versions: dict[str, str]
    revision: str | None
    files: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The manifest as plain JSON values."""
        return self.model_dump(mode="json")


def digest(path: Path) -> str:
    """sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def identifier(as_of: date, content: Mapping[str, Any]) -> str:
    """Engine identifier: the day of its facts and a hash of its content; equal content, equal identifier."""
    text = json.dumps(content, sort_keys=True, default=str, ensure_ascii=False)
    return f"{as_of.isoformat()}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def read(folder: Path) -> Manifest:
    """The manifest of an artefact folder whose files are all whole.

    Raises:
        SourceError: the folder, its manifest or a file is missing or damaged.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SourceError(f"{folder} holds no engine ({MANIFEST} is missing); fit one with `matcher fit`.") from error
    except ValidationError as error:
        raise SourceError(f"{path} is damaged ({error.error_count()} errors); refit with `matcher fit`.") from error
    if identifier(manifest.as_of, manifest.model_dump(exclude={"engine"})) != manifest.engine:
        raise SourceError(f"{path} is damaged (its content does not give its name); refit with `matcher fit`.")
    for name, expected in manifest.files.items():
        if not (folder / name).is_file():
            raise SourceError(f"{folder / name} is missing; refit with `matcher fit`.")
        if digest(folder / name) != expected:
            raise SourceError(f"{folder / name} is damaged (its sha256 differs); refit with `matcher fit`.")
    return manifest
