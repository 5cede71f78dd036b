"""Slices by hand, against a second reading of the rules in sets, and laws that hold for any dataset."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_matches import DEALS, matches, withheld
from small_world import REFERENCE

from evaluation import slices
from evaluation.datasets import Dataset
from evaluation.results import MEASURES, SLICES, Comparison
from evaluation.slices import Slicing, compare, holm_table, language, score
from matcher.measures import Ranking, chance, per_query

NAMES = "abcdef"

# slice -> query -> (relevant, candidates); a query without a relevant partner in the slice has ("", None).
BY_HAND: dict[str, dict[str, tuple[str, str | None]]] = {
    "full": {"q1": ("ace", "abcdef"), "q2": ("bd", "abcdef"), "q3": ("d", "abcdef"), "q4": ("af", "abcdef"),
             "q5": ("f", "abcdef"), "q6": ("", None)},
    "warm": {"q1": ("ac", "abcd"), "q2": ("bd", "abcd"), "q3": ("d", "abcd"), "q4": ("a", "abcd"), "q5": ("", None),
             "q6": ("", None)},
    "new_pairs": {"q1": ("c", "cd"), "q2": ("d", "d"), "q3": ("", None), "q5": ("", None), "q6": ("", None)},
    "asean": {"q1": ("ac", "abcd"), "q2": ("bd", "abcd"), "q5": ("", None), "q6": ("", None)},
    "vietnam": {"q1": ("ac", "abcd"), "q5": ("", None), "q6": ("", None)},
    "cold_full_pool": {"q1": ("e", "bdef"), "q2": ("", None), "q3": ("", None), "q4": ("f", "bcdef"),
                       "q5": ("f", "abcdef"), "q6": ("", None)},
    "cold_pool": {"q1": ("e", "ef"), "q2": ("", None), "q3": ("", None), "q4": ("f", "ef"), "q5": ("f", "ef"),
                  "q6": ("", None)},
    "cold_sector": {"q3": ("d", "abcd")},
    "popularity_low": {"q1": ("c", "bcd"), "q2": ("d", "acd"), "q3": ("d", "abcd"), "q4": ("", None), "q5": ("", None),
                       "q6": ("", None)},
    "popularity_mid": {"q1": ("", None), "q2": ("b", "abc"), "q3": ("", None), "q4": ("", None), "q5": ("", None),
                       "q6": ("", None)},
    "popularity_high": {"q1": ("a", "abd"), "q2": ("", None), "q3": ("", None), "q4": ("a", "abcd"), "q5": ("", None),
                        "q6": ("", None)},
}  # fmt: skip


def masks(dataset: Dataset) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    whole = Slicing.of(dataset, REFERENCE)
    shape = (len(whole.queries), len(whole.candidates))
    return {name: (asked, relevant, np.broadcast_to(allow, shape)) for name, asked, relevant, allow in whole}


def by_popularity(dataset: Dataset, depth: int | None = None) -> Ranking:
    """oa, ob, ... for every query."""
    candidates = tuple(dataset.partners["partner_id"])
    scores = np.tile(-np.arange(len(candidates), dtype=float), (len(dataset.queries), 1))
    return Ranking.of_scores(dataset.queries, candidates, scores, depth=depth)


def at_random(dataset: Dataset, seed: int, depth: int | None = None) -> Ranking:
    candidates = tuple(dataset.partners["partner_id"])
    scores = np.random.default_rng(seed).random((len(dataset.queries), len(candidates)))
    return Ranking.of_scores(dataset.queries, candidates, scores, depth=depth)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two queries are enough for a slice of a family."""
    monkeypatch.setattr(slices, "ENOUGH", 2)


@pytest.mark.parametrize("name", SLICES)
def test_every_slice_by_hand(name: str) -> None:
    asked, relevant, allow = masks(matches())[name]
    found: dict[str, tuple[str, str | None]] = {}
    for i in range(6):
        answers = "".join(c for c, r in zip(NAMES, relevant[i], strict=True) if r)
        pool = "".join(c for c, a in zip(NAMES, allow[i], strict=True) if a)
        if asked[i]:
            found[f"q{i + 1}"] = (answers, pool if answers else None)
        else:
            assert not answers
    assert found == BY_HAND[name]


def test_figures_by_hand() -> None:
    """The order is oa, ob, oc ... everywhere: ranks among the candidates can be read off the table above."""
    figures = score(matches(), REFERENCE, by_popularity(matches()), run="pop", seed=1).figures
    rr = {
        name: (figures[name]["RR"].mean, figures[name]["RR"].queries, figures[name]["RR"].left_out) for name in SLICES
    }
    assert rr == {
        "full": (pytest.approx((1 + 1 / 2 + 1 / 4 + 1 + 1 / 6) / 5), 5, 1),
        "warm": (pytest.approx((1 + 1 / 2 + 1 / 4 + 1) / 4), 4, 2),
        "new_pairs": (pytest.approx(1.0), 2, 3),
        "asean": (pytest.approx((1 + 1 / 2) / 2), 2, 2),
        "vietnam": (pytest.approx(1.0), 1, 2),
        "cold_full_pool": (pytest.approx((1 / 3 + 1 / 5 + 1 / 6) / 3), 3, 3),
        "cold_pool": (pytest.approx((1 + 1 / 2 + 1 / 2) / 3), 3, 3),
        "cold_sector": (pytest.approx(1 / 4), 1, 0),
        "popularity_low": (pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3), 3, 3),
        "popularity_mid": (pytest.approx(1 / 2), 1, 5),
        "popularity_high": (pytest.approx(1.0), 2, 4),
    }
    assert figures["warm"]["RR"].with_all == pytest.approx((1 + 1 / 2 + 1 / 4 + 1) / 6)
    ndcg = (1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert figures["vietnam"]["nDCG@10"].mean == pytest.approx(ndcg)


def test_families_by_hand(few: None) -> None:
    found = {n: m for n, m in masks(matches()).items() if ":" in n}
    relevant = {
        name: {
            f"q{i + 1}": "".join(c for c, r in zip(NAMES, rows[i], strict=True) if r) for i in range(6) if rows[i].any()
        }
        for name, (_, rows, _) in found.items()
    }
    warm = {"q1": "ac", "q2": "bd", "q3": "d", "q4": "a"}
    assert relevant == {
        # One query each has Ports, Energy, Tourism: none is enough. q4 has no sector.
        "sector:other": {q: warm[q] for q in ("q1", "q2", "q3")}, "sector:unknown": {"q4": "a"},
        "sector_section:other": {q: warm[q] for q in ("q1", "q2")},  # H and D
        "sector_section:unknown": {q: warm[q] for q in ("q3", "q4")},  # 55 is not in the reference
        "language:other": warm,
        "language:unknown": {},
        "kind:bank": {"q2": "d", "q3": "d"}, "kind:company": {"q1": "ac", "q4": "a"}, "kind:other": {"q2": "b"},
        "home:JP": {"q1": "ac", "q4": "a"}, "home:other": {"q2": "b"}, "home:unknown": {"q2": "d", "q3": "d"},
    }  # fmt: skip
    asked = {name: "".join(str(i + 1) for i in range(6) if q[i]) for name, (q, _, _) in found.items()}
    assert asked["sector:other"] == "12356"
    assert asked["language:other"] == "12345"
    assert asked["language:unknown"] == "6"
    assert asked["kind:bank"] == "123456"
    pool = found["kind:bank"][2]
    assert "".join(c for c, a in zip(NAMES, pool[1], strict=True) if a) == "acd"  # q2: less ob, right but no bank


def test_a_value_with_enough_queries_has_its_own_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "ENOUGH", 1)
    names = {s.name for s in Slicing.of(matches(), REFERENCE).slices}
    assert {f"language:{v}" for v in ("vi", "ja", "ko", "other", "unknown")} <= names
    assert {"sector:Ports", "sector_section:D", "sector_section:H", "kind:fund", "home:KR"} <= names
    assert "language:zh" not in names  # its query has no warm partner


def test_a_family_of_which_nothing_is_known_has_no_slice() -> None:
    dataset = replace(matches(), partners=matches().partners.with_columns(pl.lit(None, pl.String).alias("country")))
    names = {s.name.split(":")[0] for s in Slicing.of(dataset, REFERENCE).slices}
    assert "home" not in names
    assert "kind" in names


def test_asean_is_what_the_table_of_countries_says() -> None:
    joined = REFERENCE.countries.with_columns((pl.col("country") == "US").alias("asean"))
    whole = Slicing.of(matches(), replace(REFERENCE, countries=joined))
    asean = next(s for s in whole.slices if s.name == "asean")
    assert asean.queries.tolist() == [False, False, True, False, False, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nhà máy xử lý nước thải", "vi"), ("Khu đô thị Cần Giờ", "vi"), ("Cải tạo chung cư cũ", "vi"),
        ("Wind farm off the coast of Bình Thuận", "other"), ("Nha may xu ly nuoc thai", "other"),
        ("Usine de pâtes à Besançon", "other"), ("Gas power plant in Pakistan", "other"),
        ("集装箱码头", "zh"), ("Shenzhen 深圳市集装箱码头项目", "zh"), ("半導体の工場", "ja"), ("リゾートホテル", "ja"),
        ("반도체 공장", "ko"), ("Toyota (トヨタ) opens an assembly plant in Thailand", "other"),
        ("", "unknown"), ("2020-2025, 30 %", "unknown"),
    ],
)  # fmt: skip
def test_languages(text: str, expected: str) -> None:
    assert language(text) == expected


def test_a_deal_after_the_split_makes_no_partner_warm() -> None:
    early = [*DEALS[:-1], ("pe", "oe", "equity", date(2019, 6, 1))]
    found = masks(matches(deals=early))
    assert found["warm"][2][0].tolist() == [True] * 5 + [False]
    assert not found["cold_sector"][0].any()


def test_popularity_is_parted_by_relevant_pairs_and_not_by_partners() -> None:
    """Of six answers two go to the partner with one project, two to that with two, two to that with three."""
    idle = [(f"o{i}", "Idle", None, "bank") for i in range(10)]
    deals = [("pa", "oc"), ("pa", "ob"), ("pb", "ob"), ("pa", "oa"), ("pb", "oa"), ("pc", "oa")]
    deals += [(p, o) for p in ("pa", "pb", "pc", "pd", "pe") for o, *_ in idle]  # popular, and never the answer
    dataset = matches(
        partners=[*idle, ("oa", "A", None, "bank"), ("ob", "B", None, "bank"), ("oc", "C", None, "bank")],
        deals=[(*d, "equity", date(2019, 6, 1)) for d in deals],
        qrels={"q1": "oa ob", "q2": "oa oc", "q3": "ob oc"},
    )
    found = masks(dataset)
    for name, partner in (("low", "oc"), ("mid", "ob"), ("high", "oa")):
        _, relevant, _ = found[f"popularity_{name}"]
        assert {dataset.partners["partner_id"][int(c)] for c in np.nonzero(relevant)[1]} == {partner}


def test_the_answers_must_be_there() -> None:
    with pytest.raises(ValueError, match="small has no answers"):
        Slicing.of(withheld(matches()), REFERENCE)


def test_another_ranking_is_refused() -> None:
    ranking = by_popularity(matches())
    with pytest.raises(ValueError, match="5 partners is not one of"):
        score(
            matches(), REFERENCE, Ranking.of_run({}, queries=ranking.queries, candidates=ranking.candidates[:5]),
            run="x", seed=1,
        )  # fmt: skip


def test_a_dataset_without_answered_queries_has_figures_that_are_not_numbers() -> None:
    dataset = matches(qrels={})
    scored = score(dataset, REFERENCE, by_popularity(dataset), run="pop", seed=1)
    assert set(SLICES) <= set(scored.figures)
    for name in SLICES:
        figure = scored.figures[name]["nDCG@10"]
        assert math.isnan(figure.mean)
        assert math.isnan(figure.with_all)
        assert figure.queries == 0
    assert all(math.isnan(v) for v in scored.lift.values())


# -- laws -------------------------------------------------------------------------------------------------------------

HOSTS, SECTORS, KINDS, HOMES = ("VN", "TH", "US", None), ("Ports", "Energy", None), ("bank", "fund"), ("JP", None)


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    old, new, n = draw(st.integers(0, 12)), draw(st.integers(1, 9)), draw(st.integers(1, 15))

    def some(values: tuple[str | None, ...]) -> str | None:
        return values[int(rng.integers(len(values)))]

    days = {f"p{i:02d}": date(2010, 1, 1) for i in range(old)} | {f"q{i:02d}": date(2021, 1, 1) for i in range(new)}
    projects = [(p, "Some text", some(SECTORS), some(("52", "D", None)), some(HOSTS), day) for p, day in days.items()]
    partners = [(f"o{i:02d}", "Name", some(HOMES), some(KINDS)) for i in range(n)]
    deals = {(f"p{rng.integers(old):02d}", f"o{rng.integers(n):02d}") for _ in range(rng.integers(0, 25)) if old}
    qrels = {f"q{i:02d}": " ".join(f"o{c:02d}" for c in range(n) if rng.random() < 0.25) for i in range(new)}
    return matches(
        projects=projects, partners=partners, deals=[(*d, "equity", date(2015, 1, 1)) for d in sorted(deals)],
        qrels={q: found for q, found in qrels.items() if found},
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def enough() -> Iterator[None]:
    """So that random datasets have families."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "ENOUGH", 3)
        yield


@settings(max_examples=60, deadline=None)
@given(datasets())
def test_slices_partition(dataset: Dataset) -> None:
    found = masks(dataset)
    relevant = {name: rows for name, (_, rows, _) in found.items()}

    def parts(names: list[str]) -> np.ndarray:
        return np.sum([relevant[n] for n in names], axis=0)

    assert (parts(["warm", "cold_pool"]) == relevant["full"]).all()
    assert (relevant["cold_pool"] == relevant["cold_full_pool"]).all()
    assert (parts(["popularity_low", "popularity_mid", "popularity_high"]) == relevant["warm"]).all()
    for family in slices.FAMILIES:
        values = [n for n in relevant if n.startswith(f"{family}:")]
        if values:
            assert (parts(values) == relevant["warm"]).all()
    answers = dataset.qrels or {}
    assert relevant["full"].sum() == sum(map(len, answers.values()))
    for name, (asked, rows, allow) in found.items():
        assert not (rows & ~allow).any(), name  # whoever is right may be listed
        assert not rows[~asked].any(), name
        assert not (relevant["full"] & allow & ~rows)[asked].any(), name  # whoever is right elsewhere may not


@settings(max_examples=40, deadline=None)
@given(datasets())
def test_the_perfect_run_scores_1_in_every_slice(dataset: Dataset) -> None:
    whole = Slicing.of(dataset, REFERENCE)
    scores = np.zeros((len(whole.queries), len(whole.candidates)))
    scores[whole.pairs[0], whole.pairs[1]] = 1.0
    ranking = Ranking.of_scores(whole.queries, whole.candidates, scores, depth=None)
    scored = score(dataset, REFERENCE, ranking, run="perfect", seed=1, resamples=20, slicing=whole)
    for name, figures in scored.figures.items():
        for measure in ("nDCG@10", "R@50", "RR", "AP", "Success@10"):
            figure = figures[measure]
            if figure.queries:
                assert (figure.mean, figure.low, figure.high) == (pytest.approx(1), pytest.approx(1), pytest.approx(1))
            else:
                assert math.isnan(figure.mean), name


def rules(dataset: Dataset) -> dict[str, dict[str, tuple[set[str], set[str]]]]:
    """The table of slices once more, in sets: slice -> query -> (relevant, candidates)."""
    everybody = set(dataset.partners["partner_id"])
    host = dict(zip(dataset.projects["project_id"], dataset.projects["country"], strict=True))
    sector = dict(zip(dataset.projects["project_id"], dataset.projects["sector"], strict=True))
    deals = set(zip(dataset.train["project_id"], dataset.train["partner_id"], strict=True))
    warm = {c for _, c in deals}
    kind = dict(zip(dataset.partners["partner_id"], dataset.partners["kind"], strict=True))
    out: dict[str, dict[str, tuple[set[str], set[str]]]] = {n: {} for n in (*SLICES[:8], "kind:bank", "kind:fund")}
    for q in dataset.queries:
        right = set((dataset.qrels or {}).get(q, ()))
        there = {c for p, c in deals if host[p] == host[q]}
        out["full"][q] = right, everybody
        out["warm"][q] = right & warm, warm
        if host[q] is not None:
            out["new_pairs"][q] = right & (warm - there), warm - there
        if host[q] in ("VN", "TH"):
            out["asean"][q] = right & warm, warm
        if host[q] == "VN":
            out["vietnam"][q] = right & warm, warm
        out["cold_full_pool"][q] = right - warm, everybody - (right & warm)
        out["cold_pool"][q] = right - warm, everybody - warm
        if sector[q] is not None and sector[q] not in {sector[p] for p, _ in deals}:
            out["cold_sector"][q] = right & warm, warm
        for k in KINDS:
            target = {c for c in right & warm if kind[c] == k}
            out[f"kind:{k}"][q] = target, warm - (right - target)
    return out


@settings(max_examples=40, deadline=None)
@given(datasets(), st.integers(0, 100), st.sampled_from((None, 5)))
def test_figures_are_those_of_ir_measures_on_lists_cut_by_the_rules(
    dataset: Dataset, seed: int, depth: int | None
) -> None:
    ranking = at_random(dataset, seed, depth)
    scored = score(dataset, REFERENCE, ranking, run="random", seed=1, resamples=5)
    run = ranking.to_run()
    for name, queries in rules(dataset).items():
        if name not in scored.figures:  # too few queries for the kind
            continue
        qrels = {q: dict.fromkeys(relevant, 1) for q, (relevant, _) in queries.items()}
        cut = {q: {c: s for c, s in run[q].items() if c in pool} for q, (_, pool) in queries.items()}
        for measure in MEASURES:
            expected = per_query(qrels, cut, measure)
            figure = scored.figures[name][measure]
            assert figure.queries == len(expected), name
            assert figure.left_out == len(queries) - len(expected), name
            if expected:
                assert figure.mean == pytest.approx(np.mean(list(expected.values())), abs=1e-9), (name, measure)
                assert figure.with_all == pytest.approx(sum(expected.values()) / len(queries), abs=1e-9)
            if measure == "nDCG@10" and name in SLICES:
                assert scored.per_query[name] == pytest.approx(expected, abs=1e-9)


def wide(seed: int = 0, queries: int = 300, partners: int = 40) -> Dataset:
    """Everybody has a training deal, and every query two partners."""
    rng = np.random.default_rng(seed)
    projects = [("p", "Old", "Ports", None, "US", date(2010, 1, 1))]
    projects += [(f"q{i:03d}", "New", "Ports", None, "VN", date(2021, 1, 1)) for i in range(queries)]
    names = [f"o{i:02d}" for i in range(partners)]
    right = {f"q{i:03d}": " ".join(rng.choice(names, 2, replace=False)) for i in range(queries)}
    return matches(
        projects=projects, partners=[(c, c, "JP", "fund") for c in names],
        deals=[("p", c, "equity", date(2012, 1, 1)) for c in names], qrels=right,
    )  # fmt: skip


def test_a_random_order_has_no_lift() -> None:
    dataset = wide()
    scored = score(dataset, REFERENCE, at_random(dataset, 3), run="random", seed=1)
    for measure, lift in scored.lift.items():
        figure = scored.figures["warm"][measure]
        expected = figure.mean / lift
        assert expected == pytest.approx(float(chance(2, 40, measure)))
        half = (figure.high - figure.low) / 2
        assert abs(figure.mean - expected) <= 2 * half, measure


def test_comparisons_are_paired_and_corrected_over_the_table() -> None:
    dataset = wide(queries=60)
    perfect = np.zeros((60, 40))
    whole = Slicing.of(dataset, REFERENCE)
    perfect[whole.pairs[0], whole.pairs[1]] = 1.0
    best = Ranking.of_scores(whole.queries, whole.candidates, perfect)
    found = compare(dataset, REFERENCE, best, at_random(dataset, 1), ("best", "random"), seed=1, slicing=whole)
    assert [(c.slice, c.measure, c.queries) for c in found] == [
        (s, m, 60) for s in ("warm", "new_pairs") for m in ("nDCG@10", "R@50")
    ]
    by = {(c.slice, c.measure): c for c in found}
    warm = by["warm", "nDCG@10"]
    one, two = (
        score(dataset, REFERENCE, r, run="x", seed=1).figures["warm"]["nDCG@10"].mean
        for r in (best, at_random(dataset, 1))
    )
    assert warm.difference == pytest.approx(one - two)
    assert 0 < warm.low <= warm.difference <= warm.high
    assert warm.p < 0.001
    same = by["warm", "R@50"]  # forty candidates: both find all
    assert (same.difference, same.p) == (0, 1)
    assert warm.p_corrected == pytest.approx(4 * warm.p)
    assert compare(dataset, REFERENCE, best, best, ("a", "b"), seed=1, slices=("cold_pool",)) == ()


def test_slices_are_compared_in_any_company() -> None:
    """Slices that share a view are computed once, whichever comes first."""
    one, two = by_popularity(matches()), at_random(matches(), 1)
    pairs = [("asean", 2), ("vietnam", 1), ("cold_sector", 1)]
    found = compare(
        matches(), REFERENCE, one, two, ("a", "b"), seed=1, slices=[name for name, _ in pairs], measures=("RR",)
    )
    assert [(c.slice, c.queries) for c in found] == pairs


def test_holm_over_several_comparisons() -> None:
    def made(p: float) -> Comparison:
        return Comparison(
            first="a",
            second="b",
            slice="warm",
            measure="RR",
            difference=0,
            low=0,
            high=0,
            p=p,
            p_corrected=p,
            queries=9,
        )

    assert [c.p_corrected for c in holm_table([made(0.04), made(0.01), made(0.03)])] == pytest.approx(
        [0.06, 0.03, 0.06]
    )
    assert holm_table([]) == ()


def test_the_same_seed_gives_the_same_figures() -> None:
    dataset = wide(queries=30)
    one, two = (score(dataset, REFERENCE, at_random(dataset, 1), run="x", seed=5) for _ in range(2))
    assert repr(one) == repr(two)  # NaN is not equal to itself
    assert one.figures["warm"] != score(dataset, REFERENCE, at_random(dataset, 1), run="x", seed=6).figures["warm"]


# -- calibration of a run ---------------------------------------------------------------------------------------------


def probabilities(ranking: Ranking, values: Mapping[int, float]) -> np.ndarray:
    """One probability per rank, the same for all queries."""
    out = np.full(ranking.places.shape, np.nan)
    for rank, p in values.items():
        out[:, rank - 1] = p
    return out


def test_calibration_is_of_what_was_given_by_slice() -> None:
    dataset = matches()
    ranking = by_popularity(dataset)
    given_p = probabilities(ranking, {1: 0.5, 2: 0.25, 5: 0.125})  # oa, ob, oe
    found = score(dataset, REFERENCE, ranking, run="x", seed=1, probabilities=given_p).calibration
    assert found is not None
    assert found.abstained is None
    by = {r.slice: (r.pairs, r.positives) for r in found.slices}
    assert by["full"] == (18, 4)  # q1: oa, oe; q2: ob; q4: oa
    assert by["warm"] == (12, 3)
    assert by["cold_pool"] == (6, 1)
    # Candidates by their past in the host country: q1, q5, q6 in VN, where oa and ob were; q2 in TH; q3 in US.
    assert by["new_pairs"] == (2, 0)
    assert by["vietnam"] == (6, 1)
    assert by["popularity_high"] == (6, 2)
    assert "cold_full_pool" not in by
    assert "popularity_low" not in by
    full = next(r for r in found.slices if r.slice == "full")
    assert full.ratio == pytest.approx(4 / (6 * 0.875))
    # The answered queries share one confidence: they are answered in their order.
    ndcg = score(dataset, REFERENCE, ranking, run="x", seed=1).per_query["full"]
    means = np.cumsum([ndcg[f"q{i}"] for i in range(1, 6)]) / np.arange(1, 6)
    assert found.abstention == tuple((k / 5, pytest.approx(means[k - 1])) for k in range(1, 6))


def test_only_the_first_fifty_places_are_looked_at() -> None:
    dataset = wide(queries=3, partners=60)
    ranking = at_random(dataset, 1)
    found = score(
        dataset, REFERENCE, ranking, run="x", seed=1, probabilities=np.full(ranking.places.shape, 0.1)
    ).calibration
    assert found is not None
    assert found.slices[0].pairs == 150


def test_only_what_was_promised_is_judged() -> None:
    """q2 is announced after the horizon and nobody knows when q3 was; the partner of q4 came in too late."""
    late, end = date(2022, 1, 1), date(2021, 12, 30)
    dataset = matches()
    announced = pl.when(pl.col("project_id") == "q2").then(late).when(pl.col("project_id") == "q3").then(None)
    dataset = replace(
        dataset, projects=dataset.projects.with_columns(announced_on=announced.otherwise("announced_on")),
        answered_on={("q1", "oa"): end, ("q4", "oa"): late},
    )  # fmt: skip
    ranking = by_popularity(dataset)
    given_p = probabilities(ranking, {1: 0.5, 2: 0.25, 5: 0.125})
    found = score(dataset, REFERENCE, ranking, run="x", seed=1, probabilities=given_p).calibration
    assert found is not None
    assert (found.queries, found.left_out) == (4, 2)
    assert (found.slices[0].pairs, found.slices[0].positives) == (12, 2)  # q1: oa, oe
    nobody = replace(dataset, projects=dataset.projects.with_columns(announced_on=pl.lit(late)))
    none = score(nobody, REFERENCE, ranking, run="x", seed=1, probabilities=given_p).calibration
    assert none is not None
    assert none.abstained == slices.NONE_PROMISED


def test_without_probabilities_calibration_says_why() -> None:
    dataset = matches()
    ranking = by_popularity(dataset)
    plain = score(dataset, REFERENCE, ranking, run="x", seed=1).calibration
    told = score(dataset, REFERENCE, ranking, run="x", seed=1, abstained="too few deals").calibration
    nothing = probabilities(ranking, {})
    empty = score(dataset, REFERENCE, ranking, run="x", seed=1, probabilities=nothing).calibration
    assert [c and c.abstained for c in (plain, told, empty)] == [
        "The ranker gives no probabilities.", "too few deals", "The ranker gives no probabilities.",
    ]  # fmt: skip


@pytest.mark.parametrize(("shape", "value", "why"), [((6, 5), 0.5, "not aligned"), ((6, 6), 1.5, r"not in \[0, 1\]")])
def test_wrong_probabilities_are_refused(shape: tuple[int, int], value: float, why: str) -> None:
    dataset = matches()
    with pytest.raises(ValueError, match=why):
        score(dataset, REFERENCE, by_popularity(dataset), run="x", seed=1, probabilities=np.full(shape, value))
