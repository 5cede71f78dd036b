"""Stored runs: found for what they were made of, never for anything else, whole or not at all."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small_world import REFERENCE

from evaluation import runs
from evaluation.runs import Made, RunCache, digest_of, key
from matcher.measures import Ranking

PARTS = {"dataset": "d", "ranker": "pop", "seed": 0, "encoder": "e", "reference": "r", "depth": 1000}


def made(name: str = "pop", *, probable: bool = True, seed: int = 0) -> Made:
    scores = np.random.default_rng(seed).random((3, 4))
    scores[1, 2:] = np.nan
    ranking = Ranking.of_scores(("q1", "q2", "q3"), ("a", "b", "c", "đ"), scores, depth=3)
    return Made(
        name=name, ranking=ranking, probabilities=np.where(ranking.scores > 0.5, 0.25, np.nan) if probable else None,
        abstained=None if probable else "too few", seconds=1.5, note="chọn trên kỳ trước",
    )  # fmt: skip


def same(one: Made | None, other: Made) -> bool:
    assert one is not None
    for a, b in ((one.ranking.places, other.ranking.places), (one.ranking.scores, other.ranking.scores)):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert (one.probabilities is None) == (other.probabilities is None)
    if one.probabilities is not None:
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
    told = ("name", "abstained", "seconds", "note")
    assert [getattr(one, x) for x in told] == [getattr(other, x) for x in told]
    return one.ranking.queries == other.ranking.queries and one.ranking.candidates == other.ranking.candidates


@pytest.mark.parametrize("probable", [True, False])
def test_a_run_comes_back_as_it_was(probable: bool, tmp_path: Path) -> None:
    cache = RunCache(folder=tmp_path / "not there yet")
    assert cache.get("k") is None
    cache.put("k", made(probable=probable))
    assert same(cache.get("k"), made(probable=probable))
    assert cache.get("other") is None


@pytest.mark.parametrize("part", PARTS)
def test_a_run_of_something_else_has_another_name(part: str) -> None:
    assert key(**PARTS) == key(**dict(reversed(PARTS.items())))
    assert key(**PARTS) != key(**{**PARTS, part: "another"})


def test_other_code_has_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("matcher/matching/engine.py", "matcher/text.py", "matcher/ingest/tables.py", "evaluation/blind.py",
             "evaluation/report.py", "evaluation/slices.py")  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    monkeypatch.setattr(runs, "_SOURCES", tmp_path)

    def after(name: str) -> bool:
        runs.code_digest.cache_clear()
        before = key(**PARTS)
        (tmp_path / name).write_text("two")
        runs.code_digest.cache_clear()
        return key(**PARTS) != before

    try:
        assert {n: after(n) for n in names} == {n: n not in names[4:] for n in names}
        runs.code_digest.cache_clear()
        before = key(**PARTS)
        monkeypatch.setattr(runs.importlib.metadata, "version", lambda _name: "0")
        runs.code_digest.cache_clear()
        assert key(**PARTS) != before
    finally:
        runs.code_digest.cache_clear()


def test_every_module_that_only_tells_of_runs_is_there() -> None:
    """A renamed module must not stay in the list of those that runs do not depend on."""
    assert {name for name in runs._REPORTING if not (runs._SOURCES / name).is_file()} == set()


def test_other_reference_tables_have_another_digest() -> None:
    ties = REFERENCE.country_ties
    other = replace(REFERENCE, country_ties=ties.with_columns(name=pl.lit("another")))
    assert digest_of(REFERENCE) == digest_of(replace(REFERENCE, country_ties=ties.clone()))
    assert digest_of(REFERENCE) != digest_of(other)


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped", "another file", "no text", "folder"])
def test_a_damaged_run_is_made_again(damage: str, tmp_path: Path) -> None:
    cache = RunCache(folder=tmp_path)
    cache.put("k", made())
    path = tmp_path / "k.npz"
    whole = path.read_bytes()
    if damage == "another file":
        np.savez(path, something=np.zeros(3))
    elif damage == "no text":
        np.savez(path, told=np.array("[1]"), places=np.zeros((1, 1)), scores=np.zeros((1, 1)))
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        middle = len(whole) // 2
        path.write_bytes({
            "empty": b"", "text": b"no run" * 100, "cut": whole[:middle],
            "flipped": whole[:200] + bytes([whole[200] ^ 255]) + whole[201:],
        }[damage])  # fmt: skip
    assert cache.get("k") is None
    if damage != "folder":
        cache.put("k", made())
        assert same(cache.get("k"), made())


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Path, _target: Path) -> None:
        raise OSError("no space left")

    cache = RunCache(folder=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="no space"):
            cache.put("k", made())
    assert list(tmp_path.iterdir()) == []
    assert cache.get("k") is None


def test_a_killed_write_leaves_no_run(tmp_path: Path) -> None:
    """The process dies when everything is written but the name."""
    program = (
        "import sys; sys.path[:0] = [sys.argv[2], sys.argv[3]]\n"
        "import os, signal; from pathlib import Path\n"
        "from evaluation.runs import RunCache; from test_runs import made\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "RunCache(folder=Path(sys.argv[1])).put('k', made())\n"
    )
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(here), str(here.parent)], check=False, cwd=here.parents[1]
    )
    assert done.returncode == -signal.SIGKILL
    assert RunCache(folder=tmp_path).get("k") is None
    RunCache(folder=tmp_path).put("k", made())
    assert same(RunCache(folder=tmp_path).get("k"), made())


def test_many_writers_and_readers_never_meet_half_a_run(tmp_path: Path) -> None:
    cache = RunCache(folder=tmp_path)
    cache.put("k", made())

    def work(number: int) -> bool:
        if number % 2:
            cache.put("k", made())
            return True
        return same(cache.get("k"), made())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(80)))
    assert [p.name for p in tmp_path.iterdir()] == ["k.npz"]
