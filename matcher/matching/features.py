"""Pairs -> feature frame: one documented function per feature, always comparing (project, partner).

A `Block` is one project against many partners. A feature returns one number per partner, NaN for unknown:
unknown stays unknown all the way to the ranker. `FEATURES` fixes the order, which is the artefact's order.
"""

import numpy as np
import numpy.typing as npt

from matcher.matching.history_features import (
    city_deals,
    coinvestors,
    deals_all,
    deals_recent,
    experience,
    fused,
    host_deals,
    host_recency,
    host_recent,
    host_share,
    label_deals,
    label_host_deals,
    label_recency,
    label_share,
    momentum,
    namesakes,
    past_nearest,
    past_sector,
    past_sector_recent,
    past_top3,
    past_votes,
    recency,
    value_fit,
    words_nearest,
)
from matcher.matching.pairs import Block, Feature
from matcher.matching.sides import FINANCE

Floats = npt.NDArray[np.float64]


def _by_sector(block: Block, own: Floats, some: npt.NDArray[np.bool_], value: Floats) -> Floats:
    """A comparison of sectors where it says something, NaN elsewhere.

    Both sides' sectors must be known and the partner be no financier of other people's sectors. A sector that was
    only read out of the partner's text repeats, coarsely, what the comparison of the texts says.
    """
    divisions = block.partners.sectors.divisions
    finance = [divisions[d] for d in FINANCE if d in divisions]
    outside = not block.projects.divisions[block.project][finance].any()
    told = own.any() & some & ~block.of_rows(block.partners.estimated)
    return np.where(told & ~(block.of_rows(block.partners.financier) & outside), value, np.nan)


def _largest(block: Block, own: Floats, theirs: Floats) -> Floats:
    """The largest product of the project's weights and each partner's, >= 0; a weight of 0 cannot be it."""
    columns = np.flatnonzero(own)
    return np.asarray((block.of_cells(theirs, columns) * own[columns]).max(axis=1, initial=0.0))


def sector_division(block: Block) -> Floats:
    """The partner works in an ISIC division of the project.

    Returns: largest product of the two sides' division weights, in [0, 1]; unknown when either has none, and for
        a bank, fund or development financier outside finance: which sectors it finances is not recorded.
    """
    own, theirs = block.projects.divisions[block.project], block.partners.divisions
    return _by_sector(block, own, block.of_rows(block.partners.has_division), _largest(block, own, theirs))


def sector_section(block: Block) -> Floats:
    """The partner works in an ISIC section of the project: one step up the tree from `sector_division`.

    Returns: largest product of the two sides' section weights, in [0, 1]; unknown as in `sector_division`.
    """
    own, theirs = block.projects.sections[block.project], block.partners.sections
    return _by_sector(block, own, block.of_rows(block.partners.has_section), _largest(block, own, theirs))


def sector_focus(block: Block) -> Floats:
    """How much of the partner's business lies in the project's divisions.

    Returns: cosine of the two division vectors, in [0, 1]; unknown as in `sector_division`.
    """
    own = block.projects.divisions[block.project]
    theirs = block.of_rows(block.partners.divisions)
    norm = block.of_rows(block.partners.division_length) * np.linalg.norm(own)
    some = block.of_rows(block.partners.has_division)
    return _by_sector(block, own, some, theirs @ own / np.where(norm > 0, norm, 1.0))


def text_similarity(block: Block) -> Floats:
    """The profile texts mean similar things.

    Returns: cosine of the centred text vectors, in [-1, 1]; unknown when either text is empty (zero vector).
    """
    own = block.projects.vectors[block.project]
    theirs = block.of_rows(block.partners.vectors)
    known = own.any() & block.of_rows(block.partners.has_vector)
    return np.where(known, np.asarray(theirs @ own, dtype=np.float64), np.nan)


WORDS_ENOUGH = 0.3
"""Share of the project's words, weighed by rarity, that counts as full agreement; less does not, even if it is most."""


def text_words(block: Block) -> Floats:
    """The profile texts share words, with or without diacritics.

    Returns: BM25 divided by the best partner's BM25 for this project or `WORDS_ENOUGH`, whichever is more, in [0, 1];
        unknown when none shares a word.
    """
    if block.lexical_best <= 0:
        return np.full(block.rows.size, np.nan)
    return np.asarray(block.of_rows(block.lexical) / max(block.lexical_best, WORDS_ENOUGH), dtype=np.float64)


TRADES_DAMPING = 1.3
"""Added to the length of both vectors of trades, so that one trade named in passing weighs little."""


def text_trades(block: Block) -> Floats:
    """The profile texts name the same trades, each in its own language.

    Returns: product of the two vectors of trades, rare trades counting more, divided by their lengths and a damping,
        in [0, 1); unknown when either text names none.
    Source: our choice, docs/decisions.md.
    """
    own = block.trades * block.partners.rarity
    theirs, norm = block.of_rows(block.partners.rare_trades), block.of_rows(block.partners.trades_length)
    length = (np.linalg.norm(own) + TRADES_DAMPING) * (norm + TRADES_DAMPING)
    return np.where(own.any() & block.of_rows(block.partners.has_trade), theirs @ own / length, np.nan)


def host_presence(block: Block) -> Floats:
    """The partner is known to operate in the host country (company publications, not only deals).

    Returns: 1.0 where it is; unknown otherwise, for nobody lists where a company is not.
    """
    if block.host < 0:
        return np.full(block.rows.size, np.nan)
    return np.where(block.of_rows(block.partners.footprint[:, block.host]), 1.0, np.nan)


def _at_home(block: Block, among: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which partners operate in their home country and it is one of those marked; False without a home."""
    home = block.of_rows(block.partners.home)
    return np.asarray(block.of_rows(block.partners.at_home) & np.append(among, False)[home])


def region_presence(block: Block) -> Floats:
    """The partner is known to operate in the host's neighbours (ASEAN, or the same subregion).

    Returns: log(1 + number of such countries beside its home and the host), > 0; unknown when none is known, for
        nobody lists where a company is not.
    """
    if block.host < 0:
        return np.full(block.rows.size, np.nan)
    near = block.neighbours
    inside = block.of_cells(block.partners.footprint, np.flatnonzero(near)).sum(axis=1).astype(float)
    inside -= _at_home(block, near)
    return np.where(inside > 0, np.log1p(np.maximum(inside, 0.0)), np.nan)


def abroad(block: Block) -> Floats:
    """The partner is known to operate abroad, farther than the host's neighbours.

    Returns: log(1 + number of countries beside its home, the host and the host's neighbours), > 0; unknown when
        none is known.
    """
    farther = ~block.neighbours
    if block.host >= 0:
        farther[block.host] = False
    nearer = block.of_cells(block.partners.footprint, np.flatnonzero(~farther)).sum(axis=1)
    elsewhere = block.of_rows(block.partners.footprint_size) - nearer - _at_home(block, farther)
    return np.where(elsewhere > 0, np.log1p(np.maximum(elsewhere, 0)), np.nan)


def home_near(block: Block) -> Floats:
    """The partner's home country is near the host.

    Returns: exp(-distance of the capitals / 6,000 km), in (0, 1]; unknown without both places.
    Source: gravity of investment falls with distance (CEPII GeoDist literature); scale is our choice.
    """
    return np.exp(-block.km / 6000.0)


def home_region(block: Block) -> Floats:
    """The partner's home lies in the host's part of the world.

    Returns: 1.0 in the same subregion, 0.5 in the same region, else 0; unknown without a home country.
    """
    c, host = block.countries, block.host
    home = block.of_rows(block.partners.home)
    if host < 0:
        return np.full(home.size, np.nan)
    level = np.array([
        1.0 if s is not None and s == c.subregion[host] else 0.5 if r is not None and r == c.region[host] else 0.0
        for s, r in zip(c.subregion, c.region, strict=True)
    ])  # fmt: skip
    return np.where(home >= 0, level[home], np.nan)


def home_trade_deal(block: Block) -> Floats:
    """A free-trade agreement between the home country and Viet Nam is known to be in force.

    Returns: 1.0 where it is; unknown otherwise, for the list of agreements may have gaps.
    """
    home = block.of_rows(block.partners.home)
    c = block.countries
    value = np.full(len(c.codes) + 1, np.nan)
    if block.record["country"] == "VN":
        for code, agreements in c.fta.items():
            if any(d is not None and d <= block.history.as_of for _, d in agreements):
                value[c.column[code]] = 1.0
    return np.where(home >= 0, value[home], np.nan)


def home_deals(block: Block) -> Floats:
    """Others from the partner's home country have invested in the host country.

    Returns: log(1 + number of recorded deals of its compatriots there), >= 0; unknown without a home country.
    """
    return np.log1p(block.compatriot_deals)


THEMES: dict[str, frozenset[str]] = {
    "finance": frozenset({"64", "65", "66"}),
    "education": frozenset({"85"}),
    "research": frozenset({"26", "62", "63", "72"}),
    "health": frozenset({"86", "87", "88"}),
    "infrastructure": frozenset({"35", "36", "37", "38", "39", "42", "49", "51", "52", "84"}),
    "property": frozenset({"41", "55", "68", "93"}),
}
"""ISIC divisions that call for a certain kind of partner; the first theme that holds the main division wins."""

KIND_FIT: dict[str, dict[str, float]] = {
    "company": {"": 0.8, "finance": 0.7},
    "bank": {"": 0.35, "finance": 1.0, "infrastructure": 0.5, "property": 0.4},
    "fund": {"": 0.5, "finance": 0.8, "infrastructure": 0.6, "property": 0.65},
    "sovereign_fund": {"": 0.5, "finance": 0.8, "infrastructure": 0.65, "property": 0.65},
    "dfi": {"": 0.4, "finance": 0.6, "infrastructure": 0.75, "health": 0.7, "education": 0.6},
    "intl_org": {"": 0.2, "finance": 0.4, "infrastructure": 0.5, "health": 0.5, "education": 0.5, "research": 0.3},
    "government": {"": 0.2, "infrastructure": 0.35},
    "locality": {"": 0.15},
    "university": {"": 0.05, "education": 1.0, "research": 0.5, "health": 0.4},
    "chamber": {"": 0.15},
    "person": {"": 0.2},
}
"""How apt a kind of partner is to carry a project of a theme, in [0, 1]. Source: our choice, docs/decisions.md."""


def theme(divisions: Floats, columns: dict[str, int]) -> str:
    """The theme of a project by its main ISIC division; '' when none applies."""
    for name, codes in THEMES.items():
        weights = [divisions[columns[c]] for c in codes if c in columns]
        if weights and max(weights) >= 1.0:
            return name
    return ""


def kind_fit(block: Block) -> Floats:
    """The partner is of a kind that carries such projects.

    Returns: a value of `KIND_FIT`, in [0, 1]; unknown for a partner of unknown kind.
    """
    name = theme(block.projects.divisions[block.project], dict(block.partners.sectors.divisions))
    table = {k: v.get(name, v[""]) for k, v in KIND_FIT.items()}
    return block.by_kind(lambda kind: table.get(kind, np.nan))


FORM_FIT: dict[str, dict[str, float]] = {
    "ppp": {"company": 0.9, "fund": 0.7, "sovereign_fund": 0.7, "dfi": 0.8, "bank": 0.7, "": 0.1},
    "public": {"company": 0.6, "dfi": 0.8, "bank": 0.5, "intl_org": 0.6, "government": 0.5, "": 0.2},
    "oda": {"dfi": 1.0, "intl_org": 0.9, "government": 0.9, "bank": 0.5, "company": 0.4, "": 0.1},
    "loan": {"dfi": 1.0, "bank": 1.0, "intl_org": 0.8, "company": 0.2, "": 0.1},
}
"""How apt a kind of partner is for a form of investment, in [0, 1]. Source: our choice, docs/decisions.md."""

_EQUITY = {"company": 0.9, "fund": 0.7, "sovereign_fund": 0.8, "dfi": 0.4, "bank": 0.4, "": 0.15}


def form_fit(block: Block) -> Floats:
    """The partner's kind suits the form of investment that the project asks for (PPP, ODA, equity ...).

    Returns: a value of `FORM_FIT`, in [0, 1]; unknown when the form or the kind is not known.
    """
    form = block.record["form"]
    if form is None or form == "other":
        return np.full(block.rows.size, np.nan)
    table = FORM_FIT.get(str(form), _EQUITY)
    return block.by_kind(lambda kind: np.nan if kind == "unknown" else table.get(kind, table[""]))


LENDER_FIT: dict[str, frozenset[str]] = {
    "oda": frozenset({"dfi", "intl_org", "government"}),
    "loan": frozenset({"dfi", "intl_org", "government", "bank"}),
}
"""Kinds of partner that supply what a form of finance asks for."""


def lender_fit(block: Block) -> Floats:
    """The project asks for ODA or a loan and the partner is of a kind that gives it.

    Returns: 1.0 where it is; unknown otherwise, for other partners may still build or operate.
    """
    kinds = LENDER_FIT.get(str(block.record["form"]), frozenset())
    return block.by_kind(lambda kind: 1.0 if kind in kinds else np.nan)


def ticket_fit(block: Block) -> Floats:
    """The capital sought lies within the partner's usual ticket.

    Returns: 1.0 inside the range, falling as 1/x when x times outside it, in (0, 1];
        unknown when either side publishes no amount.
    Source: our choice, docs/decisions.md 2026-11-22.
    """
    value = float(block.projects.value_usd[block.project])
    tickets = block.of_rows(block.partners.tickets)
    low, high = tickets[:, 0], tickets[:, 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        outside = np.fmax(np.fmax(low / value, value / high), 1.0)
    return np.where(np.isnan(value) | (np.isnan(low) & np.isnan(high)), np.nan, 1.0 / outside)


def size_fit(block: Block) -> Floats:
    """The partner is large enough for the project.

    Returns: 1.0 up to a quarter of the lower bound of its market-value class, falling by the logarithm to 0 at
        ten times that bound, in [0, 1]; unknown when the project's value or the partner's class is not known.
    """
    value = float(block.projects.value_usd[block.project])
    bound = block.of_rows(block.partners.size_usd)
    if not value > 0:
        return np.full(block.rows.size, np.nan)
    ratio = np.log(value / bound / 0.25) / np.log(10 / 0.25)
    return np.where(np.isnan(bound), np.nan, np.clip(1.0 - ratio, 0.0, 1.0))


def green_fit(block: Block) -> Floats:
    """A green project meets a partner with green activities.

    Returns: 1.0 when both are marked green; unknown otherwise, for a missing mark says nothing.
    """
    green = block.of_rows(block.partners.green)
    return np.where(green & (block.record["green"] is True), 1.0, np.nan)


READINESS = {"calling": 1.0, "approved": 0.8, "preparing": 0.5, "proposed": 0.3}


def readiness(block: Block) -> Floats:
    """The project is ready to receive partners: the same for every partner, it orders pairs across projects.

    Returns: by status, calling 1.0, approved 0.8, preparing 0.5, proposed 0.3; unknown for any other status.
    """
    return np.full(block.rows.size, READINESS.get(str(block.record["status"]), np.nan))


FEATURES: tuple[Feature, ...] = (
    Feature(compute=sector_division, reason="sector", neutral=0.35, weight=3.0),
    Feature(compute=sector_section, reason="sector", neutral=0.4, weight=0.8),
    Feature(compute=sector_focus, reason="sector", neutral=0.3, weight=1.5),
    Feature(compute=text_similarity, reason="text", neutral=0.05, weight=4.0),
    Feature(compute=text_words, reason="text", neutral=0.1, weight=1.5),
    Feature(compute=text_trades, reason="text", neutral=0.0, weight=6.0),
    Feature(compute=experience, reason="similar_deals", neutral=2.4, weight=1.3),
    Feature(compute=fused, reason="similar_deals", neutral=0.1, weight=0.0, monotone=False),
    Feature(compute=past_nearest, reason="similar_deals", neutral=0.1, weight=0.6, monotone=False),
    Feature(compute=past_top3, reason="similar_deals", neutral=0.05, weight=0.6, monotone=False),
    Feature(compute=past_votes, reason="similar_deals", neutral=0.0, weight=0.4, monotone=False),
    Feature(compute=words_nearest, reason="similar_deals", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=value_fit, reason="similar_deals", neutral=0.4, weight=0.0, monotone=False),
    Feature(compute=past_sector, reason="sector_deals", neutral=0.0, weight=0.7, monotone=False),
    Feature(compute=past_sector_recent, reason="sector_deals", neutral=0.0, weight=0.4, monotone=False),
    Feature(compute=label_deals, reason="sector_deals", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=label_share, reason="sector_deals", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=label_recency, reason="sector_deals", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=label_host_deals, reason="sector_deals", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=host_deals, reason="host_experience", neutral=0.0, weight=0.3, monotone=False),
    Feature(compute=host_recent, reason="host_experience", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=host_share, reason="host_experience", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=host_recency, reason="host_experience", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=city_deals, reason="host_experience", neutral=0.0, weight=0.3, monotone=False),
    Feature(compute=host_presence, reason="host_experience", neutral=0.0, weight=0.4),
    Feature(compute=recency, reason="activity", neutral=0.25, weight=0.3, monotone=False),
    Feature(compute=momentum, reason="activity", neutral=0.3, weight=0.1, monotone=False),
    Feature(compute=deals_all, reason="activity", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=deals_recent, reason="activity", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=namesakes, reason="namesakes", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=coinvestors, reason="coinvestors", neutral=0.0, weight=0.0, monotone=False),
    Feature(compute=region_presence, reason="region", neutral=0.0, weight=0.4),
    Feature(compute=abroad, reason="abroad", neutral=0.0, weight=0.1),
    Feature(compute=home_near, reason="distance", neutral=0.4, weight=0.8),
    Feature(compute=home_region, reason="distance", neutral=0.4, weight=0.2),
    Feature(compute=home_trade_deal, reason="home_ties", neutral=0.0, weight=0.1),
    Feature(compute=home_deals, reason="home_ties", neutral=1.5, weight=0.2, monotone=False),
    Feature(compute=kind_fit, reason="kind", neutral=0.6, weight=2.5),
    Feature(compute=form_fit, reason="form", neutral=0.6, weight=0.6),
    Feature(compute=lender_fit, reason="form", neutral=0.0, weight=4.0),
    Feature(compute=ticket_fit, reason="ticket", neutral=0.5, weight=1.0),
    Feature(compute=size_fit, reason="size", neutral=0.7, weight=0.8),
    Feature(compute=green_fit, reason="green", neutral=0.0, weight=0.3),
    Feature(compute=readiness, reason="readiness", neutral=0.6, weight=0.5),
)
"""Every feature, in the order of the artefact's columns. Weights: docs/decisions.md 2026-11-22."""

NAMES: tuple[str, ...] = tuple(f.name for f in FEATURES)
REASONS: tuple[str, ...] = tuple(dict.fromkeys(f.reason for f in FEATURES))


def compute(block: Block) -> Floats:
    """All features of a block, shape (n_partners_in_block, n_features), NaN for unknown."""
    return np.column_stack([f.compute(block) for f in FEATURES])
