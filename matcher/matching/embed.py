"""Texts to unit vectors: any sentence-transformers model, and a cache that never encodes a text twice."""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from matcher.errors import SourceError
from matcher.ingest import encoder_wheel
from matcher.text import nfc

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (texts done, texts in all)."""

BATCH = 32
"""Texts per forward pass, at most; on 2 cores 32 and 64 were equally fast, 8 and 128 slower."""

# A piece of the vocabularies in use has at most 16 characters, so 512 tokens never reach beyond 8,192.
_CHARACTERS_PER_TOKEN = 16
_E5 = re.compile(r"(^|[-_/])e5([-_]|$)", re.IGNORECASE)
# Files beyond this size are fingerprinted by their ends: hashing 2 GB on every start would take seconds.
_WHOLE_BYTES = 16 << 20
_END_BYTES = 1 << 20


class Encoder(Protocol):
    """Turns texts into unit vectors whose dot product is their similarity.

    Attributes:
        id: model, revision and prefix; vectors are comparable only under equal ids.
        dimensions: length of a vector.
    """

    @property
    def id(self) -> str: ...  # noqa: D102 - described above

    @property
    def dimensions(self) -> int: ...  # noqa: D102 - described above

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """One unit row per text, in the order of the texts: float32, shape (n, dimensions)."""
        ...


class SentenceEncoder:
    """A sentence-transformers model, from a directory or from a model hub; loaded when first needed.

    Texts are brought to NFC, get the prefix, and are read up to the model's limit (512 tokens for the offline
    model). A longer text is cut before it is tokenised, at 16 characters per token, which no 512 tokens exceed:
    100,000 characters take no longer than ten pages. The same text gives the same vector, alone or in a batch.
    Several threads may call it at once.

    Args:
        source: directory of a SentenceTransformer, or a model hub id such as `BAAI/bge-m3`.
        prefix: put before every text; None takes what the model was trained with (`query: ` for the e5 family).
        revision: branch, tag or commit of a hub model; None takes the one in the local hub cache, else the newest.
        batch: texts per forward pass, at most. A text's neighbours in a pass show in the seventh digit of its vector;
            with 1 it has none and the vector is the same to the last bit, for 1.4 times the work.
    """

    def __init__(
        self, source: str | Path, *, prefix: str | None = None, revision: str | None = None, batch: int = BATCH
    ) -> None:
        self._source = str(source)
        self._directory = _directory(self._source)
        self._name = self._directory.name if self._directory else self._source
        self._prefix = default_prefix(self._name) if prefix is None else prefix
        self._asked_revision = revision
        self._batch = batch
        self._model: SentenceTransformer | None = None
        self._workers = 1
        self._pool: ThreadPoolExecutor | None = None
        self._revision: str | None = None
        self._dimensions: int | None = None
        self._lock = threading.RLock()

    @property
    def id(self) -> str:
        """Model name, revision and prefix, e.g. `multilingual-e5-small@a08616f0b8c4+query:`.

        Known without loading the model when it is a directory or lies in the hub cache.

        Raises:
            SourceError: the model is missing or damaged.
        """
        with self._lock:
            if self._revision is None:
                self._identify()
        mark = self._prefix.strip().replace(" ", "_")
        return f"{self._name}@{self._revision}+{mark}"

    @property
    def dimensions(self) -> int:
        """Length of a vector.

        Raises:
            SourceError: the model is missing or damaged.
        """
        with self._lock:
            if self._dimensions is None:
                self._identify()
            if self._dimensions is None:
                self._load()
            if self._dimensions is None:
                raise SourceError(f"The encoder {self._source} does not say how long its vectors are")
            return self._dimensions

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """One unit row per text, in the order of the texts.

        Raises:
            SourceError: the model is missing, damaged or cannot be loaded.
        """
        out = np.empty((len(texts), self.dimensions), dtype=np.float32)
        if not texts:
            return out
        model = self._load()
        limit = _CHARACTERS_PER_TOKEN * (model.max_seq_length or 512)
        ready = [self._prefix + _readable(nfc(text)[:limit]) for text in texts]
        # Neighbours of equal length waste no padding; the longest go first, so that too little memory shows at once.
        order = np.argsort([-n for n in _lengths(model, ready)], kind="stable")
        size = min(max(BATCH, self._batch), -(-len(order) // self._workers))
        batches = [order[start : start + size] for start in range(0, len(order), size)]

        def forward(rows: NDArray[np.intp]) -> Vectors:
            chosen = [ready[row] for row in rows]
            return model.encode(
                chosen, prompt="", batch_size=self._batch, show_progress_bar=False, normalize_embeddings=True
            ).astype(np.float32, copy=False)

        done = 0
        for rows, vectors in zip(batches, self._threads().map(forward, batches), strict=True):
            out[rows] = vectors
            done += len(rows)
            if progress:
                progress(done, len(texts))
        return out

    def _identify(self) -> None:
        """Finds revision and dimensions without loading the model where that is possible."""
        if self._directory is not None:
            if _is_converted(self._directory):
                manifest = encoder_wheel.check(self._directory)
                self._revision, self._dimensions = str(manifest["revision"]), int(manifest["dimensions"])
            else:
                self._revision = _fingerprint(self._directory)
            return
        self._revision = _cached_commit(self._source, self._asked_revision)
        if self._revision is None:
            self._load()

    def _load(self) -> "SentenceTransformer":
        """The model in memory, loaded once by whichever thread comes first."""
        with self._lock:
            if self._model is None:
                if self._directory is not None and self._revision is None:
                    self._identify()
                self._model = self._open()
                self._dimensions = self._model.get_embedding_dimension()
            return self._model

    def _threads(self) -> ThreadPoolExecutor:
        """As many threads as torch would use, each of them working alone on a batch of its own.

        Torch's way, all threads on one batch, makes them wait for each other after every matrix: on a machine
        whose cores are busy otherwise it was four times slower.
        """
        from torch import set_num_threads  # noqa: PLC0415 - only with the model

        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(
                    self._workers, thread_name_prefix="encoder", initializer=set_num_threads, initargs=(1,)
                )
            return self._pool

    def _open(self) -> "SentenceTransformer":
        # Seconds of imports, which a run with all vectors in the cache does not need.
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        from torch import get_num_threads  # noqa: PLC0415

        self._workers = get_num_threads()
        # A hub model is pinned to the commit its id was made of, even if the branch moves on meanwhile.
        revision = None if self._directory else self._revision or self._asked_revision
        local = self._directory is not None
        try:
            with _quiet():
                model = SentenceTransformer(
                    str(self._directory or self._source), device="cpu", revision=revision, local_files_only=local
                )
        except Exception as error:  # four libraries are at work, each with exceptions of its own
            reason = str(error).strip().split("\n", 1)[0]
            way_out = encoder_wheel.REBUILD if local else "set MATCHER_ENCODER to a directory, or connect to the hub"
            raise SourceError(f"The encoder {self._source} cannot be loaded ({reason}); {way_out}") from error
        if self._revision is None:
            self._revision = _commit_of(model) or _cached_commit(self._source, self._asked_revision)
        if self._revision is None:
            raise SourceError(f"The encoder {self._source} has no revision; give a directory or a hub id with one")
        return model


class CachedEncoder:
    """An encoder that looks a text up before it encodes it; equal texts are encoded once.

    Vectors are kept under the inner encoder's id and the sha256 of the text, so those of two encoders never mix.
    New vectors are put every `chunk` texts: a run that is killed has lost little.

    Args:
        encoder: what encodes a text that is not found.
        get: (encoder id, hashes) -> the vectors that are known, by hash.
        put: (encoder id, vectors by hash) keeps them.
        chunk: texts between two puts.
    """

    def __init__(
        self,
        encoder: Encoder,
        get: Callable[[str, list[str]], Mapping[str, NDArray[Any]]],
        put: Callable[[str, Mapping[str, Vectors]], None],
        *,
        chunk: int = 512,
    ) -> None:
        self._encoder, self._get, self._put, self._chunk = encoder, get, put, chunk

    @property
    def id(self) -> str:
        """The inner encoder's id."""
        return self._encoder.id

    @property
    def dimensions(self) -> int:
        """The inner encoder's length of a vector."""
        return self._encoder.dimensions

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """One unit row per text, in the order of the texts; `progress` counts texts found as done."""
        hashes = [text_hash(text) for text in texts]
        wanted = dict(zip(hashes, texts, strict=True))
        known = {
            key: np.asarray(vector, dtype=np.float32)
            for key, vector in (self._get(self.id, list(wanted)) if wanted else {}).items()
        }
        missing = [key for key in wanted if key not in known]
        if progress and texts:
            progress(len(wanted) - len(missing), len(wanted))
        for start in range(0, len(missing), self._chunk):
            keys = missing[start : start + self._chunk]
            done = len(wanted) - len(missing) + start

            def report(n: int, _all: int, done: int = done) -> None:
                if progress:
                    progress(done + n, len(wanted))

            new = dict(zip(keys, self._encoder.encode([wanted[key] for key in keys], progress=report), strict=True))
            self._put(self.id, new)
            known.update(new)
        out = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for row, key in enumerate(hashes):
            out[row] = known[key]
        return out


def text_hash(text: str) -> str:
    """The cache's key of a text: sha256 in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def default_prefix(name: str) -> str:
    """What a model's authors put before every text; the e5 family was trained with it.

    Source: docs/decisions.md, 2026-11-22, encoder: `query: ` on both sides was as good as query and passage.
    """
    return "query: " if _E5.search(name) else ""


def _readable(text: str) -> str:
    """Text without halves of surrogate pairs, which JSON can smuggle in and no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


def _directory(source: str) -> Path | None:
    """The directory that a source names, or None for a hub id.

    Raises:
        SourceError: it is written as a path, and there is no such directory.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return path.absolute()
    if path.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1 or path.name == source:
        raise SourceError(
            f"The encoder's directory {path} is missing; {encoder_wheel.REBUILD} (a hub id is written owner/name)"
        )
    return None


def _is_converted(directory: Path) -> bool:
    """Made by `encoder_wheel`: by its manifest, or, should that be lost, by its name."""
    return directory.name == encoder_wheel.MODEL or (directory / encoder_wheel.MANIFEST).exists()


def _fingerprint(directory: Path) -> str:
    """Twelve hex digits that name a directory's content; of large files size, first and last MiB count."""
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file() and not p.name.startswith(".")):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(directory).as_posix()} {size}\n".encode())
        with path.open("rb") as file:
            if size <= _WHOLE_BYTES:
                digest.update(file.read())
            else:
                digest.update(file.read(_END_BYTES))
                file.seek(-_END_BYTES, 2)
                digest.update(file.read())
    return digest.hexdigest()[:12]


def _cached_commit(name: str, revision: str | None) -> str | None:
    """The commit of a hub model in the local hub cache, None when it is not there."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - only for hub models

    found = try_to_load_from_cache(name, "config.json", revision=revision)
    # .../snapshots/<commit>/config.json
    return Path(found).parent.name if isinstance(found, str) else None


def _commit_of(model: "SentenceTransformer") -> str | None:
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    return getattr(config, "_commit_hash", None)


def _lengths(model: "SentenceTransformer", texts: list[str]) -> list[int]:
    """How long each text is to the model: in tokens, or in characters for a model with another tokenizer."""
    try:
        return [len(ids) for ids in model.tokenizer(texts, truncation=True)["input_ids"]]
    except (AttributeError, KeyError, TypeError):
        return [len(text) for text in texts]


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers draws no bar of its own while a model loads; ours is the one people see."""
    from transformers.utils import logging  # noqa: PLC0415 - only with the model

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
