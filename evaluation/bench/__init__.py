"""Timings of the product's parts, each as a ratio to a baseline measured in the same run.

A ratio survives a change of machine, a time does not. Subject and baseline take turns, and the median counts.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How fast a subject is against its baseline on the same work.

    Attributes:
        ratio: baseline's seconds by the subject's; above 1 the subject is faster.
        spread: lowest and highest ratio of any two turns, in that order.
        facts: what was worked on, e.g. the number of texts.
    """

    subject: str
    baseline: str
    ratio: float
    spread: tuple[float, float]
    subject_seconds: float
    baseline_seconds: float
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The timing as it is written under data/runs/bench/."""
        return asdict(self)


def against(
    subject: tuple[str, Callable[[], object]],
    baseline: tuple[str, Callable[[], object]],
    *,
    turns: int = 3,
    **facts: object,
) -> Timing:
    """Runs subject and baseline in turns and compares the medians; one run of each before goes uncounted."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns + 1):
        for (_, work), times in zip((subject, baseline), seconds, strict=True):
            start = time.perf_counter()
            work()
            if turn:
                times.append(time.perf_counter() - start)
    mine, theirs = (statistics.median(times) for times in seconds)
    ratios = [b / a for a in seconds[0] for b in seconds[1]]
    return Timing(
        subject=subject[0],
        baseline=baseline[0],
        ratio=round(theirs / mine, 3),
        spread=(round(min(ratios), 3), round(max(ratios), 3)),
        subject_seconds=round(mine, 4),
        baseline_seconds=round(theirs, 4),
        facts=facts,
    )
