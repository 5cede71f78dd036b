"""Sentences that the reader of a list must see, in both languages."""

from collections.abc import Mapping, Sequence

import polars as pl

from matcher.matching.labels import DEAL_STATUS_NAMES, ROLE_NAMES, Both
from matcher.matching.sides import Countries, PartnerSide

RECIPROCAL = 50
"""Where both sides are asked for, so many of the first are ordered anew; the others stay behind them."""

BOTH_SIDES: Both = {
    "vi": (
        f"{RECIPROCAL} kết quả đầu theo phía đối tác được xếp lại theo thứ hạng của đối tác nhân với giá trị đối với "
        "Thành phố; điều chưa biết tính ½, đối tác phải dừng để kiểm tra đứng cuối."
    ),
    "en": (
        f"The first {RECIPROCAL} by the partner's side are ordered by the partner's place times the value to the city; "
        "what is not known counts ½, and a partner that must be checked first stands last."
    ),
}
"""The rule of the order by both sides, told beside every such list."""


def gaps(countries: Sequence[str], partners: PartnerSide, names: Countries) -> list[Mapping[str, str]]:
    """One note for each asked country of which no partner is compiled."""
    compiled = set(partners.frame["country"])
    empty = [c for c in countries if c not in compiled]
    return [
        {
            "vi": f"Chưa có hồ sơ đối tác nào của {names.name(c)[0]}: cần bổ sung doanh nghiệp, quỹ và định chế.",
            "en": f"No partner of {names.name(c)[1]} is on record yet: companies, funds, institutions are to be added.",
        }
        for c in empty
    ]


def taking_part(project_id: str, deals: pl.DataFrame, partners: PartnerSide) -> list[Mapping[str, str]]:
    """One note that names who is on record with a project already, whatever came of it."""
    told: dict[str, dict[str, None]] = {"vi": {}, "en": {}}
    for d in deals.filter(pl.col("project_id") == project_id).sort("deal_id").iter_rows(named=True):
        for lang, of in told.items():
            role, status = ROLE_NAMES[d["role"]][lang], DEAL_STATUS_NAMES[d["status"]][lang]
            of[f"{partners.names.get(d['partner_id'], d['partner_id'])} ({role}, {status})"] = None
    if not told["en"]:
        return []
    return [{
        "vi": f"Đã ghi nhận với dự án này: {'; '.join(told['vi'])}.",
        "en": f"On record with this project already: {'; '.join(told['en'])}.",
    }]  # fmt: skip
