"""Two fitted engines side by side: what differs in their manifests, their measures, and how far their lists agree."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

P = 0.9
"""Patience of the rank-biased overlap: each place weighs 0.9 times the one before, so that the first ten carry 86 %
of the weight. Source: Webber, Moffat and Zobel 2010, section 5.3."""
DEPTH = 50
FIRST = 10
PROJECTS = 20

Manifest = Mapping[str, Any]
Lists = Callable[[str], Sequence[str]]
"""Project -> partners of its list, the first first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What the second manifest has otherwise than the first.

    Attributes:
        added, removed: features of the second that the first lacks, and the other way round.
        values: entry -> (first, second) of what differs: data day, seed, encoder, texts, versions ...
        counts: what the fits saw -> (first, second), whether or not it differs; None where one does not say.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    values: Mapping[str, tuple[Any, Any]]
    counts: Mapping[str, tuple[int | None, int | None]]


Interval = tuple[float, float, float]
"""Mean and the ends of its interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """How far two lists of one project agree.

    Attributes:
        overlap: partners that are among the first ten of both, as a share of ten (or of the longer list, if shorter).
        rbo: rank-biased overlap, extrapolated, in [0, 1].
        came, left: partners of the second's first ten that are not among the first's, and the other way round.
    """

    project_id: str
    overlap: float
    rbo: float
    came: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far the lists of two engines agree, over projects; the least alike first."""

    projects: tuple[Project, ...]

    @property
    def overlap(self) -> float | None:
        """Mean overlap of the first ten; None without projects."""
        return _mean([p.overlap for p in self.projects])

    @property
    def rbo(self) -> float | None:
        """Mean rank-biased overlap; None without projects."""
        return _mean([p.rbo for p in self.projects])

    @property
    def same(self) -> int:
        """Projects whose first ten hold the same partners."""
        return sum(not p.came and not p.left for p in self.projects)


def differences(first: Manifest, second: Manifest) -> Differences:
    """What differs between two manifests, as the store keeps them."""
    one, two = (tuple(m.get("features") or ()) for m in (first, second))
    values: dict[str, tuple[Any, Any]] = {}
    for key in ("as_of", "seed", "encoder", "describe", "ranker_note", "revision"):
        if first.get(key) != second.get(key):
            values[key] = first.get(key), second.get(key)
    versions = tuple(m.get("versions") or {} for m in (first, second))
    for name in sorted({*versions[0], *versions[1]}):
        if versions[0].get(name) != versions[1].get(name):
            values[f"versions.{name}"] = versions[0].get(name), versions[1].get(name)
    seen = tuple(m.get("counts") or {} for m in (first, second))
    return Differences(
        added=tuple(f for f in two if f not in one), removed=tuple(f for f in one if f not in two), values=values,
        counts={k: (seen[0].get(k), seen[1].get(k)) for k in dict.fromkeys((*seen[0], *seen[1]))},
    )  # fmt: skip


def measures(manifest: Manifest) -> dict[str, dict[str, Interval]]:
    """Ranker -> measure -> mean and interval on held-out deals, of what a manifest holds; odd entries are left out."""
    found: dict[str, dict[str, Interval]] = {}
    for ranker, told in (manifest.get("metrics") or {}).items():
        for measure, value in told.items() if isinstance(told, Mapping) else ():
            if isinstance(value, Sequence) and len(value) == 3 and all(isinstance(v, int | float) for v in value):
                found.setdefault(str(ranker), {})[str(measure)] = (float(value[0]), float(value[1]), float(value[2]))
    return found


def drawn(projects: Sequence[str], n: int = PROJECTS) -> list[str]:
    """Some projects by a rule that depends on identifiers alone: those with the smallest sha256."""
    return sorted(projects, key=lambda p: (hashlib.sha256(p.encode()).digest(), p))[:n]


def agreement(projects: Sequence[str], first: Lists, second: Lists) -> Agreement:
    """How far the lists of two engines agree on some projects."""
    told = [_project(project, first(project)[:DEPTH], second(project)[:DEPTH]) for project in projects]
    return Agreement(projects=tuple(sorted(told, key=lambda p: (p.overlap, p.rbo, p.project_id))))


def _project(project: str, one: Sequence[str], two: Sequence[str]) -> Project:
    first, second = one[:FIRST], two[:FIRST]
    size = max(len(first), len(second))
    return Project(
        project_id=project, overlap=len(set(first) & set(second)) / size if size else 1.0, rbo=overlap(one, two),
        came=tuple(p for p in second if p not in first), left=tuple(p for p in first if p not in second),
    )  # fmt: skip


def overlap(one: Sequence[str], two: Sequence[str], p: float = P) -> float:
    """Rank-biased overlap of two lists without ties, extrapolated beyond their common depth, in [0, 1].

    1 for the same order, 0 for lists without a common member; of lists of unequal length the common depth counts.
    Two empty lists are alike.

    Source: Webber, Moffat and Zobel, A similarity measure for indefinite rankings, ACM TOIS 28(4), 2010, equation 32
    for lists of equal length: (X_k / k) p^k + (1 - p) / p * sum over d of (X_d / d) p^d, X_d members in common at d.
    """
    depth = min(len(one), len(two))
    if not depth:
        return 1.0 if len(one) == len(two) else 0.0
    seen_one: set[str] = set()
    seen_two: set[str] = set()
    total, share = 0.0, 0.0
    for d in range(1, depth + 1):
        seen_one.add(one[d - 1])
        seen_two.add(two[d - 1])
        share = len(seen_one & seen_two) / d
        total += share * p**d
    return share * p**depth + (1 - p) / p * total


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
