"""What the simple rankers count, on a world of eight projects where every answer can be counted by hand."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
import small_world
from small_world import AS_OF, DEALS, deal, with_rows

from matcher.matching import counted, fusion, simple
from matcher.matching.corpus import Corpus
from matcher.matching.fusion import Fusion, reciprocal_ranks
from matcher.matching.sides import History, ProjectSide
from matcher.matching.simple import SIMPLE
from matcher.matching.snapshot import BM25_B, BM25_K1, Snapshot
from matcher.matching.windows import Window, first_dealt, spread
from matcher.measures import per_query
from matcher.records import Facts
from matcher.text import tokens


def snapshot(known: Facts | None = None, as_of: date = AS_OF) -> Snapshot:
    known = known or small_world.facts()
    corpus = Corpus.of(known, small_world.BagEncoder(), None)
    projects, partners = corpus.project_side(), corpus.partner_side(as_of)
    texts = [corpus.words(row) for row in range(projects.frame.height)]
    return Snapshot.of(projects, partners, History.of(known.deals, projects, partners, as_of), texts)


def scores(name: str, project: str, shot: Snapshot) -> dict[str, float]:
    values = SIMPLE[name](shot, shot.projects.row_of[project])
    return dict(zip(shot.partners.row_of, values.tolist(), strict=True))


def others(shot: Snapshot, project: str) -> list[tuple[int, int]]:
    """(partner, project) rows of the pairs that may be counted for a project."""
    own = shot.projects.row_of[project]
    pairs = zip(shot.history.partner.tolist(), shot.history.project.tolist(), strict=True)
    return sorted({(q, p) for q, p in pairs if p != own})


def test_popularity_counts_projects_once_and_never_the_project_that_is_asked() -> None:
    shot = snapshot(small_world.facts(deals=[*DEALS, deal(90, "x-port", "jp-port", date(2020, 1, 1))]))
    assert scores("pop", "p-hospital", shot)["jp-port"] == 2.0  # x-port twice, p-port
    assert scores("pop", "x-port", shot)["jp-port"] == 1.0
    assert scores("pop", "x-port", shot)["nobody"] == 0.0


def test_a_pair_is_as_old_as_its_latest_deal_and_four_years_halve_it() -> None:
    on = date(AS_OF.year - 4, AS_OF.month, AS_OF.day)
    shot = snapshot(small_world.facts(deals=[*DEALS, deal(90, "x-port", "jp-bank", on)]))
    row, project = shot.partners.row_of["jp-bank"], shot.projects.row_of["x-port"]
    pair = (shot.pair_partner == row) & (shot.pair_project == project)
    assert shot.pair_age[pair] == pytest.approx((AS_OF - on).days / 365.25)
    without_chips = scores("recent_pop", "x-chips", shot)["jp-bank"]
    assert without_chips == pytest.approx(0.5, abs=1e-3)


def test_an_undated_pair_weighs_as_one_half_life_old() -> None:
    shot = snapshot()  # kr-chips has one dated deal, on x-chips, and an undated one on p-fab
    assert scores("recent_pop", "x-chips", shot)["kr-chips"] == pytest.approx(0.5)


def test_sector_and_host_count_within_their_group_and_popularity_breaks_ties() -> None:
    shot = snapshot()
    sector = scores("sector_pop", "p-port", shot)
    assert sector["jp-port"] == sector["jp-bank"] - simple.FAINT * (
        scores("recent_pop", "p-port", shot)["jp-bank"] - scores("recent_pop", "p-port", shot)["jp-port"]
    ) / max(scores("recent_pop", "p-port", shot).values())
    assert sector["jp-port"] > 1.0 > sector["fr-wind"] > 0.0  # no port: only its popularity elsewhere
    host = scores("host_pop", "x-solar", shot)
    assert host["sg-fund"] == pytest.approx(host["jp-dfi"], abs=simple.FAINT)  # one of its other deals in TH: none
    assert max(host.values()) <= 1.0 + simple.FAINT


@pytest.mark.parametrize("project", ["p-port", "p-vague", "x-chips", "p-wind"])
def test_the_back_off_is_the_smoothed_share_of_deals(project: str) -> None:
    shot = snapshot()
    frame = shot.projects.frame.to_dicts()
    asked = next(r for r in frame if r["project_id"] == project)
    pairs, n = others(shot, project), shot.n_partners

    def share(rows: Sequence[tuple[int, int]], wider: np.ndarray) -> np.ndarray:
        votes = np.zeros(n)
        for q, _ in rows:
            votes[q] += 1
        return (votes + simple.SMOOTHING * wider) / (len(rows) + simple.SMOOTHING)

    overall = np.bincount([q for q, _ in pairs], minlength=n) / len(pairs)
    sector = [(q, p) for q, p in pairs if asked["sector"] and frame[p]["sector"] == asked["sector"]]
    host = [(q, p) for q, p in pairs if frame[p]["country"] == asked["country"]]
    wanted = share(
        [pair for pair in sector if pair in host], (share(sector, overall) + share(host, overall)) / 2
    )  # fmt: skip
    got = SIMPLE["sector_host_backoff"](shot, shot.projects.row_of[project])
    assert got == pytest.approx(wanted, abs=1e-12)


def test_projects_with_more_in_common_are_nearer() -> None:
    shot = snapshot()
    near = simple.attribute_nearness(shot, shot.projects.row_of["p-port"])
    by = dict(zip(shot.projects.row_of, near.tolist(), strict=True))
    assert by["p-port"] > by["x-port"] > by["x-chips"] > by["x-solar"]
    assert (near >= 0).all()


def test_where_all_deals_lie_in_one_country_its_areas_are_the_places() -> None:
    assert snapshot().place == "host"
    inland = [
        {**p, "country": "VN", "region": "south" if i % 2 else "north"} for i, p in enumerate(small_world.PROJECTS)
    ]
    shot = snapshot(small_world.facts(projects=inland))
    assert shot.place == "area"
    asked = shot.projects.row_of["p-hospital"]
    there = {q for q, p in others(shot, "p-hospital") if shot.same("area", asked)[p]}
    best = np.flatnonzero(SIMPLE["host_pop"](shot, asked) > 2 * simple.FAINT)
    assert set(best.tolist()) == there


def test_rare_values_say_more_than_common_ones() -> None:
    shot = snapshot()
    rarity = {p: shot.rarity("host", shot.projects.row_of[p]) for p in ("p-port", "x-solar")}
    assert 0 <= rarity["p-port"] < rarity["x-solar"] <= 1


def test_words_weigh_by_the_projects_with_a_deal_alone() -> None:
    known = small_world.facts()
    shot = snapshot(known)
    strange = known.projects.with_columns(
        pl.when(pl.col("project_id") == "p-vague")
        .then(pl.lit("zebra container port"))
        .otherwise("name_en")
        .alias("name_en")
    )
    changed = snapshot(replace(known, projects=strange))
    asked = shot.projects.row_of["p-port"]
    same = [i for p, i in shot.projects.row_of.items() if p != "p-vague"]
    assert shot.text_nearness(asked)[same] == pytest.approx(changed.text_nearness(asked)[same], abs=1e-12)
    assert changed.idf[changed.attributes.codes["words"]["zebra"]] == 0.0


def test_nearness_of_words_is_a_cosine_and_repeated_words_count_by_their_logarithm() -> None:
    shot = snapshot()
    asked = shot.projects.row_of["x-port"]
    others = [
        set(tokens(shot.texts[p])) for p in np.flatnonzero(shot.dealt) if p != asked
    ]  # its own deals do not count
    having = Counter(w for words in others for w in words)

    def row(project: int) -> dict[str, float]:
        words = Counter(tokens(shot.texts[project]))
        idf = {w: math.log((1 + len(others)) / (1 + having[w])) + 1 for w in words if having[w]}
        raw = {w: (1 + math.log(words[w])) * idf[w] for w in idf}
        length = math.sqrt(sum(v * v for v in raw.values()))
        return {w: v / length for w, v in raw.items()}

    assert shot.dealt[asked]
    own = row(asked)
    expected = [sum(v * own.get(w, 0.0) for w, v in row(p).items()) for p in range(shot.n_projects)]
    assert shot.text_nearness(asked) == pytest.approx(expected)
    assert shot.text_nearness(asked)[asked] == pytest.approx(1.0)


@pytest.mark.parametrize("project", ["p-port", "x-port", "p-hospital"])
def test_word_profiles_are_bm25_of_the_other_projects(project: str) -> None:
    shot = snapshot()
    own = shot.projects.row_of[project]
    every = sorted(set(zip(shot.history.partner.tolist(), shot.history.project.tolist(), strict=True)))
    joined = [[w for q, p in every if q == i for w in tokens(shot.texts[p])] for i in range(shot.n_partners)]
    rest = [[w for q, p in every if q == i and p != own for w in tokens(shot.texts[p])] for i in range(shot.n_partners)]
    n = sum(bool(words) for words in joined)
    mean = sum(map(len, joined)) / n
    wanted = []
    for words in rest:
        total = 0.0
        for w in set(tokens(shot.texts[own])):
            having = sum(w in other for other in joined)
            count = words.count(w)
            idf = np.log(1 + (n - having + 0.5) / (having + 0.5))
            total += idf * count * (BM25_K1 + 1) / (count + BM25_K1 * (1 - BM25_B + BM25_B * len(words) / mean))
        wanted.append(total)
    assert shot.word_profiles(own) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("project", ["p-port", "x-port"])
def test_dense_profiles_are_cosines_with_the_mean_of_the_other_projects(project: str) -> None:
    shot = snapshot()
    own = shot.projects.row_of[project]
    asked = shot.projects.vectors[own].astype(float)
    for i, got in enumerate(shot.dense_profiles(own).tolist()):
        past = [shot.projects.vectors[p].astype(float) for q, p in others(shot, project) if q == i]
        if not past:
            assert np.isnan(got)
        else:
            mean = np.mean(past, axis=0)
            assert got == pytest.approx(mean @ asked / np.linalg.norm(mean), abs=1e-5)


def test_one_project_says_less_than_several_alike() -> None:
    shot = snapshot(with_rows(small_world.facts(), "deals", [deal(91, "x-port", "us-college", date(2020, 1, 1))]))
    twin = replace(shot.projects, vectors=np.tile(shot.projects.vectors[:1], (shot.n_projects, 1)))
    got = SIMPLE["dense_profile"](replace(shot, projects=twin), shot.projects.row_of["p-hospital"])
    many, one = got[shot.partners.row_of["kr-build"]], got[shot.partners.row_of["us-college"]]
    assert 1 > many > one == pytest.approx(0.75, abs=1e-6)


@pytest.mark.parametrize("name", SIMPLE)
def test_every_ranker_answers_for_every_partner_and_gives_nothing_to_one_without_a_deal(name: str) -> None:
    shot = snapshot()
    for project in shot.projects.row_of:
        values = SIMPLE[name](shot, shot.projects.row_of[project])
        assert values.shape == (shot.n_partners,)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
        dealt = {q for q, _ in others(shot, project)}
        for i, value in enumerate(values.tolist()):
            assert (value > 0) == (i in dealt), (name, project, i)


@pytest.mark.parametrize("name", SIMPLE)
def test_no_ranker_learns_of_later_deals(name: str) -> None:
    day = date(2021, 1, 1)
    known = small_world.facts()
    then = replace(known, deals=known.deals.filter(pl.col("counts_from") <= day))
    now = snapshot(known)
    back = now.at(History.of(known.deals, now.projects, now.partners, day))
    # Texts are masked by all deals on both sides, so that only what is counted differs.
    alone = now.at(History.of(then.deals, now.projects, now.partners, day))
    for row in range(now.n_projects):
        assert (SIMPLE[name](back, row) == SIMPLE[name](alone, row)).all()
    assert any((SIMPLE[name](back, row) != SIMPLE[name](now, row)).any() for row in range(now.n_projects))


@pytest.mark.parametrize("name", SIMPLE)
def test_an_unsaved_project_is_ranked_as_if_it_were_saved(name: str) -> None:
    shot = snapshot()
    last = shot.projects.row_of["p-hospital"]  # no deal of its own
    rest = np.delete(np.arange(shot.n_projects), last)

    def part(rows: np.ndarray) -> ProjectSide:
        s = shot.projects
        frame = s.frame[rows.tolist()]
        return ProjectSide(
            frame=frame, divisions=s.divisions[rows], estimated=s.estimated[rows], sections=s.sections[rows],
            vectors=s.vectors[rows], value_usd=s.value_usd[rows],
            row_of={p: i for i, p in enumerate(frame["project_id"].to_list())},
        )  # fmt: skip

    kept = part(rest)
    history = replace(shot.history, project=np.searchsorted(rest, shot.history.project))
    smaller = Snapshot.of(kept, shot.partners, history, [shot.texts[i] for i in rest])
    joined = smaller.followed_by(part(np.array([last])), [shot.texts[last]])
    assert SIMPLE[name](joined, shot.n_projects - 1) == pytest.approx(SIMPLE[name](shot, last), abs=1e-6)


def test_new_projects_of_a_period_are_labels_and_old_ones_are_not() -> None:
    shot = snapshot()
    deals = small_world.facts().deals
    found = first_dealt(deals, shot.projects, shot.partners, after=date(2018, 12, 31), until=date(2024, 3, 1))
    names = {
        list(shot.projects.row_of)[p]: [list(shot.partners.row_of)[q] for q in rows.tolist()]
        for p, rows in found.items()
    }
    assert names == {
        "x-chips": ["jp-bank", "kr-build", "kr-chips", "sg-fund"],
        "x-solar": ["fr-wind", "sg-fund"],  # the deals of April 2024 come too late; x-port is old, p-port later
    }
    late = first_dealt(deals, shot.projects, shot.partners, after=date(2024, 12, 31), until=AS_OF)
    assert [list(shot.projects.row_of)[p] for p in late] == ["p-port"]  # p-fab is new, but its deal has no date


def test_items_are_spread_evenly() -> None:
    assert spread(range(10), 4) == [0, 3, 6, 9]
    assert spread([1, 2], 5) == [1, 2]
    assert spread([], 5) == []


def windows(queries: int = 60) -> list[Window]:
    known = small_world.large(queries, winners=2)
    shot = snapshot(known, date(2019, 12, 31))
    labels = first_dealt(known.deals, shot.projects, shot.partners, after=date(2019, 12, 31), until=date(2025, 12, 31))
    return [Window(snapshot=shot, labels=labels)]


@pytest.fixture(scope="module")
def taught() -> list[Window]:
    return windows(240)


def test_ranks_are_reciprocal_ties_fall_to_the_first_and_no_signal_is_no_rank() -> None:
    assert reciprocal_ranks(np.array([0.0, 2.0, 3.0, 2.0])) == pytest.approx([0.0, 1 / 62, 1 / 61, 1 / 63])


def test_a_fusion_adds_weighted_ranks(taught: list[Window]) -> None:
    shot = taught[0].snapshot
    made = Fusion(parts=(("pop", 2.0), ("tfidf_knn", 0.5)))
    wanted = 2 * reciprocal_ranks(SIMPLE["pop"](shot, 3)) + 0.5 * reciprocal_ranks(SIMPLE["tfidf_knn"](shot, 3))
    assert made(shot, 3) == pytest.approx(wanted)


def test_with_few_queries_the_default_stands() -> None:
    assert Fusion.fit(windows(30), rng=np.random.default_rng(0)) == Fusion() or Fusion().queries == 0
    few = Fusion.fit(windows(30), rng=np.random.default_rng(0))
    assert (few.parts, few.queries) == (fusion.DEFAULT, 0)
    assert Fusion.fit([], rng=np.random.default_rng(0)).parts == fusion.DEFAULT


def test_a_fusion_is_chosen_for_ndcg_and_says_what_it_reached(taught: list[Window]) -> None:
    made = Fusion.fit(taught, rng=np.random.default_rng(0))
    assert made == Fusion.fit(taught, rng=np.random.default_rng(0))
    assert made.queries == len(taught[0].answered()) >= fusion.MIN_QUERIES
    shot = taught[0].snapshot
    run = {
        str(p): {f"{i:03d}": v for i, v in enumerate(made(shot, p).tolist()) if shot.warm[i]} for p in taught[0].labels
    }
    qrels = {str(p): {f"{i:03d}": 1 for i in rows.tolist()} for p, rows in taught[0].answered()}
    values = per_query(qrels, run, "nDCG@10")
    assert made.reached == pytest.approx(np.mean(list(values.values())), abs=1e-3)  # weights are rounded
    single = {
        n: np.mean(list(per_query(qrels, {
            str(p): {f"{i:03d}": v for i, v in enumerate(SIMPLE[n](shot, p).tolist()) if shot.warm[i]}
            for p in taught[0].labels
        }, "nDCG@10").values()))
        for n in ("pop", "host_pop")
    }  # fmt: skip
    assert made.reached > max(single.values())


def test_a_fusion_survives_being_saved_and_refuses_unknown_parts() -> None:
    made = Fusion(parts=(("pop", 0.25), ("attr_knn", 1.0)), queries=44, reached=0.31)
    assert Fusion.from_json(made.to_json()) == made
    again = Fusion.from_json(Fusion().to_json())
    assert again.parts == fusion.DEFAULT
    assert np.isnan(again.reached)
    with pytest.raises(ValueError, match="astrology"):
        Fusion.from_json({"parts": [["astrology", 1.0]], "queries": 0, "reached": None})


def test_counts_are_what_they_are_called(taught: list[Window]) -> None:
    shot = taught[0].snapshot
    project = next(iter(taught[0].labels))
    x = counted.counts(shot, project)
    assert x.shape == (shot.n_partners, len(counted.COUNTS))
    assert (x >= 0).all()
    assert x[:, 0] == pytest.approx(np.log1p(SIMPLE["pop"](shot, project)))
    assert (x[:, 2] <= x[:, 1] + 1e-12).all()
    assert (x[:, 1] <= x[:, 0] + 1e-12).all()
    for name in ("attr_knn_recent", "tfidf_knn", "dense_knn"):
        assert (x[:, counted.COUNTS.index(name)] == SIMPLE[name](shot, project)).all()


class Recorder:
    """Remembers what it was taught; predicts by the popularity."""

    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray) -> None:
        self.x, self.y, self.weight = x, y, sample_weight

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        self.asked = len(x)
        p = x[:, 0] / (1 + x[:, 0])
        return np.column_stack([1 - p, p])


def test_rows_stand_for_every_pair_of_partner_and_query(taught: list[Window], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted, "NEGATIVES", 8)
    learner = Recorder()
    assert counted.taught(learner, taught, limit=20, rng=np.random.default_rng(0))
    asked = spread(taught[0].answered(), 20)
    assert learner.y.sum() == sum(rows.size for _, rows in asked)
    assert learner.weight.sum() == pytest.approx(20 * taught[0].snapshot.warm.sum())
    assert not counted.taught(learner, [], limit=20, rng=np.random.default_rng(0))


def test_partners_far_down_every_list_follow_those_that_are_scored(
    taught: list[Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    shot = taught[0].snapshot
    learner = Recorder()
    full = counted.scores(learner, shot, 9)
    assert learner.asked == (SIMPLE["pop"](shot, 9) > 0).sum()
    assert ((full > 0) == (SIMPLE["pop"](shot, 9) > 0)).all()
    monkeypatch.setattr(counted, "CANDIDATES", 5)
    short = counted.scores(learner, shot, 9)
    scored = short >= 1
    assert 5 <= scored.sum() < (full >= 1).sum()
    assert (short[scored] == full[scored]).all()
    assert short[~scored].max() < 1
