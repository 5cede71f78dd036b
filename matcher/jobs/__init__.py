"""Work that the command line and the API share: set up, import, fit, match. Resumable, all-or-nothing."""

from dataclasses import dataclass
from pathlib import Path

OFFLINE_ENCODER = "multilingual-e5-small"
"""Name of the encoder that is converted from the pinned wheel and needs no model hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where one installation keeps its things; jobs get it as an argument and read no settings.

    Attributes:
        data_dir: holds what the program makes: models/, artefacts/, runs/, pgdata/.
        reference_dir: holds the reference tables as CSV.
        database_url: PostgreSQL with pgvector; None starts the embedded server under `data_dir`.
        encoder: `OFFLINE_ENCODER`, a folder, or a hub id.
        seed: of everything random in a fit.
    """

    data_dir: Path
    reference_dir: Path
    database_url: str | None
    encoder: str
    seed: int

    @property
    def models(self) -> Path:
        """Folder of converted encoders."""
        return self.data_dir / "models"

    @property
    def artefacts(self) -> Path:
        """Folder of fitted engines, one folder each, and the pointer to the one in use."""
        return self.data_dir / "artefacts"

    @property
    def encoder_path(self) -> str:
        """What the encoder is loaded from: a folder if there is one of that name, else a hub id."""
        if self.encoder == OFFLINE_ENCODER:
            return str(self.models / OFFLINE_ENCODER)
        return self.encoder
