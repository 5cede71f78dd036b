"""What retrieval, explanation and lists of pairs cost beside the bare scoring of the same pairs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from evaluation.bench import Timing, against
from matcher import config
from matcher.jobs.matchmaker import Matchmaker
from matcher.matching.retrieve import top
from matcher.records import OPEN_STATUSES, Query

SHOWN = 10


def run(_data_dir: Path, _seed: int) -> Iterator[Timing]:
    """On the engine in use. A project's list costs by its candidates, a country's by projects times partners.

    Raises:
        SourceError: no engine was fitted yet.
    """
    with Matchmaker(config.load().site()) as maker:
        catalogue = maker.catalogue()
        open_ = catalogue.projects.frame.filter(catalogue.projects.frame["status"].is_in(list(OPEN_STATUSES)))
        projects: list[str] = open_["project_id"].to_list()[:20]
        candidates = catalogue.partners.frame.height
        everybody = np.ones(candidates, dtype=bool)

        def scored() -> None:
            for project in projects:
                top(catalogue.rank_all(project)[1], everybody, SHOWN)

        def matched() -> None:
            for project in projects:
                catalogue.match(Query(project_id=project), n=SHOWN)

        yield against(
            (f"lists of {SHOWN} explained partners", matched),
            ("features and scores of the same candidates", scored),
            projects=len(projects), candidates=candidates, engine=catalogue.engine,
        )  # fmt: skip
        yield against(
            ("a country's pairs over all open projects", lambda: catalogue.match(Query(countries=("JP",)), n=SHOWN)),
            (f"features and scores of all partners for {len(projects)} projects", scored),
            open_projects=open_.height, engine=catalogue.engine,
        )  # fmt: skip
