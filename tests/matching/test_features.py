"""Features: better is worth more than worse, unknown stays unknown, and nobody is told the future."""

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pytest
from small_world import (
    AS_OF,
    DEALS,
    FOOTPRINT,
    HERE,
    PARTNERS,
    PROJECTS,
    REFERENCE,
    block,
    deal,
    facts,
    features,
    stay,
    with_rows,
)

from matcher.matching.features import FEATURES, NAMES
from matcher.matching.labels import REASON_NAMES, STATEMENTS
from matcher.records import Reference, empty

PORT = {
    "project_id": "p",
    "name_vi": "Cảng container",
    "name_en": "Container port",
    "isic": ["52"],
    "status": "calling",
    **HERE,
}
PAST = [
    {"project_id": "x-abroad", "name_en": "Harbour cranes", "isic": ["52"], "status": "past",
    "country": "TH", "city": "Rayong"},
    {"project_id": "x-far", "name_en": "Chip assembly", "isic": ["26"], "status": "past",
    "country": "VN", "city": "Hue"},
    {"project_id": "x-near", "name_en": "Container port", "isic": ["52"], "status": "past", **HERE},
]  # fmt: skip
FIRM = {"partner_id": "q", "name": "Qwertia", "kind": "company", "country": "JP"}
OTHER = {"partner_id": "r", "name": "Asdfia", "kind": "company", "country": "JP", "description": "container port"}
THIRD = {"partner_id": "s", "name": "Zxcvia", "kind": "fund", "country": "SG", "description": "flower shows"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is true of one partner `q` for the project `p`; the rest of the world stays the same."""

    project: Mapping[str, Any] = field(default_factory=dict)
    partner: Mapping[str, Any] = field(default_factory=dict)
    deals: Sequence[tuple[Any, ...]] = ()
    footprint: Sequence[str] = ()
    relation: str | None = "operates"
    past: Mapping[str, Any] = field(default_factory=dict)
    """What more is true of the past project `x-near`."""

    def value(self, feature: str) -> float:
        deals = [deal(n, *d) if len(d) == 3 else deal(n, *d[:3], **d[3]) for n, d in enumerate(self.deals)]
        known = facts(
            projects=[{**PORT, **self.project}, *PAST[:2], {**PAST[2], **self.past}],
            partners=[{**FIRM, **self.partner}, OTHER, THIRD], deals=deals,
            footprint=[stay("q", c, relation=self.relation) for c in self.footprint],
        )  # fmt: skip
        return features(known, "p")["q"][feature]


def done(project: str, year: int = 2024) -> Case:
    return Case(deals=[(project, "q", date(year, 1, 1))])


LABEL = {"sector": "seaport"}


def labelled(project: str, year: int = 2024) -> Case:
    """A deal on a project; the asked project and `x-near` are under one sector label."""
    return Case(project=LABEL, past=LABEL, deals=[(project, "q", date(year, 1, 1))])


TOGETHER = [("x-abroad", "q", date(2024, 1, 1)), ("x-abroad", "r", date(2024, 1, 1))]
FAR_OTHER = ("x-far", "s", date(2024, 1, 1))
UNDATED = {"counts_from": date(2020, 1, 1)}
NO_DEAL = Case()
ONE_RECENT = Case(deals=[("x-near", "q", date(2025, 1, 1)), ("x-far", "q", date(2010, 1, 1))])
# feature -> (better, worse, unknown); worse may be None where the feature only ever speaks for.
TABLE: dict[str, tuple[Case, Case | None, Case]] = {
    "sector_division": (Case(partner={"isic": ["52"]}), Case(partner={"isic": ["86"]}), Case()),
    "sector_section": (Case(partner={"isic": ["50"]}), Case(partner={"isic": ["86"]}), Case()),
    "sector_focus": (Case(partner={"isic": ["52"]}), Case(partner={"isic": ["86", "52", "10", "85"]}), Case()),
    "text_similarity": (
        Case(partner={"description": "container port"}), Case(partner={"description": "flower market"}),
        Case(project={"name_vi": None, "name_en": None}),
    ),
    "text_words": (
        Case(partner={"description": "container port"}), Case(partner={"description": "flower market"}),
        Case(project={"name_vi": "Qqqq", "name_en": None}),
    ),
    "text_trades": (
        Case(partner={"description": "港湾、埠頭"}), Case(partner={"description": "港湾と病院、患者"}),
        Case(project={"name_vi": "Qqqq", "name_en": None}),
    ),
    "past_nearest": (done("x-near"), done("x-far"), NO_DEAL),
    "past_top3": (
        done("x-near"), Case(deals=[("x-near", "q", date(2024, 1, 1)), ("x-far", "q", date(2024, 1, 1))]), NO_DEAL,
    ),
    "past_votes": (
        Case(deals=[("x-near", "q", date(2024, 1, 1)), ("x-far", "r", date(2024, 1, 1))]),
        Case(deals=[("x-far", "q", date(2024, 1, 1)), ("x-near", "r", date(2024, 1, 1))]), NO_DEAL,
    ),
    "past_sector": (done("x-near"), done("x-far"), NO_DEAL),
    "past_sector_recent": (done("x-near", 2025), done("x-near", 2010), NO_DEAL),
    "experience": (
        Case(deals=[("x-near", "q", date(2024, 1, 1)), ("x-far", "r", date(2024, 1, 1))]),
        Case(deals=[("x-far", "q", date(2024, 1, 1)), ("x-near", "r", date(2024, 1, 1))]), NO_DEAL,
    ),
    "fused": (
        Case(deals=[("x-near", "q", date(2024, 1, 1)), ("x-far", "r", date(2024, 1, 1))]),
        Case(deals=[("x-far", "q", date(2024, 1, 1)), ("x-near", "r", date(2024, 1, 1))]), NO_DEAL,
    ),
    "words_nearest": (done("x-near"), done("x-far"), NO_DEAL),
    "value_fit": (
        Case(project={"value_usd_max": 5e8}, past={"value_usd_max": 4e8}, deals=[("x-near", "q", date(2024, 1, 1))]),
        Case(project={"value_usd_max": 5e8}, past={"value_usd_max": 4e6}, deals=[("x-near", "q", date(2024, 1, 1))]),
        Case(project={"value_usd_max": 5e8}, deals=[("x-near", "q", date(2024, 1, 1))]),
    ),
    "label_deals": (labelled("x-near"), labelled("x-far"), NO_DEAL),
    "label_share": (
        labelled("x-near"),
        Case(project=LABEL, past=LABEL, deals=[("x-near", "q", date(2024, 1, 1)), ("x-far", "q", date(2024, 1, 1))]),
        NO_DEAL,
    ),
    "label_recency": (labelled("x-near", 2025), labelled("x-near", 2015), labelled("x-far")),
    "label_host_deals": (labelled("x-near"), labelled("x-far"), NO_DEAL),
    "host_recent": (done("x-far", 2025), done("x-far", 2010), NO_DEAL),
    "host_share": (
        done("x-far"), Case(deals=[("x-far", "q", date(2024, 1, 1)), ("x-abroad", "q", date(2024, 1, 1))]), NO_DEAL,
    ),
    "host_recency": (done("x-far", 2025), done("x-far", 2015), done("x-abroad")),
    "deals_all": (ONE_RECENT, done("x-far", 2025), NO_DEAL),
    "deals_recent": (done("x-far", 2025), done("x-far", 2010), NO_DEAL),
    "coinvestors": (
        Case(deals=[*TOGETHER, ("x-near", "r", date(2024, 1, 1)), ("x-far", "s", date(2024, 1, 1))]),
        Case(deals=[*TOGETHER, ("x-far", "r", date(2024, 1, 1)), ("x-near", "s", date(2024, 1, 1))]),
        done("x-near"),
    ),
    "namesakes": (
        Case(partner={"name": "Asdfia Holding"}, deals=[("x-near", "r", date(2024, 1, 1)), FAR_OTHER]),
        Case(partner={"name": "Zxcvia Holding"}, deals=[("x-near", "r", date(2024, 1, 1)), FAR_OTHER]),
        Case(deals=[("x-near", "r", date(2024, 1, 1)), FAR_OTHER]),
    ),
    "host_deals": (done("x-far"), done("x-abroad"), NO_DEAL),
    "city_deals": (done("x-near"), done("x-far"), NO_DEAL),
    "recency": (done("x-far", 2025), done("x-far", 2015), Case(deals=[("x-far", "q", None, UNDATED)])),
    "momentum": (ONE_RECENT,
    Case(deals=[("x-near", "q", date(2025, 1, 1)), ("x-far", "q", date(2019, 1, 1))]), done("x-far", 2010)),
    "host_presence": (Case(footprint=["VN"]), None, Case(footprint=["TH"])),
    "region_presence": (Case(footprint=["TH", "SG"]), Case(footprint=["TH"]), Case(footprint=["US", "VN"])),
    "abroad": (Case(footprint=["CL", "US"]), Case(footprint=["US"]), Case(footprint=["JP", "VN", "TH"])),
    "home_near": (Case(partner={"country": "TH"}), Case(partner={"country": "CL"}), Case(partner={"country": None})),
    "home_region": (Case(partner={"country": "SG"}), Case(partner={"country": "JP"}), Case(partner={"country": None})),
    "home_trade_deal": (Case(partner={"country": "JP"}), None, Case(partner={"country": "US"})),
    "home_deals": (
        Case(deals=[("x-near", "r", date(2024, 1, 1))]),
        Case(deals=[("x-near", "r", date(2024, 1, 1))], partner={"country": "US"}), Case(partner={"country": None}),
    ),
    "kind_fit": (Case(), Case(partner={"kind": "university"}), Case(partner={"kind": "unknown"})),
    "form_fit": (
        Case(project={"form": "oda"}, partner={"kind": "dfi"}), Case(project={"form": "oda"}),
        Case(project={"form": None}),
    ),
    "lender_fit": (
        Case(project={"form": "oda"}, partner={"kind": "dfi"}), None, Case(project={"form": "oda"}),
    ),
    "ticket_fit": (
        Case(project={"value_usd_max": 5e8}, partner={"ticket_usd_min": 1e8, "ticket_usd_max": 9e8}),
        Case(project={"value_usd_max": 5e8}, partner={"ticket_usd_max": 1e8}), Case(project={"value_usd_max": 5e8}),
    ),
    "size_fit": (
        Case(project={"value_usd_max": 5e8}, partner={"size": "Large Cap"}),
        Case(project={"value_usd_max": 5e8}, partner={"size": "Small Cap"}), Case(project={"value_usd_max": 5e8}),
    ),
    "green_fit": (Case(project={"green": True}, partner={"green": True}), None, Case(project={"green": True})),
    "readiness": (
        Case(project={"status": "calling"}), Case(project={"status": "proposed"}),
        Case(project={"status": "operating"}),
    ),
}  # fmt: skip

# More pairs that must keep their order.
ORDERED: list[tuple[str, Case, Case]] = [
    ("sector_division", Case(partner={"isic": ["52"]}), Case(partner={"isic": ["86", "52"]})),
    ("sector_division", Case(partner={"isic": ["5222"]}), Case(partner={"isic": ["50"]})),
    ("text_trades", Case(partner={"description": "container terminal"}), Case(partner={"description": "hospital"})),
    ("host_deals", ONE_RECENT, done("x-near")),
    ("home_region", Case(partner={"country": "JP"}), Case(partner={"country": "US"})),
    ("kind_fit", Case(), Case(partner={"kind": "bank"})),
    ("kind_fit", Case(project={"isic": ["64"]}, partner={"kind": "bank"}), Case(partner={"kind": "bank"})),
    ("form_fit", Case(project={"form": "ppp"}), Case(project={"form": "ppp"}, partner={"kind": "university"})),
    ("form_fit", Case(project={"form": "ppp"}), Case(project={"form": "loan"})),
    (
        "ticket_fit",
        Case(project={"value_usd_max": 5e8}, partner={"ticket_usd_max": 2e8}),
        Case(project={"value_usd_max": 5e8}, partner={"ticket_usd_max": 1e8}),
    ),
    (
        "ticket_fit",
        Case(project={"value_usd_max": 5e7}, partner={"ticket_usd_min": 1e8}),
        Case(project={"value_usd_max": 5e7}, partner={"ticket_usd_min": 4e8}),
    ),
    ("readiness", Case(project={"status": "approved"}), Case(project={"status": "preparing"})),
]

# What more would be unknown too: a gap never counts.
UNKNOWN: list[tuple[str, Case]] = [
    ("sector_division", Case(partner={"kind": "bank", "isic": ["64"]})),
    ("sector_section", Case(partner={"kind": "dfi", "isic": ["64"]})),
    ("sector_focus", Case(partner={"kind": "fund", "isic": ["64"]})),
    ("sector_division", Case(project={"isic": None, "name_vi": None, "name_en": None}, partner={"isic": ["52"]})),
    ("sector_division", Case(partner={"description": "container terminal"})),
    ("sector_focus", Case(partner={"description": "container terminal"})),
    ("host_presence", Case(footprint=["VN"], relation="sells")),
    ("host_presence", Case(project={"country": "ZZ"}, footprint=["VN"])),
    ("home_near", Case(project={"country": "ZZ"})),
    ("home_region", Case(project={"country": "ZZ"})),
    ("home_trade_deal", Case(partner={"country": "CL"})),
    ("form_fit", Case(project={"form": "other"})),
    ("form_fit", Case(project={"form": "ppp"}, partner={"kind": "unknown"})),
    ("ticket_fit", Case(partner={"ticket_usd_min": 1e8, "ticket_usd_max": 9e8})),
    ("size_fit", Case(partner={"size": "Large Cap"})),
    ("green_fit", Case(partner={"green": True})),
    ("green_fit", Case(project={"green": True}, partner={"green": False})),
    ("momentum", Case(deals=[("x-far", "q", None, UNDATED)])),
    ("host_recency", Case(deals=[("x-far", "q", None, UNDATED)])),
    ("label_recency", Case(project=LABEL, past=LABEL, deals=[("x-near", "q", None, UNDATED)])),
    ("label_recency", Case(past=LABEL, deals=[("x-near", "q", date(2024, 1, 1))])),
    ("value_fit", Case(past={"value_usd_max": 4e8}, deals=[("x-near", "q", date(2024, 1, 1))])),
    ("value_fit", Case(project={"value_usd_max": 5e8}, past={"value_usd_max": 4e8}, deals=[FAR_OTHER])),
    ("coinvestors", Case(deals=[("p", "q", date(2024, 1, 1)), ("p", "r", date(2024, 1, 1)), FAR_OTHER])),
    ("namesakes", Case(partner={"name": "Asdfia Holding"}, deals=[FAR_OTHER, ("p", "r", date(2024, 1, 1))])),
    ("readiness", Case(project={"status": "past"})),
]

RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("text_similarity", "past_nearest", "past_top3"), (-1.0, 1.0)),
    **dict.fromkeys(
        (
            "past_sector",
            "past_sector_recent",
            "host_deals",
            "city_deals",
            "region_presence",
            "abroad",
            "home_deals",
            "experience",
            "coinvestors",
            "namesakes",
            "deals_all",
            "deals_recent",
            "label_deals",
            "host_recent",
            "label_host_deals",
        ),
        (0.0, math.inf),
    ),
}
"""Features that do not lie in [0, 1]."""


def test_there_are_twenty_and_every_feature_has_its_row() -> None:
    assert len(NAMES) >= 20
    assert len(set(NAMES)) == len(NAMES)
    assert set(TABLE) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_better_is_worth_more_than_worse_and_unknown_is_unknown(name: str) -> None:
    better, worse, unknown = TABLE[name]
    assert not math.isnan(better.value(name))
    if worse is not None:
        assert worse.value(name) < better.value(name)
    assert math.isnan(unknown.value(name))


@pytest.mark.parametrize(("name", "better", "worse"), ORDERED)
def test_further_pairs_keep_their_order(name: str, better: Case, worse: Case) -> None:
    assert worse.value(name) < better.value(name)


@pytest.mark.parametrize(("name", "case"), UNKNOWN)
def test_a_gap_is_unknown_and_never_zero(name: str, case: Case) -> None:
    assert math.isnan(case.value(name))


@pytest.mark.parametrize("feature", FEATURES, ids=NAMES)
def test_every_feature_is_documented_and_explained(feature: Any) -> None:
    text = inspect.getdoc(feature.compute) or ""
    head, _, returns = text.partition("\n\nReturns:")
    assert head.splitlines()[0].endswith(".")
    assert "unknown" in returns
    assert feature.reason in STATEMENTS
    assert feature.reason in REASON_NAMES
    assert feature.weight >= 0


def test_values_stay_within_their_documented_ranges() -> None:
    for project in PROJECTS:
        for values in features(facts(), project["project_id"]).values():
            for name, value in values.items():
                low, high = RANGES.get(name, (0.0, 1.0))
                assert math.isnan(value) or low - 1e-6 <= value <= high + 1e-6, (project["project_id"], name)


def same(one: Mapping[str, Mapping[str, float]], two: Mapping[str, Mapping[str, float]]) -> bool:
    """Bitwise equality, unknown included."""
    return all(
        np.array(list(one[q].values())).tobytes() == np.array(list(two[q].values())).tobytes() for q in one
    ) and set(one) == set(two)  # fmt: skip


EARLY = date(2018, 12, 31)


@pytest.mark.parametrize(
    "late",
    [
        deal(900, "x-port", "th-clinic", date(2020, 1, 1)),
        deal(900, "x-port", "jp-port", date(2019, 1, 1)),
        deal(900, "x-port", "th-clinic", date(2018, 6, 1), counts_from=date(2019, 6, 30)),  # "2018-19", say
        deal(900, "x-port", "th-clinic", None, counts_from=date(2019, 1, 1)),
        deal(900, "x-port", "th-clinic", None),
    ],
)
def test_a_later_or_undated_deal_changes_nothing_for_an_earlier_day(late: dict[str, Any]) -> None:
    before = features(facts(), "p-port", as_of=EARLY)
    assert same(before, features(with_rows(facts(), "deals", [late]), "p-port", as_of=EARLY))


@pytest.mark.parametrize("counts_from", [date(2019, 1, 1), None])
def test_a_footprint_read_later_changes_nothing_for_an_earlier_day(counts_from: date | None) -> None:
    rows = [stay("th-clinic", "VN", counts_from), stay("kr-build", "TH", counts_from)]
    before = features(facts(), "p-port", as_of=EARLY)
    assert same(before, features(with_rows(facts(), "footprint", rows), "p-port", as_of=EARLY))
    now = [stay("th-clinic", "VN", EARLY)]
    assert not same(before, features(with_rows(facts(), "footprint", now), "p-port", as_of=EARLY))


@pytest.mark.parametrize(
    "status", ["mou", "proposed", "announced", "cancelled", "divested", "talks", "planned", "unknown"]
)
def test_what_did_not_come_about_is_no_deal(status: str) -> None:
    more = [deal(900, "x-port", "th-clinic", date(2015, 1, 1), status=status)]
    assert same(features(facts(), "p-port"), features(with_rows(facts(), "deals", more), "p-port"))


@pytest.mark.parametrize("role", ["proponent", "partner", "seller", "licensor", "insurance", "grant"])
def test_a_role_without_a_stake_is_no_deal(role: str) -> None:
    more = [deal(900, "x-port", "th-clinic", date(2015, 1, 1), role=role)]
    assert same(features(facts(), "p-port"), features(with_rows(facts(), "deals", more), "p-port"))


def test_a_projects_own_deals_never_count_for_itself() -> None:
    own = [deal(900 + n, "p-wind", q["partner_id"], date(2020, 1, 1 + n)) for n, q in enumerate(PARTNERS)]
    without = features(facts(), "p-wind")
    told = features(with_rows(facts(), "deals", own), "p-wind")
    for q, values in without.items():
        for name in NAMES:
            np.testing.assert_equal(told[q][name], values[name], err_msg=f"{q} {name}")


def test_deals_are_experience_and_enter_no_profile() -> None:
    """What a partner has done changes neither its text nor the sector read from it."""
    more = with_rows(facts(), "deals", [deal(900, "x-port", q["partner_id"], date(2019, 6, 1)) for q in PARTNERS])
    told, before = features(more, "p-port"), features(facts(), "p-port")
    for q, values in before.items():
        for name in NAMES:
            if name.startswith(("text_", "sector_")):
                np.testing.assert_equal(told[q][name], values[name], err_msg=f"{q} {name}")


# By hand, for p-port (Ho Chi Minh City, VN, "seaport", 400 to 600 million dollars) on 2026-11-22. A pair of partner and
# project counts once, at its latest deal. fr-wind: x-solar (2023-07-01, TH). jp-bank: x-port (2012-05-01, VN, seaport),
# x-chips (2021-06-01, VN). kr-chips: x-chips (2019-02-01) and p-fab (undated, VN). jp-port: x-port, and p-port itself.
def decay(half_life: float, *days: date | None) -> float:
    return sum(0.5 if d is None else 0.5 ** ((AS_OF - d).days / 365.25 / half_life) for d in days)


BANK = (date(2012, 5, 1), date(2021, 6, 1))
CHIPS = (date(2019, 2, 1), None)
BY_HAND: list[tuple[str, str, float]] = [
    ("deals_all", "jp-bank", math.log(3)),
    ("deals_all", "jp-port", math.log(2)),
    ("deals_all", "th-clinic", math.nan),
    ("deals_recent", "jp-bank", math.log(1 + decay(1.5, *BANK))),
    ("deals_recent", "kr-chips", math.log(1 + decay(1.5, *CHIPS))),
    ("label_deals", "jp-bank", math.log(1 + decay(4, BANK[0]))),
    ("label_deals", "kr-chips", 0.0),
    ("label_deals", "th-clinic", math.nan),
    ("label_share", "jp-bank", decay(4, BANK[0]) / (decay(4, *BANK) + 0.5)),
    ("label_share", "kr-chips", 0.0),
    ("label_recency", "jp-bank", decay(4, BANK[0])),
    ("label_recency", "kr-chips", math.nan),
    ("host_recency", "jp-bank", decay(4, BANK[1])),
    ("host_recency", "kr-chips", decay(4, CHIPS[0])),
    ("host_recency", "fr-wind", math.nan),
    ("host_recent", "jp-bank", math.log(1 + decay(4, *BANK))),
    ("host_recent", "kr-chips", math.log(1 + decay(4, *CHIPS))),
    ("host_recent", "fr-wind", 0.0),
    ("host_share", "kr-chips", decay(4, *CHIPS) / (decay(4, *CHIPS) + 0.5)),
    ("host_share", "fr-wind", 0.0),
    ("label_host_deals", "jp-bank", math.log(1 + decay(4, BANK[0]))),
    ("label_host_deals", "sg-fund", 0.0),
    ("recency", "jp-bank", decay(4, BANK[1])),
    ("value_fit", "jp-bank", math.nan),
    ("namesakes", "jp-port", math.nan),
]


@pytest.mark.parametrize(("name", "partner", "expected"), BY_HAND)
def test_history_is_what_one_counts_by_hand(name: str, partner: str, expected: float) -> None:
    assert features(facts(), "p-port")[partner][name] == pytest.approx(expected, nan_ok=True)


def test_value_fit_is_the_distance_to_the_mean_of_the_logarithms() -> None:
    past = [
        {**p, "value_usd_max": {"x-port": 1e8, "x-chips": 1e6, "x-solar": 1e6}.get(p["project_id"])}
        for p in PROJECTS[5:]
    ]
    known = features(facts(projects=[*PROJECTS[:5], *past]), "p-port")
    assert known["jp-port"]["value_fit"] == pytest.approx(math.exp(-(math.log10(5e8) - 8)))
    assert known["jp-bank"]["value_fit"] == pytest.approx(math.exp(-(math.log10(5e8) - 7)))
    assert known["fr-wind"]["value_fit"] == pytest.approx(math.exp(-(math.log10(5e8) - 6)))


def shares(known: Any) -> tuple[dict[str, float], int]:
    """What the kernel makes of each partner, and how many have a deal elsewhere."""
    made = block(known, "p-port")
    ids = made.partners.frame["partner_id"].to_list()
    return dict(zip(ids, made.experience.tolist(), strict=True)), made.n_warm


def test_experience_coinvestors_and_namesakes_are_shares_of_the_votes() -> None:
    named = [{**q, "name": {"kr-chips": "Hanbit Micro"}.get(q["partner_id"], q["name"])} for q in PARTNERS]
    known = facts(partners=named)
    of, warm = shares(known)
    found = features(known, "p-port")
    assert sum(of.values()) == pytest.approx(1.0)
    assert warm == 7  # all with a deal on x-port, x-chips, x-solar or p-fab
    assert found["jp-bank"]["experience"] == pytest.approx(math.log(1 + 10 * of["jp-bank"] * 7))
    # jp-dfi met jp-port, jp-bank and kr-build on x-port, and kr-build again, fr-wind and sg-fund on x-solar
    met = ("jp-port", "jp-bank", "kr-build", "fr-wind", "sg-fund")
    mean = sum(of[q] for q in met) / len(met)
    assert found["jp-dfi"]["coinvestors"] == pytest.approx(math.log(1 + 10 * mean * 7))
    # kr-chips and kr-build share "Hanbit"
    assert found["kr-chips"]["namesakes"] == pytest.approx(math.log(1 + 10 * of["kr-build"] * 7))
    assert found["kr-build"]["namesakes"] == pytest.approx(math.log(1 + 10 * of["kr-chips"] * 7))
    assert math.isnan(found["fr-wind"]["namesakes"])


def test_a_namesake_counts_the_more_the_rarer_the_word() -> None:
    """jp-port shares one word with two others, another with one of them: that one weighs more."""
    names = {"jp-port": "Alpha Beta", "kr-build": "Alpha Beta Gamma", "kr-chips": "Alpha"}
    known = facts(partners=[{**q, "name": names.get(q["partner_id"], q["name"])} for q in PARTNERS])
    of, warm = shares(known)
    rare, common = 1 / math.log(2 + 2), 1 / math.log(2 + 3)
    both, one = common**2 + rare**2, common**2
    mean = (both * of["kr-build"] + one * of["kr-chips"]) / (both + one)
    assert features(known, "p-port")["jp-port"]["namesakes"] == pytest.approx(math.log(1 + 10 * mean * warm))


def test_nobody_lists_where_a_company_is_not() -> None:
    """Gaps in footprint, treaties, tickets, sizes: the linear model hears nothing, whatever the partner."""
    bare = [{k: v for k, v in q.items() if k not in ("size", "ticket_usd_min", "ticket_usd_max")} for q in PARTNERS]
    ties = Reference(**{n: getattr(REFERENCE, n) for n in Reference.__dataclass_fields__ if n != "country_ties"},
                     country_ties=empty("country_ties"))  # fmt: skip
    gone = features(facts(partners=bare, footprint=[], reference=ties), "p-port")
    for values in gone.values():
        for name in ("host_presence", "region_presence", "abroad", "home_trade_deal", "ticket_fit", "size_fit"):
            assert math.isnan(values[name])
    by_name = {f.name: f for f in FEATURES}
    for values in features(facts(), "p-port").values():
        for name in ("host_presence", "region_presence", "abroad", "home_trade_deal"):
            assert math.isnan(values[name]) or values[name] >= by_name[name].neutral


def test_empty_reference_tables_make_things_unknown_and_nothing_fails() -> None:
    none = Reference(**{n: empty(n) for n in Reference.__dataclass_fields__})
    for project in ("p-port", "p-vague"):
        for values in features(facts(reference=none), project).values():
            for name in ("sector_division", "sector_focus", "host_presence", "home_near", "home_region", "home_deals"):
                assert math.isnan(values[name]), name


def test_the_order_of_rows_and_of_other_partners_does_not_matter() -> None:
    turned = facts(projects=PROJECTS[::-1], partners=PARTNERS[::-1], deals=DEALS[::-1], footprint=FOOTPRINT[::-1])
    assert same(features(facts(), "p-port"), features(turned, "p-port"))
