"""How far the work of an office has come, stage by stage."""

from dataclasses import dataclass

import psycopg

from matcher.stages import STAGES, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The running work of one stage.

    Attributes:
        works: how many assignments; `valued` of them say what they are worth.
        value_usd: sum of what is known, in US dollars.
        late: assignments that are not paused and whose next date has passed.
    """

    stage: Stage
    works: int
    valued: int
    value_usd: float
    late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """Every stage from first to last, and how much work was lost or done, as far as the actor sees it."""

    steps: tuple[Step, ...]
    lost: int
    done: int

    @property
    def works(self) -> int:
        """How much work is running."""
        return sum(step.works for step in self.steps)


def funnel(cursor: psycopg.Cursor) -> Funnel:
    """The work that the actor sees, counted by the database."""
    cursor.execute(
        "SELECT stage, status, count(*), count(value_usd), coalesce(sum(value_usd), 0)::float8,"
        " count(*) FILTER (WHERE status = 'active' AND next_on < (clock_timestamp() AT TIME ZONE 'UTC')::date)"
        " FROM assignment_now GROUP BY stage, status"
    )
    counted = {(stage, status): numbers for stage, status, *numbers in cursor.fetchall()}

    def sums(stage: str) -> list[float]:
        rows = [counted.get((stage, status), (0, 0, 0.0, 0)) for status in ("active", "paused")]
        return [sum(column) for column in zip(*rows, strict=True)]

    def ended(status: str) -> int:
        return sum(int(numbers[0]) for (_stage, of), numbers in counted.items() if of == status)

    steps = []
    for stage in STAGES:
        works, valued, value, late = sums(stage)
        steps.append(Step(stage=stage, works=int(works), valued=int(valued), value_usd=value, late=int(late)))
    return Funnel(steps=tuple(steps), lost=ended("lost"), done=ended("done"))
