"""An opened engine: the records of one day, described, indexed and ready to be matched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import polars as pl

from matcher.chance import Probability
from matcher.city import combined
from matcher.errors import InputError, NotFoundError
from matcher.matching.calibrate import OUTSIDE, Calibrator, Field
from matcher.matching.contrast import Difference, Explanation, Side, contrast, sentence
from matcher.matching.corpus import Corpus
from matcher.matching.drafts import draft
from matcher.matching.explain import explain
from matcher.matching.features import FEATURES, compute
from matcher.matching.kernel import Kernel
from matcher.matching.notes import BOTH_SIDES, RECIPROCAL, gaps, taking_part
from matcher.matching.pairs import Block
from matcher.matching.rank import Ranker
from matcher.matching.reciprocal import Policy
from matcher.matching.retrieve import (
    DenseIndex,
    LexicalIndex,
    allow_partners,
    allow_projects,
    check_country,
    fuse,
    top,
)
from matcher.matching.sides import History, PartnerSide, ProjectSide
from matcher.matching.snapshot import Snapshot
from matcher.records import OPEN_STATUSES, PROJECT_STATUSES, Filters, Match, MatchList, Query

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

RANK_ALL = 20_000
"""Up to this many allowed partners are all ranked, which takes less than a tenth of a second; beyond it, the
`CANDIDATES` best of retrieval. `python -m evaluation.bench retrieval` tells what that loses: docs/matching.md."""

CANDIDATES = 2000

PER_PROJECT = 2
PER_PARTNER = 2
"""In a list of pairs a project and a partner appear at most so often: a post spreads its work."""

MAX_PAIRS = 1_000_000
PAIR_PROJECTS = 1000
"""Beyond so many pairs, a list of pairs looks at the open projects whose text is nearest to one of the partners."""

DEPTH = 20
"""Pairs considered per project for a list of pairs."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A scored pair and the block it was scored in."""

    score: float
    block: Block
    partner: int

    @property
    def ids(self) -> tuple[str, str]:
        """Identifiers of project and partner."""
        return str(self.block.record["project_id"]), str(self.block.partners.records[self.partner]["partner_id"])


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list of pairs that are not explained yet; the fields are those of `MatchList`."""

    pairs: Sequence[Pair]
    candidates: int
    notes: tuple[Mapping[str, str], ...]
    ahead: Mapping[str, str] | None


@dataclass(frozen=True, kw_only=True)
class _Ranked(Sequence[Pair]):
    """One project's pairs in order, each made when it is looked at: of very many only some are.

    Attributes:
        scores, rows: of the candidates, shape (n,).
        order: numbers of the candidates, best first.
    """

    block: Block
    scores: Floats
    rows: Ints
    order: Ints

    def __len__(self) -> int:
        return int(self.order.size)

    @overload
    def __getitem__(self, at: int) -> Pair: ...
    @overload
    def __getitem__(self, at: slice) -> list[Pair]: ...
    def __getitem__(self, at: int | slice) -> Pair | list[Pair]:
        if isinstance(at, slice):
            return [self._pair(i) for i in self.order[at].tolist()]
        return self._pair(int(self.order[at]))

    def _pair(self, i: int) -> Pair:
        return Pair(score=float(self.scores[i]), block=self.block, partner=int(self.rows[i]))


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Matches queries against one set of facts. Safe to share between threads.

    What it keeps depends on the query alone, so that two threads at worst compute it twice.
    Cost of a query grows linearly with the candidates; explanations are made for shown rows only.
    """

    engine: str
    corpus: Corpus
    ranker: Ranker
    kernel: Kernel
    calibrator: Calibrator
    snapshot: Snapshot
    lexical: LexicalIndex
    warning: Mapping[str, str] | None = None
    _lexical_of: dict[int, npt.NDArray[np.float32]] = field(default_factory=dict)
    _field_of: dict[int, Field] = field(default_factory=dict)

    @property
    def projects(self) -> ProjectSide:
        """All projects."""
        return self.snapshot.projects

    @property
    def partners(self) -> PartnerSide:
        """All partners."""
        return self.snapshot.partners

    @property
    def history(self) -> History:
        """The deals known on the day."""
        return self.snapshot.history

    @cached_property
    def _dense(self) -> DenseIndex:
        return DenseIndex(self.partners.vectors)

    def match(self, query: Query, *, n: int = 10, offset: int = 0, filters: Filters = Filters()) -> MatchList:  # noqa: B008
        """The matches at places offset + 1 to offset + n for a query.

        Raises:
            NotFoundError: the project or partner does not exist.
            InputError: a filter or a country is not known.
        """
        notes: list[Mapping[str, str]] = []
        pairs: Sequence[Pair]
        if query.project_id is not None:
            block = self._block(self._project_row(query.project_id), memo={})
            pairs, candidates = self._for_project(block, filters)
            notes = taking_part(query.project_id, self.corpus.facts.deals, self.partners)
        elif query.partner_id is not None:
            pairs, candidates = self._for_partner(self._partner_row(query.partner_id), filters)
        elif query.countries is not None:
            pairs, candidates, notes = self._for_countries(query.countries, filters)
        elif query.draft_partner is not None:
            pairs, candidates = self._for_draft_partner(query.draft_partner, filters)
        elif query.text is None and query.draft_project is None:
            raise InputError("Nothing was asked; give a project, partner, mission, country or text.")
        else:
            pairs, candidates = self._for_project(self._asked(query), filters)
        ahead = None
        if query.sort == "both":
            pairs, notes = self._by_both(pairs), [BOTH_SIDES, *notes]
        elif offset == 0 and n > 0 and query.partner_id is None and query.draft_partner is None:
            ahead = self._ahead(pairs)
        shown = pairs[offset : offset + n]
        fields: dict[int, Field] = {}
        matches = tuple(self._match(pair, offset + i + 1, fields) for i, pair in enumerate(shown))
        notes = [self.warning, *notes] if self.warning else notes
        return MatchList(
            query=query, filters=filters, engine=self.engine, as_of=self.history.as_of, matches=matches,
            candidates=candidates, coverage=self.coverage, notes=tuple(notes),
            next=str(offset + n) if len(pairs) > offset + n else None, ahead=ahead,
        )  # fmt: skip

    def ranked(self, countries: Sequence[str], memos: dict[int, dict[object, Any]] | None = None) -> Listing:
        """The pairs of a list by countries without filters, as `match` has them, not yet explained.

        Args:
            memos: keeps what was computed for each project, for whoever asks for many lists.

        Raises:
            InputError: a country is not known.
        """
        pairs, candidates, notes = self._for_countries(countries, Filters(), memos)
        notes = [self.warning, *notes] if self.warning else notes
        return Listing(pairs=pairs, candidates=candidates, notes=tuple(notes), ahead=self._ahead(pairs))

    def explain(self, project_id: str, partner_id: str, *, against: str | None = None) -> Explanation:
        """All evidence for one pair, and its contrast with another partner: the one ranked after it, or `against`.

        Raises:
            NotFoundError: the project or a partner does not exist.
            InputError: the partner is to be compared with itself.
        """
        partner = self._partner_row(partner_id)
        other = None if against is None else self._partner_row(against)
        if other == partner:
            raise InputError(f'The partner "{partner_id}" cannot be compared with itself; name another one.')
        block = self._block(self._project_row(project_id), memo={})
        scores = self.ranker.score(compute(block))
        order = top(scores, np.ones(scores.size, dtype=bool), scores.size)
        place = {int(q): i for i, q in enumerate(order)}
        if other is None and place[partner] + 1 < order.size:
            other = int(order[place[partner] + 1])

        def pair(row: int) -> Pair:
            return Pair(score=float(scores[row]), block=block, partner=row)

        leader = int(order[0])
        sides = {row: self._side(block, row) for row in (partner, other, leader) if row is not None}
        first = self._match(pair(partner), place[partner] + 1, side=sides[partner])
        base, ahead = float(sides[partner].parts[-1]), None
        if leader != partner:
            lead = contrast(sides[leader], sides[partner], FEATURES)
            ahead = sentence(lead, str(self.partners.records[leader]["name"]), first.partner_name)
        if other is None:
            return Explanation(match=first, base=base, ahead=ahead, following=None, contrast=())
        return Explanation(
            match=first, base=base, ahead=ahead, chosen=against is not None,
            following=self._match(pair(other), place[other] + 1, side=sides[other]),
            contrast=contrast(sides[partner], sides[other], FEATURES),
        )  # fmt: skip

    def contrast(self, query: Query, first: str, second: str) -> tuple[Difference, ...]:
        """Reason by reason, what sets the first partner apart from the second for one project, text or draft.

        Returns:
            the largest difference first; they sum to the difference of the two scores.

        Raises:
            NotFoundError: the project or a partner does not exist.
            InputError: the query is not about one project.
        """
        return self._contrast(self._asked(query), self._partner_row(first), self._partner_row(second))

    def _asked(self, query: Query) -> Block:
        """The project, text or draft of a query against all partners."""
        if query.project_id is not None:
            return self._block(self._project_row(query.project_id))
        asked = {"description": query.text} if query.text is not None else query.draft_project
        if asked is None:
            raise InputError("Partners are compared for one project; ask for a project, a text or an unsaved project.")
        return self._draft_block(asked)

    def _contrast(self, block: Block, first: int, second: int) -> tuple[Difference, ...]:
        return contrast(self._side(block, first), self._side(block, second), FEATURES)

    def _side(self, block: Block, partner: int) -> Side:
        one = block.at(np.array([partner]))
        x = compute(one)
        return Side(block=one, x=x[0], parts=np.asarray(self.ranker.contributions(x)[0]))

    def _ahead(self, pairs: Sequence[Pair]) -> Mapping[str, str] | None:
        """Why the first of a project's partners is ahead of the second."""
        if len(pairs) < 2 or pairs[0].block.project != pairs[1].block.project:
            return None
        names = [str(p.block.partners.records[p.partner]["name"]) for p in pairs[:2]]
        return sentence(self._contrast(pairs[0].block, pairs[0].partner, pairs[1].partner), *names)

    def _by_both(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The first `RECIPROCAL` pairs by place times the city's value, equal ones as they stand; the others behind."""
        first = pairs[:RECIPROCAL]
        sides = [self._policy.side(p.block.at(np.array([p.partner])), 0) for p in first]
        value = [combined(1.0 - i / len(first), side) for i, side in enumerate(sides)]
        order = sorted(range(len(first)), key=lambda i: -value[i])
        return [first[i] for i in order] + list(pairs[RECIPROCAL:])

    @cached_property
    def _policy(self) -> Policy:
        facts = self.corpus.facts
        return Policy.of(facts.criteria, facts.reference.city_sectors)

    def rank_all(self, project_id: str) -> tuple[list[str], Floats]:
        """Every partner identifier with its score for a project, in identifier order; for runs and evaluation."""
        block = self._block(self._project_row(project_id))
        return self.partners.frame["partner_id"].to_list(), self.ranker.score(compute(block))

    def candidates(self, project_id: str) -> Ints:
        """Row numbers of the partners that are ranked for a project when no filter is set, ascending."""
        return self._candidates(
            self._block(self._project_row(project_id)), np.ones(self.partners.frame.height, dtype=bool)
        )

    @cached_property
    def coverage(self) -> Mapping[str, float]:
        """Share of the partners, or of open projects where the field is theirs, that carry a field."""
        q = self.partners
        n = max(q.frame.height, 1)
        open_ = self.projects.frame.filter(pl.col("status").is_in(list(OPEN_STATUSES)))
        m = max(open_.height, 1)
        return {
            "country": float((q.home >= 0).sum()) / n,
            "sector": float(q.divisions.any(axis=1).sum()) / n,
            "ticket_usd": float((~np.isnan(q.tickets)).any(axis=1).sum()) / n,
            "size": float((~np.isnan(q.size_usd)).sum()) / n,
            "footprint": float(q.footprint_known.sum()) / n,
            "deals": float(np.unique(self.history.partner).size) / n,
            "project_value_usd": float(open_["value_usd_max"].is_not_null().sum()) / m,
            "project_form": float(open_["form"].is_not_null().sum()) / m,
        }

    def _project_row(self, project_id: str) -> int:
        row = self.projects.row_of.get(project_id)
        if row is None:
            raise NotFoundError(f'There is no project "{project_id}".')
        return row

    def _partner_row(self, partner_id: str) -> int:
        row = self.partners.row_of.get(partner_id)
        if row is None:
            raise NotFoundError(f'There is no partner "{partner_id}".')
        return row

    def _lexical(self, project: int) -> npt.NDArray[np.float32]:
        # A race between threads computes the same array twice and keeps one: harmless.
        if project not in self._lexical_of:
            self._lexical_of[project] = self.lexical.scores(self.corpus.words(project))
        return self._lexical_of[project]

    def _block(self, project: int, rows: Ints | None = None, *, memo: dict[object, Any] | None = None) -> Block:
        return Block(
            project=project, rows=np.arange(self.partners.frame.height) if rows is None else rows,
            snapshot=self.snapshot, lexical=self._lexical(project), kernel=self.kernel, memo=memo,
        )  # fmt: skip

    def _draft_block(self, told: Mapping[str, Any]) -> Block:
        side, text = self.corpus.draft_project(draft("projects", told, self.corpus.facts.reference))
        return Block(
            project=self.projects.frame.height, rows=np.arange(self.partners.frame.height),
            snapshot=self.snapshot.followed_by(side, [text]), lexical=self.lexical.scores(text), kernel=self.kernel,
            memo={},
        )  # fmt: skip

    def _candidates(self, block: Block, allow: Mask) -> Ints:
        """Row numbers to be ranked: all allowed ones or, of very many, the best by text, words and past projects."""
        if int(allow.sum()) <= RANK_ALL:
            return np.flatnonzero(allow)
        dense = self._dense.scores(block.projects.vectors[block.project])
        return np.sort(fuse([dense, block.lexical, block.experience], allow, CANDIDATES))

    def _for_project(self, block: Block, filters: Filters) -> tuple[Sequence[Pair], int]:
        reference = self.corpus.facts.reference
        allow = allow_partners(self.partners.frame, filters, reference, by_sector=True)
        # Every filter holds for a pair: those of projects are asked of this one, the sector of its partners.
        itself = block.projects.frame.slice(block.project, 1)
        allow &= allow_projects(itself, replace(filters, sector=()), reference, PROJECT_STATUSES)[0]
        rows = self._candidates(block, allow)
        narrow = block.at(rows)
        scores = self.ranker.score(compute(narrow))
        order = top(scores, np.ones(rows.size, dtype=bool), rows.size)
        if allow.all() and block.project < self.projects.frame.height:  # `_field` would score the same rows again
            self._field_of.setdefault(block.project, self.calibrator.field(scores))
        return _Ranked(block=block, scores=scores, rows=rows, order=order), int(allow.sum())

    def _open_rows(self, filters: Filters, partner: pl.DataFrame | None = None) -> Ints:
        """Projects that pass; none when the one partner that is asked about does not pass itself."""
        reference = self.corpus.facts.reference
        if partner is not None and not allow_partners(partner, filters, reference, by_sector=False)[0]:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(allow_projects(self.projects.frame, filters, reference, OPEN_STATUSES))

    def _for_partner(self, partner: int, filters: Filters) -> tuple[list[Pair], int]:
        open_rows = self._open_rows(filters, self.partners.frame.slice(partner, 1))
        pairs = [self._pair(self._block(int(p)), partner) for p in open_rows]
        return self._by_score(pairs), int(open_rows.size)

    def _for_draft_partner(self, told: Mapping[str, Any], filters: Filters) -> tuple[list[Pair], int]:
        frame = draft("partners", told, self.corpus.facts.reference)
        side, text = self.corpus.draft_partner(frame, self.history.as_of)
        # Behind the stored partners, for what is known of its compatriots is known of it too.
        partners, row = self.partners.followed_by(side), self.partners.frame.height
        index = LexicalIndex([*self.corpus.partner_texts, text])
        known = self.snapshot.at(self.history, partners)
        open_rows = self._open_rows(filters, frame)
        pairs = []
        for p in open_rows:
            words = index.scores(self.corpus.words(int(p)))
            block = Block(project=int(p), rows=np.array([row]), snapshot=known, lexical=words, kernel=self.kernel)
            pairs.append(self._pair(block, row))
        return self._by_score(pairs), int(open_rows.size)

    def _by_score(self, pairs: list[Pair]) -> list[Pair]:
        """One partner's pairs, best first; project rows are in identifier order."""
        return sorted(pairs, key=lambda pair: (-pair.score, pair.block.project))

    def _for_countries(
        self, countries: Sequence[str], filters: Filters, memos: dict[int, dict[object, Any]] | None = None
    ) -> tuple[list[Pair], int, list[Mapping[str, str]]]:
        reference = self.corpus.facts.reference
        for code in countries:
            check_country(code, reference)
        allow = allow_partners(self.partners.frame, filters, reference, by_sector=False)
        covered = self.partners.frame["country"].is_in(list(countries)).fill_null(False).to_numpy()
        rows = np.flatnonzero(allow & covered)
        found: list[Pair] = []
        open_rows = self._open_rows(filters)
        if rows.size:
            for project in self._nearest(open_rows, rows):
                memo = None if memos is None else memos.setdefault(int(project), {})
                block = self._block(int(project), rows, memo=memo)
                scores = self.ranker.score(compute(block))
                order = top(scores, np.ones(rows.size, dtype=bool), DEPTH)
                found += [Pair(score=float(scores[i]), block=block, partner=int(rows[i])) for i in order]
        return (
            self._spread(found),
            int(rows.size * open_rows.size),
            gaps(countries, self.partners, self.corpus.countries),
        )

    def _nearest(self, open_rows: Ints, rows: Ints) -> Ints:
        """All open projects, or those nearest in text to any of the partners when there are very many pairs."""
        if open_rows.size * rows.size <= MAX_PAIRS:
            return open_rows
        partners = self.partners.vectors[rows].T
        blocks = np.array_split(open_rows, 1 + open_rows.size // 1000)
        near = np.concatenate([(self.projects.vectors[b] @ partners).max(axis=1) for b in blocks])
        return np.sort(open_rows[top(near, np.ones(near.size, dtype=bool), PAIR_PROJECTS)])

    def _spread(self, pairs: list[Pair]) -> list[Pair]:
        """The pairs by score, skipping those whose project or partner has had its places."""
        pairs.sort(key=lambda pair: (-pair.score, pair.block.project, pair.partner))
        used_p: dict[int, int] = {}
        used_q: dict[int, int] = {}
        out = []
        for pair in pairs:
            p, q = pair.block.project, pair.partner
            if used_p.get(p, 0) < PER_PROJECT and used_q.get(q, 0) < PER_PARTNER:
                used_p[p], used_q[q] = used_p.get(p, 0) + 1, used_q.get(q, 0) + 1
                out.append(pair)
        return out

    def _pair(self, block: Block, partner: int) -> Pair:
        score = self.ranker.score(compute(block.at(np.array([partner]))))
        return Pair(score=float(score[0]), block=block, partner=partner)

    def _field(self, block: Block, drafts: dict[int, Field]) -> Field:
        """The best candidates for the block's project among all partners, whatever the query leaves out.

        Those of stored projects are kept with the catalogue, those of a draft in `drafts`.
        """
        stored = block.project < self.projects.frame.height
        known = self._field_of if stored else drafts
        if block.project not in known:
            whole = block
            if stored:  # beside an unsaved partner a block knows one more; this one does not
                same = block.snapshot is self.snapshot
                every = np.arange(self.partners.frame.height)
                whole = replace(block, rows=every) if same else self._block(block.project)
            rows = self._candidates(whole, np.ones(self.partners.frame.height, dtype=bool))
            known[block.project] = self.calibrator.field(self.ranker.score(compute(whole.at(rows))))
        return known[block.project]

    def chance(
        self, pair: Pair, drafts: dict[int, Field] | None = None
    ) -> tuple[Probability | None, Mapping[str, str] | None]:
        """A scored pair's probability, or why there is none."""
        abstained = self.calibrator.reason()
        if abstained is not None:
            return None, abstained
        standing = self._field(pair.block, {} if drafts is None else drafts)
        probability = self.calibrator.probability(pair.score, standing)
        return probability, OUTSIDE if probability is None else None

    def told(self, pair: Pair, rank: int) -> Match:
        """A scored pair with its evidence, as `match` has it at that rank."""
        return self._match(pair, rank)

    def _match(self, pair: Pair, rank: int, drafts: dict[int, Field] | None = None, side: Side | None = None) -> Match:
        side = self._side(pair.block, pair.partner) if side is None else side
        p, q = pair.block.record, pair.block.partners.records[pair.partner]
        probability, abstained = self.chance(pair, drafts)
        return Match(
            rank=rank, project_id=str(p["project_id"]),
            project_name={"vi": _text(p["name_vi"]), "en": _text(p["name_en"])},
            partner_id=str(q["partner_id"]), partner_name=str(q["name"]), partner_country=_text(q["country"]),
            partner_kind=str(q["kind"]), score=pair.score, probability=probability,
            abstained=abstained, evidence=explain(side.block, 0, side.x, side.parts, FEATURES),
            engine=self.engine, as_of=self.history.as_of, city=self._policy.side(side.block, 0),
        )  # fmt: skip


def _text(value: object) -> str | None:
    return None if value is None else str(value)
