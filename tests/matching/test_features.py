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

    def value(self, feature: str) -> float:
        deals = [deal(n, *d) if len(d) == 3 else deal(n, *d[:3], **d[3]) for n, d in enumerate(self.deals)]
        known = facts(
            projects=[{**PORT, **self.project}, *PAST], partners=[{**FIRM, **self.partner}, OTHER, THIRD], deals=deals,
            footprint=[stay("q", c, relation=self.relation) for c in self.footprint],
        )  # fmt: skip
        return features(known, "p")["q"][feature]


def done(project: str, year: int = 2024) -> Case:
    return Case(deals=[(project, "q", date(year, 1, 1))])


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
    ("sector_division", Case(partner={"description": "container terminal"}), Case(partner={"description": "hospital"})),
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
    ("readiness", Case(project={"status": "past"})),
]

RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("text_similarity", "past_nearest", "past_top3"), (-1.0, 1.0)),
    **dict.fromkeys(
        ("past_sector", "past_sector_recent", "host_deals", "city_deals", "region_presence", "abroad", "home_deals"),
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
        told_in_profile = ("text_",) if q not in ("nobody", "jp-quay") else ("text_", "sector_")
        for name in NAMES:
            if not name.startswith(told_in_profile):  # a profile tells what its partner has done
                np.testing.assert_equal(told[q][name], values[name], err_msg=f"{q} {name}")


def test_profiles_tell_only_deals_that_are_known() -> None:
    """A deal on a sector enters the partner's own text from its day on, and not before."""
    more = [deal(900, "x-port", "sg-estate", date(2019, 6, 1))]
    known = with_rows(facts(), "deals", more)
    before, after = features(known, "p-port", as_of=EARLY), features(known, "p-port", as_of=AS_OF)
    np.testing.assert_equal(
        before["sg-estate"]["text_similarity"], features(facts(), "p-port")["sg-estate"]["text_similarity"]
    )
    assert after["sg-estate"]["text_similarity"] > before["sg-estate"]["text_similarity"]


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
