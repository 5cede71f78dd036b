"""An evaluation as it might come out: four sets of deals and one of texts, fifteen rankings, invented figures."""

import math
from typing import Any

import numpy as np

from evaluation.results import (
    MEASURES,
    Audit,
    Bin,
    Calibration,
    Check,
    Comparison,
    DatasetResult,
    Figure,
    Reliability,
    Report,
    Scored,
)

NAN = math.nan
RUNS = (
    "random", "pop", "recent_pop", "sector_pop", "host_pop", "sector_host_backoff", "attr_knn", "tfidf_knn",
    "bm25_profile", "dense_knn", "dense_profile", "rrf", "logistic", "boosting", "engine",
)  # fmt: skip
SETS: dict[str, dict[str, Any]] = {
    "cgit": {
        "title": "China Global Investment Tracker", "publisher": "American Enterprise Institute",
        "licence": "none stated; evaluation use only", "queries": (165, 63), "new": (98, 130), "homes": ("CN",),
        "warm": (14, 58, 95, 304, 183, 331, 344, 340, 282, 351, 344, 396, 401, 392, 423),
        "pairs": (10, 69, 100, 299, 100, 250, 266, 270, 205, 245, 252, 285, 300, 309, 322),
        "sectors": ("Energy", "Metals", "Transport", "Real estate", "Technology", "Tourism"),
    },
    "land": {
        "title": "Land Matrix, foreign large-scale land acquisitions", "publisher": "Land Matrix Initiative",
        "licence": "CC BY-SA 4.0", "queries": (87, 148), "new": (8, 227),
        "homes": ("CN", "VN", "KR", "SG", "MY", "GB", "US", "AE", "unknown", "FR", "DE", "NL", "CH"),
        "warm": (12, 223, 228, 324, 387, 375, 392, 398, 384, 434, 438, 479, 420, 427, 441),
        "pairs": (0, 0, 0, 73, 0, 102, 102, 173, 199, 130, 216, 159, 120, 116, 122),
        "sectors": ("Oil palm", "Rubber", "Timber"),
    },
    "gas": {
        "title": "Asia Gas Tracker, May 2024", "publisher": "Global Energy Monitor", "licence": "CC BY 4.0",
        "queries": (342, 166), "new": (56, 452), "homes": ("unknown",),
        "warm": (13, 75, 83, 149, 319, 387, 381, 325, 374, 406, 396, 449, 440, 426, 470),
        "pairs": (11, 75, 52, 150, 52, 168, 150, 144, 44, 122, 100, 108, 120, 129, 115),
        "sectors": ("Gas plant", "Gas pipeline", "LNG terminal"),
    },
    "startups": {
        "title": "Crunchbase snapshot, 2013, US companies", "publisher": "Crunchbase", "licence": "non-commercial",
        "queries": (785, 215), "new": (0, 1000), "homes": ("US", "unknown", "GB", "IL", "CA"),
        "warm": (2, 46, 57, 58, 108, 79, 91, 126, 54, 100, 34, 131, 110, 112, 129),
        "pairs": (NAN,) * 15, "sectors": ("software", "biotech", "mobile", "web", "cleantech", "games", "hardware"),
    },
}  # fmt: skip


def figure(mean: float, queries: int, left_out: int) -> Figure:
    """A figure with an interval as wide as so many queries would give it."""
    if not queries or math.isnan(mean):
        return Figure(mean=NAN, low=NAN, high=NAN, queries=queries, left_out=left_out, with_all=NAN)
    half = 1.96 * 0.38 / math.sqrt(queries)
    return Figure(
        mean=mean, low=max(0.0, mean - min(half, mean * 0.8)), high=min(1.0, mean + half), queries=queries,
        left_out=left_out, with_all=mean * queries / (queries + left_out),
    )  # fmt: skip


def shares(names: tuple[str, ...], rng: np.random.Generator) -> dict[str, float]:
    """Shares that fall from the first name to the last."""
    weights = rng.dirichlet(np.ones(len(names)))
    return dict(zip(names, sorted(weights.tolist(), reverse=True), strict=True))


def scored(name: str, i: int, rng: np.random.Generator) -> Scored:
    """One run on one set."""
    of = SETS[name]
    (n, out), (n_new, out_new) = of["queries"], of["new"]
    main, new = of["warm"][i] / 1000, of["pairs"][i] / 1000
    factors = dict(zip(MEASURES, (1.0, 1.35, 1.9, 1.1, 0.85, 0.4, 1.5), strict=True))

    def all_measures(value: float, queries: int, left_out: int) -> dict[str, Figure]:
        return {m: figure(min(0.97, value * f), queries, left_out) for m, f in factors.items()}

    figures = {
        "full": all_measures(main * 0.7, n + out // 2, out - out // 2), "warm": all_measures(main, n, out),
        "new_pairs": all_measures(new, n_new, out_new), "asean": all_measures(main * 1.1, n // 4, out // 4),
        "vietnam": all_measures(main * 1.3, 6, 2), "cold_full_pool": all_measures(main * 0.01, out, n),
        "cold_pool": all_measures(0.02 + main * 0.04, out, n), "cold_sector": all_measures(NAN, 0, 0),
        "popularity_low": all_measures(main * 0.3, n // 2, out),
        "popularity_mid": all_measures(main * 0.8, n // 2, out),
        "popularity_high": all_measures(main * 1.3, n // 2, out),
    }  # fmt: skip
    for family, values in (
        ("sector", (*of["sectors"], "other", "unknown")), ("sector_section", ("A", "D", "H", "other")),
        ("kind", ("company", "fund", "unknown")), ("home", of["homes"]), ("language", ("other", "vi", "zh")),
    ):  # fmt: skip
        for j, value in enumerate(values):
            figures[f"{family}:{value}"] = all_measures(main * float(rng.uniform(0.6, 1.4)), n // (j + 1), j)
    values = np.where(rng.random(n) < 1 - 1.4 * main, 0, rng.beta(2, 1.2, n)).round(4)
    probabilities = RUNS[i] == "engine" and name != "land"
    return Scored(
        run=RUNS[i], figures=figures, lift=dict.fromkeys(MEASURES, main / 0.0137),
        audit=Audit(
            coverage=0.02 + 0.6 * (i > 4) * float(rng.random()), gini=0.98 - 0.3 * (i > 4) * float(rng.random()),
            popularity=9.5 - i / 3, long_tail=0.004 * i, home=shares(of["homes"], rng),
            size=shares(("large cap", "mid cap", "small cap", "unknown"), rng) if name == "cgit" else {"unknown": 1.0},
            kind=shares(("company", "fund", "bank", "sovereign_fund", "person", "unknown"), rng),
            top=tuple((f"p{k}", f"Công ty {k} Holdings", 0.4 - 0.03 * k) for k in range(10)), same_names=i in (1, 2),
        ),
        per_query={"warm": {f"q{k:04}": float(v) for k, v in enumerate(values)}},
        calibration=calibration(rng) if probabilities else Calibration(abstained=(
            "Too few data: 41 dated deals, 100 needed." if RUNS[i] == "engine" else "The ranker gives no probabilities."
        )),
        seconds=0.4 + 3 * i,
    )  # fmt: skip


def calibration(rng: np.random.Generator) -> Calibration:
    """Probabilities that are a little too high."""
    bins = tuple(
        Bin(
            predicted=p,
            observed=p * 0.85,
            low=p * 0.85 * 0.7,
            high=p * 0.85 * 1.4,
            pairs=1650,
            positives=round(p * 1400),
        )
        for p in (0.002, 0.006, 0.014, 0.04, 0.14)
    )
    slices = tuple(
        Reliability(
            slice=s, pairs=8250, positives=290, brier=0.0312, brier_skill=(0.081, 0.044, 0.119), reliability=0.0008,
            resolution=0.0036, uncertainty=0.0341, ratio=0.87, bins=bins,
        )
        for s in ("full", "warm", "new_pairs", "asean", "sector:Energy", "kind:fund")
    )  # fmt: skip
    curve = tuple((round(x, 2), 0.62 - 0.2 * x + 0.01 * float(rng.random())) for x in np.linspace(0.05, 1, 20))
    return Calibration(abstained=None, slices=slices, abstention=curve, queries=165, left_out=63)


def result(name: str, seed: int) -> DatasetResult:
    """One set with its runs, compared and checked."""
    rng = np.random.default_rng(seed)
    of = SETS[name]
    comparisons = []
    for measure in ("nDCG@10", "R@50"):
        for where, key, n in (("warm", "warm", of["queries"][0]), ("new_pairs", "pairs", of["new"][0])):
            for i, run in enumerate(RUNS[:-1] if n else ()):
                d = (of[key][-1] - of[key][i]) / 1000
                half, p = 0.5 / math.sqrt(n), float(np.exp(-8 * abs(d)))
                comparisons.append(
                    Comparison(
                        first="engine", second=run, slice=where, measure=measure, difference=d, low=d - half,
                        high=d + half, p=p, p_corrected=0.001 if abs(d) > 1.3 * half else min(1.0, 4 * p), queries=n,
                    )
                )  # fmt: skip
    return DatasetResult(
        name=name,
        about={
            "title": of["title"], "publisher": of["publisher"], "licence": of["licence"], "split_on": "2018-12-31",
            "horizon": "2019-01-01..2020-12-31", "retrieved": "2026-11-21", "digest": "9f2c41d7a0b35e68",
            "source_repository": "https://github.com/example/some-set",
            "notes": ["Completed investments of 100 million US dollars or more."],
            "caveats": ["The host can be the seat of the target, not of its assets."],
        },
        counts={
            "projects": 1704, "partners": 609, "train_deals": 1735, "queries": sum(of["queries"]),
            "warm_queries": of["queries"][0], "qrels": 311,
        },
        runs=tuple(scored(name, i, rng) for i in range(len(RUNS))), comparisons=tuple(comparisons),
        checks=(
            Check(name="relabelled", value=0.016, low=0.004, high=0.031, passed=True),
            Check(name="masked_names", value=0.004, low=-NAN, high=0.02, passed=True),
            Check(name="future", value=0.31, low=0.1, high=math.inf, passed=True),
            Check(name="unheard_of", value=NAN, low=NAN, high=NAN, passed=True),
            Check(name="repeatable", value=0.0, low=0.0, high=0.0, passed=True),
            Check(name="duplicates", value=3.0, low=0.0, high=0.0, passed=name != "gas"),
        ),
        warnings=("Not given: partners.csv description", "Something nobody translated.") if name == "gas" else (),
    )  # fmt: skip


def texts() -> DatasetResult:
    """A set of texts without deals."""
    return DatasetResult(
        name="texts", about={"title": "Khu công nghệ cao, văn bản dự án", "split_on": "", "no_deals": True},
        counts={"projects": 38}, runs=(),
    )  # fmt: skip


def report() -> Report:
    """Everything together."""
    return Report(
        title="Mười bốn cách đơn giản và mô hình", datasets=(*(result(n, i) for i, n in enumerate(SETS)), texts()),
        configuration={
            "command": "python -m evaluation benchmark cgit land gas startups texts --report report.html",
            "engine": {"half_life_years": 4.0, "depth": 1000, "tuned": True}, "versions": {"lightgbm": "4.6.0"},
        },
        seed=7, made_on="2026-11-22",
    )  # fmt: skip
