"""The judgements that every experienced officer shares hold for the engine that is served."""

import csv
from pathlib import Path

from matcher.jobs.matchmaker import Matchmaker

TABLE = Path(__file__).parents[1] / "golden" / "better_worse.csv"


def test_nine_in_ten_better_partners_outrank_the_worse(matchmaker: Matchmaker) -> None:
    catalogue = matchmaker.catalogue()
    scores: dict[str, dict[str, float]] = {}
    failed = []
    with TABLE.open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    for pair in pairs:
        project = pair["project_id"]
        if project not in scores:
            ids, values = catalogue.rank_all(project)
            scores[project] = dict(zip(ids, values.tolist(), strict=True))
        if scores[project][pair["better_partner_id"]] <= scores[project][pair["worse_partner_id"]]:
            failed.append(pair)
    assert len(pairs) >= 40
    assert len(failed) <= 0.1 * len(pairs), failed
