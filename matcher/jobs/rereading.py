"""A list that was made before, read back from the JSON that it is sent as: the same matches, in one language.

Values that the JSON has in one language only stand under that language alone; numbers have the digits of the JSON.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson

from matcher.chance import Probability
from matcher.city import CitySide, Criterion, Gate
from matcher.jobs.pairs import ServedList
from matcher.records import Evidence, Match, MatchList


def match_list(served: ServedList, lang: str) -> MatchList:
    """The list whose JSON in `lang` was kept."""
    content = orjson.loads(served.body)
    return MatchList(
        query=served.query, filters=served.filters, engine=served.engine, as_of=served.as_of,
        matches=tuple(_match(m, lang) for m in content["matches"]), candidates=served.candidates,
        coverage=content["coverage"], notes=tuple({lang: note} for note in content["notes"]), next=served.next,
        n=served.n, offset=served.offset, revision=served.revision,
        ahead=None if content["ahead"] is None else {lang: content["ahead"]},
    )  # fmt: skip


def _match(m: Mapping[str, Any], lang: str) -> Match:
    project, partner, chance = m["project"], m["partner"], m["probability"]
    return Match(
        rank=m["rank"], project_id=project["id"], project_name=project["name"], partner_id=partner["id"],
        partner_name=partner["name"], partner_country=partner["country"], partner_kind=partner["kind"],
        score=m["score"], probability=None if chance is None else _probability(chance),
        abstained=None if m["abstained"] is None else {lang: m["abstained"]},
        evidence=tuple(_evidence(e, lang) for e in m["evidence"]), engine=m["engine"],
        as_of=date.fromisoformat(m["as_of"]), route=tuple(m["route"]),
        city=None if m["city"] is None else _city(m["city"], lang),
    )  # fmt: skip


def _probability(chance: Mapping[str, Any]) -> Probability:
    """A chance; lift and "one in" follow from it."""
    return Probability(**{k: chance[k] for k in ("value", "low", "high", "outcome", "horizon_days", "base_rate")})


def _evidence(e: Mapping[str, Any], lang: str) -> Evidence:
    return Evidence(
        feature=e["feature"], direction=e["direction"], statement=e["statement"],
        project_value={lang: e["project_value"]}, partner_value={lang: e["partner_value"]},
        contribution=e["contribution"], source=e["source"], on=_day(e["on"]),
    )  # fmt: skip


def _city(side: Mapping[str, Any], lang: str) -> CitySide:
    gate = side["gate"]
    return CitySide(
        criteria=tuple(_criterion(c, lang) for c in side["criteria"]),
        gate=Gate(state=gate["state"], statement=gate["statement"], source=gate["source"], on=_day(gate["on"])),
    )


def _criterion(c: Mapping[str, Any], lang: str) -> Criterion:
    rule = c["rule"]
    return Criterion(
        name=c["criterion"], grade=c["grade"], statement=c["statement"], value={lang: c["value"]}, source=c["source"],
        on=_day(c["on"]), rule=rule["name"], rule_source=rule["source"], rule_on=_day(rule["on"]),
    )  # fmt: skip


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
