"""The learned votes of past projects: what counts, how they are learned, and that nobody is told the future."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from small_world import HERE, BagEncoder, deal, facts, with_rows

from matcher.matching.corpus import Corpus
from matcher.matching.kernel import BACK_OFF, HALF_LIFE, PRIOR, STRENGTHS, Kernel, _Case, similarities
from matcher.matching.snapshot import Snapshot
from matcher.matching.windows import Window
from matcher.records import Facts

DAY = date(2020, 12, 31)
START = np.array([*PRIOR.values(), math.log(HALF_LIFE), math.log(BACK_OFF)])
NAMES = tuple(PRIOR)


def snapshot(known: Facts | None = None, as_of: date | None = None) -> Snapshot:
    known = known or facts()
    return Corpus.of(known, BagEncoder(), None).snapshot(as_of or known.as_of)


def votes(shot: Snapshot, project: str, kernel: Kernel | None = None) -> dict[str, float]:
    found = (kernel or Kernel()).votes(shot, shot.projects.row_of[project])
    return dict(zip(shot.partners.row_of, found.tolist(), strict=True))


def planted(queries: int, *, by: str, seed: int = 1) -> Window:
    """A past in which partners deal with projects that are alike in one attribute, and in nothing else.

    40 past projects, each with one of eight partners of its city or label; as many queries after the day as asked for.
    """
    rng = np.random.default_rng(seed)
    groups = 8
    projects, deals = [], []
    for n in range(40 + queries):
        city, label = int(rng.integers(groups)), int(rng.integers(groups))
        winner = {"city": city, "sector": label}[by]
        projects.append({
            "project_id": f"y{n:03d}", "name_en": "works", "country": "VN", "city": f"City{city}",
            "sector": f"label{label}", "status": "past",
        })  # fmt: skip
        deals.append(deal(n, f"y{n:03d}", f"q{winner}", date(2019 if n < 40 else 2021, 1, 1)))
    partners = [{"partner_id": f"q{g}", "name": f"Xyz{g}", "kind": "company"} for g in range(groups)]
    known = facts(projects=projects, partners=partners, deals=deals, footprint=[])
    shot = snapshot(known, DAY)
    rows = shot.projects.row_of
    labels = {
        rows[d["project_id"]]: np.array([shot.partners.row_of[d["partner_id"]]]) for d in deals[40:]
    }  # fmt: skip
    return Window(snapshot=shot, labels=labels)


def weight(kernel: Kernel, name: str) -> float:
    return kernel.weights[NAMES.index(name)]


def test_similarities_are_what_both_sides_have_in_common() -> None:
    shot = snapshot()
    port = shot.projects.row_of["p-port"]
    found = similarities(shot, port)
    assert found.shape == (shot.n_projects, len(PRIOR))
    near = dict(zip(NAMES, found[shot.projects.row_of["x-port"]].tolist(), strict=True))
    shared = ("sector", "host", "subregion", "continent", "city")
    assert {n: near[n] for n in shared} == pytest.approx({n: shot.rarity(n, port) for n in shared})
    assert (near["area"], near["value"], near["division"], near["section"], near["label"]) == (0, 0, 1, 1, 1)
    assert 0 < near["words"] < 1
    solar = dict(zip(NAMES, found[shot.projects.row_of["x-solar"]].tolist(), strict=True))
    assert {n: solar[n] for n in ("sector", "host", "city")} == {"sector": 0, "host": 0, "city": 0}
    assert solar["subregion"] == near["subregion"]
    vague = similarities(shot, shot.projects.row_of["p-vague"])
    assert (vague[:, [NAMES.index(n) for n in ("sector", "value", "division", "section", "label")]] == 0).all()


def test_the_rarer_what_is_shared_the_nearer() -> None:
    """The rarity of a value is that among other projects with a deal; the asked one itself does not count."""
    shot = snapshot()
    port = shot.projects.row_of["p-port"]
    dealt = [row for row in np.flatnonzero(shot.dealt) if row != port]
    n, having = len(dealt), sum(bool(shot.same("host", port)[row]) for row in dealt)
    assert shot.rarity("host", port) == pytest.approx(math.log((1 + n) / (1 + having)) / math.log(1 + n))
    own = facts(deals=[deal(1, "p-port", "jp-port", date(2019, 1, 1))])
    assert snapshot(own).rarity("host", port) == 0.0


def test_values_are_near_by_their_logarithms() -> None:
    """500 million against 50 million is one power of ten apart."""
    shot = snapshot()
    found = similarities(shot, shot.projects.row_of["p-port"])[:, NAMES.index("value")]
    assert found[shot.projects.row_of["p-hospital"]] == pytest.approx(math.exp(-1))
    assert found[shot.projects.row_of["p-port"]] == 1.0


@pytest.mark.parametrize("project", ["p-port", "p-vague", "x-port"])
def test_votes_are_shares(project: str) -> None:
    found = votes(snapshot(), project)
    assert sum(found.values()) == pytest.approx(1.0)
    assert min(found.values()) >= 0
    assert {q for q, share in found.items() if share == 0} >= {"nobody", "sg-estate", "th-clinic", "us-college"}
    assert found["kr-build"] > 0


def test_without_a_known_deal_nobody_has_a_vote() -> None:
    assert set(votes(snapshot(facts(deals=[])), "p-port").values()) == {0.0}
    own = facts(deals=[deal(1, "p-port", "jp-port", date(2019, 1, 1))])
    assert set(votes(snapshot(own), "p-port").values()) == {0.0}


def test_votes_are_what_one_counts_by_hand() -> None:
    """Two past projects that differ in the city alone; one deal eight years old, one undated: both weigh one half."""
    projects = [
        {"project_id": p, "name_en": "works", "country": "VN", "city": city, "status": "past"}
        for p, city in (("asked", "Hue"), ("far", "Vinh"), ("near", "Hue"))
    ]
    partners = [{"partner_id": q, "name": f"Xyz{q}", "kind": "company"} for q in "abc"]
    day = date(2020, 1, 1)
    deals = [
        deal(1, "near", "a", date(2012, 1, 1)), deal(2, "far", "b", None, counts_from=date(2019, 1, 1)),
        deal(3, "far", "c", day), deal(4, "asked", "c", day),
    ]  # fmt: skip
    known = facts(projects=projects, partners=partners, deals=deals, footprint=[], as_of=day)
    kernel = Kernel(weights=tuple(2.0 if n == "city" else 0.0 for n in NAMES), half_life=8.0, back_off=0.1)
    rare = math.log((1 + 2) / (1 + 1)) / math.log(1 + 2)  # one of the two other projects lies in the same city
    old = 0.5 ** ((day - date(2012, 1, 1)).days / 365.25 / 8)
    far = math.exp(-2 * rare)  # exp(w · s), the largest 1
    popular = {"a": old, "b": 0.5, "c": 1.0}
    spread = 0.1 * (1 + far) / sum(popular.values())
    raw = {"a": old + spread * old, "b": far * 0.5 + spread * 0.5, "c": far * 1.0 + spread * 1.0}
    expected = {q: v / sum(raw.values()) for q, v in raw.items()}
    assert votes(snapshot(known), "asked", kernel) == pytest.approx(expected)


def test_a_projects_own_deals_do_not_vote() -> None:
    own = [deal(900 + n, "p-port", q, date(2025, 1, 1 + n)) for n, q in enumerate(("jp-bank", "nobody", "sg-estate"))]
    before, after = votes(snapshot(), "p-port"), votes(snapshot(with_rows(facts(), "deals", own)), "p-port")
    assert before == after


LATE: list[dict[str, Any]] = [
    deal(900, "x-port", "th-clinic", date(2021, 1, 1)), deal(900, "x-port", "th-clinic", None),
    deal(900, "x-port", "th-clinic", date(2018, 1, 1), counts_from=date(2021, 6, 1)),
]  # fmt: skip


@pytest.mark.parametrize("late", LATE)
def test_a_deal_of_a_later_day_does_not_vote(late: dict[str, Any]) -> None:
    assert votes(snapshot(facts(), DAY), "p-port") == votes(
        snapshot(with_rows(facts(), "deals", [late]), DAY), "p-port"
    )


def cases() -> list[_Case]:
    found = [_Case.of(w.snapshot, p, q) for w in (planted(4, by="city"),) for p, q in w.answered()]
    shot = snapshot()
    rows, who = shot.projects.row_of, shot.partners.row_of
    some = np.array(sorted((who["kr-chips"], who["fr-wind"])))
    return [*found, *(_Case.of(shot, rows[p], some) for p in ("p-port", "x-solar", "p-vague"))]


@pytest.mark.parametrize("at", range(4))
def test_the_slope_is_that_of_the_likelihood(at: int) -> None:
    """Undated deals and several partners of one label included."""
    x = START + np.random.default_rng(at).normal(0.0, 0.5, START.size) * (at > 0)
    for case in cases():
        loss, slope = case.cost(x)
        assert math.isfinite(loss)
        numerical = approx_fprime(x, lambda v, case=case: case.cost(v)[0], 1e-6)
        assert slope == pytest.approx(numerical, abs=2e-5)


def test_the_cost_is_minus_the_logarithm_of_the_votes_that_are_cast() -> None:
    """What is learned is what is served, undated deals included."""
    shot = snapshot()
    row = shot.projects.row_of["p-port"]
    kernel = Kernel(weights=tuple(0.3 * n for n in range(len(NAMES))), half_life=3.0, back_off=0.2)
    found = kernel.votes(shot, row)
    for partner in ("fr-wind", "kr-chips", "jp-bank"):
        label = shot.partners.row_of[partner]
        window = Window(snapshot=shot, labels={row: np.array([label])})
        assert kernel.likelihood([window]) == pytest.approx(math.log(found[label]), abs=1e-6)


def test_few_queries_change_little_and_many_decide() -> None:
    few, many = (Kernel.fit([planted(n, by="city")], strength=20.0, limit=1000) for n in (2, 200))
    assert (few.queries, many.queries) == (2, 200)
    assert np.abs(np.array(few.weights) - list(PRIOR.values())).max() < 0.15
    assert weight(many, "city") > weight(few, "city") + 1
    assert abs(weight(few, "city") - PRIOR["city"]) < 0.15


@pytest.mark.parametrize(("by", "other"), [("city", "sector"), ("sector", "city")])
def test_it_finds_what_makes_projects_alike(by: str, other: str) -> None:
    found = Kernel.fit([planted(200, by=by)], strength=1.0, limit=1000)
    alike = {"city": ("city",), "sector": ("sector", "label")}  # equal labels share their words too
    gained = {of: sum(weight(found, n) - PRIOR[n] for n in names) for of, names in alike.items()}
    assert gained[by] > 0.5
    assert gained[other] < 0
    assert gained[by] > gained[other] + 0.5
    judged = [planted(60, by=by, seed=2)]
    assert found.likelihood(judged) > Kernel().likelihood(judged) / 2  # both below zero


def test_the_stronger_the_draw_the_nearer_to_the_prior() -> None:
    window = planted(60, by="city")
    far = [
        float(np.abs(np.array(Kernel.fit([window], strength=s, limit=1000).weights) - list(PRIOR.values())).sum())
        for s in sorted(STRENGTHS)
    ]
    assert far == sorted(far, reverse=True)


def test_the_same_past_gives_the_same_weights() -> None:
    one, two = (Kernel.fit([planted(30, by="city")], strength=5.0, limit=1000) for _ in range(2))
    assert one == two


def test_only_so_many_queries_are_learned_from() -> None:
    assert Kernel.fit([planted(30, by="city")], strength=5.0, limit=7).queries == 7


@pytest.mark.parametrize("windows", [[], [Window(snapshot=snapshot(), labels={})]])
def test_without_labels_the_prior_stands(windows: Sequence[Window]) -> None:
    found = Kernel.fit(windows, strength=5.0, limit=100)
    assert found == replace(Kernel(), strength=5.0)
    assert (found.weights, found.half_life, found.back_off) == (tuple(PRIOR.values()), HALF_LIFE, BACK_OFF)
    assert found.queries == 0
    assert found.likelihood(windows) == -math.inf


def test_a_partner_without_a_deal_by_then_teaches_nothing() -> None:
    shot = snapshot()
    cold = Window(snapshot=shot, labels={shot.projects.row_of["p-port"]: np.array([shot.partners.row_of["nobody"]])})
    assert Kernel.fit([cold], strength=1.0, limit=10).queries == 0


def test_what_is_saved_is_json_and_comes_back() -> None:
    made = Kernel.fit([planted(30, by="city")], strength=5.0, limit=1000)
    assert Kernel.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize("change", ["missing", "more", "order"])
def test_weights_of_other_similarities_are_refused(change: str) -> None:
    saved = Kernel().to_json()
    names = list(saved["weights"])
    names = {"missing": names[1:], "more": [*names, "colour"], "order": names[::-1]}[change]
    saved["weights"] = dict.fromkeys(names, 1.0)
    with pytest.raises(ValueError, match="fit again"):
        Kernel.from_json(saved)


def test_bounds_hold() -> None:
    """All deals of the queries are the oldest ones: the half-life grows, but not beyond its bound."""
    found = Kernel.fit([planted(200, by="city")], strength=0.0, limit=1000)
    assert 0.5 <= found.half_life <= 60.0
    assert 1e-3 <= found.back_off <= 1.0
    assert np.isfinite(found.weights).all()


def test_an_unsaved_project_is_answered_like_a_saved_one() -> None:
    """The same record under another identifier, read in as a draft, gets the same votes."""
    known = facts()
    corpus = Corpus.of(known, BagEncoder(), None)
    shot = corpus.snapshot(known.as_of)
    frame = known.projects.filter(known.projects["project_id"] == "p-wind")
    side, text = corpus.draft_project(frame.with_columns(project_id=known.projects["project_id"][:1] + "-draft"))
    joined = shot.followed_by(side, [text])
    assert HERE["city"] == frame["city"][0]
    draft = Kernel().votes(joined, shot.n_projects)
    assert draft.sum() == pytest.approx(1.0)
    assert int(np.argmax(draft)) == int(np.argmax(Kernel().votes(shot, shot.projects.row_of["p-wind"])))
