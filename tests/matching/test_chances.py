"""Chances in lists: the same pair has the same chance however it is asked, and outside the field there is none."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from small_world import BagEncoder, large, small_trees

from matcher.matching.calibrate import FIELD, OUTSIDE
from matcher.matching.catalogue import Catalogue
from matcher.matching.engine import Engine
from matcher.records import Filters, Match, Query


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    with small_trees():
        world = large(180, winners=8, announced=True)
        engine = Engine.fit(world, BagEncoder(), seed=1, out=tmp_path_factory.mktemp("chances") / "engine")
        yield engine.open(world, BagEncoder())


def listed(opened: Catalogue, n: int = 200, filters: Filters = Filters(), **asked: Any) -> list[Match]:  # noqa: B008
    return list(opened.match(Query(**asked), n=n, filters=filters).matches)


def test_the_first_fifty_have_a_chance_and_the_others_a_reason(opened: Catalogue) -> None:
    found = listed(opened, project_id="p-port")
    assert len(found) > FIELD
    values = [m.probability.value for m in found if m.probability]
    assert len(values) == FIELD
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len({m.score for m in found[:FIELD]})
    assert all(m.abstained is None for m in found[:FIELD])
    assert all(m.abstained == OUTSIDE for m in found[FIELD:])


def test_a_filter_or_the_other_side_does_not_change_a_chance(opened: Catalogue) -> None:
    all_of = {m.partner_id: m.probability for m in listed(opened, project_id="p-port")}
    first = next(iter(all_of))
    for m in listed(opened, project_id="p-port", filters=Filters(kind=("bank",))):
        assert m.probability == all_of[m.partner_id]
    (pair,) = [m for m in listed(opened, partner_id=first) if m.project_id == "p-port"]
    assert pair.probability == all_of[first]
    assert opened.explain("p-port", first).match.probability == all_of[first]


def test_a_text_has_chances_too(opened: Catalogue) -> None:
    found = listed(opened, text="container port")
    assert sum(m.probability is not None for m in found) == FIELD
    pages = [*opened.match(Query(text="container port"), n=5).matches]
    pages += opened.match(Query(text="container port"), n=5, offset=5).matches
    assert [m.probability for m in pages] == [m.probability for m in found[:10]]


def test_a_list_has_the_chances_that_an_evaluation_gives(opened: Catalogue) -> None:
    ids, scores = opened.rank_all("p-port")
    told = dict(zip(ids, opened.calibrator.values(scores), strict=True))
    for m in listed(opened, project_id="p-port"):
        if m.probability is None:
            assert np.isnan(told[m.partner_id])
        else:
            assert told[m.partner_id] == pytest.approx(m.probability.value, rel=1e-9)
