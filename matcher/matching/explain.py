"""Feature contributions -> evidence: reasons for and against, with both sides' values and their source.

Contributions of the features of one reason are summed; what unknown features received goes to one line,
"missing information", and never counts for or against.
"""

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from matcher.matching.labels import (
    FORM_NAMES,
    GAPS,
    KIND_NAMES,
    MISSING_INFORMATION,
    SIZE_NAMES,
    STATEMENTS,
    STATUS_NAMES,
    UNKNOWN,
    Both,
)
from matcher.matching.pairs import Block, Feature
from matcher.matching.shown import (
    Shown,
    both,
    deal_line,
    deals_of,
    division_names,
    named,
    partner_source,
    project_source,
    usd,
)
from matcher.records import Direction, Evidence
from matcher.text import number

Floats = npt.NDArray[np.float64]
EXCERPT = 100
"""Characters of a text that stand for a project without a name."""

NEGLIGIBLE = 0.02
"""A reason whose summed contribution is smaller than this says nothing and is not shown."""


NO_GAP = frozenset({"namesakes", "coinvestors"})
"""Reasons that most partners rightly do not have: without them nothing is missing."""


def _history(block: Block, i: int, wanted: Callable[[int], bool] = lambda _: True) -> Shown:
    own = [d for d in deals_of(block, i) if wanted(d)]
    n = len(own)
    lines = list(dict.fromkeys(deal_line(block, d) for d in own))[:2]  # a partner may hold two shares of one deal
    if not own:
        partner: Both = {"vi": "chưa ghi nhận thương vụ", "en": "no deal on record"}
        return Shown(project=_project_sector(block), partner=partner)
    first = block.history.records[own[0]]
    vi, en = "; ".join(v for v, _ in lines), "; ".join(e for _, e in lines)
    partner = {
        "vi": f"{number(n, 'vi')} thương vụ: {vi}",
        "en": f"{number(n, 'en')} deals: {en}" if n > 1 else f"1 deal: {en}",
    }
    on = first["source_on"]
    return Shown(
        project=_project_sector(block),
        partner=partner,
        source=str(first["source"]),
        on=on if isinstance(on, date) else None,
    )


def _project_sector(block: Block) -> Both:
    p = block.project
    return division_names(block.projects.divisions[p], block, estimated=bool(block.projects.estimated[p]))


def _partner_sector(block: Block, row: int) -> Both:
    return division_names(block.partners.divisions[row], block, estimated=bool(block.partners.estimated[row]))


def _show_sector(block: Block, i: int) -> Shown:
    q = int(block.rows[i])
    return Shown(
        project=_project_sector(block),
        partner=_partner_sector(block, q),
        **partner_source(block, i),
    )


def _show_text(block: Block, i: int) -> Shown:
    p, q = block.record, block.partners.records[int(block.rows[i])]
    told_project = str(p["description"] or "")[:EXCERPT]  # an unsaved project may have no name
    project = {
        "vi": str(p["name_vi"] or p["name_en"] or told_project),
        "en": str(p["name_en"] or p["name_vi"] or told_project),
    }
    does = block.partners.activity_names[int(block.rows[i])][:4]
    told = named(does) if does else _partner_sector(block, int(block.rows[i]))
    if not does and q["sector"]:
        told = {"vi": told["vi"], "en": str(q["sector"])}
    return Shown(project=project, partner=told, **partner_source(block, i))


def _show_sector_deals(block: Block, i: int) -> Shown:
    return _history(block, i, lambda d: block.deal_sector[block.place(d)] > 0)


def _host(block: Block) -> Both:
    vi, en = block.countries.name(str(block.record["country"]) if block.record["country"] else None)
    return {"vi": vi, "en": en}


def _show_host(block: Block, i: int) -> Shown:
    shown = _history(block, i, lambda d: bool(block.deal_host[block.place(d)]))
    if shown.source is None and (row := block.partners.footprint_rows.get((int(block.rows[i]), block.host))):
        on = row["source_on"]
        return Shown(
            project=_host(block),
            partner={"vi": "đang hoạt động, theo nguồn", "en": f"operates: {row['what'] or 'field unknown'}"},
            source=str(row["source"]),
            on=on if isinstance(on, date) else None,
        )
    return Shown(project=_host(block), partner=shown.partner, source=shown.source, on=shown.on)


def _show_activity(block: Block, i: int) -> Shown:
    own = block.deals[block.history.partner[block.deals] == block.rows[i]]
    dated = [int(d) for d in own if not np.isnan(block.history.age_years[d])]
    as_of = both(block.history.as_of.year)
    if not dated:
        return Shown(project=as_of, partner=UNKNOWN)
    latest = min(dated, key=lambda d: (block.history.age_years[d], d))
    vi, en = deal_line(block, latest)
    record = block.history.records[latest]
    on = record["source_on"]
    return Shown(
        project=as_of,
        partner={"vi": vi, "en": en},
        source=str(record["source"]),
        on=on if isinstance(on, date) else None,
    )


def _working_in(block: Block, i: int, among: npt.NDArray[np.bool_]) -> Shown:
    """The marked countries, home and host aside, in which partner i is known to operate."""
    row = int(block.rows[i])
    columns = [int(c) for c in np.flatnonzero(block.partners.footprint[row] & among)]
    shown = [c for c in columns if c not in (int(block.partners.home[row]), block.host)][:6]
    source = block.partners.footprint_rows.get((row, shown[0])) if shown else None
    on = source["source_on"] if source else None
    return Shown(
        project=_host(block),
        partner=named([block.countries.name(block.countries.codes[c]) for c in shown]),
        source=str(source["source"]) if source else None,
        on=on if isinstance(on, date) else None,
    )


def _show_coinvestors(block: Block, i: int) -> Shown:
    row = int(block.rows[i])
    names = [
        str(block.partners.records[int(r)]["name"])
        for r in block.snapshot.coinvestors_of(row, project=block.project)[:4]
    ]
    return Shown(project=_project_sector(block), partner=both("; ".join(names)) if names else UNKNOWN)


def _show_namesakes(block: Block, i: int) -> Shown:
    warm = block.snapshot.warm_without(block.project)
    near = block.partners.namesakes[[int(block.rows[i])]].tocoo()
    order = np.lexsort((near.col, -near.data))
    rows = [int(r) for r in near.col[order] if warm[r]][:4]
    names = [str(block.partners.records[r]["name"]) for r in rows]
    return Shown(project=_project_sector(block), partner=both("; ".join(names)) if names else UNKNOWN)


def _show_region(block: Block, i: int) -> Shown:
    return _working_in(block, i, block.neighbours)


def _show_abroad(block: Block, i: int) -> Shown:
    return _working_in(block, i, ~block.neighbours)


def _home(block: Block, i: int) -> tuple[str, str]:
    home = int(block.partners.home[int(block.rows[i])])
    return block.countries.name(block.countries.codes[home] if home >= 0 else None)


def _show_distance(block: Block, i: int) -> Shown:
    vi, en = _home(block, i)
    km = block.km[i]
    if np.isnan(km):
        return Shown(project=_host(block), partner={"vi": vi, "en": en}, **partner_source(block, i))
    far = round(float(km), -2)
    return Shown(
        project=_host(block),
        partner={
            "vi": f"{vi} (≈\u00a0{number(far, 'vi')}\u00a0km)",
            "en": f"{en} (≈\u00a0{number(far, 'en')}\u00a0km)",
        },
        **partner_source(block, i),
    )


def _show_home_ties(block: Block, i: int) -> Shown:
    home = int(block.partners.home[int(block.rows[i])])
    vi, en = _home(block, i)
    if home < 0:
        return Shown(project=_host(block), partner=UNKNOWN)
    n = int(block.compatriot_deals[i])
    agreements = ", ".join(block.agreements(home))
    if n:
        vi = f"{vi}: {number(n, 'vi')} thương vụ của đối tác khác cùng nước"
        en = f"{en}: {number(n, 'en')} {'deal' if n == 1 else 'deals'} of other partners from there on record"
    else:
        vi, en = f"{vi}: chưa ghi nhận thương vụ nào của đối tác khác", f"{en}: no deal of other partners on record"
    if agreements:
        vi, en = f"{vi}; {agreements}", f"{en}; {agreements}"
    return Shown(project=_host(block), partner={"vi": vi, "en": en})


def _kind(block: Block, i: int) -> Both:
    vi, en = KIND_NAMES[block.partners.kinds[int(block.rows[i])]]
    return {"vi": vi, "en": en}


def _show_kind(block: Block, i: int) -> Shown:
    return Shown(project=_project_sector(block), partner=_kind(block, i), **partner_source(block, i))


def _show_form(block: Block, i: int) -> Shown:
    form, note = block.record["form"], block.record["form_note"]
    asked = FORM_NAMES[str(form)] if form else UNKNOWN
    if form == "other" and note:
        asked = {lang: f"{name}: {note}" for lang, name in asked.items()}
    return Shown(project=asked, partner=_kind(block, i), **project_source(block))


def _value(block: Block) -> Both:
    low, high = block.record["value_usd_min"], block.record["value_usd_max"]
    known = [float(str(v)) for v in (low, high) if v is not None]
    if not known:
        return UNKNOWN
    mark = "≈ " if block.record["value_usd_estimated"] else ""
    ends = [usd(v) for v in sorted(set(known))]
    return {lang: mark + " – ".join(e[lang] for e in ends) for lang in ("vi", "en")}


def _show_ticket(block: Block, i: int) -> Shown:
    low, high = block.partners.tickets[int(block.rows[i])]
    ends = [usd(float(v)) for v in (low, high) if not np.isnan(v)]
    ticket = {lang: " – ".join(e[lang] for e in ends) for lang in ("vi", "en")} if ends else UNKNOWN
    return Shown(project=_value(block), partner=ticket, **project_source(block))


def _show_size(block: Block, i: int) -> Shown:
    size = block.partners.records[int(block.rows[i])]["size"]
    shown = SIZE_NAMES.get(str(size or "").lower(), UNKNOWN)
    return Shown(project=_value(block), partner=shown, **partner_source(block, i))


def _show_green(block: Block, i: int) -> Shown:
    words: dict[object, Both] = {True: {"vi": "xanh", "en": "green"}, False: {"vi": "không xanh", "en": "not green"}}
    own, theirs = block.record["green"], block.partners.records[int(block.rows[i])]["green"]
    return Shown(project=words.get(own, UNKNOWN), partner=words.get(theirs, UNKNOWN), **partner_source(block, i))


def _show_readiness(block: Block, _: int) -> Shown:
    return Shown(
        project=STATUS_NAMES[str(block.record["status"])],
        partner={"vi": "như nhau với mọi đối tác", "en": "the same for every partner"},
        **project_source(block),
    )


SHOW: dict[str, Callable[[Block, int], Shown]] = {
    "sector": _show_sector,
    "text": _show_text,
    "similar_deals": _history,
    "sector_deals": _show_sector_deals,
    "host_experience": _show_host,
    "activity": _show_activity,
    "namesakes": _show_namesakes,
    "coinvestors": _show_coinvestors,
    "region": _show_region,
    "abroad": _show_abroad,
    "distance": _show_distance,
    "home_ties": _show_home_ties,
    "kind": _show_kind,
    "form": _show_form,
    "ticket": _show_ticket,
    "size": _show_size,
    "green": _show_green,
    "readiness": _show_readiness,
}


def _gap(reason: str, shown: Shown) -> Both:
    """What is missing for a reason; where one side is known, only the other one is named."""
    unknown = [side for side, value in (("project", shown.project), ("partner", shown.partner)) if value == UNKNOWN]
    told = GAPS.get(reason, {})
    return told[unknown[0]] if len(unknown) == 1 and unknown[0] in told else STATEMENTS[reason]["missing"]


def explain(block: Block, i: int, x: Floats, parts: Floats, features: Sequence[Feature]) -> tuple[Evidence, ...]:
    """The evidence for one pair: reasons for (largest first), against (largest first), then what is missing.

    Args:
        block: the project against its candidates.
        i: position of the partner in `block.rows`.
        x: the pair's features, shape (n_features,), NaN = unknown.
        parts: their contributions, shape (n_features + 1,), the base last.
        features: what the columns are.

    Returns:
        evidence whose contributions, `missing_information` included, plus the base sum to the score, but for
        reasons smaller than `NEGLIGIBLE`, which are left out.
    """
    reasons: list[Evidence] = []
    missing: list[Evidence] = []
    unknown_total = 0.0
    for reason in reasons_of(features):
        columns = [k for k, f in enumerate(features) if f.reason == reason]
        known = [k for k in columns if not np.isnan(x[k])]
        unknown_total += float(sum(parts[k] for k in columns if np.isnan(x[k])))
        shown = SHOW[reason](block, i)
        total = float(sum(parts[k] for k in known))
        if known and abs(total) < NEGLIGIBLE:
            if shown.partner != UNKNOWN:
                continue
            known = []  # it weighs nothing, and there is nothing to show: say that it is not known
        if not known and reason in NO_GAP:
            continue
        direction: Direction = "missing" if not known else "for" if total > 0 else "against"
        lead = max(known or columns, key=lambda k: (abs(parts[k]), -k))
        (reasons if known else missing).append(
            Evidence(
                feature=features[lead].name,
                direction=direction,
                statement=_gap(reason, shown) if direction == "missing" else STATEMENTS[reason][direction],
                project_value=shown.project,
                partner_value=shown.partner,
                contribution=total if known else None,
                source=shown.source,
                on=shown.on,
            )
        )
    reasons.sort(key=lambda e: (e.direction != "for", -abs(e.contribution or 0.0), e.feature))
    if abs(unknown_total) >= 1e-9:
        missing.append(
            Evidence(
                feature="missing_information", direction="missing", statement=MISSING_INFORMATION,
                project_value=UNKNOWN, partner_value=UNKNOWN, contribution=unknown_total, source=None, on=None,
            )
        )  # fmt: skip
    return (*reasons, *missing)


def reasons_of(features: Sequence[Feature]) -> tuple[str, ...]:
    """The groups of the features, in order of first appearance."""
    return tuple(dict.fromkeys(f.reason for f in features))
