"""Rankers: additive, monotone, deaf to gaps; the tree is fitted only when labels allow."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from contract.ranker_contract import RankerContract, rows
from small_world import small_trees

from matcher.errors import SourceError
from matcher.matching import rank
from matcher.matching.features import FEATURES, NAMES
from matcher.matching.rank import BoostedRanker, Group, LinearRanker, fit_tree

LINEAR = LinearRanker(weights=np.array([f.weight for f in FEATURES]), neutral=np.array([f.neutral for f in FEATURES]))


def groups(n: int = 60, *, blanked: int | None = None) -> list[Group]:
    """Queries whose winners differ from the rest in a direction that the linear model weighs too little."""
    made = []
    for g in range(n):
        x = rows(50, seed=g)
        signal = np.nan_to_num(x[:, NAMES.index("momentum")], nan=0.4) + np.nan_to_num(
            x[:, NAMES.index("abroad")], nan=0.4
        )
        y = (signal >= np.sort(signal)[-3]).astype(np.int64)
        if blanked is not None:  # a gap that goes with winning
            x[y == 1, blanked] = np.nan
        made.append(Group(query=f"p{g}@2020", x=x, y=y, candidates=np.arange(50)))
    return made


def boosted(made: list[Group], *, share: float = 0.5, seed: int = 1) -> BoostedRanker:
    monotone = [1 if f.monotone else 0 for f in FEATURES]
    return BoostedRanker(linear=LINEAR, booster=fit_tree(made, LINEAR, monotone=monotone, seed=seed), share=share)


@pytest.fixture(scope="module", autouse=True)
def _small_trees() -> Iterator[None]:
    with small_trees(30):
        yield


@pytest.fixture(scope="module")
def tree() -> BoostedRanker:
    return boosted(groups())


class TestLinearRanker(RankerContract):
    @pytest.fixture
    def ranker(self) -> LinearRanker:
        return LINEAR

    def test_an_unknown_feature_contributes_nothing(self) -> None:
        x = rows()
        parts = LINEAR.contributions(x)
        assert (parts[:, :-1][np.isnan(x)] == 0).all()
        assert (parts[:, -1] == 0).all()


class TestBoostedRanker(RankerContract):
    @pytest.fixture
    def ranker(self, tree: BoostedRanker) -> BoostedRanker:
        return tree

    def test_it_learns_what_the_linear_model_does_not_know(self, tree: BoostedRanker) -> None:
        def place(ranker: rank.Ranker) -> float:
            """Mean place of the winners, 0 at the top."""
            places = [np.argsort(np.argsort(-ranker.score(g.x)))[g.y == 1].mean() for g in groups(80)[60:]]
            return float(np.mean(places))

        assert place(tree) < place(LINEAR) - 1

    def test_a_gap_that_goes_with_winning_teaches_nothing(self) -> None:
        column = NAMES.index("ticket_fit")
        gap, zero = rows(unknown=0.0), rows(unknown=0.0)
        gap[:, column], zero[:, column] = np.nan, FEATURES[column].neutral
        learned = boosted(groups(blanked=column))
        np.testing.assert_array_equal(learned.score(gap), learned.score(zero))

    def test_the_same_labels_and_seed_give_the_same_tree(self) -> None:
        one, two = boosted(groups(20)), boosted(groups(20))
        assert one.booster.model_to_string() == two.booster.model_to_string()

    def test_a_query_that_weighs_nothing_teaches_nothing(self) -> None:
        made, monotone = groups(40), [1 if f.monotone else 0 for f in FEATURES]
        turned = [Group(query=g.query, x=g.x, y=1 - g.y, candidates=g.candidates) for g in groups(80)[40:]]
        weights = np.repeat([1.0, 0.0], 40)
        one, two, ignored = (
            fit_tree(m, LINEAR, monotone=monotone, seed=1, weights=w)
            for m, w in ((made, None), ([*made, *turned], None), ([*made, *turned], weights))
        )
        order = [booster.predict(np.nan_to_num(rows(), nan=0.4)) for booster in (one, two, ignored)]
        assert np.corrcoef(order[0], order[2])[0, 1] > np.corrcoef(order[0], order[1])[0, 1] + 0.03

    def test_no_share_is_the_linear_model(self, tree: BoostedRanker) -> None:
        none = BoostedRanker(linear=LINEAR, booster=tree.booster, share=0.0)
        np.testing.assert_array_equal(none.score(rows()), LINEAR.score(rows()))
        np.testing.assert_array_equal(none.contributions(rows()), LINEAR.contributions(rows()))

    @pytest.mark.parametrize("content", [None, b"", b"tree\nnonsense", b"\xff\xfe\x00"])
    def test_a_missing_or_damaged_tree_is_named(
        self, tree: BoostedRanker, tmp_path: Path, content: bytes | None
    ) -> None:
        saved = rank.save(tree, tmp_path)
        file = tmp_path / "lambdamart.txt"
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(SourceError, match=r"lambdamart\.txt.*matcher fit"):
            rank.load(tmp_path, saved)

    def test_what_is_saved_is_text_and_json(self, tree: BoostedRanker, tmp_path: Path) -> None:
        saved = json.loads(json.dumps(rank.save(tree, tmp_path)))
        np.testing.assert_array_equal(rank.load(tmp_path, saved).score(rows()), tree.score(rows()))
        assert [f.name for f in tmp_path.iterdir()] == ["lambdamart.txt"]
        assert (tmp_path / "lambdamart.txt").read_text(encoding="utf-8").startswith("tree")
