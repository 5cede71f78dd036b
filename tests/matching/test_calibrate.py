"""Calibration: a strictly rising curve of comparable strengths with honest intervals, or a stated reason to abstain."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.matching.calibrate import FIELD, MIN_POSITIVES, Calibrator, Trial

Floats = np.ndarray


def trial(number: int, scores: Floats, labels: Floats, year: int = 2020) -> Trial:
    """A project asked at the end of a year."""
    return Trial(
        project=f"p{number:04d}", as_of=date(year, 12, 31), partners=np.arange(scores.size), scores=scores,
        labels=labels.astype(np.int64),
    )  # fmt: skip


def world(n: int, *, candidates: int = 120, seed: int = 0, expected: float = 1.5, sharpness: float = 1.0,
          strength: Callable[[np.random.Generator], float] = lambda rng: 1.0) -> list[Trial]:  # fmt: skip
    """Projects whose candidates come true with `expected` x softmax(sharpness x score)."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        scores = strength(rng) * rng.normal(size=candidates) + rng.normal()
        share = np.exp(sharpness * scores)
        made.append(trial(i, scores, rng.random(candidates) < np.minimum(expected * share / share.sum(), 1)))
    return made


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.floats(-1, 3), st.integers(FIELD, 400))
def test_a_higher_score_of_a_list_always_has_a_higher_chance_and_the_interval_holds_it(
    seed: int, sharpness: float, candidates: int
) -> None:
    """Also where scores say nothing, or the contrary."""
    made = Calibrator.fit(world(400, candidates=candidates, seed=seed, sharpness=sharpness))
    assert made.reason() is None
    scores = np.sort(np.random.default_rng(seed).normal(0, 3, candidates))
    field = made.field(scores)
    told = [made.probability(float(s), field) for s in scores[-FIELD:]]
    values = [p.value for p in told if p]
    assert len(values) == FIELD
    assert all(a < b for a, b in itertools.pairwise(values))
    assert all(p is not None and 0 < p.low <= p.value <= p.high < 1 for p in told)


def test_the_top_of_a_list_does_not_saturate() -> None:
    """However far ahead of everything that was ever seen, two scores have two chances."""
    made = Calibrator.fit(world(300))
    scores = np.concatenate([np.zeros(60), [8.0, 8.01, 9.0]])
    values = made.values(scores)[-3:]
    assert (np.diff(values) > 0).all()
    assert values[-1] < 1


def test_it_finds_the_chances_of_projects_it_has_not_seen() -> None:
    made, later = Calibrator.fit(world(600, seed=1)), world(2000, seed=2)
    predicted = np.array([made.values(t.scores) for t in later])
    true = np.array([t.labels for t in later])
    best = ~np.isnan(predicted)
    assert (best.sum(axis=1) == FIELD).all()
    predicted, true = predicted[best], true[best]
    parts = np.array_split(np.argsort(predicted), 5)
    for part in parts:
        assert predicted[part].mean() == pytest.approx(true[part].mean(), rel=0.25)
    assert predicted.sum() == pytest.approx(true.sum(), rel=0.1)


def test_the_interval_holds_what_comes_true() -> None:
    """Of ten groups of equal size at least eight."""
    made = Calibrator.fit(world(600, seed=1))
    told, true = [], []
    for later in world(800, seed=2):
        field = made.field(later.scores)
        for score, label in zip(later.scores.tolist(), later.labels.tolist(), strict=True):
            chance = made.probability(score, field)
            if chance is not None:
                told.append((chance.value, chance.low, chance.high))
                true.append(label)
    rows, came = np.array(told), np.array(true)
    groups = np.array_split(np.argsort(rows[:, 0]), 10)
    assert sum(rows[g, 1].mean() <= came[g].mean() <= rows[g, 2].mean() for g in groups) >= 8


def test_a_score_is_judged_beside_its_rivals() -> None:
    """The same score is worth less in a strong field, and a field may be of any height."""
    made = Calibrator.fit(world(400, strength=lambda rng: float(rng.choice([0.5, 2.0]))))
    rivals = np.random.default_rng(3).normal(size=100)
    weak, strong = np.append(rivals, 4.0), np.append(rivals + 2.0, 4.0)
    assert made.values(weak)[-1] > 2 * made.values(strong)[-1]
    assert made.values(weak + 7.0) == pytest.approx(made.values(weak), rel=1e-9, nan_ok=True)


def test_weak_candidates_in_any_number_change_nothing() -> None:
    made = Calibrator.fit(world(300))
    scores = np.random.default_rng(4).normal(3, 1, FIELD)
    crowd = np.concatenate([scores, np.full(5000, -2.0)])
    np.testing.assert_allclose(made.values(crowd)[:FIELD], made.values(scores), rtol=1e-12)
    assert np.isnan(made.values(crowd)[FIELD:]).all()


def test_what_lies_outside_the_field_teaches_nothing() -> None:
    """Candidates behind the first fifty of a flat list are as strong as those far down a steep one, and never win."""
    rng = np.random.default_rng(8)
    steep, flat, crowded = world(300, candidates=FIELD, seed=7), [], []
    for i in range(300):
        scores, crowd = 2 + 0.1 * rng.normal(size=FIELD), np.full(200, 1.5)
        labels = rng.random(FIELD) < 0.01
        flat.append(trial(1000 + i, scores, labels))
        crowded.append(trial(1000 + i, np.append(scores, crowd), np.append(labels, np.zeros(200))))
    alone, among = Calibrator.fit([*steep, *flat]), Calibrator.fit([*steep, *crowded])
    # Were the crowd counted, chances at its strength would fall to a fifteenth.
    again = replace(among, sharpness=alone.sharpness)
    np.testing.assert_allclose(np.log(again.values(steep[0].scores)), np.log(alone.values(steep[0].scores)), atol=1.0)


def test_outside_the_field_there_is_no_chance() -> None:
    made = Calibrator.fit(world(300))
    scores = np.arange(80.0) / 20
    field = made.field(scores)
    assert made.probability(scores[80 - FIELD], field) is not None
    assert made.probability(scores[80 - FIELD - 1], field) is None


def test_scores_of_another_scale_have_the_same_chances() -> None:
    """Points are a ranker's own matter."""
    trials = world(300)
    made = Calibrator.fit(trials)
    scaled = Calibrator.fit([replace(t, scores=40 * t.scores - 3) for t in trials])
    scores = trials[7].scores
    np.testing.assert_allclose(scaled.values(40 * scores - 3), made.values(scores), rtol=1e-3)


def test_the_promise_and_the_base_rate_are_told() -> None:
    trials = world(300)
    made = Calibrator.fit(trials)
    scores = trials[0].scores
    told = made.probability(float(scores.max()), made.field(scores))
    assert told is not None
    assert (told.outcome, told.horizon_days) == ("deal", 730)
    true = np.concatenate([t.labels for t in trials]).mean()
    assert told.base_rate == pytest.approx(true)


def test_recent_projects_weigh_more() -> None:
    """The rate fell; what is said lies nearer to the later one."""
    early, late = world(300, seed=5, expected=3.0), world(300, seed=6, expected=1.0)
    both = [
        *(replace(t, as_of=date(2010, 12, 31)) for t in early),
        *(replace(t, project=f"q{t.project}") for t in late),
    ]
    drifted, level = (Calibrator.fit(some) for some in (both, [replace(t, as_of=date(2020, 12, 31)) for t in both]))
    scores = late[0].scores
    assert np.nanmean(drifted.values(scores)) < 0.85 * np.nanmean(level.values(scores))


def test_a_project_asked_twice_counts_once() -> None:
    trials = world(300)
    again = [replace(t, as_of=date(2020, 12, 31)) for t in trials]
    once, twice = Calibrator.fit(trials), Calibrator.fit([*trials, *again])
    assert twice.positives == once.positives
    np.testing.assert_allclose(twice.base_rate, once.base_rate)


@pytest.mark.parametrize("positives", [0, 57, MIN_POSITIVES - 1])
def test_with_too_few_labels_it_abstains_and_says_the_numbers(positives: int) -> None:
    labels = np.zeros(3000)
    labels[:positives] = 1
    made = Calibrator.fit([trial(0, np.arange(3000.0), labels)])
    assert made.probability(1.0, made.field(np.arange(3.0))) is None
    assert np.isnan(made.values(np.arange(3.0))).all()
    reason = made.reason()
    assert reason is not None
    for lang in ("vi", "en"):
        assert f" {positives} " in reason[lang]
        assert f"{MIN_POSITIVES}" in reason[lang]
    assert reason["vi"] != reason["en"]


def test_the_same_pair_asked_twice_is_one_positive() -> None:
    one = trial(0, np.arange(150.0), np.ones(150))
    assert Calibrator.fit([one, replace(one, as_of=date(2019, 12, 31))]).reason() is not None


def test_numbers_are_written_as_the_reader_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matcher.matching.calibrate.MIN_POSITIVES", 12_000)
    reason = Calibrator.fit([trial(0, np.arange(5000.0), np.ones(5000))]).reason()
    assert reason is not None
    assert "5.000" in reason["vi"]
    assert "12.000" in reason["vi"]
    assert "5,000" in reason["en"]
    assert "12,000" in reason["en"]


def test_nothing_asked_or_nobody_listed_abstains() -> None:
    none = np.zeros(0)
    assert Calibrator.fit([]).reason() is not None
    made = Calibrator.fit([trial(0, none, none)])
    assert made.probability(0.0, made.field(none)) is None


def test_an_empty_list_has_no_chances() -> None:
    made = Calibrator.fit(world(300))
    assert made.values(np.zeros(0)).shape == (0,)
    assert np.isnan(made.values(np.full((2, 3), np.nan))).all()


@pytest.mark.parametrize("projects", [10, 300])
def test_it_survives_json(projects: int) -> None:
    made = Calibrator.fit(world(projects))
    again = Calibrator.from_json(json.loads(json.dumps(made.to_json())))
    assert again.reason() == made.reason()
    scores = np.random.default_rng(9).normal(size=200)
    field = made.field(scores)
    assert again.field(scores) == field
    for score in scores.tolist():
        assert again.probability(score, field) == made.probability(score, field)
