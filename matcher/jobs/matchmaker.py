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

from matcher.errors import InputError, MatcherError, NotFoundError, SourceError
from matcher.jobs import Site
from matcher.jobs.fitting import current
from matcher.jobs.nearby import not_found
from matcher.jobs.opening import facts, open_encoder, open_store
from matcher.jobs.posts import Posts
from matcher.jobs.swapping import Key, Opened, Swap
from matcher.matching.catalogue import Catalogue
from matcher.matching.contrast import Explanation
from matcher.matching.embed import CachedEncoder
from matcher.matching.engine import Engine
from matcher.records import Facts, Filters, MatchList, Query
from matcher.store import Store

Progress = Callable[[str, int, int], None]

KEPT = 2
"""Catalogues kept in memory: the present one and one of an earlier day."""

WAIT_SECONDS = 30.0
"""How long a question about a record that was stored a moment ago waits for the catalogue that knows it."""

_ALL: Filters = Filters()


class Matchmaker:
    """An open store with the engine in use; reloads by itself when facts or engine change.

    Args:
        site: where the installation keeps its things.
        today: gives the day for questions without one; None takes the day of the newest accepted facts.
        progress: called with (step, done, in all) while texts are encoded.
        background: a newer engine or newer facts are opened by a thread, and questions of today are answered from
            what was opened before until they are there. Else the next question opens them and waits.
        acting: account of the service under which the store is used; None: as its owner.
        after: called by that thread after every swap, with this, what is in service, and a function that says when
            to stop.
    """

    def __init__(
        self,
        site: Site,
        *,
        today: Callable[[], date] | None = None,
        progress: Progress | None = None,
        background: bool = False,
        acting: int | None = None,
        after: Callable[["Matchmaker", Opened, Callable[[], bool]], None] | None = None,
    ) -> None:
        self._site = site
        self._today = today
        self._progress = progress
        self._lock = threading.RLock()
        self._opening = threading.RLock()
        self._waiting = threading.Semaphore(1)
        self._catalogues: OrderedDict[Key, Catalogue] = OrderedDict()
        self._engine: tuple[tuple[int, int], Engine] | None = None
        self._stack = ExitStack()
        self.store: Store = self._stack.enter_context(open_store(site, acting=acting))
        self._encoder: CachedEncoder | None = None
        self._read_posts: OrderedDict[int, Posts] = OrderedDict()
        follow = None if after is None else lambda opened, stop: after(self, opened, stop)
        self._swap = Swap(self._open_anew, after=follow) if background else None

    def close(self) -> None:
        """Leaves the store; the embedded server stops with its last client."""
        if self._swap is not None:
            self._swap.close()
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

    @property
    def in_service(self) -> Opened | None:
        """What answers while something newer is opened; None where nothing is opened behind the scenes."""
        return None if self._swap is None else self._swap.now

    @property
    def revision(self) -> int:
        """The newest batch in `facts`; the store may be ahead while a newer catalogue is opened."""
        return self.opened().key.revision

    def catalogue(self, as_of: date | None = None) -> Catalogue:
        """The engine in use, opened on the facts of a day (None: today).

        Raises:
            SourceError: no engine was fitted yet, or its artefact is damaged.
            StaleArtefactError: the engine does not fit this program or encoder.
        """
        return self.opened(as_of).catalogue

    def opened(self, as_of: date | None = None, query: Query | None = None) -> Opened:
        """The catalogue of a day (None: today) and what it was made of; for a query, one that knows what it asks for.

        Raises:
            SourceError: as `catalogue`, or somebody else waits for a newer one already.
        """
        day = self.as_of if as_of is None else as_of
        if self._swap is None or as_of is not None:
            wanted = self._key(day)
            return Opened(wanted, self._open(wanted))
        now = self._swap.now
        try:
            wanted = self._key(day)
        except SourceError:  # the pointer names nothing: `check` tells, and what is there goes on
            if now is None or self._database_down():
                raise
            return now
        now = self._swap.serving(wanted)
        if query is None or not now.key.before(wanted) or self._knows(now, query) or not self._stored(query):
            return now
        if not self._waiting.acquire(blocking=False):  # or all workers would wait for the same thing
            raise SourceError("What you ask for was stored a moment ago and is being taken in; ask again in 5 seconds.")
        try:
            return self._swap.newest(wanted, seconds=WAIT_SECONDS)
        finally:
            self._waiting.release()

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
        return self._open(Key.of(folder, revision=revision, day=as_of))

    def _key(self, day: date) -> Key:
        return Key.of(current(self._site), revision=self.store.revision(), day=day)

    def _open(self, key: Key) -> Catalogue:
        """The catalogue of a key; what is open already waits for nobody who opens another one."""
        found = self._kept(key)
        if found is not None:
            return found
        with self._opening:
            found = self._kept(key) or self._open_anew(key)
            with self._lock:
                self._catalogues[key] = found
                # The one in service is kept by the swap.
                while len(self._catalogues) > (KEPT if self._swap is None else KEPT - 1):
                    self._catalogues.popitem(last=False)
            return found

    def _kept(self, key: Key) -> Catalogue | None:
        serving = None if self._swap is None else self._swap.now
        if serving is not None and serving.key == key:
            return serving.catalogue
        with self._lock:
            if key in self._catalogues:
                self._catalogues.move_to_end(key)
            return self._catalogues.get(key)

    def _open_anew(self, key: Key) -> Catalogue:
        """The engine in the key's folder opened on the facts of its day; facts that came in since are not in it."""
        with self._opening:
            if self._engine is None or self._engine[0] != key.state:
                self._engine = key.state, Engine.load(key.folder)
            known = facts(self.store, key.day, key.revision)
            return self._engine[1].open(known, self._embedder(), progress=self._tell)

    def _tell(self, step: str, done: int, total: int) -> None:
        if self._swap is not None:
            self._swap.check_open()
        if self._progress is not None:
            self._progress(step, done, total)

    def _knows(self, opened: Opened, query: Query) -> bool:
        """The catalogue, and the missions of its revision, have what the query names."""
        catalogue = opened.catalogue
        return (
            (query.project_id is None or query.project_id in catalogue.projects.row_of)
            and (query.partner_id is None or query.partner_id in catalogue.partners.row_of)
            and (query.mission_id is None or self.posts(opened.key.revision).known(query.mission_id))
        )

    def _stored(self, query: Query) -> bool:
        """The store has what the query names, whether or not a catalogue knows it yet."""
        if query.mission_id is not None:
            return self.posts(self.store.revision()).known(query.mission_id)
        table, asked = (
            ("projects", query.project_id) if query.project_id is not None else ("partners", query.partner_id)
        )
        return asked is not None and asked in self.store.search(table, asked, limit=1000)

    def _database_down(self) -> bool:
        try:
            self.store.revision()
        except SourceError:
            return True
        return False

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
        opened = self.opened(as_of, query)
        catalogue, revision = opened.catalogue, opened.key.revision
        mark = mark_of(opened, query, filters)
        offset = offset_of(cursor, mark)
        posts = self.posts(revision)
        notes: Sequence[Mapping[str, str]] = ()
        if query.mission_id is not None:
            countries, notes = posts.covered(query.mission_id)
            query = replace(query, countries=countries)
        self._check(query, catalogue)
        found = catalogue.match(query, n=n, offset=offset, filters=filters)
        return replace(
            found,
            matches=tuple(replace(m, route=posts.route(m)) for m in found.matches),
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
        opened = self.opened(as_of, Query(project_id=project_id, partner_id=partner_id))
        catalogue = opened.catalogue
        self._check(Query(project_id=project_id), catalogue)
        for partner in (partner_id, *([] if against is None else [against])):
            self._check(Query(partner_id=partner), catalogue)
        found = catalogue.explain(project_id, partner_id, against=against)
        posts = self.posts(opened.key.revision)
        following = found.following
        return replace(
            found,
            match=replace(found.match, route=posts.route(found.match)),
            following=None if following is None else replace(following, route=posts.route(following)),
        )

    def mission(self, mission_id: str) -> dict[str, Any]:
        """One mission's record.

        Raises:
            NotFoundError: there is no such mission; `nearby` lists similar ones.
        """
        return self.posts(self.store.revision()).mission(mission_id)

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
        if out["artefact"] == "ok" and self._swap is not None and self._swap.failure is not None:
            out["artefact"] = self._swap.failure
        tried("model", lambda: self._embedder().id)
        return out

    def posts(self, revision: int) -> Posts:
        """Missions and accreditation as the store knew them after a batch."""
        with self._lock:
            if revision not in self._read_posts:
                missions, beside = (self.store.read(t, revision=revision) for t in ("missions", "accreditation"))
                self._read_posts[revision] = Posts(missions=missions, accreditation=beside)
                while len(self._read_posts) > KEPT:
                    self._read_posts.popitem(last=False)
            self._read_posts.move_to_end(revision)
            return self._read_posts[revision]

    def _embedder(self) -> CachedEncoder:
        with self._lock:
            if self._encoder is None:
                self._encoder = open_encoder(self._site, self.store)
            return self._encoder

    def _check(self, query: Query, catalogue: Catalogue) -> None:
        if query.project_id is not None and query.project_id not in catalogue.projects.row_of:
            frame = catalogue.projects.frame.filter(pl.col("status") != "past")
            if query.project_id in self.store.read("projects")["project_id"]:
                day = catalogue.history.as_of.isoformat()
                raise NotFoundError(
                    f'The project "{query.project_id}" was not public yet on {day}; ask for a later day.'
                )
            raise not_found("project", query.project_id, frame, "project_id", ("name_en", "name_vi"))
        if query.partner_id is not None and query.partner_id not in catalogue.partners.row_of:
            raise not_found("partner", query.partner_id, catalogue.partners.frame, "partner_id", ("name", "name_local"))


def mark_of(opened: Opened, query: Query, filters: Filters = _ALL) -> str:
    """What the cursors of a list begin with: its engine, its facts and what was asked."""
    asked = hashlib.sha256(repr((query, filters)).encode()).hexdigest()[:8]
    return f"{opened.catalogue.engine}.{opened.key.revision}.{asked}"


def offset_of(cursor: str | None, mark: str) -> int:
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
