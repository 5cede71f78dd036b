"""How fast short profile texts become vectors, and what sorting, batching and the cache bring."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import numpy as np

from evaluation.bench import Timing, against
from matcher.ingest import encoder_wheel
from matcher.matching import embed
from matcher.matching.embed import CachedEncoder, SentenceEncoder, Vectors

_WORDS = """
cảng biển trung chuyển container terminal operator logistics kho lạnh sân bay đường sắt đô thị metro
semiconductor wafer 半導体 工場 nhà máy điện gió ngoài khơi offshore wind solar battery storage bank fund
ngân hàng quỹ đầu tư bất động sản khu công nghiệp 산업단지 steel chemicals textile dệt may thực phẩm hospital
bệnh viện university đại học waste water xử lý nước thải Singapore Nhật Bản Hàn Quốc Deutschland France
"""
TEXTS = 200


def texts(n: int, rng: np.random.Generator) -> list[str]:
    """Texts of the length of a one-line profile: 3 to 30 words, 12 on average; no two are equal."""
    words = _WORDS.split()
    lengths = np.clip(rng.gamma(4, 3, n).round(), 3, 30).astype(int)
    return [f"{i} " + " ".join(rng.choice(words, length)) for i, length in enumerate(lengths)]


def run(data_dir: Path, seed: int) -> Iterator[Timing]:
    """Ours against the library's own loop, sorted against unsorted batches, batches against single texts, cache."""
    encoder = SentenceEncoder(encoder_wheel.build(data_dir / "models"))
    profiles = texts(TEXTS, np.random.default_rng(seed))
    few = profiles[:50]

    def in_given_order() -> None:
        with mock.patch.object(embed, "_lengths", lambda _model, ready: [0] * len(ready)):
            encoder.encode(profiles)

    library = encoder._load()
    yield against(
        ("one thread for each batch", lambda: encoder.encode(profiles)),
        (
            "all threads on one batch (sentence-transformers' own loop)",
            lambda: library.encode(profiles, show_progress_bar=False),
        ),
        texts=TEXTS,
        encoder=encoder.id,
    )
    yield against(
        ("batches sorted by length", lambda: encoder.encode(profiles)),
        ("batches in the given order", in_given_order),
        texts=TEXTS,
        encoder=encoder.id,
    )
    yield against(
        (f"batches of {embed.BATCH}", lambda: encoder.encode(few)),
        ("one text at a time", lambda: [encoder.encode([text]) for text in few]),
        texts=len(few),
        encoder=encoder.id,
    )
    held: dict[str, Vectors] = {}

    def put(_id: str, vectors: Mapping[str, Vectors]) -> None:
        held.update(vectors)

    cached = CachedEncoder(encoder, lambda _id, keys: {key: held[key] for key in keys if key in held}, put)
    yield against(
        ("vectors from a cache in memory", lambda: cached.encode(few)),
        ("no cache", lambda: encoder.encode(few)),
        texts=len(few),
        encoder=encoder.id,
    )
