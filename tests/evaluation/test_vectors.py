"""The file of vectors: a text is encoded once, two encoders never mix, a damaged file says so."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.vectors import FILE, cached
from matcher.errors import SourceError


class Counting:
    dimensions = 3

    def __init__(self, name: str, value: float) -> None:
        self.id, self.value, self.seen = name, value, 0

    def encode(self, texts, *, progress=None):
        self.seen += len(texts)
        return np.full((len(texts), 3), self.value, dtype=np.float32)


def test_a_text_is_encoded_once_by_each_encoder(tmp_path: Path) -> None:
    first, second = Counting("a", 0.5), Counting("b", 0.25)
    texts = [f"text {i}" for i in range(1200)]
    assert (cached(first, tmp_path / FILE).encode([*texts, texts[0]]) == 0.5).all()
    assert first.seen == 1200
    again = cached(first, tmp_path / FILE).encode(texts)
    assert first.seen == 1200
    assert again.shape == (1200, 3)
    assert again.dtype == np.float32
    assert (cached(second, tmp_path / FILE).encode(texts) == 0.25).all()
    assert second.seen == 1200


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(SourceError, match=r"vectors\.sqlite is not a file of vectors"):
        cached(Counting("a", 1.0), tmp_path / FILE)
