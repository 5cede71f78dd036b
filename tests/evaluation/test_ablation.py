"""`ablation`: a fit without a reason's features, asked the same queries; what nothing hangs on is worth nothing."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from small_world import BagEncoder, facts, large, small_trees

from evaluation import ablation
from evaluation.ablation import ablate
from matcher.errors import InputError
from matcher.matching import learn
from matcher.matching.corpus import Corpus
from matcher.matching.features import FEATURES, compute
from matcher.records import Facts

Evaluate = Callable[..., int]


@pytest.fixture(scope="module", autouse=True)
def _small_trees() -> Iterator[None]:
    with small_trees(3):
        yield


@pytest.fixture(scope="module")
def world() -> Facts:
    return large(90)


@pytest.fixture(scope="module")
def found(world: Facts) -> ablation.Ablation:
    return ablate(world, BagEncoder(), name="small", seed=7, reasons=("readiness", "text"))


def test_the_whole_is_what_a_fit_measures(world: Facts, found: ablation.Ablation) -> None:
    learned = learn.learn(Corpus.of(world, BagEncoder(), None), seed=7)
    assert found.queries == len(learned.held)
    assert found.ndcg == pytest.approx(learned.metrics["chosen"]["nDCG@10"][0], abs=1e-9)
    assert found.chosen == learned.note


def test_a_reason_that_orders_nothing_within_a_query_is_worth_nothing(found: ablation.Ablation) -> None:
    worth = {one.reason: one for one in found.reasons}
    assert worth["readiness"].worth == worth["readiness"].low == worth["readiness"].high == 0
    assert worth["readiness"].features == ("readiness",)
    assert worth["text"].low <= worth["text"].worth <= worth["text"].high
    assert list(found.reasons) == sorted(found.reasons, key=lambda w: -w.worth)


def test_without_any_feature_nothing_is_left(world: Facts) -> None:
    corpus = Corpus.of(world, BagEncoder(), None)
    whole, _ = learned = ablation._fitted(corpus, (), 7)
    blank, without = ablation._fitted(corpus, range(len(FEATURES)), 7)
    assert all(np.isnan(g.x).all() for g in blank.held)
    assert not all(np.isnan(g.x).all() for g in whole.held)
    assert without.mean() < learned[1].mean() - 0.1
    assert [g.query for g in blank.held] == [g.query for g in whole.held]


def test_the_program_is_as_before_afterwards(found: ablation.Ablation) -> None:
    assert learn.compute is compute
    assert learn.PER_ORIGIN > ablation.PER_ORIGIN


def test_the_table_can_stand_in_the_guide(found: ablation.Ablation) -> None:
    lines = found.table().splitlines()
    assert lines[0].startswith(f"small: {found.queries} held-out queries, nDCG@10 0.")
    assert lines[2] == "| without | features | nDCG@10 lost | p |"
    assert "| readiness | 1 | +0.000 (+0.000 to +0.000) | 1.00 |" in lines


def test_too_few_deals_are_refused() -> None:
    with pytest.raises(InputError, match="too few dated deals"):
        ablate(facts(), BagEncoder(), name="small", seed=0)
    with pytest.raises(InputError, match="no partners"):
        ablate(facts(partners=[], deals=[], footprint=[]), BagEncoder(), name="small", seed=0)


def test_the_command_measures_a_data_set(
    evaluate: Evaluate, small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn.rank, "MIN_QUERIES", 5)
    monkeypatch.setattr(ablation, "REASONS", ("text",))
    assert evaluate("ablation", small, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["name"] == "small_world"
    assert [r["reason"] for r in told["reasons"]] == ["text"]
    assert told["queries"] >= learn.SOME_HELD
    assert 0 <= told["ndcg"] <= 1
