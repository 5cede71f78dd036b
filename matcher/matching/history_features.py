"""Features of what a partner has done before: every one counts known deals, never those of the asked project itself."""

import numpy as np
import numpy.typing as npt

from matcher.matching.fusion import DEFAULT, RANK_CONSTANT, Fusion
from matcher.matching.pairs import Block
from matcher.matching.simple import HALF_LIFE_YEARS

Floats = npt.NDArray[np.float64]

NEIGHBOURS = 20
"""Number of similar past projects whose partners vote."""


def past_nearest(block: Block) -> Floats:
    """The partner's most similar past project is like this one in text.

    Returns: largest cosine, in [-1, 1]; unknown without a deal on record.
    """

    def best() -> Floats:
        found = np.full(block.partners.frame.height, -1.0)
        np.maximum.at(found, block.history.partner[block.deals], block.deal_text)
        return found

    return block.known(block.of_rows(block.kept("past_nearest", best)))


def past_top3(block: Block) -> Floats:
    """The partner's three most similar past projects are like this one in text.

    Returns: mean of the three largest cosines (of fewer if there are fewer), in [-1, 1]; unknown without a deal.
    """
    return block.known(block.of_rows(block.kept("past_top3", lambda: _mean_of_three(block))))


def _mean_of_three(block: Block) -> Floats:
    partner = block.history.partner[block.deals]
    order = np.lexsort((-block.deal_text, partner))
    ordered = partner[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    place = np.arange(ordered.size) - np.repeat(starts, np.diff(starts, append=ordered.size))
    best = np.where(place < 3, 1.0, 0.0)
    n = block.partners.frame.height
    used = np.bincount(ordered, weights=best, minlength=n)
    total = np.bincount(ordered, weights=best * block.deal_text[order], minlength=n)
    return np.asarray(total / np.maximum(used, 1))


def past_sector(block: Block) -> Floats:
    """The partner has done deals in the project's ISIC divisions.

    Returns: log(1 + sum of division nearness over its deals), >= 0; unknown without a deal.
    """
    return block.known(np.log1p(block.count("sector", lambda: block.deal_sector)))


def past_sector_recent(block: Block) -> Floats:
    """The partner has done recent deals in the project's ISIC divisions.

    Returns: as `past_sector`, each deal weighted by age with a half-life of four years; unknown without a deal.
    """
    return block.known(np.log1p(block.count("sector recent", lambda: block.deal_sector * block.deal_decay)))


def past_votes(block: Block) -> Floats:
    """Investors of the most similar past projects vote for themselves.

    Returns: sum over the 20 most similar past projects that are the partner's of max(cosine, 0), divided by
        the largest sum of any partner, in [0, 1]; unknown without a deal.
    """
    votes = block.kept("past_votes", lambda: _neighbours_votes(block))
    best = float(votes.max(initial=0.0))
    own = block.of_rows(votes)
    return block.known(own / best if best > 0 else own)


def _neighbours_votes(block: Block) -> Floats:
    snapshot = block.snapshot
    nearness = np.where(snapshot.dealt, snapshot.dense_nearness(block.project), -np.inf)
    nearness[block.project] = -np.inf
    nearest = np.argsort(-nearness, kind="stable")[:NEIGHBOURS]
    weights = np.zeros(snapshot.n_projects)
    weights[nearest] = np.maximum(nearness[nearest], 0.0)
    return snapshot.votes(weights, project=block.project)


def host_deals(block: Block) -> Floats:
    """The partner has invested in the host country before.

    Returns: log(1 + number of its deals there), >= 0; unknown without a deal.
    """
    return block.known(np.log1p(block.count("host", lambda: block.deal_host.astype(float))))


def city_deals(block: Block) -> Floats:
    """The partner has invested in this city before (within its present boundary).

    Returns: log(1 + number of its deals there), >= 0; unknown without a deal.
    """
    return block.known(np.log1p(block.count("city", lambda: block.deal_city.astype(float))))


def recency(block: Block) -> Floats:
    """The partner's latest dated deal is recent.

    Returns: 0.5 to the power of its age in years over four, in (0, 1]; unknown without a dated deal.
    """
    return block.youngest("all", lambda: block.every)


def host_recency(block: Block) -> Floats:
    """The partner's latest dated deal in the host country is recent.

    Returns: as `recency`, of its deals there; unknown without a dated one there.
    """
    return block.youngest("host", lambda: block.same("host"))


def label_recency(block: Block) -> Floats:
    """The partner's latest dated deal under the project's own sector label is recent.

    Returns: as `recency`, of such deals; unknown without a dated one.
    """
    return block.youngest("sector", lambda: block.same("sector"))


def experience(block: Block) -> Floats:
    """The partner's past projects are like this one, by all that is known of them, as learned from past deals.

    Returns: log(1 + 10 x its share of the votes of past projects x number of partners with a deal), >= 0, 2.4 for an
        average partner; unknown without a deal.
    """
    return block.known(np.log1p(10.0 * block.of_rows(block.experience) * block.n_warm))


def deals_all(block: Block) -> Floats:
    """The partner has done deals at all.

    Returns: log(1 + number of its projects), > 0; unknown without a deal.
    """
    return np.log1p(block.votes("all", lambda: block.every))


def deals_recent(block: Block) -> Floats:
    """The partner has done deals lately.

    Returns: as `deals_all`, each project weighted by age with a half-life of one and a half years; unknown without one.
    """
    return np.log1p(block.votes("all", lambda: block.every, 1.5))


def label_deals(block: Block) -> Floats:
    """The partner has done deals under the project's own sector label.

    Returns: log(1 + number of such projects, by age with a half-life of four years), >= 0; unknown without a deal.
    """
    return np.log1p(block.votes("sector", lambda: block.same("sector"), HALF_LIFE_YEARS))


def label_share(block: Block) -> Floats:
    """Much of what the partner has done is under the project's own sector label.

    Returns: share of its projects, smoothed by half a project, in [0, 1); unknown without a deal.
    """
    return _share(block, "sector")


def host_recent(block: Block) -> Floats:
    """The partner has invested in the host country lately.

    Returns: log(1 + number of its projects there, by age with a half-life of four years), >= 0; unknown without a deal.
    """
    return np.log1p(block.votes("host", lambda: block.same("host"), HALF_LIFE_YEARS))


def host_share(block: Block) -> Floats:
    """Much of what the partner has done is in the host country.

    Returns: share of its projects, smoothed by half a project, in [0, 1); unknown without a deal.
    """
    return _share(block, "host")


def _share(block: Block, attribute: str) -> Floats:
    """Share of the projects alike in all projects of each partner, by age, smoothed by half a project."""
    among = block.votes(attribute, lambda: block.same(attribute), HALF_LIFE_YEARS)
    return among / (block.votes("all", lambda: block.every, HALF_LIFE_YEARS) + 0.5)


def label_host_deals(block: Block) -> Floats:
    """The partner has done deals under the project's sector label in its host country.

    Returns: log(1 + number of such projects, by age with a half-life of four years), >= 0; unknown without a deal.
    """
    found = block.votes("sector and host", lambda: block.same("sector") & block.same("host"), HALF_LIFE_YEARS)
    return np.log1p(found)


def words_nearest(block: Block) -> Floats:
    """The words of one of the partner's past projects are those of this one.

    Returns: largest cosine of TF-IDF rows, in [0, 1]; unknown without a deal.
    """

    def best() -> Floats:
        nearness = block.snapshot.text_nearness(block.project)
        found = np.zeros(block.snapshot.n_partners)
        np.maximum.at(found, block.history.partner[block.deals], nearness[block.history.project[block.deals]])
        return found

    return block.known(block.of_rows(block.kept("words_nearest", best)))


def fused(block: Block) -> Floats:
    """Simple rankers of past projects (same sector and host, attributes, words, meaning) put the partner high.

    Returns: mean of 61 / (60 + place) over the parts of the fusion, in [0, 1]; unknown without a deal.
    """
    scores = block.of_rows(block.kept("fused", lambda: Fusion()(block.snapshot, block.project)))
    return block.known(scores * (RANK_CONSTANT + 1) / sum(weight for _, weight in DEFAULT))


def value_fit(block: Block) -> Floats:
    """The project is as large as those that the partner took part in.

    Returns: exp(-distance of the logarithms of the values, in powers of ten, to their mean), in (0, 1]; unknown
        without values on both sides.
    """
    values = block.snapshot.attributes.log_value
    known = ~np.isnan(values)
    number = block.votes("valued", lambda: known)
    mean = block.votes("values", lambda: np.where(known, values, 0.0)) / np.where(number > 0, number, np.nan)
    return np.asarray(np.exp(-np.abs(mean - values[block.project])), dtype=np.float64)


def coinvestors(block: Block) -> Floats:
    """Those with whom the partner has done deals took part in projects like this one.

    Returns: log(1 + 10 x their mean share of the votes of past projects x number of partners with a deal), >= 0;
        unknown without a partner in a deal on record.
    """
    mean = block.of_rows(
        block.kept("coinvestors", lambda: block.snapshot.among_coinvestors(block.experience, project=block.project))
    )
    return np.log1p(10.0 * mean * block.n_warm)


def momentum(block: Block) -> Floats:
    """The partner does more deals lately than before.

    Returns: share of its dated deals of the last three years among those of the last ten, in [0, 1];
        unknown without a dated deal of the last ten years.
    """

    def younger(years: float) -> Floats:
        age = np.nan_to_num(block.history.age_years[block.deals], nan=np.inf)
        return (age <= years).astype(np.float64)

    lately, before = block.count("3 years", lambda: younger(3)), block.count("10 years", lambda: younger(10))
    return np.where(before > 0, lately / np.maximum(before, 1.0), np.nan)


def namesakes(block: Block) -> Floats:
    """Partners that share a rare word of their name with this one, often of the same group, have done such projects.

    Returns: log(1 + 10 x mean share of the votes of past projects, weighted by the rarity of the words shared, x number
        of partners with a deal), >= 0; unknown where no such partner has a deal.
    """
    mean = block.of_rows(
        block.kept("namesakes", lambda: block.snapshot.among_namesakes(block.experience, project=block.project))
    )
    return np.log1p(10.0 * mean * block.n_warm)
