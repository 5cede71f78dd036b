"""The pairs that every fit scores: chosen by identifiers alone, kept with the engine, compared with the next."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_world import BagEncoder, facts, large, small_trees

from matcher.matching import anchors
from matcher.matching.anchors import PARTNERS, PROJECTS, Anchors, chosen, compare
from matcher.matching.engine import Engine
from matcher.records import Facts


@pytest.fixture(scope="module", autouse=True)
def _small_trees() -> Iterator[None]:
    with small_trees():
        yield


def fitted(known: Facts, out: Path) -> tuple[Engine, Anchors]:
    engine = Engine.fit(known, BagEncoder(), seed=1, out=out)
    return engine, anchors.read(out)


def made(n: int, *, shift: float = 0.0, times: float | None = None) -> Anchors:
    return {(f"p{i}", f"q{i}"): (i + shift, None if times is None else 0.001 * (i + 1) * times) for i in range(n)}


def test_the_pairs_depend_on_identifiers_alone_and_most_stay() -> None:
    projects, partners = [f"p{i}" for i in range(300)], [f"q{i}" for i in range(400)]
    before = chosen(projects, partners)
    assert len(before) == PROJECTS
    assert all(len(set(some)) == PARTNERS for _, some in before)
    assert chosen(projects[::-1], partners[::-1]) == before
    after = chosen([*projects, *(f"r{i}" for i in range(30))], [*partners, *(f"s{i}" for i in range(40))])
    kept = {(p, q) for p, some in before for q in some} & {(p, q) for p, some in after for q in some}
    assert len(kept) > 0.6 * PROJECTS * PARTNERS
    assert [project for project, _ in before] != sorted(projects)[:PROJECTS]


def test_an_engine_keeps_the_scores_that_it_gives(tmp_path: Path) -> None:
    known = large(90)
    engine, kept = fitted(known, tmp_path / "one")
    assert len(kept) == PROJECTS * PARTNERS
    assert "anchors.json" in engine.manifest.files
    opened = engine.open(known, BagEncoder())
    for (project, partner), (score, chance) in list(kept.items())[::20]:
        ids, scores = opened.rank_all(project)
        assert scores[ids.index(partner)] == pytest.approx(score, abs=1e-9)
        assert chance is None  # too few deals for a probability


def test_where_probabilities_are_given_every_pair_has_one(tmp_path: Path) -> None:
    known = large(180, winners=8, announced=True)
    engine, kept = fitted(known, tmp_path / "one")
    assert engine.calibrator.reason() is None
    chances = np.array([chance for _, chance in kept.values()], dtype=float)
    assert ((chances > 0) & (chances < 1)).all()


def test_few_records_make_few_pairs(tmp_path: Path) -> None:
    known = facts()
    _, kept = fitted(replace(known, partners=known.partners.head(1)), tmp_path / "one")
    assert 0 < len(kept) <= PROJECTS
    assert anchors.read(tmp_path) == {}


def test_engines_are_compared_on_the_pairs_that_both_scored() -> None:
    told = compare("old", made(50, times=1.0), made(40, shift=0.5, times=1.5))
    assert told is not None
    assert (told.before, told.pairs) == ("old", 40)
    assert told.rank_correlation == pytest.approx(1)
    assert told.score_shift == pytest.approx(0.5)
    assert told.chance_ratio == pytest.approx(1.5)
    assert told.to_json()["pairs"] == 40
    turned = compare("old", made(50), {pair: (-score, None) for pair, (score, _) in made(50).items()})
    assert turned is not None
    assert turned.rank_correlation == pytest.approx(-1)
    assert turned.chance_ratio is None


def test_too_few_common_pairs_say_nothing_and_equal_scores_have_no_order() -> None:
    assert compare("old", made(50), made(anchors.MIN_PAIRS - 1)) is None
    assert compare("old", {}, made(50)) is None
    level = compare("old", made(50), dict.fromkeys(made(50), (1.0, None)))
    assert level is not None
    assert level.rank_correlation == 0
