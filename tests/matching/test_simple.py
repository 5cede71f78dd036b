"""What the simple rankers count, on a world of eight projects where every answer can be counted by hand."""

from datetime import date

import numpy as np
import pytest

from matcher.matching import simple
from matcher.matching.corpus import Corpus
from matcher.matching.sides import History
from matcher.matching.snapshot import Snapshot
from matcher.records import Facts
from tests import small_world
from tests.small_world import AS_OF, DEALS, deal


def snapshot(known: Facts | None = None, as_of: date = AS_OF) -> Snapshot:
    known = known or small_world.facts()
    corpus = Corpus.of(known, small_world.BagEncoder(), None)
    projects, partners = corpus.project_side(), corpus.partner_side(as_of)
    texts = [corpus.words(row) for row in range(projects.frame.height)]
    return Snapshot.of(projects, partners, History.of(known.deals, projects, partners, as_of), texts)


def scores(name: str, project: str, shot: Snapshot) -> dict[str, float]:
    values = simple.SIMPLE[name](shot, shot.projects.row_of[project])
    return dict(zip(shot.partners.row_of, values.tolist(), strict=True))


def test_popularity_counts_projects_once_and_never_the_project_that_is_asked():
    shot = snapshot(small_world.facts(deals=[*DEALS, deal(90, "x-port", "jp-port", date(2020, 1, 1))]))
    assert scores("pop", "p-hospital", shot)["jp-port"] == 2.0  # x-port twice, p-port
    assert scores("pop", "x-port", shot)["jp-port"] == 1.0
    assert scores("pop", "x-port", shot)["nobody"] == 0.0


def test_a_pair_is_as_old_as_its_latest_deal():
    shot = snapshot(small_world.facts(deals=[*DEALS, deal(90, "x-port", "jp-port", date(2020, 1, 1))]))
    row = shot.pair_age[(shot.pair_partner == shot.partners.row_of["jp-port"])
                        & (shot.pair_project == shot.projects.row_of["x-port"])]  # fmt: skip
    assert row == pytest.approx((AS_OF - date(2020, 1, 1)).days / 365.25)
    old = snapshot()
    assert scores("recent_pop", "p-wind", shot)["jp-port"] > scores("recent_pop", "p-wind", old)["jp-port"]


@pytest.mark.parametrize("name", simple.SIMPLE)
def test_every_ranker_answers_for_every_partner_and_gives_nothing_to_one_without_a_deal(name):
    shot = snapshot()
    for project in shot.projects.row_of:
        values = simple.SIMPLE[name](shot, shot.projects.row_of[project])
        assert values.shape == (shot.n_partners,)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
        own = shot.pair_project != shot.projects.row_of[project]
        cold = np.bincount(shot.pair_partner[own], minlength=shot.n_partners) == 0
        assert (values[cold] == 0).all()
