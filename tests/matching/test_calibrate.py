"""Calibration: monotone steps with honest intervals, or a stated reason to abstain."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.matching.calibrate import MIN_POSITIVES, Calibrator


def sample(n: int, slope: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores with at least `MIN_POSITIVES` wins, more frequent at high scores if the slope is positive."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(0, 2, n), 2)
    labels = (rng.random(n) < 1 / (1 + np.exp(2 - slope * scores))).astype(np.int64)
    labels[:MIN_POSITIVES] = 1
    return scores, labels


@settings(max_examples=40, deadline=None)
@given(st.integers(MIN_POSITIVES + 1, 3000), st.floats(-1, 3), st.integers(0, 10**6))
def test_a_higher_score_never_has_a_lower_chance_and_the_interval_holds_it(n: int, slope: float, seed: int) -> None:
    made = Calibrator.fit(*sample(n, slope, seed))
    asked = [made.probability(float(s)) for s in np.linspace(-9, 9, 200)]
    assert made.reason() is None
    for p in asked:
        assert p is not None
        assert 0 <= p.low <= p.value <= p.high <= 1
    values = [p.value for p in asked if p]
    assert values == sorted(values)


def test_few_scores_at_the_bottom_do_not_turn_the_order() -> None:
    """Two losers below a thousand rare winners: little is known of them, yet no more than of those above."""
    scores = np.concatenate([[-5.0, -4.9], np.linspace(0, 1, 100_000)])
    labels = np.zeros(scores.size, dtype=np.int64)
    labels[2::500] = 1
    made = Calibrator.fit(scores, labels)
    low, high = made.probability(-6.0), made.probability(0.5)
    assert low is not None
    assert high is not None
    assert low.value <= high.value


def test_it_finds_the_frequencies() -> None:
    rng = np.random.default_rng(5)
    scores = np.repeat([0.0, 1.0, 2.0], 4000)
    chance = np.repeat([0.05, 0.2, 0.6], 4000)
    made = Calibrator.fit(scores, (rng.random(scores.size) < chance).astype(np.int64))
    for score, expected in ((-1.0, 0.05), (0.0, 0.05), (1.0, 0.2), (2.0, 0.6), (99.0, 0.6)):
        p = made.probability(score)
        assert p is not None
        assert p.low < expected < p.high
        assert p.value == pytest.approx(expected, abs=0.03)
        assert (p.outcome, p.horizon_days) == ("deal", 730)


@pytest.mark.parametrize("positives", [0, 57, MIN_POSITIVES - 1])
def test_with_too_few_labels_it_abstains_and_says_the_numbers(positives: int) -> None:
    labels = np.zeros(3000, dtype=np.int64)
    labels[:positives] = 1
    made = Calibrator.fit(np.arange(3000.0), labels)
    assert made.probability(1.0) is None
    reason = made.reason()
    assert reason is not None
    for lang in ("vi", "en"):
        assert f" {positives} " in reason[lang]
        assert f"{MIN_POSITIVES}" in reason[lang]
    assert reason["vi"] != reason["en"]


def test_numbers_are_written_as_the_reader_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matcher.matching.calibrate.MIN_POSITIVES", 12_000)
    reason = Calibrator.fit(np.arange(5000.0), np.ones(5000, dtype=np.int64)).reason()
    assert reason is not None
    assert "5.000" in reason["vi"]
    assert "12.000" in reason["vi"]
    assert "5,000" in reason["en"]
    assert "12,000" in reason["en"]


def test_no_label_at_all_abstains() -> None:
    assert Calibrator.fit(np.zeros(0), np.zeros(0, dtype=np.int64)).probability(0.0) is None


@pytest.mark.parametrize("positives", [10, 600])
def test_it_survives_json(positives: int) -> None:
    labels = np.zeros(2000, dtype=np.int64)
    labels[-positives:] = 1
    made = Calibrator.fit(np.arange(2000.0), labels)
    again = Calibrator.from_json(json.loads(json.dumps(made.to_json())))
    assert again.reason() == made.reason()
    for score in (-5.0, 1399.5, 1500.0, 9999.0):
        assert again.probability(score) == made.probability(score)
