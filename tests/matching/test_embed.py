import hashlib
import json
import shutil
import socket
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from contract.encoder_contract import TEXTS, EncoderContract

from matcher.errors import SourceError
from matcher.ingest import encoder_wheel
from matcher.matching.embed import CachedEncoder, Encoder, Progress, SentenceEncoder, default_prefix
from matcher.text import nfc

PORT = "Xây dựng cảng trung chuyển quốc tế Cần Giờ"
# First six components as the original model gives them for the text behind "query: ".
GOLDEN = {
    PORT: (0.0371, -0.0677, -0.0150, 0.0127, 0.0417, -0.0321),
    "container terminal operator": (0.0180, -0.0517, -0.0526, -0.0092, 0.0023, -0.0514),
    "半導体工場": (0.0609, -0.0519, -0.0800, -0.0641, 0.0597, -0.0365),
}


class FakeEncoder:
    """A vector drawn from the text's hash; counts what it is asked."""

    def __init__(self, identity: str = "fake@1", dimensions: int = 8) -> None:
        self.id, self.dimensions = identity, dimensions
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> np.ndarray:
        self.asked += texts
        out = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            seed = hashlib.sha256((self.id + nfc(text)).encode()).digest()
            vector = np.random.default_rng(list(seed)).standard_normal(self.dimensions)
            out[row] = vector / np.linalg.norm(vector)
        if progress:
            progress(len(texts), len(texts))
        return out


class Shelf:
    """The cache's two functions over a dict."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, np.ndarray]] = {}
        self.puts: list[int] = []

    def get(self, encoder_id: str, hashes: list[str]) -> dict[str, np.ndarray]:
        shelf = self.held.get(encoder_id, {})
        return {key: shelf[key] for key in hashes if key in shelf}

    def put(self, encoder_id: str, vectors: dict[str, np.ndarray]) -> None:
        self.held.setdefault(encoder_id, {}).update({key: vector.copy() for key, vector in vectors.items()})
        self.puts.append(len(vectors))


class TestFakeEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self) -> Encoder:
        return FakeEncoder()


class TestCachedFakeEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self) -> Encoder:
        shelf = Shelf()
        return CachedEncoder(FakeEncoder(), shelf.get, shelf.put, chunk=2)


class TestSentenceEncoder(EncoderContract):
    """The contract with the offline model, by the session's fixture `encoder`."""


class TestCachedSentenceEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self, encoder: SentenceEncoder) -> Encoder:
        shelf = Shelf()
        return CachedEncoder(encoder, shelf.get, shelf.put)


@pytest.mark.parametrize("text", list(GOLDEN))
def test_the_offline_model_gives_the_original_models_vectors(encoder: SentenceEncoder, text: str) -> None:
    np.testing.assert_allclose(encoder.encode([text])[0, :6], GOLDEN[text], atol=2e-3)


def test_batch_size_does_not_change_a_vector(encoder: SentenceEncoder, model: Path) -> None:
    texts = [*TEXTS, PORT * 12, "a"]
    one_by_one = SentenceEncoder(model, batch=1).encode(texts)
    np.testing.assert_allclose(encoder.encode(texts), one_by_one, atol=1e-5)


def test_encoding_twice_gives_the_same_bytes(encoder: SentenceEncoder) -> None:
    assert encoder.encode(TEXTS).tobytes() == encoder.encode(TEXTS).tobytes()


def test_a_related_text_is_nearer_than_a_strange_one(encoder: SentenceEncoder) -> None:
    port, translation, nursery = encoder.encode([PORT, "Building the Can Gio transshipment port", "nursery school"])
    assert port @ translation > port @ nursery + 0.05


def test_a_text_of_100_000_characters_is_read_up_to_the_limit(encoder: SentenceEncoder) -> None:
    sentence = "Nhà đầu tư điện gió ngoài khơi. "
    ten_pages, endless = sentence * 500, sentence * 3200
    assert len(endless) > 100_000
    np.testing.assert_allclose(encoder.encode([endless]), encoder.encode([ten_pages]), atol=1e-6)


def test_any_model_is_given_composed_text_with_prefix_and_within_its_limit(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Library:
        max_seq_length = 4

        def __init__(self) -> None:
            self.given: list[str] = []

        def get_embedding_dimension(self) -> int:
            return 384

        def encode(self, texts: list[str], **_options: object) -> np.ndarray:
            self.given += texts
            return np.zeros((len(texts), 384), dtype=np.float32)

    library = Library()
    monkeypatch.setattr(SentenceEncoder, "_open", lambda _self: library)
    SentenceEncoder(model, prefix="p: ").encode([unicodedata.normalize("NFD", "Giờ\u200b  cảng"), "a" * 100_000])
    assert sorted(library.given) == ["p: Giờ cảng", "p: " + "a" * 64]


def test_half_a_surrogate_pair_is_read_as_unreadable_not_refused(encoder: SentenceEncoder) -> None:
    assert np.isfinite(encoder.encode(["port \ud83d operator"])).all()


def test_the_prefix_is_part_of_vector_and_id(encoder: SentenceEncoder, model: Path) -> None:
    bare = SentenceEncoder(model, prefix="")
    assert bare.id != encoder.id
    assert np.abs(bare.encode([PORT]) - encoder.encode([PORT])).max() > 1e-3
    np.testing.assert_allclose(bare.encode([f"query: {PORT}"]), encoder.encode([PORT]), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("multilingual-e5-small", "query: "),
        ("intfloat/multilingual-e5-base", "query: "),
        ("BAAI/bge-m3", ""),
        ("some/place5-model", ""),
    ],
)
def test_only_the_e5_family_gets_a_prefix_by_default(name: str, prefix: str) -> None:
    assert default_prefix(name) == prefix


def test_threads_that_come_first_together_load_one_model(model: Path) -> None:
    fresh = SentenceEncoder(model)
    rows: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: rows.append(fresh.encode([PORT]))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows) == 3
    assert np.ptp(np.stack(rows), axis=0).max() < 1e-6


def test_id_and_dimensions_are_known_without_importing_torch(model: Path) -> None:
    program = (
        "import sys; from matcher.matching.embed import SentenceEncoder; e = SentenceEncoder(sys.argv[1]); "
        "print(e.id, e.dimensions); sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(model)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    revision = json.loads((model / "manifest.json").read_text())["revision"]
    assert done.stdout.split() == [f"multilingual-e5-small@{revision}+query:", "384"]


def test_a_model_on_disk_needs_no_network(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("a model on disk went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert SentenceEncoder(model).encode([PORT]).shape == (1, 384)


def test_a_plain_sentence_transformer_directory_is_taken_too(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "own-model"
    shutil.copytree(model, other, copy_function=_link)
    (other / "manifest.json").unlink()
    (other / "checked.json").unlink(missing_ok=True)
    first = SentenceEncoder(other, prefix="query: ")
    assert first.id.startswith("own-model@")
    np.testing.assert_allclose(first.encode([PORT])[0, :6], GOLDEN[PORT], atol=2e-3)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").unlink()
    (other / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    assert SentenceEncoder(other, prefix="query: ").id != first.id


def test_a_missing_directory_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"multilingual-e5-small is missing; run `matcher init`"):
        SentenceEncoder(tmp_path / "models" / "multilingual-e5-small")


def test_a_hub_model_that_cannot_be_had_names_the_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(SourceError, match=r"nobody/no-such-model cannot be loaded .*MATCHER_ENCODER"):
        _ = SentenceEncoder("nobody/no-such-model").id


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "changed"])
def test_a_damaged_file_is_named_with_the_way_out(model: Path, tmp_path: Path, name: str, damage: str) -> None:
    broken = tmp_path / model.name
    shutil.copytree(model, broken, copy_function=_link)
    path = broken / name
    whole = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "changed":
        at = whole.index(b'"revision":"') + 12 if name == "manifest.json" else len(whole) // 2
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(SourceError) as refusal:
        SentenceEncoder(broken).encode([PORT])
    assert str(path) in str(refusal.value)
    assert "`matcher init`" in str(refusal.value)


def test_an_untouched_model_is_hashed_once(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    real = encoder_wheel._sha256
    monkeypatch.setattr(encoder_wheel, "_sha256", lambda path: (hashed.append(path.name), real(path))[1])
    copy = tmp_path / model.name
    shutil.copytree(model, copy, copy_function=_link)
    (copy / "checked.json").unlink(missing_ok=True)
    encoder_wheel.check(copy)
    assert "model.safetensors" in hashed
    hashed.clear()
    encoder_wheel.check(copy)
    assert "model.safetensors" not in hashed
    assert "tokenizer.json" in hashed


def test_what_is_cached_is_not_encoded_again() -> None:
    shelf, inner = Shelf(), FakeEncoder()
    first = CachedEncoder(inner, shelf.get, shelf.put).encode(["a", "b", "a"])
    assert sorted(inner.asked) == ["a", "b"]
    again = CachedEncoder(inner, shelf.get, shelf.put).encode(["b", "a", "c"])
    assert sorted(inner.asked) == ["a", "b", "c"]
    assert first[0].tobytes() == first[2].tobytes() == again[1].tobytes()
    assert first[1].tobytes() == again[0].tobytes()


def test_vectors_of_two_encoders_never_mix() -> None:
    shelf = Shelf()
    one, two = FakeEncoder("fake@1", 8), FakeEncoder("fake@2", 8)
    first = CachedEncoder(one, shelf.get, shelf.put).encode(["a"])
    second = CachedEncoder(two, shelf.get, shelf.put).encode(["a"])
    assert two.asked == ["a"]
    assert not np.allclose(first, second)
    assert set(shelf.held) == {"fake@1", "fake@2"}


def test_a_killed_run_keeps_the_chunks_it_finished() -> None:
    class Dying(FakeEncoder):
        def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> np.ndarray:
            if len(self.asked) >= 4:
                raise KeyboardInterrupt
            return super().encode(texts, progress=progress)

    shelf, texts = Shelf(), [str(n) for n in range(10)]
    with pytest.raises(KeyboardInterrupt):
        CachedEncoder(Dying(), shelf.get, shelf.put, chunk=2).encode(texts)
    assert shelf.puts == [2, 2]
    inner = FakeEncoder()
    CachedEncoder(inner, shelf.get, shelf.put, chunk=2).encode(texts)
    assert inner.asked == texts[4:]


def test_a_decomposed_text_of_a_cached_one_has_its_vector(encoder: SentenceEncoder) -> None:
    shelf = Shelf()
    cached = CachedEncoder(encoder, shelf.get, shelf.put)
    np.testing.assert_allclose(cached.encode([unicodedata.normalize("NFD", PORT)]), cached.encode([PORT]), atol=1e-6)


def _link(source: str, target: str) -> None:
    Path(target).symlink_to(source)
