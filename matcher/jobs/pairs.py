"""Lists of missions and countries are made before they are asked for, and served as the engine would give them.

A set holds the first `RANKS` pairs of every mission that leads to companies and of every country with a partner, for
one engine, one state of the facts and one day. A pair that stands in several lists is explained once; where another
list gave it another score in the last digits, that list says so.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import orjson

from matcher.errors import ConflictError
from matcher.jobs.matchmaker import Matchmaker, mark_of, offset_of
from matcher.jobs.posts import PERMANENT, Posts
from matcher.jobs.swapping import Opened
from matcher.matching.catalogue import Catalogue, Pair
from matcher.records import OPEN_STATUSES, Filters, MatchList, Query
from matcher.store import Store, pairing
from matcher.store.feedback import Item

RANKS = 100
"""Pairs of a list that are made before; whoever pages deeper is answered by the engine."""

MEMO_BYTES = 500 << 20
"""Memory that a run may use to compute once what is the same for a project in every list."""

PAGES = 512
"""Answers that a process keeps ready to be sent."""

ARRAYS = 40
"""Arrays over all partners that are kept for a project, about."""

Memos = dict[int, dict[object, Any]]
LANGUAGES = ("vi", "en")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What a run of the job did: the set, its views, the pairs that were explained, and whether it is complete now."""

    set_id: int
    engine: str
    revision: int
    as_of: date
    views: int
    pairs: int
    complete: bool

    def to_json(self) -> dict[str, Any]:
        """The run as the command line prints it."""
        return {
            "set_id": self.set_id, "engine": self.engine, "revision": self.revision, "as_of": self.as_of.isoformat(),
            "views": self.views, "pairs": self.pairs, "complete": self.complete,
        }  # fmt: skip


def fill(
    maker: Matchmaker,
    opened: Opened,
    *,
    resume: bool = True,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
    rest: Callable[[], None] = lambda: None,
) -> Filled:
    """The set of what is opened is complete, unless `stop` said to end; older sets than the last two are gone.

    Each list is written whole with its pairs, so that a killed run loses one list at most.

    Args:
        resume: an unfinished set is continued; else it is begun again.
        rest: called after every list, for those who share the processor.

    Raises:
        ConflictError: another process fills a set.
    """
    store, key, catalogue = maker.store, opened.key, opened.catalogue
    posts = maker.posts(key.revision)
    wanted = views(posts, catalogue)
    with store.cursor() as cursor:
        if not pairing.lock(cursor):
            raise ConflictError("Another process makes the lists of pairs; wait for it to end.")
    try:
        with store.cursor() as cursor:
            begun = pairing.begin(cursor, catalogue.engine, key.revision, key.day)
            pairing.clear(cursor, filling=begun.set_id)
            if begun.done_at is None and not resume:
                pairing.discard(cursor, begun.set_id)
            done, known = pairing.views(cursor, begun.set_id), pairing.scores(cursor, begun.set_id)
        told = 0
        memos = _memos(catalogue)
        for number, (name, query) in enumerate(wanted.items()):
            if begun.done_at is not None or stop():
                break
            if progress is not None:
                progress("pairs", number, len(wanted))
            if name not in done:
                made, rows = _made(name, query, opened, posts, known, memos)
                with store.cursor() as cursor:
                    pairing.put(cursor, begun.set_id, made, rows)
                known |= {(r.project_id, r.partner_id): r.score for r in rows}
                done.add(name)
                told += len(rows)
                rest()
        complete = begun.done_at is not None or done >= set(wanted)
        if complete:
            with store.cursor() as cursor:
                pairing.finish(cursor, begun.set_id)
                pairing.clear(cursor, filling=begun.set_id)
            if progress is not None:
                progress("pairs", len(wanted), len(wanted))
    finally:
        with store.cursor() as cursor:
            pairing.unlock(cursor)
    return Filled(
        set_id=begun.set_id, engine=catalogue.engine, revision=key.revision, as_of=key.day, views=len(done),
        pairs=told, complete=complete,
    )  # fmt: skip


def views(posts: Posts, catalogue: Catalogue) -> dict[str, Query]:
    """Name of a view -> its query, countries of missions included: missions by identifier, then countries."""
    leading = [m for m in posts.missions.sort("mission_id").iter_rows(named=True) if m["type"] != PERMANENT]
    homes = sorted({c for c in catalogue.partners.frame["country"].to_list() if c is not None})
    homes = [c for c in homes if c in catalogue.corpus.countries.column]
    found = {
        f"mission:{m['mission_id']}": Query(mission_id=m["mission_id"], countries=posts.covered(m["mission_id"])[0])
        for m in leading
    }
    return found | {f"country:{c}": Query(countries=(c,)) for c in homes}


def name_of(query: Query) -> str | None:
    """The view that holds a query's list; None for one that no set holds."""
    if query == Query(mission_id=query.mission_id) and query.mission_id is not None:
        return f"mission:{query.mission_id}"
    if query.countries is not None and len(query.countries) == 1 and query == Query(countries=query.countries):
        return f"country:{query.countries[0]}"
    return None


def _made(
    name: str, query: Query, opened: Opened, posts: Posts, known: Mapping[tuple[str, str], float], memos: Memos | None
) -> tuple[pairing.View, list[pairing.Row]]:
    """A view and those of its pairs that are not known yet."""
    catalogue = opened.catalogue
    notes = () if query.mission_id is None else posts.covered(query.mission_id)[1]
    found = catalogue.ranked(query.countries or (), memos)
    first = list(found.pairs[:RANKS])
    whole = MatchList(
        query=query, filters=Filters(), engine=catalogue.engine, as_of=catalogue.history.as_of, matches=(),
        candidates=found.candidates, coverage=catalogue.coverage, notes=(*notes, *found.notes),
    )  # fmt: skip
    rows, differs = [], {}
    for place, pair in enumerate(first):
        if pair.ids not in known:
            rows.append(_row(pair, catalogue, posts))
        elif known[pair.ids] != pair.score:
            differs[str(place)] = _chance(catalogue, pair)
    asked = replace(query, countries=None) if query.mission_id is not None else query
    chances = [catalogue.chance(pair)[0] for pair in first]
    head = {
        "mark": mark_of(opened, asked), "total": len(found.pairs), "candidates": found.candidates,
        "countries": list(query.countries or ()), "ahead": found.ahead, "scores": [p.score for p in first],
        "probabilities": [None if c is None else c.value for c in chances], "differs": differs,
        **{lang: _frame(whole, lang) for lang in LANGUAGES},
    }  # fmt: skip
    return pairing.View(name=name, pairs=[p.ids for p in first], head=head), rows


def _memos(catalogue: Catalogue) -> Memos | None:
    """A place for what is computed for each open project; None where it would not fit."""
    open_ = catalogue.projects.frame["status"].is_in(list(OPEN_STATUSES)).sum()
    return {} if open_ * catalogue.partners.frame.height * ARRAYS * 8 <= MEMO_BYTES else None


def _chance(catalogue: Catalogue, pair: Pair) -> dict[str, Any]:
    """What a score decides in a match, as its JSON says it."""
    probability, abstained = catalogue.chance(pair)
    return {
        "score": round(pair.score, 6), "probability": None if probability is None else probability.to_json(),
        "abstained": None if abstained is None else dict(abstained),
    }  # fmt: skip


def _row(pair: Pair, catalogue: Catalogue, posts: Posts) -> pairing.Row:
    match = catalogue.told(pair, 0)
    match = replace(match, route=posts.route(match))
    told = {}
    for lang in LANGUAGES:
        content = match.to_json(lang)
        del content["rank"]
        told[lang] = orjson.dumps(content).decode()
    return pairing.Row(
        project_id=match.project_id, partner_id=match.partner_id, country=match.partner_country, score=match.score,
        match_vi=told["vi"], match_en=told["en"],
    )  # fmt: skip


def _frame(whole: MatchList, lang: str) -> list[str]:
    """The JSON of a list without matches, cut where they stand and before what depends on the page."""
    content = whole.to_json(lang)
    del content["ahead"], content["next"]
    before, _, after = orjson.dumps(content).decode().partition('"matches":[]')
    return [f'{before}"matches":[', f"]{after[:-1]},"]


# Serving


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedList:
    """One page of a list that was made before; what the record of shown lists needs, and the bytes that are sent.

    Attributes:
        items: rank, project, partner, score and probability of each row.
        body: the JSON of `MatchList.to_json`.
        next: cursor of the next page.
    """

    engine: str
    as_of: date
    revision: int
    query: Query
    filters: Filters
    n: int
    offset: int
    candidates: int
    items: Sequence[Item]
    body: bytes
    next: str | None


class Table:
    """Serves the complete set of what is in service; one per process, shared by threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._set: tuple[object, int] | None = None
        self._pages: OrderedDict[tuple[object, ...], ServedList] = OrderedDict()

    def page(self, opened: Opened, query: Query, *, n: int, cursor: str | None, lang: str) -> ServedList | None:
        """A page of a query's list; None where no set holds it, and the engine has to answer.

        Raises:
            InputError: the cursor is not one of this list.
        """
        name = name_of(query)
        found = None if name is None else self._complete(opened)
        if name is None or found is None:
            return None
        key = (found, name, n, cursor, lang)
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)
                return self._pages[key]
        made = self._page(found, name, opened, query, n=n, cursor=cursor, lang=lang)
        if made is not None:
            with self._lock:
                self._pages[key] = made
                while len(self._pages) > PAGES:
                    self._pages.popitem(last=False)
        return made

    def at_hand(self, opened: Opened, query: Query, *, n: int, cursor: str | None, lang: str) -> ServedList | None:
        """A page that was sent before, without a look at the database; None where `page` has to be asked."""
        name, now = name_of(query), self._set
        if name is None or now is None or now[0] != (opened.catalogue.engine, opened.key.revision, opened.key.day):
            return None
        with self._lock:
            return self._pages.get((now[1], name, n, cursor, lang))

    def _complete(self, opened: Opened) -> int | None:
        """The complete set of what is in service; asked for until there is one."""
        key = (opened.catalogue.engine, opened.key.revision, opened.key.day)
        now = self._set
        if now is not None and now[0] == key:
            return now[1]
        with self._store.cursor() as cursor:
            found = pairing.complete(cursor, *key)
        if found is not None:
            with self._lock:
                self._set = key, found
                self._pages.clear()
        return found

    def _page(
        self, number: int, name: str, opened: Opened, query: Query, *, n: int, cursor: str | None, lang: str
    ) -> ServedList | None:
        with self._store.cursor() as sql:
            view = pairing.view(sql, number, name)
            if view is None:
                return None
            head = view.head
            offset = offset_of(cursor, head["mark"])
            if offset + n > len(view.pairs) and head["total"] > len(view.pairs):
                return None
            shown = view.pairs[offset : offset + n]
            texts = pairing.texts(sql, number, shown, lang)
        if len(texts) != len(shown):  # the set is being deleted
            return None
        places = range(offset, offset + len(shown))
        parts = [_ranked(text, i, head["differs"].get(str(i)), lang) for text, i in zip(texts, places, strict=True)]
        ahead = head["ahead"] if offset == 0 and n > 0 else None
        following = f"{head['mark']}.{offset + n}" if head["total"] > offset + n else None
        end = orjson.dumps({"ahead": None if ahead is None else ahead[lang], "next": following})[1:]
        before, after = head[lang]
        return ServedList(
            engine=opened.catalogue.engine, as_of=opened.key.day, revision=opened.key.revision,
            query=replace(query, countries=tuple(head["countries"])), filters=Filters(), n=n, offset=offset,
            candidates=head["candidates"],
            items=[(i + 1, *view.pairs[i], head["scores"][i], head["probabilities"][i]) for i in places],
            body=b"".join([before.encode(), ",".join(parts).encode(), after.encode(), end]), next=following,
        )  # fmt: skip


def _ranked(text: str, place: int, differs: Mapping[str, Any] | None, lang: str) -> str:
    """A pair's JSON with its rank and, where this list has another score than the one it was kept with, with that."""
    if differs is None:
        return f'{{"rank":{place + 1},{text[1:]}'
    content = orjson.loads(text)
    abstained = differs["abstained"]
    content |= {
        "score": differs["score"], "probability": differs["probability"],
        "abstained": None if abstained is None else abstained[lang],
    }  # fmt: skip
    return orjson.dumps({"rank": place + 1, **content}).decode()
