"""Missions and the countries that they cover, as the store knew them after a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from matcher.jobs.nearby import not_found
from matcher.records import Match

ACCREDITATION_UNKNOWN: Mapping[str, str] = {
    "vi": "Chưa rõ cơ quan này có kiêm nhiệm nước nào khác hay không; chỉ tính nước sở tại.",
    "en": "Whether this post also covers other countries is not known; only the host country is counted.",
}
ANNOUNCED: Mapping[str, str] = {
    "vi": "Cơ quan này mới được thông báo thành lập; chưa rõ đã mở hay chưa.",
    "en": "This post was announced; whether it is open is not known.",
}
PERMANENT = "permanent_mission"
"""Type of a mission that is accredited to an organisation, not to its host: it leads to no company."""


@dataclass(frozen=True, kw_only=True)
class Posts:
    """Missions (`TABLES["missions"]`) and accreditation (`TABLES["accreditation"]`)."""

    missions: pl.DataFrame
    accreditation: pl.DataFrame

    def known(self, mission_id: str) -> bool:
        """There is such a mission."""
        return mission_id in self._records

    def mission(self, mission_id: str) -> dict[str, Any]:
        """One mission's record.

        Raises:
            NotFoundError: there is no such mission; `nearby` lists similar ones.
        """
        if mission_id not in self._records:
            names = ("name_en", "name_vi", "city", "country")
            raise not_found("mission", mission_id, self.missions, "mission_id", names)
        return self._records[mission_id]

    def covered(self, mission_id: str) -> tuple[tuple[str, ...], Sequence[Mapping[str, str]]]:
        """Host and accredited countries of a mission, and what is not known about them.

        Raises:
            NotFoundError: there is no such mission; `nearby` lists similar ones.
        """
        mission = self.mission(mission_id)
        beside = self.accreditation.filter(pl.col("mission_id") == mission_id)["country"].to_list()
        notes = [] if beside else [ACCREDITATION_UNKNOWN]
        if mission["status"] == "announced":
            notes.append(ANNOUNCED)
        return tuple(dict.fromkeys([mission["country"], *sorted(beside)])), notes

    def route(self, match: Match) -> tuple[Mapping[str, str], ...]:
        """The missions that lead to a match's partner."""
        return tuple({"kind": "mission", "id": m} for m in self._covering.get(match.partner_country or "", ()))

    @cached_property
    def _records(self) -> dict[str, dict[str, Any]]:
        return {row["mission_id"]: row for row in self.missions.iter_rows(named=True)}

    @cached_property
    def _covering(self) -> dict[str, list[str]]:
        """Country -> missions that cover it, those seated there first."""
        missions = self.missions.filter(pl.col("type") != PERMANENT)
        seated = missions.sort("mission_id").select("country", "mission_id")
        beside = self.accreditation.sort("mission_id").select("country", "mission_id")
        out: dict[str, list[str]] = {}
        for country, mission in pl.concat([seated, beside]).iter_rows():
            if mission not in out.setdefault(country, []):
                out[country].append(mission)
        return out
