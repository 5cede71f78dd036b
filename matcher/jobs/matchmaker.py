"""Answers questions about matches for the command line and the API alike: one engine, one store, one way."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl
from rapidfuzz import fuzz, process

from matcher.errors import InputError, MatcherError, NotFoundError, SourceError
from matcher.jobs import Site
from matcher.jobs.fitting import current
from matcher.jobs.opening import facts, open_encoder, open_store
from matcher.matching.catalogue import Catalogue
from matcher.matching.contrast import Explanation
from matcher.matching.embed import CachedEncoder
from matcher.matching.engine import Engine
from matcher.records import Facts, Filters, Match, MatchList, Query
from matcher.store import Store
from matcher.text import fold

Progress = Callable[[str, int, int], None]

KEPT = 2
"""Catalogues kept in memory: the present one and one of an earlier day."""

NEARBY = 5
ACCREDITATION_UNKNOWN: Mapping[str, str] = {
    "vi": "Chưa rõ cơ quan này có kiêm nhiệm nước nào khác hay không; chỉ tính nước sở tại.",
    "en": "Whether this post also covers other countries is not known; only the host country is counted.",
}
_ALL: Filters = Filters()


class Matchmaker:
    """An open store with the engine in use; reloads by itself when facts or engine change.

    Args:
        site: where the installation keeps its things.
        today: gives the day for questions without one; None takes the day of the newest accepted facts.
        progress: called with (step, done, in all) while texts are encoded.
    """

    def __init__(
        self, site: Site, *, today: Callable[[], date] | None = None, progress: Progress | None = None
    ) -> None:
        self._site = site
        self._today = today
        self._progress = progress
        self._lock = threading.RLock()
        self._catalogues: OrderedDict[tuple[object, ...], Catalogue] = OrderedDict()
        self._engine: Engine | None = None
        self._stack = ExitStack()
        self.store: Store = self._stack.enter_context(open_store(site))
        self._encoder: CachedEncoder | None = None
        self._read_posts: tuple[int, pl.DataFrame, pl.DataFrame] | None = None

    def close(self) -> None:
        """Leaves the store; the embedded server stops with its last client."""
        with self._lock:
            self._catalogues.clear()
            self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def as_of(self) -> date:
        """The day that questions without one are answered for."""
        if self._today is not None:
            return self._today()
        newest = self.store.batches(limit=1)
        if not newest:
            raise InputError("The store holds no facts yet; run `matcher init`.")
        return newest[0].recorded_at.date()

    @property
    def facts(self) -> Facts:
        """The facts that matches are made of today."""
        return self.catalogue().corpus.facts

    def catalogue(self, as_of: date | None = None) -> Catalogue:
        """The engine in use, opened on the facts of a day (None: today).

        Raises:
            SourceError: no engine was fitted yet, or its artefact is damaged.
            StaleArtefactError: the engine does not fit this program or encoder.
        """
        return self._opened(as_of)[1]

    def _opened(self, as_of: date | None) -> tuple[int, Catalogue]:
        """The store's revision and the catalogue made of it."""
        day = self.as_of if as_of is None else as_of
        with self._lock:
            folder, revision = current(self._site), self.store.revision()
            return revision, self._open(folder, day, revision)

    def past(self, engine: str, *, as_of: date, revision: int) -> Catalogue:
        """An engine that need not be in use, opened on the facts of a day as the store knew them after a batch.

        Raises:
            SourceError: the engine is not among the artefacts any more, or is damaged.
            StaleArtefactError: the engine does not fit this program or encoder.
        """
        folder = self._site.artefacts / engine
        if not engine or Path(engine).name != engine or not folder.is_dir():
            raise SourceError(
                f'The engine "{engine}" is not in {self._site.artefacts} any more, so that its lists cannot be made '
                "again; restore its folder from a backup."
            )
        return self._open(folder, as_of, revision)

    def _open(self, folder: Path, day: date, revision: int) -> Catalogue:
        """The catalogue of an engine's folder, a day and a revision; facts that came in since are not in it."""
        with self._lock:
            key = (revision, folder.name, day)
            found = self._catalogues.get(key)
            if found is None:
                if self._engine is None or self._engine.manifest.engine != folder.name:
                    self._engine = Engine.load(folder)
                found = self._engine.open(facts(self.store, day, revision), self._embedder(), progress=self._progress)
                self._catalogues[key] = found
                while len(self._catalogues) > KEPT:
                    self._catalogues.popitem(last=False)
            self._catalogues.move_to_end(key)
            return found

    def match(
        self,
        query: Query,
        *,
        n: int = 10,
        filters: Filters = _ALL,
        as_of: date | None = None,
        cursor: str | None = None,
    ) -> MatchList:
        """The matches for a query; a mission is asked for the countries it covers.

        Raises:
            NotFoundError: the project, partner or mission does not exist; `nearby` lists similar ones.
            InputError: a filter, country or cursor is not usable.
        """
        revision, catalogue = self._opened(as_of)
        asked = hashlib.sha256(repr((query, filters)).encode()).hexdigest()[:8]
        mark = f"{catalogue.engine}.{revision}.{asked}"
        offset = _offset(cursor, mark)
        notes: Sequence[Mapping[str, str]] = ()
        if query.mission_id is not None:
            countries, notes = self._covered(query.mission_id)
            query = replace(query, countries=countries)
        self._check(query, catalogue)
        found = catalogue.match(query, n=n, offset=offset, filters=filters)
        cover = self._covering()
        return replace(
            found,
            matches=tuple(replace(m, route=_route(m, cover)) for m in found.matches),
            notes=(*notes, *found.notes),
            next=None if found.next is None else f"{mark}.{found.next}",
            n=n,
            offset=offset,
            revision=revision,
        )

    def explain(
        self, project_id: str, partner_id: str, *, against: str | None = None, as_of: date | None = None
    ) -> Explanation:
        """All evidence for one pair, and its contrast with the next candidate or with the partner `against`.

        Raises:
            NotFoundError: the project or a partner does not exist; `nearby` lists similar ones.
            InputError: a partner is to be compared with itself.
        """
        catalogue = self.catalogue(as_of)
        self._check(Query(project_id=project_id), catalogue)
        for partner in (partner_id, *([] if against is None else [against])):
            self._check(Query(partner_id=partner), catalogue)
        found = catalogue.explain(project_id, partner_id, against=against)
        cover = self._covering()
        following = found.following
        return replace(
            found,
            match=replace(found.match, route=_route(found.match, cover)),
            following=None if following is None else replace(following, route=_route(following, cover)),
        )

    def mission(self, mission_id: str) -> dict[str, Any]:
        """One mission's record.

        Raises:
            NotFoundError: there is no such mission; `nearby` lists similar ones.
        """
        missions = self._posts()[0]
        row = missions.filter(pl.col("mission_id") == mission_id)
        if row.is_empty():
            raise _not_found("mission", mission_id, missions, "mission_id", ("name_en", "name_vi", "city", "country"))
        return row.row(0, named=True)

    def engines(self) -> list[Mapping[str, Any]]:
        """Manifests of the fitted engines, newest first; `in_use` marks the one that answers."""
        try:
            used = current(self._site).name
        except MatcherError:
            used = None
        return [
            {**entry.manifest, "in_use": entry.engine_id == used, "recorded_at": entry.recorded_at.isoformat()}
            for entry in self.store.engines()
        ]

    def check(self) -> Mapping[str, str]:
        """What was checked just now -> 'ok' or what is wrong with it: database, artefact, model."""
        out: dict[str, str] = {}

        def tried(name: str, probe: Callable[[], object]) -> None:
            try:
                probe()
                out[name] = "ok"
            except MatcherError as error:
                out[name] = str(error)

        tried("database", self.store.revision)
        tried("artefact", lambda: Engine.load(current(self._site)))
        tried("model", lambda: self._embedder().id)
        return out

    def _posts(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Missions and accreditation, read again when something was written."""
        with self._lock:
            revision = self.store.revision()
            if self._read_posts is None or self._read_posts[0] != revision:
                self._read_posts = revision, self.store.read("missions"), self.store.read("accreditation")
            return self._read_posts[1:]

    def _embedder(self) -> CachedEncoder:
        if self._encoder is None:
            self._encoder = open_encoder(self._site, self.store)
        return self._encoder

    def _covered(self, mission_id: str) -> tuple[tuple[str, ...], Sequence[Mapping[str, str]]]:
        """Host and accredited countries of a mission, and what is not known about them."""
        mission = self.mission(mission_id)
        rows = self._posts()[1].filter(pl.col("mission_id") == mission_id)
        notes: list[Mapping[str, str]] = []
        if rows.is_empty():
            notes.append(ACCREDITATION_UNKNOWN)
        if mission["status"] == "announced":
            notes.append({
                "vi": "Cơ quan này mới được thông báo thành lập; chưa rõ đã mở hay chưa.",
                "en": "This post was announced; whether it is open is not known.",
            })  # fmt: skip
        return tuple(dict.fromkeys([mission["country"], *sorted(rows["country"].to_list())])), notes

    def _covering(self) -> dict[str, tuple[str, ...]]:
        """Country -> missions that cover it, those seated there first."""
        missions, accreditation = self._posts()
        # A permanent mission is accredited to an organisation, not to its host: it leads to no company.
        missions = missions.filter(pl.col("type") != "permanent_mission")
        seated = missions.sort("mission_id").select("country", "mission_id")
        beside = accreditation.sort("mission_id").select("country", "mission_id")
        out: dict[str, list[str]] = {}
        for country, mission in pl.concat([seated, beside]).iter_rows():
            if mission not in out.setdefault(country, []):
                out[country].append(mission)
        return {k: tuple(v) for k, v in out.items()}

    def _check(self, query: Query, catalogue: Catalogue) -> None:
        if query.project_id is not None and query.project_id not in catalogue.projects.row_of:
            frame = catalogue.projects.frame.filter(pl.col("status") != "past")
            if query.project_id in self.store.read("projects")["project_id"]:
                day = catalogue.history.as_of.isoformat()
                raise NotFoundError(
                    f'The project "{query.project_id}" was not public yet on {day}; ask for a later day.'
                )
            raise _not_found("project", query.project_id, frame, "project_id", ("name_en", "name_vi"))
        if query.partner_id is not None and query.partner_id not in catalogue.partners.row_of:
            raise _not_found(
                "partner", query.partner_id, catalogue.partners.frame, "partner_id", ("name", "name_local")
            )


def _route(match: Match, cover: Mapping[str, Sequence[str]]) -> tuple[Mapping[str, str], ...]:
    return tuple({"kind": "mission", "id": m} for m in cover.get(match.partner_country or "", ()))


def _offset(cursor: str | None, mark: str) -> int:
    """The place where the next page starts.

    Raises:
        InputError: the cursor is not one of this list, or the facts or the engine changed since it was given.
    """
    if cursor is None:
        return 0
    head, _, tail = cursor.rpartition(".")
    if not tail.isascii() or not tail.isdigit() or len(tail) > 7 or "." not in head:
        raise InputError(
            f'"{cursor[:60]}" is not a cursor; use the value of `next` of the page before.',
            [{"pointer": "/cursor", "seen": cursor[:60], "expected": "the value of `next`"}],
        )
    if head != mark:
        raise InputError(
            "This cursor is of another list, or facts or engine changed since; start again without it.",
            [{"pointer": "/cursor", "seen": cursor[:60], "expected": f"a cursor of {mark}"}],
        )
    return int(tail)


def _not_found(kind: str, asked: str, frame: pl.DataFrame, key: str, names: Sequence[str]) -> NotFoundError:
    """The refusal of an unknown identifier, with the records whose identifier or name resembles it."""
    labels = {}
    for row in frame.select(key, *names).iter_rows(named=True):
        told = next((str(row[n]) for n in names if row[n]), "")
        labels[row[key]] = (f"{row[key]} ({told})", fold(" ".join(str(v) for v in row.values() if v)))
    wanted = fold(asked)
    by_id = process.extract(wanted, {k: fold(k) for k in labels}, scorer=fuzz.ratio, limit=NEARBY, score_cutoff=70)
    by_name = process.extract(
        wanted, {k: v[1] for k, v in labels.items()}, scorer=fuzz.partial_ratio, limit=NEARBY, score_cutoff=75
    )
    near = list(dict.fromkeys(k for _, _, k in [*by_id, *by_name]))[:NEARBY] or sorted(labels)[:NEARBY]
    nearby = [labels[k][0] for k in near]
    short = asked if len(asked) <= 60 else asked[:57] + "…"
    hint = "" if nearby else f" No {kind} is stored yet."
    return NotFoundError(f'There is no {kind} "{short}".{hint}', nearby)
